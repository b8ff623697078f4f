/* ctest-timeout: 200 */
/* The blocking pool over every combination: its bound, its queue, abort, shutdown and keep-alive. */
#define _GNU_SOURCE
#include "support_probe.h"

enum { JOBS = 12 };

static struct sy_runtime *runtime_with_pool(size_t combo, unsigned threads) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.blocking_threads = threads;
    return support_runtime_start(&config);
}

static void job_spawn(struct sy_runtime *runtime, struct probe_log *log, enum probe_kind kind, struct sy_join *join) {
    probe_log_init(log);
    struct probe probe = {.log = log, .kind = kind, .input = 41};
    CHECK_EQ(sy_spawn_blocking(runtime, &probe_type, &probe, join), 0);
}

static struct sy_runtime_metrics metrics_of(const struct sy_runtime *runtime) {
    struct sy_runtime_metrics metrics;
    sy_runtime_metrics(runtime, &metrics);
    return metrics;
}

/* What runs at once, and the most that ever did. */
struct crowd {
    struct au32 now, most;
    struct support_counter *release;
};

static enum sy_poll crowd_poll(void *future, struct sy_context *cx) {
    struct crowd *crowd = *(struct crowd **)future;
    CHECK(cx->waker.vtable == NULL);
    CHECK_EQ(sy_runtime_current_worker(cx->runtime), -1);
    uint32_t now = au32_fetch_add_relaxed(&crowd->now, 1) + 1;
    uint32_t most = au32_load_relaxed(&crowd->most);
    while (now > most && !au32_cas_relaxed(&crowd->most, &most, now)) {
    }
    sched_yield();
    au32_fetch_sub_relaxed(&crowd->now, 1);
    return SY_READY;
}

static const struct sy_future_type crowd_type = {.name = "crowd", .size = sizeof(struct crowd *), .poll = crowd_poll};

static void more_jobs_than_threads(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 2);
    struct crowd crowd = {0}, *pointer = &crowd;
    static struct sy_join joins[300];
    for (unsigned i = 0; i < 300; i++) {
        CHECK_EQ(sy_spawn_blocking(runtime, &crowd_type, &pointer, &joins[i]), 0);
    }
    for (unsigned i = 0; i < 300; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        CHECK(!outcome.cancelled);
        sy_join_drop(&joins[i]);
    }
    CHECK(au32_load_relaxed(&crowd.most) >= 1);
    CHECK(au32_load_relaxed(&crowd.most) <= 2);
    sy_runtime_destroy(runtime);
}

static void pool_is_bounded_and_fills(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 3);
    static struct probe_log logs[JOBS];
    struct sy_join joins[JOBS];
    unsigned held = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        job_spawn(runtime, &logs[i], PROBE_HELD, &joins[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        support_counter_wait(&logs[i].held, 1); /* jobs begin in order, three at once */
    }
    CHECK_EQ(metrics_of(runtime).blocking_threads, 3);
    CHECK_EQ(metrics_of(runtime).blocking_depth, JOBS - 3);
    for (unsigned i = 0; i < JOBS; i++) {
        held += support_counter_get(&logs[i].held) > 0;
    }
    CHECK_EQ(held, 3);
    for (unsigned i = 0; i < JOBS; i++) {
        probe_release(&logs[i]);
        CHECK(!probe_finish(&joins[i]));
    }
    CHECK_EQ(metrics_of(runtime).blocking_depth, 0);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < JOBS; i++) {
        probe_check_dropped(&logs[i]);
        CHECK_EQ(logs[i].polls, 1);
    }
}

static void abort_before_start(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 1);
    struct probe_log running, queued, after;
    struct sy_join running_join, queued_join, after_join;
    job_spawn(runtime, &running, PROBE_HELD, &running_join);
    support_counter_wait(&running.held, 1);
    job_spawn(runtime, &queued, PROBE_READY, &queued_join);
    job_spawn(runtime, &after, PROBE_READY, &after_join);
    sy_join_abort(&queued_join);
    sy_join_abort(&running_join); /* too late: it is waited for */
    probe_release(&running);
    probe_finish(&running_join);
    CHECK(probe_finish(&queued_join));
    CHECK(!probe_finish(&after_join));
    CHECK_EQ(queued.polls, 0);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&running);
    probe_check_dropped(&queued);
    probe_check_dropped(&after);
}

static void *shutdown_thread(void *runtime) {
    CHECK_EQ(sy_runtime_shutdown((struct sy_runtime *)runtime), 0);
    return NULL;
}

static void shutdown_with_queued_and_running_jobs(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 2);
    static struct probe_log logs[JOBS];
    struct sy_join joins[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        job_spawn(runtime, &logs[i], PROBE_HELD, &joins[i]);
    }
    support_counter_wait(&logs[0].held, 1);
    support_counter_wait(&logs[1].held, 1);
    pthread_t closer;
    CHECK_EQ(pthread_create(&closer, NULL, shutdown_thread, runtime), 0);
    while (metrics_of(runtime).blocking_depth > 0) {
        sched_yield(); /* both threads are held: only the pool's end takes jobs from its queue */
    }
    struct probe_log refused = PROBE_LOG_INIT;
    struct probe probe = {.log = &refused};
    CHECK_EQ(sy_spawn_blocking(runtime, &probe_type, &probe, NULL), -ESHUTDOWN);
    CHECK_EQ(refused.drops, 0);
    CHECK(!sy_join_is_finished(&joins[0]));
    for (unsigned i = 0; i < JOBS; i++) {
        probe_release(&logs[i]);
    }
    pthread_join(closer, NULL);
    for (unsigned i = 0; i < JOBS; i++) {
        CHECK_EQ(probe_finish(&joins[i]), i >= 2);
        CHECK_EQ(logs[i].polls, i < 2);
        probe_check_dropped(&logs[i]);
    }
    sy_runtime_destroy(runtime);
}

static void idle_threads_leave(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.blocking_threads = 4;
    config.blocking_keep_alive_ns = 1000000;
    struct sy_runtime *runtime = support_runtime_start(&config);
    for (unsigned round = 0; round < 3; round++) {
        static struct probe_log logs[4];
        struct sy_join joins[4];
        for (unsigned i = 0; i < 4; i++) {
            job_spawn(runtime, &logs[i], PROBE_HELD, &joins[i]);
        }
        for (unsigned i = 0; i < 4; i++) {
            support_counter_wait(&logs[i].held, 1);
        }
        CHECK_EQ(metrics_of(runtime).blocking_threads, 4);
        for (unsigned i = 0; i < 4; i++) {
            probe_release(&logs[i]);
            CHECK(!probe_finish(&joins[i]));
        }
        while (metrics_of(runtime).blocking_threads > 0) {
            sched_yield(); /* bounded by the watchdog */
        }
    }
    sy_runtime_destroy(runtime);
}

/* Jobs arrive exactly when the threads' time runs out: none is left without a thread. */
static void jobs_race_with_leaving_threads(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.blocking_threads = 2;
    config.blocking_keep_alive_ns = 20000;
    struct sy_runtime *runtime = support_runtime_start(&config);
    uint64_t random = check_seed();
    for (unsigned i = 0; i < support_rounds(500); i++) {
        struct probe_log log;
        struct sy_join join;
        job_spawn(runtime, &log, PROBE_READY, &join);
        CHECK(!probe_finish(&join));
        uint64_t until_ns = sy_now_ns() + check_random(&random) % 100000;
        while (sy_now_ns() < until_ns) {
            cpu_relax();
        }
    }
    sy_runtime_destroy(runtime);
}

/* A task on a worker that waits for a job of the pool. */
struct client {
    struct probe_log *log;
    struct sy_join join;
    bool started;
};

static enum sy_poll client_poll(void *future, struct sy_context *cx) {
    struct client *client = future;
    struct sy_outcome outcome;
    if (!client->started) {
        client->started = true;
        job_spawn(cx->runtime, client->log, PROBE_READY, &client->join);
    }
    if (sy_join_poll(&client->join, cx, &outcome) == SY_PENDING) {
        return SY_PENDING;
    }
    CHECK(!outcome.cancelled);
    CHECK_EQ(((struct probe *)outcome.future)->output, 42);
    sy_join_drop(&client->join);
    return SY_READY;
}

static const struct sy_future_type client_type = {.name = "client", .size = sizeof(struct client), .poll = client_poll};

static void jobs_from_inside(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 2);
    static struct probe_log logs[64];
    struct sy_join joins[64];
    for (unsigned i = 0; i < 64; i++) {
        struct client client = {.log = &logs[i]};
        CHECK_EQ(sy_spawn(runtime, &client_type, &client, &joins[i]), 0);
    }
    for (unsigned i = 0; i < 64; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        CHECK(!outcome.cancelled);
        sy_join_drop(&joins[i]);
    }
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < 64; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* Inside a job it is allowed to block on a future, and refused to end the runtime that would wait for it. */
static enum sy_poll nested_poll(void *future, struct sy_context *cx) {
    (void)future;
    struct probe_log log = PROBE_LOG_INIT, spawned = PROBE_LOG_INIT;
    struct probe probe = {.log = &log, .kind = PROBE_YIELDS, .left = 3};
    struct sy_join join;
    CHECK_EQ(sy_block_on(cx->runtime, &probe_type, &probe), 0);
    probe_spawn(cx->runtime, &spawned, PROBE_YIELDS, 3, &join);
    CHECK(!probe_finish(&join));
    CHECK_EQ(sy_runtime_shutdown(cx->runtime), -EDEADLK);
    return SY_READY;
}

static const struct sy_future_type nested_type = {.name = "nested", .size = 0, .poll = nested_poll};

static void block_on_inside_a_job(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 1);
    struct sy_join join;
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn_blocking(runtime, &nested_type, NULL, &join), 0);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(!outcome.cancelled);
    sy_join_drop(&join);
    sy_runtime_destroy(runtime);
}

static void no_pool_refuses(size_t combo) {
    struct sy_runtime *runtime = runtime_with_pool(combo, 0);
    struct probe_log log = PROBE_LOG_INIT;
    struct probe probe = {.log = &log};
    CHECK(sy_spawn_blocking(runtime, &probe_type, &probe, NULL) < 0);
    sy_runtime_destroy(runtime);
    CHECK_EQ(log.polls + log.drops, 0);
}

static const struct check_test tests[] = {
    {"more_jobs_than_threads", more_jobs_than_threads},
    {"pool_is_bounded_and_fills", pool_is_bounded_and_fills},
    {"abort_before_start", abort_before_start},
    {"shutdown_with_queued_and_running_jobs", shutdown_with_queued_and_running_jobs},
    {"idle_threads_leave", idle_threads_leave},
    {"jobs_race_with_leaving_threads", jobs_race_with_leaving_threads},
    {"jobs_from_inside", jobs_from_inside},
    {"block_on_inside_a_job", block_on_inside_a_job},
    {"no_pool_refuses", no_pool_refuses},
};

PROBE_SUITE("suite_executor_blocking", tests, 100)
