package main

import (
	"math"
	"math/bits"
)

// A histogram of latencies as bench/latency.h: logarithmic ranges of 128 linear buckets each.
const (
	latencySubBits = 7
	latencyBuckets = (64 - latencySubBits + 1) << latencySubBits
)

type latency struct {
	count   uint64
	maxNS   uint64
	buckets [latencyBuckets]uint64
}

func (l *latency) record(ns uint64) {
	bucket := ns
	if ns>>latencySubBits != 0 {
		shift := uint64(bits.Len64(ns) - 1 - latencySubBits)
		bucket = (shift+1)<<latencySubBits + ns>>shift - 1<<latencySubBits
	}
	l.buckets[bucket]++
	l.count++
	if ns > l.maxNS {
		l.maxNS = ns
	}
}

func (l *latency) add(other *latency) {
	for i, n := range other.buckets {
		l.buckets[i] += n
	}
	l.count += other.count
	if other.maxNS > l.maxNS {
		l.maxNS = other.maxNS
	}
}

// bucketEnd is the largest value that goes into a bucket.
func bucketEnd(bucket uint64) uint64 {
	if bucket < 1<<latencySubBits {
		return bucket
	}
	shift := bucket>>latencySubBits - 1
	within := bucket&(1<<latencySubBits-1) + 1<<latencySubBits
	return (within+1)<<shift - 1
}

// percentile is the least value that at least that share of all do not exceed, rounded up to its bucket's end.
func (l *latency) percentile(share float64) uint64 {
	wanted := uint64(math.Ceil(share * float64(l.count)))
	seen := uint64(0)
	for i, n := range l.buckets {
		seen += n
		if end := bucketEnd(uint64(i)); seen >= wanted && seen > 0 && end < l.maxNS {
			return end
		} else if end >= l.maxNS {
			break
		}
	}
	return l.maxNS
}

type latencyResult struct {
	Count uint64 `json:"count"`
	Max   uint64 `json:"max"`
	P50   uint64 `json:"p50"`
	P90   uint64 `json:"p90"`
	P99   uint64 `json:"p99"`
	P999  uint64 `json:"p99.9"`
	P9999 uint64 `json:"p99.99"`
}

// result is nil if nothing was recorded.
func (l *latency) result() *latencyResult {
	if l.count == 0 {
		return nil
	}
	return &latencyResult{l.count, l.maxNS, l.percentile(0.5), l.percentile(0.9), l.percentile(0.99),
		l.percentile(0.999), l.percentile(0.9999)}
}
