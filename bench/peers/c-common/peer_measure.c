/* Warm-up and samples: the rules of bench/workload_measure.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peers/c-common/peer.h"

enum { WARM_UP_ITERATIONS = 3, LEAST_ITERATIONS = 5 };

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Not getrusage's ru_maxrss: that survives exec, so it would tell the size of whoever started us. */
static long peak_rss_kib(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld", &kib) == 1) {
            break;
        }
    }
    if (status) {
        fclose(status);
    }
    return kib;
}

static int compare(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(const uint64_t *samples, size_t count) {
    uint64_t *sorted = peer_need(calloc(count, sizeof *sorted), "no memory for the samples");
    memcpy(sorted, samples, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    double middle = (double)sorted[count / 2];
    if (count % 2 == 0) {
        middle = (middle + (double)sorted[count / 2 - 1]) / 2;
    }
    free(sorted);
    return middle;
}

/* Three iterations, or a tenth of the budget where they are long. */
static bool warm_up(const struct peer_workload *workload, struct peer_run *run, uint64_t budget_ns) {
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < WARM_UP_ITERATIONS; i++) {
        if (!workload->iterate(run)) {
            return false;
        }
        if (clock_ns(CLOCK_MONOTONIC) - start_ns > budget_ns / 10) {
            break;
        }
    }
    return true;
}

static bool is_enough(uint64_t budget_ns, uint64_t iterations, size_t done, uint64_t spent_ns) {
    if (iterations > 0) {
        return done == iterations;
    }
    return spent_ns >= 2 * budget_ns || (spent_ns >= budget_ns && done >= LEAST_ITERATIONS);
}

static void take_samples(const struct peer_workload *workload, struct peer_run *run, uint64_t budget_ns,
                         uint64_t iterations, struct peer_measured *measured) {
    size_t room = 0;
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), after_ns;
    bool ok;
    do {
        uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
        ok = workload->iterate(run);
        after_ns = clock_ns(CLOCK_MONOTONIC);
        if (measured->iterations == room) {
            room = room ? 2 * room : 64;
            measured->samples_ns =
                peer_need(realloc(measured->samples_ns, room * sizeof(uint64_t)), "no memory for the samples");
        }
        measured->samples_ns[measured->iterations++] = after_ns - before_ns;
    } while (ok && !is_enough(budget_ns, iterations, measured->iterations, after_ns - start_ns));
}

void peer_measure(const struct peer_workload *workload, struct peer_run *run, uint64_t budget_ms, uint64_t iterations,
                  struct peer_measured *measured) {
    uint64_t budget_ns = budget_ms * 1000000;
    memset(measured, 0, sizeof *measured);
    if (iterations > 0 || warm_up(workload, run, budget_ns)) {
        uint64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        take_samples(workload, run, budget_ns, iterations, measured);
        measured->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
        measured->median_ns = median(measured->samples_ns, measured->iterations);
    }
    measured->peak_rss_kib = peak_rss_kib();
}
