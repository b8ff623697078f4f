/*
 * A histogram of latencies: 64 logarithmic ranges of 128 linear buckets each, so that a percentile is off by less than
 * 0.8 % however long the tail is (the layout of Tene's HdrHistogram, 2012). 64 KiB; recording is one increment.
 *
 * A latency is taken from the *intended* start of its operation: who waits for an answer before he asks again measures
 * nothing of what the others waited meanwhile (coordinated omission).
 *
 * Not thread-safe: a thread or a task records into its own, and the histograms are added up when all is done.
 */
#ifndef STEALYARD_BENCH_LATENCY_H
#define STEALYARD_BENCH_LATENCY_H

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LATENCY_SUB_BITS = 7, LATENCY_BUCKETS = (64 - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS };

/* All zero is an empty one. */
struct latency {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

static inline void latency_record(struct latency *latency, uint64_t ns) {
    unsigned bucket = (unsigned)ns;
    if (ns >> LATENCY_SUB_BITS) {
        unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - LATENCY_SUB_BITS;
        bucket = ((shift + 1) << LATENCY_SUB_BITS) + (unsigned)(ns >> shift) - (1u << LATENCY_SUB_BITS);
    }
    latency->buckets[bucket]++;
    latency->count++;
    latency->max_ns = ns > latency->max_ns ? ns : latency->max_ns;
}

/* sum += other */
void latency_add(struct latency *sum, const struct latency *other);

/* The least value that at least `share` (0 to 1) of all do not exceed, rounded up to its bucket's end; 0 of an empty one. */
uint64_t latency_percentile(const struct latency *latency, double share);

/* The percentiles that every report has: "p50" … "p99.99", index 0, 1, …; NULL past the end. */
const char *latency_percentile_at(unsigned index, double *share);

/* {"count":…,"max":…,"p50":…,…}, or null of an empty one. */
void latency_print_json(FILE *out, const struct latency *latency);

#ifdef __cplusplus
}
#endif

#endif
