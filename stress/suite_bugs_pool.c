/* ctest-timeout: 200 */
/*
 * Failures that blocking pools of other runtimes had: tokio 8056 (a hang), 7922 (an idle count decremented twice at
 * shutdown) and 8406 (a job left behind when no thread could be started). The numbers are those of suite_bugs_task.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "support_probe.h"

#if !SUPPORT_SANITIZED
static struct au32 no_threads; /* 1: pthread_create fails, whoever calls it */

/* Stands before the C library's. A sanitizer needs its own in that place. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create_function *real;
    if (au32_load_relaxed(&no_threads)) {
        return EAGAIN;
    }
    if (!real) {
        real = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
    }
    return real(thread, attributes, run, argument);
}

static bool threads_can_fail(void) {
    return true;
}

static void threads_fail(bool fail) {
    au32_store_relaxed(&no_threads, fail);
}
#else
static bool threads_can_fail(void) {
    return false;
}

static void threads_fail(bool fail) {
    (void)fail;
}
#endif

static struct sy_runtime *pool(size_t combo, unsigned threads, uint64_t keep_alive_ns) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.blocking_threads = threads;
    config.blocking_keep_alive_ns = keep_alive_ns;
    return support_runtime_start(&config);
}

static int job_spawn(struct sy_runtime *runtime, struct probe_log *log, enum probe_kind kind, struct sy_join *join) {
    struct probe probe = {.log = log, .kind = kind, .input = 41};
    return sy_spawn_blocking(runtime, &probe_type, &probe, join);
}

/* Idle threads that leave, that are called, and that are told to end, all at once. */
static void bug_10_pool_hangs_tokio_8056(size_t combo) {
    uint64_t random = check_seed();
    static struct probe_log logs[8];
    for (unsigned round = 0; round < support_rounds(200); round++) {
        uint64_t r = check_random(&random);
        struct sy_runtime *runtime = pool(combo, 1 + (unsigned)(r & 3), 1 + (r >> 8) % 50000);
        unsigned accepted = 0;
        for (; accepted < 8; accepted++) {
            probe_log_init(&logs[accepted]);
            CHECK_EQ(job_spawn(runtime, &logs[accepted], PROBE_READY, NULL), 0);
            if (accepted % 2) {
                support_counter_wait(&logs[accepted].dropped, 1); /* so that threads go idle in between */
            }
        }
        sy_runtime_destroy(runtime);
        for (unsigned i = 0; i < accepted; i++) {
            probe_check_dropped(&logs[i]);
        }
    }
}

/* The idle count went below zero at shutdown: then no idle thread was ever called again, or one too many waited for. */
static void bug_10_idle_count_at_shutdown_tokio_7922(size_t combo) {
    for (unsigned round = 0; round < support_rounds(100); round++) {
        struct sy_runtime *runtime = pool(combo, 4, UINT64_C(3600000000000));
        static struct probe_log logs[4];
        struct sy_join joins[4];
        for (unsigned i = 0; i < 4; i++) {
            probe_log_init(&logs[i]);
            CHECK_EQ(job_spawn(runtime, &logs[i], PROBE_HELD, &joins[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            support_counter_wait(&logs[i].held, 1);
        }
        for (unsigned i = 0; i < 4; i++) {
            probe_release(&logs[i]);
            CHECK(!probe_finish(&joins[i]));
        }
        /* Four threads, idle or about to be; a job for one of them, and the end. */
        struct probe_log last = PROBE_LOG_INIT;
        CHECK_EQ(job_spawn(runtime, &last, PROBE_READY, NULL), 0);
        sy_runtime_destroy(runtime);
        probe_check_dropped(&last);
    }
}

static void bug_10_no_thread_for_the_first_job_tokio_8406(size_t combo) {
    if (!threads_can_fail()) {
        check_skip("pthread_create cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_runtime *runtime = pool(combo, 2, UINT64_C(3600000000000));
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join = {0};
    threads_fail(true);
    int refused = job_spawn(runtime, &log, PROBE_READY, &join);
    threads_fail(false);
    CHECK_EQ(refused, -EAGAIN);
    CHECK_EQ(log.polls + log.drops, 0);
    struct sy_runtime_metrics metrics;
    sy_runtime_metrics(runtime, &metrics);
    CHECK_EQ(metrics.blocking_depth + metrics.blocking_threads, 0);
    CHECK_EQ(job_spawn(runtime, &log, PROBE_READY, &join), 0); /* and the pool still works */
    CHECK(!probe_finish(&join));
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

/* A second thread cannot be started: the job waits for the first one and is not lost. */
static void bug_10_no_thread_for_a_further_job_tokio_8406(size_t combo) {
    if (!threads_can_fail()) {
        check_skip("pthread_create cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_runtime *runtime = pool(combo, 2, UINT64_C(3600000000000));
    struct probe_log first = PROBE_LOG_INIT, second = PROBE_LOG_INIT;
    struct sy_join first_join, second_join;
    CHECK_EQ(job_spawn(runtime, &first, PROBE_HELD, &first_join), 0);
    support_counter_wait(&first.held, 1);
    threads_fail(true);
    int accepted = job_spawn(runtime, &second, PROBE_READY, &second_join);
    threads_fail(false);
    CHECK_EQ(accepted, 0);
    probe_release(&first);
    CHECK(!probe_finish(&first_join));
    CHECK(!probe_finish(&second_join));
    sy_runtime_destroy(runtime);
    probe_check_dropped(&first);
    probe_check_dropped(&second);
}

/* No thread for the second worker at create: an error, and the first worker is ended. */
static void no_thread_for_a_worker(size_t combo) {
    if (!threads_can_fail()) {
        check_skip("pthread_create cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    support_combo_config(combo, &config);
    unsigned threads = support_thread_count(), descriptors = support_fd_count();
    threads_fail(true);
    int error = sy_runtime_create(&runtime, &config);
    threads_fail(false);
    CHECK_EQ(error, -EAGAIN);
    support_wait_for_threads(threads);
    CHECK_EQ(support_fd_count(), descriptors);
}

static const struct check_test tests[] = {
    {"bug_10_pool_hangs_tokio_8056", bug_10_pool_hangs_tokio_8056},
    {"bug_10_idle_count_at_shutdown_tokio_7922", bug_10_idle_count_at_shutdown_tokio_7922},
    {"bug_10_no_thread_for_the_first_job_tokio_8406", bug_10_no_thread_for_the_first_job_tokio_8406},
    {"bug_10_no_thread_for_a_further_job_tokio_8406", bug_10_no_thread_for_a_further_job_tokio_8406},
    {"no_thread_for_a_worker", no_thread_for_a_worker},
};

PROBE_SUITE("suite_bugs_pool", tests, 100)
