/*
 * The timers of a runtime: an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, 1986)
 * under a lock, so that a sleep allocates nothing, starts in O(1) and is cancelled in O(log n) amortised.
 *
 * Whoever is about to block in the reactor calls timers_begin_wait, which publishes how long it will sleep in the same
 * critical section in which it reads the earliest deadline; a sleep that starts later, under the same lock, sees either
 * no waiter (who will then read this sleep's deadline) or the published time, and wakes the reactor if its own is
 * earlier. So no timer is missed between the computation of a time-out and the wait.
 */
#ifndef STEALYARD_EXECUTOR_TIMERS_H
#define STEALYARD_EXECUTOR_TIMERS_H

#include <pthread.h>

#include "executor/timer.h"
#include "queues/atomics.h"

#define TIMERS_NEVER UINT64_MAX

struct timers {
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t lock;
    struct sy_sleep *root;    /* the earliest */
    uint64_t wait_until_ns;   /* when the blocked waiter will look again; 0: nobody is blocked */
    unsigned slot;            /* where it waits */
    struct au64 earliest_ns;  /* root's deadline or TIMERS_NEVER; written under the lock, read without as a hint */
};

void timers_create(struct timers *timers);
void timers_destroy(struct timers *timers);

/*
 * The time-out for a blocking wait: nanoseconds from now until the earliest deadline, -1 if there is none. `slot`: where
 * the caller waits (reactor.h), for whoever starts an earlier sleep.
 */
int64_t timers_begin_wait(struct timers *timers, unsigned slot);
void timers_end_wait(struct timers *timers);

/* Wakes the sleeps that are due; returns how many. Any thread; cheap when there is no sleep at all. */
unsigned timers_fire(struct timers *timers);

#endif
