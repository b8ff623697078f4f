/* The naive Fibonacci recursion, a task for each call, no cut-off. */
#include "bench/workload.h"

/* The recursion makes 2 fib(n + 1) - 1 calls. */
enum { N = 25, RESULT = 75025, CALLS = 242785 };
enum { N_LONG = 42, RESULT_LONG = 267914296, CALLS_LONG = 866988873 };

struct fib {
    uint64_t n;
    uint64_t result; /* the output */
    unsigned spawned;
    unsigned joined;
    struct sy_join calls[2];
};

static enum sy_poll fib_poll(void *future, struct sy_context *cx);
static void fib_drop(void *future);

static const struct sy_future_type fib_type = {"fib", sizeof(struct fib), fib_poll, fib_drop};

static enum sy_poll fib_poll(void *future, struct sy_context *cx) {
    struct fib *f = future;
    if (f->n < 2) {
        f->result = f->n;
        return SY_READY;
    }
    for (; f->spawned < 2; f->spawned++) {
        workload_spawn(cx->runtime, &fib_type, &(struct fib){.n = f->n - 1 - f->spawned}, &f->calls[f->spawned]);
    }
    for (; f->joined < 2; f->joined++) {
        struct sy_outcome outcome;
        if (sy_join_poll(&f->calls[f->joined], cx, &outcome) == SY_PENDING) {
            return SY_PENDING;
        }
        if (!outcome.cancelled) {
            f->result += ((const struct fib *)outcome.future)->result;
        }
        sy_join_drop(&f->calls[f->joined]);
    }
    return SY_READY;
}

static void fib_drop(void *future) {
    struct fib *f = future;
    for (; f->joined < f->spawned; f->joined++) {
        sy_join_drop(&f->calls[f->joined]);
    }
}

static bool compute(struct workload_run *run, uint64_t n, uint64_t expected) {
    struct sy_join root;
    struct sy_outcome outcome;
    workload_spawn(run->runtime, &fib_type, &(struct fib){.n = n}, &root);
    sy_join_wait(&root, &outcome);
    uint64_t result = outcome.cancelled ? 0 : ((const struct fib *)outcome.future)->result;
    sy_join_drop(&root);
    return workload_expect(run, "fib", result, expected);
}

static bool fib_iterate(struct workload_run *run) {
    return compute(run, N, RESULT);
}

static bool fib_42_iterate(struct workload_run *run) {
    return compute(run, N_LONG, RESULT_LONG);
}

const struct workload workload_fib = {
    .name = "fib",
    .summary = "fib(25) by naive recursion, a task for each call, no cut-off",
    .check = "fib(25) is 75025",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = CALLS,
    .effort = WORKLOAD_CORE,
    .iterate = fib_iterate,
};

const struct workload workload_fib_42 = {
    .name = "fib_42",
    .summary = "fib(42) by naive recursion, a task for each call, no cut-off",
    .check = "fib(42) is 267914296",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = CALLS_LONG,
    .effort = WORKLOAD_LONG,
    .iterate = fib_42_iterate,
};
