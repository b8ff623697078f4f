/* What a future that waits for a semaphore, a notification or room in a channel embeds: its place in the list there. */
#ifndef STEALYARD_EXECUTOR_SYNC_WAITER_H
#define STEALYARD_EXECUTOR_SYNC_WAITER_H

#include "queues/atomics.h"
#include "reactor/waker.h"

/* A ring through the waiters and, in whatever they wait for, the list's own link. */
struct sy_waiter_link {
    struct sy_waiter_link *next;
    struct sy_waiter_link *previous;
};

/* All fields are the library's. */
struct sy_waiter {
    struct sy_waiter_link link; /* first; this and `waker` are guarded by the lock of what is waited for */
    struct sy_waker waker;
    struct au32 state; /* wait_list.h */
};

#endif
