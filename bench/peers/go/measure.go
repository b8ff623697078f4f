package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"
)

const (
	warmUpIterations = 3
	leastIterations  = 5
)

type measured struct {
	samplesNS []uint64
	cpuNS     uint64 // of the process, over the samples; as the next
	counters  map[string]uint64
}

// runWorkload measures and prints the result, which a failed check has too.
func runWorkload(o *options) error {
	if err := checkMemory(o.workload.memoryGiB); err != nil {
		return fmt.Errorf("%s: %w", o.workload.name, err)
	}
	r := &run{workers: o.workers, seed: o.seed, latency: new(latency)}
	open, err := o.workload.open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", o.workload.name, err)
	}
	m, failure := measure(o, r, open)
	if open.finish != nil {
		if err := open.finish(); failure == nil {
			failure = err
		}
	}
	if err := printResult(o, r, m, failure); err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("%s: %w", o.workload.name, failure)
	}
	return nil
}

func measure(o *options, r *run, open *opened) (measured, error) {
	var m measured
	if o.iterations == 0 {
		if err := warmUp(o, open); err != nil {
			return m, err
		}
	}
	*r.latency = latency{} // the warm-up's are not counted
	before := readCounters()
	cpu := processCPU()
	failure := takeSamples(o, r, open, &m)
	m.cpuNS = uint64(processCPU() - cpu)
	m.counters = readCounters()
	for name, value := range before {
		m.counters[name] -= value
	}
	return m, failure
}

// warmUp does three iterations, or a tenth of the budget where they are long.
func warmUp(o *options, open *opened) error {
	start := time.Now()
	for i := 0; i < warmUpIterations; i++ {
		if err := open.iterate(); err != nil {
			return err
		}
		if time.Since(start) > o.budget()/10 {
			break
		}
	}
	return nil
}

func takeSamples(o *options, r *run, open *opened, m *measured) error {
	start := time.Now()
	for {
		r.valueNS = 0
		before := time.Now()
		err := open.iterate()
		value := uint64(time.Since(before))
		if r.valueNS != 0 {
			value = r.valueNS
		}
		m.samplesNS = append(m.samplesNS, value)
		if err != nil || isEnough(o, uint64(len(m.samplesNS)), time.Since(start)) {
			return err
		}
	}
}

func (o *options) budget() time.Duration {
	return time.Duration(o.budgetMS) * time.Millisecond
}

// isEnough wants five iterations at least, unless they would take twice the budget.
func isEnough(o *options, iterations uint64, spent time.Duration) bool {
	if o.iterations > 0 {
		return iterations == o.iterations
	}
	return spent >= 2*o.budget() || (spent >= o.budget() && iterations >= leastIterations)
}

func median(samples []uint64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := append([]uint64(nil), samples...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	n := len(sorted)
	return (float64(sorted[(n-1)/2]) + float64(sorted[n/2])) / 2
}

type result struct {
	Peer       string            `json:"peer"`
	Workload   string            `json:"workload"`
	Queue      *string           `json:"queue"`
	Deque      *string           `json:"deque"`
	Reactor    *string           `json:"reactor"`
	Workers    int               `json:"workers"`
	Seed       uint64            `json:"seed"`
	Iterations int               `json:"iterations"`
	Ops        uint64            `json:"ops_per_iteration"`
	MedianNS   float64           `json:"median_ns"`
	LatencyNS  *latencyResult    `json:"latency_ns"`
	SamplesNS  []uint64          `json:"samples_ns"`
	Checked    bool              `json:"checked"`
	Check      string            `json:"check"`
	PeakRSSKiB uint64            `json:"peak_rss_kib"`
	CPUNS      uint64            `json:"cpu_ns"`
	Counters   map[string]uint64 `json:"counters"`
}

func printResult(o *options, r *run, m measured, failure error) error {
	w := o.workload
	out := result{
		Peer: peerName(), Workload: w.name, Workers: o.workers, Seed: o.seed, Iterations: len(m.samplesNS),
		Ops: w.operations(o.workers), MedianNS: median(m.samplesNS), LatencyNS: r.latency.result(),
		SamplesNS: m.samplesNS, Checked: failure == nil, Check: w.check, PeakRSSKiB: peakRSSKiB(), CPUNS: m.cpuNS,
		Counters: m.counters,
	}
	if failure != nil {
		out.Check = failure.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
