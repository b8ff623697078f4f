/* The insides of a runtime, for the executor's own files. */
#ifndef STEALYARD_EXECUTOR_RUNTIME_H
#define STEALYARD_EXECUTOR_RUNTIME_H

#include <pthread.h>

#include "executor/blocking.h"
#include "executor/driver.h"
#include "executor/event.h"
#include "executor/executor.h"
#include "executor/idle.h"
#include "executor/owned.h"
#include "executor/parts.h"
#include "executor/visit.h"
#include "queues/gq_mutex.h"
#include "queues/reclaim.h"

/* Counters that only their worker writes: a relaxed load and a relaxed store, no read-modify-write. */
#define COUNTER_LIST(COUNTER)                                                                                          \
    COUNTER(polls)                                                                                                     \
    COUNTER(lifo_polls)                                                                                                \
    COUNTER(steals)                                                                                                    \
    COUNTER(steal_operations)                                                                                          \
    COUNTER(global_pops)                                                                                               \
    COUNTER(overflows)                                                                                                 \
    COUNTER(spills)                                                                                                    \
    COUNTER(offers)                                                                                                    \
    COUNTER(yields)                                                                                                    \
    COUNTER(parks)                                                                                                     \
    COUNTER(empty_wakeups)                                                                                             \
    COUNTER(wakes)                                                                                                     \
    COUNTER(reactor_polls)                                                                                             \
    COUNTER(reactor_events)                                                                                            \
    COUNTER(handoffs)                                                                                                  \
    COUNTER(timers)                                                                                                    \
    COUNTER(busy_ns)

struct counters {
#define COUNTER_FIELD(name) struct au64 name;
    COUNTER_LIST(COUNTER_FIELD)
#undef COUNTER_FIELD
};

SY_INLINE void counter_add(struct au64 *counter, uint64_t n) {
    au64_store_relaxed(counter, au64_load_relaxed(counter) + n);
}

struct worker {
    /* The worker's own. */
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_runtime *runtime;
    struct dq *deque;
    struct sy_task *lifo;      /* the LIFO slot: runs next, not stealable */
    unsigned lifo_polls;       /* in a row */
    unsigned until_global;     /* ticks until the global queue comes first */
    unsigned until_reactor;    /* ticks until a look at the reactor */
    unsigned overdue;          /* next, so many of the oldest of the own deque: see look_when_busy */
    unsigned global_interval;  /* the knob, or its tuned value */
    unsigned reactor_interval; /* the knob, or less where ticks are long */
    unsigned turn;             /* who comes first at the next interval: see worker.h */
    bool oldest_turn;          /* the last of the overdue had its turn */
    bool overflow_turn;        /* the overflow list has the odd one of the next batch */
    bool gave_way;             /* the last yielder let a batch of the global queue pass */
    bool deferred_came;        /* the deferred tasks had a turn since it was theirs at the interval */
    bool searching;            /* holds a searching token of `idle` */
    bool in_driver;            /* wakes tasks from within the reactor: notify once, at the end */
    bool brought;              /* that woke at least one */
    bool woken;                /* by another worker, and has polled nothing since */
    size_t yielders;           /* deferred tasks that lie in the deque now, at most; popped newest first only */
    unsigned stays;            /* times in a row that it stayed awake for what it could not get */
    struct sy_context context;
    uint64_t random;           /* xorshift state */
    struct au64 busy_since_ns; /* 0: parked; for metrics */
    uint64_t tuned_at_ns;
    uint64_t looked_at_ns; /* at the reactor, while busy */
    uint64_t lately_ns;    /* between such looks, lately, */
    uint64_t lately_ticks; /* and the ticks in that time */
    double tick_ns;        /* exponentially weighted mean, where the interval is tuned */
    struct owned_list free_slots;
    struct counters counters;

    /* Touched by others. */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr deferred; /* yielded and over-eager tasks, a stack: see worker_put.h */
    struct au32 asked;                              /* for what the deque withholds: see worker_search.h */
    SY_ALIGNAS(SY_CACHE_LINE) struct event event;
    struct event started_up;
    struct event left, may_end; /* its thread has left its loop; and may exit */
    uint32_t index;
    pthread_t thread;
    bool started;
    int start_error; /* what its thread's attaching to the reactor said; valid once `started_up` is set */
};

/*
 * Where spawns from outside come in: counted on entry and on leaving, so that shutdown can wait until nobody is inside.
 * Several, so that many spawners do not share a line; a thread keeps to one.
 */
#define GATES 8

struct gate {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 entered;
    struct au64 left;
};

struct sy_runtime {
    /* Read-mostly. */
    const struct combo *combo;
    const struct gq_ops *gq_ops;
    const struct dq_ops *dq_ops;
    struct gq *global;
    struct gq *overflow; /* a gq_mutex beside a global queue that may refuse a push; NULL otherwise */
    struct worker *workers;
    struct sy_config config;
    char names[5][32]; /* of the parts, as config has them */
    char thread_name[16];
    struct reclaim *reclaim;
    struct au32 closed; /* set once: no spawn is taken any more, workers leave */
    pthread_mutex_t shutdown_lock;
    bool ended; /* shutdown is complete; guarded by shutdown_lock */

    struct idle idle;
    struct driver driver;
    struct owned owned;
    struct blocking blocking;

    /* Written by threads that are no workers. */
    struct gate gates[GATES];
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 outside_wakes;
    struct au64 outside_spills;
};

/* The worker that the calling thread is, or NULL. */
extern SY_THREAD_LOCAL struct worker *worker_current __attribute__((tls_model("initial-exec")));
/* The runtime whose blocking pool the calling thread is of, or NULL. */
extern SY_THREAD_LOCAL struct sy_runtime *blocking_current __attribute__((tls_model("initial-exec")));

/* The calling thread as a worker of this runtime, or NULL. */
SY_INLINE struct worker *runtime_worker(const struct sy_runtime *runtime) {
    struct worker *worker = worker_current;
    return worker && worker->runtime == runtime ? worker : NULL;
}

/* Whether there is an overflow list: for a queue that may be full, or find no memory. */
SY_INLINE bool global_may_refuse(const struct gq_ops *gq) {
    return gq->bounded || gq->allocates;
}

/* What of a deque's table the worker goes by, beside its operations. */
SY_INLINE bool local_is_lifo(const struct dq_ops *dq) {
    return dq->order == DQ_LIFO;
}

SY_INLINE bool local_withholds(const struct dq_ops *dq) {
    return dq->withholds;
}

SY_INLINE bool runtime_closed(const struct sy_runtime *runtime) {
    return au32_load_relaxed(&runtime->closed); /* a late look costs a worker one more tick */
}

/* For the socket layer. */
const struct rx_ops *sy_runtime_rx_ops(const struct sy_runtime *runtime);
struct rx *sy_runtime_rx(const struct sy_runtime *runtime);

/* Ends a span of busy time. */
void worker_count_busy(struct worker *worker);

/* Tunes the worker's global_interval by the clock, where the configuration asks for that. */
void worker_tune(struct worker *worker);

/*
 * At a look at the reactor: sets when the next one is due. Ticks are counted because that is nearly free, but they may
 * be long: so as many as took CORE_LOOK_NS lately, at most the configured number.
 */
void worker_set_next_look(struct worker *worker);

/* Wakes one parked worker if idle.h's protocol asks for one. A full barrier after the publication stands before it. */
void runtime_notify(struct sy_runtime *runtime, struct worker *by);

/* Asks for the task's end; the caller holds a reference. */
void task_abort(struct sy_task *task);

/* Gives one reference back, and the memory after the last. */
void task_unref(struct sy_task *task);

/* Ends a task that is RUNNING without polling it: drops its future and completes it as cancelled. */
void task_cancel(struct sy_task *task);

/* Ends a task that is RUNNING after its future was dropped: wakes its joiner, gives the life reference back. */
void task_complete(struct sy_task *task, uint64_t flags);

SY_INLINE void task_drop_future(struct sy_task *task) {
    if (task->type->drop) {
        task->type->drop(sy_task_future(task));
    }
}

/* A task with its header made and its future copied, with `extra` bytes behind it; NULL: no memory. */
struct sy_task *task_create(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future,
                            size_t extra, bool joined);

/* Puts a fresh task where it will be run first, or refuses with -ESHUTDOWN (then the caller frees). */
int task_submit(struct sy_runtime *runtime, struct sy_task *task);

extern const struct sy_waker_vtable task_waker_vtable;
extern const struct sy_waker_vtable join_set_waker_vtable;

/* Called in place of a wake-up for joiners with join_set_waker_vtable, with the life reference handed over. */
void join_set_finished(struct sy_task *task);

#endif
