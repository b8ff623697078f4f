package main

import (
	"fmt"
	"sync/atomic"
)

const (
	churnTurns = 5_000 // for each worker
	lotTurns   = 5
)

var churnWorkloads = []workload{churn("many", manyTasks, "core"), churn("few", 4, "wide")}

func churn(name string, tasksPerWorker int, effort string) workload {
	return workload{
		name: "churn_" + name,
		summary: fmt.Sprintf("%d goroutines for each worker and half as many spots: pick one, wake who waits there, wait",
			tasksPerWorker),
		check:        "the turns, summed up over the tasks, which all ended; no semaphore has a post left",
		effort:       effort,
		ops:          churnTurns,
		opsPerWorker: true,
		open: withoutSetup(func(r *run) error {
			return churnIterate(r.seed, tasksPerWorker*r.workers, uint64(r.workers*churnTurns))
		}),
	}
}

// lots are the rights to take turns. `drawn` has a cache line of its own.
type lots struct {
	_     [cacheLine]byte
	drawn atomic.Uint64
	_     [cacheLine - 8]byte
	count uint64
}

// draw returns whether there was one left, and whether this was the first that found none.
func (l *lots) draw() (some, firstEmpty bool) {
	n := l.drawn.Add(1) - 1
	return n < l.count, n == l.count
}

func churnIterate(seed uint64, tasks int, turns uint64) error {
	spots := newSemaphores(tasks/2, tasks)
	ended := make(chan uint64, tasks)
	l := &lots{count: turns / lotTurns}
	for i := 0; i < tasks; i++ {
		go func(i int) { ended <- churnTask(spots, l, i, newRandom(seed, i)) }(i)
	}
	if err := expect("turns", sumOf(ended, tasks), turns); err != nil {
		return err
	}
	return spots.expectEmpty()
}

func churnTask(spots semaphores, l *lots, i int, x random) (turns uint64) {
	if i < len(spots) {
		spots.wait(i)
	}
	for {
		some, firstEmpty := l.draw()
		if firstEmpty {
			for spot := range spots {
				spots.post(spot)
			}
		}
		if !some {
			return turns
		}
		for end := turns + lotTurns; turns < end; turns++ {
			spot := x.pick(len(spots))
			spots.post(spot)
			spots.wait(spot)
		}
	}
}
