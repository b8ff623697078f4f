/*
 * Going to sleep and waking others, by the rules of idle.h (no task is left behind) and driver.h (nor the reactor).
 *
 * Wakes skipped because they are provably needless:
 *   - nobody is parked, or somebody searches (idle.h, I1 to I3);
 *   - the last searcher that found a task sees, after it left, that no queue holds another (I3; a runtime that wakes
 *     the next worker without looking pays for a wake-up at the end of every burst);
 *   - a task in the LIFO slot, which no other worker could take;
 *   - tasks that the reactor brings: one decision after the whole batch instead of one for each;
 *   - the reactor's successor, while there is a sentinel.
 */
#ifndef STEALYARD_EXECUTOR_PARK_H
#define STEALYARD_EXECUTOR_PARK_H

#include "executor/worker_put.h"

/* What any worker could take. To be believed only behind a full barrier. */
SY_INLINE bool park_work_visible(struct sy_runtime *runtime, const struct gq_ops *gq, const struct dq_ops *dq) {
    if (!global_is_empty(runtime, gq)) {
        return true;
    }
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        if (!dq->is_empty(runtime->workers[i].deque) || aptr_load_relaxed(&runtime->workers[i].deferred)) {
            return true;
        }
    }
    return false;
}

/* D1 of driver.h, behind a full barrier. */
SY_INLINE bool park_unattended(const struct driver *driver) {
    return au32_load_relaxed(&driver->lock) != DRIVER_BLOCKING && au32_load_relaxed(&driver->sentinel) == 0;
}

/*
 * By a worker that stopped searching, left the reactor, or put tasks where others can take them without telling anyone:
 * wakes one other worker if there is something for it to do. What a deque withholds is offered behind the barrier: one
 * who parked before it may have seen none of this, and would be woken for what it cannot take; who parks later asks.
 */
SY_INLINE void park_propagate(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    fence_seq_cst();
    offer(worker, gq, dq);
    if (idle_wants_wake(&runtime->idle) && (park_work_visible(runtime, gq, dq) || park_unattended(&runtime->driver))) {
        runtime_notify(runtime, worker);
    }
}

/* By a searcher that has a task to run. What else it brought may be out of the other searchers' reach: see offer. */
SY_INLINE void park_found_work(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    worker->searching = false;
    worker->stays = 0;
    if (idle_stop_searching(&worker->runtime->idle) || local_withholds(dq)) {
        park_propagate(worker, gq, dq);
    }
}

/* Sleeps until there is something to do; the worker is on the list of the parked. `block`: it holds the driver. */
void park_sleep(struct worker *worker, bool block);

/* Does not sleep, for something is visible, though perhaps not to be had yet. */
void park_stay(struct worker *worker);

#endif
