/* What a worker takes from its own queues and from the global one. See worker.h for the order and for fairness. */
#ifndef STEALYARD_EXECUTOR_WORKER_TAKE_H
#define STEALYARD_EXECUTOR_WORKER_TAKE_H

#include "executor/park.h"

/* What one of so many workers takes at once: at least one, however wrong the length is. */
SY_INLINE size_t fair_share(const struct sy_runtime *runtime, size_t length) {
    size_t share = length / runtime->config.workers;
    return share < runtime->config.global_batch ? share + 1 : runtime->config.global_batch;
}

SY_INLINE size_t pop_global(struct sy_runtime *runtime, struct sy_node **items, size_t max, const struct gq_ops *gq) {
    size_t n = 0;
    return max > 0 && gq->pop_batch(runtime->global, items, max, &n) == GQ_OK ? n : 0;
}

SY_INLINE size_t pop_overflow(struct sy_runtime *runtime, struct sy_node **items, size_t max) {
    size_t n = 0;
    gq_mutex_pop_batch(runtime->overflow, items, max, &n);
    return n;
}

/* A batch from a global queue and its overflow list. */
static inline size_t pop_both(struct worker *worker, struct sy_node **items, const struct gq_ops *gq) {
    struct sy_runtime *runtime = worker->runtime;
    size_t spilled = gq_mutex_length(runtime->overflow);
    size_t max = fair_share(runtime, gq->length(runtime->global) + spilled);
    if (spilled == 0) {
        return pop_global(runtime, items, max, gq);
    }
    worker->overflow_turn = !worker->overflow_turn;
    size_t n = pop_overflow(runtime, items, (max + worker->overflow_turn) / 2);
    n += pop_global(runtime, items + n, max - n, gq);
    return n > 0 ? n : pop_overflow(runtime, items, max);
}

/* From the global queue, not empty a moment ago: one to run, and a fair share of the rest into the own deque. */
static __attribute__((noinline)) struct sy_task *global_take_batch(struct worker *worker, const struct gq_ops *gq,
                                                                   const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    struct sy_node *items[WORKER_BATCH_MAX];
    size_t n = global_may_refuse(gq) ? pop_both(worker, items, gq)
                                     : pop_global(runtime, items, fair_share(runtime, gq->length(runtime->global)), gq);
    if (n == 0) {
        return NULL;
    }
    counter_add(&worker->counters.global_pops, n);
    for (size_t i = 1; i < n; i++) {
        local_put(worker, items[local_is_lifo(dq) ? n - i : i], gq, dq);
    }
    if (n > 1 && !worker->searching) {
        /* While they were in neither queue, a searcher may have seen nothing and gone to sleep. */
        park_propagate(worker, gq, dq);
    }
    return task_of(items[0]);
}

/* The look comes first: most find nothing, and it is two loads. */
SY_INLINE struct sy_task *global_take(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    return global_is_empty(worker->runtime, gq) ? NULL : global_take_batch(worker, gq, dq);
}

static inline struct sy_task *take_oldest(struct worker *worker, const struct dq_ops *dq) {
    struct sy_node *oldest;
    return dq_take_oldest(dq, worker->deque, &oldest, 1) == 1 ? task_of(oldest) : NULL;
}

/* Every other time the oldest of the own deque, before the LIFO slot even, where it has turns: see look_when_busy. */
static __attribute__((noinline)) struct sy_task *take_overdue(struct worker *worker, const struct dq_ops *dq) {
    worker->oldest_turn = !worker->oldest_turn;
    if (!worker->oldest_turn) {
        return NULL;
    }
    worker->overdue--;
    return take_oldest(worker, dq);
}

/* The stack turned round: oldest first. */
static inline struct sy_node *reversed(struct sy_node *node) {
    struct sy_node *before = NULL;
    while (node) {
        struct sy_node *next = sy_node_next(node);
        sy_node_link(node, before);
        before = node;
        node = next;
    }
    return before;
}

/*
 * Takes the deferred tasks of a worker, its own or a victim's: the oldest to run, the others into the own deque so that
 * they are popped in the order in which they came. `*moved` is how many.
 */
static inline struct sy_task *take_deferred(struct worker *worker, struct worker *from, const struct gq_ops *gq,
                                            const struct dq_ops *dq, size_t *moved) {
    *moved = 0;
    if (!aptr_load_relaxed(&from->deferred)) {
        return NULL;
    }
    struct sy_node *node = aptr_exchange_acquire(&from->deferred, NULL); /* N2 */
    if (!node) {
        return NULL;
    }
    struct sy_node *oldest = NULL;
    if (!local_is_lifo(dq)) {
        oldest = reversed(node);
        node = sy_node_next(oldest);
    }
    for (*moved = 1; node && (oldest || sy_node_next(node)); ++*moved) {
        struct sy_node *next = sy_node_next(node);
        local_put(worker, node, gq, dq);
        node = next;
    }
    worker->yielders = local_is_lifo(dq) ? *moved - 1 : 0;
    return task_of(oldest ? oldest : node);
}

/* The deferred tasks of the worker itself. */
static inline struct sy_task *take_own_deferred(struct worker *worker, const struct gq_ops *gq,
                                                const struct dq_ops *dq) {
    size_t moved;
    struct sy_task *task = take_deferred(worker, worker, gq, dq, &moved);
    if (moved > 1) {
        park_propagate(worker, gq, dq);
    }
    worker->deferred_came = true;
    return task;
}

/* Every k-th tick: housekeeping, and in turn one of the places that an endless supply elsewhere would starve. */
static inline struct sy_task *at_interval(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    reclaim_quiescent();
    worker_tune(worker);
    worker->until_global = worker->global_interval;
    worker->turn = (worker->turn + 1) % 3;
    struct sy_task *task = NULL;
    if (worker->turn == 1) {
        task = take_oldest(worker, dq);
    } else if (worker->turn == 2) {
        /* Only if they had no turn since: otherwise it would be out of turn. */
        task = worker->deferred_came ? NULL : take_own_deferred(worker, gq, dq);
        worker->deferred_came = false;
    }
    return task ? task : global_take(worker, gq, dq);
}

SY_INLINE struct sy_task *take_lifo(struct worker *worker) {
    struct sy_task *task = worker->lifo;
    if (!task) {
        return NULL;
    }
    worker->lifo = NULL;
    if (worker->lifo_polls == worker->runtime->config.lifo_cap) {
        defer(worker, task);
        return NULL;
    }
    worker->lifo_polls++;
    counter_add(&worker->counters.lifo_polls, 1);
    return task;
}

/*
 * Yielders lie at the far end of a deque that is popped newest first, below all that came later; some may have been
 * stolen. They give way to the global queue, which they would otherwise keep out as long as they yield; but after each
 * batch one of them runs. Popped oldest first they have nothing above them: each has one turn, then comes the global
 * queue, before the next.
 */
SY_INLINE struct sy_task *before_yielders(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    size_t length = dq->length(worker->deque);
    if (length > worker->yielders) {
        return NULL;
    }
    worker->yielders = length;
    worker->gave_way = !worker->gave_way;
    return worker->gave_way ? global_take(worker, gq, dq) : NULL;
}

SY_INLINE struct sy_task *take_local(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    if (--worker->until_global == 0) {
        struct sy_task *task = at_interval(worker, gq, dq);
        if (task) {
            return task;
        }
    }
    struct sy_task *task = worker->overdue > 0 ? take_overdue(worker, dq) : NULL;
    if (task || (task = take_lifo(worker))) {
        return task;
    }
    worker->lifo_polls = 0;
    if (worker->yielders > 0) {
        task = before_yielders(worker, gq, dq);
        if (task) {
            return task;
        }
    }
    struct sy_node *node;
    if (dq->pop(worker->deque, &node) == DQ_OK) {
        return task_of(node);
    }
    task = global_take(worker, gq, dq);
    return task ? task : take_own_deferred(worker, gq, dq);
}

#endif
