/*
 * BWoS, FIFO: the owner pushes into the newest block and pops what it *holds*: all that was left of the oldest block,
 * in one piece; thieves take from the oldest granted block behind that. Blocks, words, thieves, the argument and the
 * numbers of the memory order: dq_bwos_block.h.
 *
 * Source: see there. Deviations: there, and
 *   - the owner takes an oldest block by the thieves' own step, of all of its items, so that for them it is one more
 *     theft and there is no second state of takeover;
 *   - held items stay where they are in the ring and have no word of their own. Should the ring come round to them,
 *     which takes thieves who empty it while the owner only pushes, they move to spare slots: they never make push
 *     say DQ_FULL.
 *
 * Contract: dq.h; FIFO for the owner; what one thief gets stands in the order in which it was pushed, and is the
 * oldest but for what the owner holds. Bounded: push says DQ_FULL at `capacity` items and only then. Blocks as in
 * dq_bwos.h. Withholds what the owner holds and what is in the block that it pushes into: up to two blocks, and a
 * deque that has never had more than a block gives nothing away. steal moves items of one block, into one block of
 * the thief. Thieves need not be registered anywhere.
 *
 * Progress. push, pop and take_oldest are wait-free: each failed compare-and-swap means that thieves have taken
 * items, of which there are no more meanwhile. A steal is lock-free, as in dq_bwos.h. Nobody who stalls keeps others,
 * but for an owner, who keeps what it withholds.
 *
 * Linearization points. push: [B1]. pop of a held item: [D1]; of the first of several: [W4] or [W5]; DQ_EMPTY: the
 * load of its own block's word. steal: [W3]; DQ_EMPTY: [B2]. take_oldest: [D1], [W3], [W5] of each part.
 *
 * Reclamation: none needed, nothing is freed before destroy. ABA: see the other file.
 *
 * Rejected: copying what is held out of the ring each time (a load and a store an item); thieves before the owner, at
 * the very oldest item (then the owner's pops need a compare-and-swap each).
 */
#ifndef STEALYARD_QUEUES_DQ_BWOS_FIFO_H
#define STEALYARD_QUEUES_DQ_BWOS_FIFO_H

#include "queues/dq_bwos_block.h"

static inline int dq_bwos_fifo_create(struct dq **out, const struct dq_config *config) {
    return dq_bwos_create_as(out, config, DQ_FIFO);
}

SY_INLINE enum dq_status dq_bwos_fifo_push(struct dq *deque, struct sy_node *item) {
    return dq_bwos_push_as(deque, item, DQ_FIFO);
}

/* Nothing is held: takes all that is left of the oldest block. False: there are no items. */
static inline bool dq_bwos_fifo_hold(struct dq_bwos *d) {
    for (;;) {
        uint64_t word, oldest = dq_bwos_oldest(d, &word), bottom = au64_load_relaxed(&d->bottom); /* [B0] */
        bool own = dq_bwos_is_own(word);
        uint64_t left = own ? bottom - oldest : d->size - dq_bwos_from(word);
        au64_store_release(&d->held, left); /* [D1] */
        if (left == 0) {
            return false;
        }
        d->held_block = dq_bwos_slot(d, oldest - dq_bwos_from(word));
        d->held_end = dq_bwos_slot(d, oldest) + left;
        if (own) {
            d->floor = bottom;
            au64_store_release(dq_bwos_word(d, d->end - d->size), word + left); /* [W5] */
            return true;
        }
        if (au64_cas_acq_rel(dq_bwos_word(d, oldest), &word, word + left)) { /* [W4] */
            return true;
        }
    }
}

SY_INLINE enum dq_status dq_bwos_fifo_pop(struct dq *deque, struct sy_node **out) {
    struct dq_bwos *d = dq_bwos_of(deque);
    if (au64_load_relaxed(&d->held) == 0 && !dq_bwos_fifo_hold(d)) { /* [B0] */
        return DQ_EMPTY;
    }
    uint64_t held = au64_load_relaxed(&d->held);                    /* [B0] */
    *out = (struct sy_node *)aptr_load_relaxed(d->held_end - held); /* [S3] */
    au64_store_release(&d->held, held - 1);                         /* [D1] */
    return DQ_OK;
}

static inline size_t dq_bwos_fifo_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct dq_bwos *d = dq_bwos_of(deque);
    uint64_t word, held = au64_load_relaxed(&d->held);                                 /* [B0] */
    uint64_t length = held + au64_load_relaxed(&d->bottom) - dq_bwos_oldest(d, &word); /* [B0] */
    uint64_t half = length - length / 2;
    size_t wanted = half < max ? (size_t)half : max;
    size_t n = held < wanted ? (size_t)held : wanted;
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct sy_node *)aptr_load_relaxed(d->held_end - held + i); /* [S3] */
    }
    au64_store_release(&d->held, held - n); /* [D1] */
    return n + dq_bwos_take_blocks(d, items + n, wanted - n);
}

SY_INLINE enum dq_status dq_bwos_fifo_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                            size_t *moved) {
    return dq_bwos_steal_as(victim, thief, max, out, moved, DQ_FIFO);
}

SY_INLINE bool dq_bwos_fifo_is_empty(const struct dq *deque) {
    return dq_bwos_is_empty_as(deque, DQ_FIFO);
}

SY_INLINE size_t dq_bwos_fifo_length(const struct dq *deque) {
    return dq_bwos_length_as(deque, DQ_FIFO);
}

__attribute__((unused)) static const struct dq_ops dq_bwos_fifo_ops = {
    .name = "dq_bwos_fifo",
    .summary = "ring of blocks; the owner pops from a block that it has taken whole, thieves take from those behind it",
    .source = "Wang, Trach, Fu et al.: BWoS: Formally Verified Block-based Work Stealing for Parallel Processing, "
              "OSDI 2023",
    .progress = "owner wait-free; thieves lock-free",
    .reclamation = "none needed",
    .cost = "push: no RMW, 3 lines, and 2 more a block; pop: no RMW, 2 lines, and 2 RMWs and 3 lines a block that was "
            "granted; no fences; steal: 1 RMW for up to a block, 1 more a block, 5 lines",
    .caveat = "up to two blocks of items, oldest and newest, are out of thieves' reach until the owner has pushed more",
    .order = DQ_FIFO,
    .bounded = true,
    .withholds = true,
    .create = dq_bwos_fifo_create,
    .destroy = dq_bwos_destroy,
    .push = dq_bwos_fifo_push,
    .pop = dq_bwos_fifo_pop,
    .take_oldest = dq_bwos_fifo_take_oldest,
    .steal = dq_bwos_fifo_steal,
    .is_empty = dq_bwos_fifo_is_empty,
    .length = dq_bwos_fifo_length,
};

#endif
