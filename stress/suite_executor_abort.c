/* ctest-timeout: 200 */
/* Abort at every moment of a task's life, from the same and from other threads. */
#define _GNU_SOURCE
#include "support_probe.h"

static void abort_before_first_poll(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_hogs hogs;
    probe_hogs_start(&hogs, runtime);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    probe_spawn(runtime, &log, PROBE_READY, 0, &join);
    sy_join_abort(&join);
    CHECK(!sy_join_is_finished(&join)); /* dropped by whoever runs it next, never here */
    CHECK_EQ(support_counter_get(&log.dropped), 0);
    probe_hogs_release(&hogs);
    CHECK(probe_finish(&join));
    CHECK_EQ(log.polls, 0);
    sy_runtime_destroy(runtime);
    probe_hogs_finish(&hogs);
    probe_check_dropped(&log);
}

static void abort_while_pending(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(50); i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct sy_join join;
        probe_spawn(runtime, &log, PROBE_FOREVER, 0, &join);
        support_counter_wait(&log.polled, 1);
        sy_join_abort(&join);
        CHECK(probe_finish(&join));
        CHECK_EQ(log.polls, 1);
        CHECK(log.drop_worker >= 0); /* not by the thread that asked for it */
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

/* The poll that is under way is not disturbed; the future is dropped after it, on the worker. */
static void abort_while_running(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    probe_spawn(runtime, &log, PROBE_HELD_PENDING, 0, &join);
    support_counter_wait(&log.held, 1);
    sy_join_abort(&join);
    sy_join_abort(&join); /* twice is once */
    CHECK_EQ(support_counter_get(&log.dropped), 0);
    CHECK(!sy_join_is_finished(&join));
    probe_release(&log);
    CHECK(probe_finish(&join));
    CHECK_EQ(log.polls, 1);
    CHECK(log.drop_worker >= 0);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

/* The future that becomes ready in the poll during which it is aborted: either answer, dropped once. */
static void abort_while_becoming_ready(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    probe_spawn(runtime, &log, PROBE_HELD, 0, &join);
    support_counter_wait(&log.held, 1);
    sy_join_abort(&join);
    probe_release(&log);
    probe_finish(&join);
    CHECK_EQ(log.polls, 1);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

static void abort_after_completion(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    struct sy_outcome outcome;
    probe_spawn(runtime, &log, PROBE_READY, 0, &join);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    sy_join_abort(&join);
    CHECK(!probe_finish(&join)); /* no effect: the output stands */
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

static void abort_then_drop_the_handle(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(50); i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct sy_join join;
        probe_spawn(runtime, &log, PROBE_FOREVER, 0, &join);
        if (i % 2) {
            support_counter_wait(&log.polled, 1);
        }
        sy_join_abort(&join);
        sy_join_drop(&join);
        support_counter_wait(&log.dropped, 1);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

/* ---- against other threads ---- */

/* A task that yields until it is told to end: it is polled, queued, stolen while the abort arrives. */
struct spinner {
    struct probe_log *log;
    unsigned left;
};

static enum sy_poll spinner_poll(void *future, struct sy_context *cx) {
    struct spinner *spinner = future;
    CHECK(au32_exchange_relaxed(&spinner->log->inside, 1) == 0);
    bool ready = spinner->left-- == 0;
    spinner->log->polls++;
    if (!ready) {
        spinner->left % 2 ? sy_yield_now(cx) : sy_waker_wake_by_ref(&cx->waker);
    }
    au32_store_relaxed(&spinner->log->inside, 0);
    return ready ? SY_READY : SY_PENDING;
}

static void spinner_drop(void *future) {
    struct spinner *spinner = future;
    CHECK(au32_exchange_relaxed(&spinner->log->inside, 1) == 0);
    spinner->log->drops++;
}

static const struct sy_future_type spinner_type = {
    .name = "spinner", .size = sizeof(struct spinner), .poll = spinner_poll, .drop = spinner_drop};

enum { RACERS = 32 };

struct race {
    struct sy_join joins[RACERS];
    struct probe_log logs[RACERS];
    pthread_barrier_t start;
};

static void *race_aborter(void *argument) {
    struct race *race = argument;
    pthread_barrier_wait(&race->start);
    for (unsigned i = 0; i < RACERS; i++) {
        sy_join_abort(&race->joins[i]);
    }
    return NULL;
}

static void race_round(struct sy_runtime *runtime, struct race *race, unsigned length) {
    CHECK_EQ(pthread_barrier_init(&race->start, NULL, 2), 0);
    for (unsigned i = 0; i < RACERS; i++) {
        probe_log_init(&race->logs[i]);
        struct spinner spinner = {.log = &race->logs[i], .left = length};
        CHECK_EQ(sy_spawn(runtime, &spinner_type, &spinner, &race->joins[i]), 0);
    }
    pthread_t aborter;
    CHECK_EQ(pthread_create(&aborter, NULL, race_aborter, race), 0);
    pthread_barrier_wait(&race->start);
    pthread_join(aborter, NULL);
    for (unsigned i = 0; i < RACERS; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&race->joins[i], &outcome), 0);
        CHECK(outcome.cancelled || race->logs[i].polls == length + 1);
        CHECK_EQ(race->logs[i].drops, 1); /* plain: the join orders it */
        sy_join_drop(&race->joins[i]);
    }
    pthread_barrier_destroy(&race->start);
}

static void abort_races_with_running(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct race race;
    for (unsigned i = 0; i < support_rounds(60); i++) {
        race_round(runtime, &race, i % 3 * 20);
    }
    sy_runtime_destroy(runtime);
}

/* A task aborted by another task, on whichever worker that runs. */
static void abort_inside(void *argument, struct sy_context *cx) {
    (void)cx;
    sy_join_abort((struct sy_join *)argument);
}

static void abort_from_a_worker(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    probe_spawn(runtime, &log, PROBE_FOREVER, 0, &join);
    support_counter_wait(&log.polled, 1);
    probe_run_on_worker(runtime, abort_inside, &join);
    CHECK(probe_finish(&join));
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

static const struct check_test tests[] = {
    {"abort_before_first_poll", abort_before_first_poll},   {"abort_while_pending", abort_while_pending},
    {"abort_while_running", abort_while_running},           {"abort_while_becoming_ready", abort_while_becoming_ready},
    {"abort_after_completion", abort_after_completion},     {"abort_then_drop_the_handle", abort_then_drop_the_handle},
    {"abort_races_with_running", abort_races_with_running}, {"abort_from_a_worker", abort_from_a_worker},
};

PROBE_SUITE("suite_executor_abort", tests, 100)
