#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "bench/latency.h"

void latency_add(struct latency *sum, const struct latency *other) {
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        sum->buckets[i] += other->buckets[i];
    }
    sum->count += other->count;
    sum->max_ns = other->max_ns > sum->max_ns ? other->max_ns : sum->max_ns;
}

/* The largest value that goes into a bucket. */
static uint64_t bucket_end(unsigned bucket) {
    if (bucket < 1u << LATENCY_SUB_BITS) {
        return bucket;
    }
    unsigned shift = (bucket >> LATENCY_SUB_BITS) - 1;
    uint64_t within = (bucket & ((1u << LATENCY_SUB_BITS) - 1)) + (1u << LATENCY_SUB_BITS);
    return ((within + 1) << shift) - 1;
}

uint64_t latency_percentile(const struct latency *latency, double share) {
    uint64_t wanted = (uint64_t)ceil(share * (double)latency->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS && latency->count; i++) {
        seen += latency->buckets[i];
        if (seen >= wanted && seen > 0) {
            uint64_t end = bucket_end(i);
            return end < latency->max_ns ? end : latency->max_ns;
        }
    }
    return latency->max_ns;
}

const char *latency_percentile_at(unsigned index, double *share) {
    static const struct {
        const char *name;
        double share;
    } percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};
    if (index >= sizeof percentiles / sizeof percentiles[0]) {
        return NULL;
    }
    *share = percentiles[index].share;
    return percentiles[index].name;
}

void latency_print_json(FILE *out, const struct latency *latency) {
    const char *name;
    double share;
    if (latency->count == 0) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"count\":%" PRIu64 ",\"max\":%" PRIu64, latency->count, latency->max_ns);
    for (unsigned i = 0; (name = latency_percentile_at(i, &share)); i++) {
        fprintf(out, ",\"%s\":%" PRIu64, name, latency_percentile(latency, share));
    }
    fputc('}', out);
}
