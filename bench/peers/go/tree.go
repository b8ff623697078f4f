package main

import "fmt"

const (
	skynetChildren = 10
	skynetLeaves   = 1_000_000
	skynetNodes    = 1_111_111
	skynetSum      = 499_999_500_000

	// Go takes goroutines from its queues in the order of their making, so many are there at once. fib(30) took 0.3 GiB,
	// twice of fib(28); 13 queens 0.6 GiB, 4.7 times of 12 queens. The rest is extrapolated.
	fib42GiB    = 20
	queens14GiB = 4
)

var treeWorkloads = []workload{
	{
		name:    "skynet",
		summary: "a tree of goroutines with ten children each and 1,000,000 leaves, whose numbers are summed up",
		check:   "the sum is 499999500000",
		effort:  "core",
		ops:     skynetNodes,
		open: withoutSetup(func(*run) error {
			out := make(chan uint64, 1)
			go skynet(0, skynetLeaves, out)
			return expect("sum", <-out, skynetSum)
		}),
	},
	fibWorkload("fib", "core", 0, 25, 75_025, 242_785),
	fibWorkload("fib_42", "long", fib42GiB, 42, 267_914_296, 866_988_873),
	queensWorkload("nqueens", "core", 0, 10, 724, 35_538),
	queensWorkload("nqueens_14", "long", queens14GiB, 14, 365_596, 27_358_552),
}

// skynet has one channel for its children, as its author's program for Go.
func skynet(first, leaves uint64, out chan<- uint64) {
	if leaves == 1 {
		out <- first
		return
	}
	children := make(chan uint64, skynetChildren)
	below := leaves / skynetChildren
	for i := uint64(0); i < skynetChildren; i++ {
		go skynet(first+i*below, below, children)
	}
	out <- sumOf(children, skynetChildren)
}

func fibWorkload(name, effort string, memoryGiB, n, result, calls uint64) workload {
	return workload{
		name:      name,
		summary:   fmt.Sprintf("fib(%d) by naive recursion, a goroutine for each call, no cut-off", n),
		check:     fmt.Sprintf("fib(%d) is %d", n, result),
		effort:    effort,
		ops:       calls,
		memoryGiB: memoryGiB,
		open: withoutSetup(func(*run) error {
			out := make(chan uint64, 1)
			go fib(n, out)
			return expect(fmt.Sprintf("fib(%d)", n), <-out, result)
		}),
	}
}

func fib(n uint64, out chan<- uint64) {
	if n < 2 {
		out <- n
		return
	}
	a, b := make(chan uint64, 1), make(chan uint64, 1)
	go fib(n-1, a)
	go fib(n-2, b)
	out <- <-a + <-b
}

func queensWorkload(name, effort string, memoryGiB, n, solutions, placements uint64) workload {
	return workload{
		name:      name,
		summary:   fmt.Sprintf("all ways to place %d queens, a goroutine for each legal placement, no cut-off", n),
		check:     fmt.Sprintf("there are %d", solutions),
		effort:    effort,
		ops:       placements,
		memoryGiB: memoryGiB,
		open: withoutSetup(func(*run) error {
			out := make(chan uint64, 1)
			go queens(board{size: n}, out)
			return expect("solutions", <-out, solutions)
		}),
	}
}

const queensMax = 14

// A board is the columns and, as seen from the row that is next, the diagonals that are taken.
type board struct {
	size, row            uint64
	columns, left, right uint32
}

func queens(b board, out chan<- uint64) {
	if b.row == b.size {
		out <- 1
		return
	}
	var children [queensMax]chan uint64
	count := 0
	for free := (1<<b.size - 1) &^ (b.columns | b.left | b.right); free != 0; free &= free - 1 {
		bit := free & -free
		children[count] = make(chan uint64, 1)
		go queens(board{b.size, b.row + 1, b.columns | bit, (b.left | bit) << 1, (b.right | bit) >> 1}, children[count])
		count++
	}
	out <- join(children[:count])
}
