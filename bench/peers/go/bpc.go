package main

import (
	"fmt"
	"time"
)

const consumerSpin = time.Microsecond

// After weave's benchmarks.
var bpcWorkloads = []workload{bpc("bpc", "core", 1_000, 9), bpc("bpc_10000", "long", 10_000, 999)}

func bpc(name, effort string, producers, consumers int) workload {
	return workload{
		name: name,
		summary: fmt.Sprintf("bouncing producer-consumer: %d producers, each starts the next and %d consumers of 1 us",
			producers, consumers),
		check:  "each consumer ran",
		effort: effort,
		ops:    uint64(producers * (consumers + 1)),
		open: withoutSetup(func(*run) error {
			out := make(chan uint64, 1)
			go produce(producers, consumers, out)
			return expect("consumers", <-out, uint64(producers*consumers))
		}),
	}
}

// produce is the last producer but producers - 1.
func produce(producers, consumers int, out chan<- uint64) {
	handles := make([]chan uint64, 0, consumers+1)
	next := make(chan uint64, 1)
	if producers > 1 {
		go produce(producers-1, consumers, next)
	}
	for i := 0; i < consumers; i++ {
		consumed := make(chan uint64, 1)
		go consume(consumed)
		handles = append(handles, consumed)
	}
	if producers > 1 {
		handles = append(handles, next)
	}
	out <- join(handles)
}

func consume(out chan<- uint64) {
	spin(consumerSpin)
	out <- 1
}
