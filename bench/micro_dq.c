/*
 * Deques: the owner alone at several depths, growing, or polling in vain; and an owner with thieves.
 *
 * An operation is an item that came out, by whomever; of the empty polls, a poll. The owner with thieves pushes bursts
 * and pops half of each; a thief takes up to half of what there is into a deque of its own and empties that.
 */
#include "bench/micro_dq.h"

#include <stdlib.h>

#include "bench/micro_list.h"
#include "queues/dq_list.h"

enum { ROUND = 1024, BURST = 64 };

/* Pushes up to `n`; returns how many went in. */
SY_INLINE size_t push_some(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self, size_t n) {
    size_t pushed = 0;
    for (; pushed < n; pushed++) {
        struct micro_item *item = micro_pool_next(d->pool, 0);
        if (!item) {
            micro_count(&self->held, 1);
            break;
        }
        if (dq->push(d->deques[0], &item->node) != DQ_OK) {
            micro_pool_take_back(item);
            micro_count(&self->full, 1);
            break;
        }
        d->pool->pushed++;
    }
    return pushed;
}

SY_INLINE void take(struct micro_thread *self, struct sy_node *node) {
    if (!micro_item_take(micro_item_of(node))) {
        self->failure = "an item came out twice";
    }
}

/* Pops up to `n` and works on each; returns how many there were. */
SY_INLINE size_t pop_some(const struct dq_ops *dq, struct dq *deque, struct micro_thread *self, size_t n) {
    size_t popped = 0;
    struct sy_node *node;
    while (popped < n && dq->pop(deque, &node) == DQ_OK) {
        take(self, node);
        popped++;
        micro_work(self);
    }
    return popped;
}

/* ---- the owner alone ---- */

/* Empties a deque that nobody else uses, and sees that the order is the one claimed. */
SY_INLINE void pop_in_order(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct sy_node *node;
        uint64_t expected = dq->order == DQ_LIFO ? d->pool->pushed - i : d->pool->pushed - n + 1 + i;
        if (dq->pop(d->deques[0], &node) != DQ_OK) {
            self->failure = "an item was lost";
            return;
        }
        if (micro_item_of(node)->sequence != expected) {
            self->failure = "the owner's items came out in another order";
        }
        take(self, node);
    }
    micro_count(&self->operations, n);
}

SY_INLINE void owner_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    size_t depth = d->parameters->depth;
    for (size_t done = 0; done < ROUND && !self->failure; done += depth) {
        if (push_some(dq, d, self, depth) < depth) {
            self->failure = "the deque has no room";
            return;
        }
        pop_in_order(dq, d, self, depth);
    }
}

/* A new deque of the smallest capacity, filled and emptied. */
SY_INLINE void growth_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    struct dq_config config = {.capacity = 2, .reclaim = d->reclaim};
    if (dq->create(&d->deques[0], &config) != 0 || push_some(dq, d, self, ROUND) < ROUND) {
        self->failure = "the deque does not grow";
        return;
    }
    pop_in_order(dq, d, self, ROUND);
    dq->destroy(d->deques[0]);
    d->deques[0] = NULL;
}

SY_INLINE void empty_pop_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    for (unsigned i = 0; i < ROUND; i++) {
        struct sy_node *node;
        if (dq->pop(d->deques[0], &node) != DQ_EMPTY) {
            self->failure = "an empty deque is not empty";
        }
    }
    micro_count(&self->operations, ROUND);
}

SY_INLINE void empty_steal_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    for (unsigned i = 0; i < ROUND; i++) {
        struct sy_node *node;
        size_t moved;
        if (dq->steal(d->deques[0], NULL, 1, &node, &moved) != DQ_EMPTY) {
            self->failure = "an empty deque is not empty";
        }
    }
    micro_count(&self->operations, ROUND);
}

/* ---- with thieves ---- */

SY_INLINE void owner_body(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    while (micro_goes_on(self)) {
        size_t pushed = push_some(dq, d, self, BURST);
        size_t popped = pop_some(dq, d->deques[0], self, BURST / 2);
        micro_count(&self->operations, popped);
        if (pushed + popped == 0) {
            micro_pause(self);
        }
        reclaim_quiescent();
    }
}

SY_INLINE void thief_body(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    struct dq *own = d->deques[self->index];
    while (micro_goes_on(self)) {
        struct sy_node *node;
        size_t moved = 0;
        enum dq_status status = dq->steal(d->deques[0], own, d->parameters->batch, &node, &moved);
        if (status == DQ_OK) {
            take(self, node);
            micro_work(self);
            size_t n = 1 + pop_some(dq, own, self, SIZE_MAX);
            micro_count(&self->stolen, n);
            micro_count(&self->operations, n);
        } else {
            micro_count(status == DQ_EMPTY ? &self->empty : &self->retry, 1);
            micro_pause(self);
        }
        reclaim_quiescent();
    }
}

SY_INLINE void thieves_body(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    reclaim_register_thread();
    if (self->role == 0) {
        owner_body(dq, d, self);
    } else {
        thief_body(dq, d, self);
    }
    reclaim_unregister_thread();
}

/* ---- for every deque ---- */

#define DQ_STAMP_ONE(name, what)                                                                                       \
    static void name##_##what(void *d, struct micro_thread *self) {                                                    \
        what(&name##_ops, (struct micro_deque *)d, self);                                                              \
    }
#define DQ_STAMP(name)                                                                                                 \
    DQ_STAMP_ONE(name, owner_round)                                                                                    \
    DQ_STAMP_ONE(name, growth_round)                                                                                   \
    DQ_STAMP_ONE(name, empty_pop_round)                                                                                \
    DQ_STAMP_ONE(name, empty_steal_round)                                                                              \
    DQ_STAMP_ONE(name, thieves_body)                                                                                   \
    static const struct micro_deque_bodies name##_bodies = {                                                           \
        &name##_ops,        name##_owner_round, name##_growth_round, name##_empty_pop_round, name##_empty_steal_round, \
        name##_thieves_body};
DQ_LIST(DQ_STAMP)

void micro_dq_add(void) {
#define DQ_ADD(name) micro_deque_add(&name##_bodies);
    DQ_LIST(DQ_ADD)
#undef DQ_ADD
}
