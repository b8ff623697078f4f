/* Spawning, waking, completing and freeing tasks; see task_state.h for the transitions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/runtime.h"
#include "executor/task_state.h"

_Static_assert(sizeof(struct sy_task) == 64, "a task's header is one cache line");
_Static_assert(offsetof(struct sy_task, node) == 0, "a node is a task");

static void release_allocated(struct sy_task *task) {
    free(task);
}

static void header_init(struct sy_task *task, struct sy_runtime *runtime, const struct sy_future_type *type,
                        void (*release)(struct sy_task *task), bool joined) {
    sy_node_link(&task->node, NULL);
    state_init(task, joined);
    task->type = type;
    task->runtime = runtime;
    task->joiner = (struct sy_waker){NULL, NULL};
    task->release = release;
    task->slot = 0;
}

struct sy_task *task_create(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future,
                            size_t extra, bool joined) {
    struct sy_task *task = malloc(sizeof *task + type->size + extra);
    if (task) {
        header_init(task, runtime, type, release_allocated, joined);
        if (type->size > 0) { /* a future without fields may be NULL */
            memcpy(sy_task_future(task), future, type->size);
        }
    }
    return task;
}

/* The calling thread's gate: any spread will do, so threads are dealt out in the order in which they first come. */
static struct gate *gate_of(struct sy_runtime *runtime) {
    static struct au32 dealt;
    static SY_THREAD_LOCAL uint32_t own __attribute__((tls_model("initial-exec")));
    if (own == 0) {
        own = au32_fetch_add_relaxed(&dealt, 1) % GATES + 1;
    }
    return &runtime->gates[own - 1];
}

/*
 * G1 enter: fetch_add seq_cst, then G2, a seq_cst load of `closed`. Shutdown stores `closed` seq_cst and then loads the
 * gates' counts seq_cst: in their one order, either G2 sees `closed` or shutdown sees G1 and waits for G3.
 * G3 leave: fetch_add release, with shutdown's acquire: the push is before the drain, and this thread is out of here.
 */
static int submit_from_outside(struct sy_runtime *runtime, struct sy_task *task) {
    struct gate *gate = gate_of(runtime);
    au64_fetch_add_seq_cst(&gate->entered, 1);                    /* G1 */
    bool closed = au32_load_seq_cst(&runtime->closed);            /* G2 */
    if (!closed) {
        runtime->combo->schedule_global(runtime, task);
    }
    au64_fetch_add_release(&gate->left, 1); /* G3 */
    return closed ? -ESHUTDOWN : 0;
}

int task_submit(struct sy_runtime *runtime, struct sy_task *task) {
    struct worker *worker = runtime_worker(runtime);
    if (!worker) {
        return submit_from_outside(runtime, task);
    }
    if (runtime_closed(runtime)) {
        return -ESHUTDOWN;
    }
    runtime->combo->schedule_local(worker, task);
    return 0;
}

int sy_spawn(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future, struct sy_join *join) {
    struct sy_task *task = task_create(runtime, type, future, 0, join != NULL);
    if (!task) {
        return -ENOMEM;
    }
    if (join) {
        join->task = task; /* before it can complete */
    }
    int error = task_submit(runtime, task);
    if (error) {
        free(task);
        if (join) {
            join->task = NULL;
        }
    }
    return error;
}

int sy_spawn_embedded(struct sy_runtime *runtime, const struct sy_future_type *type, struct sy_task *task,
                      void (*release)(struct sy_task *task), struct sy_join *join) {
    header_init(task, runtime, type, release, join != NULL);
    if (join) {
        join->task = task;
    }
    int error = task_submit(runtime, task);
    if (error && join) {
        join->task = NULL;
    }
    return error;
}

static void task_free(struct sy_task *task) {
    struct sy_runtime *runtime = task->runtime;
    if (task->slot) { /* none after shutdown, when the runtime may be gone */
        struct worker *worker = runtime_worker(runtime);
        if (worker) {
            owned_remove(&runtime->owned, &worker->free_slots, task);
        } else {
            owned_remove_outside(&runtime->owned, task);
        }
    }
    task->release(task);
}

void task_unref(struct sy_task *task) {
    if (state_unref(task)) {
        task_free(task);
    }
}

void task_complete(struct sy_task *task, uint64_t flags) {
    uint64_t before = state_complete(task, flags);
    if (before & TASK_JOIN_WAKER) {
        struct sy_waker joiner = task->joiner;
        if (joiner.vtable == &join_set_waker_vtable) {
            join_set_finished(task);
            return;
        }
        sy_waker_wake(joiner);
        task_unref(task);
    } else if (state_refs(before) == 1) {
        task_free(task);
    }
}

void task_cancel(struct sy_task *task) {
    task_drop_future(task);
    task_complete(task, TASK_CANCELLED);
}

static void waker_clone(void *data) {
    state_ref(data);
}

static void push_from_outside(struct sy_task *task) {
    struct sy_runtime *runtime = task->runtime;
    runtime->combo->schedule_global(runtime, task);
    state_pushed(task);
}

static void waker_wake_by_ref(void *data) {
    struct sy_task *task = data;
    /* Only compared: the runtime of a complete task may be gone. */
    struct worker *worker = runtime_worker(task->runtime);
    if (!worker) {
        if (state_wake_outside(task)) {
            push_from_outside(task);
        }
    } else if (state_wake(task)) {
        task->runtime->combo->schedule_local(worker, task);
    }
}

static void waker_wake(void *data) {
    struct sy_task *task = data;
    struct worker *worker = runtime_worker(task->runtime);
    if (!worker) {
        waker_wake_by_ref(task);
        task_unref(task);
        return;
    }
    uint64_t before = state_wake_consume(task);
    if (!(before & (TASK_RUNNING | TASK_COMPLETE | TASK_NOTIFIED))) {
        task->runtime->combo->schedule_local(worker, task);
    } else if (state_refs(before) == 1) {
        task_free(task);
    }
}

void task_abort(struct sy_task *task) {
    struct worker *worker = runtime_worker(task->runtime);
    if (!worker) {
        if (state_abort(task, TASK_PUSHER)) {
            push_from_outside(task);
        }
    } else if (state_abort(task, 0)) {
        task->runtime->combo->schedule_local(worker, task);
    }
}

static void waker_drop(void *data) {
    task_unref(data);
}

const struct sy_waker_vtable task_waker_vtable = {waker_clone, waker_wake, waker_wake_by_ref, waker_drop};
