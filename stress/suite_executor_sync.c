/* ctest-timeout: 200 */
/* Join sets, block_on and the oneshot channel over every combination. */
#define _GNU_SOURCE
#include "support_probe.h"

/* ---- block_on ---- */

static void block_on_ready_and_yielding(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static const enum probe_kind kinds[] = {PROBE_READY, PROBE_YIELDS, PROBE_SELF};
    for (unsigned i = 0; i < 3; i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct probe probe = {.log = &log, .kind = kinds[i], .left = 5, .input = 7};
        CHECK_EQ(sy_block_on(runtime, &probe_type, &probe), 0);
        CHECK_EQ(probe.output, 8);
        CHECK(log.runtime == runtime);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

static void *open_gate(void *argument) {
    struct probe_log *log = argument;
    support_counter_wait(&log->polled, 1);
    support_gate_open(&log->gate);
    return NULL;
}

static void block_on_woken_from_elsewhere(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(200); i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct probe probe = {.log = &log, .kind = PROBE_GATE, .input = 7};
        pthread_t opener;
        CHECK_EQ(pthread_create(&opener, NULL, open_gate, &log), 0);
        CHECK_EQ(sy_block_on(runtime, &probe_type, &probe), 0);
        pthread_join(opener, NULL);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

/* A future that block_on drives and that joins a spawned task. */
struct joining {
    struct sy_join join;
    bool cancelled;
};

static enum sy_poll joining_poll(void *future, struct sy_context *cx) {
    struct joining *joining = future;
    struct sy_outcome outcome;
    CHECK(cx->task == NULL);
    if (sy_join_poll(&joining->join, cx, &outcome) == SY_PENDING) {
        return SY_PENDING;
    }
    joining->cancelled = outcome.cancelled;
    sy_join_drop(&joining->join);
    return SY_READY;
}

static const struct sy_future_type joining_type = {
    .name = "joining", .size = sizeof(struct joining), .poll = joining_poll};

static void block_on_a_spawned_task(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(200); i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct joining joining = {0};
        probe_spawn(runtime, &log, PROBE_YIELDS, i % 5, &joining.join);
        CHECK_EQ(sy_block_on(runtime, &joining_type, &joining), 0);
        CHECK(!joining.cancelled);
    }
    sy_runtime_destroy(runtime);
}

static void block_on_inside(void *argument, struct sy_context *cx) {
    struct probe_log *log = argument;
    struct probe probe = {.log = log, .kind = PROBE_READY};
    CHECK_EQ(sy_block_on(cx->runtime, &probe_type, &probe), -EDEADLK);
    CHECK_EQ(log->polls + log->drops, 0); /* refused before anything was done */
}

static void block_on_a_worker_is_refused(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    probe_run_on_worker(runtime, block_on_inside, &log);
    sy_runtime_destroy(runtime);
}

/* ---- join sets ---- */

struct taker {
    struct sy_join_set *set;
    struct sy_joined joined;
};

static enum sy_poll taker_poll(void *future, struct sy_context *cx) {
    struct taker *taker = future;
    return sy_join_set_poll_next(taker->set, cx, &taker->joined);
}

static const struct sy_future_type taker_type = {.name = "taker", .size = sizeof(struct taker), .poll = taker_poll};

/* The next finished task's tag, or NULL when the set is empty. */
static void *take(struct sy_runtime *runtime, struct sy_join_set *set, bool *cancelled) {
    struct taker taker = {.set = set};
    CHECK_EQ(sy_block_on(runtime, &taker_type, &taker), 0);
    if (!taker.joined.join.task) {
        return NULL;
    }
    *cancelled = taker.joined.outcome.cancelled;
    if (!*cancelled) {
        CHECK_EQ(((struct probe *)taker.joined.outcome.future)->output, 42);
    }
    sy_join_drop(&taker.joined.join);
    return taker.joined.tag;
}

enum { SET = 24 };

static void set_spawn(struct sy_join_set *set, struct probe_log *log, enum probe_kind kind) {
    probe_log_init(log);
    struct probe probe = {.log = log, .kind = kind, .left = 3, .input = 41};
    CHECK_EQ(sy_join_set_spawn(set, &probe_type, &probe, log), 0);
}

static void join_set_gives_them_as_they_end(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join_set *set;
    static struct probe_log logs[SET];
    bool cancelled = true;
    CHECK_EQ(sy_join_set_create(&set, runtime), 0);
    CHECK(take(runtime, set, &cancelled) == NULL);
    for (unsigned i = 0; i < SET; i++) {
        set_spawn(set, &logs[i], PROBE_GATE);
    }
    CHECK_EQ(sy_join_set_length(set), SET);
    for (unsigned i = 0; i < SET; i++) {
        unsigned which = (i * 7 + 3) % SET; /* each once: 7 and 24 have no common divisor */
        support_gate_open(&logs[which].gate);
        CHECK(take(runtime, set, &cancelled) == &logs[which]);
        CHECK(!cancelled);
        CHECK_EQ(sy_join_set_length(set), SET - 1 - i);
    }
    CHECK(take(runtime, set, &cancelled) == NULL);
    sy_join_set_destroy(set);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < SET; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* The next one is an even (0, ends by itself) or odd (1, aborted) one of `logs`. */
static void take_expecting(struct sy_runtime *runtime, struct sy_join_set *set, struct probe_log *logs, size_t odd) {
    bool cancelled;
    struct probe_log *tag = take(runtime, set, &cancelled);
    CHECK(tag != NULL);
    CHECK_EQ((size_t)(tag - logs) % 2, odd);
    CHECK_EQ(cancelled, odd);
}

static void join_set_abort_all(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join_set *set;
    static struct probe_log logs[SET];
    CHECK_EQ(sy_join_set_create(&set, runtime), 0);
    for (unsigned i = 0; i < SET; i++) {
        set_spawn(set, &logs[i], i % 2 ? PROBE_FOREVER : PROBE_YIELDS);
    }
    bool cancelled;
    for (unsigned i = 0; i < SET / 2; i++) {
        take_expecting(runtime, set, logs, 0);
    }
    sy_join_set_abort_all(set);
    for (unsigned i = 0; i < SET / 2; i++) {
        take_expecting(runtime, set, logs, 1);
    }
    CHECK(take(runtime, set, &cancelled) == NULL);
    sy_join_set_destroy(set);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < SET; i++) {
        probe_check_dropped(&logs[i]);
    }
}

static void join_set_destroy_aborts(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join_set *set;
    static struct probe_log logs[SET];
    CHECK_EQ(sy_join_set_create(&set, runtime), 0);
    for (unsigned i = 0; i < SET; i++) {
        set_spawn(set, &logs[i], i % 3 == 0 ? PROBE_READY : PROBE_FOREVER);
    }
    sy_join_set_destroy(set);
    for (unsigned i = 0; i < SET; i++) {
        support_counter_wait(&logs[i].dropped, 1);
    }
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < SET; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* A set that outlives the runtime's tasks: shutdown cancels them, the set still gives every one. */
static void join_set_after_shutdown(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join_set *set;
    static struct probe_log logs[SET];
    struct probe_log refused = PROBE_LOG_INIT;
    CHECK_EQ(sy_join_set_create(&set, runtime), 0);
    for (unsigned i = 0; i < SET; i++) {
        set_spawn(set, &logs[i], PROBE_FOREVER);
    }
    CHECK_EQ(sy_runtime_shutdown(runtime), 0);
    struct probe probe = {.log = &refused};
    CHECK_EQ(sy_join_set_spawn(set, &probe_type, &probe, &refused), -ESHUTDOWN);
    CHECK_EQ(sy_join_set_length(set), SET);
    bool cancelled;
    for (unsigned i = 0; i < SET; i++) {
        CHECK(take(runtime, set, &cancelled) != NULL);
        CHECK(cancelled);
    }
    sy_join_set_destroy(set);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < SET; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* Tasks end at once on all workers while the set is read: each comes out exactly once. */
static void join_set_races(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[SET];
    for (unsigned round = 0; round < support_rounds(100); round++) {
        struct sy_join_set *set;
        unsigned seen = 0;
        bool cancelled;
        CHECK_EQ(sy_join_set_create(&set, runtime), 0);
        for (unsigned i = 0; i < SET; i++) {
            set_spawn(set, &logs[i], i % 2 ? PROBE_READY : PROBE_YIELDS);
        }
        for (void *tag = take(runtime, set, &cancelled); tag; tag = take(runtime, set, &cancelled)) {
            struct probe_log *log = tag;
            CHECK_EQ(log->drops, 1);
            log->drops = 2; /* taken */
            seen++;
        }
        CHECK_EQ(seen, SET);
        sy_join_set_destroy(set);
    }
    sy_runtime_destroy(runtime);
}

/* One task, which ends about when the set is asked: between the look and the storing of the waker, too. */
static void join_set_of_one_races(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join_set *set;
    uint64_t random = check_seed();
    bool cancelled;
    CHECK_EQ(sy_join_set_create(&set, runtime), 0);
    for (unsigned round = 0; round < support_rounds(3000); round++) {
        struct probe_log log;
        set_spawn(set, &log, PROBE_GATE);
        support_counter_wait(&log.polled, 1);
        support_gate_open(&log.gate);
        for (uint64_t spin = check_random(&random) % 512; spin > 0; spin--) {
            cpu_relax();
        }
        CHECK(take(runtime, set, &cancelled) == &log);
        CHECK(!cancelled);
    }
    sy_join_set_destroy(set);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"block_on_ready_and_yielding", block_on_ready_and_yielding},
    {"block_on_woken_from_elsewhere", block_on_woken_from_elsewhere},
    {"block_on_a_spawned_task", block_on_a_spawned_task},
    {"block_on_a_worker_is_refused", block_on_a_worker_is_refused},
    {"join_set_gives_them_as_they_end", join_set_gives_them_as_they_end},
    {"join_set_abort_all", join_set_abort_all},
    {"join_set_destroy_aborts", join_set_destroy_aborts},
    {"join_set_after_shutdown", join_set_after_shutdown},
    {"join_set_races", join_set_races},
    {"join_set_of_one_races", join_set_of_one_races},
};

PROBE_SUITE("suite_executor_sync", tests, 100)
