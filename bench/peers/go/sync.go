package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

const (
	senders         = 5
	messagesEach    = 1_000
	notifications   = 500
	semaphoreTasks  = 6
	semaphoreRounds = 1_000
)

var syncWorkloads = concat(
	[]workload{mpsc(100, "core"), mpsc(1_000_000, "wide")},
	notifyWorkloads("waiters", "all waiters", openNotifyWaiters),
	notifyWorkloads("one", "one waiter at a time", openNotifyOne),
	[]workload{
		semaphore("uncontended", 10, false, "wide"),
		semaphore("contended", 5, true, "core"),
	},
)

// ---- mpsc ----

func mpsc(capacity int, effort string) workload {
	return workload{
		name: fmt.Sprintf("sync_mpsc_%d", capacity),
		summary: fmt.Sprintf("5 goroutines send 1,000 integers each into one channel of capacity %d; one receives them",
			capacity),
		check:  "the integers' sum, and each sender's order",
		effort: effort,
		ops:    senders * messagesEach,
		open:   withoutSetup(func(*run) error { return mpscIterate(capacity) }),
	}
}

func mpscIterate(capacity int) error {
	channel := make(chan uint64, capacity)
	end := make(chan error, 1)
	go func() { end <- receiveAll(channel) }()
	for i := 0; i < senders; i++ {
		go sendAll(uint64(i), channel)
	}
	return <-end
}

// sendAll sends sender × 1,000, sender × 1,000 + 1, …
func sendAll(sender uint64, channel chan<- uint64) {
	for i := uint64(0); i < messagesEach; i++ {
		channel <- sender*messagesEach + i
	}
}

func receiveAll(channel <-chan uint64) error {
	var next [senders]uint64 // that each sender has to send
	sum := uint64(0)
	for i := 0; i < senders*messagesEach; i++ {
		message := <-channel
		sender, number := message/messagesEach, message%messagesEach
		if number != next[sender] {
			return fmt.Errorf("sender %d: message %d came when %d was due", sender, number, next[sender])
		}
		next[sender]++
		sum += message
	}
	const messages = senders * messagesEach
	return expect("sum of the messages", sum, messages*(messages-1)/2)
}

// ---- notify ----

func notifyWorkloads(name, whom string, open func(waiters int) *opened) (all []workload) {
	for _, waiters := range []int{10, 50, 100, 200, 500} {
		waiters := waiters
		effort := "wide"
		if name == "waiters" && waiters == 50 {
			effort = "core"
		}
		all = append(all, workload{
			name:    fmt.Sprintf("sync_notify_%s_%d", name, waiters),
			summary: fmt.Sprintf("%d goroutines wait and count; one notifies %s until 500 were counted", waiters, whom),
			check:   "the count moved on by at least 500",
			effort:  effort,
			ops:     notifications,
			open:    func(*run) (*opened, error) { return open(waiters), nil },
		})
	}
	return all
}

// openNotifyWaiters notifies all by closing a channel, which sync.Cond's documentation recommends over Broadcast. Who
// comes too late for it waits at the channel that has taken its place.
func openNotifyWaiters(waiters int) *opened {
	var generation atomic.Pointer[chan struct{}]
	renew := func() chan struct{} {
		c := make(chan struct{})
		if old := generation.Swap(&c); old != nil {
			return *old
		}
		return nil
	}
	renew()
	wait := func() { <-*generation.Load() }
	notify := func() { close(renew()) }
	notifyForEver := func() { close(*generation.Load()) }
	return openNotify(waiters, wait, notify, notifyForEver)
}

// openNotifyOne notifies one by sending on a channel, which the same place recommends over Signal. With room for one
// value, a notification that finds nobody is left for the next waiter, as tokio's is.
func openNotifyOne(waiters int) *opened {
	channel := make(chan struct{}, 1)
	wait := func() { <-channel }
	notify := func() {
		select {
		case channel <- struct{}{}:
		default:
		}
	}
	notifyForEver := func() { close(channel) }
	return openNotify(waiters, wait, notify, notifyForEver)
}

// openNotify has waiters that count until they see, after a notification, that they are to end; notifyForEver lets all
// waits return from then on.
func openNotify(waiters int, wait, notify, notifyForEver func()) *opened {
	var count atomic.Uint64
	h := newHogs(waiters)
	for i := 0; i < waiters; i++ {
		go func() {
			for wait(); !h.stopping.Load(); wait() {
				count.Add(1)
			}
			h.ended <- struct{}{}
		}()
	}
	iterate := func() error {
		moved := make(chan uint64, 1)
		go func() { moved <- notifyUntil(&count, notify) }()
		if n := <-moved; n < notifications {
			return fmt.Errorf("the count moved on by %d, not by at least %d", n, notifications)
		}
		return nil
	}
	finish := func() error {
		h.stopping.Store(true)
		notifyForEver()
		return h.stop()
	}
	return &opened{iterate, finish}
}

func notifyUntil(count *atomic.Uint64, notify func()) uint64 {
	before := count.Load()
	for count.Load()-before < notifications {
		notify()
		runtime.Gosched()
	}
	return count.Load() - before
}

// ---- semaphore ----

func semaphore(name string, permits int, yields bool, effort string) workload {
	between := ""
	if yields {
		between = ", yield"
	}
	return workload{
		name: "sync_semaphore_" + name,
		summary: fmt.Sprintf("%d permits, 6 goroutines: 1,000 times acquire one%s and release it", permits,
			between),
		check:  "there were never more holders than permits, and all came back",
		effort: effort,
		ops:    semaphoreTasks * semaphoreRounds,
		open:   withoutSetup(func(*run) error { return semaphoreIterate(permits, yields) }),
	}
}

func semaphoreIterate(permits int, yields bool) error {
	held := make(chan struct{}, permits)
	ended := make(chan bool, semaphoreTasks)
	var holders atomic.Int64
	for i := 0; i < semaphoreTasks; i++ {
		go func() { ended <- hold(held, &holders, yields) }()
	}
	ok := true
	for i := 0; i < semaphoreTasks; i++ {
		ok = <-ended && ok
	}
	if !ok {
		return fmt.Errorf("more than %d held a permit at once", permits)
	}
	return expect("permits that did not come back", uint64(len(held)), 0)
}

// hold returns false if too many held a permit at once.
func hold(held chan struct{}, holders *atomic.Int64, yields bool) bool {
	ok := true
	for i := 0; i < semaphoreRounds; i++ {
		held <- struct{}{}
		ok = holders.Add(1) <= int64(cap(held)) && ok
		if yields {
			runtime.Gosched()
		}
		holders.Add(-1)
		<-held
	}
	return ok
}
