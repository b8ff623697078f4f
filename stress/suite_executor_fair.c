/* ctest-timeout: 200 */
/* Nobody starves: yields, the LIFO slot's cap, the global queue's turn, timers beside a busy worker. The counters. */
#define _GNU_SOURCE
#include "support_probe.h"

/* ---- yielders that write down whose turn it was ---- */

enum { YIELDERS = 8, TURNS = 200 };

struct turns {
    struct support_counter done;
    unsigned count[YIELDERS];
    unsigned last, run, longest_run, widest_gap, live;
};

struct yielder {
    struct turns *turns;
    unsigned id, left;
};

static void turns_note(struct turns *turns, unsigned id) {
    turns->run = turns->last == id ? turns->run + 1 : 1;
    turns->last = id;
    turns->longest_run = turns->run > turns->longest_run ? turns->run : turns->longest_run;
    turns->count[id]++;
    for (unsigned i = 0; i < turns->live; i++) {
        unsigned gap = turns->count[id] > turns->count[i] ? turns->count[id] - turns->count[i] : 0;
        turns->widest_gap = gap > turns->widest_gap ? gap : turns->widest_gap;
    }
}

static enum sy_poll yielder_poll(void *future, struct sy_context *cx) {
    struct yielder *yielder = future;
    if (yielder->left == 0) {
        support_counter_add(&yielder->turns->done, 1);
        return SY_READY;
    }
    yielder->left--;
    turns_note(yielder->turns, yielder->id); /* unguarded: only with one worker */
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type yielder_type = {
    .name = "yielder", .size = sizeof(struct yielder), .poll = yielder_poll};

static void spawn_yielders(void *argument, struct sy_context *cx) {
    struct turns *turns = argument;
    for (unsigned i = 0; i < turns->live; i++) {
        struct yielder yielder = {.turns = turns, .id = i, .left = TURNS};
        CHECK_EQ(sy_spawn(cx->runtime, &yielder_type, &yielder, NULL), 0);
    }
}

static void take_turns(size_t combo, unsigned yielders) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.workers = 1;
    struct sy_runtime *runtime = support_runtime_start(&config);
    struct turns turns = {.done = SUPPORT_COUNTER_INIT, .last = YIELDERS, .live = yielders};
    probe_run_on_worker(runtime, spawn_yielders, &turns);
    support_counter_wait(&turns.done, yielders);
    sy_runtime_destroy(runtime);
    /* A look at the global queue or the reactor may come between; a turn twice in a row may happen, three may not. */
    CHECK(turns.longest_run <= 2);
    CHECK(turns.widest_gap <= 3);
}

static void two_yielders_alternate(size_t combo) {
    take_turns(combo, 2);
}

static void yielders_advance_together(size_t combo) {
    take_turns(combo, YIELDERS);
}

/* ---- endless tasks beside one that must get its turn ---- */

struct endless {
    struct au32 *stop;
    struct ai64 *polls;
    bool by_yield; /* otherwise by waking itself */
};

static enum sy_poll endless_poll(void *future, struct sy_context *cx) {
    struct endless *endless = future;
    ai64_fetch_add_relaxed(endless->polls, 1);
    if (au32_load_acquire(endless->stop)) {
        return SY_READY;
    }
    endless->by_yield ? sy_yield_now(cx) : sy_waker_wake_by_ref(&cx->waker);
    return SY_PENDING;
}

static const struct sy_future_type endless_type = {
    .name = "endless", .size = sizeof(struct endless), .poll = endless_poll};

static void stop_all(void *argument, struct sy_context *cx) {
    (void)cx;
    au32_store_release((struct au32 *)argument, 1);
}

struct stopper {
    struct sy_sleep sleep;
    struct au32 *stop;
    bool started;
};

static enum sy_poll stopper_poll(void *future, struct sy_context *cx) {
    struct stopper *stopper = future;
    if (!stopper->started) {
        stopper->started = true;
        sy_sleep_init_after(&stopper->sleep, cx->runtime, 2000000);
    }
    if (sy_sleep_poll(&stopper->sleep, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    au32_store_release(stopper->stop, 1);
    return SY_READY;
}

static const struct sy_future_type stopper_type = {
    .name = "stopper", .size = sizeof(struct stopper), .poll = stopper_poll};

/* Every worker has an endless task; one from outside, and one woken by a timer, must end them. */
static void endless_tasks_starve_nobody(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned way = 0; way < 4; way++) {
        unsigned count = sy_runtime_workers(runtime) * 2;
        struct au32 stop = {0};
        struct ai64 polls = {0};
        struct sy_join joins[8];
        struct endless endless = {.stop = &stop, .polls = &polls, .by_yield = way % 2};
        struct stopper stopper = {.stop = &stop};
        for (unsigned i = 0; i < count; i++) {
            CHECK_EQ(sy_spawn(runtime, &endless_type, &endless, &joins[i]), 0);
        }
        while (ai64_load_relaxed(&polls) < 1000) {
            sched_yield();
        }
        if (way / 2) {
            CHECK_EQ(sy_spawn(runtime, &stopper_type, &stopper, NULL), 0);
        } else {
            probe_run_on_worker(runtime, stop_all, &stop);
        }
        for (unsigned i = 0; i < count; i++) {
            struct sy_outcome outcome;
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            sy_join_drop(&joins[i]);
        }
    }
    sy_runtime_destroy(runtime);
}

/* ---- the global queue's turn beside a local chain ---- */

struct link {
    struct ai64 *polls;
    struct au32 *stop;
    struct support_counter *begun, *done;
    bool first;
};

static const struct sy_future_type link_type;

/* Each link spawns the next on its own worker and is ready. */
static enum sy_poll link_poll(void *future, struct sy_context *cx) {
    struct link *link = future;
    ai64_fetch_add_relaxed(link->polls, 1);
    if (link->first) {
        link->first = false;
        support_counter_add(link->begun, 1);
    }
    if (au32_load_relaxed(link->stop)) {
        support_counter_add(link->done, 1);
    } else {
        CHECK_EQ(sy_spawn(cx->runtime, &link_type, link, NULL), 0);
    }
    return SY_READY;
}

static const struct sy_future_type link_type = {.name = "link", .size = sizeof(struct link), .poll = link_poll};

struct arrival {
    struct ai64 *polls;
    int64_t seen;
};

static void arrive(void *argument, struct sy_context *cx) {
    (void)cx;
    struct arrival *arrival = argument;
    arrival->seen = ai64_load_relaxed(arrival->polls);
}

enum { CHAINS = 6 }; /* so that the local queue is never empty */

/* The number of links polled between the end of the spawn and the poll of what was spawned. */
static void global_queue_gets_its_turn(size_t combo) {
    static const unsigned intervals[] = {0, 2, 61};
    for (unsigned k = 0; k < 6; k++) {
        struct sy_config config;
        support_combo_config(combo, &config);
        config.workers = 1;
        config.global_interval = intervals[k % 3];
        config.lifo_cap = k < 3 ? config.lifo_cap : 0;
        struct sy_runtime *runtime = support_runtime_start(&config);
        struct au32 stop = {0};
        struct ai64 polls = {0};
        struct support_counter begun = SUPPORT_COUNTER_INIT, done = SUPPORT_COUNTER_INIT;
        struct link link = {.polls = &polls, .stop = &stop, .begun = &begun, .done = &done, .first = true};
        for (unsigned i = 0; i < CHAINS; i++) {
            CHECK_EQ(sy_spawn(runtime, &link_type, &link, NULL), 0);
        }
        support_counter_wait(&begun, CHAINS);
        for (unsigned i = 0; i < 20; i++) {
            struct arrival arrival = {.polls = &polls};
            struct probe_call call = {.run = arrive, .argument = &arrival};
            struct sy_join join;
            struct sy_outcome outcome;
            CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, &join), 0);
            int64_t spawned = ai64_load_relaxed(&polls);
            CHECK_EQ(sy_join_wait(&join, &outcome), 0);
            sy_join_drop(&join);
            CHECK(arrival.seen - spawned <= 4 * 127); /* the tuned interval's limit is 127 */
        }
        au32_store_relaxed(&stop, 1);
        support_counter_wait(&done, CHAINS);
        sy_runtime_destroy(runtime);
    }
}

/* ---- the LIFO slot's cap ---- */

struct rally {
    struct support_gate court[2];
    struct au32 witnessed;
    struct ai64 strokes;
    int64_t strokes_at_witness;
    struct support_counter done;
};

struct player {
    struct rally *rally;
    unsigned side;
};

/* Wakes the other and waits: both live in the LIFO slot as long as that is allowed. */
static enum sy_poll player_poll(void *future, struct sy_context *cx) {
    struct player *player = future;
    struct rally *rally = player->rally;
    bool over = au32_load_relaxed(&rally->witnessed);
    ai64_fetch_add_relaxed(&rally->strokes, 1);
    rally->court[player->side].open = false;
    if (!over) {
        CHECK_EQ(support_gate_poll(&rally->court[player->side], cx), SY_PENDING);
    }
    support_gate_open(&rally->court[!player->side]);
    if (over) {
        support_counter_add(&rally->done, 1);
    }
    return over ? SY_READY : SY_PENDING;
}

static const struct sy_future_type player_type = {.name = "player", .size = sizeof(struct player), .poll = player_poll};

static void witness(void *argument, struct sy_context *cx) {
    (void)cx;
    struct rally *rally = argument;
    rally->strokes_at_witness = ai64_load_relaxed(&rally->strokes);
    au32_store_relaxed(&rally->witnessed, 1);
}

static void start_rally(void *argument, struct sy_context *cx) {
    struct rally *rally = argument;
    struct probe_call call = {.run = witness, .argument = rally};
    CHECK_EQ(sy_spawn(cx->runtime, &probe_call_type, &call, NULL), 0);
    for (unsigned side = 0; side < 2; side++) {
        struct player player = {.rally = rally, .side = side};
        CHECK_EQ(sy_spawn(cx->runtime, &player_type, &player, NULL), 0);
    }
}

/* Only the cap lets the witness come: the interval at which the oldest comes first is far away, except with cap 0. */
static void lifo_slot_is_capped(size_t combo) {
    static const unsigned caps[] = {0, 1, 3, 16};
    for (unsigned k = 0; k < 4; k++) {
        struct sy_config config;
        support_combo_config(combo, &config);
        config.workers = 1;
        config.lifo_cap = caps[k];
        config.global_interval = caps[k] ? 1000000 : config.global_interval;
        struct sy_runtime *runtime = support_runtime_start(&config);
        struct rally rally = {.court = {SUPPORT_GATE_INIT, SUPPORT_GATE_INIT}, .done = SUPPORT_COUNTER_INIT};
        probe_run_on_worker(runtime, start_rally, &rally);
        support_counter_wait(&rally.done, 2);
        CHECK(rally.strokes_at_witness <= (caps[k] ? caps[k] + 4 : 2 * 127));
        if (caps[k] == 0) {
            CHECK_EQ(SUPPORT_METRIC(runtime, lifo_polls), 0);
        }
        sy_runtime_destroy(runtime);
    }
}

/* ---- counters ---- */

static void counters_add_up(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_log logs[100];
    struct sy_join joins[100];
    struct sy_runtime_metrics whole;
    struct sy_worker_metrics worker;
    for (unsigned i = 0; i < 100; i++) {
        probe_log_init(&logs[i]);
        probe_spawn(runtime, &logs[i], i < 10 ? PROBE_FOREVER : PROBE_YIELDS, 7, &joins[i]);
    }
    for (unsigned i = 10; i < 100; i++) {
        CHECK(!probe_finish(&joins[i]));
    }
    for (unsigned i = 0; i < 10; i++) {
        support_counter_wait(&logs[i].polled, 1);
    }
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        do { /* each goes to sleep when there is nothing left */
            CHECK_EQ(sy_worker_metrics(runtime, i, &worker), 0);
        } while (worker.parks == 0 || worker.busy_ns == 0);
        CHECK_EQ(worker.queue_depth, 0);
        CHECK(worker.lifo_polls <= worker.polls);
        CHECK(worker.steal_operations <= worker.steals);
        CHECK(worker.empty_wakeups <= worker.parks);
    }
    CHECK_EQ(sy_worker_metrics(runtime, sy_runtime_workers(runtime), &worker), -EINVAL);
    /*
     * A task counts from just after its first poll until just after its joiner is woken. The depth is a queue's length,
     * a hint until a pop of the empty queue has ended (gq.h), and a worker may be in the middle of one. Both are bounded
     * by the watchdog.
     */
    do {
        sy_runtime_metrics(runtime, &whole);
    } while (whole.live_tasks != 10 || whole.global_depth != 0);
    CHECK_EQ(whole.outside_spawns, 100);
    CHECK_EQ(SUPPORT_METRIC(runtime, polls), 10 + 90 * 8);
    CHECK_EQ(SUPPORT_METRIC(runtime, yields), 90 * 7);
    CHECK(SUPPORT_METRIC(runtime, global_pops) >= 100);
    for (unsigned i = 0; i < 10; i++) {
        sy_join_abort(&joins[i]);
        CHECK(probe_finish(&joins[i]));
        support_gate_clear(&logs[i].gate);
    }
    do {
        sy_runtime_metrics(runtime, &whole);
    } while (whole.live_tasks > 0); /* bounded by the watchdog */
    sy_runtime_destroy(runtime);
}

/* ---- long ticks beside sockets and timers ---- */

enum { LONG_POLLS = 100, LONG_POLL_NS = 1000000 };

struct long_task {
    struct support_counter *done;
    unsigned left;
};

static enum sy_poll long_task_poll(void *future, struct sy_context *cx) {
    struct long_task *task = future;
    if (task->left == 0) {
        support_counter_add(task->done, 1);
        return SY_READY;
    }
    task->left--;
    for (uint64_t start_ns = sy_now_ns(); sy_now_ns() - start_ns < LONG_POLL_NS;) {
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type long_task_type = {
    .name = "long_task", .size = sizeof(struct long_task), .poll = long_task_poll};

/* By ticks alone there would be one look at the reactor in all this time, or two. */
static void long_ticks_come_between_few_looks(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.workers = 1;
    config.reactor_interval = 61;
    struct sy_runtime *runtime = support_runtime_start(&config);
    struct support_counter done = SUPPORT_COUNTER_INIT;
    struct sy_worker_metrics before, after;
    CHECK_EQ(sy_worker_metrics(runtime, 0, &before), 0);
    CHECK_EQ(sy_spawn(runtime, &long_task_type, &(struct long_task){&done, LONG_POLLS}, NULL), 0);
    support_counter_wait(&done, 1);
    CHECK_EQ(sy_worker_metrics(runtime, 0, &after), 0);
    CHECK(after.reactor_polls - before.reactor_polls >= LONG_POLLS - 61);
    sy_runtime_destroy(runtime);
}

/* ---- idleness ---- */

static void idle_runtime_uses_no_cpu(size_t combo) {
    if (support_combo(combo)->workers != 4) {
        check_skip("measured with 4 workers only");
        return;
    }
    struct sy_runtime *runtime = support_runtime(combo);
    struct probe_log log = PROBE_LOG_INIT;
    struct sy_join join;
    struct sy_worker_metrics worker;
    probe_spawn(runtime, &log, PROBE_FOREVER, 0, &join);
    support_counter_wait(&log.polled, 1);
    for (unsigned i = 0; i < 4; i++) {
        do {
            CHECK_EQ(sy_worker_metrics(runtime, i, &worker), 0);
        } while (worker.parks == 0);
    }
    struct timespec half_a_second = {.tv_nsec = 500000000}; /* what is measured is this stretch of idleness */
    uint64_t before_ns = support_cpu_ns();
    nanosleep(&half_a_second, NULL);
    uint64_t used_ns = support_cpu_ns() - before_ns;
    CHECK(used_ns < 5000000);
    sy_join_drop(&join);
    sy_runtime_destroy(runtime);
    probe_check_dropped(&log);
}

static const struct check_test tests[] = {
    {"two_yielders_alternate", two_yielders_alternate},
    {"yielders_advance_together", yielders_advance_together},
    {"endless_tasks_starve_nobody", endless_tasks_starve_nobody},
    {"global_queue_gets_its_turn", global_queue_gets_its_turn},
    {"lifo_slot_is_capped", lifo_slot_is_capped},
    {"long_ticks_come_between_few_looks", long_ticks_come_between_few_looks},
    {"counters_add_up", counters_add_up},
    {"idle_runtime_uses_no_cpu", idle_runtime_uses_no_cpu},
};

PROBE_SUITE("suite_executor_fair", tests, 100)
