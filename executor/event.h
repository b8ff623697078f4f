/*
 * An event: one thread waits, any thread sets. A set that comes before the wait is not lost, several are one.
 *
 *   E1 set: exchange acq_rel      what the setter did before is seen by the waiter (with E2, E3), and the other way
 *                                 round for a reset by the waiter, which the setter's acquire sees
 *   E2 wait: cas acq_rel on entry, fails with acquire when the event is set already
 *   E3 wait: exchange acq_rel on leaving, which also resets
 */
#ifndef STEALYARD_EXECUTOR_EVENT_H
#define STEALYARD_EXECUTOR_EVENT_H

#if !defined(__linux__)
#include <pthread.h>
#endif

#include "queues/atomics.h"

enum { EVENT_EMPTY, EVENT_SLEEPING, EVENT_POLLING, EVENT_SET };

struct event {
    struct au32 state;
#if !defined(__linux__)
    pthread_mutex_t lock;
    pthread_cond_t changed;
#endif
};

void event_init(struct event *event);
void event_destroy(struct event *event);

/* Sleeps until the event is set, or for timeout_ns (negative: no limit). True: it was set, and is reset now. */
bool event_wait(struct event *event, int64_t timeout_ns);

/* Sets the event. Returns the state before: EVENT_POLLING asks the caller to wake the reactor where the waiter is. */
uint32_t event_set(struct event *event);

/* For a waiter that waits in the reactor: false, and the event is reset, if it was set already. */
bool event_begin_polling(struct event *event);
/* True: the event was set meanwhile; it is reset. */
bool event_end_polling(struct event *event);

#endif
