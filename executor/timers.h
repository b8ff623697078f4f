/*
 * The timers of a runtime: a store of deadlines (tm.h) under a lock. A sleep allocates nothing; the store decides what
 * starting, cancelling and firing one costs.
 *
 * Whoever is about to block in the reactor calls timers_begin_wait, which publishes how long it will sleep in the same
 * critical section in which it reads the earliest deadline; a sleep that starts later, under the same lock, sees either
 * no waiter (who will then read this sleep's deadline) or the published time, and wakes the reactor if its own is
 * earlier. So no timer is missed between the computation of a time-out and the wait. The store may say a time that is
 * too early; then the waiter looks, fires nothing, and waits again.
 *
 * The lock is one for all workers, not striped: starting or cancelling holds it for some tens of instructions, and a
 * batch to be fired for FIRE_BATCH of them at most. Wakers are called after it is given back. With glibc's mutex of 40
 * bytes all that starting one reads stands on the lock's own cache line, but for the hint of the earliest, which
 * whoever looks at the reactor reads without the lock: that is on the next, with what is written by who goes to wait.
 * So a sleep that starts takes from another worker these two lines, the store's (in tm_wheel the bits of a level and a
 * slot, in tm_heap the root's) and one other sleep's. Stripes by worker were rejected (tm_wheel.c): who waits must know
 * the earliest of all.
 */
#ifndef STEALYARD_EXECUTOR_TIMERS_H
#define STEALYARD_EXECUTOR_TIMERS_H

#include <pthread.h>

#include "executor/timer.h"
#include "executor/tm.h"
#include "queues/atomics.h"

struct timers {
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t lock;
    const struct tm_ops *ops;
    struct tm_store *store;
    uint64_t wait_until_ns;  /* when the blocked waiter will look again; 0: nobody is blocked */
    unsigned slot;           /* where it waits */
    struct au64 earliest_ns; /* not after the earliest deadline; written under the lock, read without as a hint */
};

/* With a store by its name: 0, -EINVAL (there is none of that name), -ENOMEM. */
int timers_create(struct timers *timers, const char *store);
void timers_destroy(struct timers *timers);

/*
 * The time-out for a blocking wait: nanoseconds from now until the earliest deadline or a little less (tm.h), -1 if
 * there is none. `slot`: where the caller waits (reactor.h), for whoever starts an earlier sleep.
 */
int64_t timers_begin_wait(struct timers *timers, unsigned slot);
void timers_end_wait(struct timers *timers);

/* Wakes the sleeps that are due; returns how many. Any thread; cheap when there is no sleep at all. */
unsigned timers_fire(struct timers *timers);

#endif
