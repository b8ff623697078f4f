package main

import (
	"runtime"
	"sync/atomic"
)

const (
	reigns        = 20
	transferTasks = manyTasks // for each worker
)

var transferWorkloads = []workload{{
	name:         "transfer",
	summary:      "100 goroutines for each worker yield in a loop; 20 times one is named leader and all acknowledge",
	check:        "the acknowledgements, summed up over the tasks",
	effort:       "core",
	ops:          transferTasks * reigns,
	opsPerWorker: true,
	open: func(r *run) (*opened, error) {
		picks := newRandom(r.seed, 0)
		return &opened{iterate: func() error { return transferIterate(transferTasks*r.workers, &picks) }}, nil
	},
}}

// A realm's leader changes hands; picks belongs to the leader.
type realm struct {
	now          atomic.Uint64 // the reign's number above, the leader's below
	picks        *random
	acknowledged []paddedWord
}

type paddedWord struct {
	reign atomic.Uint64
	_     [cacheLine - 8]byte
}

func (r *realm) begin(reign uint64) {
	r.now.Store(reign<<32 | uint64(r.picks.pick(len(r.acknowledged))))
}

func transferIterate(tasks int, picks *random) error {
	realm := &realm{picks: picks, acknowledged: make([]paddedWord, tasks)}
	realm.begin(1)
	ended := make(chan uint64, tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) { ended <- realm.task(i) }(i)
	}
	return expect("acknowledgements", sumOf(ended, tasks), uint64(tasks*reigns))
}

func (r *realm) task(i int) (acknowledged uint64) {
	last := uint64(0)
	for {
		now := r.now.Load()
		reign, leader := now>>32, int(now&0xFFFFFFFF)
		if reign > reigns {
			return acknowledged
		}
		if reign != last {
			last = reign
			r.acknowledged[i].reign.Store(reign)
			acknowledged++
			if leader == i {
				r.waitForOthers(reign)
				r.begin(reign + 1)
			}
		}
		runtime.Gosched()
	}
}

func (r *realm) waitForOthers(reign uint64) {
	for i := range r.acknowledged {
		for r.acknowledged[i].reign.Load() < reign {
			runtime.Gosched()
		}
	}
}
