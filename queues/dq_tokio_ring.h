/*
 * Tokio's local run queue: a ring of fixed size, oldest first, with two heads, so that a thief takes half in two steps:
 * it claims the items, copies them, and then lets go of their slots.
 *
 * Source: tokio, runtime/scheduler/multi_thread/queue.rs, since 2020 (pull request 2315). Defects that it had, and that
 * are avoided here: a thief's own ring counted as free what another thief was still reading there (tokio 2387:
 * dq_ring_room counts held slots); indices of 16 bits that wrapped within a preemption (tokio 5041: see ABA).
 * Deviations, beside those of dq_ring.h:
 *   - of the two heads the word holds the real one and how many slots before it are held, which is their difference:
 *     the index has 55 bits at 256 slots instead of 32, and a thief lets go by one fetch-and-and instead of a loop;
 *   - a thief that finds another at work says so: DQ_RETRY if there are items besides those, else DQ_EMPTY;
 *   - a thief whose own ring is more than half full takes what fits, and does not give up.
 *
 * Contract: dq.h and dq_ring.h. One thief at a time. DQ_FULL: items and held slots together are `capacity`; so with a
 * thief in the middle of a steal push may say so though there are few items, even none. Take_oldest gives nothing as
 * long as there is such a thief: an executor then passes on the new item alone. A thief need not be registered
 * anywhere. DQ_RETRY: another thief is at work on a ring in which there are more items, or somebody took one between
 * the thief's look and its compare-and-swap.
 *
 * Progress. The owner: wait-free, also while a thief stalls; but one that stalls between [T4] and [T5] costs it the
 * held slots, and those behind them as it pops, until push finds the ring full. Thieves: one that stalls there keeps
 * the others out (DQ_RETRY, without end); so steal is not lock-free. It never waits for anybody itself.
 *
 * Linearization points: dq_ring.h; a steal that takes [T4]; DQ_EMPTY: the load of tail [T2]. Between [T4] and [T6] the
 * batch is in neither ring, on its way to the thief.
 *
 * Reclamation: none needed. ABA: dq_ring.h; no value of head comes back before the index wraps: held returns to 0 by
 * [T5] only, and the next claim moves the index. It wraps after 2^(63 - log2 capacity) items: 2^55 at 256 slots, 417
 * days at one a nanosecond, for all of which a thief would have to be stalled between [T1] and [T4], and to wake up at
 * exactly that item. At 2^30 slots, the most there can be, it is 9 seconds.
 *
 * Memory order: dq_ring.h, and
 *   [T4] the claim, a compare-and-swap: release, pairs with [T1] of those who see this head. The copies [T3] that
 *        follow may be done early, from [T2] on: if it succeeds, the slots were not written since
 *   [T5] the thief lets go, by a fetch-and-and that leaves the index as pops have moved it: release, pairs with [P2]:
 *        its [T3] come before what the owner stores there next
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when [P4], [T1], [T2] or [T6] is relaxed, one of
 * [O2], [B2], [T4] does not release or is no compare-and-swap, [T5] is missing, or the slots that a claim holds, and a
 * pop behind it, are lost sight of. It accepts [P2], [T5] and the failures of [O2] and [B2] relaxed: RC11 has no load
 * that sees a store which depends on what follows it.
 *
 * Rejected: the two heads as indices of 32 bits (the original; it wraps in seconds); a fixed number of bits for what is
 * held (limits the capacity or shortens the index, for a shift by a constant); a theft of one item in one step (an item
 * that is alone is the common case only where stealing is too eager); letting a second thief in behind the first (the
 * slots are free in order only).
 */
#ifndef STEALYARD_QUEUES_DQ_TOKIO_RING_H
#define STEALYARD_QUEUES_DQ_TOKIO_RING_H

#include "queues/dq_ring.h"

static inline int dq_tokio_ring_create(struct dq **out, const struct dq_config *config) {
    unsigned held_bits = 0;
    for (size_t rest = config->capacity; rest > 0; rest /= 2) {
        held_bits++;
    }
    return dq_ring_create(out, config, held_bits);
}

SY_INLINE enum dq_status dq_tokio_ring_push(struct dq *deque, struct sy_node *item) {
    struct dq_ring *d = dq_ring_of(deque);
    return dq_ring_push(d, item, d->held_bits);
}

SY_INLINE enum dq_status dq_tokio_ring_pop(struct dq *deque, struct sy_node **out) {
    struct dq_ring *d = dq_ring_of(deque);
    return dq_ring_pop(d, out, d->held_bits);
}

__attribute__((noinline, unused)) static size_t dq_tokio_ring_take_oldest(struct dq *deque, struct sy_node **items,
                                                                          size_t max) {
    struct dq_ring *d = dq_ring_of(deque);
    return dq_ring_take_oldest(d, items, max, d->held_bits);
}

SY_INLINE enum dq_status dq_tokio_ring_steal(struct dq *victim_deque, struct dq *thief_deque, size_t max,
                                             struct sy_node **out, size_t *moved) {
    struct dq_ring *victim = dq_ring_of(victim_deque), *thief = dq_ring_of(thief_deque);
    const unsigned held_bits = victim->held_bits;
    struct dq_ring_look look;
    *moved = 0;
    enum dq_status status = dq_ring_look(victim, &look, held_bits);
    if (status != DQ_OK) {
        return status;
    }
    if (dq_ring_held(look.head, held_bits) > 0) {
        return DQ_RETRY;
    }
    uint64_t index = look.head >> held_bits;
    uint64_t n = dq_ring_share(look.length, thief, max, thief ? thief->held_bits : 0);
    if (!au64_cas_release(&victim->head, &look.head, look.head + (n << held_bits) + n)) { /* [T4] */
        return DQ_RETRY;
    }
    *out = dq_ring_copy(victim, index, thief, n);
    au64_fetch_and_release(&victim->head, ~(((uint64_t)1 << held_bits) - 1)); /* [T5] */
    dq_ring_publish(thief, n);
    *moved = (size_t)n;
    return DQ_OK;
}

SY_INLINE size_t dq_tokio_ring_length(const struct dq *deque) {
    const struct dq_ring *d = (const struct dq_ring *)(const void *)deque;
    return dq_ring_length(d, d->held_bits);
}

SY_INLINE bool dq_tokio_ring_is_empty(const struct dq *deque) {
    return dq_tokio_ring_length(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_tokio_ring_ops = {
    .name = "dq_tokio_ring",
    .summary = "tokio's local queue: a bounded FIFO ring with two heads, half of it stolen in two steps",
    .source = "tokio, runtime/scheduler/multi_thread/queue.rs, since 2020",
    .progress = "owner wait-free; a thief that stalls in the middle keeps other thieves out",
    .reclamation = "none needed",
    .cost = "push: no RMW, no fence, 3 lines; pop: 1 RMW, no fence, 4 lines; steal: 2 RMWs a batch, no fence, 2 lines "
            "and the slots of the victim, 2 lines and the slots of its own",
    .caveat = "one thief at a time; one that stalls in the middle also makes the deque look full",
    .order = DQ_FIFO,
    .bounded = true,
    .withholds = false,
    .create = dq_tokio_ring_create,
    .destroy = dq_ring_destroy,
    .push = dq_tokio_ring_push,
    .pop = dq_tokio_ring_pop,
    .take_oldest = dq_tokio_ring_take_oldest,
    .steal = dq_tokio_ring_steal,
    .is_empty = dq_tokio_ring_is_empty,
    .length = dq_tokio_ring_length,
};

#endif
