/*
 * Futures for the suites that count what happens to them: polled how often and never twice at once, ready once, dropped
 * once. A log outlives the runtime; the future is a copy and refers to it.
 */
#ifndef STEALYARD_STRESS_SUPPORT_PROBE_H
#define STEALYARD_STRESS_SUPPORT_PROBE_H

#include "check.h"
#include "support.h"

enum probe_kind {
    PROBE_READY,        /* at the first poll */
    PROBE_GATE,         /* when the log's gate is open */
    PROBE_FOREVER,      /* never; its waker stays in the gate */
    PROBE_YIELDS,       /* after `left` yields */
    PROBE_SELF,         /* after `left` wake-ups by itself */
    PROBE_HELD,         /* its poll blocks the worker until probe_release, then is ready */
    PROBE_HELD_PENDING, /* the same, then pends for ever */
};

/* What happened. The plain fields are guarded by nothing but the runtime's own ordering of polls. */
struct probe_log {
    struct support_counter polled, dropped, held, released;
    struct support_gate gate;
    struct au32 inside; /* 1 while a poll or a drop is under way */
    uint64_t polls, drops;
    bool was_ready;
    int drop_worker; /* where it was dropped */
    struct sy_runtime *runtime;
};
#define PROBE_LOG_INIT                                                                                                 \
    {                                                                                                                  \
        .polled = SUPPORT_COUNTER_INIT, .dropped = SUPPORT_COUNTER_INIT, .held = SUPPORT_COUNTER_INIT,                 \
        .released = SUPPORT_COUNTER_INIT, .gate = SUPPORT_GATE_INIT, .drop_worker = -2                                 \
    }

struct probe {
    struct probe_log *log;
    enum probe_kind kind;
    unsigned left;
    uint64_t input;
    uint64_t output; /* input + 1 once ready */
};

static inline void probe_log_init(struct probe_log *log) {
    *log = (struct probe_log)PROBE_LOG_INIT;
}

static inline bool probe_step(struct probe *probe, struct sy_context *cx) {
    struct probe_log *log = probe->log;
    switch (probe->kind) {
    case PROBE_READY:
        return true;
    case PROBE_GATE:
        return support_gate_poll(&log->gate, cx) == SY_READY;
    case PROBE_FOREVER:
        (void)support_gate_poll(&log->gate, cx);
        return false;
    case PROBE_YIELDS:
    case PROBE_SELF:
        if (probe->left == 0) {
            return true;
        }
        probe->left--;
        probe->kind == PROBE_YIELDS ? sy_yield_now(cx) : sy_waker_wake_by_ref(&cx->waker);
        return false;
    case PROBE_HELD:
    case PROBE_HELD_PENDING:
        support_counter_add(&log->held, 1);
        support_counter_wait(&log->released, 1);
        return probe->kind == PROBE_HELD;
    }
    return false;
}

static inline enum sy_poll probe_poll(void *future, struct sy_context *cx) {
    struct probe *probe = (struct probe *)future;
    struct probe_log *log = probe->log;
    CHECK(au32_exchange_relaxed(&log->inside, 1) == 0); /* polled twice at once, or while being dropped */
    CHECK(!log->was_ready);
    CHECK(log->drops == 0);
    log->polls++;
    log->runtime = cx->runtime;
    bool ready = probe_step(probe, cx);
    if (ready) {
        probe->output = probe->input + 1;
        log->was_ready = true;
    }
    au32_store_relaxed(&log->inside, 0);
    support_counter_add(&log->polled, 1);
    return ready ? SY_READY : SY_PENDING;
}

static inline void probe_drop(void *future) {
    struct probe *probe = (struct probe *)future;
    struct probe_log *log = probe->log;
    CHECK(au32_exchange_relaxed(&log->inside, 1) == 0);
    CHECK_EQ(log->drops, 0);
    log->drops++;
    log->drop_worker = log->runtime ? sy_runtime_current_worker(log->runtime) : -2;
    au32_store_relaxed(&log->inside, 0);
    support_counter_add(&log->dropped, 1);
}

static const struct sy_future_type probe_type = {
    .name = "probe", .size = sizeof(struct probe), .poll = probe_poll, .drop = probe_drop};

static inline void probe_release(struct probe_log *log) {
    support_counter_add(&log->released, 1);
}

/* Spawns a probe from the calling thread; `join` may be NULL. */
static inline void probe_spawn(struct sy_runtime *runtime, struct probe_log *log, enum probe_kind kind, unsigned left,
                               struct sy_join *join) {
    struct probe probe = {.log = log, .kind = kind, .left = left, .input = 41};
    CHECK_EQ(sy_spawn(runtime, &probe_type, &probe, join), 0);
}

/* Waits for a task's end, checks its output and gives the handle back. Returns whether it was cancelled. */
static inline bool probe_finish(struct sy_join *join) {
    struct sy_outcome outcome = {0};
    CHECK_EQ(sy_join_wait(join, &outcome), 0);
    CHECK(sy_join_is_finished(join));
    if (!outcome.cancelled) {
        const struct probe *probe = (const struct probe *)outcome.future;
        CHECK_EQ(probe->output, probe->input + 1);
    }
    sy_join_drop(join);
    return outcome.cancelled;
}

/* After the runtime is gone: everything happened exactly once. */
static inline void probe_check_dropped(struct probe_log *log) {
    CHECK_EQ(support_counter_get(&log->dropped), 1);
    CHECK_EQ(log->drops, 1);
    CHECK_EQ(support_counter_get(&log->polled), log->polls);
    support_gate_clear(&log->gate);
}

/* Occupies every worker of a runtime, each with a task that blocks in its poll. */
struct probe_hogs {
    unsigned count;
    struct probe_log logs[8];
    struct sy_join joins[8];
};

static inline void probe_hogs_start(struct probe_hogs *hogs, struct sy_runtime *runtime) {
    hogs->count = sy_runtime_workers(runtime);
    CHECK(hogs->count <= 8);
    for (unsigned i = 0; i < hogs->count; i++) {
        probe_log_init(&hogs->logs[i]);
        probe_spawn(runtime, &hogs->logs[i], PROBE_HELD, 0, &hogs->joins[i]);
        support_counter_wait(&hogs->logs[i].held, 1); /* in a batch, a deque might withhold the next one behind it */
    }
}

static inline void probe_hogs_release(struct probe_hogs *hogs) {
    for (unsigned i = 0; i < hogs->count; i++) {
        probe_release(&hogs->logs[i]);
    }
}

/* Waits for the hogs' end; they are ready even where the runtime shut down meanwhile. */
static inline void probe_hogs_finish(struct probe_hogs *hogs) {
    for (unsigned i = 0; i < hogs->count; i++) {
        CHECK(!probe_finish(&hogs->joins[i]));
        probe_check_dropped(&hogs->logs[i]);
    }
}

/* A waker that counts, so that polls can be made by hand. */
struct counted_waker {
    struct ai64 references;
    struct au32 wakes;
};

static inline void counted_clone(void *data) {
    ai64_fetch_add_relaxed(&((struct counted_waker *)data)->references, 1);
}

static inline void counted_drop(void *data) {
    ai64_fetch_sub_relaxed(&((struct counted_waker *)data)->references, 1);
}

static inline void counted_wake_by_ref(void *data) {
    au32_fetch_add_release(&((struct counted_waker *)data)->wakes, 1);
}

static inline void counted_wake(void *data) {
    counted_wake_by_ref(data);
    counted_drop(data);
}

static const struct sy_waker_vtable counted_vtable = {counted_clone, counted_wake, counted_wake_by_ref, counted_drop};

static inline struct sy_context counted_context(struct counted_waker *waker) {
    return (struct sy_context){.waker = {&counted_vtable, waker}, .budget = 128};
}

/* Runs `run(argument, cx)` once on a worker and waits for it. */
struct probe_call {
    void (*run)(void *argument, struct sy_context *cx);
    void *argument;
};

static inline enum sy_poll probe_call_poll(void *future, struct sy_context *cx) {
    struct probe_call *call = (struct probe_call *)future;
    call->run(call->argument, cx);
    return SY_READY;
}

static const struct sy_future_type probe_call_type = {
    .name = "call", .size = sizeof(struct probe_call), .poll = probe_call_poll};

static inline void probe_run_on_worker(struct sy_runtime *runtime, void (*run)(void *argument, struct sy_context *cx),
                                       void *argument) {
    struct probe_call call = {.run = run, .argument = argument};
    struct sy_join join;
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, &join), 0);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(!outcome.cancelled);
    sy_join_drop(&join);
}

/* False, after a check_skip: a part is not built, or refused here. */
static inline bool probe_combo_runs(size_t combo) {
    const char *lack = support_combo(combo)->lack;
    if (lack[0]) {
        check_skip("%s", lack);
    }
    return !lack[0];
}

/* A suite over every combination. */
#define PROBE_SUITE(suite_title, table, timeout)                                                                       \
    int main(int argc, char **argv) {                                                                                  \
        check.timeout_s = timeout;                                                                                     \
        const struct check_suite suite = {.title = suite_title,                                                        \
                                          .tests = table,                                                              \
                                          .test_count = sizeof table / sizeof table[0],                                \
                                          .variant_count = support_combo_count(),                                      \
                                          .variant_name = support_combo_name,                                          \
                                          .variant_runs = probe_combo_runs};                                           \
        return check_main(&suite, argc, argv);                                                                         \
    }

#endif
