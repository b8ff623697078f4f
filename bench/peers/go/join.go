package main

import "runtime"

const (
	lightTasks     = 25_000
	yield300       = 300
	recursiveTasks = 300
	recursiveDepth = 25
	ringTasks      = 300
	ringRounds     = 100
)

// After async-executor's benches/executor.rs.
var joinWorkloads = []workload{
	{
		name:    "light_tasks",
		summary: "a goroutine starts 25,000 that return at once and awaits them in order",
		check:   "each task's output arrived",
		effort:  "wide",
		ops:     lightTasks,
		open:    withoutSetup(func(*run) error { return awaitAll(lightTasks, one, lightTasks) }),
	},
	{
		name:    "yield_300",
		summary: "a goroutine starts 300 that yield 300 times each and awaits them in order",
		check:   "the tasks' yields were summed up over their outputs",
		effort:  "wide",
		ops:     yield300 * yield300,
		open:    withoutSetup(func(*run) error { return awaitAll(yield300, yields300, yield300*yield300) }),
	},
	{
		name:    "recursive_spawn",
		summary: "300 goroutines, each at the head of a chain of 25 in which each awaits the next",
		check:   "the depths were summed up over the outputs",
		effort:  "wide",
		ops:     recursiveTasks * recursiveDepth,
		open: withoutSetup(func(*run) error {
			head := func(out chan<- uint64) { recursive(recursiveDepth, out) }
			return awaitAll(recursiveTasks, head, recursiveTasks*recursiveDepth)
		}),
	},
	{
		name:    "channel_ring",
		summary: "300 goroutines in a ring of channels of capacity 1, round which a message goes 100 times",
		check:   "the message counted each hop",
		effort:  "wide",
		ops:     ringTasks * ringRounds,
		open:    withoutSetup(channelRing),
	},
}

// awaitAll has a goroutine start the tasks and await them in order.
func awaitAll(tasks int, task func(out chan<- uint64), wanted uint64) error {
	sum := make(chan uint64, 1)
	go func() {
		handles := make([]chan uint64, tasks)
		for i := range handles {
			handles[i] = make(chan uint64, 1)
			go task(handles[i])
		}
		sum <- join(handles)
	}()
	return expect("sum of the outputs", <-sum, wanted)
}

func yields300(out chan<- uint64) {
	n := uint64(0)
	for ; n < yield300; n++ {
		runtime.Gosched()
	}
	out <- n
}

func recursive(depth int, out chan<- uint64) {
	if depth == 1 {
		out <- 1
		return
	}
	child := make(chan uint64, 1)
	go recursive(depth-1, child)
	out <- 1 + <-child
}

func channelRing(*run) error {
	first := make(chan uint64, 1)
	end := make(chan uint64, 1)
	in := first
	for i := 0; i < ringTasks-1; i++ {
		out := make(chan uint64, 1)
		go pass(in, out, ringRounds)
		in = out
	}
	go func() {
		pass(in, first, ringRounds-1)
		end <- <-in + 1
	}()
	first <- 0
	return expect("hops", <-end, ringTasks*ringRounds)
}

func pass(in <-chan uint64, out chan<- uint64, messages int) {
	for i := 0; i < messages; i++ {
		out <- <-in + 1
	}
}
