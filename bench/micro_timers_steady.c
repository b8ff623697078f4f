/*
 * reactor/timers/steady/fire, …/steady/cancel: the stores of deadlines alone, without a lock or a clock, as many sleeps
 * inside all the time as are started; whoever has fired or was cancelled is started again. The time is a number that
 * goes on 100 µs a look, so each run does the same, however slow the machine or the tool that counts its instructions.
 *
 * fire: time-outs from T to 2 T, such that some seven are due at each look; nine in ten fire, the others are cancelled.
 * cancel: each sleep is cancelled in its turn, eight at a look, and one in ten is due before that, as those of requests
 * that had no answer. An operation is one sleep, started and fired or cancelled. Each must come out once, in the order
 * of the deadlines, at the first look that is not before its own, and at the end all must be there.
 */
#include <stdlib.h>

#include "bench/micro_count.h"
#include "bench/micro_list.h"
#include "bench/micro_timers.h"
#include "executor/tm_list.h"

enum {
    STEP = 7919, /* a prime that does not divide the counts: i × it, modulo one, is every number once */
    LOOK_NS = 100000,
    BATCH = 64,
    FIRED_PER_CANCEL = 9,
    CANCELS_PER_LOOK = 8,
};

struct steady {
    const struct tm_ops *ops;
    struct tm_store *store;
    struct sy_sleep *sleeps;
    size_t count;
    uint64_t least_ns, spread_ns; /* of the time-outs */
    bool cancels;
    uint64_t now_ns;
    uint64_t last_ns; /* the deadline of what came out last */
    size_t turn;      /* how many were cancelled */
    uint64_t fired;
    uint64_t random;
    const char *failure;
};

static void start(struct steady *s, struct sy_sleep *sleep) {
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    sleep->deadline_ns = s->now_ns + s->least_ns + s->random % s->spread_ns;
    s->ops->insert(s->store, sleep, s->now_ns);
}

static void cancel_next(struct steady *s) {
    struct sy_sleep *sleep = &s->sleeps[s->turn++ * STEP % s->count];
    s->ops->remove(s->store, sleep);
    start(s, sleep);
}

/* `after_ns`: the look before; what was due then should have come then. */
static void check_fired(struct steady *s, const struct sy_sleep *sleep, uint64_t after_ns) {
    if (sleep->deadline_ns > s->now_ns) {
        s->failure = "a timer fired early";
    } else if (sleep->deadline_ns < s->last_ns) {
        s->failure = "a timer fired before an earlier one";
    } else if (sleep->deadline_ns <= after_ns) {
        s->failure = "a timer did not fire when it was due";
    }
    s->last_ns = sleep->deadline_ns;
}

/* Takes what is due, and starts it again if that is wanted. */
static size_t look(struct steady *s, uint64_t after_ns, bool again) {
    struct sy_sleep *due[BATCH];
    size_t fired = 0;
    while (!s->failure && s->ops->earliest(s->store) <= s->now_ns) {
        size_t n = s->ops->take_due(s->store, s->now_ns, due, BATCH);
        for (size_t i = 0; i < n && !s->failure; i++) {
            check_fired(s, due[i], after_ns);
            due[i]->deadline_ns = TM_NEVER; /* the same once more would be early */
            if (again && !s->failure) {
                start(s, due[i]);
            }
        }
        fired += n;
    }
    return fired;
}

/* One look, and what is cancelled then; returns how many operations that was. */
static uint64_t step(struct steady *s) {
    uint64_t before_ns = s->now_ns;
    s->now_ns += LOOK_NS;
    size_t fired = look(s, before_ns, true);
    s->fired += fired;
    size_t cancels =
        s->cancels ? CANCELS_PER_LOOK : s->fired / FIRED_PER_CANCEL - (s->fired - fired) / FIRED_PER_CANCEL;
    for (size_t i = 0; i < cancels && !s->failure; i++) {
        cancel_next(s);
    }
    return fired + cancels;
}

/* To the end of time: each that is inside comes out, once. */
static void drain(struct steady *s) {
    uint64_t before_ns = s->now_ns;
    s->now_ns = TM_NEVER - 1;
    if (look(s, before_ns, false) != s->count && !s->failure) {
        s->failure = "a timer was lost";
    }
}

static bool steady_make(struct steady *s, const struct micro_case *one) {
    size_t n = one->parameters.size;
    *s = (struct steady){.ops = one->subject, .count = n, .cancels = one->parameters.active > n / 2, .random = 1};
    uint64_t period_ns = (uint64_t)n * (LOOK_NS / CANCELS_PER_LOOK); /* each is cancelled once in that time */
    s->least_ns = s->cancels ? period_ns / 10 * 9 : (uint64_t)n * LOOK_NS / 10;
    s->spread_ns = s->cancels ? period_ns : s->least_ns;
    s->now_ns = UINT64_C(1) << 40;
    s->sleeps = calloc(n, sizeof s->sleeps[0]);
    if (!s->sleeps || s->ops->create(&s->store) != 0) {
        free(s->sleeps);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        start(s, &s->sleeps[i]);
    }
    return true;
}

static void run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    struct steady s;
    struct micro_counted counted;
    result->fairness = -1;
    result->failure = "no memory";
    if (!steady_make(&s, one)) {
        return;
    }
    for (uint64_t warm = 0; warm < 2 * s.count && !s.failure;) { /* each of the first was through, and once more */
        warm += step(&s);
    }
    uint64_t start_ns = micro_now_ns(), spent_ns = 0;
    micro_counted_start(&counted);
    do {
        for (uint64_t until = result->operations + BATCH; result->operations < until && !s.failure;) {
            result->operations += step(&s);
        }
        spent_ns = micro_now_ns() - start_ns;
    } while (!s.failure &&
             (extent->operations ? result->operations < extent->operations : spent_ns < extent->window_ns));
    micro_counted_pause(&counted);
    micro_counted_add(&result->counted, &counted);
    drain(&s);
    result->seconds = (double)spent_ns * 1e-9;
    result->all_operations = result->operations;
    result->failure = s.failure;
    s.ops->destroy(s.store);
    free(s.sleeps);
}

void micro_timers_add_store(const struct tm_ops *ops) {
    static const size_t counts[] = {10, 1000, 100000, 1000000};
    struct micro_case one = {
        .part = "reactor", .implementation = ops->name, .measures = "duration", .run = run, .subject = ops};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t n = counts[i];
        one.parameters = (struct micro_parameters){.size = n, .active = n / 10};
        micro_add(&one, "timers/steady/fire/n:%zu", n);
        one.parameters.active = n - n / 10;
        micro_add(&one, "timers/steady/cancel/n:%zu", n);
    }
}
