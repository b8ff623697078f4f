/* A runtime ends while a spawner of the blocking pool is still about to signal a job that was done meanwhile. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>

#include "support_probe.h"

enum { KEEP_ALIVE_NS = 20 * 1000 * 1000, PATIENCE_NS = 200 * 1000 * 1000 };

struct spawner {
    struct sy_runtime *runtime;
    struct probe_log log;
    struct support_counter ending; /* 1: the runtime is being destroyed */
    bool held;
    struct au32 destroyed;
};

/* The thread's next signal is held up until the runtime is being destroyed, and then for as long as that may take. */
static _Thread_local struct spawner *holding;

static void hold_signal(struct spawner *spawner) {
    spawner->held = true;
    support_counter_wait(&spawner->ending, 1);
    int64_t until_ns = check_now_ns() + PATIENCE_NS;
    while (check_now_ns() < until_ns) {
        CHECK(!au32_load_relaxed(&spawner->destroyed)); /* and with it the condition variable */
        sched_yield();
    }
}

/* In place of the C library's. */
int pthread_cond_signal(pthread_cond_t *condition) {
    static int (*next)(pthread_cond_t *condition);
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_signal");
    }
    struct spawner *spawner = holding;
    if (spawner) {
        holding = NULL;
        hold_signal(spawner);
    }
    return next(condition);
}

static void *spawner_main(void *argument) {
    struct spawner *spawner = argument;
    struct probe probe = {.log = &spawner->log, .kind = PROBE_READY};
    holding = spawner;
    CHECK_EQ(sy_spawn_blocking(spawner->runtime, &probe_type, &probe, NULL), 0);
    holding = NULL;
    return NULL;
}

/* The pool's one thread waits for a job, or soon will. */
static struct sy_runtime *runtime_with_idle_thread(void) {
    struct sy_config config;
    sy_config_init(&config);
    config.workers = 1;
    config.blocking_threads = 1;
    config.blocking_keep_alive_ns = KEEP_ALIVE_NS; /* after which it looks for a job once more, untold */
    struct sy_runtime *runtime = support_runtime_start(&config);
    struct probe_log log;
    probe_log_init(&log);
    struct probe probe = {.log = &log, .kind = PROBE_READY};
    CHECK_EQ(sy_spawn_blocking(runtime, &probe_type, &probe, NULL), 0);
    support_counter_wait(&log.dropped, 1);
    for (unsigned i = 0; i < 100; i++) {
        sched_yield();
    }
    return runtime;
}

/* False: nobody was to be told, for the thread was not waiting yet. */
static bool round_run(void) {
    struct spawner spawner = {.runtime = runtime_with_idle_thread(), .ending = SUPPORT_COUNTER_INIT};
    probe_log_init(&spawner.log);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, spawner_main, &spawner), 0);
    support_counter_wait(&spawner.log.dropped, 1); /* done: hence the runtime may go */
    support_counter_add(&spawner.ending, 1);
    sy_runtime_destroy(spawner.runtime);
    au32_store_relaxed(&spawner.destroyed, 1);
    pthread_join(thread, NULL);
    return spawner.held;
}

static void a_runtime_waits_for_who_signals(size_t variant) {
    (void)variant;
    bool happened = false;
    for (unsigned i = 0; i < 100 && !happened; i++) {
        happened = round_run();
    }
    if (!happened) {
        check_skip("the pool's thread never waited in time on this machine");
    }
}

static const struct check_test tests[] = {
    {"a_runtime_waits_for_who_signals", a_runtime_waits_for_who_signals},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_blocking_end", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
