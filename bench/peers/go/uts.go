package main

import (
	"crypto/sha1"
	"encoding/binary"
	"math"
)

// Olivier et al., UTS: An Unbalanced Tree Search Benchmark, LCPC 2006.
const (
	utsGeometricBranches = 4
	utsGeometricDepth    = 10
	utsGeometricMost     = 100 // children of a node
	utsBinomialRoot      = 2_000
	utsBinomialChance    = 0.124875
	utsBinomialChildren  = 8
)

var utsWorkloads = []workload{
	uts("uts_t1", "the geometric tree T1", 19, 4_130_071, utsGeometric),
	uts("uts_t3", "the binomial tree T3", 42, 4_112_897, utsBinomial),
}

// children is how many a node of that depth has, whose random number r is at least 0 and less than 1.
func uts(name, kind string, seed uint32, nodes uint64, children func(depth int, r float64) int) workload {
	return workload{
		name:    name,
		summary: "Unbalanced Tree Search, " + kind + ", a goroutine for each node",
		check:   "the number of nodes",
		effort:  "wide",
		ops:     nodes,
		open: withoutSetup(func(*run) error {
			var root [sha1.Size]byte // 16 zero bytes and the seed
			binary.BigEndian.PutUint32(root[16:], seed)
			out := make(chan uint64, 1)
			go utsNode(sha1.Sum(root[:]), 0, children, out)
			return expect("nodes", <-out, nodes)
		}),
	}
}

var utsGeometricLog = math.Log(1 - 1/(1+float64(utsGeometricBranches)))

func utsGeometric(depth int, r float64) int {
	if depth >= utsGeometricDepth {
		return 0
	}
	n := int(math.Log(1-r) / utsGeometricLog)
	if n > utsGeometricMost {
		return utsGeometricMost
	}
	return n
}

func utsBinomial(depth int, r float64) int {
	if depth == 0 {
		return utsBinomialRoot
	}
	if r < utsBinomialChance {
		return utsBinomialChildren
	}
	return 0
}

func utsNode(state [sha1.Size]byte, depth int, children func(depth int, r float64) int, out chan<- uint64) {
	r := float64(binary.BigEndian.Uint32(state[16:])&0x7FFFFFFF) / (1 << 31)
	count := children(depth, r)
	if count == 0 {
		out <- 1
		return
	}
	var message [sha1.Size + 4]byte
	copy(message[:], state[:])
	handles := make([]chan uint64, count)
	for i := range handles {
		binary.BigEndian.PutUint32(message[sha1.Size:], uint32(i))
		handles[i] = make(chan uint64, 1)
		go utsNode(sha1.Sum(message[:]), depth+1, children, handles[i])
	}
	out <- 1 + join(handles)
}
