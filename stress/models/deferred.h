/*
 * Stands in for reclaim.h where what is deferred is freed only after all threads are joined: a model checker has no
 * grace periods.
 */
#ifndef STEALYARD_STRESS_MODELS_DEFERRED_H
#define STEALYARD_STRESS_MODELS_DEFERRED_H

#include <pthread.h>
#include <stddef.h>

#define STEALYARD_QUEUES_RECLAIM_H

struct reclaim_head {
    struct reclaim_head *next;
    void (*run)(struct reclaim_head *head);
};

struct reclaim {
    pthread_mutex_t lock; /* whoever takes something away defers it */
    struct reclaim_head *deferred;
};

static inline void reclaim_defer(struct reclaim *reclaim, struct reclaim_head *head,
                                 void (*run)(struct reclaim_head *head)) {
    pthread_mutex_lock(&reclaim->lock);
    head->run = run;
    head->next = reclaim->deferred;
    reclaim->deferred = head;
    pthread_mutex_unlock(&reclaim->lock);
}

static inline void run_deferred(struct reclaim *reclaim) {
    while (reclaim->deferred) {
        struct reclaim_head *head = reclaim->deferred;
        reclaim->deferred = head->next;
        head->run(head);
    }
}

#endif
