/*
 * The worker's loop, written once. It is ordinary C over two tables of operations; combos_row.c.in calls it with
 * constant tables, so that in each stamped instance every call but the one of the task's body is direct and mostly
 * inlined.
 *
 * The order in which a worker looks for a task is the design's: at every k-th tick the global queue; the LIFO slot; its
 * own deque; a batch from the global queue; stealing; the reactor; sleep.
 *
 * Fairness of a local deque that is popped newest first. Three things keep a task from starving at its far end:
 *   - what yields, was woken while it ran, or would exceed the LIFO slot's cap goes to the `deferred` stack, which is
 *     emptied into the deque when that and the global queue are empty, so that it comes after all that was there, in its
 *     own order. As long as the deque holds only such `yielders`, they take turns with batches of the global queue;
 *   - at every k-th tick the global queue, the oldest task of the own deque and the deferred ones take turns in coming
 *     first, whatever else goes on being ready;
 *   - thieves take the oldest.
 *
 * Work conservation: a worker can be held up by one long poll, so all that waits behind it must be in others' reach.
 * Tasks in the deque are, deferred ones too (thieves take the whole stack); the one in the LIFO slot is not, by design.
 *
 * The deferred stack. N1 push, by the owner: cas seq_cst; hands the task over (release) and is I1's publication, ordered
 * before N3. N2 take, by anyone: exchange acquire, of the whole stack, so there is no ABA. N3, before a poll: seq_cst
 * load of the idle word, if something is deferred. N1 and N3 are in one order with the parking worker's I2, like a
 * barrier between them, and cost nothing beyond N1's read-modify-write.
 *
 * Where a global queue refuses a push (it is bounded and full, or found no memory), the task goes to the overflow
 * list, a gq_mutex beside it. Order is kept within each of the two and not between them: once the queue has room
 * again, later pushes go there and may be taken before what was spilled. Every batch takes half from each, and of an
 * odd number each has one more in turn, so neither starves the other however small the batches are.
 *
 * Cost of a task that is spawned, run once and freed on its worker, detached, with dq_chase_lev: no read-modify-write on
 * the task; two full barriers (the deque's pop, and the publication's in notify), none of them on a line that others
 * write; the lines touched are the task's, the deque's slot and bottom, and the worker's own.
 */
#ifndef STEALYARD_EXECUTOR_WORKER_H
#define STEALYARD_EXECUTOR_WORKER_H

#include "executor/park.h"
#include "executor/runtime.h"
#include "executor/task_state.h"

#define WORKER_BATCH_MAX 256  /* tasks moved at once, at most; on the stack */
#define WORKER_SPIN_PAUSES 16 /* between two looks around while searching */

/* A look at the reactor by a worker that holds the driver; tasks that it brings are in its own queue. */
void worker_look(struct worker *worker);

SY_INLINE struct sy_task *task_of(struct sy_node *node) {
    return (struct sy_task *)node;
}

SY_INLINE uint64_t worker_random(struct worker *worker) {
    uint64_t x = worker->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return worker->random = x;
}

/* ---- putting tasks somewhere ---- */

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

/* The deque is full: its older half and the new task go to the global queue in one batch. */
static inline void local_overflow(struct worker *worker, struct sy_node *item, const struct gq_ops *gq,
                                  const struct dq_ops *dq) {
    struct sy_node *moved[WORKER_BATCH_MAX];
    size_t half = dq->length(worker->deque) / 2;
    size_t n = 0;
    size_t one;
    while (n < half && n < WORKER_BATCH_MAX - 1 && dq->steal(worker->deque, NULL, 1, &moved[n], &one) == DQ_OK) {
        n++;
    }
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
    if (!worker->runtime->deque_is_lifo) {
        oldest = reversed(node);
        node = sy_node_next(oldest);
    }
    for (*moved = 1; node && (oldest || sy_node_next(node)); ++*moved) {
        struct sy_node *next = sy_node_next(node);
        local_put(worker, node, gq, dq);
        node = next;
    }
    worker->yielders = *moved - 1;
    return task_of(oldest ? oldest : node);
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

/* ---- taking tasks from somewhere ---- */

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
        local_put(worker, items[runtime->deque_is_lifo ? n - i : i], gq, dq);
    }
    if (n > 1 && !worker->searching) {
        /* While they were in neither queue, a searcher may have seen nothing and gone to sleep. */
        park_propagate(worker, gq, dq);
    }
    return task_of(items[0]);
}

/* The look comes first: most find nothing, and it is two loads. */
SY_INLINE struct sy_task *global_take(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    return park_global_is_empty(worker->runtime, gq) ? NULL : global_take_batch(worker, gq, dq);
}

static inline struct sy_task *take_oldest(struct worker *worker, const struct dq_ops *dq) {
    struct sy_node *oldest;
    size_t one;
    return dq->steal(worker->deque, NULL, 1, &oldest, &one) == DQ_OK ? task_of(oldest) : NULL;
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
 * Yielders lie at the deque's far end, below all that came later; some may have been stolen. They give way to the global
 * queue, which they would otherwise keep out as long as they yield; but after each batch one of them runs.
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
    struct sy_task *task = take_lifo(worker);
    if (task) {
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

/* From one victim. One that answers RETRY had something: it is asked again. */
SY_INLINE struct sy_task *steal_from(struct worker *worker, struct worker *victim, const struct gq_ops *gq,
                                     const struct dq_ops *dq, size_t *moved) {
    enum dq_status status = DQ_EMPTY;
    struct sy_node *node;
    if (!dq->is_empty(victim->deque)) {
        do {
            status = dq->steal(victim->deque, worker->deque, worker->runtime->config.steal_batch, &node, moved);
        } while (status == DQ_RETRY);
    }
    return status == DQ_OK ? task_of(node) : take_deferred(worker, victim, gq, dq, moved);
}

/* One round over the others, from a random one on. */
static inline struct sy_task *steal(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    struct sy_runtime *runtime = worker->runtime;
    unsigned n = runtime->config.workers;
    unsigned start = (unsigned)((worker_random(worker) >> 32) % n);
    for (unsigned i = 0; i < n; i++) {
        struct worker *victim = &runtime->workers[(start + i) % n];
        size_t moved;
        struct sy_task *task = victim == worker ? NULL : steal_from(worker, victim, gq, dq, &moved);
        if (task) {
            counter_add(&worker->counters.steals, moved);
            counter_add(&worker->counters.steal_operations, 1);
            return task;
        }
    }
    return NULL;
}

/* Steals the reactor for a look. True: that brought tasks to the own queue. */
static inline bool look_at_reactor(struct worker *worker) {
    struct driver *driver = &worker->runtime->driver;
    if (!driver_try_lock(driver, DRIVER_LOOKING)) {
        return false;
    }
    worker->brought = false;
    worker_look(worker);
    driver_unlock(driver);
    return worker->brought;
}

/* A busy worker looks at the reactor now and then, so that long queues starve neither sockets nor timers. */
static inline void look_when_busy(struct worker *worker, const struct gq_ops *gq, const struct dq_ops *dq) {
    worker_set_next_look(worker);
    if (look_at_reactor(worker)) {
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
    uint64_t until_ns = 0;
    for (;;) {
        struct sy_task *task = steal(worker, gq, dq);
        if (!task) {
            task = global_take(worker, gq, dq);
        }
        if (!task && until_ns == 0 && look_at_reactor(worker)) {
            task = take_local(worker, gq, dq);
        }
        if (task || runtime_closed(runtime) || runtime->config.spin_ns == 0) {
            return task;
        }
        uint64_t now_ns = sy_now_ns();
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
        if (!task) {
            park(worker, gq, dq);
            return;
        }
    }
    if (worker->searching) {
        park_found_work(worker, gq, dq);
    }
    if (aptr_load_relaxed(&worker->deferred) && idle_wants_wake_now(&worker->runtime->idle)) { /* N3 */
        runtime_notify(worker->runtime, worker);
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

/* With the workers joined: a task that is in a queue of `worker` (may be NULL) or in the global one; NULL: there is none. */
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
