#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload_tools.h"
#include "executor/sync/mpsc.h"

uint64_t workload_join_sum(struct sy_join *joins, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        struct sy_outcome outcome;
        sy_join_wait(&joins[i], &outcome);
        if (!outcome.cancelled) {
            sum += *(const uint64_t *)outcome.future;
        }
        sy_join_drop(&joins[i]);
    }
    return sum;
}

uint64_t workload_run_task(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future) {
    struct sy_join join;
    workload_spawn(runtime, type, future, &join);
    return workload_join_sum(&join, 1);
}

void *workload_allocate(size_t n, size_t size) {
    void *memory = calloc(n, size);
    if (!memory) {
        workload_die("memory cannot be had", -ENOMEM);
    }
    return memory;
}

void *workload_allocate_lines(size_t n, size_t size) {
    void *memory = aligned_alloc(SY_CACHE_LINE, n * size);
    if (!memory) {
        workload_die("memory cannot be had", -ENOMEM);
    }
    return memset(memory, 0, n * size);
}

struct sy_mpsc *workload_channel_of_one(void) {
    struct sy_mpsc *channel;
    int error = sy_mpsc_create(&channel, sizeof(uint64_t), 1, NULL);
    if (error) {
        workload_die("a channel cannot be made", error);
    }
    return channel;
}
