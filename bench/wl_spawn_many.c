/*
 * Many small tasks from a thread that is no worker, with the runtime idle or busy in two ways.
 *
 * The four follow tokio's benchmark of the same names. Its spawn_many_local spawns from block_on, which runs on the
 * main thread: what is local about it is only the name.
 */
#include <sched.h>

#include "bench/workload.h"

enum { TASKS = 10000, TASKS_BUSY2 = 1000, YIELDERS = 8, RESPAWNERS = 4, STALL_NS = 10000 };

/* ---- spawn_many_local: detached tasks, the last of which wakes the main thread ---- */

static struct au64 left;

struct leaver {
    struct au64 *left;
    sem_t *done;
};

static enum sy_poll leaver_poll(void *future, struct sy_context *cx) {
    struct leaver *f = future;
    (void)cx;
    if (au64_fetch_sub_relaxed(f->left, 1) == 1) {
        sem_post(f->done);
    }
    return SY_READY;
}

static const struct sy_future_type leaver_type = {"leaver", sizeof(struct leaver), leaver_poll, NULL};

/* A task that ran twice makes it wrap, perhaps after the main thread has looked; so the next iteration looks too. */
static bool local_expect_none_left(struct workload_run *run) {
    return workload_expect(run, "tasks left", au64_load_relaxed(&left), 0);
}

static bool local_iterate(struct workload_run *run) {
    if (!local_expect_none_left(run)) {
        return false;
    }
    au64_store_relaxed(&left, TASKS);
    for (int i = 0; i < TASKS; i++) {
        workload_spawn(run->runtime, &leaver_type, &(struct leaver){&left, &workload_done}, NULL);
    }
    workload_wait();
    return local_expect_none_left(run);
}

/* ---- the three others: tasks with a join handle each ---- */

struct one {
    uint64_t output;
};

static enum sy_poll one_poll(void *future, struct sy_context *cx) {
    struct one *f = future;
    (void)cx;
    f->output = 1;
    return SY_READY;
}

static const struct sy_future_type one_type = {"one", sizeof(struct one), one_poll, NULL};

static bool spawn_and_join(struct workload_run *run, int tasks) {
    static struct sy_join joins[TASKS];
    for (int i = 0; i < tasks; i++) {
        workload_spawn(run->runtime, &one_type, &(struct one){0}, &joins[i]);
    }
    uint64_t sum = 0;
    for (int i = 0; i < tasks; i++) {
        struct sy_outcome outcome;
        sy_join_wait(&joins[i], &outcome);
        if (!outcome.cancelled) {
            sum += ((const struct one *)outcome.future)->output;
        }
        sy_join_drop(&joins[i]);
    }
    return workload_expect(run, "sum of the outputs", sum, (uint64_t)tasks);
}

static bool remote_iterate(struct workload_run *run) {
    return spawn_and_join(run, TASKS);
}

static bool remote_busy2_iterate(struct workload_run *run) {
    return spawn_and_join(run, TASKS_BUSY2);
}

/* ---- what keeps the runtime busy meanwhile ---- */

static struct au32 stop;

static void stall(void) {
    uint64_t start = sy_now_ns();
    while (sy_now_ns() - start < STALL_NS) {
        sched_yield();
    }
}

struct busy {
    bool began;
};

static enum sy_poll yielder_poll(void *future, struct sy_context *cx) {
    struct busy *f = future;
    if (f->began) {
        stall();
    }
    f->began = true;
    if (au32_load_relaxed(&stop)) {
        sem_post(&workload_done);
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static enum sy_poll respawner_poll(void *future, struct sy_context *cx);

static const struct sy_future_type yielder_type = {"yielder", sizeof(struct busy), yielder_poll, NULL};
static const struct sy_future_type respawner_type = {"respawner", sizeof(struct busy), respawner_poll, NULL};

/* The first spawns from outside reach the workers this way, as in the original. */
static enum sy_poll respawner_poll(void *future, struct sy_context *cx) {
    struct busy *f = future;
    if (au32_load_relaxed(&stop)) {
        sem_post(&workload_done);
        return SY_READY;
    }
    if (f->began) {
        stall();
    }
    workload_spawn(cx->runtime, &respawner_type, &(struct busy){.began = true}, NULL);
    return SY_READY;
}

static void busy1_setup(struct workload_run *run) {
    for (int i = 0; i < YIELDERS; i++) {
        workload_spawn(run->runtime, &yielder_type, &(struct busy){false}, NULL);
    }
}

static void busy2_setup(struct workload_run *run) {
    for (int i = 0; i < RESPAWNERS; i++) {
        workload_spawn(run->runtime, &respawner_type, &(struct busy){false}, NULL);
    }
}

/* They end before the runtime does: a respawner would be refused its spawn. */
static void stop_busy(int tasks) {
    au32_store_relaxed(&stop, 1);
    for (int i = 0; i < tasks; i++) {
        workload_wait();
    }
}

static bool busy1_finish(struct workload_run *run) {
    (void)run;
    stop_busy(YIELDERS);
    return true;
}

static bool busy2_finish(struct workload_run *run) {
    (void)run;
    stop_busy(RESPAWNERS);
    return true;
}

const struct workload workload_spawn_many_local = {
    .name = "spawn_many_local",
    .summary = "10,000 detached tasks spawned from the main thread; the last to end wakes it",
    .check = "each task ran once",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS,
    .iterate = local_iterate,
};

const struct workload workload_spawn_many_remote_idle = {
    .name = "spawn_many_remote_idle",
    .summary = "10,000 tasks spawned from outside an idle runtime, and joined",
    .check = "each task's output arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS,
    .iterate = remote_iterate,
};

const struct workload workload_spawn_many_remote_busy1 = {
    .name = "spawn_many_remote_busy1",
    .summary = "10,000 tasks spawned from outside, and joined, while 8 tasks stall for 10 us and yield",
    .check = "each task's output arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS,
    .setup = busy1_setup,
    .iterate = remote_iterate,
    .finish = busy1_finish,
};

const struct workload workload_spawn_many_remote_busy2 = {
    .name = "spawn_many_remote_busy2",
    .summary = "1,000 tasks spawned from outside, and joined, while 4 tasks stall for 10 us and respawn themselves",
    .check = "each task's output arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS_BUSY2,
    .setup = busy2_setup,
    .iterate = remote_busy2_iterate,
    .finish = busy2_finish,
};
