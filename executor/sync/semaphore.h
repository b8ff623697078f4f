/*
 * A fair counting semaphore for futures.
 *
 * Permits go to the waiting in the order in which they came; nobody overtakes, not even who wants fewer. A semaphore is
 * memory of the caller's and allocates nothing, nor does waiting for it. Any thread may call anything at any time; the
 * memory must last until every call has returned and every acquire is ready or dropped.
 *
 *     sy_acquire_init(&f->acquire, f->semaphore, 1);
 *     …
 *     if (sy_acquire_poll(&f->acquire, cx) == SY_PENDING) {
 *         return SY_PENDING;
 *     }
 *     … f->acquire.result …
 *     sy_semaphore_release(f->semaphore, 1);
 */
#ifndef STEALYARD_EXECUTOR_SYNC_SEMAPHORE_H
#define STEALYARD_EXECUTOR_SYNC_SEMAPHORE_H

#include <pthread.h>

#include "executor/future.h"
#include "executor/sync/waiter.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SY_SEMAPHORE_MAX (UINT64_MAX >> 3) /* permits in all, at most */

struct sy_semaphore {
    struct au64 word; /* permits and flags, see semaphore.c */
    pthread_mutex_t lock;
    struct sy_waiter_link waiting; /* oldest first */
};

/* `permits` may be 0. The number is not fixed: release may add to it. */
void sy_semaphore_init(struct sy_semaphore *semaphore, uint64_t permits);
void sy_semaphore_destroy(struct sy_semaphore *semaphore);

/* 0; -EAGAIN: there are not as many, or others wait; -EPIPE: closed. */
int sy_semaphore_try_acquire(struct sy_semaphore *semaphore, uint64_t permits);
/* Gives permits back, or adds them. What was done before it is seen by whoever acquires them. */
void sy_semaphore_release(struct sy_semaphore *semaphore, uint64_t permits);
/* Permits that are free now. */
uint64_t sy_semaphore_available(const struct sy_semaphore *semaphore);
/* Those who wait, and everybody who comes, get -EPIPE. Permits that are held may still be released. */
void sy_semaphore_close(struct sy_semaphore *semaphore);

/*
 * Acquires `permits` at once, 0 or more. The caller's memory, at a fixed address from its first poll until it is ready
 * or dropped. When it is ready with result 0 the permits are the caller's to release; once ready it may be initialised
 * anew.
 */
struct sy_acquire {
    struct sy_waiter waiter; /* first */
    struct sy_semaphore *semaphore;
    uint64_t permits;
    uint64_t needed; /* of these not yet given; guarded by the semaphore's lock while waiting */
    int result;      /* 0; -EPIPE: closed; -ECANCELED before it is ready and if dropped before */
};

void sy_acquire_init(struct sy_acquire *f, struct sy_semaphore *semaphore, uint64_t permits);
/* A success takes one from the poll's budget. */
enum sy_poll sy_acquire_poll(struct sy_acquire *f, struct sy_context *cx);
/* Cancels, and gives back what it was given. Harmless before the first poll, when ready, and the second time. */
void sy_acquire_drop(struct sy_acquire *f);
extern const struct sy_future_type sy_acquire_type;

#ifdef __cplusplus
}
#endif

#endif
