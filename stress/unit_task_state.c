/* The task's word: every transition against a plain model, by random walks through a task's life. */
#define _GNU_SOURCE
#include "executor/task_state.h"

#include "check.h"
#include "support.h"

struct model {
    bool running, complete, notified, cancelled;
    uint64_t references;
};

static void agree(const struct sy_task *task, const struct model *model) {
    uint64_t s = task->state.raw;
    CHECK_EQ(!!(s & TASK_RUNNING), model->running);
    CHECK_EQ(!!(s & TASK_COMPLETE), model->complete);
    CHECK_EQ(!!(s & TASK_NOTIFIED), model->notified);
    CHECK_EQ(!!(s & TASK_CANCELLED), model->cancelled);
    CHECK_EQ(state_refs(s), model->references);
    CHECK_EQ(s & TASK_PUSHERS, 0);
}

static bool idle(const struct model *model) {
    return !model->running && !model->complete && !model->notified;
}

/* By a worker, with the reference given back in the same step. */
static void wake_consume(struct sy_task *task, struct model *model) {
    uint64_t before = state_wake_consume(task);
    CHECK_EQ(!(before & (TASK_RUNNING | TASK_COMPLETE | TASK_NOTIFIED)), idle(model));
    CHECK_EQ(state_refs(before), model->references);
    model->notified = true;
    model->references--;
}

/* What whoever holds a reference beside the runner's may do at any time. */
static void wake(struct sy_task *task, struct model *model, bool outside) {
    bool queue = idle(model);
    CHECK_EQ(outside ? state_wake_outside(task) : state_wake(task), queue);
    if (queue && outside) {
        CHECK_EQ(task->state.raw & TASK_PUSHERS, TASK_PUSHER);
        state_pushed(task);
    }
    model->notified = true;
}

static void cancel(struct sy_task *task, struct model *model, bool outside) {
    bool queue = idle(model);
    bool no_effect = model->complete || model->cancelled;
    CHECK_EQ(state_abort(task, outside ? TASK_PUSHER : 0), queue);
    if (queue && outside) {
        state_pushed(task);
    }
    if (!no_effect) {
        model->cancelled = model->notified = true;
    }
}

static void complete(struct sy_task *task, struct model *model, uint64_t flags) {
    uint64_t before = state_complete(task, flags);
    CHECK_EQ(state_refs(before), model->references);
    if (model->references == 1) {
        model->references = 0; /* the caller frees, and nothing was stored */
        return;
    }
    *model =
        (struct model){.complete = true, .cancelled = flags == TASK_CANCELLED, .references = model->references - 1};
}

/* What the runner does next. */
static void run(struct sy_task *task, struct model *model, uint64_t *random) {
    if (model->notified && !model->running) {
        CHECK_EQ(state_begin(task), model->cancelled);
        model->notified = false;
        model->running = true;
        return;
    }
    if (!model->running) {
        return;
    }
    if (check_random(random) % 4 == 0) {
        complete(task, model, 0);
        return;
    }
    bool yielded = check_random(random) % 2;
    bool again = model->notified || yielded;
    enum state_after_poll answer = state_end_pending(task, yielded);
    if (model->cancelled) {
        CHECK_EQ(answer, STATE_CANCEL);
        complete(task, model, TASK_CANCELLED);
        return;
    }
    CHECK_EQ(answer, again ? STATE_AGAIN : STATE_IDLE);
    model->running = false;
    model->notified = again;
}

static void step(struct sy_task *task, struct model *model, uint64_t *random) {
    uint64_t choice = check_random(random) % 8;
    bool held = model->references > !model->complete; /* a reference beside the runner's */
    if ((choice < 2 || choice == 5) && held) {
        choice == 5 ? wake_consume(task, model) : wake(task, model, choice);
        if (model->complete) {
            model->notified = task->state.raw & TASK_NOTIFIED; /* means nothing any more */
        }
    } else if (choice == 2 && held && check_random(random) % 4 == 0) {
        cancel(task, model, check_random(random) % 2);
    } else if (choice == 3 && model->references < 4) {
        state_ref(task);
        model->references++;
    } else if (choice == 4 && held) {
        CHECK_EQ(state_unref(task), model->references == 1);
        model->references--;
    } else {
        run(task, model, random);
    }
}

static void random_lives(size_t variant) {
    (void)variant;
    uint64_t random = check_seed();
    for (unsigned i = 0; i < support_rounds(50000); i++) {
        struct sy_task task;
        struct model model = {.notified = true, .references = 1};
        state_init(&task, false);
        for (unsigned k = 0; k < 60 && model.references > 0; k++) {
            agree(&task, &model);
            step(&task, &model, &random);
        }
    }
}

static void join_waker_changes_hands(size_t variant) {
    (void)variant;
    struct sy_task task;
    state_init(&task, true);
    CHECK_EQ(state_refs(task.state.raw), 2);
    CHECK(state_set_join_waker(&task));
    CHECK(state_unset_join_waker(&task));
    CHECK(state_set_join_waker(&task));
    state_begin(&task);
    uint64_t before = state_complete(&task, 0);
    CHECK(before & TASK_JOIN_WAKER); /* the runner's to wake, and its reference is not given back yet */
    CHECK_EQ(state_refs(task.state.raw), 2);
    CHECK(!state_set_join_waker(&task)); /* too late for the handle */
    CHECK(!state_unset_join_waker(&task));
    CHECK(!state_drop_join(&task));
    CHECK(!state_unref(&task));
    CHECK(state_unref(&task));
}

static void handle_dropped_first(size_t variant) {
    (void)variant;
    struct sy_task task;
    state_init(&task, true);
    CHECK(state_set_join_waker(&task));
    CHECK(state_drop_join(&task)); /* the waker is the handle's again */
    CHECK_EQ(task.state.raw & (TASK_JOIN_WAKER | TASK_JOIN_INTEREST), 0);
    CHECK(!state_unref(&task));
    state_begin(&task);
    CHECK_EQ(state_refs(state_complete(&task, 0)), 1);
}

static void seized_at_the_end(size_t variant) {
    (void)variant;
    struct sy_task task;
    state_init(&task, false);
    CHECK(!state_seize(&task)); /* it is in a queue */
    state_begin(&task);
    CHECK(!state_seize(&task));
    CHECK_EQ(state_end_pending(&task, false), STATE_IDLE);
    CHECK(state_ref_unless_zero(&task));
    CHECK(state_seize(&task));
    CHECK(!state_wake(&task)); /* whoever seized it drops it */
    state_complete(&task, TASK_CANCELLED);
    CHECK(!state_seize(&task));
    CHECK(state_unref(&task));
    CHECK(!state_ref_unless_zero(&task));
}

static const struct check_test tests[] = {
    {"random_lives", random_lives},
    {"join_waker_changes_hands", join_waker_changes_hands},
    {"handle_dropped_first", handle_dropped_first},
    {"seized_at_the_end", seized_at_the_end},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_task_state", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
