/* What several workloads need: outputs that are summed up, random numbers, spinning. */
#ifndef STEALYARD_BENCH_WORKLOAD_TOOLS_H
#define STEALYARD_BENCH_WORKLOAD_TOOLS_H

#include "bench/workload.h"

/*
 * Tasks whose output is a number: a uint64_t, which is the first field of their future. A cancelled one counts as 0.
 *
 * Children are those that one task spawns, with a handle each in an array of the task's own, and awaits in order:
 *
 *     if (f->children.spawned == 0) {
 *         … workload_child_spawn(&f->children, f->joins, cx, &leaf_type, &leaf);
 *     }
 *     return workload_children_poll(&f->children, f->joins, cx, &f->output);
 *
 * and the task's drop calls workload_children_drop. All zero: none yet.
 */
struct workload_children {
    unsigned spawned;
    unsigned joined; /* of these, the first so many; their handles are given back */
};

static inline void workload_child_spawn(struct workload_children *children, struct sy_join *joins,
                                        struct sy_context *cx, const struct sy_future_type *type, const void *future) {
    workload_spawn(cx->runtime, type, future, &joins[children->spawned]);
    children->spawned++;
}

/* Adds the outputs to `*sum`. */
static inline enum sy_poll workload_children_poll(struct workload_children *children, struct sy_join *joins,
                                                  struct sy_context *cx, uint64_t *sum) {
    for (; children->joined < children->spawned; children->joined++) {
        struct sy_outcome outcome;
        if (sy_join_poll(&joins[children->joined], cx, &outcome) == SY_PENDING) {
            return SY_PENDING;
        }
        if (!outcome.cancelled) {
            *sum += *(const uint64_t *)outcome.future;
        }
        sy_join_drop(&joins[children->joined]);
    }
    return SY_READY;
}

static inline void workload_children_drop(struct workload_children *children, struct sy_join *joins) {
    for (; children->joined < children->spawned; children->joined++) {
        sy_join_drop(&joins[children->joined]);
    }
}

/* The main thread awaits n tasks in order and drops their handles. The sum of the outputs. */
uint64_t workload_join_sum(struct sy_join *joins, size_t n);

/* The main thread spawns a task and awaits it. Its output. */
uint64_t workload_run_task(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future);

/* Memory, zeroed, or the end of the process. */
void *workload_allocate(size_t n, size_t size);
/* The same for n structs that are aligned to cache lines. */
void *workload_allocate_lines(size_t n, size_t size);

struct sy_mpsc;

/* A channel for a uint64_t at a time, or the end of the process. */
struct sy_mpsc *workload_channel_of_one(void);

/* xorshift64, for the task or connection number i; never 0, from which it would not move. */
static inline uint64_t workload_random_start(const struct workload_run *run, uint64_t i) {
    return (run->seed ^ (i + 1)) * 0x9E3779B97F4A7C15 | 1;
}

static inline uint64_t workload_random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Reads the clock until that much time has passed. */
static inline void workload_spin(uint64_t duration_ns) {
    uint64_t start_ns = sy_now_ns();
    while (sy_now_ns() - start_ns < duration_ns) {
    }
}

#endif
