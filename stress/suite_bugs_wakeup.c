/* ctest-timeout: 200 */
/*
 * Failures that other runtimes had with wake-ups, work conservation and the reactor, each with a test of its own, named
 * after the project and its issue. The numbers are shared with suite_bugs_task.c. Nearly every failure here is a hang,
 * which the watchdog turns into an error.
 */
#define _GNU_SOURCE
#include "reactor/reactor.h"
#include "support_probe.h"

#define MS UINT64_C(1000000)
#define HOUR (UINT64_C(3600000) * MS)

/* Workers that park as soon and as often as they can. */
static struct sy_runtime *eager_parkers(size_t combo, unsigned lifo_cap) {
    struct sy_config config;
    support_combo_config(combo, &config);
    config.spin_ns = 0;
    config.lifo_cap = lifo_cap;
    return support_runtime_start(&config);
}

static void spin_for(uint64_t turns) {
    for (; turns > 0; turns--) {
        cpu_relax();
    }
}

static void note(void *argument, struct sy_context *cx) {
    (void)cx;
    support_counter_add((struct support_counter *)argument, 1);
}

static void spawn_note(struct sy_runtime *runtime, struct support_counter *counter) {
    struct probe_call call = {.run = note, .argument = counter};
    CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, NULL), 0);
}

/*
 * A producer looked with a mere load at whether somebody was parked, while its own push was still in the store buffer:
 * the worker slept beside the task. Here a task arrives at every distance from a worker's going to sleep.
 */
static void bug_01_lost_unpark_tokio_1768(size_t combo) {
    struct sy_runtime *runtime = eager_parkers(combo, 3);
    struct support_counter ran = SUPPORT_COUNTER_INIT;
    uint64_t random = check_seed();
    for (unsigned i = 1; i <= support_rounds(5000); i++) {
        spawn_note(runtime, &ran);
        support_counter_wait(&ran, i);
        spin_for(check_random(&random) % 512);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 6, 9: the reactor beside tasks that do not end ---- */

/* Sleeps, then blocks the worker that the timer woke it on: that is the one which has just held the reactor. */
struct blocker {
    struct sy_sleep sleep;
    struct support_counter *held, *released;
    bool started;
};

static enum sy_poll blocker_poll(void *future, struct sy_context *cx) {
    struct blocker *blocker = future;
    if (!blocker->started) {
        blocker->started = true;
        sy_sleep_init_after(&blocker->sleep, cx->runtime, MS / 2);
    }
    if (sy_sleep_poll(&blocker->sleep, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    support_counter_add(blocker->held, 1);
    support_counter_wait(blocker->released, 1);
    return SY_READY;
}

static const struct sy_future_type blocker_type = {
    .name = "blocker", .size = sizeof(struct blocker), .poll = blocker_poll};

/* Spawns a wait for `fd` to be readable. */
static void spawn_reader(struct sy_runtime *runtime, struct sy_socket *socket, int fd, struct sy_join *join) {
    struct sy_ready ready;
    CHECK_EQ(sy_socket_from_fd(socket, runtime, fd), 0);
    sy_ready_init(&ready, socket, SY_READABLE);
    CHECK_EQ(sy_spawn(runtime, &sy_ready_type, &ready, join), 0);
}

static void finish(struct sy_join *join) {
    struct sy_outcome outcome;
    CHECK_EQ(sy_join_wait(join, &outcome), 0);
    CHECK(!outcome.cancelled);
    sy_join_drop(join);
}

struct nap {
    struct sy_sleep sleep;
    uint64_t duration_ns;
    bool started;
};

static enum sy_poll nap_poll(void *future, struct sy_context *cx) {
    struct nap *nap = future;
    if (!nap->started) {
        nap->started = true;
        sy_sleep_init_after(&nap->sleep, cx->runtime, nap->duration_ns);
    }
    return sy_sleep_poll(&nap->sleep, cx);
}

static void nap_drop(void *future) {
    struct nap *nap = future;
    if (nap->started) {
        sy_sleep_drop(&nap->sleep);
    }
}

static const struct sy_future_type nap_type = {
    .name = "nap", .size = sizeof(struct nap), .poll = nap_poll, .drop = nap_drop};

static void spawn_nap(struct sy_runtime *runtime, uint64_t duration_ns, struct sy_join *join) {
    struct nap nap = {.duration_ns = duration_ns};
    CHECK_EQ(sy_spawn(runtime, &nap_type, &nap, join), 0);
}

/*
 * The worker that held the reactor got stuck in a task; its idle peers slept on, and input, output and timers died. Of
 * a reactor that cannot be stolen the stuck worker keeps its own input and output, as it says, but no timers.
 */
static void bug_06_reactor_behind_a_blocked_task_tokio_4730(size_t combo) {
    if (support_combo(combo)->workers < 2) {
        check_skip("needs a second worker");
        return;
    }
    bool stealable = rx_find(support_combo(combo)->reactor)->stealable;
    struct sy_runtime *runtime = support_runtime(combo);
    for (unsigned round = 0; round < support_rounds(10); round++) {
        struct support_counter held = SUPPORT_COUNTER_INIT, released = SUPPORT_COUNTER_INIT;
        struct blocker blocker = {.held = &held, .released = &released};
        struct sy_socket socket;
        struct sy_join blocked, reader, sleeper;
        int pipe_ends[2];
        CHECK_EQ(pipe(pipe_ends), 0);
        spawn_reader(runtime, &socket, pipe_ends[0], &reader);
        spawn_nap(runtime, 5 * MS, &sleeper);
        CHECK_EQ(sy_spawn(runtime, &blocker_type, &blocker, &blocked), 0);
        support_counter_wait(&held, 1);
        finish(&sleeper);
        CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
        support_counter_add(&released, !stealable);
        finish(&reader);
        support_counter_add(&released, 1);
        finish(&blocked);
        sy_socket_close(&socket);
        close(pipe_ends[1]);
    }
    sy_runtime_destroy(runtime);
}

struct busy {
    struct au32 *stop;
    struct ai64 *polls;
};

static enum sy_poll busy_poll(void *future, struct sy_context *cx) {
    struct busy *busy = future;
    ai64_fetch_add_relaxed(busy->polls, 1);
    if (au32_load_relaxed(busy->stop)) {
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type busy_type = {.name = "busy", .size = sizeof(struct busy), .poll = busy_poll};

/* A worker that had no reason to park never looked at the reactor either. Here no worker ever has nothing to do. */
static void bug_09_no_park_no_driver_tokio_8222(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct au32 stop = {0};
    struct ai64 polls = {0};
    struct busy busy = {.stop = &stop, .polls = &polls};
    unsigned count = 2 * sy_runtime_workers(runtime);
    struct sy_join joins[8], reader, sleeper;
    struct sy_socket socket;
    int pipe_ends[2];
    CHECK_EQ(pipe(pipe_ends), 0);
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ(sy_spawn(runtime, &busy_type, &busy, &joins[i]), 0);
    }
    while (ai64_load_relaxed(&polls) < 1000) {
        sched_yield();
    }
    spawn_reader(runtime, &socket, pipe_ends[0], &reader);
    spawn_nap(runtime, MS, &sleeper);
    CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
    finish(&reader);
    finish(&sleeper);
    au32_store_relaxed(&stop, 1);
    for (unsigned i = 0; i < count; i++) {
        finish(&joins[i]);
    }
    sy_socket_close(&socket);
    close(pipe_ends[1]);
    sy_runtime_destroy(runtime);
}

/* ---- 7, 20: timers that arrive while somebody goes to wait ---- */

/*
 * A worker waits in the reactor for a timer that is far away; an earlier one, started elsewhere, did not shorten the
 * wait. The later timers here come from a plain thread, so that no spawn wakes anybody.
 */
static void bug_07_earlier_timer_tokio_3190(size_t combo) {
    struct sy_runtime *runtime = eager_parkers(combo, 3);
    struct sy_join far_away;
    struct sy_worker_metrics metrics;
    spawn_nap(runtime, HOUR, &far_away);
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        do {
            CHECK_EQ(sy_worker_metrics(runtime, i, &metrics), 0);
        } while (metrics.parks == 0);
    }
    for (unsigned i = 0; i < support_rounds(30); i++) {
        struct nap nap = {.duration_ns = MS};
        CHECK_EQ(sy_block_on(runtime, &nap_type, &nap), 0);
    }
    sy_join_drop(&far_away);
    sy_runtime_destroy(runtime);
}

/* The time-out was computed before the flag that says "waiting" was set: what came in between woke nobody. */
static void bug_20_timeout_before_polling_flag_heph_437(size_t combo) {
    struct sy_runtime *runtime = eager_parkers(combo, 3);
    struct support_counter ran = SUPPORT_COUNTER_INIT;
    uint64_t random = check_seed();
    for (unsigned i = 1; i <= support_rounds(500); i++) {
        spawn_note(runtime, &ran);
        support_counter_wait(&ran, i); /* some worker now goes back to wait */
        spin_for(check_random(&random) % 256);
        struct nap nap = {.duration_ns = 20000};
        CHECK_EQ(sy_block_on(runtime, &nap_type, &nap), 0);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 13, 15, 17: no worker sleeps beside work that it could do ---- */

struct nest {
    struct support_counter run;
    unsigned eggs, needed;
};

/* Spawns tasks on its own worker, then holds the worker until others have run as many as they can reach. */
static void brood(void *argument, struct sy_context *cx) {
    struct nest *nest = argument;
    for (unsigned i = 0; i < nest->eggs; i++) {
        spawn_note(cx->runtime, &nest->run);
    }
    support_counter_wait(&nest->run, nest->needed);
}

/* What waits behind a poll that needs others to run it: a deque that withholds may keep it there, and says so. */
static bool keeps_tasks_behind_a_poll(size_t combo) {
    const struct sy_part *deque = &support_combo(combo)->deque;
    if (deque->withholds) {
        check_skip("%s withholds; suite_executor_local has what holds of it", deque->name);
    }
    return deque->withholds;
}

static void brood_rounds(size_t combo, unsigned eggs, unsigned needed, unsigned lifo_cap) {
    if (support_combo(combo)->workers < 2) {
        check_skip("needs a second worker");
        return;
    }
    if (keeps_tasks_behind_a_poll(combo)) {
        return;
    }
    struct sy_runtime *runtime = eager_parkers(combo, lifo_cap);
    for (unsigned round = 0; round < support_rounds(300); round++) {
        struct nest nest = {.run = SUPPORT_COUNTER_INIT, .eggs = eggs, .needed = needed};
        probe_run_on_worker(runtime, brood, &nest);
        support_counter_wait(&nest.run, eggs);
    }
    sy_runtime_destroy(runtime);
}

/* Tasks stayed in the local queue of a worker that did not return to it. One may be in the LIFO slot, not the rest. */
static void bug_13_stuck_in_a_local_queue_async_executor_61(size_t combo) {
    brood_rounds(combo, 20, 19, 3);
}

/* A push to the local queue woke none of the parked: one runnable task, one idle worker, and nothing happened. */
static void bug_15_local_push_wakes_no_one_stdexec_1305(size_t combo) {
    brood_rounds(combo, 1, 1, 0);
}

struct meeting {
    struct support_counter arrived, left;
    unsigned size;
};

/* As many tasks as workers, each of which holds its worker until all have come. */
static void attend(void *argument, struct sy_context *cx) {
    struct meeting *meeting = argument;
    (void)cx;
    support_counter_add(&meeting->arrived, 1);
    support_counter_wait(&meeting->arrived, meeting->size);
    support_counter_add(&meeting->left, 1);
}

static void invite(void *argument, struct sy_context *cx) {
    struct meeting *meeting = argument;
    struct probe_call call = {.run = attend, .argument = meeting};
    for (unsigned i = 0; i < meeting->size; i++) {
        CHECK_EQ(sy_spawn(cx->runtime, &probe_call_type, &call, NULL), 0);
    }
}

/*
 * A processor idled although there was work: here every worker is needed at once, or none gets on. Without the LIFO
 * slot, whose one task no other worker can take by design.
 */
static void bug_17_idle_beside_runnable_work_golang_45867(size_t combo) {
    if (keeps_tasks_behind_a_poll(combo)) {
        return;
    }
    struct sy_runtime *runtime = eager_parkers(combo, 0);
    for (unsigned round = 0; round < support_rounds(300); round++) {
        struct meeting meeting = {
            .arrived = SUPPORT_COUNTER_INIT, .left = SUPPORT_COUNTER_INIT, .size = sy_runtime_workers(runtime)};
        struct sy_context outside = {.runtime = runtime};
        if (round % 2) {
            probe_run_on_worker(runtime, invite, &meeting);
        } else {
            invite(&meeting, &outside);
        }
        support_counter_wait(&meeting.left, meeting.size);
    }
    sy_runtime_destroy(runtime);
}

struct queue_up {
    struct support_counter *hog;
    struct probe_log second_poll; /* of the one that yields */
    struct support_counter done;
    bool newest_first;
};

/* Lets the hog of the other worker go, then holds this one until the yielder was polled again. */
static void hold_for_the_yielder(void *argument, struct sy_context *cx) {
    struct queue_up *queue = argument;
    (void)cx;
    support_counter_add(queue->hog, 1);
    support_counter_wait(&queue->second_poll.polled, 2);
    support_counter_add(&queue->done, 1);
}

/* Queues, on one worker, in the order in which it will take them: a yielder, a holder, and one more. */
static void queue_up(void *argument, struct sy_context *cx) {
    struct queue_up *queue = argument;
    struct probe_call holder = {.run = hold_for_the_yielder, .argument = queue};
    struct probe yielder = {.log = &queue->second_poll, .kind = PROBE_YIELDS, .left = 1};
    if (queue->newest_first) {
        spawn_note(cx->runtime, &queue->done);
    } else {
        CHECK_EQ(sy_spawn(cx->runtime, &probe_type, &yielder, NULL), 0);
    }
    CHECK_EQ(sy_spawn(cx->runtime, &probe_call_type, &holder, NULL), 0);
    if (queue->newest_first) {
        CHECK_EQ(sy_spawn(cx->runtime, &probe_type, &yielder, NULL), 0);
    } else {
        spawn_note(cx->runtime, &queue->done);
    }
}

/* A task that yielded was kept aside while its worker was held by another, and an idle worker could not see it. */
static void bug_17_yielded_task_out_of_sight_golang_43997(size_t combo) {
    if (support_combo(combo)->workers != 2) {
        check_skip("for two workers, one of which is held at first");
        return;
    }
    if (keeps_tasks_behind_a_poll(combo)) {
        return;
    }
    struct sy_runtime *runtime = eager_parkers(combo, 0);
    for (unsigned round = 0; round < support_rounds(100); round++) {
        struct probe_log hog = PROBE_LOG_INIT;
        struct queue_up queue = {.hog = &hog.released,
                                 .second_poll = PROBE_LOG_INIT,
                                 .done = SUPPORT_COUNTER_INIT,
                                 .newest_first = round % 2};
        struct sy_join join;
        probe_spawn(runtime, &hog, PROBE_HELD, 0, &join);
        support_counter_wait(&hog.held, 1);
        probe_run_on_worker(runtime, queue_up, &queue);
        support_counter_wait(&queue.done, 2);
        CHECK(!probe_finish(&join));
        support_counter_wait(&queue.second_poll.dropped, 1);
    }
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"bug_01_lost_unpark_tokio_1768", bug_01_lost_unpark_tokio_1768},
    {"bug_06_reactor_behind_a_blocked_task_tokio_4730", bug_06_reactor_behind_a_blocked_task_tokio_4730},
    {"bug_07_earlier_timer_tokio_3190", bug_07_earlier_timer_tokio_3190},
    {"bug_09_no_park_no_driver_tokio_8222", bug_09_no_park_no_driver_tokio_8222},
    {"bug_13_stuck_in_a_local_queue_async_executor_61", bug_13_stuck_in_a_local_queue_async_executor_61},
    {"bug_15_local_push_wakes_no_one_stdexec_1305", bug_15_local_push_wakes_no_one_stdexec_1305},
    {"bug_17_idle_beside_runnable_work_golang_45867", bug_17_idle_beside_runnable_work_golang_45867},
    {"bug_17_yielded_task_out_of_sight_golang_43997", bug_17_yielded_task_out_of_sight_golang_43997},
    {"bug_20_timeout_before_polling_flag_heph_437", bug_20_timeout_before_polling_flag_heph_437},
};

PROBE_SUITE("suite_bugs_wakeup", tests, 100)
