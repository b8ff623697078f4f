/* ctest-timeout: 200 */
/*
 * What holds of every local deque under the runtime: what it has no room for goes to the global queue, and is counted;
 * tasks run in the order in which it is popped; nothing that others could run waits behind a long poll for ever,
 * whatever it withholds; the end of the runtime finds what is inside.
 */
#define _GNU_SOURCE
#include "support_ledger.h"

#include <sched.h>
#include <string.h>
#include <time.h>

static void wait_for(struct support_counter *counter) {
    support_counter_wait(counter, 1);
}

/* ---- overflow ---- */

/* Each task that came out of the global queue was put there: from outside, for want of room, or as an offer. */
static void check_counters(const struct sy_runtime *runtime) {
    struct sy_runtime_metrics whole;
    sy_runtime_metrics(runtime, &whole);
    uint64_t put = whole.outside_spawns + SUPPORT_METRIC(runtime, overflows) + SUPPORT_METRIC(runtime, offers);
    CHECK_EQ(SUPPORT_METRIC(runtime, global_pops), put);
}

static void overflow_loses_nothing(size_t combo) {
    static const size_t capacities[] = {2, 4, 64};
    const struct sy_part *deque = &support_combo(combo)->deque;
    for (unsigned i = 0; i < 3; i++) {
        struct sy_config config;
        support_combo_config(combo, &config);
        config.local_capacity = capacities[i];
        struct ledger *ledger = ledger_create();
        struct sy_runtime *runtime = support_runtime_start(&config);
        probe_run_on_worker(runtime, ledger_spawn_inside, ledger);
        support_counter_wait(&ledger->dropped, ITEMS);
        if (deque->bounded) {
            CHECK(SUPPORT_METRIC(runtime, overflows) > 0);
        } else {
            CHECK_EQ(SUPPORT_METRIC(runtime, overflows), 0);
        }
        CHECK(deque->withholds || SUPPORT_METRIC(runtime, offers) == 0);
        check_counters(runtime);
        sy_runtime_destroy(runtime);
        ledger_finish(ledger, ITEMS, true);
    }
}

/* ---- order ---- */

enum { ORDERED = 100 };

static struct sy_runtime *one_worker(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.workers = 1;
    config.lifo_cap = 0;
    config.global_interval = 1000000; /* at which the oldest would come first */
    return support_runtime_start(&config);
}

static void spawn_ordered(void *argument, struct sy_context *cx) {
    for (uint32_t id = 0; id < ORDERED; id++) {
        item_spawn(cx->runtime, (struct ledger *)argument, id);
    }
}

static void own_tasks_come_in_the_order_of_the_deque(size_t combo) {
    bool lifo = strncmp(support_combo(combo)->deque.order, "LIFO", 4) == 0;
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = one_worker(combo);
    probe_run_on_worker(runtime, spawn_ordered, ledger);
    support_counter_wait(&ledger->dropped, ORDERED);
    sy_runtime_destroy(runtime);
    for (uint32_t i = 0; i < ORDERED; i++) {
        CHECK_EQ(ledger->order[i], lifo ? ORDERED - 1 - i : i);
    }
    ledger_finish(ledger, ORDERED, true);
}

/* In either, a batch of the global queue goes through the deque in its own order. */
static void batches_keep_their_order(size_t combo) {
    static struct probe_hogs hogs;
    struct ledger *ledger = ledger_create();
    struct sy_runtime *runtime = one_worker(combo);
    probe_hogs_start(&hogs, runtime);
    for (uint32_t id = 0; id < ORDERED; id++) {
        item_spawn(runtime, ledger, id);
    }
    probe_hogs_release(&hogs);
    support_counter_wait(&ledger->dropped, ORDERED);
    sy_runtime_destroy(runtime);
    probe_hogs_finish(&hogs);
    for (uint32_t i = 0; i < ORDERED; i++) {
        CHECK_EQ(ledger->order[i], i);
    }
    ledger_finish(ledger, ORDERED, true);
}

/* ---- behind a long poll ---- */

enum { BEHIND = 6 };

struct scene {
    struct support_counter filled, go, elsewhere;
    int owner; /* the worker that spawns; written before it does */
};
#define SCENE_INIT                                                                                                     \
    { .filled = SUPPORT_COUNTER_INIT, .go = SUPPORT_COUNTER_INIT, .elsewhere = SUPPORT_COUNTER_INIT }

/* On its spawner's worker it blocks until one like it has run on another. */
static enum sy_poll left_behind_poll(void *future, struct sy_context *cx) {
    struct scene *scene = *(struct scene **)future;
    if (sy_runtime_current_worker(cx->runtime) == scene->owner) {
        wait_for(&scene->elsewhere);
    } else {
        support_counter_add(&scene->elsewhere, 1);
    }
    return SY_READY;
}

static const struct sy_future_type left_behind_type = {
    .name = "left_behind", .size = sizeof(struct scene *), .poll = left_behind_poll};

static void leave_behind(struct scene *scene, struct sy_context *cx, unsigned n) {
    scene->owner = sy_runtime_current_worker(cx->runtime);
    for (unsigned i = 0; i < n; i++) {
        CHECK_EQ(sy_spawn(cx->runtime, &left_behind_type, &scene, NULL), 0);
    }
}

static struct sy_runtime *without_lifo_slot(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.lifo_cap = 0;
    if (config.workers == 1) {
        check_skip("one worker: nobody else could run it");
        return NULL;
    }
    return support_runtime_start(&config);
}

static uint64_t parks_of(const struct sy_runtime *runtime, unsigned worker) {
    struct sy_worker_metrics metrics;
    CHECK_EQ(sy_worker_metrics(runtime, worker, &metrics), 0);
    return metrics.parks;
}

/* Bounded by the watchdog. */
static void wait_for_parks(const struct sy_runtime *runtime, unsigned worker, uint64_t parks) {
    while (parks_of(runtime, worker) < parks) {
        sched_yield();
    }
}

static uint64_t busy_ns_of(const struct sy_runtime *runtime, unsigned worker) {
    struct sy_worker_metrics metrics;
    CHECK_EQ(sy_worker_metrics(runtime, worker, &metrics), 0);
    return metrics.busy_ns;
}

/* Busy time stands still while it sleeps. Bounded by the watchdog. */
static void wait_until_asleep(const struct sy_runtime *runtime, unsigned worker) {
    for (;;) {
        uint64_t busy_ns = busy_ns_of(runtime, worker);
        uint64_t now_ns = sy_now_ns();
        while (sy_now_ns() == now_ns) {
        }
        if (busy_ns_of(runtime, worker) == busy_ns && parks_of(runtime, worker) > 0) {
            return;
        }
        sched_yield();
    }
}

static void one_and_block(void *argument, struct sy_context *cx) {
    struct scene *scene = argument;
    for (unsigned i = 0; i < sy_runtime_workers(cx->runtime); i++) {
        if ((int)i != sy_runtime_current_worker(cx->runtime)) {
            wait_until_asleep(cx->runtime, i);
        }
    }
    leave_behind(scene, cx, 1);
    wait_for(&scene->elsewhere);
}

/* What is spawned while somebody is idle does not wait for the end of its spawner's poll. */
static void idle_workers_get_it_at_once(size_t combo) {
    struct sy_runtime *runtime = without_lifo_slot(combo);
    if (!runtime) {
        return;
    }
    for (unsigned round = 0; round < support_rounds(200); round++) {
        struct scene scene = SCENE_INIT;
        probe_run_on_worker(runtime, one_and_block, &scene);
    }
    sy_runtime_destroy(runtime);
}

static void fill_and_block(void *argument, struct sy_context *cx) {
    struct scene *scene = argument;
    leave_behind(scene, cx, BEHIND);
    support_counter_add(&scene->filled, 1);
    wait_for(&scene->go);
}

/* The others look, find nothing or only what is withheld, and sleep: CPU time is what they would burn. */
static void check_others_sleep(const struct sy_runtime *runtime, const struct scene *scene, const uint64_t *parks) {
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        if ((int)i != scene->owner) {
            wait_for_parks(runtime, i, parks[i] + 1);
        }
    }
    struct timespec stretch = {.tv_nsec = 100000000}; /* what is measured is this stretch of idleness */
    uint64_t before_ns = support_cpu_ns();
    nanosleep(&stretch, NULL);
    CHECK(support_cpu_ns() - before_ns < 20000000);
}

/* The same, but everybody was busy: an owner that was asked meanwhile gives some away before its next poll. */
static void it_is_given_away_when_asked_for(size_t combo) {
    static struct probe_hogs hogs;
    struct sy_runtime *runtime = without_lifo_slot(combo);
    if (!runtime) {
        return;
    }
    unsigned workers = sy_runtime_workers(runtime);
    struct scene scene = SCENE_INIT;
    struct probe_call call = {.run = fill_and_block, .argument = &scene};
    uint64_t parks[8];
    hogs.count = workers - 1;
    for (unsigned i = 0; i < hogs.count; i++) {
        probe_log_init(&hogs.logs[i]);
        probe_spawn(runtime, &hogs.logs[i], PROBE_HELD, 0, &hogs.joins[i]);
        support_counter_wait(&hogs.logs[i].held, 1);
    }
    CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, NULL), 0);
    wait_for(&scene.filled);
    for (unsigned i = 0; i < workers; i++) {
        parks[i] = parks_of(runtime, i);
    }
    probe_hogs_release(&hogs);
    check_others_sleep(runtime, &scene, parks);
    support_counter_add(&scene.go, 1);
    wait_for(&scene.elsewhere);
    sy_runtime_destroy(runtime);
    probe_hogs_finish(&hogs);
}

/* ---- the end ---- */

static void *end_runtime(void *argument) {
    CHECK_EQ(sy_runtime_shutdown(argument), 0);
    return NULL;
}

static void do_nothing(void *argument, struct sy_context *cx) {
    (void)argument, (void)cx;
}

struct last_act {
    struct ledger *ledger;
    struct support_counter spawned, go;
};

static void spawn_and_block(void *argument, struct sy_context *cx) {
    struct last_act *act = argument;
    ledger_spawn_inside(act->ledger, cx);
    support_counter_add(&act->spawned, 1);
    wait_for(&act->go);
}

static void shutdown_drops_what_is_inside(size_t combo) {
    static const size_t capacities[] = {2, 256};
    for (unsigned i = 0; i < 2; i++) {
        struct sy_config config;
        support_combo_config(combo, &config);
        config.local_capacity = capacities[i];
        struct last_act act = {ledger_create(), SUPPORT_COUNTER_INIT, SUPPORT_COUNTER_INIT};
        struct sy_runtime *runtime = support_runtime_start(&config);
        struct probe_call call = {.run = spawn_and_block, .argument = &act};
        pthread_t thread;
        CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, NULL), 0);
        wait_for(&act.spawned);
        CHECK_EQ(pthread_create(&thread, NULL, end_runtime, runtime), 0);
        call.run = do_nothing;
        while (sy_spawn(runtime, &probe_call_type, &call, NULL) == 0) {
            sched_yield(); /* until it is closed; bounded by the watchdog */
        }
        support_counter_add(&act.go, 1);
        pthread_join(thread, NULL);
        sy_runtime_destroy(runtime);
        ledger_finish(act.ledger, ITEMS, false);
    }
}

static const struct check_test tests[] = {
    {"overflow_loses_nothing", overflow_loses_nothing},
    {"own_tasks_come_in_the_order_of_the_deque", own_tasks_come_in_the_order_of_the_deque},
    {"batches_keep_their_order", batches_keep_their_order},
    {"idle_workers_get_it_at_once", idle_workers_get_it_at_once},
    {"it_is_given_away_when_asked_for", it_is_given_away_when_asked_for},
    {"shutdown_drops_what_is_inside", shutdown_drops_what_is_inside},
};

PROBE_SUITE("suite_executor_local", tests, 100)
