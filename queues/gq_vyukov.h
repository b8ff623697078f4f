/*
 * A bounded global queue: Vyukov's ring, in which each slot says whose turn it is.
 *
 * Source: Dmitry Vyukov, Bounded MPMC queue, 1024cores.net, 2010. Deviations:
 *   - a slot is one word, not a sequence number and an item: the item's pointer, or nothing, and one bit for the lap's
 *     parity. Of a sequence number only these four states can be met, see ABA. Half the lines are touched;
 *   - a batch takes all its tickets by one compare-and-swap: the slots that are ready are counted from the index on.
 *     They stay ready, because only the owner of a slot's ticket may change it, and the compare-and-swap fails if
 *     anyone took the first of them meanwhile;
 *   - the tail's word also says whether the queue was found empty (is_empty, below);
 *   - the indices are acquired and released, which the shorter slots need; plain words in the original.
 *
 * Contract: gq.h; bounded, strict FIFO, any number of threads. Tickets number the items; ticket t belongs to slot
 * t mod capacity. GQ_FULL says that the slot for the next ticket is not free: capacity tickets are out. The last of
 * them may have been taken already by a pop that has not yet given the slot back, so with a stalled popper the queue
 * looks full though it holds less, even nothing. GQ_RETRY says that the ticket at the head has been given out but its
 * item is not there yet. Capacity is limited by memory only; nothing is allocated after create.
 *
 * Progress. Not lock-free, though there is no lock: a pusher that stalls between its compare-and-swap and its store
 * keeps pops from the items behind it (they say GQ_RETRY), a popper that stalls there keeps pushes out one lap
 * later (GQ_FULL). No operation waits for another; each returns after finitely many steps unless others'
 * compare-and-swaps keep on being first. is_empty and length are wait-free.
 *
 * Linearization points. push: its compare-and-swap [U3]; of a batch, all its items there. A pop that takes: [O3].
 * GQ_EMPTY: the load of the tail [O5], at which tail = head: the head was loaded before, only grows and never passes
 * the tail. is_empty that says so: its load.
 *
 * is_empty is one load of the tail: bit 0 is set by a pop that found the queue empty, by a compare-and-swap from the
 * very tail that it saw, and goes away with the next push's compare-and-swap, which writes the tail anyway. So the bit
 * tells of a tail all of whose tickets had been taken, and as long as it stands there is no other push. A push that
 * happened before has changed that word before: by coherence the load sees its store or a later one, and a later one
 * with the bit set was written when that item had been taken. Two threads that must not miss each other (a pusher that
 * looks for sleepers, a sleeper that looks for items) put fence_seq_cst() between their store, here [U3], and their
 * load, here [E]; then one of them sees the other's. Nothing is read through what [E] saw, hence it is relaxed. Until
 * somebody looks in vain the bit stays clear: "not empty" of an empty queue costs one pop.
 *
 * Reclamation: none needed; items' memory is never read. ABA. Indices count to 2^63 - 1 and begin again at 0 (doubled,
 * so that bit 0 is free; the laps' parity goes on as it should, for 2 * capacity divides 2^63). A thread would have to
 * stall for 2^63 operations, 292 years at one a nanosecond, to mistake one round of theirs for another. Slots go round
 * in four states only: empty for an even lap, filled in it, empty for an odd lap, filled in it. Whoever looks at slot
 * t mod capacity with index t as it has just acquired it sees what the owner of ticket t - capacity saw, or later,
 * since that one looked before its compare-and-swap: that is less than a lap behind. It may be later by any number of
 * laps, but then the index has passed t, and the compare-and-swap fails.
 *
 * Memory order:
 *   [U1] push loads tail: acquire, pairs with [U3] and [O6] of others: see ABA. All tails since are read-modify-writes,
 *        so every earlier [U3] is acquired with the last one
 *   [U2] push loads slots: relaxed. What it orders is its own slot's next store only, and coherence does that
 *   [U3] compare-and-swap of tail: release for [U1] and [O5]; on failure acquire, it stands for [U1] then
 *   [U4] push stores the slot: release, pairs with [O2]: the item's contents
 *   [U5] push finds the slot taken, and tail unchanged by a compare-and-swap with itself: acq_rel. Whoever takes the
 *        ticket later reads this tail or a later one, so what it stores comes after [U2], which thus saw the lap
 *        before. A load would not do: it may be older than what [U2] saw, and the ticket be another's already (GQ_FULL
 *        of an empty queue). On failure acquire, it stands for [U1] then
 *   [O1] pop loads head: acquire, pairs with [O3] of others: see ABA; and whoever sees, by [O1], that items are gone
 *        sees with [O5] the tails that their poppers knew of
 *   [O2] pop loads slots: acquire, pairs with [U4]
 *   [O3] compare-and-swap of head: release for [O1]; on failure acquire, it stands for [O1] then
 *   [O4] pop stores the slot as empty: relaxed, as [U2]; the item's pointer was taken with [O2]
 *   [O5] pop finds nothing and loads tail: acquire, pairs with [U3]
 *   [O6] compare-and-swap that sets the bit: release, for it goes between [U3] and [U1]
 *   [O7] pop finds a ticket given out and loads the slot, then head, again: relaxed; only to tell GQ_RETRY from late
 *   [E]  is_empty loads tail: relaxed, see there
 *   [L]  length loads head and tail: relaxed, a hint
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when [U1], [U4], [O1] or [O2] is relaxed, [U3] or
 * [O3] does not release, or one of [U3], [U5], [O3], [O6] is no compare-and-swap. It accepts [U5], [O5], [O6] and the
 * failures of [U3] and [O3] relaxed: RC11 has no load that sees a store which depends on what follows it, the failures
 * need a thread that is two laps late by just that load, and for "empty" from an old tail it would have to judge
 * histories.
 *
 * Layout: tail and head on a line each, capacity on one that is never written, eight slots to a line.
 *
 * Rejected: a sequence number beside each item (the original: twice the lines of slots, and no wraparound to argue
 * for); one compare-and-swap an item in a batch; a permuted index, so that neighbouring slots are on different lines (a
 * batch would touch as many lines as it has items, and so would a pusher that is ahead of its popper); fetch-and-add
 * for the tickets (one that finds the queue full cannot be given back); waiting for a slot that is claimed but not
 * filled (its pusher may be preempted: the caller decides). For is_empty: head and tail (two loads, of two moments); a
 * count of the items (two RMWs more on a line that all share); a word apart from tail (every push would need a full
 * barrier between its item and its look at the word).
 */
#ifndef STEALYARD_QUEUES_GQ_VYUKOV_H
#define STEALYARD_QUEUES_GQ_VYUKOV_H

#include "queues/gq.h"

#include <errno.h>
#include <stdlib.h>

#define GQ_VYUKOV_STEP ((uint64_t)2)        /* from an index to the next: twice the tickets */
#define GQ_VYUKOV_FOUND_EMPTY ((uint64_t)1) /* in tail */

struct gq_vyukov {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail;    /* written by pushes, and by pops that find nothing */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head;    /* written by pops */
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t capacity;   /* immutable */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr slots[]; /* an item's node or NULL, and the lap's parity in bit 0 */
};

SY_INLINE struct gq_vyukov *gq_vyukov_of(struct gq *queue) {
    return (struct gq_vyukov *)(void *)queue;
}

SY_INLINE struct aptr *gq_vyukov_slot(struct gq_vyukov *q, uint64_t index) {
    return &q->slots[index / GQ_VYUKOV_STEP & (q->capacity - 1)];
}

SY_INLINE uintptr_t gq_vyukov_parity(const struct gq_vyukov *q, uint64_t index) {
    return (index / GQ_VYUKOV_STEP & q->capacity) != 0;
}

static inline int gq_vyukov_create(struct gq **out, const struct gq_config *config) {
    size_t capacity = config->capacity;
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    if (capacity > SIZE_MAX / 2 / sizeof(struct aptr)) {
        return -ENOMEM;
    }
    size_t bytes = sizeof(struct gq_vyukov) + capacity * sizeof(struct aptr);
    struct gq_vyukov *q = (struct gq_vyukov *)aligned_alloc(SY_CACHE_LINE, (bytes + SY_CACHE_LINE - 1) & ~(size_t)63);
    if (!q) {
        return -ENOMEM;
    }
    uint64_t first = config->first * GQ_VYUKOV_STEP;
    q->capacity = capacity;
    for (size_t i = 0; i < capacity; i++) {
        uint64_t index = first + i * GQ_VYUKOV_STEP;
        aptr_store_relaxed(gq_vyukov_slot(q, index), (void *)gq_vyukov_parity(q, index));
    }
    au64_store_relaxed(&q->head, first);
    au64_store_relaxed(&q->tail, first | GQ_VYUKOV_FOUND_EMPTY);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_vyukov_destroy(struct gq *queue) {
    free(queue);
}

/* How many slots from the index on are free for a push, up to n. A lap further on a slot is not, so never too many. */
SY_INLINE size_t gq_vyukov_count_free(struct gq_vyukov *q, uint64_t tail, size_t n) {
    size_t free_slots = 0;
    for (uint64_t index = tail; free_slots < n; index += GQ_VYUKOV_STEP, free_slots++) {
        if ((uintptr_t)aptr_load_relaxed(gq_vyukov_slot(q, index)) != gq_vyukov_parity(q, index)) { /* [U2] */
            break;
        }
    }
    return free_slots;
}

SY_INLINE enum gq_status gq_vyukov_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                              size_t *pushed) {
    struct gq_vyukov *q = gq_vyukov_of(queue);
    uint64_t tail = au64_load_acquire(&q->tail); /* [U1] */
    size_t done = 0;
    *pushed = 0;
    while (done < n) {
        uint64_t index = tail & ~GQ_VYUKOV_FOUND_EMPTY;
        size_t claim = gq_vyukov_count_free(q, index, n - done);
        if (claim == 0) {
            if (au64_cas_acq_rel(&q->tail, &tail, tail)) { /* [U5] */
                return GQ_FULL;
            }
            continue;
        }
        uint64_t next = index + claim * GQ_VYUKOV_STEP;
        if (!au64_cas_acq_rel(&q->tail, &tail, next)) { /* [U3] */
            continue;
        }
        for (; index != next; index += GQ_VYUKOV_STEP) {
            uintptr_t filled = (uintptr_t)items[done++] | gq_vyukov_parity(q, index);
            aptr_store_release(gq_vyukov_slot(q, index), (void *)filled); /* [U4] */
        }
        *pushed = done;
        tail = next;
    }
    return GQ_OK;
}

SY_INLINE enum gq_status gq_vyukov_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_vyukov_push_batch(queue, &item, 1, &pushed);
}

/* The item with this index, or NULL: it is not there, or the index is late. */
SY_INLINE struct sy_node *gq_vyukov_item(uintptr_t slot, uintptr_t parity) {
    return (slot & 1) == parity ? (struct sy_node *)(slot - parity) : NULL;
}

/* Copies the items from the index on that are there, up to max. A lap further on none is, so never too many. */
SY_INLINE size_t gq_vyukov_look(struct gq_vyukov *q, uint64_t head, struct sy_node **items, size_t max) {
    size_t found = 0;
    for (uint64_t index = head; found < max; index += GQ_VYUKOV_STEP, found++) {
        uintptr_t slot = (uintptr_t)aptr_load_acquire(gq_vyukov_slot(q, index)); /* [O2] */
        items[found] = gq_vyukov_item(slot, gq_vyukov_parity(q, index));
        if (!items[found]) {
            break;
        }
    }
    return found;
}

/* Why there was nothing at this head. GQ_OK: it has changed, look again. */
__attribute__((noinline, unused)) static enum gq_status gq_vyukov_why_nothing(struct gq_vyukov *q, uint64_t head) {
    uint64_t tail = au64_load_acquire(&q->tail); /* [O5] */
    if (tail == (head | GQ_VYUKOV_FOUND_EMPTY)) {
        return GQ_EMPTY;
    }
    if (tail == head) {
        au64_cas_acq_rel(&q->tail, &tail, tail | GQ_VYUKOV_FOUND_EMPTY); /* [O6]; if not, somebody pushes just now */
        return GQ_EMPTY;
    }
    uintptr_t slot = (uintptr_t)aptr_load_relaxed(gq_vyukov_slot(q, head)); /* [O7] */
    bool arrived = gq_vyukov_item(slot, gq_vyukov_parity(q, head)) != NULL;
    return arrived || au64_load_relaxed(&q->head) != head ? GQ_OK : GQ_RETRY; /* [O7] */
}

SY_INLINE enum gq_status gq_vyukov_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_vyukov *q = gq_vyukov_of(queue);
    uint64_t head = au64_load_acquire(&q->head); /* [O1] */
    size_t found;
    *got = 0;
    for (;;) {
        found = gq_vyukov_look(q, head, items, max);
        if (found == 0) {
            enum gq_status status = gq_vyukov_why_nothing(q, head);
            if (status != GQ_OK) {
                return status;
            }
            head = au64_load_acquire(&q->head);                                        /* [O1] */
        } else if (au64_cas_acq_rel(&q->head, &head, head + found * GQ_VYUKOV_STEP)) { /* [O3] */
            break;
        }
    }
    for (size_t i = 0; i < found; i++) {
        uint64_t next_lap = head + (i + q->capacity) * GQ_VYUKOV_STEP;
        aptr_store_relaxed(gq_vyukov_slot(q, next_lap), (void *)gq_vyukov_parity(q, next_lap)); /* [O4] */
    }
    *got = found;
    return GQ_OK;
}

SY_INLINE bool gq_vyukov_is_empty(const struct gq *queue) {
    const struct gq_vyukov *q = (const struct gq_vyukov *)(const void *)queue;
    return (au64_load_relaxed(&q->tail) & GQ_VYUKOV_FOUND_EMPTY) != 0; /* [E] */
}

/* The two loads are of two moments: where head is the later one it may seem to have passed tail. */
SY_INLINE size_t gq_vyukov_length(const struct gq *queue) {
    const struct gq_vyukov *q = (const struct gq_vyukov *)(const void *)queue;
    uint64_t head = au64_load_relaxed(&q->head), tail = au64_load_relaxed(&q->tail); /* [L] */
    int64_t length = (int64_t)(tail - head) / (int64_t)GQ_VYUKOV_STEP;
    return length <= 0 ? 0 : (uint64_t)length < q->capacity ? (size_t)length : (size_t)q->capacity;
}

__attribute__((unused)) static const struct gq_ops gq_vyukov_ops = {
    .name = "gq_vyukov",
    .summary = "bounded ring of slots that know whose turn it is; one compare-and-swap a batch",
    .source = "Dmitry Vyukov, Bounded MPMC queue, 1024cores.net, 2010",
    .order = "FIFO",
    .progress = "not lock-free: a stalled push keeps pops, a stalled pop a lap of pushes; is_empty wait-free",
    .reclamation = "none needed",
    .cost = "push: 1 RMW, 0 fences, 2 lines and 1 that is never written; pop: the same; allocates nothing",
    .caveat = "a popper that stalls in the middle makes it look full",
    .bounded = true,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_vyukov_create,
    .destroy = gq_vyukov_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_vyukov_push,
    .push_batch = gq_vyukov_push_batch,
    .pop_batch = gq_vyukov_pop_batch,
    .is_empty = gq_vyukov_is_empty,
    .length = gq_vyukov_length,
};

#endif
