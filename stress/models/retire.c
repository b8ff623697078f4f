/*
 * Retiring by stretches (queues/retire.h) as shipped, under a model checker: every execution that C11 allows.
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/retire.c             (stress/test_models.sh runs it)
 *
 * THREADS threads retire one thing each and knock. Less than WORTH is too little to collect; grace periods are over at
 * once. What collect and release share is plain memory, so that two at work are a race, and in the end less than WORTH
 * may be left: else a knock was lost.
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef WORTH
#define WORTH 2
#endif

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#define STEALYARD_QUEUES_RECLAIM_H

#include "queues/atomics.h"

struct reclaim;

struct reclaim_head {
    void (*run)(struct reclaim_head *head);
};

static inline int reclaim_create(struct reclaim **out) {
    *out = NULL;
    return 0;
}

static inline void reclaim_destroy(struct reclaim *reclaim) {
    (void)reclaim;
}

static inline void reclaim_wait_for_readers(void) {}

static inline void reclaim_defer(struct reclaim *reclaim, struct reclaim_head *head,
                                 void (*run)(struct reclaim_head *head)) {
    (void)reclaim;
    run(head);
}

static inline void reclaim_urge(struct reclaim *reclaim) {
    (void)reclaim;
}

#include "queues/retire.h"

static struct retire retire;
static struct au64 retired;
static uint64_t due, released; /* plain */

static bool collect(struct retire *unused) {
    (void)unused;
    due = au64_load_relaxed(&retired);
    return due - released >= WORTH;
}

static void release(struct retire *unused) {
    (void)unused;
    released = due;
}

static void *retirer(void *argument) {
    au64_fetch_add_relaxed(&retired, 1);
    retire_knock(&retire);
    return argument;
}

int main(void) {
    pthread_t threads[THREADS];
    retire_create(&retire, collect, release);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, retirer, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert(au64_load_relaxed(&retired) - released < WORTH);
    retire_destroy(&retire);
    return 0;
}
