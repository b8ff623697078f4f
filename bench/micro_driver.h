/*
 * The micro-benchmarks, as far as they are C. A case moves or makes `operations` things, times only that, and checks
 * in the same run that nothing was lost, doubled or reordered. Cases are stamped out for each entry of the queues'
 * lists as the executor's instances are: what is called in a timed loop is known at compile time.
 *
 * micro_main.cc hands the cases to Google Benchmark; the threads are this driver's.
 */
#ifndef STEALYARD_BENCH_MICRO_DRIVER_H
#define STEALYARD_BENCH_MICRO_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What came of one run. */
struct micro_result {
    double seconds;      /* from the first thread's start to the last one's end */
    uint64_t operations; /* successful ones: what the time is divided by */
    uint64_t empty;      /* failed ones, by their answer; never part of `operations` */
    uint64_t full;
    uint64_t retry;
    uint64_t stolen;     /* items that went by way of a thief */
    const char *failure; /* what was found wrong; NULL: nothing */
};

/* Whatever a case does not use is 0. */
struct micro_parameters {
    unsigned producers; /* threads; as many consumers */
    size_t batch;
    size_t depth;
    unsigned threads;
};

struct micro_case {
    const char *name; /* NULL ends a table */
    void (*run)(const struct micro_parameters *parameters, struct micro_result *result);
    struct micro_parameters parameters;
    uint64_t operations; /* of one run */
};

extern const struct micro_case micro_reference_cases[];
extern const struct micro_case micro_gq_cases[];
extern const struct micro_case micro_dq_cases[];

#define MICRO_THREADS_MAX 8

/*
 * Runs `body` on `n` threads at once (the caller's own if n is 1), lets them start together and joins them.
 * Returns the seconds from the first start to the last end, or a negative number if a thread cannot be started.
 */
double micro_threads(unsigned n, void (*body)(void *argument, unsigned index), void *argument);

#ifdef __cplusplus
}
#endif

#endif
