/* ctest-timeout: 200 */
/* Wakers over every combination: balanced, never lost while a task runs, harmless after its end and the runtime's. */
#define _GNU_SOURCE
#include "support_probe.h"

/* A future that publishes its waker once and is ready when it has seen `target`. */
struct counting {
    struct counting_log *log;
    bool published;
};

struct counting_log {
    struct au64 value, seen;
    uint64_t target;
    uint64_t polls; /* plain: a poll by two workers at once, or unordered ones, is a race that ThreadSanitizer names */
    struct au32 inside;
    struct sy_waker waker;
    struct support_counter published, progress;
};

static void counting_log_init(struct counting_log *log, uint64_t target) {
    *log = (struct counting_log){.target = target, .published = SUPPORT_COUNTER_INIT, .progress = SUPPORT_COUNTER_INIT};
}

static enum sy_poll counting_poll(void *future, struct sy_context *cx) {
    struct counting *counting = future;
    struct counting_log *log = counting->log;
    CHECK_EQ(au32_exchange_relaxed(&log->inside, 1), 0);
    log->polls++;
    if (!counting->published) {
        counting->published = true;
        log->waker = sy_waker_clone(&cx->waker);
        support_counter_add(&log->published, 1);
    }
    uint64_t value = au64_load_relaxed(&log->value);
    bool ready = value >= log->target;
    if (au64_exchange_relaxed(&log->seen, value) != value) {
        support_counter_add(&log->progress, 1);
    }
    au32_store_relaxed(&log->inside, 0);
    return ready ? SY_READY : SY_PENDING;
}

static const struct sy_future_type counting_type = {
    .name = "counting", .size = sizeof(struct counting), .poll = counting_poll};

static void counting_spawn(struct sy_runtime *runtime, struct counting_log *log, struct sy_join *join) {
    struct counting counting = {.log = log};
    CHECK_EQ(sy_spawn(runtime, &counting_type, &counting, join), 0);
    support_counter_wait(&log->published, 1);
}

static void counting_finish(struct counting_log *log, struct sy_join *join) {
    struct sy_outcome outcome;
    CHECK_EQ(sy_join_wait(join, &outcome), 0);
    CHECK(!outcome.cancelled);
    sy_join_drop(join);
    CHECK(log->polls >= 1);
}

struct wake_thread {
    struct counting_log *log;
    unsigned wakes;
};

static void *wake_thread(void *argument) {
    struct wake_thread *self = argument;
    for (unsigned i = 0; i < self->wakes; i++) {
        au64_fetch_add_relaxed(&self->log->value, 1);
        sy_waker_wake_by_ref(&self->log->waker);
    }
    return NULL;
}

/* Threads wake as fast as they can; the last wake of each must still be seen. */
static void storm(size_t combo, unsigned threads, unsigned wakes) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct counting_log log;
    struct sy_join join;
    pthread_t ids[8];
    struct wake_thread self = {.log = &log, .wakes = wakes};
    counting_log_init(&log, (uint64_t)threads * wakes);
    counting_spawn(runtime, &log, &join);
    for (unsigned i = 0; i < threads; i++) {
        CHECK_EQ(pthread_create(&ids[i], NULL, wake_thread, &self), 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    counting_finish(&log, &join);
    sy_waker_drop(log.waker);
    sy_runtime_destroy(runtime);
}

static void wake_storm_by_one(size_t combo) {
    storm(combo, 1, support_rounds(100000));
}

static void wake_storm_by_four(size_t combo) {
    storm(combo, 4, support_rounds(20000));
}

/* Each wake-up must lead to a poll of its own, from every state of the worker: running, searching, parking, parked. */
static void each_wake_is_seen(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    unsigned rounds = support_rounds(2000);
    struct counting_log log;
    struct sy_join join;
    counting_log_init(&log, rounds);
    counting_spawn(runtime, &log, &join);
    uint64_t random = check_seed();
    for (unsigned i = 1; i <= rounds; i++) {
        au64_store_relaxed(&log.value, i);
        sy_waker_wake_by_ref(&log.waker);
        support_counter_wait(&log.progress, i);
        for (uint64_t spin = check_random(&random) % 4096; spin > 0; spin--) {
            cpu_relax();
        }
    }
    counting_finish(&log, &join);
    sy_waker_drop(log.waker);
    sy_runtime_destroy(runtime);
}

static void wake_by_itself(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    unsigned rounds = support_rounds(10000);
    probe_spawn(runtime, &log, PROBE_SELF, rounds, &join);
    CHECK(!probe_finish(&join));
    CHECK_EQ(log.polls, rounds + 1);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

/* ---- balance: an embedded task is released after its last waker, no sooner and once ---- */

struct balanced {
    struct sy_task header;
    struct probe future;
    struct support_counter released;
};

static void balanced_release(struct sy_task *task) {
    support_counter_add(&((struct balanced *)task)->released, 1);
}

enum { CLONES = 90 };

static void *give_back(void *argument) {
    struct sy_waker *wakers = argument;
    for (unsigned i = 0; i < CLONES / 2; i++) {
        switch (i % 3) {
        case 0:
            sy_waker_wake(wakers[i]);
            break;
        case 1:
            sy_waker_wake_by_ref(&wakers[i]);
            sy_waker_drop(wakers[i]);
            break;
        case 2:
            sy_waker_drop(wakers[i]);
            break;
        }
    }
    return NULL;
}

/* Clones of the waker that the pending future left in its gate, given back by two threads in three ways. */
static void wakers_balance(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned round = 0; round < support_rounds(30); round++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct balanced task = {.future = {.log = &log, .kind = PROBE_FOREVER}, .released = SUPPORT_COUNTER_INIT};
        struct sy_join join;
        struct sy_waker wakers[CLONES];
        CHECK_EQ(sy_spawn_embedded(runtime, &probe_type, &task.header, balanced_release, &join), 0);
        support_counter_wait(&log.polled, 1);
        struct sy_waker last = sy_waker_clone(&log.gate.waker);
        for (unsigned i = 0; i < CLONES; i++) {
            wakers[i] = sy_waker_clone(&last);
        }
        pthread_t other;
        CHECK_EQ(pthread_create(&other, NULL, give_back, wakers), 0);
        give_back(wakers + CLONES / 2);
        pthread_join(other, NULL);
        sy_join_abort(&join);
        CHECK(probe_finish(&join));
        support_gate_clear(&log.gate);
        CHECK_EQ(support_counter_get(&task.released), 0);
        CHECK(sy_waker_will_wake(&last, &last));
        round % 2 ? sy_waker_wake(last) : sy_waker_drop(last);
        support_counter_wait(&task.released, 1);
        CHECK_EQ(log.drops, 1);
    }
    sy_runtime_destroy(runtime);
}

static void wake_after_completion(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    probe_spawn(runtime, &log, PROBE_GATE, 0, &join);
    support_counter_wait(&log.polled, 1);
    struct sy_waker late = sy_waker_clone(&log.gate.waker);
    support_gate_open(&log.gate);
    CHECK(!probe_finish(&join));
    CHECK_EQ(log.polls, 2);
    sy_waker_wake_by_ref(&late);
    sy_waker_wake_by_ref(&late);
    sy_waker_wake(late);
    sy_runtime_destroy(runtime);
    CHECK_EQ(log.polls, 2);
    probe_check_dropped(&log);
}

static void wake_after_the_runtime(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log logs[2] = {PROBE_LOG_INIT, PROBE_LOG_INIT};
    struct sy_waker late[2];
    for (unsigned i = 0; i < 2; i++) {
        probe_spawn(runtime, &logs[i], PROBE_GATE, 0, NULL);
        support_counter_wait(&logs[i].polled, 1);
        late[i] = sy_waker_clone(&logs[i].gate.waker);
    }
    support_gate_open(&logs[0].gate);
    support_counter_wait(&logs[0].dropped, 1);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < 2; i++) {
        struct sy_waker clone = sy_waker_clone(&late[i]);
        sy_waker_wake_by_ref(&clone);
        sy_waker_wake(late[i]);
        sy_waker_drop(clone);
        probe_check_dropped(&logs[i]);
    }
    CHECK_EQ(logs[0].polls, 2);
    CHECK_EQ(logs[1].polls, 1);
}

/* The runtime ends while threads wake: nothing is polled afterwards, nothing is touched that is gone. */
static void wake_during_shutdown(size_t combo) {
    for (unsigned round = 0; round < 40; round++) {
        struct sy_runtime *runtime = support_runtime(combo);
        struct counting_log log;
        struct sy_join join;
        counting_log_init(&log, UINT64_MAX);
        counting_spawn(runtime, &log, &join);
        struct wake_thread self = {.log = &log, .wakes = 500};
        pthread_t ids[2];
        for (unsigned i = 0; i < 2; i++) {
            CHECK_EQ(pthread_create(&ids[i], NULL, wake_thread, &self), 0);
        }
        sy_runtime_destroy(runtime);
        uint64_t polls = log.polls;
        for (unsigned i = 0; i < 2; i++) {
            pthread_join(ids[i], NULL);
        }
        CHECK_EQ(log.polls, polls);
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK(outcome.cancelled);
        sy_join_drop(&join);
        sy_waker_drop(log.waker);
    }
}

static const struct check_test tests[] = {
    {"wake_storm_by_one", wake_storm_by_one},
    {"wake_storm_by_four", wake_storm_by_four},
    {"each_wake_is_seen", each_wake_is_seen},
    {"wake_by_itself", wake_by_itself},
    {"wakers_balance", wakers_balance},
    {"wake_after_completion", wake_after_completion},
    {"wake_after_the_runtime", wake_after_the_runtime},
    {"wake_during_shutdown", wake_during_shutdown},
};

PROBE_SUITE("suite_executor_wake", tests, 100)
