/* Chains of tasks, each of which spawns the next and ends: one chain, or one for each worker. After Go's benchmarks. */
#include "bench/workload_tools.h"

enum { TASKS = 10000 };

static struct au64 created; /* the lengths of the chains that have ended; handed over by their posts */

struct chain_task {
    uint64_t number; /* in its chain, from 1 */
    uint64_t length; /* that the chain is to have */
};

static enum sy_poll chain_task_poll(void *future, struct sy_context *cx);

static const struct sy_future_type chain_task_type = {"chain_task", sizeof(struct chain_task), chain_task_poll, NULL};

static enum sy_poll chain_task_poll(void *future, struct sy_context *cx) {
    const struct chain_task *f = future;
    if (f->number < f->length) {
        workload_spawn(cx->runtime, &chain_task_type, &(struct chain_task){f->number + 1, f->length}, NULL);
    } else {
        au64_fetch_add_relaxed(&created, f->number);
        sem_post(&workload_done);
    }
    return SY_READY;
}

static bool create(struct workload_run *run, unsigned chains) {
    au64_store_relaxed(&created, 0);
    for (unsigned i = 0; i < chains; i++) {
        struct chain_task first = {.number = 1, .length = TASKS / chains + (i < TASKS % chains)};
        workload_spawn(run->runtime, &chain_task_type, &first, NULL);
    }
    for (unsigned i = 0; i < chains; i++) {
        workload_wait();
    }
    return workload_expect(run, "tasks", au64_load_relaxed(&created), TASKS);
}

static bool create_goroutines_iterate(struct workload_run *run) {
    return create(run, 1);
}

static bool create_goroutines_parallel_iterate(struct workload_run *run) {
    return create(run, run->workers);
}

const struct workload workload_create_goroutines = {
    .name = "create_goroutines",
    .summary = "a chain of 10,000 tasks, each spawned by the one before",
    .check = "the chain had its whole length",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS,
    .effort = WORKLOAD_WIDE,
    .iterate = create_goroutines_iterate,
};

const struct workload workload_create_goroutines_parallel = {
    .name = "create_goroutines_parallel",
    .summary = "a chain of tasks for each worker, 10,000 tasks in all",
    .check = "the chains had their whole lengths",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS,
    .effort = WORKLOAD_WIDE,
    .iterate = create_goroutines_parallel_iterate,
};
