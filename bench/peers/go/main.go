// The peer: the workloads of bench/WORKLOADS.md as goroutines, with the same command line and the same JSON.
//
// GOMAXPROCS is --workers. Tasks are goroutines, yielding is runtime.Gosched, a task's handle is a channel of capacity
// 1, a oneshot channel too. A semaphore is a buffered channel: golang.org/x/sync is not the standard library.
//
// What could be held against the comparison:
//   - Go collects garbage while it is measured, with its default GOGC=100, and clears what it allocates. The other
//     runtimes free by hand; their allocator's work is in their figures, as the collector's is in these.
//   - A goroutine has a stack of its own (2 KiB and more, growing) where the others allocate a state machine of some
//     dozens of bytes. It costs memory, and what runs on it may block anywhere and need not be written as one.
//   - Goroutines are preempted after 10 ms, and sysmon takes the processor from one in a system call and polls the
//     network every 10 ms if nobody else did. The other runtimes leave that to whoever writes the task, and pay
//     nothing for it.
//   - runtime.Gosched puts the goroutine into the *global* queue, under its lock: Go makes yielding dear on purpose.
//   - There is no outside: the main goroutine and the "threads" of remote_spawn are goroutines among the others, on the
//     same GOMAXPROCS processors. The other runtimes' main thread is one more thread than they have workers.
//   - time.Sleep is as fine as the kernel's clock; tokio's timers have 1 ms.
//   - A server has a goroutine for each connection, with its stack and a buffer for as long as the connection lasts.
//   - The random choice of whom to steal from is Go's own and cannot be seeded: --seed is for contents and picks.
//   - skynet has one channel for a node's ten children, as its author's own program; all else a channel for each task.
//   - sync_mpsc_1000000 allocates and clears its 8 MB in each iteration, because that is what a Go channel is.
//   - uts hashes with crypto/sha1, which is slower than the library that the C side uses.
//   - What the collector has not been told of yet is missing in heap_objects and heap_bytes: they are for long runs.
//
// Left out, and not in --list:
//   - spawn_blocking_*: Go has no blocking pool. A goroutine that blocks in a system call loses its processor instead.
//   - sync_mpsc_unbounded: Go has no unbounded channel.
//   - echo_{1,64,1000,10000} and http_*: those are --serve under somebody else's client.
package main

import (
	"fmt"
	"os"
	"runtime"
)

const (
	exitOK          = 0
	exitCheckFailed = 1
	exitUsage       = 2
	exitLacks       = 77 // this machine lacks what the workload needs
)

func peerName() string {
	return "Go " + runtime.Version()[len("go"):]
}

func complain(err error) {
	fmt.Fprintf(os.Stderr, "go-workload: %v\n", err)
}

func main() {
	options, err := parse(os.Args[1:])
	if err != nil {
		complain(err)
		os.Exit(exitUsage)
	}
	runtime.GOMAXPROCS(options.workers)
	switch options.request {
	case requestHelp:
		printHelp()
	case requestList:
		printList()
	case requestListJSON:
		err = printListJSON()
	case requestServe:
		err = serve(options)
	case requestRun:
		err = runWorkload(options)
	}
	if err != nil {
		complain(err)
		os.Exit(exitStatus(err))
	}
	os.Exit(exitOK)
}
