package main

import "fmt"

const (
	ringSize     = 5
	manyTasks    = 100 // for each worker
	manyTurns    = 100
	fewTurns     = 10_000
	cyclesMany   = 20 // of the token round its ring
	cyclesFew    = 2_000
	waterlooWork = 10_000 // operations for each worker
)

// A semaphore is a channel with room for as many posts as there can be.
type semaphores []chan struct{}

func newSemaphores(n, room int) semaphores {
	s := make(semaphores, n)
	for i := range s {
		s[i] = make(chan struct{}, room)
	}
	return s
}

func (s semaphores) post(i int) { s[i] <- struct{}{} }
func (s semaphores) wait(i int) { <-s[i] }

// expectEmpty is for when all tasks have ended.
func (s semaphores) expectEmpty() error {
	left := 0
	for i := range s {
		left += len(s[i])
	}
	return expect("posts left over", uint64(left), 0)
}

// After the University of Waterloo's scheduling benchmarks, as the next three files.
var cycleWorkloads = []workload{
	cycle("many", manyTasks, cyclesMany, "core"),
	cycle("few", 1, cyclesFew, "wide"),
	yieldersWorkload("many", manyTasks, manyTurns),
	yieldersWorkload("few", 1, fewTurns),
}

func cycle(name string, ringsPerWorker, rounds int, effort string) workload {
	return workload{
		name: "cycle_" + name,
		summary: fmt.Sprintf("%d rings of 5 goroutines for each worker; a token goes round each %d times", ringsPerWorker,
			rounds),
		check:        "the waits, summed up over the tasks; no semaphore has a post left",
		effort:       effort,
		ops:          waterlooWork,
		opsPerWorker: true,
		open:         withoutSetup(func(r *run) error { return cycleIterate(ringsPerWorker*r.workers, rounds) }),
	}
}

func cycleIterate(rings, rounds int) error {
	tasks := rings * ringSize
	tokens := newSemaphores(tasks, tasks)
	ended := make(chan uint64, tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) { ended <- cycleTask(tokens, i, rounds) }(i)
	}
	for i := 0; i < tasks; i += ringSize {
		tokens.post(i)
	}
	if err := expect("waits", sumOf(ended, tasks), uint64(tasks*rounds)); err != nil {
		return err
	}
	return tokens.expectEmpty()
}

func cycleTask(tokens semaphores, i, rounds int) (waits uint64) {
	next := i + 1
	if next%ringSize == 0 {
		next -= ringSize
	}
	for ; waits < uint64(rounds); waits++ {
		tokens.wait(i)
		if next > i || waits+1 < uint64(rounds) {
			tokens.post(next)
		}
	}
	return waits
}

func sumOf(outputs <-chan uint64, n int) (sum uint64) {
	for i := 0; i < n; i++ {
		sum += <-outputs
	}
	return sum
}

func yieldersWorkload(name string, perWorker, yields int) workload {
	return workload{
		name:         "yielders_" + name,
		summary:      fmt.Sprintf("%d goroutines for each worker that yield %d times", perWorker, yields),
		check:        "the yields, summed up over the tasks",
		effort:       "wide",
		ops:          waterlooWork,
		opsPerWorker: true,
		open:         withoutSetup(func(r *run) error { return yieldAll(perWorker*r.workers, yields) }),
	}
}
