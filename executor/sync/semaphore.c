/*
 * A word, and a list of those who wait, under a lock.
 *
 * The word is CLOSED, WAITING (the list is not empty) and the number of free permits. Without WAITING permits are taken
 * and given by one read-modify-write each, and nobody takes the lock. With it nobody but the holder of the lock takes
 * any, so nobody overtakes: the permits in the word are on their way to the oldest waiter, brought there by whoever
 * released them.
 *
 * Source: the shape is that of tokio's batch semaphore (2020), whose release always takes the lock.
 *
 *   P1 acquire: cas acquire, permits out of the word; fails if WAITING or CLOSED
 *   P2 release: fetch_add release. Pairs with P1 and P3: all changes of the word are read-modify-writes, so each later
 *      one that takes permits acquires from all releases before it. It returns WAITING, or not
 *   P3 hand-out, under the lock: fetch_sub acquire; then the waiter's end (L1) passes on what was acquired
 *   P4 wait, under the lock: cas acquire, takes what is there and sets WAITING. In the one order of the word's changes
 *      each P2 is before (P4 sees its permits) or after (it sees WAITING and hands out): no permit is missed
 *   P5 the list is empty, under the lock: fetch_and relaxed - WAITING. Permits that came before stay in the word for
 *      P1; who brought them finds an empty list
 *   P6 close, under the lock: fetch_or relaxed: nothing is read through it
 */
#include "executor/sync/semaphore.h"

#include <errno.h>

#include "executor/net/future_type.h"
#include "executor/sync/wait_list.h"

#define SEMAPHORE_CLOSED ((uint64_t)1)
#define SEMAPHORE_WAITING ((uint64_t)2)
#define SEMAPHORE_PERMIT ((uint64_t)4)

enum { ACQUIRED = WAITER_ENDED, ACQUIRE_CLOSED };

void sy_semaphore_init(struct sy_semaphore *semaphore, uint64_t permits) {
    au64_store_relaxed(&semaphore->word, permits * SEMAPHORE_PERMIT);
    pthread_mutex_init(&semaphore->lock, NULL);
    wait_list_init(&semaphore->waiting);
}

void sy_semaphore_destroy(struct sy_semaphore *semaphore) {
    pthread_mutex_destroy(&semaphore->lock);
}

uint64_t sy_semaphore_available(const struct sy_semaphore *semaphore) {
    return au64_load_relaxed(&semaphore->word) / SEMAPHORE_PERMIT;
}

/* 0, -EAGAIN or -EPIPE; `*word` is what was found then. */
static int take(struct sy_semaphore *semaphore, uint64_t permits, uint64_t *word) {
    *word = au64_load_relaxed(&semaphore->word);
    for (;;) {
        if (*word & SEMAPHORE_CLOSED) {
            return -EPIPE;
        }
        bool overtakes = *word & SEMAPHORE_WAITING && permits > 0; /* none at all are always there */
        if (overtakes || *word / SEMAPHORE_PERMIT < permits) {
            return -EAGAIN;
        }
        if (au64_cas_acquire(&semaphore->word, word, *word - permits * SEMAPHORE_PERMIT)) { /* P1 */
            return 0;
        }
    }
}

int sy_semaphore_try_acquire(struct sy_semaphore *semaphore, uint64_t permits) {
    uint64_t word;
    return take(semaphore, permits, &word);
}

/* Under the lock. */
static void clear_if_empty(struct sy_semaphore *semaphore) {
    if (wait_list_is_empty(&semaphore->waiting)) {
        au64_fetch_and_relaxed(&semaphore->word, ~SEMAPHORE_WAITING); /* P5 */
    }
}

/*
 * Under the lock: what is in the word goes to the oldest, and so on; but once it is closed whoever closes it ends all
 * waits. False: the batch is full, there is more to do.
 */
static bool hand_out(struct sy_semaphore *semaphore, struct wake_batch *batch) {
    struct sy_acquire *f;
    while ((f = (struct sy_acquire *)wait_list_first(&semaphore->waiting))) {
        if (batch->n == WAKE_BATCH) {
            return false;
        }
        uint64_t word = au64_load_relaxed(&semaphore->word);
        if (word & SEMAPHORE_CLOSED) {
            return true;
        }
        uint64_t free = word / SEMAPHORE_PERMIT;
        uint64_t given = free < f->needed ? free : f->needed;
        au64_fetch_sub_acquire(&semaphore->word, given * SEMAPHORE_PERMIT); /* P3 */
        f->needed -= given;
        if (f->needed > 0) {
            return true;
        }
        waiter_end(&f->waiter, ACQUIRED, batch);
        clear_if_empty(semaphore);
    }
    return true;
}

void sy_semaphore_release(struct sy_semaphore *semaphore, uint64_t permits) {
    if (!(au64_fetch_add_release(&semaphore->word, permits * SEMAPHORE_PERMIT) & SEMAPHORE_WAITING)) { /* P2 */
        return;
    }
    struct wake_batch batch = {.n = 0};
    bool done;
    do {
        pthread_mutex_lock(&semaphore->lock);
        done = hand_out(semaphore, &batch);
        pthread_mutex_unlock(&semaphore->lock);
        wake_batch_run(&batch);
    } while (!done);
}

void sy_semaphore_close(struct sy_semaphore *semaphore) {
    struct wake_batch batch = {.n = 0};
    bool done;
    do {
        pthread_mutex_lock(&semaphore->lock);
        au64_fetch_or_relaxed(&semaphore->word, SEMAPHORE_CLOSED); /* P6 */
        struct sy_acquire *f;
        while (batch.n < WAKE_BATCH && (f = (struct sy_acquire *)wait_list_first(&semaphore->waiting))) {
            au64_fetch_add_release(&semaphore->word, (f->permits - f->needed) * SEMAPHORE_PERMIT); /* P2 */
            waiter_end(&f->waiter, ACQUIRE_CLOSED, &batch);
        }
        clear_if_empty(semaphore);
        done = wait_list_is_empty(&semaphore->waiting);
        pthread_mutex_unlock(&semaphore->lock);
        wake_batch_run(&batch);
    } while (!done);
}

void sy_acquire_init(struct sy_acquire *f, struct sy_semaphore *semaphore, uint64_t permits) {
    waiter_init(&f->waiter);
    f->semaphore = semaphore;
    f->permits = permits;
    f->needed = permits;
    f->result = -ECANCELED;
}

static enum sy_poll ready(struct sy_acquire *f, int result) {
    waiter_rest(&f->waiter);
    f->result = result;
    return SY_READY;
}

/* Under the lock. 0 or -EPIPE; -EAGAIN: it waits for `needed` more, and WAITING is set. */
static int take_or_wait(struct sy_acquire *f) {
    struct sy_semaphore *semaphore = f->semaphore;
    for (;;) {
        uint64_t word;
        int error = take(semaphore, f->permits, &word);
        if (error != -EAGAIN) {
            return error;
        }
        f->needed = f->permits;
        if (word & SEMAPHORE_WAITING) {
            return -EAGAIN;
        }
        if (au64_cas_acquire(&semaphore->word, &word, SEMAPHORE_WAITING)) { /* P4 */
            f->needed -= word / SEMAPHORE_PERMIT;
            return -EAGAIN;
        }
    }
}

static enum sy_poll begin(struct sy_acquire *f, struct sy_context *cx) {
    struct sy_semaphore *semaphore = f->semaphore;
    uint64_t word;
    int error = take(semaphore, f->permits, &word);
    if (error == -EAGAIN) {
        pthread_mutex_lock(&semaphore->lock);
        error = take_or_wait(f);
        if (error == -EAGAIN) {
            waiter_wait(&f->waiter, &semaphore->waiting, &cx->waker);
        }
        pthread_mutex_unlock(&semaphore->lock);
    }
    return error == -EAGAIN ? SY_PENDING : ready(f, error);
}

static enum sy_poll advance(struct sy_acquire *f, struct sy_context *cx) {
    uint32_t state = waiter_look(&f->waiter);
    if (state == WAITER_IDLE) {
        return begin(f, cx);
    }
    if (state == WAITER_WAITING) {
        if (waiter_renew(&f->waiter, &f->semaphore->lock, &cx->waker)) {
            return SY_PENDING;
        }
        state = waiter_look(&f->waiter);
    }
    return ready(f, state == ACQUIRED ? 0 : -EPIPE);
}

enum sy_poll sy_acquire_poll(struct sy_acquire *f, struct sy_context *cx) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    enum sy_poll answer = advance(f, cx);
    cx->budget += answer == SY_PENDING; /* only success costs */
    return answer;
}

/* Out of the list, if it is still there. Returns the permits that it was given. */
static uint64_t cancel(struct sy_acquire *f) {
    struct sy_semaphore *semaphore = f->semaphore;
    struct sy_waker waker = {NULL, NULL};
    pthread_mutex_lock(&semaphore->lock);
    uint32_t state = waiter_look(&f->waiter);
    uint64_t given = state == ACQUIRE_CLOSED ? 0 : f->permits - f->needed;
    if (state == WAITER_WAITING) {
        waker = waiter_leave(&f->waiter);
        clear_if_empty(semaphore);
    }
    pthread_mutex_unlock(&semaphore->lock);
    sy_waker_drop(waker);
    return given;
}

void sy_acquire_drop(struct sy_acquire *f) {
    if (waiter_look(&f->waiter) == WAITER_IDLE) {
        return;
    }
    uint64_t given = cancel(f);
    waiter_rest(&f->waiter);
    if (given > 0) {
        sy_semaphore_release(f->semaphore, given);
    }
}

NET_FUTURE_TYPE(acquire);
