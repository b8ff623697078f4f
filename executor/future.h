/*
 * Futures: lazy state machines that are polled until they are ready.
 *
 * A future is a struct of the caller's that embeds all its state, and a `struct sy_future_type` that says how to poll
 * and how to drop it. It does nothing before its first poll, and must not move after it.
 *
 * `poll` answers SY_READY once, when the future's output stands in its own fields, or SY_PENDING after it has stored a
 * clone of `cx->waker` where the event that it waits for will find it (a pending future that stored no waker is never
 * polled again). It must not block: whoever runs it runs others too.
 *
 * `drop` (may be NULL) runs exactly once, after SY_READY or when the future is cancelled before that (abort, shutdown),
 * never while it is being polled. It gives back what the future still holds, and leaves the output fields alone if the
 * future was ready: the joiner reads them afterwards. It may find the future in any state between two polls, the one
 * before its first poll included.
 */
#ifndef STEALYARD_EXECUTOR_FUTURE_H
#define STEALYARD_EXECUTOR_FUTURE_H

#include "reactor/waker.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_runtime;
struct sy_task;

enum sy_poll { SY_PENDING, SY_READY };

/* What a poll is given. Valid during that poll only; `waker` is lent, clone it to keep it. */
struct sy_context {
    struct sy_waker waker;
    struct sy_runtime *runtime; /* the one that polls, or that was given to sy_block_on */
    struct sy_task *task;       /* that is polled; NULL in sy_block_on and where `waker` is not the task's own */
    unsigned budget;            /* operations that may still succeed at once in this poll; see sy_context_budget */
    bool yielded;               /* set by sy_yield_now */
};

struct sy_future_type {
    const char *name; /* for debuggers and dumps */
    size_t size;      /* of the caller's struct, in bytes; its alignment is at most that of max_align_t */
    enum sy_poll (*poll)(void *future, struct sy_context *cx);
    void (*drop)(void *future);
};

/*
 * Asks for another poll after the others that are ready had their turn; the caller returns SY_PENDING next:
 *
 *     case 0: f->state = 1; sy_yield_now(cx); return SY_PENDING;
 *     case 1: …
 */
static inline void sy_yield_now(struct sy_context *cx) {
    if (cx->task) {
        cx->yielded = true;
    } else {
        sy_waker_wake_by_ref(&cx->waker);
    }
}

/*
 * Cooperation: an operation that could succeed without end (receive from a flooded socket) takes one from the budget
 * first. True: go on. False: the budget of this poll is spent and another poll is arranged; return SY_PENDING.
 */
static inline bool sy_context_budget(struct sy_context *cx) {
    if (cx->budget == 0) {
        sy_yield_now(cx);
        return false;
    }
    cx->budget--;
    return true;
}

#ifdef __cplusplus
}
#endif

#endif
