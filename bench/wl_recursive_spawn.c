/* 300 tasks that each spawn a task and await it, which does the same, 25 deep. After async-executor's. */
#include "bench/workload_tools.h"

enum { CHAINS = 300, DEPTH = 25 };

struct nested {
    uint64_t depth; /* the output: of the chain from here on */
    unsigned below; /* tasks that are to come below */
    struct workload_children child;
    struct sy_join join;
};

static enum sy_poll nested_poll(void *future, struct sy_context *cx);
static void nested_drop(void *future);

static const struct sy_future_type nested_type = {"nested", sizeof(struct nested), nested_poll, nested_drop};

static enum sy_poll nested_poll(void *future, struct sy_context *cx) {
    struct nested *f = future;
    if (f->depth == 0) {
        f->depth = 1;
        if (f->below > 0) {
            workload_child_spawn(&f->child, &f->join, cx, &nested_type, &(struct nested){.below = f->below - 1});
        }
    }
    return workload_children_poll(&f->child, &f->join, cx, &f->depth);
}

static void nested_drop(void *future) {
    struct nested *f = future;
    workload_children_drop(&f->child, &f->join);
}

/* ---- the task that spawns the 300 ---- */

struct starter {
    uint64_t sum; /* the output */
    struct workload_children chains;
    struct sy_join joins[CHAINS];
};

static enum sy_poll starter_poll(void *future, struct sy_context *cx) {
    struct starter *f = future;
    while (f->chains.spawned < CHAINS) {
        workload_child_spawn(&f->chains, f->joins, cx, &nested_type, &(struct nested){.below = DEPTH - 1});
    }
    return workload_children_poll(&f->chains, f->joins, cx, &f->sum);
}

static void starter_drop(void *future) {
    struct starter *f = future;
    workload_children_drop(&f->chains, f->joins);
}

static const struct sy_future_type starter_type = {"starter", sizeof(struct starter), starter_poll, starter_drop};

static bool recursive_spawn_iterate(struct workload_run *run) {
    uint64_t sum = workload_run_task(run->runtime, &starter_type, &(struct starter){0});
    return workload_expect(run, "sum of the depths", sum, CHAINS * DEPTH);
}

const struct workload workload_recursive_spawn = {
    .name = "recursive_spawn",
    .summary = "300 tasks that each spawn a task and await it, which does the same, 25 deep",
    .check = "the depths of the chains arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = CHAINS * DEPTH,
    .effort = WORKLOAD_WIDE,
    .iterate = recursive_spawn_iterate,
};
