/* The waker of a plain thread: an event of its own, counted because wakers may outlive the call and the thread. */
#ifndef STEALYARD_EXECUTOR_BLOCK_ON_H
#define STEALYARD_EXECUTOR_BLOCK_ON_H

#include "executor/event.h"
#include "executor/future.h"

/* The cooperative budget of a poll outside a worker. */
#define BLOCK_ON_BUDGET 128

struct thread_waker {
    struct event event;
    struct au32 references;
};

/* The calling thread's, made at the first call and given back when the thread ends; NULL: no memory. */
struct thread_waker *thread_waker_current(void);

extern const struct sy_waker_vtable thread_waker_vtable;

#endif
