/*
 * A bounded global queue: SCQ, two rings of indices, one with those of free slots and one with those of items.
 *
 * Source: Ruslan Nikolaev, A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue, DISC 2019: SCQ, and SCQD
 * for pointers, names included (aq, fq, threshold, cycle, safe). Deviations:
 *   - a dequeue that has found its ring empty lowers the threshold below zero at once, not in 3n - 1 futile attempts:
 *     that makes is_empty one load and every further look at an empty queue too. See Threshold;
 *   - the paper has no more than n threads, and a threshold of 3n - 1 = (2n - 1) + n; with tiny capacities there are
 *     more. The n is max(n, 65536) here, and that many threads may be inside at a time;
 *   - nothing can be closed: that is for its unbounded queue.
 *
 * Contract: gq.h; bounded, strict FIFO, any number of threads up to 65,536. GQ_FULL says that no slot was free: each
 * held an item, or was in the hands of a push or pop that was not at its end. Never GQ_RETRY. Capacity is limited by
 * memory only; nothing is allocated after create. Batches are loops: the algorithm has none. pop_batch asks once how
 * many items there may be, so that it does not run past the tail when it gets less than it may take.
 *
 * Progress: lock-free. An enqueue tries again when its entry is occupied, or a dequeue was there first; the threshold
 * ends the latter's attempts. A thread that stalls in a push or pop keeps one slot and nobody. is_empty, length and the
 * pop of a queue that was found empty before are wait-free.
 *
 * How a ring works. Its 2n entries hold at most n indices. An enqueue takes a ticket from tail and puts its index into
 * entry ticket mod 2n, a dequeue takes one from head and looks there. An entry is (cycle, safe, index or nothing),
 * cycle = ticket / 2n. Equal tickets meet; where the dequeue is first it stamps an empty entry with its cycle, or calls
 * one that still holds an older index unsafe, and then the enqueue must not use it. What an enqueue put in with ticket
 * t no other dequeue takes than that with ticket t, and that one surely does.
 *
 * Threshold. It says how many attempts may fail before the ring counts as empty: an enqueue that has put its index in
 * sets it to the limit unless it stands there, a dequeue whose attempt failed takes one off, one that finds it negative
 * does not try. While there is an index that no dequeue has the ticket of, at most limit attempts can fail: 2n - 1 on
 * the way to it, and one of each thread that made its attempt before the index was there. To lower it at once, dequeue
 *   1. takes one off, as always                                       2. sees once more that tail <= head
 *   3. sets it to -1, provided that it is what 1. left
 * Let an enqueue with ticket t have put its index in. If it found the threshold at the limit and left it, then that was
 * before 1. or the enqueue's store that 1. counts down from, or after 3. The latter is no harm, and in the former case
 * 2. sees its ticket: t < tail <= head, so a dequeue has ticket t, and the index. If it found it elsewhere, its store
 * comes before 1., and 2. sees its ticket, or after 3., or between, and 3. fails: the store carries its ticket, so no
 * threshold looks like another (but for 2^44 tickets in between, ten days at 20 million a second; with n beyond 65536 a
 * bit less for each doubling). That of a ring that begins full carries the ticket before the first.
 * So a negative threshold says: whoever is done with an enqueue, a dequeue has the index or is about to take it. The
 * same goes for one that was counted down below zero.
 *
 * Linearization points. push: the enqueue of its index into aq, in the order of the tickets. pop: the dequeue from aq.
 * GQ_EMPTY and is_empty that says so: the load of a negative threshold, or of a tail that head has reached; or the last
 * attempt, see the paper. The dequeues that hold the tickets of items that were there then come before.
 *
 * is_empty loads the threshold of aq. A push that happened before has loaded the limit from it or stored it there; by
 * coherence the load sees that or a later one, and so it does between two threads that each have a full barrier between
 * their access and the load of what the other writes (executor/idle.h). A later one that is negative is right, see
 * above.
 *
 * Reclamation: none needed; items' memory is never read. ABA. Tickets count modulo 2^64 and cycles accordingly, with
 * one bit less for the safe bit: a thread would have to stall for 2^63 tickets. Everything compares differences.
 *
 * Memory order. The paper argues with sequential consistency. Loads and read-modify-writes that are seq_cst cost no
 * more than acquire and acq_rel on x86-64 and aarch64, so they all are, with these exceptions:
 *   [R1] the store that raises the threshold: release. Its enqueue's ticket is visible to a dequeue that counts down
 *        from it (1.), by [T1]. An exchange it need not be: who must see it has synchronized with the enqueue's thread
 *   [E]  is_empty, length: relaxed, see above; nothing is read through them
 * What each of the others must not fall behind:
 *   [Q1] enqueue takes its ticket: before [R0], for 2. ([T2])
 *   [Q2] enqueue loads the entry: pairs with [A2], [A3]: whoever called it unsafe has its ticket by then, so [Q3] sees
 *        it
 *   [Q3] enqueue loads head, for an unsafe entry: whether the dequeue of this ticket has been
 *   [Q4] enqueue puts the index in: its slot's contents, or the last use of a free one, for [A1]; before [R0]
 *   [R0] enqueue loads the threshold: after [Q1] and [Q4]. What was there is lowered after, and attempts after that see
 *        the index
 *   [D1] dequeue loads the threshold, before its attempts
 *   [D2] dequeue takes its ticket: before [A1], for [Q3]
 *   [A1] dequeue loads the entry: pairs with [Q4]
 *   [A2] dequeue takes the index: leaves nothing, keeps cycle and safe
 *   [A3] dequeue stamps the entry, or calls it unsafe
 *   [D3] dequeue loads tail, after [A3]: who takes a later ticket sees what [A3] left
 *   [D4] dequeue brings tail up to head, so that enqueues need not fail at each entry that was stamped
 *   [T1] dequeue lowers the threshold: 1., before [T2] and before the next [A1]
 *   [T2] dequeue loads head, then tail: 2.
 *   [T3] dequeue sets the threshold to -1: 3.
 * The slots are plain: between [A2] in fq and [Q4] in aq the pusher has one alone, between [A2] in aq and [Q4] in fq
 * the popper.
 *
 * Layout: in each ring head, tail and threshold have a line of their own, neighbouring tickets' entries are on
 * different lines, and so are the slots of neighbouring indices at the start.
 *
 * A model checker for RC11 (stress/test_models.sh) finds [Q4] relaxed, a threshold that is not raised, an entry that is
 * not stamped and a ticket that two dequeues have. A push and a pop that chase each other have too many executions for
 * it to see the lowering of the threshold through; in one ring alone, with an enqueue and a dequeue, it does, and finds
 * that done without 2., 3. without compare-and-swap, and [R0] or 1. relaxed. That each of the other seq_cst need be so
 * has not been shown: the paper argues with it.
 *
 * Rejected: the threshold as published (is_empty would say "not empty" until 3n - 1 pops had failed); a bit in tail, as
 * in gq_vyukov.h (fetch-and-add does not clear it, and idle threads would look at the line that all pushers write);
 * waiting for an entry before it is stamped, as the author's code does (a preempted enqueue keeps the dequeue
 * spinning); many tickets by one fetch-and-add for a batch (a thread would have as many attempts under way, and the
 * threshold grow with it).
 */
#ifndef STEALYARD_QUEUES_GQ_SCQ_H
#define STEALYARD_QUEUES_GQ_SCQ_H

#include "queues/gq.h"

#include <errno.h>
#include <stdlib.h>

#ifndef GQ_SCQ_THREADS_ORDER
#define GQ_SCQ_THREADS_ORDER 16 /* that many may be inside at a time, as a power of two; a model has fewer */
#endif
#define GQ_SCQ_LINE_ORDER 3 /* entries, or slots, to a line */

struct gq_scq_ring {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head;      /* the next ticket of a dequeue */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail;      /* the next ticket of an enqueue */
    SY_ALIGNAS(SY_CACHE_LINE) struct ai64 threshold; /* attempts << stamp_order | the ticket that raised it */
    SY_ALIGNAS(SY_CACHE_LINE) unsigned order;        /* 2n, as a power of two; immutable as all that follows */
    unsigned stamp_order;
    int64_t limit; /* of the threshold */
    struct au64 *entries;
};

struct gq_scq {
    struct gq_scq_ring aq, fq; /* indices of slots that hold items, and of free ones */
    struct sy_node **slots;    /* immutable */
};

SY_INLINE struct gq_scq *gq_scq_of(struct gq *queue) {
    return (struct gq_scq *)(void *)queue;
}

/* Tickets are not in order across the wraparound: their difference is. */
SY_INLINE bool gq_scq_reaches(uint64_t a, uint64_t b) {
    return (int64_t)(a - b) >= 0;
}

/* Spreads neighbours over the lines, within 1 << order. */
SY_INLINE size_t gq_scq_spread(size_t i, unsigned order) {
    size_t mask = ((size_t)1 << order) - 1;
    return order < GQ_SCQ_LINE_ORDER ? i & mask
                                     : ((i << GQ_SCQ_LINE_ORDER) & mask) | ((i & mask) >> (order - GQ_SCQ_LINE_ORDER));
}

/* An entry: cycle above, then the safe bit, then the index in the low bits, all ones for nothing. */
SY_INLINE struct au64 *gq_scq_entry(const struct gq_scq_ring *ring, uint64_t ticket) {
    return &ring->entries[gq_scq_spread((size_t)ticket, ring->order)];
}

SY_INLINE uint64_t gq_scq_safe(const struct gq_scq_ring *ring) {
    return (uint64_t)1 << ring->order;
}

SY_INLINE uint64_t gq_scq_nothing(const struct gq_scq_ring *ring) {
    return gq_scq_safe(ring) - 1;
}

SY_INLINE uint64_t gq_scq_cycle(const struct gq_scq_ring *ring, uint64_t ticket) {
    return (ticket >> ring->order) << (ring->order + 1);
}

SY_INLINE uint64_t gq_scq_cycle_of(const struct gq_scq_ring *ring, uint64_t entry) {
    return entry & ~(2 * gq_scq_safe(ring) - 1);
}

/* The threshold as the enqueue with this ticket raises it. */
SY_INLINE int64_t gq_scq_raised(const struct gq_scq_ring *ring, uint64_t ticket) {
    uint64_t stamp = ticket & (((uint64_t)1 << ring->stamp_order) - 1);
    return (int64_t)((uint64_t)ring->limit << ring->stamp_order | stamp);
}

/* With the indices from 0 to `filled` inside. */
static inline void gq_scq_ring_init(struct gq_scq_ring *ring, struct au64 *entries, unsigned order, size_t filled,
                                    uint64_t first) {
    size_t size = (size_t)1 << order, n = size / 2, threads = (size_t)1 << GQ_SCQ_THREADS_ORDER;
    ring->order = order;
    ring->stamp_order = 61 - (order > GQ_SCQ_THREADS_ORDER + 1 ? order : GQ_SCQ_THREADS_ORDER + 1);
    ring->limit = (int64_t)(size - 1 + (n > threads ? n : threads));
    ring->entries = entries;
    for (size_t i = 0; i < size; i++) {
        uint64_t ticket = first + i;
        uint64_t entry = i < filled ? gq_scq_cycle(ring, ticket) | gq_scq_safe(ring) | gq_scq_spread(i, order - 1)
                                    : gq_scq_cycle(ring, ticket - size) | gq_scq_safe(ring) | gq_scq_nothing(ring);
        au64_store_relaxed(gq_scq_entry(ring, ticket), entry);
    }
    au64_store_relaxed(&ring->head, first);
    au64_store_relaxed(&ring->tail, first + filled);
    ai64_store_relaxed(&ring->threshold, filled ? gq_scq_raised(ring, first + filled - 1) : -1);
}

static inline int gq_scq_create(struct gq **out, const struct gq_config *config) {
    size_t capacity = config->capacity;
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    if (capacity > SIZE_MAX / 64) { /* an item takes 40 bytes */
        return -ENOMEM;
    }
    size_t bytes = sizeof(struct gq_scq) + capacity * (4 * sizeof(struct au64) + sizeof(struct sy_node *));
    struct gq_scq *q = (struct gq_scq *)aligned_alloc(SY_CACHE_LINE, (bytes + SY_CACHE_LINE - 1) & ~(size_t)63);
    if (!q) {
        return -ENOMEM;
    }
    struct au64 *entries = (struct au64 *)(void *)(q + 1);
    unsigned order = (unsigned)__builtin_ctzll(capacity) + 1;
    gq_scq_ring_init(&q->aq, entries, order, 0, config->first);
    gq_scq_ring_init(&q->fq, entries + 2 * capacity, order, capacity, config->first);
    q->slots = (struct sy_node **)(void *)(entries + 4 * capacity);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_scq_destroy(struct gq *queue) {
    free(queue);
}

/* Whether the enqueue with this ticket may put its index there. */
SY_INLINE bool gq_scq_admits(const struct gq_scq_ring *ring, uint64_t entry, uint64_t ticket) {
    return !gq_scq_reaches(gq_scq_cycle_of(ring, entry), gq_scq_cycle(ring, ticket)) &&
           (entry & gq_scq_nothing(ring)) == gq_scq_nothing(ring) &&
           ((entry & gq_scq_safe(ring)) || gq_scq_reaches(ticket, au64_load_seq_cst(&ring->head))); /* [Q3] */
}

SY_INLINE void gq_scq_enqueue(struct gq_scq_ring *ring, uint64_t index) {
    for (;;) {
        uint64_t ticket = au64_fetch_add_seq_cst(&ring->tail, 1); /* [Q1] */
        struct au64 *place = gq_scq_entry(ring, ticket);
        uint64_t entry = au64_load_seq_cst(place); /* [Q2] */
        uint64_t filled = gq_scq_cycle(ring, ticket) | gq_scq_safe(ring) | index;
        while (gq_scq_admits(ring, entry, ticket)) {
            if (!au64_cas_seq_cst(place, &entry, filled)) { /* [Q4] */
                continue;
            }
            if (ai64_load_seq_cst(&ring->threshold) >> ring->stamp_order != ring->limit) { /* [R0] */
                ai64_store_release(&ring->threshold, gq_scq_raised(ring, ticket));         /* [R1] */
            }
            return;
        }
    }
}

/* The dequeue's attempt with this ticket. False: there is nothing, nor will be. */
SY_INLINE bool gq_scq_attempt(struct gq_scq_ring *ring, uint64_t ticket, uint64_t *index) {
    uint64_t cycle = gq_scq_cycle(ring, ticket), nothing = gq_scq_nothing(ring), safe = gq_scq_safe(ring);
    struct au64 *place = gq_scq_entry(ring, ticket);
    uint64_t entry = au64_load_seq_cst(place); /* [A1] */
    while (gq_scq_cycle_of(ring, entry) != cycle) {
        if (gq_scq_reaches(gq_scq_cycle_of(ring, entry), cycle)) {
            return false;
        }
        uint64_t marked = (entry & nothing) == nothing ? cycle | (entry & safe) | nothing : entry & ~safe;
        if (au64_cas_seq_cst(place, &entry, marked)) { /* [A3] */
            return false;
        }
    }
    au64_fetch_or_seq_cst(place, nothing); /* [A2] */
    *index = entry & nothing;
    return true;
}

/* The dequeue with this ticket has seen that tail is not beyond it. */
__attribute__((noinline, unused)) static void gq_scq_found_empty(struct gq_scq_ring *ring, uint64_t ticket,
                                                                 uint64_t tail) {
    uint64_t head = ticket + 1;
    while (!gq_scq_reaches(tail, head) && !au64_cas_seq_cst(&ring->tail, &tail, head)) { /* [D4] */
        head = au64_load_seq_cst(&ring->head);                                           /* [D4] */
    }
    int64_t one = (int64_t)1 << ring->stamp_order;
    int64_t left = ai64_fetch_sub_seq_cst(&ring->threshold, one) - one;      /* [T1] */
    head = au64_load_seq_cst(&ring->head);                                   /* [T2] */
    if (left >= 0 && gq_scq_reaches(head, au64_load_seq_cst(&ring->tail))) { /* [T2] */
        ai64_cas_seq_cst(&ring->threshold, &left, -1);                       /* [T3]; if not, somebody else came */
    }
}

/* False: the ring was empty. */
SY_INLINE bool gq_scq_dequeue(struct gq_scq_ring *ring, uint64_t *index) {
    if (ai64_load_seq_cst(&ring->threshold) < 0) { /* [D1] */
        return false;
    }
    for (;;) {
        uint64_t ticket = au64_fetch_add_seq_cst(&ring->head, 1); /* [D2] */
        if (gq_scq_attempt(ring, ticket, index)) {
            return true;
        }
        uint64_t tail = au64_load_seq_cst(&ring->tail); /* [D3] */
        if (gq_scq_reaches(ticket + 1, tail)) {
            gq_scq_found_empty(ring, ticket, tail);
            return false;
        }
        int64_t one = (int64_t)1 << ring->stamp_order;
        if (ai64_fetch_sub_seq_cst(&ring->threshold, one) < one) { /* [T1] */
            return false;
        }
    }
}

SY_INLINE enum gq_status gq_scq_push(struct gq *queue, struct sy_node *item) {
    struct gq_scq *q = gq_scq_of(queue);
    uint64_t index;
    if (!gq_scq_dequeue(&q->fq, &index)) {
        return GQ_FULL;
    }
    q->slots[index] = item;
    gq_scq_enqueue(&q->aq, index);
    return GQ_OK;
}

SY_INLINE enum gq_status gq_scq_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    size_t done = 0;
    while (done < n && gq_scq_push(queue, items[done]) == GQ_OK) {
        done++;
    }
    *pushed = done;
    return done == n ? GQ_OK : GQ_FULL;
}

/* How many tickets of enqueues no dequeue has; each item has one, and tickets without an item are short-lived. */
SY_INLINE size_t gq_scq_length(const struct gq *queue) {
    const struct gq_scq_ring *aq = &((const struct gq_scq *)(const void *)queue)->aq;
    if (ai64_load_relaxed(&aq->threshold) < 0) { /* [E] */
        return 0;
    }
    uint64_t head = au64_load_relaxed(&aq->head), tail = au64_load_relaxed(&aq->tail); /* [E] */
    size_t capacity = (size_t)1 << (aq->order - 1);
    return gq_scq_reaches(head, tail) ? 0 : tail - head < capacity ? (size_t)(tail - head) : capacity;
}

SY_INLINE enum gq_status gq_scq_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_scq *q = gq_scq_of(queue);
    size_t promised = max > 1 ? gq_scq_length(queue) : 1, done = 0;
    uint64_t index;
    max = promised == 0 ? 1 : promised < max ? promised : max;
    while (done < max && gq_scq_dequeue(&q->aq, &index)) {
        items[done++] = q->slots[index];
        gq_scq_enqueue(&q->fq, index);
    }
    *got = done;
    return done > 0 ? GQ_OK : GQ_EMPTY;
}

SY_INLINE bool gq_scq_is_empty(const struct gq *queue) {
    return ai64_load_relaxed(&((const struct gq_scq *)(const void *)queue)->aq.threshold) < 0; /* [E] */
}

__attribute__((unused)) static const struct gq_ops gq_scq_ops = {
    .name = "gq_scq",
    .summary = "two bounded rings of indices, fetch-and-add tickets, a threshold that ends the search",
    .source = "Ruslan Nikolaev, A Scalable, Portable, and Memory-Efficient Lock-Free FIFO Queue, DISC 2019",
    .order = "FIFO",
    .progress = "lock-free; is_empty and the pop of a queue that was found empty wait-free",
    .reclamation = "none needed",
    .cost = "push: 4 RMWs, 0 fences, 5 lines and 5 that are only read; pop: the same; allocates nothing",
    .caveat = NULL,
    .bounded = true,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_scq_create,
    .destroy = gq_scq_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_scq_push,
    .push_batch = gq_scq_push_batch,
    .pop_batch = gq_scq_pop_batch,
    .is_empty = gq_scq_is_empty,
    .length = gq_scq_length,
};

#endif
