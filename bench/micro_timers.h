/*
 * The micro-benchmarks of timers: many started, and then most of them fired or most cancelled. Only the calls are
 * timed, not the time until the timers are due.
 */
#ifndef STEALYARD_BENCH_MICRO_TIMERS_H
#define STEALYARD_BENCH_MICRO_TIMERS_H

#include "bench/micro_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

struct timer_bench;

struct timer_set; /* an implementation's own */

/* Called on one thread. An implementation's timers are one-shot, made by `create` and used again and again. */
struct timer_engine {
    const char *name;
    bool peer;
    const char *store; /* of the runtime's: which store of deadlines, by name */

    /* NULL: no memory, or too few descriptors. */
    struct timer_set *(*create)(const struct timer_engine *engine, struct timer_bench *bench, size_t count);
    /* Starts every timer i, to fire timeouts_ms[i] from now. */
    void (*start_all)(struct timer_set *set, const uint16_t *timeouts_ms);
    /* Fires those that are due; each calls timer_bench_fired. */
    void (*fire)(struct timer_set *set);
    /* Cancels the first `n` timers of that order; one that has fired is left alone. */
    void (*cancel)(struct timer_set *set, const uint32_t *order, size_t n);
    void (*destroy)(struct timer_set *set);
};

/* Adds the cases of an implementation. */
void micro_timers_add_engine(const struct timer_engine *engine);

/* The runtime's timers, one for each store of deadlines. */
extern const struct timer_engine timer_engine_ours[];

struct tm_ops;

/* Adds the cases of a store of deadlines alone (micro_timers_steady.c). */
void micro_timers_add_store(const struct tm_ops *ops);

/* A timer fired. */
void timer_bench_fired(struct timer_bench *bench, size_t index);

#ifdef __cplusplus
}
#endif

#endif
