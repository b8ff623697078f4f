/* ctest-timeout: 200 */
/*
 * What a global queue refuses goes to the overflow list: nothing is lost or run twice, neither of the two starves the
 * other, and the end of the runtime finds both. For queues that are bounded, at the smallest capacity, and for those
 * that need memory for a push, without memory. Tasks are embedded, so that a spawn itself needs none.
 */
#define _GNU_SOURCE
#include "support_alloc.h"
#include "support_probe.h"

enum { ITEMS = 3000, PUSHERS = 3 };

struct ledger;

struct item {
    struct sy_task header;
    struct item_future {
        struct ledger *ledger;
        uint32_t id;
    } future;
};

struct ledger {
    struct item *items;
    struct au32 runs[ITEMS], drops[ITEMS];
    uint32_t order[ITEMS]; /* of the runs */
    struct au32 next;
    struct support_counter dropped;
};

static enum sy_poll item_poll(void *future, struct sy_context *cx) {
    (void)cx;
    struct item_future *item = future;
    struct ledger *ledger = item->ledger;
    au32_fetch_add_relaxed(&ledger->runs[item->id], 1);
    ledger->order[au32_fetch_add_relaxed(&ledger->next, 1)] = item->id;
    return SY_READY;
}

static void item_drop(void *future) {
    struct item_future *item = future;
    au32_fetch_add_relaxed(&item->ledger->drops[item->id], 1);
    support_counter_add(&item->ledger->dropped, 1);
}

static const struct sy_future_type item_type = {
    .name = "item", .size = sizeof(struct item_future), .poll = item_poll, .drop = item_drop};

static void item_release(struct sy_task *task) {
    (void)task; /* the ledger's */
}

static struct ledger *ledger_create(void) {
    struct ledger *ledger = calloc(1, sizeof *ledger);
    SUPPORT_REQUIRE(ledger);
    ledger->dropped = (struct support_counter)SUPPORT_COUNTER_INIT;
    ledger->items = aligned_alloc(64, (ITEMS * sizeof *ledger->items + 63) / 64 * 64);
    SUPPORT_REQUIRE(ledger->items);
    return ledger;
}

static void item_spawn(struct sy_runtime *runtime, struct ledger *ledger, uint32_t id) {
    struct item *item = &ledger->items[id];
    item->future = (struct item_future){.ledger = ledger, .id = id};
    CHECK_EQ(sy_spawn_embedded(runtime, &item_type, &item->header, item_release, NULL), 0);
}

/* After the end of the runtime: the first n were dropped exactly once, and run at most once, or exactly. */
static void ledger_finish(struct ledger *ledger, uint32_t n, bool all_ran) {
    for (uint32_t id = 0; id < n; id++) {
        uint32_t runs = au32_load_relaxed(&ledger->runs[id]);
        CHECK(runs == 1 || (runs == 0 && !all_ran));
        CHECK_EQ(au32_load_relaxed(&ledger->drops[id]), 1);
    }
    CHECK_EQ(support_counter_get(&ledger->dropped), n);
    free(ledger->items);
    free(ledger);
}

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

static void spawn_inside(void *argument, struct sy_context *cx) {
    for (uint32_t id = 0; id < ITEMS; id++) {
        item_spawn(cx->runtime, argument, id);
    }
}

static const char *bounded_deque(void) {
    struct sy_part part;
    for (unsigned i = 0; sy_part_at(SY_LOCAL_DEQUE, i, &part); i++) {
        if (part.bounded) {
            return part.name;
        }
    }
    return NULL;
}

static void workers_spill_too(size_t combo) {
    struct sy_config config;
    if (!small_config(combo, &config)) {
        return;
    }
    config.local_deque = bounded_deque();
    CHECK(config.local_deque != NULL);
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = support_runtime_start(&config);
    probe_run_on_worker(runtime, spawn_inside, ledger);
    support_counter_wait(&ledger->dropped, ITEMS);
    CHECK(SUPPORT_METRIC(runtime, overflows) > 0);
    CHECK(config.workers > 1 || SUPPORT_METRIC(runtime, spills) > 0); /* others may be quick enough */
    CHECK(SUPPORT_METRIC(runtime, spills) <= SUPPORT_METRIC(runtime, overflows));
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
