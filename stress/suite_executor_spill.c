/* ctest-timeout: 200 */
/*
 * What a global queue refuses goes to the overflow list: nothing is lost or run twice, neither of the two starves the
 * other, and the end of the runtime finds both. For queues that are bounded, at the smallest capacity, and for those
 * that need memory for a push, without memory. Tasks are embedded, so that a spawn itself needs none.
 */
#define _GNU_SOURCE
#include "support_alloc.h"
#include "support_ledger.h"

enum { PUSHERS = 3 };

static uint64_t outside_spills(const struct sy_runtime *runtime) {
    struct sy_runtime_metrics metrics;
    sy_runtime_metrics(runtime, &metrics);
    return metrics.outside_spills;
}

/* The smallest queues there are. False: this combination's queue is not bounded. */
static bool small_config(size_t combo, struct sy_config *config) {
    support_combo_config(combo, config);
    config->global_capacity = 2;
    config->local_capacity = 2;
    if (!support_combo(combo)->queue.bounded) {
        check_skip("%s is not bounded", config->global_queue);
        return false;
    }
    return true;
}

/* ---- from many threads outside ---- */

struct pusher {
    struct sy_runtime *runtime;
    struct ledger *ledger;
    uint32_t first, n;
    pthread_t thread;
};

static void *push_some(void *argument) {
    struct pusher *pusher = argument;
    for (uint32_t i = 0; i < pusher->n; i++) {
        item_spawn(pusher->runtime, pusher->ledger, pusher->first + i);
    }
    return NULL;
}

static void push_from_threads(struct sy_runtime *runtime, struct ledger *ledger) {
    struct pusher pushers[PUSHERS];
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){runtime, ledger, i * (ITEMS / PUSHERS), ITEMS / PUSHERS, 0};
        CHECK_EQ(pthread_create(&pushers[i].thread, NULL, push_some, &pushers[i]), 0);
    }
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i].thread, NULL);
    }
}

/* First while all workers are busy, so that all but what the queue holds must spill, then while they take. */
static void spills_lose_nothing(size_t combo) {
    struct sy_config config;
    static struct probe_hogs hogs;
    if (!small_config(combo, &config)) {
        return;
    }
    for (unsigned hogged = 0; hogged < 2; hogged++) {
        struct ledger *ledger = ledger_create();
        struct sy_runtime *runtime = support_runtime_start(&config);
        if (hogged) {
            probe_hogs_start(&hogs, runtime);
        }
        push_from_threads(runtime, ledger);
        if (hogged) {
            CHECK(outside_spills(runtime) > ITEMS / 2);
            CHECK(outside_spills(runtime) <= ITEMS - 2 + hogs.count);
            probe_hogs_release(&hogs);
        }
        support_counter_wait(&ledger->dropped, ITEMS);
        sy_runtime_destroy(runtime);
        if (hogged) {
            probe_hogs_finish(&hogs);
        }
        ledger_finish(ledger, ITEMS, true);
    }
}

/* ---- from a worker whose deque is full ---- */

static void workers_spill_too(size_t combo) {
    struct sy_config config;
    if (!small_config(combo, &config)) {
        return;
    }
    if (!support_combo(combo)->deque.bounded) {
        config.local_deque = "dq_mutex";
    }
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = support_runtime_start(&config);
    probe_run_on_worker(runtime, ledger_spawn_inside, ledger);
    support_counter_wait(&ledger->dropped, ITEMS);
    CHECK(SUPPORT_METRIC(runtime, overflows) > 0);
    CHECK(config.workers > 1 || SUPPORT_METRIC(runtime, spills) > 0); /* others may be quick enough */
    CHECK(SUPPORT_METRIC(runtime, spills) <= SUPPORT_METRIC(runtime, overflows) + SUPPORT_METRIC(runtime, offers));
    sy_runtime_destroy(runtime);
    ledger_finish(ledger, ITEMS, true);
}

/* ---- order and fairness ---- */

enum { SPILLED = 200, SOON = 16 };

/* One worker that takes one at a time, with `n` items waiting: the first few in the queue, the others spilled. */
static struct sy_runtime *one_by_one(size_t combo, struct ledger *ledger, uint32_t n, uint32_t *queued) {
    struct sy_config config;
    static struct probe_hogs hogs;
    if (!small_config(combo, &config)) {
        return NULL;
    }
    config.workers = 1;
    config.global_batch = 1;
    struct sy_runtime *runtime = support_runtime_start(&config);
    probe_hogs_start(&hogs, runtime);
    for (uint32_t id = 0; id < n; id++) {
        item_spawn(runtime, ledger, id);
        if (outside_spills(runtime) == 0) {
            *queued = id + 1;
        }
    }
    probe_hogs_release(&hogs);
    probe_hogs_finish(&hogs);
    return runtime;
}

/* Taken in turn: what is in the queue does not wait for the whole list, and each of them keeps its own order. */
static void both_have_their_turn(size_t combo) {
    struct ledger *ledger = ledger_create();
    uint32_t queued = 0, last[2] = {0, 0};
    struct sy_runtime *runtime = one_by_one(combo, ledger, SPILLED, &queued);
    if (!runtime) {
        ledger_finish(ledger, 0, true);
        return;
    }
    support_counter_wait(&ledger->dropped, SPILLED);
    sy_runtime_destroy(runtime);
    CHECK(queued >= 2 && queued <= SOON / 2);
    for (uint32_t i = 0; i < SPILLED; i++) {
        uint32_t id = ledger->order[i];
        bool spilled = id >= queued;
        CHECK(spilled || i < SOON);
        CHECK(id >= last[spilled]);
        last[spilled] = id;
    }
    ledger_finish(ledger, SPILLED, true);
}

/* A queue that never runs empty does not keep the list waiting. */
static void busy_queue_starves_no_spilled(size_t combo) {
    struct ledger *ledger = ledger_create();
    uint32_t queued = 0, id = SPILLED;
    struct sy_runtime *runtime = one_by_one(combo, ledger, SPILLED, &queued);
    if (!runtime) {
        ledger_finish(ledger, 0, true);
        return;
    }
    uint64_t ended;
    while ((ended = support_counter_get(&ledger->dropped)) < SPILLED && id < ITEMS) {
        if (id - ended < SPILLED) { /* as many are waiting all the time */
            item_spawn(runtime, ledger, id++);
        } else {
            sched_yield(); /* bounded by the watchdog */
        }
    }
    support_counter_wait(&ledger->dropped, id);
    sy_runtime_destroy(runtime);
    ledger_finish(ledger, id, true);
}

/* ---- the end, and no memory ---- */

static void *end_runtime(void *argument) {
    CHECK_EQ(sy_runtime_shutdown(argument), 0);
    return NULL;
}

static void do_nothing(void *argument, struct sy_context *cx) {
    (void)argument, (void)cx;
}

static void shutdown_drops_both(size_t combo) {
    struct sy_config config;
    static struct probe_hogs hogs;
    pthread_t thread;
    if (!small_config(combo, &config)) {
        return;
    }
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = support_runtime_start(&config);
    probe_hogs_start(&hogs, runtime);
    push_from_threads(runtime, ledger);
    CHECK_EQ(pthread_create(&thread, NULL, end_runtime, runtime), 0);
    struct probe_call call = {.run = do_nothing};
    while (sy_spawn(runtime, &probe_call_type, &call, NULL) == 0) {
        sched_yield(); /* until it is closed; bounded by the watchdog */
    }
    probe_hogs_release(&hogs);
    pthread_join(thread, NULL);
    sy_runtime_destroy(runtime);
    probe_hogs_finish(&hogs);
    ledger_finish(ledger, ITEMS, false);
}

static void push_without_memory(size_t combo) {
    struct sy_config config;
    static struct probe_hogs hogs;
    const struct sy_part *queue = &support_combo(combo)->queue;
    if (!queue->allocates || queue->aborts || !support_alloc_can_fail()) {
        check_skip("%s", !queue->allocates ? "its push needs no memory"
                         : queue->aborts   ? "its library ends the process without memory"
                                           : "allocations cannot fail under a sanitizer");
        return;
    }
    support_combo_config(combo, &config);
    config.global_segment = 2;
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = support_runtime_start(&config);
    probe_hogs_start(&hogs, runtime);
    uint64_t before = support_alloc_count();
    for (uint32_t id = 0; id < ITEMS; id++) {
        support_alloc_fail_after(id % 100 < 50 ? 0 : UINT64_MAX); /* it comes and goes */
        item_spawn(runtime, ledger, id);
    }
    support_alloc_fail_after(UINT64_MAX);
    CHECK(outside_spills(runtime) > 0 || support_alloc_count() == before); /* one maps its memory, and asks no more */
    CHECK(outside_spills(runtime) <= ITEMS / 2);
    probe_hogs_release(&hogs);
    support_counter_wait(&ledger->dropped, ITEMS);
    sy_runtime_destroy(runtime);
    probe_hogs_finish(&hogs);
    ledger_finish(ledger, ITEMS, true);
}

static const struct check_test tests[] = {
    {"spills_lose_nothing", spills_lose_nothing},   {"workers_spill_too", workers_spill_too},
    {"both_have_their_turn", both_have_their_turn}, {"busy_queue_starves_no_spilled", busy_queue_starves_no_spilled},
    {"shutdown_drops_both", shutdown_drops_both},   {"push_without_memory", push_without_memory},
};

PROBE_SUITE("suite_executor_spill", tests, 100)
