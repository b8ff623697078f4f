/*
 * Go's run queue: a ring of fixed size, oldest first, of which a thief copies half before it takes it.
 *
 * Source: the Go runtime, proc.go (runqput, runqget, runqgrab, runqsteal, runqputslow). Deviations, beside
 * those of dq_ring.h:
 *   - the indices have 64 bits, 32 there: see ABA;
 *   - a thief that loses its race says DQ_RETRY, and does not try again by itself;
 *   - runnext, the newest goroutine's own place, is not here: the executor's LIFO slot is that, whatever the deque.
 *
 * Contract: dq.h and dq_ring.h; no slot is ever held. DQ_FULL: there are `capacity` items. A thief need not be
 * registered anywhere. DQ_RETRY: somebody, the owner too, took an item between the thief's look and its
 * compare-and-swap.
 *
 * Progress. The owner: wait-free. steal: lock-free. Who stalls, wherever, blocks nobody: until its compare-and-swap a
 * thief has changed nothing but slots of its own ring that are not yet in use.
 *
 * Linearization points: dq_ring.h; a steal that takes [T4]; DQ_EMPTY: the load of tail [T2]. Between [T4] and [T6] the
 * rest of the batch is in neither ring, on its way to the thief.
 *
 * Reclamation: none needed. ABA: dq_ring.h; the index wraps after 2^64 items, 584 years at one a nanosecond. With
 * 32 bits a thief that is preempted between [T1] and [T4] for exactly 2^32 items, some minutes, would take slots that
 * hold others, or none.
 *
 * Memory order: dq_ring.h, and
 *   [T4] the thief's compare-and-swap: release, pairs with [P2]: its [T3] come before what the owner stores there next;
 *        and with [T1], of those who see this head. On failure nothing is read through it
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when [P4], [T1], [T2] or [T6] is relaxed, one of
 * [O2], [B2], [T4] does not release or is no compare-and-swap, or [T3] comes after [T4]. It accepts [P2] and the
 * failures of [O2] and [B2] relaxed: RC11 has no load that sees a store which depends on what follows it.
 *
 * Rejected: claiming before copying (dq_tokio_ring.h: a second read-modify-write, and other thieves are kept out); a
 * copy by way of the stack (Go did so once; the thief's own ring will do).
 */
#ifndef STEALYARD_QUEUES_DQ_GO_RING_H
#define STEALYARD_QUEUES_DQ_GO_RING_H

#include "queues/dq_ring.h"

static inline int dq_go_ring_create(struct dq **out, const struct dq_config *config) {
    return dq_ring_create(out, config, 0);
}

SY_INLINE enum dq_status dq_go_ring_push(struct dq *deque, struct sy_node *item) {
    return dq_ring_push(dq_ring_of(deque), item, 0);
}

SY_INLINE enum dq_status dq_go_ring_pop(struct dq *deque, struct sy_node **out) {
    return dq_ring_pop(dq_ring_of(deque), out, 0);
}

__attribute__((noinline, unused)) static size_t dq_go_ring_take_oldest(struct dq *deque, struct sy_node **items,
                                                                       size_t max) {
    return dq_ring_take_oldest(dq_ring_of(deque), items, max, 0);
}

SY_INLINE enum dq_status dq_go_ring_steal(struct dq *victim_deque, struct dq *thief_deque, size_t max,
                                          struct sy_node **out, size_t *moved) {
    struct dq_ring *victim = dq_ring_of(victim_deque), *thief = dq_ring_of(thief_deque);
    struct dq_ring_look look;
    *moved = 0;
    enum dq_status status = dq_ring_look(victim, &look, 0);
    if (status != DQ_OK) {
        return status;
    }
    uint64_t n = dq_ring_share(look.length, thief, max, 0);
    struct sy_node *oldest = dq_ring_copy(victim, look.head, thief, n);
    if (!au64_cas_release(&victim->head, &look.head, look.head + n)) { /* [T4] */
        return DQ_RETRY;
    }
    dq_ring_publish(thief, n);
    *out = oldest;
    *moved = (size_t)n;
    return DQ_OK;
}

SY_INLINE size_t dq_go_ring_length(const struct dq *deque) {
    return dq_ring_length((const struct dq_ring *)(const void *)deque, 0);
}

SY_INLINE bool dq_go_ring_is_empty(const struct dq *deque) {
    return dq_go_ring_length(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_go_ring_ops = {
    .name = "dq_go_ring",
    .summary = "Go's run queue: a bounded FIFO ring, half of it copied before one compare-and-swap",
    .source = "the Go runtime, proc.go (runqput, runqget, runqgrab)",
    .progress = "owner wait-free; thieves lock-free",
    .reclamation = "none needed",
    .cost = "push: no RMW, no fence, 3 lines; pop: 1 RMW, no fence, 4 lines; steal: 1 RMW a batch, no fence, 2 lines "
            "and the slots of the victim, 2 lines and the slots of its own",
    .caveat = "oldest first for the owner too, so what was just spawned runs with cold caches",
    .order = DQ_FIFO,
    .bounded = true,
    .withholds = false,
    .create = dq_go_ring_create,
    .destroy = dq_ring_destroy,
    .push = dq_go_ring_push,
    .pop = dq_go_ring_pop,
    .take_oldest = dq_go_ring_take_oldest,
    .steal = dq_go_ring_steal,
    .is_empty = dq_go_ring_is_empty,
    .length = dq_go_ring_length,
};

#endif
