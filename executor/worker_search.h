/*
 * How a worker looks for a task elsewhere, and goes to sleep where it finds none.
 *
 * Work conservation: a worker can be held up by one long poll, so all that waits behind it must be in others' reach.
 * Tasks in the deque are, deferred ones too (thieves take the whole stack); the one in the LIFO slot is not, by design;
 * of what a deque withholds, see worker_put.h.
 *
 * Who finds only what is withheld neither sleeps for good nor keeps looking: it asks the owners and sleeps; each owner
 * looks before each poll whether it was asked (a load of a line that it reads anyway), and then offers half and wakes
 * somebody. While searching, it asks only if the deque itself has not given way after a quarter of the time.
 */
#ifndef STEALYARD_EXECUTOR_WORKER_SEARCH_H
#define STEALYARD_EXECUTOR_WORKER_SEARCH_H

#include "executor/worker_take.h"

#define WORKER_SPIN_PAUSES 16 /* between two looks around while searching */
#define STEAL_TRIES 4         /* of a victim that answers RETRY, in one round */

/* A look at the reactor, or into the worker's slot of it; tasks that it brings are in its own queue. */
void worker_look(struct worker *worker, bool locked);

SY_INLINE uint64_t worker_random(struct worker *worker) {
    uint64_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return worker->random = x;
}

/* Lets the victim know that somebody would run what it withholds. relaxed: A1's barriers, or its next look. */
SY_INLINE void ask(struct worker *victim) {
    if (!au32_load_relaxed(&victim->asked)) {
        au32_store_relaxed(&victim->asked, 1);
    }
}

/*
 * From one victim. One that answers RETRY had something and is asked again, but not for ever: what it has may be
 * withheld, or kept by a thief that stalls. `urgent`: what is withheld is asked for.
 */
SY_INLINE struct sy_task *steal_from(struct worker *worker, struct worker *victim, bool urgent, const struct gq_ops *gq,
                                     const struct dq_ops *dq, size_t *moved) {
    enum dq_status status = DQ_EMPTY;
    struct sy_node *node;
    if (!dq->is_empty(victim->deque)) {
        unsigned tries = local_withholds(dq) && !urgent ? 1 : STEAL_TRIES;
        do {
            status = dq->steal(victim->deque, worker->deque, worker->runtime->config.steal_batch, &node, moved);
        } while (status == DQ_RETRY && --tries > 0);
    }
    if (status == DQ_OK) {
        return task_of(node);
    }
    if (local_withholds(dq) && urgent && status == DQ_RETRY) {
        ask(victim);
    }
    return take_deferred(worker, victim, gq, dq, moved);
}

/* One round over the others, from a random one on. */
static inline struct sy_task *steal(struct worker *worker, bool urgent, const struct gq_ops *gq,
                                    const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    unsigned n = runtime->config.workers;
    unsigned start = (unsigned)((worker_random(worker) >> 32) % n);
    for (unsigned i = 0; i < n; i++) {
        struct worker *victim = &runtime->workers[(start + i) % n];
        size_t moved;
        struct sy_task *task = victim == worker ? NULL : steal_from(worker, victim, urgent, gq, dq, &moved);
        if (task) {
            counter_add(&worker->counters.steals, moved);
            counter_add(&worker->counters.steal_operations, 1);
            return task;
        }
    }
    return NULL;
}

/* Steals the reactor for a look, if it can be stolen. True: that brought tasks to the own queue. */
static inline bool look_at_reactor(struct worker *worker) {
    struct driver *driver = &worker->runtime->driver;
    bool locked = driver_try_lock(driver, DRIVER_LOOKING);
    if (!locked && driver->ops->stealable) {
        driver_flush(driver);
        return false;
    }
    worker->brought = false;
    worker_look(worker, locked);
    if (locked) {
        driver_unlock(driver);
    }
    return worker->brought;
}

/*
 * A busy worker looks at the reactor now and then, so that long queues starve neither sockets nor timers. Nor what it
 * brings the tasks below: where a LIFO deque holds more than is run until the next look, every other one of those is
 * its oldest.
 */
static inline void look_when_busy(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    worker_set_next_look(worker);
    if (look_at_reactor(worker)) {
        if (local_is_lifo(dq) && dq->length(worker->deque) > worker->until_reactor) {
            worker->overdue = worker->until_reactor / 2 + 1;
        }
        park_propagate(worker, gq, dq);
    }
}

/* Looks everywhere, for spin_ns at least; NULL: there is nothing, or enough others are searching. */
static inline struct sy_task *search(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    if (!worker->searching && !idle_start_searching(&runtime->idle)) {
        return NULL;
    }
    worker->searching = true;
    uint64_t until_ns = 0, now_ns = 0;
    for (;;) {
        /* What a deque shares when it is asked comes soon, unless its owner is busy or it never does. */
        bool urgent = until_ns != 0 && until_ns - now_ns < runtime->config.spin_ns / 4 * 3;
        struct sy_task *task = steal(worker, urgent, gq, dq);
        if (!task) {
            task = global_take(worker, gq, dq);
        }
        if (!task && until_ns == 0 && look_at_reactor(worker)) {
            task = take_local(worker, gq, dq);
        }
        if (task || runtime_closed(runtime) || runtime->config.spin_ns == 0) {
            return task;
        }
        now_ns = sy_now_ns();
        if (until_ns == 0) {
            until_ns = now_ns + runtime->config.spin_ns;
        } else if (now_ns >= until_ns) {
            return NULL;
        }
        reclaim_quiescent();
        for (unsigned i = 0; i < WORKER_SPIN_PAUSES; i++) {
            cpu_relax();
        }
    }
}

/*
 * By a worker on the list of the parked: whether there is anything that it could take (I2). Of deques that withhold,
 * only a try can tell: then `*task` is what it brought. A1: who finds nothing and sleeps has let each owner know behind
 * its barrier, and each owner that saw it looks behind one who is parked; an owner never sleeps over a deque with
 * tasks. So one of them wakes this worker, or another, at its next tick at the latest.
 */
SY_INLINE bool park_last_look(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq,
                              struct sy_task **task) {
    if (!local_withholds(dq)) {
        return park_work_visible(worker->runtime, gq, dq);
    }
    if (!global_is_empty(worker->runtime, gq)) {
        return true;
    }
    *task = steal(worker, true, gq, dq);
    return *task != NULL;
}

/* With nothing to run: returns when it is worth while to look again, with a task where the last look brought one. */
SY_INLINE struct sy_task *park(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    struct sy_task *task = NULL;
    bool block = driver_try_lock(&runtime->driver, DRIVER_BLOCKING);
    bool searching = worker->searching;
    worker->searching = false;
    idle_park(&runtime->idle, worker->index, searching, block);
    if (park_last_look(worker, gq, dq, &task) || runtime_closed(runtime)) { /* I2 */
        if (block) {
            driver_unlock(&runtime->driver);
        }
        /* Woken by another meanwhile, or not: it searches now, beyond the limit of searchers if need be. */
        idle_unpark(&runtime->idle, worker->index, true);
        worker->searching = true;
        park_stay(worker);
        return task;
    }
    park_sleep(worker, block);
    if (!worker->searching) {
        park_propagate(worker, gq, dq);
    }
    return NULL;
}

/* By the owner of a deque that withholds, before a poll: somebody asked. */
static __attribute__((noinline)) void answer(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    au32_store_relaxed(&worker->asked, 0);
    fence_seq_cst(); /* A1 */
    park_propagate(worker, gq, dq);
}

#endif
