/*
 * Where tasks are put: a worker's deque, its deferred stack, the global queue and its overflow list. See worker.h for
 * who comes first.
 *
 * The deferred stack. N1 push, by the owner: cas seq_cst; hands the task over (release) and is I1's publication,
 * ordered before N3. N2 take, by anyone: exchange acquire, of the whole stack, so there is no ABA. N3, before a poll:
 * seq_cst load of the idle word, if something is deferred. N1 and N3 are in one order with the parking worker's I2,
 * like a barrier between them, and cost nothing beyond N1's read-modify-write.
 *
 * Where a global queue refuses a push (it is bounded and full, or found no memory), the task goes to the overflow
 * list, a gq_mutex beside it. Order is kept within each of the two and not between them: once the queue has room
 * again, later pushes go there and may be taken before what was spilled. Every batch takes half from each, and of an
 * odd number each has one more in turn, so neither starves the other however small the batches are.
 *
 * Deques that withhold tasks from thieves (dq.h) would leave them behind one long poll, and workers idle that could run
 * them. So the owner offers half of the deque, by way of the global queue, whenever it has put a task there (or is
 * about to wake somebody, or was asked: worker_search.h) while somebody is idle and the global queue has too few for
 * all. What is left behind a long poll then was put there while everybody was busy, or others found enough: the deque's
 * own price.
 */
#ifndef STEALYARD_EXECUTOR_WORKER_PUT_H
#define STEALYARD_EXECUTOR_WORKER_PUT_H

#include "executor/runtime.h"

#define WORKER_BATCH_MAX 256 /* tasks moved at once, at most; on the stack */

SY_INLINE struct sy_task *task_of(struct sy_node *node) {
    return (struct sy_task *)node;
}

SY_INLINE bool global_is_empty(const struct sy_runtime *runtime, const struct gq_ops *gq) {
    return gq->is_empty(runtime->global) && (!global_may_refuse(gq) || gq_mutex_is_empty(runtime->overflow));
}

/*
 * Into the global queue, without telling anyone. Returns how many had to go to the overflow list. A visit, because a
 * worker's deque may overflow while it waits in the reactor.
 */
SY_INLINE size_t global_put(struct sy_runtime *runtime, struct sy_node *const *items, size_t n,
                            const struct gq_ops *gq) {
    size_t pushed = 0;
    enum visit visit = visit_begin(gq);
    gq->push_batch(runtime->global, items, n, &pushed);
    visit_end(gq, visit);
    if (global_may_refuse(gq) && pushed < n) {
        size_t rest = 0;
        gq_mutex_push_batch(runtime->overflow, items + pushed, n - pushed, &rest);
    }
    return n - pushed;
}

/*
 * The deque is full: its older half and the new task go to the global queue in one batch; the new task alone where
 * thieves hold all the slots right now.
 */
static __attribute__((noinline)) void local_overflow(struct worker *worker, struct sy_node *item,
                                                     const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_node *moved[WORKER_BATCH_MAX];
    size_t n = dq_take_oldest(dq, worker->deque, moved, WORKER_BATCH_MAX - 1);
    moved[n++] = item;
    counter_add(&worker->counters.spills, global_put(worker->runtime, moved, n, gq));
    counter_add(&worker->counters.overflows, n);
}

/* Into the worker's own deque, without telling anyone. */
SY_INLINE void local_put(struct worker *worker, struct sy_node *item, const struct gq_ops *gq,
                         const struct dq_ops *dq) {
    if (dq->push(worker->deque, item) != DQ_OK) {
        local_overflow(worker, item, gq, dq);
    }
}

SY_INLINE void defer(struct worker *worker, struct sy_task *task) {
    void *top = aptr_load_relaxed(&worker->deferred);
    do {
        sy_node_link(&task->node, top);
    } while (!aptr_cas_seq_cst(&worker->deferred, &top, &task->node)); /* N1 */
}

static __attribute__((noinline)) void offer_half(struct worker *worker, const struct gq_ops *gq,
                                                 const struct dq_ops *dq) {
    struct sy_node *moved[WORKER_BATCH_MAX];
    size_t n = dq_take_oldest(dq, worker->deque, moved, worker->runtime->config.steal_batch);
    if (n > 0) {
        counter_add(&worker->counters.spills, global_put(worker->runtime, moved, n, gq));
        counter_add(&worker->counters.offers, n);
        fence_seq_cst(); /* I1: they were published a second time */
    }
}

/*
 * What a deque withholds, half of it, goes where others can take it, if somebody is idle and may find nothing there.
 * As many tasks there as workers are enough for all. Fewer may be on their way out already: is_empty does not tell.
 */
SY_INLINE void offer(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    if (local_withholds(dq) && idle_somebody(&worker->runtime->idle) && !dq->is_empty(worker->deque) &&
        gq->length(worker->runtime->global) < worker->runtime->config.workers) {
        offer_half(worker, gq, dq);
    }
}

/* A task that became ready on this worker. */
SY_INLINE void schedule_local(struct worker *worker, struct sy_task *task, const struct gq_ops *gq,
                              const struct dq_ops *dq) {
    worker->brought = true;
    if (worker->runtime->config.lifo_cap > 0) {
        struct sy_task *displaced = worker->lifo;
        worker->lifo = task;
        if (!displaced) {
            return;
        }
        task = displaced;
    }
    local_put(worker, &task->node, gq, dq);
    if (!worker->in_driver) {
        fence_seq_cst(); /* I1 */
        offer(worker, gq, dq);
        if (idle_wants_wake(&worker->runtime->idle)) {
            runtime_notify(worker->runtime, worker);
        }
    }
}

/* A task from a thread that is no worker of this runtime. */
SY_INLINE void schedule_global(struct sy_runtime *runtime, struct sy_task *task, const struct gq_ops *gq) {
    enum visit visit = visit_begin(gq);
    enum gq_status status = gq->push(runtime->global, &task->node);
    visit_end(gq, visit);
    if (global_may_refuse(gq) && status != GQ_OK) {
        gq_mutex_push(runtime->overflow, &task->node);
        au64_fetch_add_relaxed(&runtime->outside_spills, 1);
    }
    fence_seq_cst(); /* I1 */
    if (idle_wants_wake(&runtime->idle)) {
        runtime_notify(runtime, NULL);
    }
}

#endif
