/*
 * The Chase-Lev deque: a growing circular array, one owner at the bottom, thieves at the top.
 *
 * Source: Chase and Lev, Dynamic Circular Work-Stealing Deque, SPAA 2005; in C11's memory model by Lê, Pop, Cohen and
 * Zappa Nardelli, Correct and Efficient Work-Stealing for Weak Memory Models, PPoPP 2013. Deviations from the latter:
 *   - the array is published with release and read with acquire (relaxed there: a thief could read empty slots);
 *   - the indices are signed, and a pop of an empty deque leaves them alone (unsigned there: bottom - 1 wraps);
 *   - the old array is reclaimed by reclaim.h (left open there: a thief may still be reading it);
 *   - push stores bottom with release instead of a fence before a relaxed store, and so does pop where it takes it
 *     down: a thief that reads bottom gets the items' contents whichever store it reads. ThreadSanitizer, which does
 *     not model fences, sees the hand-over then; the two fences that are left order a store before a load, which no
 *     hand-over depends on;
 *   - the owner keeps the top that it saw last: top only grows, so push needs no look at it while there is room by the
 *     old value, and pop of a deque that is empty by the old value needs neither the fence nor the line of the thieves;
 *   - steal takes up to half, one compare-and-swap an item (as crossbeam-deque does for a LIFO deque): with an owner at
 *     the same items one compare-and-swap over many would race with its pops, which do not write top.
 *
 * Contract: dq.h; LIFO for the owner. Grows by doubling up to DQ_CHASE_LEV_CAPACITY_MAX slots; then, or without memory,
 * push says DQ_FULL. Never shrinks. A thief is a thread that is registered with reclaim.h and online; nothing here is a
 * quiescent state. The indices count pushes and must stay below 2^63: 292 years at one a nanosecond.
 *
 * Progress. push: wait-free but for growth (malloc, copying, reclaim_defer's short lock). pop: wait-free, no loop. One
 * theft: lock-free, DQ_RETRY means that someone else took the item. A stalled thief or owner blocks nobody; a stalled
 * thief only keeps old arrays from being freed, whose sizes together are less than the newest one's.
 *
 * Linearization points. push [P4]. pop of an item that is not the last: the fence; of the last: its compare-and-swap
 * [O4]; DQ_EMPTY: the load of top that showed it, or that earlier one (nobody but the caller pushes). steal: [T5];
 * DQ_EMPTY: [T2]. is_empty and length: hints, see below.
 *
 * Reclamation and ABA. A thief reads `array` and a slot of it without holding anything; the array that growth replaced
 * is handed to reclaim.h, so it lives until that thief is quiescent. top never decreases, so [T5] cannot mistake a
 * later state for the one it saw. Items are reclaimed by whoever took them; a pointer that a loser read is dropped.
 *
 * Memory order. bottom, array and slots are written by the owner only, so its own loads of them are relaxed.
 *   [P1] owner loads bottom, array: relaxed, own
 *   [P2] push loads top: acquire, pairs with [T5] and [O4]. Whoever took item i read its slot before its release; the
 *        owner overwrites that slot only after it has seen top > i here: so no taker reads the newer item
 *   [P3] push stores the slot: relaxed, made visible by [P4]
 *   [P4] push stores bottom: release, pairs with [T2]: slot, array and the item's contents
 *   [G0] empty slots are written too, relaxed, visible by [G2]: a thief that is late may read one before its [T5] fails
 *   [G1] growth copies slots: relaxed, own; visible by [G2]
 *   [G2] growth stores array: release, pairs with [T3]. The old array is deferred after it, so whoever comes online
 *        after the grace period finds the new one
 *   [O1] pop stores bottom - 1: release, for a thief whose [T2] reads it instead of [P4]
 *   [F1] pop's fence between [O1] and [O2], with [F2]: either the owner sees the thief's top, or the thief sees the
 *        smaller bottom. Without both, owner and thief could take the same item, with no compare-and-swap between them
 *   [O2] pop loads top: ordered by [F1]; acquire, pairs with [T5], for top_seen may stand in for a later [P2]
 *   [O3] pop loads the slot: relaxed, own
 *   [O4] pop's compare-and-swap for the last item: seq_cst, pairs with [T5], [P2], [T1]
 *   [O5] pop puts bottom back: relaxed; top is as large by now, so no thief can take anything by it
 *   [T1] steal loads top: acquire, pairs with [T5] and [O4] of others: what they did before is then before [F2] in the
 *        total order, so an owner after [F2] sees a top at least as large as this one. Why the swaps are seq_cst, too
 *   [F2] steal's fence between [T1] and [T2], with [F1]
 *   [T2] steal loads bottom: acquire, pairs with [P4] and [O1]
 *   [T3] steal loads array: acquire, pairs with [G2]. By [T2] it is at least as new as the item. A newer one that no
 *        longer holds index t was filled by an owner who had seen top > t, so [T5] fails
 *   [T4] steal loads the slot: relaxed, and before [T5]: after it the owner may overwrite it
 *   [T5] steal's compare-and-swap: seq_cst
 *   [E]  is_empty and length load bottom and top: relaxed. Both are values that stood there once and top only grows, so
 *        "empty" says that every item below the bottom seen was taken or is in its owner's hands. Of a push that stands
 *        before the other side's full barrier, the bottom seen is that one's or a later one
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when any of [P4], [O1], [T2], [G2], [T3] is relaxed,
 * a fence is missing or [O4] is no compare-and-swap. It accepts [P2], [O2], [T1], [T5] and [O4] relaxed: RC11 knows no
 * cycles of dependence and orders reads across fences. C11 by its letter does neither, hence the stronger orders.
 *
 * Layout: top alone on a line (thieves write it), the owner's fields on another (thieves read bottom and array).
 *
 * Rejected: seq_cst accesses to top and bottom instead of the fences (the owner pays an exchange for every push or pop
 * all the same, and aarch64 pays for the loads too); an asymmetric fence by membarrier (another deque: it wants thieves
 * to be rare); one compare-and-swap for half of the items (needs the owner to write top); shrinking (an idle array
 * costs memory only).
 */
#ifndef STEALYARD_QUEUES_DQ_CHASE_LEV_H
#define STEALYARD_QUEUES_DQ_CHASE_LEV_H

#include "queues/dq.h"
#include "queues/dq_array.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_CHASE_LEV_CAPACITY_MAX ((int64_t)1 << 30)

/* Items top .. bottom - 1 are inside. */
struct dq_chase_lev {
    SY_ALIGNAS(SY_CACHE_LINE) struct ai64 top;    /* grows only */
    SY_ALIGNAS(SY_CACHE_LINE) struct ai64 bottom; /* written by the owner */
    struct aptr array;                            /* struct dq_array *, written by the owner */
    int64_t top_seen;                             /* the owner's alone; at most top */
    struct reclaim *reclaim;                      /* immutable */
};

SY_INLINE struct dq_chase_lev *dq_chase_lev_of(struct dq *deque) {
    return (struct dq_chase_lev *)(void *)deque;
}

static inline int dq_chase_lev_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > (size_t)DQ_CHASE_LEV_CAPACITY_MAX) {
        return -EINVAL;
    }
    int64_t first_index = (int64_t)(config->first & (UINT64_MAX >> 2)); /* they never come to 2^63 */
    struct dq_chase_lev *d = (struct dq_chase_lev *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct dq_array *array = dq_array_create((int64_t)config->capacity);
    if (!d || !array) {
        free(d);
        free(array);
        return -ENOMEM;
    }
    ai64_store_relaxed(&d->top, first_index);
    ai64_store_relaxed(&d->bottom, first_index);
    aptr_store_relaxed(&d->array, array);
    d->top_seen = first_index;
    d->reclaim = config->reclaim;
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_chase_lev_destroy(struct dq *deque) {
    free(aptr_load_relaxed(&dq_chase_lev_of(deque)->array));
    free(deque);
}

/* Doubles the array that is in `place` and holds items top .. bottom - 1. */
SY_INLINE bool dq_chase_lev_array_double(struct aptr *place, struct reclaim *reclaim, int64_t top, int64_t bottom) {
    struct dq_array *old = (struct dq_array *)aptr_load_relaxed(place); /* [P1] */
    if (old->capacity >= DQ_CHASE_LEV_CAPACITY_MAX) {
        return false;
    }
    struct dq_array *array = dq_array_create(old->capacity * 2);
    if (!array) {
        return false;
    }
    for (int64_t i = top; i < bottom; i++) {
        void *item = aptr_load_relaxed(dq_array_slot(old, i)); /* [G1] */
        aptr_store_relaxed(dq_array_slot(array, i), item);     /* [G1] */
    }
    aptr_store_release(place, array); /* [G2] */
    reclaim_defer(reclaim, &old->retired, dq_array_free);
    return true;
}

/* Out of line: it is rare, and push stays small. */
__attribute__((noinline, unused)) static bool dq_chase_lev_grow(struct dq_chase_lev *d, int64_t top, int64_t bottom) {
    return dq_chase_lev_array_double(&d->array, d->reclaim, top, bottom);
}

/* The owner: makes sure that one push finds room. It stays, for only the owner pushes. */
SY_INLINE bool dq_chase_lev_make_room(struct dq_chase_lev *d) {
    struct dq_array *array = (struct dq_array *)aptr_load_relaxed(&d->array); /* [P1] */
    int64_t bottom = ai64_load_relaxed(&d->bottom);                           /* [P1] */
    if (bottom - d->top_seen < array->capacity) {
        return true;
    }
    d->top_seen = ai64_load_acquire(&d->top); /* [P2] */
    return bottom - d->top_seen < array->capacity || dq_chase_lev_grow(d, d->top_seen, bottom);
}

SY_INLINE enum dq_status dq_chase_lev_push(struct dq *deque, struct sy_node *item) {
    struct dq_chase_lev *d = dq_chase_lev_of(deque);
    if (!dq_chase_lev_make_room(d)) {
        return DQ_FULL;
    }
    struct dq_array *array = (struct dq_array *)aptr_load_relaxed(&d->array); /* [P1] */
    int64_t bottom = ai64_load_relaxed(&d->bottom);                           /* [P1] */
    aptr_store_relaxed(dq_array_slot(array, bottom), item);                   /* [P3] */
    ai64_store_release(&d->bottom, bottom + 1);                               /* [P4] */
    return DQ_OK;
}

SY_INLINE enum dq_status dq_chase_lev_pop(struct dq *deque, struct sy_node **out) {
    struct dq_chase_lev *d = dq_chase_lev_of(deque);
    int64_t last = ai64_load_relaxed(&d->bottom) - 1; /* [P1] */
    if (last < d->top_seen) {
        return DQ_EMPTY;
    }
    struct dq_array *array = (struct dq_array *)aptr_load_relaxed(&d->array); /* [P1] */
    ai64_store_release(&d->bottom, last);                                     /* [O1] */
    fence_seq_cst();                                                          /* [F1] */
    int64_t top = ai64_load_acquire(&d->top);                                 /* [O2] */
    if (top < last) {
        *out = (struct sy_node *)aptr_load_relaxed(dq_array_slot(array, last)); /* [O3] */
        return DQ_OK;
    }
    bool won = false;
    if (top == last) {
        *out = (struct sy_node *)aptr_load_relaxed(dq_array_slot(array, last)); /* [O3] */
        won = ai64_cas_seq_cst(&d->top, &top, last + 1);                        /* [O4] */
    }
    ai64_store_relaxed(&d->bottom, last + 1); /* [O5] */
    d->top_seen = last + 1;                   /* top has reached bottom, by us or by a thief */
    return won ? DQ_OK : DQ_EMPTY;
}

/* Takes the oldest item. */
SY_INLINE enum dq_status dq_chase_lev_steal_one(struct dq_chase_lev *victim, struct sy_node **out) {
    int64_t top = ai64_load_acquire(&victim->top);       /* [T1] */
    fence_seq_cst();                                     /* [F2] */
    int64_t bottom = ai64_load_acquire(&victim->bottom); /* [T2] */
    if (top >= bottom) {
        return DQ_EMPTY;
    }
    struct dq_array *array = (struct dq_array *)aptr_load_acquire(&victim->array);         /* [T3] */
    struct sy_node *item = (struct sy_node *)aptr_load_relaxed(dq_array_slot(array, top)); /* [T4] */
    if (!ai64_cas_seq_cst(&victim->top, &top, top + 1)) {                                  /* [T5] */
        return DQ_RETRY;
    }
    *out = item;
    return DQ_OK;
}

SY_INLINE size_t dq_chase_lev_length(const struct dq *deque) {
    const struct dq_chase_lev *d = (const struct dq_chase_lev *)(const void *)deque;
    int64_t bottom = ai64_load_relaxed(&d->bottom); /* [E] */
    int64_t top = ai64_load_relaxed(&d->top);       /* [E] */
    return bottom > top ? (size_t)(bottom - top) : 0;
}

SY_INLINE bool dq_chase_lev_is_empty(const struct dq *deque) {
    return dq_chase_lev_length(deque) == 0;
}

/* Room in the thief is made before an item is taken, so that none is ever without a place. */
SY_INLINE enum dq_status dq_chase_lev_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                            size_t *moved) {
    size_t length = dq_chase_lev_length(victim); /* a hint: how many, not whether */
    size_t half = length - length / 2;
    size_t wanted = half < max ? half : max;
    enum dq_status status = dq_chase_lev_steal_one(dq_chase_lev_of(victim), out);
    *moved = status == DQ_OK;
    if (status != DQ_OK || !thief) {
        return status;
    }
    struct sy_node *item;
    while (*moved < wanted && dq_chase_lev_make_room(dq_chase_lev_of(thief)) &&
           dq_chase_lev_steal_one(dq_chase_lev_of(victim), &item) == DQ_OK) {
        dq_chase_lev_push(thief, item);
        (*moved)++;
    }
    return DQ_OK;
}

__attribute__((unused)) static const struct dq_ops dq_chase_lev_ops = {
    .name = "dq_chase_lev",
    .summary = "growing circular array; owner at the bottom, thieves at the top",
    .source =
        "Chase, Lev: Dynamic Circular Work-Stealing Deque, SPAA 2005; Lê, Pop, Cohen, Zappa Nardelli: Correct and "
        "Efficient Work-Stealing for Weak Memory Models, PPoPP 2013",
    .progress = "owner wait-free (growth allocates and takes a short lock); thieves lock-free",
    .reclamation = "QSBR, for arrays that were outgrown",
    .cost = "push: no RMW, 3 lines; pop: 1 fence, 4 lines; steal: 1 fence and 1 RMW an item, 4 lines (1 of each mostly "
            "read)",
    .caveat = NULL,
    .order = DQ_LIFO,
    .bounded = false,
    .withholds = false,
    .create = dq_chase_lev_create,
    .destroy = dq_chase_lev_destroy,
    .push = dq_chase_lev_push,
    .pop = dq_chase_lev_pop,
    .take_oldest = NULL,
    .steal = dq_chase_lev_steal,
    .is_empty = dq_chase_lev_is_empty,
    .length = dq_chase_lev_length,
};

#endif
