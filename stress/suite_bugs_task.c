/* ctest-timeout: 200 */
/*
 * Failures that other runtimes had with tasks, queues and pools, each with a test of its own, named after the project
 * and its issue. The numbers are shared with suite_bugs_wakeup.c.
 */
#define _GNU_SOURCE
#include "executor/task_state.h"

#include "support_probe.h"

/* ---- 2: the hand-over between wakers and the poll ---- */

/* A worker is held by a spin on a relaxed flag: that orders nothing, so what orders is the runtime or nobody. */
struct spin_hold {
    struct support_counter *held;
    struct au32 *go;
};

static void spin_hold(void *argument, struct sy_context *cx) {
    struct spin_hold *hold = argument;
    (void)cx;
    support_counter_add(hold->held, 1);
    while (!au32_load_relaxed(hold->go)) {
        sched_yield();
    }
}

struct letter {
    struct sy_waker waker;
    struct support_counter written_address;
    uint64_t data; /* plain: written before the second wake-up, read by the poll */
    struct au32 go;
    struct au32 begin;
};

struct reader {
    struct letter *letter;
    bool waiting;
};

static enum sy_poll reader_poll(void *future, struct sy_context *cx) {
    struct reader *reader = future;
    if (!reader->waiting) {
        reader->waiting = true;
        reader->letter->waker = sy_waker_clone(&cx->waker);
        support_counter_add(&reader->letter->written_address, 1);
        return SY_PENDING;
    }
    CHECK_EQ(reader->letter->data, 42);
    return SY_READY;
}

static const struct sy_future_type reader_type = {.name = "reader", .size = sizeof(struct reader), .poll = reader_poll};

/* Was started before the first wake-up, and is told to begin without any ordering. */
static void *second_waker(void *argument) {
    struct letter *letter = argument;
    while (!au32_load_relaxed(&letter->begin)) {
        sched_yield();
    }
    letter->data = 42;
    sy_waker_wake_by_ref(&letter->waker);
    au32_store_relaxed(&letter->go, 1);
    return NULL;
}

/*
 * A wake-up of a task that was notified already released nothing: what its waker had written before was not seen by the
 * poll that the first wake-up caused. x86 hides it; ThreadSanitizer calls the plain `data` a race.
 */
static void bug_02_second_wake_without_release_tokio_7632(size_t combo) {
    if (support_combo(combo)->workers > 1) {
        check_skip("one worker, held, keeps the task notified");
        return;
    }
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned round = 0; round < support_rounds(200); round++) {
        struct letter letter = {.written_address = SUPPORT_COUNTER_INIT};
        struct support_counter held = SUPPORT_COUNTER_INIT;
        struct spin_hold hold = {.held = &held, .go = &letter.go};
        struct probe_call call = {.run = spin_hold, .argument = &hold};
        struct reader reader = {.letter = &letter};
        struct sy_join reading, holding;
        struct sy_outcome outcome;
        pthread_t second;
        CHECK_EQ(sy_spawn(runtime, &reader_type, &reader, &reading), 0);
        support_counter_wait(&letter.written_address, 1);
        CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, &holding), 0);
        support_counter_wait(&held, 1);
        CHECK_EQ(pthread_create(&second, NULL, second_waker, &letter), 0);
        sy_waker_wake_by_ref(&letter.waker); /* notified from here on, and queued behind the held worker */
        au32_store_relaxed(&letter.begin, 1);
        CHECK_EQ(sy_join_wait(&reading, &outcome), 0);
        CHECK_EQ(sy_join_wait(&holding, &outcome), 0);
        pthread_join(second, NULL);
        sy_join_drop(&reading);
        sy_join_drop(&holding);
        sy_waker_drop(letter.waker);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 3, 4, 16: each task exactly once through a deque that is stolen from while it turns over ---- */

struct census {
    struct support_counter finished;
    struct au32 *seen;
    uint32_t next, bursts, burst;
};

struct citizen {
    struct census *census;
    uint32_t id;
};

static enum sy_poll citizen_poll(void *future, struct sy_context *cx) {
    struct citizen *citizen = future;
    (void)cx;
    CHECK_EQ(au32_fetch_add_relaxed(&citizen->census->seen[citizen->id], 1), 0);
    return SY_READY;
}

static void citizen_drop(void *future) {
    support_counter_add(&((struct citizen *)future)->census->finished, 1);
}

static const struct sy_future_type citizen_type = {
    .name = "citizen", .size = sizeof(struct citizen), .poll = citizen_poll, .drop = citizen_drop};

/* Spawns a burst on its worker at each poll: the local deque fills, is robbed, and runs empty, again and again. */
struct registrar {
    struct census *census;
};

static enum sy_poll registrar_poll(void *future, struct sy_context *cx) {
    struct census *census = ((struct registrar *)future)->census;
    for (uint32_t i = 0; i < census->burst; i++) {
        struct citizen citizen = {.census = census, .id = census->next++};
        CHECK_EQ(sy_spawn(cx->runtime, &citizen_type, &citizen, NULL), 0);
    }
    if (--census->bursts == 0) {
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type registrar_type = {
    .name = "registrar", .size = sizeof(struct registrar), .poll = registrar_poll};

static void take_census(size_t combo, size_t local_capacity, uint32_t bursts, uint32_t burst) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.local_capacity = local_capacity;
    struct sy_runtime *runtime = support_runtime_start(&config);
    struct census census = {.finished = SUPPORT_COUNTER_INIT, .bursts = bursts, .burst = burst};
    uint32_t total = bursts * burst;
    census.seen = calloc(total, sizeof *census.seen);
    CHECK(census.seen);
    struct registrar registrar = {.census = &census};
    CHECK_EQ(sy_spawn(runtime, &registrar_type, &registrar, NULL), 0);
    support_counter_wait(&census.finished, total);
    sy_runtime_destroy(runtime);
    for (uint32_t i = 0; i < total; i++) {
        CHECK_EQ(au32_load_relaxed(&census.seen[i]), 1);
    }
    free(census.seen);
}

/* Indices as narrow as the buffer: full and empty looked alike, and a slot was overwritten during a steal. */
static void bug_03_index_as_narrow_as_the_buffer_tokio_2382(size_t combo) {
    take_census(combo, 2, support_rounds(20000), 5);
}

/* A head of 16 bits came round to the same value during a steal. More than 65,536 tasks go through one deque here. */
static void bug_04_narrow_head_aba_tokio_5041(size_t combo) {
    take_census(combo, 64, 2000, 64); /* not fewer under a sanitizer: the turn is at 65,536 */
}

/* The buffer was exchanged for a larger one during a steal, and an item came out of both. */
static void bug_16_buffer_swap_during_steal_cve_2021_32810(size_t combo) {
    for (uint32_t burst = 3; burst < 2000; burst = burst * 5 + 1) {
        take_census(combo, 2, support_rounds(100), burst);
    }
}

/* ---- 11: abort from another thread ---- */

struct resident {
    pthread_t *dropped_by;
};

static enum sy_poll resident_poll(void *future, struct sy_context *cx) {
    (void)future;
    sy_yield_now(cx);
    return SY_PENDING;
}

static void resident_drop(void *future) {
    *((struct resident *)future)->dropped_by = pthread_self();
}

static const struct sy_future_type resident_type = {
    .name = "resident", .size = sizeof(struct resident), .poll = resident_poll, .drop = resident_drop};

/* The one who aborted ran the drop, while the task was being polled elsewhere, or on a thread it did not belong to. */
static void bug_11_drop_on_the_aborting_thread_tokio_3929(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(1000); i++) {
        pthread_t dropped_by = pthread_self();
        struct resident resident = {.dropped_by = &dropped_by};
        struct sy_join join;
        struct sy_outcome outcome;
        CHECK_EQ(sy_spawn(runtime, &resident_type, &resident, &join), 0);
        sy_join_abort(&join);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK(outcome.cancelled);
        CHECK(!pthread_equal(dropped_by, pthread_self()));
        sy_join_drop(&join);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 12: yields where the thread blocks ---- */

static enum sy_poll section_poll(void *future, struct sy_context *cx) {
    struct probe_log *log = *(struct probe_log **)future;
    struct probe probe = {.log = log, .kind = PROBE_YIELDS, .left = 20};
    CHECK_EQ(sy_block_on(cx->runtime, &probe_type, &probe), 0);
    return SY_READY;
}

static const struct sy_future_type section_type = {
    .name = "section", .size = sizeof(struct probe_log *), .poll = section_poll};

/* A yield inside a blocking section was put on the list of a worker that was not there to look at it. */
static void bug_12_yield_in_a_blocking_section_tokio_6996(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned i = 0; i < support_rounds(200); i++) {
        struct probe_log log = PROBE_LOG_INIT, *pointer = &log;
        struct sy_join join;
        struct sy_outcome outcome;
        CHECK_EQ(sy_spawn_blocking(runtime, &section_type, &pointer, &join), 0);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK(!outcome.cancelled);
        sy_join_drop(&join);
        CHECK_EQ(log.polls, 21);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 18: counters packed into one word ---- */

/* A reference count that crosses 2^31 and 2^32 beside its flags: they must not run into each other. */
static void bug_18_packed_task_word_near_its_end_jdk_8330017(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static const uint64_t borders[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 39};
    for (unsigned i = 0; i < 3; i++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct sy_join join;
        struct sy_waker clones[16];
        probe_spawn(runtime, &log, PROBE_GATE, 0, &join);
        support_counter_wait(&log.polled, 1);
        uint64_t owed = (borders[i] - 8) * TASK_REF;
        au64_fetch_add_relaxed(&join.task->state, owed);
        for (unsigned k = 0; k < 16; k++) {
            clones[k] = sy_waker_clone(&log.gate.waker);
        }
        CHECK(!sy_join_is_finished(&join));
        support_gate_open(&log.gate);
        CHECK(!probe_finish(&(struct sy_join){join.task})); /* gives the handle's reference back */
        for (unsigned k = 0; k < 16; k++) {
            sy_waker_wake(clones[k]);
        }
        /* What was owed is given back but for one reference, which the last drop gives back and frees the task. */
        au64_fetch_sub_relaxed(&join.task->state, owed - TASK_REF);
        sy_waker_drop(clones[0]);
        CHECK_EQ(log.polls, 2);
        probe_check_dropped(&log);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 19: a completed task that is woken ---- */

struct finisher {
    struct sy_task header;
    struct probe future;
    struct support_counter released;
};

static void finisher_release(struct sy_task *task) {
    support_counter_add(&((struct finisher *)task)->released, 1);
}

static void *wake_on(void *argument) {
    struct sy_waker *waker = argument;
    for (unsigned i = 0; i < 20; i++) {
        sy_waker_wake_by_ref(waker);
    }
    sy_waker_wake(*waker);
    return NULL;
}

/* A task that was woken while it completed was queued again, polled when ready, and freed twice. */
static void bug_19_completed_task_rescheduled_compio_856(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned round = 0; round < support_rounds(300); round++) {
        struct probe_log log = PROBE_LOG_INIT;
        struct finisher task = {.future = {.log = &log, .kind = PROBE_GATE}, .released = SUPPORT_COUNTER_INIT};
        struct sy_waker waker;
        pthread_t thread;
        CHECK_EQ(sy_spawn_embedded(runtime, &probe_type, &task.header, finisher_release, NULL), 0);
        support_counter_wait(&log.polled, 1);
        waker = sy_waker_clone(&log.gate.waker);
        CHECK_EQ(pthread_create(&thread, NULL, wake_on, &waker), 0);
        support_gate_open(&log.gate);
        pthread_join(thread, NULL);
        support_counter_wait(&task.released, 1);
        CHECK_EQ(log.drops, 1);
        support_gate_clear(&log.gate);
        CHECK_EQ(support_counter_get(&task.released), 1);
    }
    sy_runtime_destroy(runtime);
}

/* ---- what does not apply ---- */

static void bug_08_lost_timers_in_sharded_wheels_tokio_6682(size_t combo) {
    (void)combo;
    check_skip("not applicable: the timers are one heap under one lock, there is no shard to lose a timer between");
}

static void bug_14_block_reuse_in_bwos_stdexec_1755(size_t combo) {
    (void)combo;
    check_skip("not applicable: no deque here hands work over in blocks (BWoS)");
}

static const struct check_test tests[] = {
    {"bug_02_second_wake_without_release_tokio_7632", bug_02_second_wake_without_release_tokio_7632},
    {"bug_03_index_as_narrow_as_the_buffer_tokio_2382", bug_03_index_as_narrow_as_the_buffer_tokio_2382},
    {"bug_04_narrow_head_aba_tokio_5041", bug_04_narrow_head_aba_tokio_5041},
    {"bug_08_lost_timers_in_sharded_wheels_tokio_6682", bug_08_lost_timers_in_sharded_wheels_tokio_6682},
    {"bug_11_drop_on_the_aborting_thread_tokio_3929", bug_11_drop_on_the_aborting_thread_tokio_3929},
    {"bug_12_yield_in_a_blocking_section_tokio_6996", bug_12_yield_in_a_blocking_section_tokio_6996},
    {"bug_14_block_reuse_in_bwos_stdexec_1755", bug_14_block_reuse_in_bwos_stdexec_1755},
    {"bug_16_buffer_swap_during_steal_cve_2021_32810", bug_16_buffer_swap_during_steal_cve_2021_32810},
    {"bug_18_packed_task_word_near_its_end_jdk_8330017", bug_18_packed_task_word_near_its_end_jdk_8330017},
    {"bug_19_completed_task_rescheduled_compio_856", bug_19_completed_task_rescheduled_compio_856},
};

PROBE_SUITE("suite_bugs_task", tests, 100)
