/* What the machine takes for the things that everything else is made of: the scale to read the other rows by. */
#include <stdlib.h>

#include "bench/micro_driver.h"
#include "queues/atomics.h"

enum { OPERATIONS = 1 << 20 };

struct counting {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 counter;
    uint64_t share; /* operations of each thread */
    struct au64 failed;
};

static void finish(const struct micro_parameters *p, struct micro_result *result, double seconds, uint64_t found) {
    result->seconds = seconds;
    result->operations = OPERATIONS;
    if (seconds < 0) {
        result->failure = "a thread cannot be started";
    } else if (found != OPERATIONS / p->threads * p->threads) {
        result->failure = "the count is wrong";
    }
}

static void empty_body(void *argument, unsigned index) {
    struct counting *counting = argument;
    uint64_t n = 0;
    (void)index;
    for (uint64_t i = 0; i < counting->share; i++) {
        __asm__ __volatile__("" : "+r"(n));
        n++;
    }
    au64_store_relaxed(&counting->counter, n);
}

static void fetch_add_body(void *argument, unsigned index) {
    struct counting *counting = argument;
    (void)index;
    for (uint64_t i = 0; i < counting->share; i++) {
        au64_fetch_add_relaxed(&counting->counter, 1);
    }
}

static void cas_body(void *argument, unsigned index) {
    struct counting *counting = argument;
    uint64_t failed = 0;
    (void)index;
    for (uint64_t i = 0; i < counting->share; i++) {
        uint64_t value = au64_load_relaxed(&counting->counter);
        while (!au64_cas_acq_rel(&counting->counter, &value, value + 1)) {
            failed++;
        }
    }
    au64_fetch_add_relaxed(&counting->failed, failed);
}

static void malloc_body(void *argument, unsigned index) {
    struct counting *counting = argument;
    uint64_t got = 0;
    (void)index;
    for (uint64_t i = 0; i < counting->share; i++) {
        void *memory = malloc(128);
        __asm__ __volatile__("" : "+r"(memory)); /* or the compiler leaves out the pair */
        got += memory != NULL;
        free(memory);
    }
    au64_fetch_add_relaxed(&counting->counter, got);
}

static void count(const struct micro_parameters *p, struct micro_result *result, void (*body)(void *, unsigned)) {
    struct counting counting = {.share = OPERATIONS / p->threads};
    double seconds = micro_threads(p->threads, body, &counting);
    result->retry = au64_load_relaxed(&counting.failed);
    finish(p, result, seconds, au64_load_relaxed(&counting.counter));
}

static void empty_run(const struct micro_parameters *p, struct micro_result *result) {
    count(p, result, empty_body);
}

static void fetch_add_run(const struct micro_parameters *p, struct micro_result *result) {
    count(p, result, fetch_add_body);
}

static void cas_run(const struct micro_parameters *p, struct micro_result *result) {
    count(p, result, cas_body);
}

static void malloc_run(const struct micro_parameters *p, struct micro_result *result) {
    count(p, result, malloc_body);
}

const struct micro_case micro_reference_cases[] = {
    {"reference/empty_loop/1", empty_run, {.threads = 1}, OPERATIONS},
    {"reference/fetch_add/1", fetch_add_run, {.threads = 1}, OPERATIONS},
    {"reference/fetch_add/2", fetch_add_run, {.threads = 2}, OPERATIONS},
    {"reference/cas_loop/1", cas_run, {.threads = 1}, OPERATIONS},
    {"reference/cas_loop/2", cas_run, {.threads = 2}, OPERATIONS},
    {"reference/malloc_free/1", malloc_run, {.threads = 1}, OPERATIONS},
    {"reference/malloc_free/2", malloc_run, {.threads = 2}, OPERATIONS},
    {NULL, NULL, {0}, 0},
};
