/* 200 tasks that yield 1,000 times each. */
#include "bench/workload.h"

enum { TASKS = 200, YIELDS = 1000 };

static struct au64 yields;

struct yielder {
    uint64_t yields;
};

static enum sy_poll yielder_poll(void *future, struct sy_context *cx) {
    struct yielder *f = future;
    if (f->yields < YIELDS) {
        f->yields++;
        sy_yield_now(cx);
        return SY_PENDING;
    }
    au64_fetch_add_relaxed(&yields, f->yields);
    sem_post(&workload_done);
    return SY_READY;
}

static const struct sy_future_type yielder_type = {"yielder", sizeof(struct yielder), yielder_poll, NULL};

static bool yield_many_iterate(struct workload_run *run) {
    au64_store_relaxed(&yields, 0);
    for (int i = 0; i < TASKS; i++) {
        workload_spawn(run->runtime, &yielder_type, &(struct yielder){0}, NULL);
    }
    for (int i = 0; i < TASKS; i++) {
        workload_wait();
    }
    return workload_expect(run, "yields", au64_load_relaxed(&yields), TASKS * YIELDS);
}

const struct workload workload_yield_many = {
    .name = "yield_many",
    .summary = "200 tasks that yield 1,000 times each",
    .check = "each task came to its end after its 1,000 yields",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS * YIELDS,
    .iterate = yield_many_iterate,
};
