package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	spawnManyTasks      = 10_000
	spawnManyTasksBusy2 = 1_000
	yielders            = 8
	respawners          = 4
	stallTime           = 10 * time.Microsecond
)

var spawnManyWorkloads = []workload{
	{
		name:    "spawn_many_local",
		summary: "10,000 goroutines started from the main one that count down; the last to end tells it",
		check:   "each task ran once",
		effort:  "core",
		ops:     spawnManyTasks,
		open:    withoutSetup(func(*run) error { return spawnCountdown(spawnManyTasks) }),
	},
	{
		name:    "spawn_many_remote_idle",
		summary: "10,000 goroutines started from the main one, and joined",
		check:   "each task's output arrived",
		effort:  "core",
		ops:     spawnManyTasks,
		open:    withoutSetup(func(*run) error { return spawnAndJoin(spawnManyTasks) }),
	},
	{
		name:    "spawn_many_remote_busy1",
		summary: "10,000 goroutines started from the main one, and joined, while 8 others stall for 10 us and yield",
		check:   "each task's output arrived",
		effort:  "core",
		ops:     spawnManyTasks,
		open: func(*run) (*opened, error) {
			return besideHogs(yielders, yielder, spawnManyTasks), nil
		},
	},
	{
		name:    "spawn_many_remote_busy2",
		summary: "1,000 goroutines started from the main one, and joined, while 4 others stall 10 us and respawn themselves",
		check:   "each task's output arrived",
		effort:  "core",
		ops:     spawnManyTasksBusy2,
		open: func(*run) (*opened, error) {
			return besideHogs(respawners, respawner, spawnManyTasksBusy2), nil
		},
	},
}

// spawnCountdown returns when the last of the tasks has ended.
func spawnCountdown(tasks int64) error {
	var left atomic.Int64
	left.Store(tasks)
	done := make(chan struct{})
	for i := int64(0); i < tasks; i++ {
		go countDown(&left, done)
	}
	<-done
	return expectNoneLeft(&left)
}

func countDown(left *atomic.Int64, done chan<- struct{}) {
	if left.Add(-1) == 0 {
		close(done)
	}
}

func expectNoneLeft(left *atomic.Int64) error {
	if n := left.Load(); n != 0 { // a task that ran twice made it negative
		return fmt.Errorf("tasks left: %d, not 0", n)
	}
	return nil
}

func one(out chan<- uint64) {
	out <- 1
}

func spawnAndJoin(tasks int) error {
	handles := make([]chan uint64, tasks)
	for i := range handles {
		handles[i] = make(chan uint64, 1)
		go one(handles[i])
	}
	return expect("sum of the outputs", join(handles), uint64(tasks))
}

// join awaits the tasks in order and sums up their outputs.
func join(handles []chan uint64) (sum uint64) {
	for _, handle := range handles {
		sum += <-handle
	}
	return sum
}

// besideHogs spawns and joins tasks while hogs run.
func besideHogs(count int, hog func(h *hogs), tasks int) *opened {
	h := newHogs(count)
	for i := 0; i < count; i++ {
		go hog(h)
	}
	return &opened{iterate: func() error { return spawnAndJoin(tasks) }, finish: h.stop}
}

// stall reads the clock as spin does, but offers the thread to others in between, as tokio's does.
func stall() {
	start := time.Now()
	for time.Since(start) < stallTime {
		osYield()
	}
}

func yielder(h *hogs) {
	for !h.stopping.Load() {
		runtime.Gosched()
		stall()
	}
	h.ended <- struct{}{}
}

func respawner(h *hogs) {
	if h.stopping.Load() {
		h.ended <- struct{}{}
		return
	}
	stall()
	go respawner(h)
}
