/*
 * reactor/timers/fire: 100,000 timers are started with random time-outs of whole milliseconds, the one resolution that
 * all implementations share; when all are due they are fired in one go. reactor/timers/cancel: they are cancelled
 * instead, in another order than they were started in, as the time-outs of requests are. An operation is one timer,
 * started and fired or started and cancelled. Each must fire once, in the order of the time-outs, and never early; none
 * after it was cancelled.
 */
#include "bench/micro_timers.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/micro_count.h"
#include "bench/micro_list.h"

enum {
    TIMERS = 100000,
    LEAST_MS = 60, /* longer than it takes to start all of them */
    SPREAD_MS = 60,
    CANCEL_STEP = 7919, /* a prime that does not divide TIMERS: i × it, modulo TIMERS, is every number once */
};

struct timer_bench {
    const struct timer_engine *engine;
    struct timer_set *set;
    uint16_t timeouts_ms[TIMERS];
    uint32_t order[TIMERS];
    bool waiting[TIMERS];
    size_t fired;
    uint64_t start_ns, started_ns; /* when starting them began and had ended */
    uint16_t last_ms;              /* the longest time-out that has fired */
    uint64_t random;
    const char *failure;
};

void timer_bench_fired(struct timer_bench *b, size_t index) {
    uint64_t slack_ms = (b->started_ns - b->start_ns) / 1000000 + 1; /* a time-out counts from its own start */
    uint16_t timeout_ms = b->timeouts_ms[index];
    if (!b->waiting[index]) {
        b->failure = "a timer fired twice, or was cancelled";
    } else if (timeout_ms + slack_ms < b->last_ms) {
        b->failure = "a timer fired before an earlier one";
    }
    b->waiting[index] = false;
    b->last_ms = timeout_ms > b->last_ms ? timeout_ms : b->last_ms;
    b->fired++;
}

static void choose_timeouts(struct timer_bench *b) {
    for (size_t i = 0; i < TIMERS; i++) {
        b->random ^= b->random << 13;
        b->random ^= b->random >> 7;
        b->random ^= b->random << 17;
        b->timeouts_ms[i] = (uint16_t)(LEAST_MS + b->random % SPREAD_MS);
        b->waiting[i] = true;
    }
    b->fired = 0;
    b->last_ms = 0;
}

static void start_all(struct timer_bench *b) {
    choose_timeouts(b);
    b->start_ns = micro_now_ns();
    b->engine->start_all(b->set, b->timeouts_ms);
    b->started_ns = micro_now_ns();
}

/* Lets the time pass after which all are due. */
static void sleep_until_due(void) {
    uint64_t due_ns = micro_now_ns() + (uint64_t)(LEAST_MS + SPREAD_MS + 1) * 1000000;
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000), .tv_nsec = (long)(due_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) {
    }
}

/* Returns the nanoseconds that the calls took. */
static uint64_t fire_round(struct timer_bench *b) {
    start_all(b);
    b->engine->fire(b->set);
    if (b->fired > 0 && micro_now_ns() - b->start_ns < (uint64_t)LEAST_MS * 1000000) {
        b->failure = "a timer fired early";
    }
    sleep_until_due();
    uint64_t fire_ns = micro_now_ns();
    b->engine->fire(b->set);
    uint64_t end_ns = micro_now_ns();
    if (b->fired != TIMERS && !b->failure) {
        b->failure = "a timer did not fire when it was due";
    }
    return b->started_ns - b->start_ns + end_ns - fire_ns;
}

static uint64_t cancel_round(struct timer_bench *b) {
    start_all(b);
    size_t fired = b->fired;
    b->engine->cancel_all(b->set, b->order);
    uint64_t end_ns = micro_now_ns();
    sleep_until_due();
    b->engine->fire(b->set);
    if (b->fired > fired) {
        b->failure = "a timer fired that was cancelled";
    }
    return end_ns - b->start_ns;
}

static void run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                uint64_t (*round)(struct timer_bench *)) {
    struct timer_bench *b = calloc(1, sizeof *b);
    struct micro_counted counted;
    uint64_t spent_ns = 0;
    result->fairness = -1;
    result->failure = "no memory, or too few descriptors";
    if (b) {
        b->engine = one->subject;
        b->random = 1;
        b->set = b->engine->create(b, TIMERS);
    }
    if (b && b->set) {
        for (size_t i = 0; i < TIMERS; i++) {
            b->order[i] = (uint32_t)(i * CANCEL_STEP % TIMERS);
        }
        micro_counted_start(&counted);
        do {
            spent_ns += round(b);
            result->operations += TIMERS;
        } while (!b->failure &&
                 (extent->operations ? result->operations < extent->operations : spent_ns < extent->window_ns));
        micro_counted_pause(&counted);
        micro_counted_add(&result->counted, &counted);
        result->seconds = (double)spent_ns * 1e-9;
        result->all_operations = result->operations;
        result->failure = b->failure;
        b->engine->destroy(b->set);
    }
    free(b);
}

static void fire_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, fire_round);
}

static void cancel_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, cancel_round);
}

void micro_timers_add_engine(const struct timer_engine *engine) {
    struct micro_case one = {.part = "reactor",
                             .implementation = engine->name,
                             .peer = engine->peer,
                             .core = true,
                             .measures = "duration",
                             .subject = engine};
    one.run = fire_run;
    micro_add(&one, "timers/fire");
    one.run = cancel_run;
    micro_add(&one, "timers/cancel");
}
