/*
 * reactor/timers/fire: N timers are started with random time-outs of whole milliseconds, the one resolution that all
 * implementations share; one in ten is cancelled, the others are fired in one go when all are due.
 * reactor/timers/cancel: nine in ten are cancelled, as the time-outs of requests are. They are cancelled in another
 * order than they were started in. An operation is one timer, started and fired or cancelled. Each must fire once, in
 * the order of the time-outs, and never early; none after it was cancelled.
 */
#include "bench/micro_timers.h"

#include <stdlib.h>
#include <time.h>

#include "bench/micro_count.h"
#include "bench/micro_list.h"

enum {
    CANCEL_STEP = 7919, /* a prime that does not divide the counts: i × it, modulo one, is every number once */
    TENTH = 10,
};

struct timer_bench {
    const struct timer_engine *engine;
    struct timer_set *set;
    size_t count;
    size_t to_cancel;
    uint16_t least_ms, spread_ms; /* of the time-outs */
    uint16_t *timeouts_ms;
    uint32_t *order; /* in which they are cancelled */
    bool *waiting;
    size_t ended;                  /* fired or cancelled */
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
    b->ended++;
}

static void choose_timeouts(struct timer_bench *b) {
    for (size_t i = 0; i < b->count; i++) {
        b->random ^= b->random << 13;
        b->random ^= b->random >> 7;
        b->random ^= b->random << 17;
        b->timeouts_ms[i] = (uint16_t)(b->least_ms + b->random % b->spread_ms);
        b->waiting[i] = true;
    }
    b->ended = 0;
    b->last_ms = 0;
}

static void sleep_until(uint64_t due_ns) {
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000), .tv_nsec = (long)(due_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) {
    }
}

/* A look halfway to the first of them. */
static void look_early(struct timer_bench *b) {
    uint64_t least_ns = b->least_ms * UINT64_C(1000000);
    sleep_until(b->start_ns + least_ns / 2);
    b->engine->fire(b->set);
    if (b->ended > 0 && micro_now_ns() - b->start_ns < least_ns) {
        b->failure = "a timer fired early";
    }
}

static uint64_t start_all(struct timer_bench *b) {
    choose_timeouts(b);
    b->start_ns = micro_now_ns();
    b->engine->start_all(b->set, b->timeouts_ms);
    b->started_ns = micro_now_ns();
    return b->started_ns - b->start_ns;
}

static uint64_t cancel_some(struct timer_bench *b) {
    for (size_t i = 0; i < b->to_cancel; i++) {
        bool *waiting = &b->waiting[b->order[i]];
        b->ended += *waiting; /* on a busy machine it may have been due before */
        *waiting = false;
    }
    uint64_t cancel_ns = micro_now_ns();
    b->engine->cancel(b->set, b->order, b->to_cancel);
    return micro_now_ns() - cancel_ns;
}

static uint64_t fire_rest(struct timer_bench *b) {
    sleep_until(micro_now_ns() + (uint64_t)(b->least_ms + b->spread_ms + 1) * 1000000);
    uint64_t fire_ns = micro_now_ns();
    b->engine->fire(b->set);
    uint64_t end_ns = micro_now_ns();
    if (b->ended != b->count && !b->failure) {
        b->failure = "a timer did not fire when it was due";
    }
    return end_ns - fire_ns;
}

/* Returns the nanoseconds that the calls took. */
static uint64_t round_of(struct timer_bench *b) {
    uint64_t spent_ns = start_all(b);
    look_early(b);
    spent_ns += cancel_some(b);
    return spent_ns + fire_rest(b);
}

static void bench_free(struct timer_bench *b) {
    if (b->set) {
        b->engine->destroy(b->set);
    }
    free(b->timeouts_ms);
    free(b->order);
    free(b->waiting);
}

static bool bench_make(struct timer_bench *b, const struct micro_case *one) {
    size_t n = one->parameters.size;
    *b = (struct timer_bench){.engine = one->subject, .count = n, .to_cancel = one->parameters.active, .random = 1};
    b->least_ms = b->spread_ms = (uint16_t)(60 + n / 2000); /* longer than it takes to start all of them */
    b->timeouts_ms = calloc(n, sizeof b->timeouts_ms[0]);
    b->order = calloc(n, sizeof b->order[0]);
    b->waiting = calloc(n, sizeof b->waiting[0]);
    if (b->timeouts_ms && b->order && b->waiting) {
        for (size_t i = 0; i < n; i++) {
            b->order[i] = (uint32_t)(i * CANCEL_STEP % n);
        }
        b->set = b->engine->create(b->engine, b, n);
    }
    return b->set;
}

static void run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    struct timer_bench b;
    struct micro_counted counted;
    uint64_t spent_ns = 0;
    result->fairness = -1;
    result->failure = "no memory, or too few descriptors";
    if (bench_make(&b, one)) {
        micro_counted_start(&counted);
        do {
            spent_ns += round_of(&b);
            result->operations += b.count;
        } while (!b.failure &&
                 (extent->operations ? result->operations < extent->operations : spent_ns < extent->window_ns));
        micro_counted_pause(&counted);
        micro_counted_add(&result->counted, &counted);
        result->seconds = (double)spent_ns * 1e-9;
        result->all_operations = result->operations;
        result->failure = b.failure;
    }
    bench_free(&b);
}

void micro_timers_add_engine(const struct timer_engine *engine) {
    static const size_t counts[] = {1000, 1000000};
    struct micro_case one = {.part = "reactor",
                             .implementation = engine->name,
                             .peer = engine->peer,
                             .core = true,
                             .measures = "duration",
                             .run = run,
                             .subject = engine};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t n = counts[i];
        one.parameters = (struct micro_parameters){.size = n, .active = n / TENTH};
        micro_add(&one, "timers/fire/n:%zu", n);
        one.parameters.active = n - n / TENTH;
        micro_add(&one, "timers/cancel/n:%zu", n);
    }
}
