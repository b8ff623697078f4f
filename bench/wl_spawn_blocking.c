/* Tasks that each give 16 no-op jobs to the blocking pool at once and await all, 100 times. After tokio's. */
#include "bench/workload_tools.h"

enum { ROUNDS = 100, JOBS = 16, TASKS_MAX = 64 };

static struct au64 ran;

struct job {
    uint64_t output; /* not used; what children have */
};

static enum sy_poll job_poll(void *future, struct sy_context *cx) {
    struct job *f = future;
    (void)cx;
    f->output = 1;
    au64_fetch_add_relaxed(&ran, 1);
    return SY_READY;
}

static const struct sy_future_type job_type = {"job", sizeof(struct job), job_poll, NULL};

struct submitter {
    uint64_t awaited; /* the output: jobs whose outcome arrived */
    unsigned rounds;
    struct workload_children jobs;
    struct sy_join joins[JOBS];
};

static void submit(struct submitter *f, struct sy_context *cx) {
    f->jobs = (struct workload_children){0};
    for (; f->jobs.spawned < JOBS; f->jobs.spawned++) {
        int error = sy_spawn_blocking(cx->runtime, &job_type, &(struct job){0}, &f->joins[f->jobs.spawned]);
        if (error) {
            workload_die("a job cannot be spawned", error);
        }
    }
}

static enum sy_poll submitter_poll(void *future, struct sy_context *cx) {
    struct submitter *f = future;
    for (;;) {
        if (f->jobs.spawned == 0) {
            submit(f, cx);
        }
        if (workload_children_poll(&f->jobs, f->joins, cx, &f->awaited) == SY_PENDING) {
            return SY_PENDING;
        }
        if (++f->rounds == ROUNDS) {
            return SY_READY;
        }
        f->jobs = (struct workload_children){0};
    }
}

static void submitter_drop(void *future) {
    struct submitter *f = future;
    workload_children_drop(&f->jobs, f->joins);
}

static const struct sy_future_type submitter_type = {"submitter", sizeof(struct submitter), submitter_poll,
                                                     submitter_drop};

static bool submit_from(struct workload_run *run, unsigned tasks) {
    struct sy_join joins[TASKS_MAX];
    uint64_t jobs = (uint64_t)tasks * ROUNDS * JOBS;
    au64_store_relaxed(&ran, 0);
    for (unsigned i = 0; i < tasks; i++) {
        workload_spawn(run->runtime, &submitter_type, &(struct submitter){0}, &joins[i]);
    }
    return workload_expect(run, "jobs awaited", workload_join_sum(joins, tasks), jobs) &&
           workload_expect(run, "jobs that ran", au64_load_relaxed(&ran), jobs);
}

/* A row for each number of tasks. */
#define SPAWN_BLOCKING(n)                                                                                              \
    static bool spawn_blocking_##n##_iterate(struct workload_run *run) {                                               \
        return submit_from(run, n);                                                                                    \
    }                                                                                                                  \
    const struct workload workload_spawn_blocking_##n = {                                                              \
        .name = "spawn_blocking_" #n,                                                                                  \
        .summary = #n " tasks that 100 times give 16 no-op jobs to the blocking pool and await them",                  \
        .check = "each job ran, and its outcome arrived",                                                              \
        .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,                                                                      \
        .ops = (uint64_t)n * ROUNDS * JOBS,                                                                            \
        .effort = WORKLOAD_WIDE,                                                                                       \
        .iterate = spawn_blocking_##n##_iterate,                                                                       \
    };

SPAWN_BLOCKING(1)
SPAWN_BLOCKING(16)
SPAWN_BLOCKING(64)
