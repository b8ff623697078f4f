/* Tasks that yield: many of them with few turns each, and one for each worker with many. After Waterloo's yield. */
#include <stdlib.h>

#include "bench/workload_tools.h"

enum { MANY = 100, YIELDS_MANY = 100, FEW = 1, YIELDS_FEW = 10000, YIELDS = MANY * YIELDS_MANY };

static struct sy_join *joins;

struct yielder {
    uint64_t yields; /* the output */
    uint64_t wanted;
};

static enum sy_poll yielder_poll(void *future, struct sy_context *cx) {
    struct yielder *f = future;
    if (f->yields == f->wanted) {
        return SY_READY;
    }
    f->yields++;
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type yielder_type = {"yielder", sizeof(struct yielder), yielder_poll, NULL};

static void yielders_setup(struct workload_run *run) {
    joins = workload_allocate((size_t)run->workers * MANY, sizeof *joins);
}

static bool yield_all(struct workload_run *run, unsigned tasks, uint64_t yields) {
    for (unsigned i = 0; i < tasks; i++) {
        workload_spawn(run->runtime, &yielder_type, &(struct yielder){.wanted = yields}, &joins[i]);
    }
    return workload_expect(run, "yields", workload_join_sum(joins, tasks), tasks * yields);
}

static bool yielders_many_iterate(struct workload_run *run) {
    return yield_all(run, run->workers * MANY, YIELDS_MANY);
}

static bool yielders_few_iterate(struct workload_run *run) {
    return yield_all(run, run->workers * FEW, YIELDS_FEW);
}

static bool yielders_finish(struct workload_run *run) {
    (void)run;
    free(joins);
    return true;
}

const struct workload workload_yielders_many = {
    .name = "yielders_many",
    .summary = "100 tasks for each worker that yield 100 times each",
    .check = "each task came to its end after its 100 yields",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = YIELDS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = yielders_setup,
    .iterate = yielders_many_iterate,
    .finish = yielders_finish,
};

const struct workload workload_yielders_few = {
    .name = "yielders_few",
    .summary = "a task for each worker that yields 10,000 times",
    .check = "each task came to its end after its 10,000 yields",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = YIELDS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = yielders_setup,
    .iterate = yielders_few_iterate,
    .finish = yielders_finish,
};
