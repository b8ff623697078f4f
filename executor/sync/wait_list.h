/*
 * Internal to executor/sync: those who wait for one thing, oldest first, under that thing's lock; and the wakers of
 * those who need not wait any more, which are woken after the lock is given back: a waker may run anything, this module
 * too.
 *
 * A waiter is IDLE (its owner's alone), WAITING (in a list; link and waker are guarded by the lock) or ended. It ends
 * once, under the lock, with an outcome of the list's owner:
 *   L1 end: store release, the last access to the waiter. Whoever sees it may reuse the memory, hence the waker is
 *      taken before, and what the outcome stands for is visible
 *   L2 look: load acquire, by the owner of the waiter, with no lock
 * Every other access to `state` is the owner's own or under the lock, and relaxed.
 *
 * The lock is a mutex. It is taken only where somebody waits or is about to (a channel's also once per block), and held
 * for some tens of instructions, without a call of anything foreign except the clone of a waker, nor an allocation
 * except of a block for a value that waits (mpsc.c). Rejected: a lock-free list (a waiter
 * in the middle must be able to leave at any time, and FIFO must hold); a spin lock (a preempted holder wastes whole
 * time slices).
 */
#ifndef STEALYARD_EXECUTOR_SYNC_WAIT_LIST_H
#define STEALYARD_EXECUTOR_SYNC_WAIT_LIST_H

#include <pthread.h>

#include "executor/sync/waiter.h"

enum { WAITER_IDLE, WAITER_WAITING, WAITER_ENDED }; /* and upwards: outcomes */

#define WAKE_BATCH 32

struct wake_batch {
    unsigned n;
    struct sy_waker wakers[WAKE_BATCH];
};

SY_INLINE void wake_batch_run(struct wake_batch *batch) {
    for (unsigned i = 0; i < batch->n; i++) {
        sy_waker_wake(batch->wakers[i]);
    }
    batch->n = 0;
}

SY_INLINE void wait_list_init(struct sy_waiter_link *list) {
    list->next = list->previous = list;
}

SY_INLINE bool wait_list_is_empty(const struct sy_waiter_link *list) {
    return list->next == list;
}

/* The oldest, or NULL. */
SY_INLINE struct sy_waiter *wait_list_first(struct sy_waiter_link *list) {
    return wait_list_is_empty(list) ? NULL : (struct sy_waiter *)list->next;
}

/* All that are in `from` go to `to`, which is not initialised. */
SY_INLINE void wait_list_move(struct sy_waiter_link *to, struct sy_waiter_link *from) {
    wait_list_init(to);
    if (!wait_list_is_empty(from)) {
        *to = *from;
        to->next->previous = to->previous->next = to;
        wait_list_init(from);
    }
}

SY_INLINE void waiter_init(struct sy_waiter *waiter) {
    waiter->waker = (struct sy_waker){NULL, NULL};
    au32_store_relaxed(&waiter->state, WAITER_IDLE);
}

/* L2 */
SY_INLINE uint32_t waiter_look(const struct sy_waiter *waiter) {
    return au32_load_acquire(&waiter->state);
}

/* By the owner of an ended waiter, or under the lock. */
SY_INLINE void waiter_rest(struct sy_waiter *waiter) {
    au32_store_relaxed(&waiter->state, WAITER_IDLE);
}

/* Under the lock: to the end of the list. */
SY_INLINE void waiter_wait(struct sy_waiter *waiter, struct sy_waiter_link *list, const struct sy_waker *waker) {
    waiter->waker = sy_waker_clone(waker);
    waiter->link = (struct sy_waiter_link){.next = list, .previous = list->previous};
    list->previous->next = &waiter->link;
    list->previous = &waiter->link;
    au32_store_relaxed(&waiter->state, WAITER_WAITING);
}

/* Under the lock: out of the list, whichever it is in. The waker is the caller's, to wake or drop without the lock. */
SY_INLINE struct sy_waker waiter_leave(struct sy_waiter *waiter) {
    waiter->link.previous->next = waiter->link.next;
    waiter->link.next->previous = waiter->link.previous;
    return waiter->waker;
}

/* Under the lock: ends the wait. The batch has room. */
SY_INLINE void waiter_end(struct sy_waiter *waiter, uint32_t outcome, struct wake_batch *batch) {
    batch->wakers[batch->n++] = waiter_leave(waiter);
    au32_store_release(&waiter->state, outcome); /* L1 */
}

/* Without the lock: one that was waiting is polled again. False: it has ended meanwhile. */
static inline bool waiter_renew(struct sy_waiter *waiter, pthread_mutex_t *lock, const struct sy_waker *waker) {
    struct sy_waker old = {NULL, NULL};
    pthread_mutex_lock(lock);
    bool waiting = au32_load_relaxed(&waiter->state) == WAITER_WAITING;
    if (waiting && !sy_waker_will_wake(&waiter->waker, waker)) {
        old = waiter->waker;
        waiter->waker = sy_waker_clone(waker);
    }
    pthread_mutex_unlock(lock);
    sy_waker_drop(old);
    return waiting;
}

#endif
