/* The counters, for those outside. */
#include <errno.h>

#include "executor/runtime.h"

int sy_worker_metrics(const struct sy_runtime *runtime, unsigned index, struct sy_worker_metrics *out) {
    if (index >= runtime->config.workers) {
        return -EINVAL;
    }
    const struct worker *worker = &runtime->workers[index];
#define COUNTER_READ(name) out->name = au64_load_relaxed(&worker->counters.name);
    COUNTER_LIST(COUNTER_READ)
#undef COUNTER_READ
    uint64_t since_ns = au64_load_relaxed(&worker->busy_since_ns);
    if (since_ns != 0) {
        out->busy_ns += sy_now_ns() - since_ns; /* the span that is not over yet */
    }
    out->queue_depth = runtime->dq_ops->length(worker->deque);
    return 0;
}

static uint64_t live_tasks(struct sy_runtime *runtime) {
    uint64_t slots = owned_handed_out(&runtime->owned);
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        uint32_t free_slots = au32_load_relaxed(&runtime->workers[i].free_slots.count);
        slots -= free_slots < slots ? free_slots : slots; /* they move while we count */
    }
    return slots;
}

static uint64_t outside_spawns(const struct sy_runtime *runtime) {
    uint64_t n = 0;
    for (unsigned i = 0; i < GATES; i++) {
        n += au64_load_relaxed(&runtime->gates[i].left);
    }
    return n;
}

void sy_runtime_metrics(const struct sy_runtime *runtime, struct sy_runtime_metrics *out) {
    struct sy_runtime *unlocked = (struct sy_runtime *)(uintptr_t)runtime; /* a lock is no change of the runtime */
    struct blocking *blocking = &unlocked->blocking;
    enum visit visit = visit_begin(runtime->gq_ops);
    size_t queued = runtime->gq_ops->length(runtime->global);
    visit_end(runtime->gq_ops, visit);
    *out = (struct sy_runtime_metrics){
        .outside_spawns = outside_spawns(runtime),
        .outside_wakes = au64_load_relaxed(&runtime->outside_wakes),
        .outside_spills = au64_load_relaxed(&runtime->outside_spills),
        .global_depth = queued + (runtime->overflow ? gq_mutex_length(runtime->overflow) : 0),
        .live_tasks = live_tasks(unlocked),
    };
    pthread_mutex_lock(&blocking->lock);
    out->blocking_threads = blocking->threads;
    out->blocking_depth = blocking->depth;
    pthread_mutex_unlock(&blocking->lock);
}
