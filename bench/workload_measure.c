#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/workload_measure.h"

enum { WARM_UP_ITERATIONS = 3, LEAST_ITERATIONS = 5 };

struct counter {
    const char *name;
    size_t offset; /* in struct workload_counters */
};

static const struct counter counters[] = {
    {"polls", offsetof(struct workload_counters, workers.polls)},
    {"lifo_polls", offsetof(struct workload_counters, workers.lifo_polls)},
    {"steals", offsetof(struct workload_counters, workers.steals)},
    {"steal_operations", offsetof(struct workload_counters, workers.steal_operations)},
    {"global_pops", offsetof(struct workload_counters, workers.global_pops)},
    {"overflows", offsetof(struct workload_counters, workers.overflows)},
    {"spills", offsetof(struct workload_counters, workers.spills)},
    {"offers", offsetof(struct workload_counters, workers.offers)},
    {"yields", offsetof(struct workload_counters, workers.yields)},
    {"parks", offsetof(struct workload_counters, workers.parks)},
    {"empty_wakeups", offsetof(struct workload_counters, workers.empty_wakeups)},
    {"wakes", offsetof(struct workload_counters, workers.wakes)},
    {"reactor_polls", offsetof(struct workload_counters, workers.reactor_polls)},
    {"reactor_events", offsetof(struct workload_counters, workers.reactor_events)},
    {"handoffs", offsetof(struct workload_counters, workers.handoffs)},
    {"timers", offsetof(struct workload_counters, workers.timers)},
    {"busy_ns", offsetof(struct workload_counters, workers.busy_ns)},
    {"outside_spawns", offsetof(struct workload_counters, outside_spawns)},
    {"outside_wakes", offsetof(struct workload_counters, outside_wakes)},
    {"outside_spills", offsetof(struct workload_counters, outside_spills)},
};
enum { COUNTERS = sizeof counters / sizeof counters[0] };

static uint64_t *counter_in(const struct counter *counter, void *in) {
    return (uint64_t *)(void *)((char *)in + counter->offset);
}

const char *workload_counter_at(unsigned index, const struct workload_counters *from, uint64_t *value) {
    if (index >= COUNTERS) {
        return NULL;
    }
    memcpy(value, (const char *)from + counters[index].offset, sizeof *value);
    return counters[index].name;
}

/* sum += sign * other */
static void counters_add(struct workload_counters *sum, struct workload_counters *other, int sign) {
    for (unsigned i = 0; i < COUNTERS; i++) {
        uint64_t value = *counter_in(&counters[i], other);
        *counter_in(&counters[i], sum) += sign < 0 ? 0 - value : value;
    }
}

static void counters_read(const struct sy_runtime *runtime, struct workload_counters *sum) {
    struct sy_runtime_metrics outside;
    memset(sum, 0, sizeof *sum);
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        struct workload_counters one = {0};
        sy_worker_metrics(runtime, i, &one.workers);
        counters_add(sum, &one, 1);
    }
    sy_runtime_metrics(runtime, &outside);
    sum->outside_spawns = outside.outside_spawns;
    sum->outside_wakes = outside.outside_wakes;
    sum->outside_spills = outside.outside_spills;
}

static uint64_t process_cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/*
 * The high-water mark of this program's own memory, 0 if unknown. Not getrusage's ru_maxrss: that survives exec, so it
 * would tell the size of whoever started us.
 */
static long peak_rss_kib(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (status && kib == 0 && fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld", &kib) != 1) {
            kib = 0;
        }
    }
    if (status) {
        fclose(status);
    }
    return kib;
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(const uint64_t *samples, size_t n) {
    uint64_t *sorted = malloc(n * sizeof *sorted);
    if (!sorted) {
        workload_die("the samples cannot be sorted", -ENOMEM);
    }
    memcpy(sorted, samples, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_u64);
    double middle = ((double)sorted[(n - 1) / 2] + (double)sorted[n / 2]) / 2;
    free(sorted);
    return middle;
}

static void samples_append(struct workload_measured *measured, size_t *room, uint64_t sample_ns) {
    if (measured->iterations == *room) {
        *room = *room ? *room * 2 : 1024;
        uint64_t *grown = realloc(measured->samples_ns, *room * sizeof *grown);
        if (!grown) {
            workload_die("the samples cannot be kept", -ENOMEM);
        }
        measured->samples_ns = grown;
    }
    measured->samples_ns[measured->iterations++] = sample_ns;
}

/* Three iterations, or a tenth of the budget where they are long. False: one failed. */
static bool warm_up(const struct workload *workload, struct workload_run *run, uint64_t budget_ns) {
    uint64_t start_ns = sy_now_ns();
    for (int i = 0; i < WARM_UP_ITERATIONS; i++) {
        if (!workload->iterate(run)) {
            return false;
        }
        if (sy_now_ns() - start_ns > budget_ns / 10) {
            break;
        }
    }
    return true;
}

struct plan {
    uint64_t budget_ns;
    uint64_t iterations; /* 0: as many as fit */
};

/* Iterations for as long as the budget lasts; five at least, unless they would take twice the budget. */
static bool is_enough(const struct plan *plan, size_t iterations, uint64_t spent_ns) {
    if (plan->iterations > 0) {
        return iterations == plan->iterations;
    }
    return spent_ns >= 2 * plan->budget_ns || (spent_ns >= plan->budget_ns && iterations >= LEAST_ITERATIONS);
}

static void take_samples(const struct workload *workload, struct workload_run *run, const struct plan *plan,
                         struct workload_measured *measured) {
    size_t room = 0;
    uint64_t start_ns = sy_now_ns();
    uint64_t after_ns;
    bool ok;
    do {
        uint64_t before_ns = sy_now_ns();
        run->value_ns = 0;
        ok = workload->iterate(run);
        after_ns = sy_now_ns();
        samples_append(measured, &room, run->value_ns ? run->value_ns : after_ns - before_ns);
    } while (ok && !is_enough(plan, measured->iterations, after_ns - start_ns));
}

void workload_measure(const struct workload *workload, struct workload_run *run, uint64_t budget_ms,
                      uint64_t iterations, struct workload_measured *measured) {
    struct workload_counters before;
    struct plan plan = {.budget_ns = budget_ms * 1000000, .iterations = iterations};
    memset(measured, 0, sizeof *measured);
    if (iterations > 0 || warm_up(workload, run, plan.budget_ns)) {
        memset(&run->latency, 0, sizeof run->latency); /* the warm-up's are not counted */
        counters_read(run->runtime, &before);
        uint64_t cpu_ns = process_cpu_ns();
        take_samples(workload, run, &plan, measured);
        measured->cpu_ns = process_cpu_ns() - cpu_ns;
        counters_read(run->runtime, &measured->counters);
        counters_add(&measured->counters, &before, -1);
        measured->median_ns = median(measured->samples_ns, measured->iterations);
    }
    measured->peak_rss_kib = peak_rss_kib();
}
