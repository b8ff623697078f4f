/*
 * What noise cannot move: atomic operations (queues/atomics.h counts them), mutexes taken, calls of membarrier(2), and
 * allocations. All zero but in the counting build (SY_ATOMICS_COUNT), whose times mean nothing.
 *
 * A thread counts from micro_counted_start to micro_counted_pause: between them `counted` is as it stood at the start,
 * after them it is the difference.
 */
#ifndef STEALYARD_BENCH_MICRO_COUNT_H
#define STEALYARD_BENCH_MICRO_COUNT_H

#include "bench/micro_driver.h"

#ifdef SY_ATOMICS_COUNT

void micro_counted_start(struct micro_counted *counted);
void micro_counted_pause(struct micro_counted *counted);
void micro_counted_add(struct micro_counted *sum, const struct micro_counted *counted);

#else

static inline void micro_counted_start(struct micro_counted *counted) {
    (void)counted;
}

static inline void micro_counted_pause(struct micro_counted *counted) {
    (void)counted;
}

static inline void micro_counted_add(struct micro_counted *sum, const struct micro_counted *counted) {
    (void)sum;
    (void)counted;
}

#endif

#endif
