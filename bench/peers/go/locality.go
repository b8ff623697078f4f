package main

import "sync/atomic"

const blockWords = 512

var localityWorkloads = []workload{
	locality("share", "and takes over the memory of who sat there", true),
	locality("noshare", "and keeps its memory", false),
}

func locality(name, what string, share bool) workload {
	return workload{
		name:         "locality_" + name,
		summary:      "100 goroutines for each worker: count up 4 KiB, sit down in one of half as many seats, " + what,
		check:        "turns, and the sum of all words; no semaphore has a post left",
		effort:       "wide",
		ops:          churnTurns,
		opsPerWorker: true,
		open: func(r *run) (*opened, error) {
			tasks := manyTasks * r.workers
			blocks := make([]*block, tasks)
			for i := range blocks {
				blocks[i] = new(block)
			}
			turns := uint64(r.workers * churnTurns)
			counted := uint64(0)
			iterate := func() error {
				if err := newHall(blocks, share, turns).iterate(r.seed); err != nil {
					return err
				}
				counted += turns * blockWords
				return expect("sum of the words", words(blocks), counted)
			}
			return &opened{iterate: iterate}, nil
		},
	}
}

type block [blockWords]uint64

const seatClosed = -1

// A seat names the task in it, or is closed.
type seat struct {
	sitter atomic.Int64
	_      [cacheLine - 8]byte
}

type hall struct {
	seats  []seat
	woken  semaphores // of the tasks
	blocks []*block   // of the tasks; with share, that of one who sits is for its waker to put there
	atSeat []*block   // with share: what those who began in a seat have left there until it is closed
	share  bool
	lots   lots
}

// newHall has its first tasks sit already.
func newHall(blocks []*block, share bool, turns uint64) *hall {
	tasks := len(blocks)
	h := &hall{
		seats:  make([]seat, tasks/2),
		woken:  newSemaphores(tasks, tasks),
		blocks: append([]*block(nil), blocks...),
		atSeat: blocks[:tasks/2],
		share:  share,
		lots:   lots{count: turns / lotTurns},
	}
	for i := range h.seats {
		h.seats[i].sitter.Store(int64(i))
	}
	return h
}

func (h *hall) iterate(seed uint64) error {
	tasks := len(h.blocks)
	ended := make(chan uint64, tasks)
	for i := 0; i < tasks; i++ {
		go func(i int) { ended <- h.task(i, newRandom(seed, i)) }(i)
	}
	if err := expect("turns", sumOf(ended, tasks), h.lots.count*lotTurns); err != nil {
		return err
	}
	return h.woken.expectEmpty()
}

func (h *hall) task(i int, x random) (turns uint64) {
	if i < len(h.seats) {
		h.woken.wait(i)
	}
	for {
		some, firstEmpty := h.lots.draw()
		if firstEmpty {
			h.close()
		}
		if !some {
			return turns
		}
		for end := turns + lotTurns; turns < end; turns++ {
			mine := h.blocks[i]
			for word := range mine {
				mine[word]++
			}
			h.sit(i, x.pick(len(h.seats)), mine)
		}
	}
}

// sit wakes who sits there and waits to be woken; in a closed seat it does nothing. Of one who sits, another may change
// h.blocks[i].
func (h *hall) sit(i, at int, mine *block) {
	sitter := &h.seats[at].sitter
	who := sitter.Load()
	for who != seatClosed && !sitter.CompareAndSwap(who, int64(i)) {
		who = sitter.Load()
	}
	if who != seatClosed {
		h.wake(int(who), mine)
		h.woken.wait(i)
	}
}

func (h *hall) wake(who int, b *block) {
	if h.share {
		h.blocks[who] = b
	}
	h.woken.post(who)
}

func (h *hall) close() {
	for i := range h.seats {
		h.wake(int(h.seats[i].sitter.Swap(seatClosed)), h.atSeat[i])
	}
}

// words sums up what has been counted in the blocks.
func words(blocks []*block) (sum uint64) {
	for _, b := range blocks {
		for _, word := range b {
			sum += word
		}
	}
	return sum
}
