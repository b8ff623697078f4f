package main

import (
	"fmt"
	"sync/atomic"
)

const remoteSpawnTasks = 12_800

var remoteSpawnWorkloads = []workload{remoteSpawn(1, "wide"), remoteSpawn(2, "wide"), remoteSpawn(4, "core"),
	remoteSpawn(8, "wide"), remoteSpawn(16, "wide"), remoteSpawn(32, "wide"), remoteSpawn(64, "wide")}

func remoteSpawn(spawners int, effort string) workload {
	each := int64(remoteSpawnTasks / spawners)
	return workload{
		name:    fmt.Sprintf("remote_spawn_%d", spawners),
		summary: fmt.Sprintf("%d goroutines, released together, start %d no-op ones each", spawners, each),
		check:   "each task ran once",
		effort:  effort,
		ops:     remoteSpawnTasks,
		open: func(*run) (*opened, error) {
			return openRemoteSpawn(spawners, each), nil
		},
	}
}

// A gate is passed by all spawners once it is closed. The next one is there before that.
type gate struct {
	closed chan struct{}
	next   *gate
	last   bool // whoever passes it ends
	left   atomic.Int64
	done   chan struct{}
}

func newGate() *gate {
	return &gate{closed: make(chan struct{}), done: make(chan struct{})}
}

func openRemoteSpawn(spawners int, each int64) *opened {
	now := newGate()
	ended := make(chan struct{}, spawners)
	for i := 0; i < spawners; i++ {
		go spawner(now, each, ended)
	}
	iterate := func() error {
		g := now
		now = newGate()
		g.next = now
		g.left.Store(int64(spawners) * each)
		close(g.closed)
		<-g.done
		return expectNoneLeft(&g.left)
	}
	finish := func() error {
		now.last = true
		close(now.closed)
		for i := 0; i < spawners; i++ {
			<-ended
		}
		return nil
	}
	return &opened{iterate, finish}
}

func spawner(g *gate, each int64, ended chan<- struct{}) {
	for {
		<-g.closed
		if g.last {
			ended <- struct{}{}
			return
		}
		for i := int64(0); i < each; i++ {
			go countDown(&g.left, g.done)
		}
		g = g.next
	}
}
