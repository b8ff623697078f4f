/*
 * The worker's loop, written once. It is ordinary C over two tables of operations; combos_row.c.in calls it with
 * constant tables, so that in each stamped instance every call but the one of the task's body is direct and mostly
 * inlined. The parts: worker_put.h, worker_take.h, worker_search.h, park.h.
 *
 * The order in which a worker looks for a task is the design's: at every k-th tick the global queue; the LIFO slot; its
 * own deque; a batch from the global queue; stealing; the reactor; sleep.
 *
 * Fairness. Four things keep a task from starving, at the far end of a deque that is popped newest first or elsewhere:
 *   - what yields, was woken while it ran, or would exceed the LIFO slot's cap goes to the `deferred` stack, which is
 *     emptied into the deque when that and the global queue are empty, so that it comes after all that was there, in
 *     its own order. As long as a deque that is popped newest first holds only such `yielders`, they take turns with
 *     batches of the global queue;
 *   - at every k-th tick the global queue, the oldest task of the own deque and the deferred ones take turns in coming
 *     first, whatever else goes on being ready;
 *   - where the reactor brings more than is run between two looks, the oldest of the own deque have half of the turns
 *     (seen without: of 10,000 connections of a loaded server 2,000 without an answer for half a minute);
 *   - thieves take the oldest.
 *
 * Cost of a task that is spawned, run once and freed on its worker, detached, with dq_chase_lev: no read-modify-write
 * on the task; two full barriers (the deque's pop, and the publication's in notify), none of them on a line that others
 * write; the lines touched are the task's, the deque's slot and bottom, and the worker's own.
 */
#ifndef STEALYARD_EXECUTOR_WORKER_H
#define STEALYARD_EXECUTOR_WORKER_H

#include "executor/task_state.h"
#include "executor/worker_search.h"

/* ---- running a task ---- */

/* Its first pending poll gives a task a slot. Without memory for one it is polled again until there is some. */
SY_INLINE bool own(struct worker *worker, struct sy_task *task) {
    return task->slot != 0 || owned_add(&worker->runtime->owned, &worker->free_slots, task);
}

SY_INLINE void run(struct worker *worker, struct sy_task *task) {
    if (state_begin(task)) {
        task_cancel(task);
        return;
    }
    struct sy_context *cx = &worker->context;
    cx->waker.data = task;
    cx->task = task;
    cx->budget = worker->runtime->config.budget;
    cx->yielded = false;
    worker->woken = false;
    counter_add(&worker->counters.polls, 1);
    if (task->type->poll(sy_task_future(task), cx) == SY_READY) {
        task_drop_future(task);
        task_complete(task, 0);
        return;
    }
    bool owned = own(worker, task);
    switch (state_end_pending(task, cx->yielded || !owned)) {
    case STATE_IDLE:
        break;
    case STATE_AGAIN:
        counter_add(&worker->counters.yields, 1);
        defer(worker, task);
        break;
    case STATE_CANCEL:
        task_cancel(task);
        break;
    }
}

/* One tick: finds a task and runs it, or sleeps. */
SY_INLINE void worker_tick(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_task *task = take_local(worker, gq, dq);
    if (!task) {
        task = search(worker, gq, dq);
        task = task ? task : park(worker, gq, dq);
        if (!task) {
            return;
        }
    }
    if (worker->searching) {
        park_found_work(worker, gq, dq);
    }
    if (aptr_load_relaxed(&worker->deferred) && idle_wants_wake_now(&worker->runtime->idle)) { /* N3 */
        runtime_notify(worker->runtime, worker);
    }
    if (local_withholds(dq) && au32_load_relaxed(&worker->asked)) {
        answer(worker, gq, dq);
    }
    run(worker, task);
    if (--worker->until_reactor == 0) {
        look_when_busy(worker, gq, dq);
    }
}

SY_INLINE void worker_loop(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    while (!runtime_closed(worker->runtime)) {
        worker_tick(worker, gq, dq);
    }
}

/* ---- the end ---- */

/* With every worker out of its loop: a task that is in a queue of `worker` (may be NULL) or in the global one. NULL: none is. */
SY_INLINE struct sy_task *take_any(struct sy_runtime *runtime, struct worker *worker, const struct gq_ops *gq,
                                   const struct dq_ops *dq) {
    struct sy_node *node = NULL;
    if (worker) {
        struct sy_task *task = worker->lifo;
        if (task) {
            worker->lifo = NULL;
            return task;
        }
        node = aptr_load_relaxed(&worker->deferred);
        if (node) {
            aptr_store_relaxed(&worker->deferred, sy_node_next(node));
            return task_of(node);
        }
        if (dq->pop(worker->deque, &node) == DQ_OK) {
            return task_of(node);
        }
    }
    size_t n = 0;
    enum gq_status status;
    enum visit visit = visit_begin(gq);
    do {
        status = gq->pop_batch(runtime->global, &node, 1, &n);
    } while (status == GQ_RETRY);
    visit_end(gq, visit);
    if (n == 0 && global_may_refuse(gq)) {
        n = pop_overflow(runtime, &node, 1);
    }
    return n > 0 ? task_of(node) : NULL;
}

#endif
