/*
 * Notifications: "look again", without a value.
 *
 * notify_one wakes the one that has waited longest; if nobody waits it leaves one permit for the next to come (one,
 * however often it is called). notify_waiters wakes all that wait, and leaves nothing. A future counts as waiting for
 * notify_waiters from its initialisation on, so nothing is lost between the two lines here:
 *
 *     sy_notified_init(&f->notified, f->notify);
 *     if (!condition()) { … sy_notified_poll(&f->notified, cx) … }
 *
 * A struct sy_notify is memory of the caller's and allocates nothing, nor does waiting for it. Any thread may call
 * anything at any time; the memory must last until every call has returned and every future is ready or dropped. What
 * was done before a notification is seen by whom it woke.
 */
#ifndef STEALYARD_EXECUTOR_SYNC_NOTIFY_H
#define STEALYARD_EXECUTOR_SYNC_NOTIFY_H

#include <pthread.h>

#include "executor/future.h"
#include "executor/sync/waiter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_notify {
    struct au64 word; /* see notify.c */
    pthread_mutex_t lock;
    struct sy_waiter_link waiting; /* oldest first */
};

void sy_notify_init(struct sy_notify *notify);
void sy_notify_destroy(struct sy_notify *notify);

void sy_notify_one(struct sy_notify *notify);
void sy_notify_waiters(struct sy_notify *notify);

/*
 * Waits for one notification. The caller's memory, at a fixed address from its first poll until it is ready or dropped.
 * Once ready it may be initialised anew.
 */
struct sy_notified {
    struct sy_waiter waiter; /* first */
    struct sy_notify *notify;
    uint64_t round; /* calls of notify_waiters before it */
};

void sy_notified_init(struct sy_notified *f, struct sy_notify *notify);
/* A success takes one from the poll's budget. */
enum sy_poll sy_notified_poll(struct sy_notified *f, struct sy_context *cx);
/*
 * Cancels. If notify_one had chosen this one and it was not yet polled, the notification goes on to the next. Harmless
 * before the first poll, when ready, and the second time.
 */
void sy_notified_drop(struct sy_notified *f);
extern const struct sy_future_type sy_notified_type;

#ifdef __cplusplus
}
#endif

#endif
