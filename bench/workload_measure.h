/* Warm-up, samples, and what a process can say about itself. */
#ifndef STEALYARD_BENCH_WORKLOAD_MEASURE_H
#define STEALYARD_BENCH_WORKLOAD_MEASURE_H

#include "bench/workload.h"

/* Of the runtime's counters, those that add up; each a field of struct sy_worker_metrics or sy_runtime_metrics. */
struct workload_counters {
    struct sy_worker_metrics workers; /* summed over the workers; queue_depth stays 0 */
    uint64_t outside_spawns;
    uint64_t outside_wakes;
    uint64_t outside_spills;
};

struct workload_measured {
    uint64_t *samples_ns; /* one for each iteration, in order; to be freed */
    size_t iterations;
    double median_ns;
    uint64_t cpu_ns; /* of the process, over the samples; as the next */
    struct workload_counters counters;
    long peak_rss_kib;
};

/*
 * Warms up and takes samples for budget_ms; or runs exactly `iterations` and nothing before them, if that is not 0.
 * Ends early when an iteration fails (run->failure tells).
 */
void workload_measure(const struct workload *workload, struct workload_run *run, uint64_t budget_ms,
                      uint64_t iterations, struct workload_measured *measured);

/* The name of a counter of the struct above and where its value is, for index 0, 1, …; NULL past the end. */
const char *workload_counter_at(unsigned index, const struct workload_counters *counters, uint64_t *value);

#endif
