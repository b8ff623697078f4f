/* A task that spawns many small ones and awaits each: tasks that end at once, or that yield. After async-executor's. */
#include "bench/workload_tools.h"

enum { LIGHT_TASKS = 25000, TASKS = 300, YIELDS = 300 };

/* ---- the small tasks ---- */

struct light {
    uint64_t output;
};

static enum sy_poll light_poll(void *future, struct sy_context *cx) {
    struct light *f = future;
    (void)cx;
    f->output = 1;
    return SY_READY;
}

struct yielder {
    uint64_t yields; /* the output */
};

static enum sy_poll yielder_poll(void *future, struct sy_context *cx) {
    struct yielder *f = future;
    if (f->yields == YIELDS) {
        return SY_READY;
    }
    f->yields++;
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type light_type = {"light", sizeof(struct light), light_poll, NULL};
static const struct sy_future_type yielder_type = {"yielder", sizeof(struct yielder), yielder_poll, NULL};

/* ---- the one that spawns them ---- */

static struct sy_join joins[LIGHT_TASKS];

struct spawner {
    uint64_t sum; /* the output */
    const struct sy_future_type *type;
    unsigned tasks;
    struct workload_children children;
};

static enum sy_poll spawner_poll(void *future, struct sy_context *cx) {
    struct spawner *f = future;
    while (f->children.spawned < f->tasks) {
        workload_child_spawn(&f->children, joins, cx, f->type, &(uint64_t){0}); /* all that they hold */
    }
    return workload_children_poll(&f->children, joins, cx, &f->sum);
}

static void spawner_drop(void *future) {
    struct spawner *f = future;
    workload_children_drop(&f->children, joins);
}

static const struct sy_future_type spawner_type = {"spawner", sizeof(struct spawner), spawner_poll, spawner_drop};

static bool light_tasks_iterate(struct workload_run *run) {
    struct spawner spawner = {.type = &light_type, .tasks = LIGHT_TASKS};
    return workload_expect(run, "outputs", workload_run_task(run->runtime, &spawner_type, &spawner), LIGHT_TASKS);
}

static bool yield_300_iterate(struct workload_run *run) {
    struct spawner spawner = {.type = &yielder_type, .tasks = TASKS};
    return workload_expect(run, "yields", workload_run_task(run->runtime, &spawner_type, &spawner), TASKS * YIELDS);
}

const struct workload workload_light_tasks = {
    .name = "light_tasks",
    .summary = "a task spawns 25,000 tasks that end at once, and awaits each",
    .check = "each task's output arrived",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = LIGHT_TASKS,
    .effort = WORKLOAD_WIDE,
    .iterate = light_tasks_iterate,
};

const struct workload workload_yield_300 = {
    .name = "yield_300",
    .summary = "a task spawns 300 tasks that yield 300 times each, and awaits each",
    .check = "each task came to its end after its 300 yields",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TASKS * YIELDS,
    .effort = WORKLOAD_WIDE,
    .iterate = yield_300_iterate,
};
