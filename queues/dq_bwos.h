/*
 * BWoS, LIFO: the owner at the newest block, thieves at the oldest one. Blocks, words, thieves, the argument and the
 * numbers of the memory order: dq_bwos_block.h.
 *
 * Source: see there. Deviations: there.
 *
 * Contract: dq.h; LIFO for the owner, oldest first for thieves; bounded: push says DQ_FULL at `capacity` items and
 * only then. Blocks of config.block slots, or DQ_BWOS_BLOCK_DEFAULT, or half of the capacity if that is less (one
 * slot with capacity 2). Withholds what is in the owner's own block, up to a block of the newest items: a deque that
 * has never had more than a block gives nothing away. steal moves items of one block, into one block of the thief.
 * Thieves need not be registered anywhere.
 *
 * Progress. push is wait-free: each turn of its look for room sees `low` a block further, at most up to its own. pop
 * is: its compare-and-swap [W6] fails only when a thief has taken some of that block. take_oldest is: likewise. A
 * steal is lock-free: it goes round only if somebody has moved `low`. Nobody who stalls keeps others, but for an
 * owner, who keeps its own block's items.
 *
 * Linearization points. push: [B1]. pop: [B1] of its smaller bottom; DQ_EMPTY: the load that showed `oldest` at
 * bottom, or that earlier one. steal: [W3]; DQ_EMPTY: [B2]. take_oldest: [W3] of each block, [W5] of its own.
 *
 * Reclamation: none needed, nothing is freed before destroy. ABA: see the other file.
 *
 * How pop gets to a block below. Its own block is empty, and `oldest` is less than bottom: so the block that ends at
 * bottom is granted. If thieves leave something of it, it becomes the owner's own by [W6], from where they left off;
 * bottom stays. Items above `oldest` that a thief has read before lose their number by that, so its [W3] fails.
 *
 * Rejected: a takeover by exchange (it would mark a spent block as own, which the thieves must tell apart); two own
 * blocks, so that bursts round a border do not grant and take over by turns (one compare-and-swap for each two pops
 * at worst, and twice as much withheld); thieves ask for a grant (dq_split does that).
 */
#ifndef STEALYARD_QUEUES_DQ_BWOS_H
#define STEALYARD_QUEUES_DQ_BWOS_H

#include "queues/dq_bwos_block.h"

static inline int dq_bwos_create(struct dq **out, const struct dq_config *config) {
    return dq_bwos_create_as(out, config, DQ_LIFO);
}

SY_INLINE enum dq_status dq_bwos_push(struct dq *deque, struct sy_node *item) {
    return dq_bwos_push_as(deque, item, DQ_LIFO);
}

/* The own block is empty: takes over the newest of the granted ones. False: there are no items. */
__attribute__((noinline, unused)) static bool dq_bwos_take_over(struct dq_bwos *d, uint64_t bottom) {
    uint64_t word;
    if (d->oldest_seen == bottom) {
        return false;
    }
    d->oldest_seen = dq_bwos_oldest(d, &word);
    if (d->oldest_seen == bottom) {
        return false;
    }
    struct au64 *below = dq_bwos_word(d, bottom - 1);
    word = au64_load_relaxed(below); /* [W6] */
    do {
        if (dq_bwos_from(word) == d->size) {
            return false;
        }
    } while (!au64_cas_acquire(below, &word, word | DQ_BWOS_OWN)); /* [W6] */
    d->floor = bottom - d->size + dq_bwos_from(word);
    d->end = bottom;
    d->limit = bottom;
    return true;
}

SY_INLINE enum dq_status dq_bwos_pop(struct dq *deque, struct sy_node **out) {
    struct dq_bwos *d = dq_bwos_of(deque);
    uint64_t bottom = au64_load_relaxed(&d->bottom); /* [B0] */
    if (__builtin_expect(bottom == d->floor, 0) && !dq_bwos_take_over(d, bottom)) {
        return DQ_EMPTY;
    }
    *out = (struct sy_node *)aptr_load_relaxed(dq_bwos_slot(d, bottom - 1)); /* [S3] */
    au64_store_relaxed(&d->bottom, bottom - 1);                              /* [B1] */
    return DQ_OK;
}

static inline size_t dq_bwos_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct dq_bwos *d = dq_bwos_of(deque);
    uint64_t word, length = au64_load_relaxed(&d->bottom) - dq_bwos_oldest(d, &word); /* [B0] */
    uint64_t half = length - length / 2;
    return dq_bwos_take_blocks(d, items, half < max ? (size_t)half : max);
}

SY_INLINE enum dq_status dq_bwos_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                       size_t *moved) {
    return dq_bwos_steal_as(victim, thief, max, out, moved, DQ_LIFO);
}

SY_INLINE bool dq_bwos_is_empty(const struct dq *deque) {
    return dq_bwos_is_empty_as(deque, DQ_LIFO);
}

SY_INLINE size_t dq_bwos_length(const struct dq *deque) {
    return dq_bwos_length_as(deque, DQ_LIFO);
}

__attribute__((unused)) static const struct dq_ops dq_bwos_ops = {
    .name = "dq_bwos",
    .summary = "ring of blocks; the owner's own block is private, full ones are granted to thieves",
    .source = "Wang, Trach, Fu et al.: BWoS: Formally Verified Block-based Work Stealing for Parallel Processing, "
              "OSDI 2023",
    .progress = "owner wait-free; thieves lock-free",
    .reclamation = "none needed",
    .cost = "push: no RMW, 3 lines, and 2 more a block; pop: no RMW, 3 lines, and 1 RMW and 2 lines a block that was "
            "granted; no fences; steal: 1 RMW for up to a block, 1 more a block, 5 lines",
    .caveat = "up to a block of the newest items is out of thieves' reach until the owner has pushed more",
    .order = DQ_LIFO,
    .bounded = true,
    .withholds = true,
    .create = dq_bwos_create,
    .destroy = dq_bwos_destroy,
    .push = dq_bwos_push,
    .pop = dq_bwos_pop,
    .take_oldest = dq_bwos_take_oldest,
    .steal = dq_bwos_steal,
    .is_empty = dq_bwos_is_empty,
    .length = dq_bwos_length,
};

#endif
