package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

const cacheLine = 64

// A workload is a row of bench/WORKLOADS.md.
type workload struct {
	name         string
	summary      string
	check        string // what is verified, in words
	effort       string // "core", "wide" or "long"
	measures     string // what an iteration's value is; "": its duration
	ops          uint64 // operations in one iteration
	opsPerWorker bool   // ops is for each worker
	workers      int    // the workload is about so many; 0: as asked for
	memoryGiB    uint64 // it takes so much; 0: little

	open func(r *run) (*opened, error) // setup
}

// run is what a workload's functions are given.
type run struct {
	workers int
	seed    uint64
	valueNS uint64   // set by an iteration if its own duration is not what is measured; 0: it is
	latency *latency // of the measured iterations' operations, where the workload records them
}

// opened is a workload that is set up.
type opened struct {
	iterate func() error // returns when all of its work is done; the error says what is wrong with what came out
	finish  func() error // ends what setup left running; nil: nothing to do
}

var workloads = concat(
	spawnManyWorkloads, remoteSpawnWorkloads, chainWorkloads, joinWorkloads,
	syncWorkloads, wakeupWorkloads, cycleWorkloads, churnWorkloads, localityWorkloads, transferWorkloads, mixedWorkloads,
	treeWorkloads, utsWorkloads, bpcWorkloads, echoWorkloads,
)

func concat(groups ...[]workload) (all []workload) {
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

func (w *workload) measured() string {
	if w.measures == "" {
		return "duration"
	}
	return w.measures
}

func (w *workload) operations(workers int) uint64 {
	if w.opsPerWorker {
		return w.ops * uint64(workers)
	}
	return w.ops
}

// withoutSetup is for workloads that need neither setup nor tear-down.
func withoutSetup(iterate func(r *run) error) func(r *run) (*opened, error) {
	return func(r *run) (*opened, error) {
		return &opened{iterate: func() error { return iterate(r) }}, nil
	}
}

// lacking is an error that is the machine's and not the program's.
type lacking struct{ error }

func exitStatus(err error) int {
	if errors.As(err, &lacking{}) {
		return exitLacks
	}
	return exitCheckFailed
}

func expect(what string, found, wanted uint64) error {
	if found != wanted {
		return fmt.Errorf("%s: %d, not %d", what, found, wanted)
	}
	return nil
}

// spin reads the clock until the time has passed since its first reading.
func spin(d time.Duration) {
	start := time.Now()
	for time.Since(start) < d {
	}
}

// random is xorshift64.
type random uint64

// newRandom is the generator of task or connection i. Never 0, from which xorshift would not move.
func newRandom(seed uint64, i int) random {
	return random((seed^uint64(i+1))*0x9E3779B97F4A7C15 | 1)
}

func (x *random) next() uint64 {
	*x ^= *x << 13
	*x ^= *x >> 7
	*x ^= *x << 17
	return uint64(*x)
}

func (x *random) pick(n int) int {
	return int(x.next() % uint64(n))
}

// hogs are goroutines that run for ever, or rather until they are stopped.
type hogs struct {
	stopping atomic.Bool
	ended    chan struct{}
	count    int
}

func newHogs(count int) *hogs {
	return &hogs{ended: make(chan struct{}, count), count: count}
}

// stop returns when all have ended.
func (h *hogs) stop() error {
	h.stopping.Store(true)
	for i := 0; i < h.count; i++ {
		<-h.ended
	}
	return nil
}

// osYield is sched_yield(2): the thread yields, the goroutine keeps its processor.
func osYield() {
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}
