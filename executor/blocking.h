/*
 * The blocking pool: threads of its own, at most blocking_threads, for jobs that block. A lock and a condition variable:
 * its jobs take microseconds at least.
 *
 * Threads end by themselves after blocking_keep_alive_ns without a job. One that ends puts itself on `ended`; whoever
 * starts a thread or shuts down joins it there, so no thread is ever detached.
 */
#ifndef STEALYARD_EXECUTOR_BLOCKING_H
#define STEALYARD_EXECUTOR_BLOCKING_H

#include <pthread.h>

#include "executor/task.h"

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
};

void blocking_create(struct blocking *blocking);

/*
 * With the workers gone: cancels the jobs that have not begun, waits for those that have, joins every thread. Meanwhile
 * the caller attends the reactor, for jobs that wait for it.
 */
void blocking_close(struct sy_runtime *runtime);
void blocking_destroy(struct blocking *blocking);

#endif
