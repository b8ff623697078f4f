/* ctest-timeout: 200 */
/*
 * The generated cross test: what a task does × how it is joined × when it is aborted × where its memory is, each case
 * with its polls, drops, output and release counted. The variants are the combinations.
 */
#define _GNU_SOURCE
#include "support_probe.h"

enum work { COMPLETES, PENDS_THEN_WOKEN, PENDS_FOREVER, YIELDS };
enum joining { JOIN_WAITS_FIRST, JOIN_AFTER_END, JOIN_DROPPED_EARLY };
enum aborting {
    ABORT_NEVER,
    ABORT_BEFORE_FIRST_POLL,
    ABORT_WHILE_RUNNING,
    ABORT_AFTER_PENDING,
    ABORT_AFTER_COMPLETION
};
enum { WORKS = 4, JOININGS = 3, ABORTINGS = 5 };

static const char *const work_names[] = {"completes", "pends then woken", "pends forever", "yields"};
static const char *const joining_names[] = {"waits first", "after the end", "dropped early"};
static const char *const aborting_names[] = {"never", "before first poll", "while running", "after pending",
                                             "after completion"};

struct scene {
    enum work work;
    enum joining joining;
    enum aborting aborting;
    bool embedded;
};

/* A future whose first poll waits for leave, so that something can be done "while it runs". */
struct actor {
    struct scene_log *log;
    unsigned polls;
    uint64_t output;
};

struct embedded_actor {
    struct sy_task header;
    struct actor actor;
};

struct scene_log {
    struct scene scene;
    struct support_counter running, may_end, polled, dropped, released;
    struct support_gate gate;
    uint64_t polls, drops, outputs;
    struct sy_join join;
    struct sy_outcome outcome;
    struct embedded_actor embedded;
};

/* release gets the task alone */
static struct scene_log *log_of_task(struct sy_task *task) {
    return (struct scene_log *)((char *)task - offsetof(struct scene_log, embedded));
}

static enum sy_poll actor_step(struct actor *actor, struct sy_context *cx) {
    switch (actor->log->scene.work) {
    case COMPLETES:
        return SY_READY;
    case PENDS_THEN_WOKEN:
        return support_gate_poll(&actor->log->gate, cx);
    case PENDS_FOREVER:
        (void)support_gate_poll(&actor->log->gate, cx);
        return SY_PENDING;
    case YIELDS:
        if (actor->polls > 5) {
            return SY_READY;
        }
        sy_yield_now(cx);
        return SY_PENDING;
    }
    return SY_READY;
}

static enum sy_poll actor_poll(void *future, struct sy_context *cx) {
    struct actor *actor = future;
    struct scene_log *log = actor->log;
    log->polls++;
    CHECK_EQ(log->drops + log->outputs, 0);
    if (actor->polls++ == 0 && log->scene.aborting == ABORT_WHILE_RUNNING) {
        support_counter_add(&log->running, 1);
        support_counter_wait(&log->may_end, 1);
    }
    enum sy_poll answer = actor_step(actor, cx);
    if (answer == SY_READY) {
        actor->output = 42;
        log->outputs++;
    }
    support_counter_add(&log->polled, 1);
    return answer;
}

static void actor_drop(void *future) {
    struct actor *actor = future;
    actor->log->drops++;
    support_counter_add(&actor->log->dropped, 1);
}

static const struct sy_future_type actor_type = {
    .name = "actor", .size = sizeof(struct actor), .poll = actor_poll, .drop = actor_drop};

static void scene_release(struct sy_task *task) {
    support_counter_add(&log_of_task(task)->released, 1);
}

static void *scene_joiner(void *argument) {
    struct scene_log *log = argument;
    CHECK_EQ(sy_join_wait(&log->join, &log->outcome), 0);
    return NULL;
}

/* What can be told in advance: cases that contradict themselves are left out. */
static bool scene_exists(struct scene scene) {
    bool never_ends =
        scene.work == PENDS_FOREVER && (scene.aborting == ABORT_NEVER || scene.aborting == ABORT_AFTER_COMPLETION);
    bool never_pends = scene.work == COMPLETES && scene.aborting == ABORT_AFTER_PENDING;
    /* One thread at a time uses a handle: who waits in it cannot abort by it. */
    bool two_users = scene.joining == JOIN_WAITS_FIRST && scene.aborting != ABORT_NEVER;
    bool no_handle = scene.joining == JOIN_DROPPED_EARLY && scene.aborting != ABORT_NEVER &&
                     scene.aborting != ABORT_BEFORE_FIRST_POLL && scene.aborting != ABORT_WHILE_RUNNING;
    bool ends_by_shutdown = never_ends && scene.joining == JOIN_DROPPED_EARLY;
    return (!never_ends || ends_by_shutdown) && !never_pends && !two_users && !no_handle;
}

static void scene_spawn(struct sy_runtime *runtime, struct scene_log *log) {
    struct actor actor = {.log = log};
    if (log->scene.embedded) {
        log->embedded.actor = actor;
        CHECK_EQ(sy_spawn_embedded(runtime, &actor_type, &log->embedded.header, scene_release, &log->join), 0);
    } else {
        CHECK_EQ(sy_spawn(runtime, &actor_type, &actor, &log->join), 0);
    }
}

/* Everything up to the task's end, except for what ends with the runtime only. */
static void scene_act(struct scene_log *log, struct probe_hogs *hogs) {
    bool drop_early = log->scene.joining == JOIN_DROPPED_EARLY;
    pthread_t joiner;
    if (log->scene.joining == JOIN_WAITS_FIRST) {
        CHECK_EQ(pthread_create(&joiner, NULL, scene_joiner, log), 0);
    }
    if (log->scene.aborting == ABORT_BEFORE_FIRST_POLL) {
        sy_join_abort(&log->join);
        probe_hogs_release(hogs);
    } else if (log->scene.aborting == ABORT_WHILE_RUNNING) {
        support_counter_wait(&log->running, 1);
        sy_join_abort(&log->join);
        support_counter_add(&log->may_end, 1);
    } else if (log->scene.aborting == ABORT_AFTER_PENDING) {
        support_counter_wait(&log->polled, 1);
        sy_join_abort(&log->join);
    }
    if (drop_early) {
        sy_join_drop(&log->join);
    }
    if (log->scene.work == PENDS_THEN_WOKEN) {
        support_gate_open(&log->gate);
    }
    if (log->scene.joining == JOIN_AFTER_END) {
        CHECK_EQ(sy_join_wait(&log->join, &log->outcome), 0);
    } else if (!drop_early) {
        pthread_join(joiner, NULL);
    }
    if (log->scene.aborting == ABORT_AFTER_COMPLETION) {
        sy_join_abort(&log->join);
        CHECK_EQ(sy_join_wait(&log->join, &log->outcome), 0);
    }
}

static void scene_check(struct scene_log *log) {
    struct scene scene = log->scene;
    bool aborted_early = scene.aborting == ABORT_BEFORE_FIRST_POLL || scene.aborting == ABORT_WHILE_RUNNING ||
                         scene.aborting == ABORT_AFTER_PENDING;
    CHECK_EQ(log->drops, 1);
    CHECK(log->outputs <= 1);
    if (scene.aborting == ABORT_BEFORE_FIRST_POLL) {
        CHECK_EQ(log->polls, 0);
    }
    if (scene.work == PENDS_FOREVER) {
        CHECK_EQ(log->outputs, 0);
    }
    if (!aborted_early && scene.work != PENDS_FOREVER && scene.joining != JOIN_DROPPED_EARLY) {
        CHECK_EQ(log->outputs, 1);
        CHECK_EQ(log->outcome.cancelled, 0);
    }
}

static void scene_play(size_t combo, struct scene scene) {
    struct sy_runtime *runtime = support_runtime(combo);
    static struct probe_hogs hogs;
    struct scene_log log = {.scene = scene,
                            .running = SUPPORT_COUNTER_INIT,
                            .may_end = SUPPORT_COUNTER_INIT,
                            .polled = SUPPORT_COUNTER_INIT,
                            .dropped = SUPPORT_COUNTER_INIT,
                            .released = SUPPORT_COUNTER_INIT,
                            .gate = SUPPORT_GATE_INIT};
    bool hogged = scene.aborting == ABORT_BEFORE_FIRST_POLL;
    if (hogged) {
        probe_hogs_start(&hogs, runtime);
    }
    scene_spawn(runtime, &log);
    scene_act(&log, &hogs);
    if (scene.joining != JOIN_DROPPED_EARLY) {
        if (!log.outcome.cancelled) {
            CHECK_EQ(((struct actor *)log.outcome.future)->output, 42);
        }
        sy_join_drop(&log.join);
    } else if (scene.work != PENDS_FOREVER || scene.aborting != ABORT_NEVER) {
        support_counter_wait(&log.dropped, 1);
    }
    sy_runtime_destroy(runtime);
    if (hogged) {
        probe_hogs_finish(&hogs);
    }
    support_gate_clear(&log.gate);
    scene_check(&log);
    CHECK_EQ(support_counter_get(&log.released), scene.embedded);
}

static void cross(size_t combo) {
    for (unsigned i = 0; i < WORKS * JOININGS * ABORTINGS * 2; i++) {
        struct scene scene = {.work = (enum work)(i % WORKS),
                              .joining = (enum joining)(i / WORKS % JOININGS),
                              .aborting = (enum aborting)(i / WORKS / JOININGS % ABORTINGS),
                              .embedded = i / WORKS / JOININGS / ABORTINGS};
        if (scene_exists(scene)) {
            snprintf(check.running, sizeof check.running, "%s/cross [%s; join %s; abort %s; %s]",
                     support_combo_name(combo), work_names[scene.work], joining_names[scene.joining],
                     aborting_names[scene.aborting], scene.embedded ? "embedded" : "allocated");
            scene_play(combo, scene);
        }
    }
    snprintf(check.running, sizeof check.running, "%s/cross", support_combo_name(combo));
}

static const struct check_test tests[] = {{"cross", cross}};

PROBE_SUITE("suite_executor_cross", tests, 100)
