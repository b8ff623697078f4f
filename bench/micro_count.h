/*
 * What noise cannot move: atomic operations (queues/atomics.h counts them), mutexes taken, and allocations. All zero
 * but in the counting build (SY_ATOMICS_COUNT), whose times mean nothing.
 */
#ifndef STEALYARD_BENCH_MICRO_COUNT_H
#define STEALYARD_BENCH_MICRO_COUNT_H

#include "bench/micro_driver.h"

/* What a thread did; between start and pause as it stood at start, after it the difference. */
struct micro_counted {
    struct atomics_count atomics;
    uint64_t locks;
    uint64_t allocations;
    uint64_t allocated_bytes;
};

#ifdef SY_ATOMICS_COUNT

void micro_counted_start(struct micro_counted *counted);
void micro_counted_pause(struct micro_counted *counted);
void micro_counted_add(const struct micro_counted *counted, struct micro_result *result);

#else

static inline void micro_counted_start(struct micro_counted *counted) {
    (void)counted;
}

static inline void micro_counted_pause(struct micro_counted *counted) {
    (void)counted;
}

static inline void micro_counted_add(const struct micro_counted *counted, struct micro_result *result) {
    (void)counted;
    (void)result;
}

#endif

static inline void micro_counted_stop(struct micro_counted *counted, struct micro_result *result) {
    micro_counted_pause(counted);
    micro_counted_add(counted, result);
}

#endif
