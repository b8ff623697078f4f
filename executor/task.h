/*
 * Tasks: futures that the runtime drives, and the handles on them.
 *
 * A spawned future lives right behind a 64-byte header. sy_spawn copies the caller's struct there (one allocation);
 * sy_spawn_embedded uses memory of the caller's and allocates nothing.
 */
#ifndef STEALYARD_EXECUTOR_TASK_H
#define STEALYARD_EXECUTOR_TASK_H

#include "executor/future.h"
#include "queues/node.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The header. All fields are the runtime's. The future follows directly: embed them as
 *
 *     struct my_task { struct sy_task header; struct my_future future; };
 */
struct sy_task {
    SY_ALIGNAS(16) struct sy_node node;  /* the link of whichever queue holds the task; first, so node == task */
    struct au64 state;                   /* task_state.h: the whole life of the task in one word */
    const struct sy_future_type *type;   /* immutable */
    struct sy_runtime *runtime;          /* immutable; not touched once the task is complete */
    struct sy_waker joiner;              /* guarded by the state's JOIN_WAKER bit */
    void (*release)(struct sy_task *task); /* gives the memory back after the last reference; immutable */
    uint32_t slot;                         /* owned.h: where shutdown finds the task; 0 = nowhere */
};

/* The future of a task, and back. */
static inline void *sy_task_future(struct sy_task *task) {
    return task + 1;
}

/* A handle on a spawned task; owned, to be given back once with sy_join_drop. One thread at a time uses it. */
struct sy_join {
    struct sy_task *task;
};

/* What a task came to. */
struct sy_outcome {
    bool cancelled; /* aborted, or the runtime shut down, before it was ready: then the output is not there */
    void *future;   /* the task's future, whose fields hold the output; valid until the handle is dropped */
};

/*
 * Spawns a copy of `future` (type->size bytes), which must not have been polled. From a worker of `runtime` it goes to
 * that worker's local queue, from elsewhere to the global queue. `join` may be NULL: then the task is detached.
 * 0; -ENOMEM; -ESHUTDOWN: the runtime is shutting down. On failure the future is still the caller's and nothing was
 * dropped. Any thread, as long as the runtime is not destroyed during the call.
 */
int sy_spawn(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future, struct sy_join *join);

/*
 * The same for a task embedded by its caller, whose future already stands behind the header. `release` is called, on
 * any thread, when the last reference is gone: then, and not before, the memory is the caller's again. 0 or -ESHUTDOWN.
 */
int sy_spawn_embedded(struct sy_runtime *runtime, const struct sy_future_type *type, struct sy_task *task,
                      void (*release)(struct sy_task *task), struct sy_join *join);

/*
 * Runs `future` once on a thread of the blocking pool, where its poll may block; it must answer SY_READY, and its
 * context has no waker. A job that no thread has begun when it is aborted or the runtime shuts down is dropped; one
 * that is running is waited for. 0; -ENOMEM; -EAGAIN: no thread could be started and none exists; -ESHUTDOWN.
 */
int sy_spawn_blocking(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future,
                      struct sy_join *join);

/* SY_READY: the task has ended and `outcome` says how; may be asked again. SY_PENDING: the waker is stored. */
enum sy_poll sy_join_poll(struct sy_join *join, struct sy_context *cx, struct sy_outcome *outcome);

/* Blocks the calling thread, which must not be a worker, until the task has ended. 0, or -EDEADLK on a worker. */
int sy_join_wait(struct sy_join *join, struct sy_outcome *outcome);

/* Asks for the task's end: its future is dropped by whoever runs it next, never here. No effect on a complete task. */
void sy_join_abort(struct sy_join *join);

/* Whether the task has ended. */
bool sy_join_is_finished(const struct sy_join *join);

/* Gives the handle back, with the output. The task, if it still runs, goes on detached. An empty one is left alone. */
void sy_join_drop(struct sy_join *join);

/*
 * Polls `future` on the calling thread until it is ready, sleeping in between, and drops it; its fields then hold the
 * output. `runtime` is what cx->runtime will be. 0; -EDEADLK on a worker of any runtime; -ENOMEM.
 */
int sy_block_on(struct sy_runtime *runtime, const struct sy_future_type *type, void *future);

/*
 * A join set: tasks whose outcomes are taken in the order in which they end. Used by one thread or task at a time.
 */
struct sy_join_set;

/* 0 or -ENOMEM. */
int sy_join_set_create(struct sy_join_set **out, struct sy_runtime *runtime);

/* As sy_spawn; `tag` comes back with the outcome. */
int sy_join_set_spawn(struct sy_join_set *set, const struct sy_future_type *type, const void *future, void *tag);

struct sy_joined {
    struct sy_outcome outcome;
    void *tag;
    struct sy_join join; /* owns the output: sy_join_drop it when done */
};

/* SY_READY: `*joined` is the next that ended, or has join.task == NULL because the set is empty. */
enum sy_poll sy_join_set_poll_next(struct sy_join_set *set, struct sy_context *cx, struct sy_joined *joined);

size_t sy_join_set_length(const struct sy_join_set *set); /* tasks not yet taken */
void sy_join_set_abort_all(struct sy_join_set *set);
void sy_join_set_destroy(struct sy_join_set *set); /* aborts what is left and does not wait for it */

#ifdef __cplusplus
}
#endif

#endif
