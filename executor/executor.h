/*
 * Stealyard's runtime: the one header to include.
 *
 * A runtime is a global queue, workers with a local deque each, and a reactor. It runs futures (future.h) as tasks
 * (task.h), with timers (timer.h), channels (sync/) and sockets (net/).
 *
 *     struct sy_config config;
 *     sy_config_init(&config);
 *     struct sy_runtime *runtime;
 *     int error = sy_runtime_create(&runtime, &config);
 *     sy_block_on(runtime, &my_future_type, &my_future);
 *     sy_runtime_destroy(runtime);
 *
 * Functions that can fail return 0 or -errno. Times are nanoseconds and named so. Unless said otherwise a function may
 * be called from any thread.
 */
#ifndef STEALYARD_EXECUTOR_EXECUTOR_H
#define STEALYARD_EXECUTOR_EXECUTOR_H

#include <stddef.h>
#include <stdint.h>

#include "executor/future.h"
#include "executor/net/net.h"
#include "executor/sync/mpsc.h"
#include "executor/sync/notify.h"
#include "executor/sync/oneshot.h"
#include "executor/sync/semaphore.h"
#include "executor/task.h"
#include "executor/timer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SY_WORKERS_MAX 1024

/* Every policy is a field with a measured default; fill with sy_config_init, then change what you like. */
struct sy_config {
    /* The parts, by name; `./stealyard list` shows them. NULL: the default. */
    const char *global_queue;
    const char *local_deque;
    const char *reactor;
    const char *timers;
    /*
     * The reactor that runs where `reactor` does not work: not built, or refused by the kernel, a sysctl or a sandbox,
     * as io_uring is in many containers. A line on stderr says so, and sy_runtime_config which one runs. NULL: none,
     * the runtime is not created (-ENOTSUP). There is no fallback that is not named: whoever measures names none.
     */
    const char *reactor_fallback;
    bool dynamic_dispatch; /* call the parts through their tables at run time: what static dispatch saves */

    unsigned workers;          /* threads that run tasks; 0: one for each online processor */
    size_t global_capacity;    /* of bounded global queues: a power of two */
    size_t global_segment;     /* slots in a segment of those made of segments: a power of two; 0: the queue's choice */
    size_t local_capacity;     /* of a local deque, or where a growing one starts: a power of two */
    unsigned global_interval;  /* ticks between two looks at the global queue first; 0: tuned by the measured tick */
    unsigned global_batch;     /* tasks taken from the global queue at once, at most */
    unsigned steal_batch;      /* tasks stolen at once, at most; never more than half of the victim's */
    unsigned lifo_cap;         /* polls in a row from the LIFO slot before others come first; 0: no LIFO slot */
    unsigned reactor_interval; /* ticks after which a busy worker polls the reactor, or fewer: about 50 µs */
    unsigned reactor_batch;    /* events taken from the reactor at once, at most */
    unsigned searching_max;    /* workers that search at once; 0: half of them, at least one */
    uint64_t spin_ns;          /* how long a worker looks for work before it parks */
    uint64_t handoff_ns;       /* how long the reactor may stand unattended while a worker is idle */
    unsigned budget;           /* operations that may succeed at once within one poll */
    bool speculative_io;       /* try the system call before waiting for readiness */

    unsigned blocking_threads;       /* the blocking pool's size, at most; 0: no pool */
    uint64_t blocking_keep_alive_ns; /* how long one of its threads stays without a job */

    uint64_t seed;           /* of the order in which victims are tried; 0: from the clock */
    const char *thread_name; /* the workers': NAME-0, NAME-1, …; at most 9 bytes; NULL: "sy" */
    bool pin;                /* worker i to the i-th processor that the process may use */
};

void sy_config_init(struct sy_config *config);

/*
 * Says what is wrong with a configuration in one line that also tells what would be right. 0, or -EINVAL with the line
 * in `message` (cut to `size` bytes; may be NULL with 0).
 */
int sy_config_check(const struct sy_config *config, char *message, size_t size);

/*
 * Starts the workers. 0; -EINVAL (see sy_config_check); -ENOTSUP (see sy_part_probe), -ENOMEM, -EMFILE, -EAGAIN and
 * whatever else a part's creation says: then nothing is left behind. `config` may be NULL for the defaults.
 */
int sy_runtime_create(struct sy_runtime **out, const struct sy_config *config);

/* One line on why sy_runtime_create said `error` to this configuration, and what to do; cut to `size` bytes. */
void sy_config_explain(const struct sy_config *config, int error, char *message, size_t size);

/*
 * Ends the runtime: no task is polled after this returns; every task that was not complete is dropped and its joiners
 * see it as cancelled; every thread is joined. A poll that is under way is waited for. Harmless the second time.
 * 0; -EDEADLK when called from one of its own threads. May run at the same time as sy_spawn and wake-ups elsewhere.
 */
int sy_runtime_shutdown(struct sy_runtime *runtime);

/*
 * Shuts down if that was not done, and frees. Wakers and join handles may outlive the runtime; sockets, sleeps and
 * other things that name the runtime may not. NULL is left alone. Not from one of the runtime's own threads (aborts).
 * May wait until each worker of the process's other runtimes has ended the poll that it is in, but for a caller that is
 * one of them: so a poll that blocks must not wait for another thread that is in here.
 */
void sy_runtime_destroy(struct sy_runtime *runtime);

/* How many workers it has. */
unsigned sy_runtime_workers(const struct sy_runtime *runtime);

/* The configuration as it runs, with the defaults and names filled in; `reactor` is the fallback if that one runs. */
const struct sy_config *sy_runtime_config(const struct sy_runtime *runtime);

/* The index of the worker that calls, or -1 on a thread that is no worker of `runtime`. */
int sy_runtime_current_worker(const struct sy_runtime *runtime);

/* One worker's counters since its start. Read while it runs: each is exact for some recent moment. */
struct sy_worker_metrics {
    uint64_t polls;            /* futures polled */
    uint64_t lifo_polls;       /* of these, from the LIFO slot */
    uint64_t steals;           /* tasks stolen from others */
    uint64_t steal_operations; /* successful steals, each of one or more tasks */
    uint64_t global_pops;      /* tasks taken from the global queue */
    uint64_t overflows;        /* tasks moved from the local deque to the global queue for want of room */
    uint64_t spills;           /* tasks that found a bounded global queue full and went to the overflow list */
    uint64_t offers;           /* tasks moved from a deque that withholds to the global queue for others to take */
    uint64_t yields;           /* polls that ended with a yield or a wake-up of the task itself */
    uint64_t parks;            /* times that it went to sleep */
    uint64_t empty_wakeups;    /* times that it was woken and found nothing to do */
    uint64_t wakes;            /* other workers that it woke */
    uint64_t reactor_polls;    /* waits in the reactor, blocking or not */
    uint64_t reactor_events;   /* events that these brought */
    uint64_t handoffs;         /* times that it took over a reactor left unattended */
    uint64_t timers;           /* timers that it fired */
    uint64_t busy_ns;          /* time not parked */
    uint64_t queue_depth;      /* tasks in the local deque now */
};

/* 0, or -EINVAL for a worker that does not exist. */
int sy_worker_metrics(const struct sy_runtime *runtime, unsigned worker, struct sy_worker_metrics *out);

struct sy_runtime_metrics {
    uint64_t outside_spawns;   /* calls of sy_spawn and its like from threads that are no workers */
    uint64_t outside_wakes;    /* workers woken by threads that are no workers */
    uint64_t outside_spills;   /* see spills above */
    uint64_t global_depth;     /* tasks in the global queue now */
    uint64_t live_tasks;       /* that outlived their first poll and are not freed */
    uint64_t blocking_threads; /* alive now */
    uint64_t blocking_depth;   /* jobs waiting for a thread */
};

void sy_runtime_metrics(const struct sy_runtime *runtime, struct sy_runtime_metrics *out);

/* What there is to choose from. The fields are as in gq.h, dq.h, reactor.h and tm.h; "" or false: does not apply. */
enum sy_part_kind { SY_GLOBAL_QUEUE, SY_LOCAL_DEQUE, SY_REACTOR, SY_TIMERS };

struct sy_part {
    const char *name;
    const char *summary;
    const char *source;
    const char *order;
    const char *progress;
    const char *reclamation;
    const char *cost;    /* of one push and one pop, and of a steal; of a receive, a send and a wait; of a timer */
    const char *caveat;  /* known defects and what is done about them */
    const char *missing; /* not built: what lacks, and how to get it */
    bool bounded;
    bool withholds; /* keeps some tasks from other workers until its own does something */
    bool reclaims;  /* frees memory that others may be reading, by quiescent states */
    bool allocates; /* a push may need memory */
    bool aborts;    /* and a library beneath ends the process where there is none */
};

/* Fills `part` with what stands at `index`, from 0, and returns true, or returns false past the end. */
bool sy_part_at(enum sy_part_kind kind, unsigned index, struct sy_part *part);

/* Makes one and takes it away again: 0, -ENOTSUP (not on this machine), -EINVAL (no such part), or another -errno. */
int sy_part_probe(enum sy_part_kind kind, const char *name);

/* Why sy_part_probe says -ENOTSUP of a part, and what would be right, in half a line; cut to `size` bytes. */
void sy_part_explain(enum sy_part_kind kind, const char *name, char *message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
