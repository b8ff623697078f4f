/*
 * The growing Chase-Lev deque whose owner pays no full barrier: pop has a compiler barrier only. A thief takes up to
 * half by one compare-and-swap; where the owner has not popped since the last theft, it makes the kernel execute the
 * barrier on the owner's processor.
 *
 * Source: dq_chase_lev_half.h, which holds the argument and the memory order (the accesses here are numbered as there),
 * with the asymmetric fence of Dice, Huang and Yang (asym.h) for [F1] and [F2]; growth is dq_chase_lev.h's.
 *
 * What a thief pays. After one heavy fence in Chase and Lev's deque only the item at top may be taken: the owner may
 * pop everything above it without a look, and for the next item top has to be read and fenced anew. Here it is half of
 * the items that the thief sees behind the fence, because the owner steps in where it comes down to those. And no fence
 * is needed by a word that the owner has written: the owner knows it. So a pop that finds that thieves were there
 * writes the word anew (one swap of a line that it had to fetch), and as long as the owner pops between two thefts, no
 * thief makes a heavy fence. It does where the owner is in one long task, or only pushes. To find a deque empty takes
 * none.
 *
 * Contract: dq.h; LIFO for the owner. Grows by doubling up to 2^30 slots; then, or without memory, push says DQ_FULL.
 * Never shrinks. A thief is a thread that is registered with reclaim.h and online. The indices count pushes and must
 * stay below 2^63. The process is registered for membarrier(2) by the first create.
 *
 * Progress. push: wait-free but for growth (malloc, copying, reclaim_defer's short lock); pop, take_oldest, is_empty
 * and length: wait-free. steal: lock-free, but for growth of the thief's own; DQ_RETRY means that another taker, or an
 * owner on its way down, has changed top. The heavy fence interrupts every processor that runs a thread of the process,
 * and waits for none to be scheduled. A stalled thief or owner blocks nobody; a stalled thief only keeps old arrays
 * from being freed. One exception: where the kernel registered the process and refuses the fence afterwards (a filter
 * set since), steal says DQ_RETRY by words that thieves wrote, until the owner has popped once more: it then pays full
 * barriers.
 *
 * Linearization points: as in dq_chase_lev_fixed.h, with [F1] and [F2] asymmetric: pop of an item that thieves cannot
 * reach is done where its [O1] comes to be seen.
 *
 * Reclamation: arrays that growth replaced, by reclaim.h, as in dq_chase_lev.h. ABA: dq_chase_lev_half.h.
 *
 * Memory order, besides dq_chase_lev_half.h and growth's [G0], [G1], [G2] in dq_chase_lev.h:
 *   [T3] steal loads array: acquire, pairs with [G2], after [T2], by which it is at least as new as the items. A newer
 *        one that no longer holds one of them was filled by an owner who had seen top above it, so [T5] fails
 *   [R1] the owner loads `fences`: relaxed, for it writes what matters itself ([R3])
 *   [R2] a thief whose fence was refused says so: cas relaxed, hands nothing over
 *   [R3] the owner stores that it makes full barriers from now on: release, pairs with [R4]. The pops before, whose
 *        barrier was none, happen before; each lowered bottom of theirs is seen at [T2]
 *   [R4] a thief loads `fences`: relaxed; [F2] behind it makes an acquire of it
 *
 * Layout: top alone on a line (thieves write it), the owner's fields on another, of which thieves read bottom, and on a
 * third what is mostly read: array and fences.
 *
 * Rejected: a heavy fence for each item or each theft (13 µs and an interrupt of the owner each); a thief that
 * publishes its intent, fences and then takes (two swaps, and who sees another's intent has to wait or to revoke it:
 * thieves get in each other's way, and a stalled one in everybody's); the owner looking for thefts in push as well (a
 * line that thieves write, at each push); waiting for the owner instead of the fence (dq_split).
 */
#ifndef STEALYARD_QUEUES_DQ_CHASE_LEV_ASYM_H
#define STEALYARD_QUEUES_DQ_CHASE_LEV_ASYM_H

#include "queues/asym.h"
#include "queues/dq_chase_lev.h"
#include "queues/dq_chase_lev_half.h"

/* What pop's barrier is. It only goes up. */
enum { DQ_CHASE_LEV_ASYM_LIGHT, DQ_CHASE_LEV_ASYM_REFUSED, DQ_CHASE_LEV_ASYM_FULL };

struct dq_chase_lev_asym {
    struct dq_chase_lev_half ends; /* first; its ring is the owner's view of the array */
    struct aptr array;             /* struct dq_array *, written by the owner */
    struct reclaim *reclaim;       /* immutable */
    struct au32 fences;            /* LIGHT; REFUSED, by a thief; FULL, by the owner or from the start */
};

SY_INLINE struct dq_chase_lev_asym *dq_chase_lev_asym_of(struct dq *deque) {
    return (struct dq_chase_lev_asym *)(void *)deque;
}

SY_INLINE void dq_chase_lev_asym_view(struct dq_chase_lev_ring *ring, struct dq_array *array) {
    ring->slots = array->slots;
    ring->mask = array->capacity - 1;
}

static inline int dq_chase_lev_asym_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > (size_t)DQ_CHASE_LEV_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_chase_lev_asym *d = (struct dq_chase_lev_asym *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct dq_array *array = dq_array_create((int64_t)config->capacity);
    if (!d || !array) {
        free(d);
        free(array);
        return -ENOMEM;
    }
    dq_chase_lev_half_init(&d->ends, config->first);
    dq_chase_lev_asym_view(&d->ends.ring, array);
    aptr_store_relaxed(&d->array, array);
    d->reclaim = config->reclaim;
    au32_store_relaxed(&d->fences, asym_register() ? DQ_CHASE_LEV_ASYM_LIGHT : DQ_CHASE_LEV_ASYM_FULL);
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_chase_lev_asym_destroy(struct dq *deque) {
    free(aptr_load_relaxed(&dq_chase_lev_asym_of(deque)->array));
    free(deque);
}

/* ---- the owner ---- */

/* Grows until there is room for `wanted` pushes, as far as it can. Out of line: it is rare, and push stays small. */
__attribute__((noinline, unused)) static int64_t dq_chase_lev_asym_grow(struct dq_chase_lev_asym *d, int64_t wanted) {
    int64_t room;
    while ((room = dq_chase_lev_half_room(&d->ends, wanted)) < wanted) {
        int64_t bottom = ai64_load_relaxed(&d->ends.bottom); /* [P1] */
        if (!dq_chase_lev_array_double(&d->array, d->reclaim, d->ends.top_seen, bottom)) {
            break;
        }
        struct dq_array *array = (struct dq_array *)aptr_load_relaxed(&d->array); /* [P1] */
        dq_chase_lev_asym_view(&d->ends.ring, array);
    }
    return room;
}

/* For how many pushes, of those `wanted`, there is room. */
SY_INLINE int64_t dq_chase_lev_asym_room(struct dq_chase_lev_asym *d, int64_t wanted) {
    int64_t room = dq_chase_lev_half_room(&d->ends, wanted);
    return __builtin_expect(room < wanted, 0) ? dq_chase_lev_asym_grow(d, wanted) : room;
}

SY_INLINE enum dq_status dq_chase_lev_asym_push(struct dq *deque, struct sy_node *item) {
    struct dq_chase_lev_asym *d = dq_chase_lev_asym_of(deque);
    if (dq_chase_lev_asym_room(d, 1) == 0) {
        return DQ_FULL;
    }
    dq_chase_lev_half_put(&d->ends, item);
    return DQ_OK;
}

/* A full barrier, and so from now on. */
__attribute__((noinline, unused)) static void dq_chase_lev_asym_full_fence(struct dq_chase_lev_asym *d) {
    if (au32_load_relaxed(&d->fences) == DQ_CHASE_LEV_ASYM_REFUSED) { /* [R1] */
        au32_store_release(&d->fences, DQ_CHASE_LEV_ASYM_FULL);       /* [R3] */
    }
    fence_seq_cst(); /* [F1] */
}

SY_INLINE enum dq_status dq_chase_lev_asym_pop(struct dq *deque, struct sy_node **out) {
    struct dq_chase_lev_asym *d = dq_chase_lev_asym_of(deque);
    int64_t last;
    if (!dq_chase_lev_half_lower(&d->ends, &last)) {
        return DQ_EMPTY;
    }
    if (__builtin_expect(au32_load_relaxed(&d->fences) == DQ_CHASE_LEV_ASYM_LIGHT, 1)) { /* [R1] */
        asym_light(true);                                                                /* [F1] */
    } else {
        dq_chase_lev_asym_full_fence(d);
    }
    if (!dq_chase_lev_half_keep(&d->ends, last, true)) {
        return DQ_EMPTY;
    }
    *out = dq_chase_lev_half_item(&d->ends, last);
    return DQ_OK;
}

SY_INLINE size_t dq_chase_lev_asym_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    return dq_chase_lev_half_take_oldest(&dq_chase_lev_asym_of(deque)->ends, items, max);
}

/* ---- thieves ---- */

/* False: the kernel refuses, and the owner has not heard of it. */
__attribute__((noinline, unused)) static bool dq_chase_lev_asym_fence(struct dq_chase_lev_half *victim) {
    struct dq_chase_lev_asym *d = (struct dq_chase_lev_asym *)(void *)victim;
    bool light = au32_load_relaxed(&d->fences) != DQ_CHASE_LEV_ASYM_FULL; /* [R4] */
    if (asym_heavy(light)) {                                              /* [F2] */
        return true;
    }
    uint32_t expected = DQ_CHASE_LEV_ASYM_LIGHT;
    au32_cas_relaxed(&d->fences, &expected, DQ_CHASE_LEV_ASYM_REFUSED); /* [R2] */
    return false;
}

/* Room in the thief is made before anything is taken, so that no item is ever without a place. */
SY_INLINE enum dq_status dq_chase_lev_asym_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                                 size_t *moved) {
    struct dq_chase_lev_asym *from = dq_chase_lev_asym_of(victim), *to = thief ? dq_chase_lev_asym_of(thief) : NULL;
    uint64_t word;
    int64_t inside;
    *moved = 0;
    enum dq_status status = dq_chase_lev_half_look(&from->ends, dq_chase_lev_asym_fence, &word, &inside);
    if (status != DQ_OK) {
        return status;
    }
    struct dq_array *array = (struct dq_array *)aptr_load_acquire(&from->array); /* [T3] */
    struct dq_chase_lev_ring ring;
    dq_chase_lev_asym_view(&ring, array);
    if (inside > ring.mask + 1) { /* top has moved since; room for so many would stay for nothing */
        return DQ_RETRY;
    }
    int64_t beside = dq_chase_lev_half_share(inside, max) - 1;
    int64_t n = 1 + (to && beside > 0 ? dq_chase_lev_asym_room(to, beside) : 0);
    status = dq_chase_lev_half_take(&from->ends, word, n, &ring, to ? &to->ends : NULL, out);
    *moved = status == DQ_OK ? (size_t)n : 0;
    return status;
}

SY_INLINE size_t dq_chase_lev_asym_length(const struct dq *deque) {
    return dq_chase_lev_half_length((const struct dq_chase_lev_half *)(const void *)deque);
}

SY_INLINE bool dq_chase_lev_asym_is_empty(const struct dq *deque) {
    return dq_chase_lev_asym_length(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_chase_lev_asym_ops = {
    .name = "dq_chase_lev_asym",
    .summary = "growing circular array; pop has no full barrier, thieves take half and bring the barrier where needed",
    .source =
        "Chase, Lev: Dynamic Circular Work-Stealing Deque, SPAA 2005; Hendler, Shavit: Non-Blocking Steal-Half Work "
        "Queues, PODC 2002; Dice, Huang, Yang: Asymmetric Dekker Synchronization, 2001",
    .progress =
        "owner wait-free (growth allocates and takes a short lock); thieves lock-free (growth of their own too)",
    .reclamation = "QSBR, for arrays that were outgrown",
    .cost =
        "push: no RMW, 2 lines; pop: no fence, 4 lines (1 of them mostly read), and 1 RMW at each halving and after a "
        "theft; steal of half: 1 RMW, 5 lines (2 of them mostly read) and 1 for 8 items; besides, 1 membarrier(2) "
        "where the owner has not popped since the last theft",
    .caveat = "a theft from an owner in a long task interrupts every processor of the process (13 to 15 µs); where the "
              "kernel refuses membarrier(2), pop has a full fence",
    .order = DQ_LIFO,
    .bounded = false,
    .withholds = false,
    .create = dq_chase_lev_asym_create,
    .destroy = dq_chase_lev_asym_destroy,
    .push = dq_chase_lev_asym_push,
    .pop = dq_chase_lev_asym_pop,
    .take_oldest = dq_chase_lev_asym_take_oldest,
    .steal = dq_chase_lev_asym_steal,
    .is_empty = dq_chase_lev_asym_is_empty,
    .length = dq_chase_lev_asym_length,
};

#endif
