/*
 * The blocking pool: threads of its own, at most blocking_threads, for jobs that block. A lock and a condition
 * variable: its jobs take microseconds at least.
 *
 * Threads end by themselves after blocking_keep_alive_ns without a job. One that ends puts itself on `ended`; whoever
 * starts a thread or shuts down joins it there, so no thread is ever detached.
 *
 * A spawner signals after it has let go of the lock. Its job may be done by then, by a thread that woke for another
 * reason, and the pool about to be destroyed because of that. Hence `signalling`:
 *   B1 fetch_add relaxed, under the lock, before the pool is seen to be closed
 *   B2 fetch_sub release, after the signal; with B3
 *   B3 closing: load acquire, having closed under the lock: no B1 comes any more, and who was counted is done with the
 *      pool once it is 0
 */
#ifndef STEALYARD_EXECUTOR_BLOCKING_H
#define STEALYARD_EXECUTOR_BLOCKING_H

#include <pthread.h>

#include "executor/task.h"
#include "queues/atomics.h"

struct blocking_thread;

struct blocking {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    struct sy_node *first; /* jobs: tasks that no thread has begun */
    struct sy_node *last;
    size_t depth;
    unsigned threads; /* alive, and not on `ended` */
    unsigned idle;    /* of these, waiting for a job that none was announced for yet */
    struct blocking_thread *ended;
    bool closed;
    struct au32 signalling; /* spawners that have let go of the lock and not yet signalled */
};

void blocking_create(struct blocking *blocking);

/*
 * With the workers gone: cancels the jobs that have not begun, waits for those that have, joins every thread. Meanwhile
 * the caller attends the reactor, for jobs that wait for it.
 */
void blocking_close(struct sy_runtime *runtime);
void blocking_destroy(struct blocking *blocking);

#endif
