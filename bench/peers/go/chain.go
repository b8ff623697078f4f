package main

import (
	"runtime"
	"sync/atomic"
)

const (
	yieldManyTasks  = 200
	yieldManyYields = 1_000
	pings           = 1_000
	chainDepth      = 1_000
	createTasks     = 10_000
)

var chainWorkloads = []workload{
	{
		name:    "yield_many",
		summary: "200 goroutines that yield 1,000 times each",
		check:   "each task came to its end after its 1,000 yields",
		effort:  "core",
		ops:     yieldManyTasks * yieldManyYields,
		open:    withoutSetup(func(*run) error { return yieldAll(yieldManyTasks, yieldManyYields) }),
	},
	{
		name:    "ping_pong",
		summary: "1,000 goroutines, each with a child and two channels of capacity 1: a message there and one back",
		check:   "each message arrived",
		effort:  "core",
		ops:     pings,
		open:    withoutSetup(pingPong),
	},
	{
		name:    "chained_spawn",
		summary: "a chain of 1,000 goroutines, each started by the one before",
		check:   "the chain had its whole length",
		effort:  "core",
		ops:     chainDepth,
		open:    withoutSetup(chainedSpawn),
	},
	{
		name:    "create_goroutines",
		summary: "one chain of 10,000 goroutines, each creating the next",
		check:   "the chain had its whole length",
		effort:  "wide",
		ops:     createTasks,
		open:    withoutSetup(func(*run) error { return createGoroutines(1) }),
	},
	{
		name:    "create_goroutines_parallel",
		summary: "as many chains as workers, of 10,000 goroutines together, each creating the next",
		check:   "the chains' lengths add up to 10,000",
		effort:  "wide",
		ops:     createTasks,
		open:    withoutSetup(func(r *run) error { return createGoroutines(r.workers) }),
	},
}

// yieldAll is also yielders_many and yielders_few.
func yieldAll(tasks, yields int) error {
	done := make(chan uint64, tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			n := uint64(0)
			for ; n < uint64(yields); n++ {
				runtime.Gosched()
			}
			done <- n
		}()
	}
	sum := uint64(0)
	for i := 0; i < tasks; i++ {
		sum += <-done
	}
	return expect("yields", sum, uint64(tasks)*uint64(yields))
}

func pingPong(*run) error {
	var left atomic.Int64
	left.Store(pings)
	done := make(chan struct{})
	go func() {
		for i := 0; i < pings; i++ {
			go ping(&left, done)
		}
	}()
	<-done
	return expectNoneLeft(&left) // nobody gets here unless both messages arrived
}

func ping(left *atomic.Int64, done chan<- struct{}) {
	there, back := make(chan struct{}, 1), make(chan struct{}, 1)
	go pong(there, back)
	there <- struct{}{}
	<-back
	countDown(left, done)
}

func pong(there <-chan struct{}, back chan<- struct{}) {
	<-there
	back <- struct{}{}
}

func chainedSpawn(*run) error {
	done := make(chan uint64, 1)
	go chainLink(0, done)
	return expect("links", <-done, chainDepth)
}

func chainLink(before uint64, done chan<- uint64) {
	if before == chainDepth {
		done <- before
	} else {
		go chainLink(before+1, done)
	}
}

func createGoroutines(chains int) error {
	done := make(chan uint64, chains)
	for i := 0; i < chains; i++ {
		length := createTasks / chains
		if i < createTasks%chains {
			length++
		}
		go create(1, uint64(length), done)
	}
	sum := uint64(0)
	for i := 0; i < chains; i++ {
		sum += <-done
	}
	return expect("goroutines in the chains", sum, createTasks)
}

// create is the n-th goroutine of its chain.
func create(n, length uint64, done chan<- uint64) {
	if n == length {
		done <- n
	} else {
		go create(n+1, length, done)
	}
}
