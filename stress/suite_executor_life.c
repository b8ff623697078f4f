/* ctest-timeout: 200 */
/* A runtime's start and end over every combination: everything dropped once, everything given back. */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "queues/reclaim.h"
#include "support_alloc.h"
#include "support_probe.h"

enum { TASKS = 120 };

static const enum probe_kind all_kinds[] = {PROBE_READY, PROBE_FOREVER, PROBE_YIELDS, PROBE_SELF, PROBE_GATE};

/* Tasks in every state, some polled and some not, with and without a handle. */
static void shutdown_drops_each_once(size_t combo) {
    static struct probe_log logs[TASKS];
    for (unsigned round = 0; round < support_rounds(30); round++) {
        struct sy_runtime *runtime = support_runtime(combo);
        struct sy_join joins[TASKS] = {{0}};
        for (unsigned i = 0; i < TASKS; i++) {
            probe_log_init(&logs[i]);
            probe_spawn(runtime, &logs[i], all_kinds[i % 5], i % 3 ? 5 : 1000000, i % 2 ? &joins[i] : NULL);
        }
        support_counter_wait(&logs[round * 4 % TASKS].polled, 1);
        CHECK_EQ(sy_runtime_shutdown(runtime), 0);
        for (unsigned i = 0; i < TASKS; i++) {
            CHECK_EQ(logs[i].drops, 1);
            uint64_t polls = logs[i].polls;
            if (i % 2) {
                CHECK_EQ(probe_finish(&joins[i]), !logs[i].was_ready);
            }
            CHECK_EQ(logs[i].polls, polls);
            probe_check_dropped(&logs[i]);
        }
        sy_runtime_destroy(runtime);
    }
}

static void *shutdown_thread(void *runtime) {
    CHECK_EQ(sy_runtime_shutdown((struct sy_runtime *)runtime), 0);
    return NULL;
}

/* A poll that is under way is waited for; what is queued behind it is dropped unpolled. */
static void shutdown_waits_for_the_poll(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_hogs hogs;
    struct probe_log behind = PROBE_LOG_INIT, refused = PROBE_LOG_INIT;
    struct sy_join join;
    pthread_t closer;
    probe_hogs_start(&hogs, runtime);
    probe_spawn(runtime, &behind, PROBE_READY, 0, &join);
    CHECK_EQ(pthread_create(&closer, NULL, shutdown_thread, runtime), 0);
    struct probe probe = {.log = &refused};
    int error = 0;
    unsigned accepted = 0;
    while (error == 0) { /* until the shutdown has begun */
        error = sy_spawn(runtime, &probe_call_type, &(struct probe_call){0}, NULL);
        accepted++;
    }
    CHECK_EQ(error, -ESHUTDOWN);
    CHECK_EQ(sy_spawn(runtime, &probe_type, &probe, NULL), -ESHUTDOWN);
    CHECK_EQ(support_counter_get(&behind.dropped) + support_counter_get(&hogs.logs[0].dropped), 0);
    probe_hogs_release(&hogs);
    pthread_join(closer, NULL);
    probe_hogs_finish(&hogs);
    CHECK(probe_finish(&join));
    CHECK_EQ(behind.polls, 0);
    CHECK_EQ(refused.drops + refused.polls, 0);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&behind);
}

static void shutdown_twice_and_at_once(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    pthread_t closers[2];
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&closers[i], NULL, shutdown_thread, runtime), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(closers[i], NULL);
    }
    CHECK_EQ(sy_runtime_shutdown(runtime), 0);
    sy_runtime_destroy(runtime);
    sy_runtime_destroy(NULL);
}

static void shutdown_inside(void *argument, struct sy_context *cx) {
    (void)argument;
    CHECK_EQ(sy_runtime_shutdown(cx->runtime), -EDEADLK);
}

static void shutdown_on_a_worker_is_refused(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    probe_run_on_worker(runtime, shutdown_inside, NULL);
    probe_run_on_worker(runtime, shutdown_inside, NULL); /* it still runs */
    sy_runtime_destroy(runtime);
}

/* ---- by a worker of another runtime ---- */

static void do_nothing(struct reclaim_head *head) {
    (void)head;
}

static void return_at_once(void *argument, struct sy_context *cx) {
    (void)argument;
    (void)cx;
}

/* Ends only when every thread that is online has been quiescent, like the end of any runtime may. */
static void wait_for_a_grace_period(void *argument, struct sy_context *cx) {
    struct reclaim *reclaim;
    struct reclaim_head head;
    struct probe_call call = {.run = return_at_once};
    support_counter_add(argument, 1);
    while (sy_spawn(cx->runtime, &probe_call_type, &call, NULL) == 0) {
        sched_yield(); /* until the shutdown has begun */
    }
    CHECK_EQ(reclaim_create(&reclaim), 0);
    reclaim_defer(reclaim, &head, do_nothing);
    reclaim_destroy(reclaim);
}

static void destroy_other(void *argument, struct sy_context *cx) {
    (void)cx;
    sy_runtime_destroy(argument);
}

/* Who shuts down waits for polls and jobs, which may wait for a grace period, which must not wait for who shuts down. */
static void shutdown_by_anothers_worker(size_t combo) {
    struct sy_runtime *outer = support_runtime(combo), *inner = support_runtime(combo);
    struct support_counter begun = SUPPORT_COUNTER_INIT;
    struct probe_call call = {.run = wait_for_a_grace_period, .argument = &begun};
    CHECK_EQ(sy_spawn(inner, &probe_call_type, &call, NULL), 0);
    support_counter_wait(&begun, 1);
    probe_run_on_worker(outer, destroy_other, inner);
    sy_runtime_destroy(outer);
}

/* ---- what is given back ---- */

struct holdings {
    unsigned threads, descriptors;
    int64_t allocations;
};

static struct holdings holdings_now(void) {
    return (struct holdings){support_thread_count(), support_fd_count(), support_alloc_live()};
}

static void holdings_check(struct holdings before) {
    support_wait_for_threads(before.threads);
    CHECK_EQ(support_fd_count(), before.descriptors);
}

static void one_cycle(size_t combo, unsigned tasks) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < tasks; i++) {
        struct probe_call call = {.run = shutdown_inside};
        CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, NULL), 0);
    }
    sy_runtime_destroy(runtime);
}

static void a_thousand_cycles(size_t combo) {
    one_cycle(combo, 1);
    struct holdings before = holdings_now();
    unsigned cycles = support_rounds(1000);
    for (unsigned i = 0; i < cycles; i++) {
        one_cycle(combo, i % 4);
        if (i % 100 == 0) {
            holdings_check(before);
        }
    }
    holdings_check(before);
    /* The C library may keep a few blocks of its own (a thread's cached stack); a leak is one a cycle at least. */
    CHECK(support_alloc_live() - before.allocations < (int64_t)cycles / 2);
}

static void out_of_descriptors_at_create(size_t combo) {
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    struct rlimit old, limit;
    support_combo_config(combo, &config);
    one_cycle(combo, 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct holdings before = holdings_now();
    limit = old;
    int error = -EMFILE;
    unsigned failures = 0;
    for (limit.rlim_cur = 0; error == -EMFILE; limit.rlim_cur++) { /* one more each time, until it is enough */
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        error = sy_runtime_create(&runtime, &config);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
        if (error) {
            CHECK_EQ(error, -EMFILE);
            failures++;
            holdings_check(before);
        }
    }
    CHECK(failures > 3); /* at least standard input, output, error and one of its own */
    sy_runtime_destroy(runtime);
    holdings_check(before);
}

static void out_of_memory_at_create(size_t combo) {
    if (support_combo(combo)->queue.aborts) {
        check_skip("the queue's library ends the process without memory");
        return;
    }
    if (strcmp(support_combo(combo)->reactor, "rx_uv") == 0) {
        check_skip("libuv ends the process without memory");
        return;
    }
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    support_combo_config(combo, &config);
    one_cycle(combo, 4);
    struct holdings before = holdings_now();
    int error = -ENOMEM;
    unsigned failures = 0;
    for (unsigned n = 0; error; n++) {
        support_alloc_fail_after(n);
        error = sy_runtime_create(&runtime, &config);
        support_alloc_fail_after(UINT64_MAX);
        if (error) {
            CHECK(error == -ENOMEM || error == -EAGAIN); /* a thread that cannot be started says EAGAIN */
            failures++;
            holdings_check(before);
        }
    }
    CHECK(failures >= 5); /* the runtime, its queue, its deque, its reactor, a worker, … */
    sy_runtime_destroy(runtime);
    holdings_check(before);
    CHECK(support_alloc_live() - before.allocations < (int64_t)failures / 2);
}

/* ---- spawns from 64 threads while the runtime ends ---- */

enum { SPAWNERS = 64, SPAWNS = 40 };

struct storm {
    struct sy_runtime *runtime;
    pthread_barrier_t start;
    struct au32 accepted, refused, begun;
    struct au32 polls[SPAWNERS * SPAWNS], drops[SPAWNERS * SPAWNS], ok[SPAWNERS * SPAWNS];
    struct au32 next;
};

struct drop_of {
    struct storm *storm;
    unsigned id;
};

static enum sy_poll storm_poll(void *future, struct sy_context *cx) {
    struct drop_of *self = future;
    bool in_pool = cx->waker.vtable == NULL;
    CHECK_EQ(au32_fetch_add_relaxed(&self->storm->polls[self->id], 1), 0);
    return in_pool || self->id % 4 ? SY_READY : SY_PENDING;
}

static void storm_drop(void *future) {
    struct drop_of *self = future;
    CHECK_EQ(au32_fetch_add_relaxed(&self->storm->drops[self->id], 1), 0);
}

static const struct sy_future_type storm_type = {
    .name = "storm", .size = sizeof(struct drop_of), .poll = storm_poll, .drop = storm_drop};

static void *storm_spawner(void *argument) {
    struct storm *storm = argument;
    unsigned base = au32_fetch_add_relaxed(&storm->next, SPAWNS);
    pthread_barrier_wait(&storm->start);
    for (unsigned i = 0; i < SPAWNS; i++) {
        struct drop_of self = {.storm = storm, .id = base + i};
        struct sy_join join = {0};
        bool joined = i % 3 == 0;
        int error = i % 5 ? sy_spawn(storm->runtime, &storm_type, &self, joined ? &join : NULL)
                          : sy_spawn_blocking(storm->runtime, &storm_type, &self, joined ? &join : NULL);
        CHECK(error == 0 || error == -ESHUTDOWN);
        au32_store_relaxed(&storm->ok[self.id], error == 0);
        au32_fetch_add_relaxed(error ? &storm->refused : &storm->accepted, 1);
        if (error == 0 && joined) {
            sy_join_drop(&join);
        }
    }
    return NULL;
}

static void storm_check(struct storm *storm) {
    for (unsigned i = 0; i < SPAWNERS * SPAWNS; i++) {
        CHECK_EQ(au32_load_relaxed(&storm->drops[i]), au32_load_relaxed(&storm->ok[i]));
        CHECK(au32_load_relaxed(&storm->polls[i]) <= au32_load_relaxed(&storm->ok[i]));
    }
}

static void spawns_during_shutdown(size_t combo) {
    static struct storm storm;
    uint32_t accepted = 0, refused = 0;
    for (unsigned round = 0; round < (SUPPORT_SANITIZED ? 3 : 10); round++) {
        pthread_t spawners[SPAWNERS];
        memset(&storm, 0, sizeof storm);
        storm.runtime = support_runtime(combo);
        CHECK_EQ(pthread_barrier_init(&storm.start, NULL, SPAWNERS + 1), 0);
        for (unsigned i = 0; i < SPAWNERS; i++) {
            CHECK_EQ(pthread_create(&spawners[i], NULL, storm_spawner, &storm), 0);
        }
        pthread_barrier_wait(&storm.start);
        while (au32_load_relaxed(&storm.accepted) < round * 100) {
            sched_yield(); /* ends in the midst of them, sooner or later each round */
        }
        CHECK_EQ(sy_runtime_shutdown(storm.runtime), 0);
        for (unsigned i = 0; i < SPAWNERS; i++) {
            pthread_join(spawners[i], NULL);
        }
        sy_runtime_destroy(storm.runtime);
        pthread_barrier_destroy(&storm.start);
        storm_check(&storm);
        accepted += au32_load_relaxed(&storm.accepted);
        refused += au32_load_relaxed(&storm.refused);
    }
    CHECK(accepted > 0);
    CHECK(refused > 0);
}

static const struct check_test tests[] = {
    {"shutdown_drops_each_once", shutdown_drops_each_once},
    {"shutdown_waits_for_the_poll", shutdown_waits_for_the_poll},
    {"shutdown_twice_and_at_once", shutdown_twice_and_at_once},
    {"shutdown_on_a_worker_is_refused", shutdown_on_a_worker_is_refused},
    {"shutdown_by_anothers_worker", shutdown_by_anothers_worker},
    {"a_thousand_cycles", a_thousand_cycles},
    {"out_of_descriptors_at_create", out_of_descriptors_at_create},
    {"out_of_memory_at_create", out_of_memory_at_create},
    {"spawns_during_shutdown", spawns_during_shutdown},
};

PROBE_SUITE("suite_executor_life", tests, 100)
