/* ctest-timeout: 200 */
/* Sleep and timeout over every combination. Lower bounds on time are exact; upper bounds are only the watchdog's. */
#define _GNU_SOURCE
#include "support_probe.h"

#define MS UINT64_C(1000000)

struct sleeper {
    struct sy_sleep sleep;
    uint64_t duration_ns, deadline_ns;
    struct sleepers *all;
    unsigned id;
    bool started;
};

struct sleepers {
    struct support_counter done, dropped;
    struct au32 next;
    unsigned order[1024]; /* of waking */
};

static enum sy_poll sleeper_poll(void *future, struct sy_context *cx) {
    struct sleeper *sleeper = future;
    if (!sleeper->started) {
        sleeper->started = true;
        sleeper->deadline_ns = sy_now_ns() + sleeper->duration_ns;
        sy_sleep_init(&sleeper->sleep, cx->runtime, sleeper->deadline_ns);
    }
    if (sy_sleep_poll(&sleeper->sleep, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    CHECK(sy_now_ns() >= sleeper->deadline_ns); /* never early */
    sleeper->all->order[au32_fetch_add_relaxed(&sleeper->all->next, 1)] = sleeper->id;
    support_counter_add(&sleeper->all->done, 1);
    return SY_READY;
}

static void sleeper_drop(void *future) {
    struct sleeper *sleeper = future;
    if (sleeper->started) {
        sy_sleep_drop(&sleeper->sleep);
        sy_sleep_drop(&sleeper->sleep); /* harmless twice */
    }
    support_counter_add(&sleeper->all->dropped, 1);
}

static const struct sy_future_type sleeper_type = {
    .name = "sleeper", .size = sizeof(struct sleeper), .poll = sleeper_poll, .drop = sleeper_drop};

static void sleeper_spawn(struct sy_runtime *runtime, struct sleepers *all, unsigned id, uint64_t duration_ns,
                          struct sy_join *join) {
    struct sleeper sleeper = {.all = all, .id = id, .duration_ns = duration_ns};
    CHECK_EQ(sy_spawn(runtime, &sleeper_type, &sleeper, join), 0);
}

static void sleepers_init(struct sleepers *all) {
    *all = (struct sleepers){.done = SUPPORT_COUNTER_INIT, .dropped = SUPPORT_COUNTER_INIT};
}

static void sleep_is_never_early(size_t combo) {
    static const uint64_t durations_ns[] = {0, 1, 1000, 50000, MS, 3 * MS, 7 * MS};
    struct sy_runtime *runtime = support_runtime(combo);
    static struct sleepers all;
    sleepers_init(&all);
    for (unsigned i = 0; i < 7; i++) {
        uint64_t start_ns = sy_now_ns();
        struct sy_join join;
        struct sy_outcome outcome;
        sleeper_spawn(runtime, &all, i, durations_ns[i], &join);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK(!outcome.cancelled);
        CHECK(sy_now_ns() - start_ns >= durations_ns[i]);
        sy_join_drop(&join);
    }
    sy_runtime_destroy(runtime);
}

static void a_thousand_sleepers(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct sleepers all;
    static bool woke[1000];
    uint64_t random = check_seed();
    sleepers_init(&all);
    memset(woke, 0, sizeof woke);
    for (unsigned i = 0; i < 1000; i++) {
        sleeper_spawn(runtime, &all, i, check_random(&random) % (50 * MS), NULL);
    }
    support_counter_wait(&all.dropped, 1000);
    CHECK_EQ(support_counter_get(&all.done), 1000);
    for (unsigned i = 0; i < 1000; i++) {
        CHECK(!woke[all.order[i]]);
        woke[all.order[i]] = true;
    }
    CHECK(SUPPORT_METRIC(runtime, timers) <= 1000);
    sy_runtime_destroy(runtime);
}

/* Sleeps cancelled in random order among others that stay: the others still end. */
static void cancelled_sleeps(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct sleepers all;
    static struct sy_join joins[200];
    uint64_t random = check_seed();
    sleepers_init(&all);
    for (unsigned i = 0; i < 200; i++) {
        bool stays = i % 4 == 0;
        uint64_t duration_ns = stays ? check_random(&random) % (40 * MS) : UINT64_C(3600000) * MS;
        sleeper_spawn(runtime, &all, i, duration_ns, &joins[i]);
    }
    for (unsigned k = 0; k < 200; k++) {
        unsigned i = k * 77 % 200;
        if (i % 4) {
            sy_join_abort(&joins[i]);
        }
    }
    for (unsigned i = 0; i < 200; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        CHECK_EQ(outcome.cancelled, i % 4 != 0);
        sy_join_drop(&joins[i]);
    }
    CHECK_EQ(support_counter_get(&all.done), 50);
    sy_runtime_destroy(runtime);
    CHECK_EQ(support_counter_get(&all.dropped), 200);
}

static void shutdown_drops_sleepers(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct sleepers all;
    sleepers_init(&all);
    for (unsigned i = 0; i < 100; i++) {
        sleeper_spawn(runtime, &all, i, i % 2 ? UINT64_MAX / 4 : i * MS / 50, NULL);
    }
    sy_runtime_destroy(runtime);
    CHECK_EQ(support_counter_get(&all.dropped), 100);
}

static void far_deadline_does_not_overflow(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct sleepers all;
    struct sy_join join;
    struct sy_outcome outcome;
    sleepers_init(&all);
    struct sleeper sleeper = {.all = &all, .started = true, .deadline_ns = UINT64_MAX};
    sy_sleep_init(&sleeper.sleep, runtime, UINT64_MAX);
    CHECK_EQ(sy_spawn(runtime, &sleeper_type, &sleeper, &join), 0);
    struct sleeper after = {.all = &all, .started = true, .deadline_ns = UINT64_MAX};
    sy_sleep_init_after(&after.sleep, runtime, UINT64_MAX);
    CHECK_EQ(sy_spawn(runtime, &sleeper_type, &after, NULL), 0);
    sleeper_spawn(runtime, &all, 1, MS, NULL);
    support_counter_wait(&all.done, 1);
    CHECK_EQ(all.order[0], 1);
    CHECK(!sy_join_is_finished(&join));
    sy_join_abort(&join);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(outcome.cancelled);
    sy_join_drop(&join);
    sy_runtime_destroy(runtime);
}

/* ---- timeout ---- */

struct timed {
    struct sy_timeout timeout;
    struct probe inner;
    uint64_t duration_ns;
    bool started;
};

static enum sy_poll timed_poll(void *future, struct sy_context *cx) {
    struct timed *timed = future;
    if (!timed->started) {
        timed->started = true;
        sy_timeout_init(&timed->timeout, cx->runtime, timed->duration_ns, &probe_type, &timed->inner);
    }
    return sy_timeout_poll(&timed->timeout, cx);
}

static void timed_drop(void *future) {
    struct timed *timed = future;
    if (timed->started) {
        sy_timeout_drop(&timed->timeout);
    }
}

static const struct sy_future_type timed_type = {
    .name = "timed", .size = sizeof(struct timed), .poll = timed_poll, .drop = timed_drop};

static void timed_spawn(struct sy_runtime *runtime, struct probe_log *log, enum probe_kind kind, uint64_t duration_ns,
                        struct sy_join *join) {
    probe_log_init(log);
    struct timed timed = {.inner = {.log = log, .kind = kind, .left = 3}, .duration_ns = duration_ns};
    CHECK_EQ(sy_spawn(runtime, &timed_type, &timed, join), 0);
}

/* Whether the time was up first; the inner future was dropped exactly once either way. */
static bool timed_finish(struct probe_log *log, struct sy_join *join) {
    struct sy_outcome outcome;
    CHECK_EQ(sy_join_wait(join, &outcome), 0);
    CHECK(!outcome.cancelled);
    const struct timed *timed = outcome.future;
    bool elapsed = timed->timeout.elapsed;
    CHECK(elapsed || timed->inner.output == timed->inner.input + 1);
    sy_join_drop(join);
    probe_check_dropped(log);
    return elapsed;
}

static void timeout_elapsed_and_not(size_t combo) {
    static const enum probe_kind kinds[] = {PROBE_READY, PROBE_YIELDS, PROBE_SELF};
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log;
    struct sy_join join;
    for (unsigned i = 0; i < 3; i++) {
        timed_spawn(runtime, &log, kinds[i], UINT64_C(3600000) * MS, &join);
        CHECK(!timed_finish(&log, &join));
    }
    uint64_t start_ns = sy_now_ns();
    timed_spawn(runtime, &log, PROBE_FOREVER, 5 * MS, &join);
    CHECK(timed_finish(&log, &join));
    CHECK(sy_now_ns() - start_ns >= 5 * MS);
    timed_spawn(runtime, &log, PROBE_GATE, UINT64_C(3600000) * MS, &join);
    support_counter_wait(&log.polled, 1);
    support_gate_open(&log.gate);
    CHECK(!timed_finish(&log, &join));
    timed_spawn(runtime, &log, PROBE_READY, 0, &join);
    timed_finish(&log, &join); /* a race of two that are both ready: either answer, dropped once */
    sy_runtime_destroy(runtime);
}

static void timeout_aborted(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log, shut;
    struct sy_join join;
    struct sy_outcome outcome;
    timed_spawn(runtime, &log, PROBE_FOREVER, UINT64_C(3600000) * MS, &join);
    support_counter_wait(&log.polled, 1);
    sy_join_abort(&join);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(outcome.cancelled);
    sy_join_drop(&join);
    probe_check_dropped(&log);
    timed_spawn(runtime, &shut, PROBE_FOREVER, UINT64_C(3600000) * MS, NULL);
    support_counter_wait(&shut.polled, 1);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&shut);
}

/* The gate opens about when the time is up: whoever wins, the inner future is dropped once and no timer is left. */
static void timeout_races_with_completion(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    uint64_t random = check_seed();
    for (unsigned i = 0; i < support_rounds(100); i++) {
        struct probe_log log;
        struct sy_join join;
        timed_spawn(runtime, &log, PROBE_GATE, MS / 4, &join);
        support_counter_wait(&log.polled, 1);
        uint64_t until_ns = sy_now_ns() + check_random(&random) % (MS / 2);
        while (sy_now_ns() < until_ns) {
            cpu_relax();
        }
        support_gate_open(&log.gate);
        timed_finish(&log, &join);
    }
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"sleep_is_never_early", sleep_is_never_early},
    {"a_thousand_sleepers", a_thousand_sleepers},
    {"cancelled_sleeps", cancelled_sleeps},
    {"shutdown_drops_sleepers", shutdown_drops_sleepers},
    {"far_deadline_does_not_overflow", far_deadline_does_not_overflow},
    {"timeout_elapsed_and_not", timeout_elapsed_and_not},
    {"timeout_aborted", timeout_aborted},
    {"timeout_races_with_completion", timeout_races_with_completion},
};

PROBE_SUITE("suite_executor_timer", tests, 100)
