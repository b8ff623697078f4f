/*
 * A runtime workload: what the program `workload` runs, times and checks. One wl_<name>.c each and one row in
 * workload_list.h; bench/peers has the same workloads for other runtimes. A process runs one workload, once, so a
 * workload's state is file-scope data of its own file.
 */
#ifndef STEALYARD_BENCH_WORKLOAD_H
#define STEALYARD_BENCH_WORKLOAD_H

#include <semaphore.h>

#include "bench/latency.h"
#include "bench/workload_list.h"
#include "executor/executor.h"

enum { WORKLOAD_QUEUE = 1, WORKLOAD_DEQUE = 2, WORKLOAD_REACTOR = 4 };

/* When it is measured if nobody asks for it by name. */
enum workload_effort {
    WORKLOAD_CORE, /* in each comparison */
    WORKLOAD_WIDE, /* in the full one */
    WORKLOAD_LONG, /* in the full one; an iteration takes seconds or minutes */
};

/* What a workload's functions are given. */
struct workload_run {
    struct sy_runtime *runtime;
    unsigned workers;
    uint64_t seed;
    uint64_t value_ns;      /* set by iterate if the iteration's own duration is not what is measured; 0: it is */
    struct latency latency; /* of the measured iterations' operations, where the workload records them */
    char failure[160]; /* the first thing that was found wrong; "": nothing */
};

struct workload {
    const char *name;
    const char *summary; /* one line */
    const char *check;   /* what is verified, in words */
    unsigned parts;      /* WORKLOAD_*: whose choice it can feel */
    uint64_t ops;        /* operations in one iteration */
    bool ops_per_worker; /* `ops` is for each worker */
    unsigned workers;    /* the workload is about so many; 0: as asked for */
    enum workload_effort effort;
    const char *measures; /* what an iteration's value is; NULL: its duration */

    void (*setup)(struct workload_run *run);   /* before the first iteration; NULL: nothing to do */
    bool (*iterate)(struct workload_run *run); /* returns when all of its work is done; false: it failed */
    bool (*finish)(struct workload_run *run);  /* ends what setup left running; NULL: nothing to do */
};

/* Ends with NULL. */
extern const struct workload *const workload_table[];

#define WORKLOAD_DECLARE(name) extern const struct workload workload_##name;
WORKLOAD_LIST(WORKLOAD_DECLARE)
#undef WORKLOAD_DECLARE

/* Notes a failure, if it is the first. Returns false, for `return workload_fail(…)`. */
__attribute__((format(printf, 2, 3))) bool workload_fail(struct workload_run *run, const char *format, ...);

/* True if `found` is what it should be. */
bool workload_expect(struct workload_run *run, const char *what, uint64_t found, uint64_t wanted);

/* Says so and ends the process: a workload that lacks what it needs to run measures nothing. `error` is -errno. */
_Noreturn void workload_die(const char *what, int error);

static inline void workload_spawn(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future,
                                  struct sy_join *join) {
    int error = sy_spawn(runtime, type, future, join);
    if (error) {
        workload_die("a task cannot be spawned", error);
    }
}

/* By posting it, tasks tell the main thread that they are done: what std's sync_channel is to the Rust peers. */
extern sem_t workload_done;

/* Takes one post. */
void workload_wait(void);

#endif
