/*
 * A ring of slots with its owner at the tail and all takers, the owner too, at the head: what dq_tokio_ring.h and
 * dq_go_ring.h share. They differ in how a thief takes.
 *
 * Source: see there. Deviations that both have:
 *   - slots are atomic, so that a late reader is no data race;
 *   - the owner keeps the head that it saw last. Push looks at the shared one only where the ring would be full by
 *     that, and pop begins with its compare-and-swap, which brings the line over once instead of twice;
 *   - capacity is chosen, 256 there; a thief whose own deque has little room takes as many as fit, and the oldest item
 *     is the one that is run next: the newest of the batch there, which puts it before all others of it.
 *
 * Contract: dq.h; FIFO for the owner. Capacity up to DQ_RING_CAPACITY_MAX, fixed. `held_bits` is the ring's own;
 * callers pass it, for where it is 0 it is a constant. It is 0 or as many bits as it takes to count to the capacity.
 * The ring:
 *
 *     held            the items                      free
 *     [index - held]  [index .. tail - 1]            the rest of `capacity` slots
 *
 * The head's word is index << held_bits | held. Held slots are those that a thief has claimed and may still be reading,
 * and those behind them that the owner popped meanwhile. Indices count modulo 2^(64 - held_bits).
 *
 * Progress. push, pop and take_oldest are wait-free: a lost compare-and-swap means that a thief took items, or
 * let go of slots after it, and only the owner brings new items: pop loses at most twice as often as there are items.
 * is_empty and length: wait-free.
 *
 * Linearization points. push [P4]. A pop that takes [O2]; DQ_EMPTY: the load or the failed [O2] that brought the head
 * that is equal to the tail, for only the caller pushes. take_oldest [B2]. is_empty and length: the load of tail, at
 * which the head was as large as the one seen, or larger and never past the tail: so "empty" is exact.
 *
 * ABA. The head only grows, so a compare-and-swap from the head that was seen succeeds only if nobody took, claimed or
 * let go meanwhile; a thief may then still have seen too small a tail, never too large a one. Of a value that is read
 * in a slot no more is needed than that: a slot is written again only after its owner saw the head past it. For the
 * wraparound of the index see there.
 *
 * Memory order. Head is written by read-modify-writes only, so each of its release sequences has no end.
 *   [P1] owner loads tail: relaxed, own
 *   [P2] owner loads head: acquire, pairs with [T5] and [O2]. Who took an item read its slot before; so none of them
 *        reads what the owner puts there next
 *   [P3] push stores the slot: relaxed, made visible by [P4]
 *   [P4] push stores tail: release, pairs with [T2]: the slot, and the item's contents
 *   [O1] pop loads the slot: relaxed, own. The head by which it was found may be late: then [O2] fails
 *   [O2] pop's compare-and-swap: release, pairs with [T1]: whoever sees this head sees the tail that allowed it; on
 *        failure acquire, it stands for [P2] then
 *   [B1] take_oldest loads slots: relaxed, own
 *   [B2] its compare-and-swap: as [O2]
 *   [T1] a thief, is_empty and length load head: acquire, pairs with [T4], [O2] and [B2]: tail, loaded next, is then
 *        not behind head. If it could be, "empty" might be said of two values that never stood there together
 *   [T2] a thief loads tail: acquire, pairs with [P4] and [T6]
 *   [T3] a thief copies slots into its own ring, behind its tail: relaxed. The stores are made visible by [T6]; of its
 *        own robbers the late ones may read there what is not theirs, and their [T4] fails
 *   [T4] a thief takes the items by a compare-and-swap: release, for [T1] and, with no [T5], for [P2]
 *   [T5] a thief lets its slots go: see dq_tokio_ring.h; dq_go_ring.h needs it not, its [T4] comes after [T3]
 *   [T6] a thief stores its own tail: release, pairs with [T2] of others
 *   [E]  is_empty and length load tail: relaxed, after [T1]. A push before a full barrier is seen by who looks after
 *        its own, for tail is one word and only grows
 *
 * Layout: head alone on a line (all takers write it); tail and what never changes on the next (the owner writes,
 * thieves read); what is the owner's alone on a third, for pop writes there and must not take the tail's line from its
 * readers.
 *
 * Rejected: loading head in every push and pop (as both originals do: a line that thieves write, for nothing while
 * there is room); head and tail in one word (a push were a read-modify-write); the newest item first, by a slot of its
 * own beside the ring (both have one: it is the executor's LIFO slot).
 */
#ifndef STEALYARD_QUEUES_DQ_RING_H
#define STEALYARD_QUEUES_DQ_RING_H

#include "queues/dq.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_RING_CAPACITY_MAX ((size_t)1 << 30)

struct dq_ring {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head;    /* index << held_bits | held */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail;    /* the index of the next push; written by the owner */
    uint64_t capacity;                             /* immutable, a power of two */
    unsigned held_bits;                            /* immutable */
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t head_seen;  /* the owner's alone: a head that there was */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr slots[]; /* struct sy_node *; item i is in slot i mod capacity */
};

SY_INLINE struct dq_ring *dq_ring_of(struct dq *deque) {
    return (struct dq_ring *)(void *)deque;
}

static inline int dq_ring_create(struct dq **out, const struct dq_config *config, unsigned held_bits) {
    size_t capacity = config->capacity;
    if (!dq_config_is_valid(config) || capacity > DQ_RING_CAPACITY_MAX) {
        return -EINVAL;
    }
    size_t bytes = sizeof(struct dq_ring) + capacity * sizeof(struct aptr);
    bytes = (bytes + SY_CACHE_LINE - 1) / SY_CACHE_LINE * SY_CACHE_LINE;
    struct dq_ring *d = (struct dq_ring *)aligned_alloc(SY_CACHE_LINE, bytes);
    if (!d) {
        return -ENOMEM;
    }
    d->capacity = capacity;
    d->held_bits = held_bits;
    d->head_seen = config->first << held_bits;
    for (size_t i = 0; i < capacity; i++) {
        aptr_store_relaxed(&d->slots[i], NULL); /* a late thief may read one before its [T4] fails */
    }
    au64_store_relaxed(&d->head, d->head_seen);
    au64_store_relaxed(&d->tail, config->first);
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_ring_destroy(struct dq *deque) {
    free(deque);
}

SY_INLINE struct aptr *dq_ring_slot(struct dq_ring *d, uint64_t index) {
    return &d->slots[index & (d->capacity - 1)];
}

SY_INLINE uint64_t dq_ring_held(uint64_t head, unsigned held_bits) {
    return head & (((uint64_t)1 << held_bits) - 1);
}

/* How many items there are from this head to this tail. More than the capacity: the head is late. */
SY_INLINE uint64_t dq_ring_between(uint64_t head, uint64_t tail, unsigned held_bits) {
    return (tail - (head >> held_bits)) << held_bits >> held_bits;
}

SY_INLINE uint64_t dq_ring_half(uint64_t length) {
    return length - length / 2;
}

SY_INLINE uint64_t dq_ring_min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* ---- the owner ---- */

SY_INLINE uint64_t dq_ring_free(const struct dq_ring *d, uint64_t tail, unsigned held_bits) {
    return d->capacity - dq_ring_between(d->head_seen, tail, held_bits) - dq_ring_held(d->head_seen, held_bits);
}

/* How many slots are free, at least; how many exactly, if that is less than `wanted`. */
SY_INLINE uint64_t dq_ring_room(struct dq_ring *d, uint64_t tail, uint64_t wanted, unsigned held_bits) {
    uint64_t room = dq_ring_free(d, tail, held_bits);
    if (room < wanted) {
        d->head_seen = au64_load_acquire(&d->head); /* [P2] */
        room = dq_ring_free(d, tail, held_bits);
    }
    return room;
}

SY_INLINE enum dq_status dq_ring_push(struct dq_ring *d, struct sy_node *item, unsigned held_bits) {
    uint64_t tail = au64_load_relaxed(&d->tail); /* [P1] */
    if (dq_ring_room(d, tail, 1, held_bits) == 0) {
        return DQ_FULL;
    }
    aptr_store_relaxed(dq_ring_slot(d, tail), item); /* [P3] */
    au64_store_release(&d->tail, tail + 1);          /* [P4] */
    return DQ_OK;
}

SY_INLINE enum dq_status dq_ring_pop(struct dq_ring *d, struct sy_node **out, unsigned held_bits) {
    uint64_t tail = au64_load_relaxed(&d->tail); /* [P1] */
    while (dq_ring_between(d->head_seen, tail, held_bits) > 0) {
        uint64_t head = d->head_seen;
        struct sy_node *item = (struct sy_node *)aptr_load_relaxed(dq_ring_slot(d, head >> held_bits)); /* [O1] */
        bool holding = dq_ring_held(head, held_bits) > 0; /* a popped slot then stands behind those that are held */
        uint64_t next = head + ((uint64_t)1 << held_bits) + holding;
        if (au64_cas_acq_rel(&d->head, &d->head_seen, next)) { /* [O2] */
            d->head_seen = next;
            *out = item;
            return DQ_OK;
        }
    }
    return DQ_EMPTY;
}

static inline size_t dq_ring_take_oldest(struct dq_ring *d, struct sy_node **items, size_t max, unsigned held_bits) {
    uint64_t tail = au64_load_relaxed(&d->tail);                /* [P1] */
    uint64_t head = d->head_seen = au64_load_acquire(&d->head); /* [P2] */
    uint64_t n = dq_ring_min(dq_ring_half(dq_ring_between(head, tail, held_bits)), max);
    if (n == 0 || dq_ring_held(head, held_bits) > 0) {
        return 0;
    }
    for (uint64_t i = 0; i < n; i++) {
        items[i] = (struct sy_node *)aptr_load_relaxed(dq_ring_slot(d, (head >> held_bits) + i)); /* [B1] */
    }
    uint64_t next = head + (n << held_bits);
    if (!au64_cas_acq_rel(&d->head, &d->head_seen, next)) { /* [B2] */
        return 0;
    }
    d->head_seen = next;
    return (size_t)n;
}

/* ---- thieves ---- */

/* What a thief saw: the head, and how many items there were. */
struct dq_ring_look {
    uint64_t head, length;
};

/* DQ_OK: there are items; DQ_RETRY: head and tail are of different times, so some were taken in between. */
SY_INLINE enum dq_status dq_ring_look(const struct dq_ring *victim, struct dq_ring_look *look, unsigned held_bits) {
    look->head = au64_load_acquire(&victim->head);    /* [T1] */
    uint64_t tail = au64_load_acquire(&victim->tail); /* [T2] */
    look->length = dq_ring_between(look->head, tail, held_bits);
    return look->length == 0 ? DQ_EMPTY : look->length > victim->capacity ? DQ_RETRY : DQ_OK;
}

/* How many a thief takes: half, no more than `max`, and one more than its own ring has room for. */
SY_INLINE uint64_t dq_ring_share(uint64_t length, struct dq_ring *thief, size_t max, unsigned held_bits) {
    uint64_t share = dq_ring_min(dq_ring_half(length), thief ? max : 1);
    if (share <= 1) {
        return share;
    }
    uint64_t tail = au64_load_relaxed(&thief->tail); /* [P1] */
    return 1 + dq_ring_min(share - 1, dq_ring_room(thief, tail, share - 1, held_bits));
}

/* The first of n items from an index on; the others are copied behind the thief's tail. */
SY_INLINE struct sy_node *dq_ring_copy(struct dq_ring *victim, uint64_t index, struct dq_ring *thief, uint64_t n) {
    uint64_t tail = n > 1 ? au64_load_relaxed(&thief->tail) : 0; /* [P1] */
    for (uint64_t i = 1; i < n; i++) {
        void *item = aptr_load_relaxed(dq_ring_slot(victim, index + i)); /* [T3] */
        aptr_store_relaxed(dq_ring_slot(thief, tail + i - 1), item);     /* [T3] */
    }
    return (struct sy_node *)aptr_load_relaxed(dq_ring_slot(victim, index)); /* [T3] */
}

/* The n - 1 that were copied are the thief's. */
SY_INLINE void dq_ring_publish(struct dq_ring *thief, uint64_t n) {
    if (n > 1) {
        uint64_t tail = au64_load_relaxed(&thief->tail); /* [P1] */
        au64_store_release(&thief->tail, tail + n - 1);  /* [T6] */
    }
}

/* ---- anyone ---- */

SY_INLINE size_t dq_ring_length(const struct dq_ring *d, unsigned held_bits) {
    uint64_t head = au64_load_acquire(&d->head); /* [T1] */
    uint64_t tail = au64_load_relaxed(&d->tail); /* [E] */
    return (size_t)dq_ring_min(dq_ring_between(head, tail, held_bits), d->capacity);
}

#endif
