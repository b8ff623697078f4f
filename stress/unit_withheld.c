/*
 * A worker that puts tasks where they are withheld, and another that goes to sleep before any one of the first one's
 * atomic accesses: all in one thread (SY_ATOMICS_STEP). Who slept in time is woken for something that it can take, or
 * has asked. Before the first one's barrier the other sees none of its stores, as if they were in a store buffer.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP
#define SY_ATOMICS_COUNT
#include "executor/worker.h"
#include "queues/dq_bwos.h"
#include "queues/gq_mutex.h"

#include "check.h"

enum { TASKS = 3 };

static struct {
    bool on, sees, asleep;
    size_t until; /* the access before which the other worker parks */
    uint64_t fences;
    struct worker *sleeper;
} step;

static void sleeper_parks(void) {
    struct worker *worker = step.sleeper;
    struct sy_task *task = NULL;
    idle_park(&worker->runtime->idle, worker->index, false, false);
    step.asleep = !step.sees || !park_last_look(worker, &gq_mutex_ops, &dq_bwos_ops, &task);
    if (!step.asleep) {
        idle_unpark(&worker->runtime->idle, worker->index, true);
    }
}

static void atomics_step(void) {
    if (!step.on) {
        return;
    }
    if (step.until-- == 0) {
        step.on = false;
        sleeper_parks();
        return;
    }
    /* The fence that comes now, if it is one, is behind us at the next access. */
    step.sees = atomics_counted.of[ATOMICS_FENCE] > step.fences;
}

static struct sy_runtime *make(void) {
    struct sy_runtime *runtime = aligned_alloc(SY_CACHE_LINE, sizeof *runtime);
    size_t size = 2 * sizeof(struct worker);
    struct worker *workers = aligned_alloc(SY_CACHE_LINE, size);
    struct gq_config queue = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 2};
    struct reclaim *unused = (struct reclaim *)(void *)&step; /* nothing is freed */
    struct dq_config deque = {.capacity = 256, .reclaim = unused};
    CHECK(runtime && workers);
    memset(runtime, 0, sizeof *runtime);
    memset(workers, 0, size);
    runtime->workers = workers;
    runtime->config = (struct sy_config){.workers = 2, .steal_batch = 64};
    CHECK_EQ(idle_create(&runtime->idle, 2, 1), 0);
    CHECK_EQ(gq_mutex_ops.create(&runtime->global, &queue), 0);
    au32_store_relaxed(&runtime->driver.sentinel, 1); /* nobody is missed at the reactor */
    for (unsigned i = 0; i < 2; i++) {
        workers[i].runtime = runtime;
        workers[i].index = i;
        workers[i].random = 1;
        event_init(&workers[i].event);
        CHECK_EQ(dq_bwos_ops.create(&workers[i].deque, &deque), 0);
    }
    return runtime;
}

static void unmake(struct sy_runtime *runtime) {
    for (unsigned i = 0; i < 2; i++) {
        dq_bwos_ops.destroy(runtime->workers[i].deque);
        event_destroy(&runtime->workers[i].event);
    }
    gq_mutex_ops.destroy(runtime->global);
    idle_destroy(&runtime->idle);
    free(runtime->workers);
    free(runtime);
}

static void publish(struct worker *worker, struct sy_task *tasks) {
    for (unsigned i = 0; i < TASKS; i++) {
        local_put(worker, &tasks[i].node, &gq_mutex_ops, &dq_bwos_ops);
    }
    park_propagate(worker, &gq_mutex_ops, &dq_bwos_ops);
}

static void schedule(struct worker *worker, struct sy_task *tasks) {
    schedule_local(worker, &tasks[0], &gq_mutex_ops, &dq_bwos_ops);
}

/* False: that has not so many accesses. */
static bool parks_before(size_t access, void (*operation)(struct worker *worker, struct sy_task *tasks)) {
    struct sy_runtime *runtime = make();
    struct worker *worker = &runtime->workers[0];
    struct sy_task tasks[TASKS];
    memset(tasks, 0, sizeof tasks);
    step.until = access;
    step.sees = false;
    step.fences = atomics_counted.of[ATOMICS_FENCE];
    step.sleeper = &runtime->workers[1];
    step.on = true;
    operation(worker, tasks);
    bool parked = !step.on;
    step.on = false;
    if (parked && step.asleep) {
        if (au32_load_relaxed(&worker->asked)) {
            answer(worker, &gq_mutex_ops, &dq_bwos_ops); /* as before its next poll */
        }
        CHECK_EQ(runtime->idle.count, 0);
        CHECK(!gq_mutex_ops.is_empty(runtime->global));
    }
    unmake(runtime);
    return parked;
}

static void check_everywhere(void (*operation)(struct worker *worker, struct sy_task *tasks)) {
    size_t access = 0;
    while (parks_before(access, operation)) {
        access++;
    }
    CHECK(access > 4);
}

static void a_sleeper_gets_what_is_published(size_t variant) {
    (void)variant;
    check_everywhere(publish);
}

static void a_sleeper_gets_what_is_scheduled(size_t variant) {
    (void)variant;
    check_everywhere(schedule);
}

static const struct check_test tests[] = {
    {"a_sleeper_gets_what_is_published", a_sleeper_gets_what_is_published},
    {"a_sleeper_gets_what_is_scheduled", a_sleeper_gets_what_is_scheduled},
};

int main(int argc, char **argv) {
    const struct check_suite suite = {
        .title = "unit_withheld", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
