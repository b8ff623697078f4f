package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	hogMessages  = 1_000 // there, and as many back
	hogSpin      = 10 * time.Microsecond
	wakeupRounds = 100
	wakeupWork   = 5 * time.Microsecond // of the sender, on top of the delay
)

// After Go's own runtime/proc_test.go.
var wakeupWorkloads = concat(
	[]workload{{
		name:    "ping_pong_hog",
		summary: "one worker: a goroutine that spins 10 us and yields, beside two that bounce a message 1,000 times",
		check:   "the message counted each hop, and the spinning one had turns",
		effort:  "wide",
		ops:     hogMessages,
		workers: 1,
		open:    openPingPongHog,
	}},
	wakeupParallel("spinning", "spin", spin),
	wakeupParallel("syscall", "sleep in nanosleep", nanosleep),
)

func openPingPongHog(*run) (*opened, error) {
	h := newHogs(1)
	var turns atomic.Uint64
	go func() {
		for !h.stopping.Load() {
			spin(hogSpin)
			turns.Add(1)
			runtime.Gosched()
		}
		h.ended <- struct{}{}
	}()
	iterate := func() error {
		before := turns.Load()
		if err := expect("hops", bounce(), 2*hogMessages); err != nil {
			return err
		}
		if turns.Load() == before {
			return errors.New("the spinning goroutine had no turn")
		}
		return nil
	}
	return &opened{iterate, h.stop}, nil
}

// bounce returns how often the message was passed on.
func bounce() uint64 {
	there, back, end := make(chan uint64, 1), make(chan uint64, 1), make(chan uint64, 1)
	go func() {
		message := uint64(0)
		for i := 0; i < hogMessages; i++ {
			there <- message + 1
			message = <-back
		}
		end <- message
	}()
	go pass(there, back, hogMessages)
	return <-end
}

func nanosleep(d time.Duration) {
	left := syscall.NsecToTimespec(int64(d))
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}

func wakeupParallel(name, verb string, work func(time.Duration)) (all []workload) {
	for _, us := range []int{0, 1, 2, 5, 10, 20, 50, 100} {
		delay := time.Duration(us) * time.Microsecond
		effort := "wide"
		if name == "spinning" && us == 10 {
			effort = "core"
		}
		all = append(all, workload{
			name: fmt.Sprintf("wakeup_parallel_%s_%dus", name, us),
			summary: fmt.Sprintf("two goroutines wake each other 100 times; they %s %d us before they wait, 5 us more before",
				verb, us),
			check:  "the message counted each hop",
			effort: effort,
			ops:    wakeupRounds,
			open:   withoutSetup(func(*run) error { return wakeupIterate(delay, work) }),
		})
	}
	return all
}

func wakeupIterate(delay time.Duration, work func(time.Duration)) error {
	there, back, end := make(chan uint64, 1), make(chan uint64, 1), make(chan uint64, 1)
	send := func(channel chan<- uint64, message uint64) {
		work(delay + wakeupWork)
		channel <- message + 1
	}
	receive := func(channel <-chan uint64) uint64 {
		work(delay)
		return <-channel
	}
	go func() {
		message := uint64(0)
		for i := 0; i < wakeupRounds; i++ {
			send(there, message)
			message = receive(back)
		}
		end <- message
	}()
	go func() {
		for i := 0; i < wakeupRounds; i++ {
			send(back, receive(there))
		}
	}()
	return expect("hops", <-end, 2*wakeupRounds)
}
