package main

import (
	"net"
	"runtime"
	"time"
)

const (
	mixedConnections = 16
	mixedMessages    = 100 // on each
	mixedInterval    = time.Millisecond
	mixedHogSpin     = 200 * time.Microsecond
)

var mixedWorkloads = []workload{{
	name:     "mixed",
	summary:  "16 TCP connections with a message due every 1 ms on each, beside two spinning goroutines for each worker",
	check:    "each byte came back as it was sent, none was left unanswered",
	effort:   "core",
	measures: "99th percentile of the latencies from when each message was due",
	ops:      1,
	open:     openMixed,
}}

func openMixed(r *run) (*opened, error) {
	w, err := openWire(mixedConnections, r.seed)
	if err != nil {
		return nil, err
	}
	h := newHogs(2 * r.workers)
	for i := 0; i < h.count; i++ {
		go mixedHog(h)
	}
	histograms := make([]latency, mixedConnections)
	iterate := func() error {
		if err := w.mixedIterate(histograms); err != nil {
			return err
		}
		var all latency
		for i := range histograms {
			all.add(&histograms[i])
		}
		r.latency.add(&all)
		r.valueNS = all.percentile(0.99)
		return expect("answers", all.count, mixedConnections*mixedMessages)
	}
	finish := func() error {
		h.stop()
		return w.finish()
	}
	return &opened{iterate, finish}, nil
}

func mixedHog(h *hogs) {
	for !h.stopping.Load() {
		spin(mixedHogSpin)
		runtime.Gosched()
	}
	h.ended <- struct{}{}
}

// mixedIterate has two goroutines for each connection, which do not wait for each other.
func (w *wire) mixedIterate(histograms []latency) error {
	start := time.Now()
	ended := make(chan error, 2*mixedConnections)
	for i, client := range w.clients {
		first := start.Add(time.Duration(i) * mixedInterval / mixedConnections)
		histograms[i] = latency{}
		go func(client net.Conn, source random, histogram *latency) {
			ended <- mixedReceive(client, source, first, histogram)
		}(client, w.sources[i], &histograms[i])
		go func(client net.Conn, source *random) {
			ended <- mixedSend(client, source, first)
		}(client, &w.sources[i])
	}
	w.sent += mixedConnections * mixedMessages * messageBytes
	return firstError(ended, 2*mixedConnections)
}

func mixedSend(client net.Conn, source *random, due time.Time) error {
	var sent message
	for k := 0; k < mixedMessages; k++ {
		time.Sleep(time.Until(due)) // not at all if that is past
		sent.fill(source)
		if _, err := client.Write(sent[:]); err != nil {
			return err
		}
		due = due.Add(mixedInterval)
	}
	return nil
}

func mixedReceive(client net.Conn, source random, due time.Time, histogram *latency) error {
	var wanted, answer message
	for k := 0; k < mixedMessages; k++ {
		wanted.fill(&source)
		if err := receiveMessage(client, &answer, &wanted); err != nil {
			return err
		}
		histogram.record(uint64(time.Since(due)))
		due = due.Add(mixedInterval)
	}
	return nil
}
