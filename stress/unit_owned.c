/* The table of the tasks that a runtime owns: each is found at its slot, and at no other, whoever gives slots back. */
#define _GNU_SOURCE
#include "executor/owned.h"

#include "check.h"
#include "executor/task_state.h"
#include "support.h"

enum { WORKERS = 3, TASKS = 3000 };

static struct sy_task tasks[TASKS];

/* Looks at every slot: exactly the live tasks are there. */
static void check_found(struct owned *owned, unsigned live) {
    unsigned found = 0;
    for (uint32_t number = 1; number <= owned_slots(owned); number++) {
        struct sy_task *task;
        if (owned_at(owned, number, &task)) {
            CHECK(task != NULL);
            CHECK_EQ(task->slot, number);
            CHECK(task >= tasks && task < tasks + TASKS);
            CHECK(!state_unref(task)); /* gives back what owned_at took */
            found++;
        }
    }
    CHECK_EQ(found, live);
}

static void random_tasks(size_t variant) {
    (void)variant;
    struct owned owned;
    struct owned_list lists[WORKERS] = {{0}};
    uint64_t random = check_seed();
    unsigned live = 0;
    memset(tasks, 0, sizeof tasks);
    CHECK_EQ(owned_create(&owned), 0);
    for (unsigned i = 0; i < support_rounds(200000); i++) {
        struct sy_task *task = &tasks[check_random(&random) % TASKS];
        struct owned_list *own = &lists[check_random(&random) % WORKERS];
        if (task->slot == 0) {
            state_init(task, false);
            CHECK(owned_add(&owned, own, task));
            CHECK(task->slot > 0);
            live++;
        } else if (check_random(&random) % 3 == 0) {
            owned_remove_outside(&owned, task);
            CHECK_EQ(task->slot, 0);
            live--;
        } else {
            owned_remove(&owned, own, task);
            task->slot = 0;
            live--;
        }
    }
    check_found(&owned, live);
    CHECK(owned_handed_out(&owned) >= live);
    CHECK(owned_handed_out(&owned) <= live + 2 * OWNED_BATCH * WORKERS); /* the workers' own lists */
    CHECK(owned_slots(&owned) < TASKS + 3 * OWNED_BATCH * WORKERS);      /* slots are used again */
    owned_destroy(&owned);
}

/* A task whose last reference is gone is not handed out. */
static void dying_task_is_not_given(size_t variant) {
    (void)variant;
    struct owned owned;
    struct owned_list list = {0};
    struct sy_task *found = &tasks[1];
    memset(tasks, 0, sizeof tasks);
    CHECK_EQ(owned_create(&owned), 0);
    state_init(&tasks[0], false);
    CHECK(owned_add(&owned, &list, &tasks[0]));
    CHECK(state_unref(&tasks[0]));
    CHECK(owned_at(&owned, tasks[0].slot, &found));
    CHECK(found == NULL);
    owned_destroy(&owned);
}

static const struct check_test tests[] = {
    {"random_tasks", random_tasks},
    {"dying_task_is_not_given", dying_task_is_not_given},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_owned", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
