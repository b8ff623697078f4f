/*
 * Threads that are no workers, at a global queue that reclaims by quiescent states (gq.h): whoever pushes there must
 * be attached and online, but a thread that may block for ever afterwards must keep no grace period waiting. So each
 * push or pop that is not made from within a worker's loop is a *visit*: the thread is attached at its first one, and
 * until it ends, and is online during visits only. A worker's own operations are none, but what it wakes while it
 * waits in the reactor, where it is offline, and what it wakes in another runtime, are: the latter find it online and
 * cost a load.
 *
 * Cost: for a queue that does not reclaim, nothing (the test is a constant in every stamped instance). For one that
 * does, two full barriers a visit, and once in a thread's life a lock and, at its end, another.
 *
 * A program that uses liburcu's qsbr flavour itself registers no thread that comes here: liburcu takes a thread once.
 */
#ifndef STEALYARD_EXECUTOR_VISIT_H
#define STEALYARD_EXECUTOR_VISIT_H

#include "queues/gq.h"

/* What is to be undone at the end of the visit. */
enum visit { VISIT_NONE, VISIT_ONLINE, VISIT_REGISTERED };

/* Of a queue that reclaims, from any thread. */
enum visit visit_enter(void);
void visit_leave(enum visit visit);

SY_INLINE enum visit visit_begin(const struct gq_ops *gq) {
    return gq->reclaims ? visit_enter() : VISIT_NONE;
}

SY_INLINE void visit_end(const struct gq_ops *gq, enum visit visit) {
    if (gq->reclaims) {
        visit_leave(visit);
    }
}

#endif
