/* Join handles, and polling a future on a plain thread. */
#include <errno.h>

#include "executor/block_on.h"
#include "executor/runtime.h"
#include "executor/task_state.h"

static bool finished(struct sy_task *task, struct sy_outcome *outcome) {
    uint64_t s = au64_load_acquire(&task->state); /* with state_complete: the output is there */
    if (!(s & TASK_COMPLETE)) {
        return false;
    }
    outcome->cancelled = s & TASK_CANCELLED;
    outcome->future = sy_task_future(task);
    return true;
}

bool sy_join_is_finished(const struct sy_join *join) {
    return au64_load_acquire(&join->task->state) & TASK_COMPLETE;
}

enum sy_poll sy_join_poll(struct sy_join *join, struct sy_context *cx, struct sy_outcome *outcome) {
    struct sy_task *task = join->task;
    if (finished(task, outcome)) {
        return SY_READY;
    }
    if (au64_load_relaxed(&task->state) & TASK_JOIN_WAKER) { /* set by this handle alone: no order needed */
        if (sy_waker_will_wake(&task->joiner, &cx->waker)) {
            return SY_PENDING;
        }
        if (!state_unset_join_waker(task)) {
            finished(task, outcome);
            return SY_READY;
        }
        sy_waker_drop(task->joiner);
    }
    task->joiner = sy_waker_clone(&cx->waker);
    if (state_set_join_waker(task)) {
        return SY_PENDING;
    }
    sy_waker_drop(task->joiner);
    finished(task, outcome);
    return SY_READY;
}

void sy_join_abort(struct sy_join *join) {
    task_abort(join->task);
}

void sy_join_drop(struct sy_join *join) {
    struct sy_task *task = join->task;
    if (!task) {
        return;
    }
    join->task = NULL;
    if (state_drop_join(task)) {
        sy_waker_drop(task->joiner);
    }
    task_unref(task);
}

struct join_wait {
    struct sy_join *join;
    struct sy_outcome *outcome;
};

static enum sy_poll join_wait_poll(void *future, struct sy_context *cx) {
    struct join_wait *wait = future;
    return sy_join_poll(wait->join, cx, wait->outcome);
}

int sy_join_wait(struct sy_join *join, struct sy_outcome *outcome) {
    static const struct sy_future_type type = {"join_wait", sizeof(struct join_wait), join_wait_poll, NULL};
    if (finished(join->task, outcome)) {
        return 0;
    }
    struct join_wait wait = {join, outcome};
    /* The runtime of a task that was complete may be gone; of one that was not it cannot end without completing it. */
    return sy_block_on(join->task->runtime, &type, &wait);
}
