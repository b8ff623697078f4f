/* ctest-timeout: 200 */
/* The life of a task over every combination: spawned, joined, detached, embedded, aborted, dropped. */
#define _GNU_SOURCE
#include <sched.h>

#include "support_probe.h"

#include "support_alloc.h"

_Static_assert(sizeof(struct sy_task) == 64, "a task's header fits one cache line");

enum { MANY = 64 };

static const enum probe_kind ending_kinds[] = {PROBE_READY, PROBE_YIELDS, PROBE_SELF};

static void join_from_outside(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[MANY];
    struct sy_join joins[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        probe_log_init(&logs[i]);
        probe_spawn(runtime, &logs[i], ending_kinds[i % 3], i % 7, &joins[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        CHECK(!probe_finish(&joins[i]));
        CHECK_EQ(logs[i].polls, i % 3 == 0 ? 1 : i % 7 + 1);
    }
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < MANY; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* A task that spawns others from its worker and joins them one after the other. */
struct parent {
    struct probe_log *logs;
    struct sy_join joins[MANY];
    unsigned state, next;
};

static enum sy_poll parent_poll(void *future, struct sy_context *cx) {
    struct parent *parent = future;
    if (parent->state == 0) {
        for (unsigned i = 0; i < MANY; i++) {
            probe_spawn(cx->runtime, &parent->logs[i], ending_kinds[i % 3], i % 7, &parent->joins[i]);
        }
        parent->state = 1;
    }
    for (; parent->next < MANY; parent->next++) {
        struct sy_outcome outcome;
        struct sy_join *join = &parent->joins[parent->next];
        if (sy_join_poll(join, cx, &outcome) == SY_PENDING) {
            return SY_PENDING;
        }
        CHECK(!outcome.cancelled);
        CHECK_EQ(((struct probe *)outcome.future)->output, 42);
        CHECK_EQ(sy_join_poll(join, cx, &outcome), SY_READY); /* may be asked again */
        sy_join_drop(join);
    }
    return SY_READY;
}

static const struct sy_future_type parent_type = {.name = "parent", .size = sizeof(struct parent), .poll = parent_poll};

static void join_from_inside(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        probe_log_init(&logs[i]);
    }
    struct parent parent = {.logs = logs};
    struct sy_join join;
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn(runtime, &parent_type, &parent, &join), 0);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(!outcome.cancelled);
    sy_join_drop(&join);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < MANY; i++) {
        probe_check_dropped(&logs[i]);
    }
}

static void detached_and_dropped_handles(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        struct sy_join join;
        bool detached = i % 2;
        probe_log_init(&logs[i]);
        probe_spawn(runtime, &logs[i], ending_kinds[i % 3], i % 7, detached ? NULL : &join);
        if (!detached) {
            sy_join_drop(&join);
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        support_counter_wait(&logs[i].dropped, 1);
        CHECK(logs[i].was_ready);
    }
    sy_join_drop(&(struct sy_join){0}); /* an empty handle is left alone */
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < MANY; i++) {
        probe_check_dropped(&logs[i]);
    }
}

/* ---- embedded ---- */

struct embedded {
    struct sy_task header;
    struct probe future;
    struct support_counter released;
};

static void embedded_release(struct sy_task *task) {
    support_counter_add(&((struct embedded *)task)->released, 1);
}

/* But what the queue needs for a push, where it needs anything. */
static void embedded_allocates_nothing(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    bool queue_allocates = support_combo(combo)->queue.allocates;
    static struct embedded task;
    for (unsigned round = 0; round < 50; round++) {
        struct probe_log log = PROBE_LOG_INIT;
        task = (struct embedded){.future = {.log = &log, .kind = ending_kinds[round % 3], .left = 2, .input = 41},
                                 .released = SUPPORT_COUNTER_INIT};
        CHECK(sy_task_future(&task.header) == (void *)&task.future);
        struct sy_join join;
        uint64_t before = support_alloc_count();
        CHECK_EQ(sy_spawn_embedded(runtime, &probe_type, &task.header, embedded_release, &join), 0);
        CHECK(queue_allocates || support_alloc_count() - before == 0);
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK(outcome.future == (void *)&task.future);
        CHECK_EQ(task.future.output, 42);
        CHECK_EQ(support_counter_get(&task.released), 0); /* the handle holds it */
        sy_join_drop(&join);
        support_counter_wait(&task.released, 1);
        CHECK_EQ(support_counter_get(&task.released), 1);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
    CHECK_EQ(support_counter_get(&task.released), 1);
}

static void spawn_some_inside(void *argument, struct sy_context *cx) {
    struct probe_log *logs = argument;
    for (unsigned i = 0; i < 8; i++) {
        struct sy_join join;
        uint64_t before = support_alloc_count();
        probe_spawn(cx->runtime, &logs[i], PROBE_READY, 0, &join);
        CHECK(support_alloc_count() - before <= 1);
        sy_join_drop(&join);
    }
}

static void spawn_allocates_once(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[16];
    for (unsigned i = 0; i < 16; i++) {
        probe_log_init(&logs[i]);
    }
    for (unsigned i = 8; i < 16; i++) {
        struct sy_join join;
        uint64_t before = support_alloc_count();
        probe_spawn(runtime, &logs[i], PROBE_READY, 0, &join);
        uint64_t made = support_alloc_count() - before;
        CHECK(made == 1 || (made > 1 && support_combo(combo)->queue.allocates)); /* a copy needs memory */
        probe_finish(&join);
    }
    probe_run_on_worker(runtime, spawn_some_inside, logs);
    sy_runtime_destroy(runtime);
    for (unsigned i = 0; i < 16; i++) {
        probe_check_dropped(&logs[i]);
    }
}

static void out_of_memory_at_spawn(size_t combo) {
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct probe probe = {.log = &log, .kind = PROBE_READY};
    struct sy_join join = {0};
    support_alloc_fail_after(0);
    int64_t live = support_alloc_live();
    int plain = sy_spawn(runtime, &probe_type, &probe, &join);
    int detached = sy_spawn(runtime, &probe_type, &probe, NULL);
    int blocking = sy_spawn_blocking(runtime, &probe_type, &probe, NULL);
    int64_t leaked = support_alloc_live() - live;
    support_alloc_fail_after(UINT64_MAX);
    CHECK_EQ(plain, -ENOMEM);
    CHECK_EQ(detached, -ENOMEM);
    CHECK_EQ(blocking, -ENOMEM);
    CHECK_EQ(leaked, 0);
    CHECK_EQ(log.polls + log.drops, 0); /* the future is still ours */
    probe_spawn(runtime, &log, PROBE_READY, 0, &join);
    CHECK(!probe_finish(&join));
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

/* ---- the joiner's waker ---- */

/* A handle that is polled by another task than before wakes that one, and gives the first one's waker back. */
static void a_later_joiner_replaces(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct counted_waker first = {0}, second = {0};
    struct sy_context cx = counted_context(&first), other = counted_context(&second);
    struct sy_join join;
    struct sy_outcome outcome;
    probe_spawn(runtime, &log, PROBE_GATE, 0, &join);
    support_counter_wait(&log.polled, 1);
    CHECK_EQ(sy_join_poll(&join, &cx, &outcome), SY_PENDING);
    CHECK_EQ(sy_join_poll(&join, &cx, &outcome), SY_PENDING);
    CHECK_EQ(ai64_load_relaxed(&first.references), 1);
    CHECK_EQ(sy_join_poll(&join, &other, &outcome), SY_PENDING);
    CHECK_EQ(ai64_load_relaxed(&first.references), 0);
    support_gate_open(&log.gate);
    while (au32_load_acquire(&second.wakes) == 0) {
        sched_yield(); /* bounded by the watchdog */
    }
    CHECK_EQ(sy_join_poll(&join, &other, &outcome), SY_READY);
    CHECK(!probe_finish(&join));
    sy_runtime_destroy(runtime);
    CHECK_EQ(au32_load_relaxed(&first.wakes), 0);
    CHECK_EQ(au32_load_relaxed(&second.wakes), 1);
    CHECK_EQ(ai64_load_relaxed(&second.references), 0);
    probe_check_dropped(&log);
}

/* A handle that goes before the task ends takes its waker along. */
static void dropped_joiner_is_not_woken(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    struct sy_join join;
    struct sy_outcome outcome;
    probe_spawn(runtime, &log, PROBE_GATE, 0, &join);
    support_counter_wait(&log.polled, 1);
    CHECK_EQ(sy_join_poll(&join, &cx, &outcome), SY_PENDING);
    sy_join_drop(&join);
    CHECK_EQ(ai64_load_relaxed(&waker.references), 0);
    support_gate_open(&log.gate);
    support_counter_wait(&log.dropped, 1);
    sy_runtime_destroy(runtime);
    CHECK_EQ(au32_load_relaxed(&waker.wakes), 0);
    probe_check_dropped(&log);
}

/* ---- handles that outlive the runtime ---- */

static void handle_outlives_runtime(size_t combo) {
    struct probe_log ready = PROBE_LOG_INIT, pending = PROBE_LOG_INIT;
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_join ready_join, pending_join;
    probe_spawn(runtime, &ready, PROBE_READY, 0, &ready_join);
    probe_spawn(runtime, &pending, PROBE_FOREVER, 0, &pending_join);
    support_counter_wait(&ready.polled, 1);
    support_counter_wait(&pending.polled, 1);
    sy_runtime_destroy(runtime);
    CHECK(!probe_finish(&ready_join));
    sy_join_abort(&pending_join);
    CHECK(probe_finish(&pending_join));
    support_gate_open(&pending.gate); /* a waker that outlived the runtime too */
    probe_check_dropped(&ready);
    probe_check_dropped(&pending);
}

static void join_wait_inside(void *argument, struct sy_context *cx) {
    struct probe_log *log = argument;
    struct sy_join join;
    struct sy_outcome outcome;
    probe_spawn(cx->runtime, log, PROBE_READY, 0, &join);
    CHECK_EQ(sy_join_wait(&join, &outcome), -EDEADLK);
    sy_join_drop(&join);
}

static void join_wait_on_a_worker_is_refused(size_t combo) {
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_runtime *runtime = support_runtime(combo);
    probe_run_on_worker(runtime, join_wait_inside, &log);
    support_counter_wait(&log.dropped, 1);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

static const struct check_test tests[] = {
    {"join_from_outside", join_from_outside},
    {"join_from_inside", join_from_inside},
    {"detached_and_dropped_handles", detached_and_dropped_handles},
    {"embedded_allocates_nothing", embedded_allocates_nothing},
    {"spawn_allocates_once", spawn_allocates_once},
    {"out_of_memory_at_spawn", out_of_memory_at_spawn},
    {"a_later_joiner_replaces", a_later_joiner_replaces},
    {"dropped_joiner_is_not_woken", dropped_joiner_is_not_woken},
    {"handle_outlives_runtime", handle_outlives_runtime},
    {"join_wait_on_a_worker_is_refused", join_wait_on_a_worker_is_refused},
};

PROBE_SUITE("suite_executor_task", tests, 100)
