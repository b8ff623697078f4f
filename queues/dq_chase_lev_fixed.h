/*
 * The Chase-Lev deque with a capacity: one array, allocated once. Thieves take up to half by one compare-and-swap, and
 * so does the owner when it is full.
 *
 * Source and deviations: dq_chase_lev_half.h, which also holds the argument and the memory order; the accesses here are
 * numbered as there. Chase and Lev's own version for a fixed array is the same but for the halves.
 *
 * Contract: dq.h; LIFO for the owner. DQ_FULL: `capacity` items are inside (2^30 at most, or create says -EINVAL); a
 * thief in the middle of a theft holds no slot. The indices count pushes and must stay below 2^63.
 *
 * Progress. push, take_oldest, is_empty and length: wait-free. pop: wait-free, for it goes round only when thieves have
 * taken something below its item. steal: lock-free; DQ_RETRY means that another taker, or an owner on its way down, has
 * changed top. A stalled thief or owner blocks nobody.
 *
 * Linearization points. push [P4]; DQ_FULL [P2]. pop: [F1] if thieves cannot reach the item, else [O4]; DQ_EMPTY: the
 * load or swap of top that showed it, or that earlier one (nobody but the caller pushes). take_oldest [O4]; 0: [P2], or
 * [O4] that failed. steal [T5]; DQ_EMPTY [T2]. is_empty and length: hints, see [E].
 *
 * Reclamation: none needed. ABA: dq_chase_lev_half.h.
 *
 * Layout: top alone on a line (thieves write it), the owner's fields and where the slots are on another (thieves read
 * bottom and that).
 *
 * Rejected: one compare-and-swap an item, as dq_chase_lev has to (a fence and a swap for each, and as many chances to
 * lose; the owner saves a swap for each halving on its way down); leaving the fence [F1] away and thefts by a marked
 * word to the owner's next operation (thieves would wait for an owner in a long task: dq_split); the array inside the
 * struct (saves the owner no line, and two loads that are in its cache).
 */
#ifndef STEALYARD_QUEUES_DQ_CHASE_LEV_FIXED_H
#define STEALYARD_QUEUES_DQ_CHASE_LEV_FIXED_H

#include "queues/dq_chase_lev_half.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_CHASE_LEV_FIXED_CAPACITY_MAX ((size_t)1 << 30) /* a quarter of the indices that a word tells apart */

SY_INLINE struct dq_chase_lev_half *dq_chase_lev_fixed_of(struct dq *deque) {
    return (struct dq_chase_lev_half *)(void *)deque;
}

static inline int dq_chase_lev_fixed_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > DQ_CHASE_LEV_FIXED_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_chase_lev_half *h = (struct dq_chase_lev_half *)aligned_alloc(SY_CACHE_LINE, sizeof *h);
    struct aptr *slots = (struct aptr *)malloc(config->capacity * sizeof *slots);
    if (!h || !slots) {
        free(h);
        free(slots);
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->capacity; i++) {
        aptr_store_relaxed(&slots[i], NULL); /* a thief that is late may read one before its [T5] fails */
    }
    dq_chase_lev_half_init(h, config->first);
    h->ring.slots = slots;
    h->ring.mask = (int64_t)config->capacity - 1;
    *out = (struct dq *)(void *)h;
    return 0;
}

static inline void dq_chase_lev_fixed_destroy(struct dq *deque) {
    free(dq_chase_lev_fixed_of(deque)->ring.slots);
    free(deque);
}

SY_INLINE enum dq_status dq_chase_lev_fixed_push(struct dq *deque, struct sy_node *item) {
    if (dq_chase_lev_half_room(dq_chase_lev_fixed_of(deque), 1) == 0) {
        return DQ_FULL;
    }
    dq_chase_lev_half_put(dq_chase_lev_fixed_of(deque), item);
    return DQ_OK;
}

SY_INLINE enum dq_status dq_chase_lev_fixed_pop(struct dq *deque, struct sy_node **out) {
    struct dq_chase_lev_half *h = dq_chase_lev_fixed_of(deque);
    int64_t last;
    if (!dq_chase_lev_half_lower(h, &last)) {
        return DQ_EMPTY;
    }
    fence_seq_cst(); /* [F1] */
    if (!dq_chase_lev_half_keep(h, last, false)) {
        return DQ_EMPTY;
    }
    *out = dq_chase_lev_half_item(h, last);
    return DQ_OK;
}

SY_INLINE size_t dq_chase_lev_fixed_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    return dq_chase_lev_half_take_oldest(dq_chase_lev_fixed_of(deque), items, max);
}

SY_INLINE bool dq_chase_lev_fixed_fence(struct dq_chase_lev_half *victim) {
    (void)victim;
    fence_seq_cst(); /* [F2] */
    return true;
}

/* Room in the thief is made sure of before anything is taken, so that no item is ever without a place. */
SY_INLINE enum dq_status dq_chase_lev_fixed_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                                  size_t *moved) {
    struct dq_chase_lev_half *from = dq_chase_lev_fixed_of(victim), *to = thief ? dq_chase_lev_fixed_of(thief) : NULL;
    uint64_t word;
    int64_t inside;
    *moved = 0;
    enum dq_status status = dq_chase_lev_half_look(from, dq_chase_lev_fixed_fence, &word, &inside);
    if (status != DQ_OK) {
        return status;
    }
    int64_t beside = dq_chase_lev_half_share(inside, max) - 1;
    int64_t n = 1 + (to && beside > 0 ? dq_chase_lev_half_room(to, beside) : 0);
    status = dq_chase_lev_half_take(from, word, n, &from->ring, to, out);
    *moved = status == DQ_OK ? (size_t)n : 0;
    return status;
}

SY_INLINE size_t dq_chase_lev_fixed_length(const struct dq *deque) {
    return dq_chase_lev_half_length((const struct dq_chase_lev_half *)(const void *)deque);
}

SY_INLINE bool dq_chase_lev_fixed_is_empty(const struct dq *deque) {
    return dq_chase_lev_fixed_length(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_chase_lev_fixed_ops = {
    .name = "dq_chase_lev_fixed",
    .summary = "a fixed circular array; owner at the bottom, thieves take half at the top by one swap",
    .source =
        "Chase, Lev: Dynamic Circular Work-Stealing Deque, SPAA 2005; Hendler, Shavit: Non-Blocking Steal-Half Work "
        "Queues, PODC 2002",
    .progress = "owner wait-free; thieves lock-free",
    .reclamation = "none needed",
    .cost = "push: no RMW, 2 lines; pop: 1 fence, 3 lines, and 1 RMW at each halving; steal of half: 1 RMW, 1 fence "
            "where the last to take was a thief, 3 lines and 1 for 8 items",
    .caveat = NULL,
    .order = DQ_LIFO,
    .bounded = true,
    .withholds = false,
    .create = dq_chase_lev_fixed_create,
    .destroy = dq_chase_lev_fixed_destroy,
    .push = dq_chase_lev_fixed_push,
    .pop = dq_chase_lev_fixed_pop,
    .take_oldest = dq_chase_lev_fixed_take_oldest,
    .steal = dq_chase_lev_fixed_steal,
    .is_empty = dq_chase_lev_fixed_is_empty,
    .length = dq_chase_lev_fixed_length,
};

#endif
