/*
 * What is timed of a deque: the owner alone at several depths, growing, or polling in vain; an owner with thieves; and
 * one theft after another with nobody in its way. The loops are written once over an ops struct that is known where
 * they are stamped out, as in micro_queue.h.
 *
 * An operation is an item that came out, by whomever; of the empty polls, a poll; of the thefts, a theft. The owner
 * with thieves pushes bursts and pops half of each; a thief takes up to half of what there is into a deque of its own
 * and empties that, as a worker of the executor does. An owner who finds the deque full pops on; the executor would
 * move half of it into the global queue, which is none of the deque's cost.
 */
#ifndef STEALYARD_BENCH_MICRO_DEQUE_H
#define STEALYARD_BENCH_MICRO_DEQUE_H

#include "bench/micro_count.h"
#include "bench/micro_item.h"
#include "queues/dq.h"
#include "queues/reclaim.h"

struct micro_deque {
    const struct micro_parameters *parameters;
    struct reclaim *reclaim;
    struct dq **deques; /* by thread; the owner's is the first */
    /* Pools: of an owner alone one, of an owner with thieves several, of threads that share nothing one each. */
    struct micro_items items;
    unsigned pool;               /* the one that an owner with thieves is at */
    struct micro_counted thefts; /* what they took by themselves, where it is counted */
};

typedef void micro_deque_body(void *deque, struct micro_thread *self);

/* The loops of one implementation. */
struct micro_deque_bodies {
    const struct dq_ops *ops;
    micro_deque_body *owner, *growth, *empty_pop, *empty_steal, *theft; /* one round */
    micro_deque_body *thieves, *latency;                                /* until the team stops */
};

/* Adds the cases of an implementation; `bodies` stays. */
void micro_deque_add(const struct micro_deque_bodies *bodies);

/* Runs, for who has a case of his own; and a case of thieves under a name, with each grain and `n` for its threads. */
void micro_deque_owner(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result);
void micro_deque_thieves(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result);
void micro_deque_add_grains(const struct micro_case *thieves, const char *name, unsigned n, unsigned processors);

enum { MICRO_DEQUE_ROUND = 1024, MICRO_DEQUE_BURST = 64, MICRO_DEQUE_POOLS = 8 };

/* Pushes up to `n` of the pool's next items into the thread's own deque; returns how many went in. */
SY_INLINE size_t micro_deque_push_from(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self,
                                       unsigned pool, size_t n) {
    struct dq *deque = d->deques[self->index];
    size_t pushed = 0;
    for (; pushed < n && micro_pool_ready(&d->items, pool, 1) > 0; pushed++) {
        if (dq->push(deque, &micro_pool_next(&d->items, pool)->node) != DQ_OK) {
            micro_count(&self->full, 1);
            break;
        }
        d->items.pools[pool].pushed++;
    }
    return pushed;
}

/* The owner's, where it has one pool. */
SY_INLINE size_t micro_deque_push(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self, size_t n) {
    return micro_deque_push_from(dq, d, self, 0, n);
}

SY_INLINE void micro_deque_take(struct micro_deque *d, struct micro_thread *self, struct sy_node *node) {
    if (micro_items_take(&d->items, self->index, &node, 1) == MICRO_STRANGER) {
        self->failure = "something came out that was never pushed";
    }
}

/* Pops up to `n` from the deque of that index and works on each; returns how many there were. */
SY_INLINE size_t micro_deque_pop_from(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self,
                                      unsigned index, size_t n) {
    struct dq *deque = d->deques[index];
    size_t popped = 0;
    struct sy_node *node;
    while (popped < n && dq->pop(deque, &node) == DQ_OK) {
        micro_deque_take(d, self, node);
        popped++;
        micro_work(self);
    }
    return popped;
}

/* From the thread's own. */
SY_INLINE size_t micro_deque_pop(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self, size_t n) {
    return micro_deque_pop_from(dq, d, self, self->index, n);
}

/* ---- the owner alone ---- */

/* Empties a deque that nobody else uses, and sees that the order is the one claimed. */
SY_INLINE void micro_deque_pop_in_order(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self,
                                        size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct sy_node *node;
        uint64_t pushed = d->items.pools[0].pushed;
        uint64_t expected = dq->order == DQ_LIFO ? pushed - 1 - i : pushed - n + i;
        if (dq->pop(d->deques[0], &node) != DQ_OK) {
            self->failure = "an item was lost";
            return;
        }
        if (micro_item_of(node) != micro_item_at(&d->items, 0, expected)) {
            self->failure = "the owner's items came out in another order";
        }
        micro_deque_take(d, self, node);
    }
    micro_count(&self->operations, n);
}

SY_INLINE void micro_deque_owner_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    size_t depth = d->parameters->depth;
    for (size_t done = 0; done < MICRO_DEQUE_ROUND && !self->failure; done += depth) {
        if (micro_deque_push(dq, d, self, depth) < depth) {
            self->failure = "the deque has no room";
            return;
        }
        micro_deque_pop_in_order(dq, d, self, depth);
    }
}

/* A new deque of the smallest capacity, filled and emptied. */
SY_INLINE void micro_deque_growth_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    struct dq_config config = {.capacity = 2, .reclaim = d->reclaim};
    if (dq->create(&d->deques[0], &config) != 0 ||
        micro_deque_push(dq, d, self, MICRO_DEQUE_ROUND) < MICRO_DEQUE_ROUND) {
        self->failure = "the deque does not grow";
        return;
    }
    micro_deque_pop_in_order(dq, d, self, MICRO_DEQUE_ROUND);
    dq->destroy(d->deques[0]);
    d->deques[0] = NULL;
}

SY_INLINE void micro_deque_empty_pop_round(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    for (unsigned i = 0; i < MICRO_DEQUE_ROUND; i++) {
        struct sy_node *node;
        if (dq->pop(d->deques[0], &node) != DQ_EMPTY) {
            self->failure = "an empty deque is not empty";
        }
    }
    micro_count(&self->operations, MICRO_DEQUE_ROUND);
}

SY_INLINE void micro_deque_empty_steal_round(const struct dq_ops *dq, struct micro_deque *d,
                                             struct micro_thread *self) {
    for (unsigned i = 0; i < MICRO_DEQUE_ROUND; i++) {
        struct sy_node *node;
        size_t moved;
        if (dq->steal(d->deques[0], NULL, 1, &node, &moved) != DQ_EMPTY) {
            self->failure = "an empty deque is not empty";
        }
    }
    micro_count(&self->operations, MICRO_DEQUE_ROUND);
}

/* ---- owner and thief in one thread ---- */

/* So many of so many pushed are stolen. A deque that withholds items may want its owner to go on before giving any. */
enum { MICRO_DEQUE_PUSHED = 64, MICRO_DEQUE_STOLEN = 32, MICRO_DEQUE_TURNS = 64 };

/* steal, not inlined: callgrind counts by function. */
typedef enum dq_status micro_deque_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                         size_t *moved);

/* Steals up to `n` into the other deque and pops them; returns how many it were. Only what steal does is counted. */
SY_INLINE size_t micro_deque_steal_alone(const struct dq_ops *dq, micro_deque_steal *steal, struct micro_deque *d,
                                         struct micro_thread *self, size_t n) {
    struct sy_node *node;
    struct micro_counted now;
    size_t moved = 0;
    micro_counted_start(&now);
    enum dq_status status = steal(d->deques[0], d->deques[1], n, &node, &moved);
    micro_counted_pause(&now);
    micro_counted_add(&d->thefts, &now);
    if (status != DQ_OK) {
        self->failure = status == DQ_EMPTY ? "a deque with items is empty" : self->failure;
        micro_count(&self->retry, 1);
        return 0;
    }
    micro_deque_take(d, self, node);
    if (1 + micro_deque_pop_from(dq, d, self, 1, SIZE_MAX) != moved || moved > n) {
        self->failure = "a theft moved more items than it may, or another number than it said";
    }
    micro_count(&self->operations, 1);
    micro_count(&self->stolen, moved);
    return moved;
}

/* The owner pushes, the thief steals, the owner pops what is left. */
SY_INLINE void micro_deque_theft_round(const struct dq_ops *dq, micro_deque_steal *steal, struct micro_deque *d,
                                       struct micro_thread *self) {
    for (size_t done = 0; done < MICRO_DEQUE_ROUND && !self->failure; done += MICRO_DEQUE_PUSHED) {
        size_t pushed = micro_deque_push(dq, d, self, MICRO_DEQUE_PUSHED), stolen = 0;
        for (unsigned turns = 0; stolen < MICRO_DEQUE_STOLEN && turns < MICRO_DEQUE_TURNS; turns++) {
            size_t moved = micro_deque_steal_alone(dq, steal, d, self, d->parameters->batch);
            stolen += moved;
            if (moved == 0) {
                pushed -= micro_deque_pop_from(dq, d, self, 0, 1);
                pushed += micro_deque_push(dq, d, self, 1);
            }
        }
        size_t left = micro_deque_pop_from(dq, d, self, 0, SIZE_MAX);
        if (self->failure) {
            return;
        }
        if (stolen == 0) {
            self->failure = "a theft that nobody disturbs fails for ever";
        } else if (pushed < MICRO_DEQUE_PUSHED) {
            self->failure = "the deque has no room";
        } else if (stolen + left != pushed) {
            self->failure = "another number of items came out than was pushed";
        }
    }
}

/* ---- with thieves ---- */

/*
 * The pool that the owner goes on with: the one that it is at, or the next that has something. One alone would do if
 * nobody ever lost its processor: who does keeps what he stole, and a half of which one item is out cannot be entered.
 */
SY_INLINE unsigned micro_deque_pool(struct micro_deque *d, struct micro_thread *self) {
    for (unsigned i = 0; i < d->items.pools_n; i++) {
        if (micro_pool_ready(&d->items, d->pool, 1) > 0) {
            return d->pool;
        }
        d->pool = (d->pool + 1) % d->items.pools_n;
    }
    micro_count(&self->held, 1);
    return d->pool;
}

SY_INLINE void micro_deque_own(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    while (micro_goes_on(self)) {
        size_t pushed = micro_deque_push_from(dq, d, self, micro_deque_pool(d, self), MICRO_DEQUE_BURST);
        size_t popped = micro_deque_pop(dq, d, self, MICRO_DEQUE_BURST / 2);
        micro_count(&self->operations, popped);
        if (pushed + popped == 0) {
            micro_pause(self);
        }
        reclaim_quiescent();
    }
}

SY_INLINE void micro_deque_thieve(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    struct dq *own = d->deques[self->index];
    while (micro_goes_on(self)) {
        struct sy_node *node;
        size_t moved = 0;
        enum dq_status status = dq->steal(d->deques[0], own, d->parameters->batch, &node, &moved);
        if (status == DQ_OK) {
            micro_deque_take(d, self, node);
            micro_work(self);
            size_t n = 1 + micro_deque_pop(dq, d, self, SIZE_MAX);
            micro_count(&self->stolen, n);
            micro_count(&self->operations, n);
        } else {
            micro_count(status == DQ_EMPTY ? &self->empty : &self->retry, 1);
            micro_pause(self);
        }
        reclaim_quiescent();
    }
}

/*
 * By a schedule. The owner pushes one item at each time, late ones at once, and takes none back: it stays in a long
 * task. The latency is from the intended push to the start by a thief, right after the theft or out of his own deque.
 */
SY_INLINE void micro_deque_own_on_time(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    uint64_t interval_ns = 1000000000u / d->parameters->rate_hz;
    uint64_t intended_ns = micro_now_ns();
    while (micro_goes_on(self)) {
        reclaim_quiescent();
        if (micro_now_ns() < intended_ns) {
            micro_pause(self);
            continue;
        }
        unsigned pool = micro_deque_pool(d, self);
        if (micro_pool_ready(&d->items, pool, 1) > 0) {
            micro_pool_next(&d->items, pool)->intended_ns = intended_ns;
        }
        if (micro_deque_push_from(dq, d, self, pool, 1) > 0) {
            intended_ns += interval_ns;
        } else {
            micro_pause(self);
        }
    }
}

SY_INLINE void micro_deque_start(struct micro_deque *d, struct micro_thread *self, struct sy_node *node) {
    if (micro_phase(self) == MICRO_MEASURE) {
        latency_record(self->latency, micro_now_ns() - micro_item_of(node)->intended_ns);
    }
    micro_deque_take(d, self, node);
    micro_count(&self->operations, 1);
}

SY_INLINE void micro_deque_thieve_on_time(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    struct dq *own = d->deques[self->index];
    while (micro_goes_on(self)) {
        struct sy_node *node;
        size_t moved = 0;
        enum dq_status status = dq->steal(d->deques[0], own, d->parameters->batch, &node, &moved);
        if (status == DQ_OK) {
            do {
                micro_deque_start(d, self, node);
            } while (dq->pop(own, &node) == DQ_OK);
            micro_count(&self->stolen, moved);
        } else {
            micro_count(status == DQ_EMPTY ? &self->empty : &self->retry, 1);
            micro_pause(self);
        }
        reclaim_quiescent();
    }
}

SY_INLINE void micro_deque_contest_on_time(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    reclaim_register_thread();
    if (self->role == 0) {
        micro_deque_own_on_time(dq, d, self);
    } else {
        micro_deque_thieve_on_time(dq, d, self);
    }
    reclaim_unregister_thread();
}

SY_INLINE void micro_deque_contest(const struct dq_ops *dq, struct micro_deque *d, struct micro_thread *self) {
    reclaim_register_thread();
    if (self->role == 0) {
        micro_deque_own(dq, d, self);
    } else {
        micro_deque_thieve(dq, d, self);
    }
    reclaim_unregister_thread();
}

/* ---- for every deque ---- */

/* Defines name##_bodies of `const struct dq_ops name##_ops`. */
#define MICRO_DEQUE_STAMP(name)                                                                                        \
    static void name##_owner(void *d, struct micro_thread *self) {                                                     \
        micro_deque_owner_round(&name##_ops, (struct micro_deque *)d, self);                                           \
    }                                                                                                                  \
    static void name##_growth(void *d, struct micro_thread *self) {                                                    \
        micro_deque_growth_round(&name##_ops, (struct micro_deque *)d, self);                                          \
    }                                                                                                                  \
    static void name##_empty_pop(void *d, struct micro_thread *self) {                                                 \
        micro_deque_empty_pop_round(&name##_ops, (struct micro_deque *)d, self);                                       \
    }                                                                                                                  \
    static void name##_empty_steal(void *d, struct micro_thread *self) {                                               \
        micro_deque_empty_steal_round(&name##_ops, (struct micro_deque *)d, self);                                     \
    }                                                                                                                  \
    static __attribute__((noinline)) enum dq_status name##_steal_alone(                                                \
        struct dq *victim, struct dq *thief, size_t max, struct sy_node **out, size_t *moved) {                        \
        return name##_ops.steal(victim, thief, max, out, moved);                                                       \
    }                                                                                                                  \
    static void name##_theft(void *d, struct micro_thread *self) {                                                     \
        micro_deque_theft_round(&name##_ops, name##_steal_alone, (struct micro_deque *)d, self);                       \
    }                                                                                                                  \
    static void name##_thieves(void *d, struct micro_thread *self) {                                                   \
        micro_deque_contest(&name##_ops, (struct micro_deque *)d, self);                                               \
    }                                                                                                                  \
    static void name##_latency(void *d, struct micro_thread *self) {                                                   \
        micro_deque_contest_on_time(&name##_ops, (struct micro_deque *)d, self);                                       \
    }                                                                                                                  \
    static const struct micro_deque_bodies name##_bodies = {&name##_ops,      name##_owner,       name##_growth,       \
                                                            name##_empty_pop, name##_empty_steal, name##_theft,        \
                                                            name##_thieves,   name##_latency};

#endif
