/*
 * A word, and a list of those who wait, under a lock.
 *
 * The word is WAITING (the list is not empty) or PERMIT (a notify_one found nobody) or neither, and above them the
 * round: how often notify_waiters was called. With nobody waiting a notification is one read-modify-write and takes no
 * lock. WAITING is set and cleared under the lock, and with it the word does not change without the lock.
 *
 * Source: the shape is that of tokio's Notify (2020).
 *
 *   N1 notify_one, nobody waits: cas release + PERMIT, even if it is there: whoever takes it sees what came before this
 *      one
 *   N2 notify_waiters, nobody waits: cas release, the next round
 *   N3 init: load acquire. Pairs with N2 and N6: who starts in a later round sees what was done before the earlier ones
 *      ended; who starts before finds the round changed at N4 or N5
 *   N4 first poll: load acquire (the round, with N2 and N6) and cas acquire - PERMIT (with N1)
 *   N5 wait, under the lock: the same once more, and cas acquire + WAITING. In the one order of the word's changes a
 *      notification is before it and seen here, or after it and sees WAITING: none is missed
 *   N6 notify_waiters under the lock: fetch_add release, the next round, - WAITING
 *   N7 the list is empty, under the lock: fetch_and relaxed - WAITING
 * Whoever is woken from the list sees what came before through its end (L1, L2). All changes of the word are
 * read-modify-writes, so an acquire sees every release before, not only the last.
 */
#include "executor/sync/notify.h"

#include "executor/net/future_type.h"
#include "executor/sync/wait_list.h"

#define NOTIFY_WAITING ((uint64_t)1)
#define NOTIFY_PERMIT ((uint64_t)2)
#define NOTIFY_ROUND ((uint64_t)4)

enum { NOTIFIED_ONE = WAITER_ENDED, NOTIFIED_ALL };

void sy_notify_init(struct sy_notify *notify) {
    au64_store_relaxed(&notify->word, 0);
    pthread_mutex_init(&notify->lock, NULL);
    wait_list_init(&notify->waiting);
}

void sy_notify_destroy(struct sy_notify *notify) {
    pthread_mutex_destroy(&notify->lock);
}

/* Under the lock. */
static void clear_if_empty(struct sy_notify *notify) {
    if (wait_list_is_empty(&notify->waiting)) {
        au64_fetch_and_relaxed(&notify->word, ~NOTIFY_WAITING); /* N7 */
    }
}

/* False: somebody waits. */
static bool leave_permit(struct sy_notify *notify) {
    uint64_t word = au64_load_relaxed(&notify->word);
    while (!(word & NOTIFY_WAITING)) {
        if (au64_cas_release(&notify->word, &word, word | NOTIFY_PERMIT)) { /* N1 */
            return true;
        }
    }
    return false;
}

void sy_notify_one(struct sy_notify *notify) {
    struct wake_batch batch = {.n = 0};
    while (batch.n == 0 && !leave_permit(notify)) {
        pthread_mutex_lock(&notify->lock);
        struct sy_waiter *oldest = wait_list_first(&notify->waiting);
        if (oldest) {
            waiter_end(oldest, NOTIFIED_ONE, &batch);
            clear_if_empty(notify);
        }
        pthread_mutex_unlock(&notify->lock);
    }
    wake_batch_run(&batch);
}

/* False: somebody waits. */
static bool begin_round_alone(struct sy_notify *notify) {
    uint64_t word = au64_load_relaxed(&notify->word);
    while (!(word & NOTIFY_WAITING)) {
        if (au64_cas_release(&notify->word, &word, word + NOTIFY_ROUND)) { /* N2 */
            return true;
        }
    }
    return false;
}

/* Under the lock: begins a round, and takes those who wait, if they have not left since. */
static void begin_round(struct sy_notify *notify, struct sy_waiter_link *taken) {
    wait_list_move(taken, &notify->waiting);
    uint64_t flag = wait_list_is_empty(taken) ? 0 : NOTIFY_WAITING;
    au64_fetch_add_release(&notify->word, NOTIFY_ROUND - flag); /* N6 */
}

/* Under the lock. False: there are more. */
static bool end_some(struct sy_waiter_link *taken, struct wake_batch *batch) {
    struct sy_waiter *waiter;
    while ((waiter = wait_list_first(taken))) {
        if (batch->n == WAKE_BATCH) {
            return false;
        }
        waiter_end(waiter, NOTIFIED_ALL, batch);
    }
    return true;
}

void sy_notify_waiters(struct sy_notify *notify) {
    if (begin_round_alone(notify)) {
        return;
    }
    struct sy_waiter_link taken; /* guarded by the lock too: who is in it may leave */
    struct wake_batch batch = {.n = 0};
    pthread_mutex_lock(&notify->lock);
    begin_round(notify, &taken);
    while (!end_some(&taken, &batch)) {
        pthread_mutex_unlock(&notify->lock);
        wake_batch_run(&batch);
        pthread_mutex_lock(&notify->lock);
    }
    pthread_mutex_unlock(&notify->lock);
    wake_batch_run(&batch);
}

void sy_notified_init(struct sy_notified *f, struct sy_notify *notify) {
    waiter_init(&f->waiter);
    f->notify = notify;
    f->round = au64_load_acquire(&notify->word) / NOTIFY_ROUND; /* N3 */
}

/* Whether there is a notification for one that is not in the list; `*word` is what was found. */
static bool take(struct sy_notified *f, uint64_t *word) {
    *word = au64_load_acquire(&f->notify->word); /* N4 */
    for (;;) {
        if (*word / NOTIFY_ROUND != f->round) {
            return true;
        }
        if (!(*word & NOTIFY_PERMIT)) {
            return false;
        }
        if (au64_cas_acquire(&f->notify->word, word, *word & ~NOTIFY_PERMIT)) { /* N4 */
            return true;
        }
    }
}

/* Under the lock. False: it waits, and WAITING is set. */
static bool take_or_wait(struct sy_notified *f) {
    uint64_t word;
    while (!take(f, &word)) {
        if (word & NOTIFY_WAITING || au64_cas_acquire(&f->notify->word, &word, word | NOTIFY_WAITING)) { /* N5 */
            return false;
        }
    }
    return true;
}

static enum sy_poll ready(struct sy_notified *f) {
    waiter_rest(&f->waiter);
    return SY_READY;
}

static enum sy_poll begin(struct sy_notified *f, struct sy_context *cx) {
    struct sy_notify *notify = f->notify;
    uint64_t word;
    if (take(f, &word)) {
        return ready(f);
    }
    pthread_mutex_lock(&notify->lock);
    bool taken = take_or_wait(f);
    if (!taken) {
        waiter_wait(&f->waiter, &notify->waiting, &cx->waker);
    }
    pthread_mutex_unlock(&notify->lock);
    return taken ? ready(f) : SY_PENDING;
}

static enum sy_poll advance(struct sy_notified *f, struct sy_context *cx) {
    uint32_t state = waiter_look(&f->waiter);
    if (state == WAITER_IDLE) {
        return begin(f, cx);
    }
    if (state == WAITER_WAITING && waiter_renew(&f->waiter, &f->notify->lock, &cx->waker)) {
        return SY_PENDING;
    }
    return ready(f);
}

enum sy_poll sy_notified_poll(struct sy_notified *f, struct sy_context *cx) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    enum sy_poll answer = advance(f, cx);
    cx->budget += answer == SY_PENDING; /* only success costs */
    return answer;
}

/* Out of the list, if it is still there. Returns its state before. */
static uint32_t cancel(struct sy_notified *f) {
    struct sy_notify *notify = f->notify;
    struct sy_waker waker = {NULL, NULL};
    pthread_mutex_lock(&notify->lock);
    uint32_t state = waiter_look(&f->waiter);
    if (state == WAITER_WAITING) {
        waker = waiter_leave(&f->waiter);
        clear_if_empty(notify);
    }
    pthread_mutex_unlock(&notify->lock);
    sy_waker_drop(waker);
    return state;
}

void sy_notified_drop(struct sy_notified *f) {
    if (waiter_look(&f->waiter) == WAITER_IDLE) {
        return;
    }
    uint32_t state = cancel(f);
    waiter_rest(&f->waiter);
    if (state == NOTIFIED_ONE) {
        sy_notify_one(f->notify);
    }
}

NET_FUTURE_TYPE(notified);
