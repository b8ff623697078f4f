/*
 * What the models of the global queues share: a few operations on a queue as shipped, in every execution that C11
 * allows. A model is the line `#define QUEUE gq_<name>`, the queue's header, and this file:
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/gq_<name>.c            (stress/test_models.sh runs it)
 *
 * PUSHERS threads push EACH items each, as one batch if BATCH is 1. POPPERS threads try POPS times to take up to MAX.
 * Before they start PREFILLED items are pushed, and what is left is popped at the end. Every item that went in must
 * have come out exactly once, in its producer's order, and its contents are plain memory, so that a missing hand-over
 * is a race. With NEVER_EMPTY, for shapes in which more is prefilled than the poppers can take, no pop may say "empty",
 * and is_empty must say no.
 *
 * A queue that reclaims is given a reclaim.h of this file's: a model checker has no grace periods. What is deferred is
 * freed after the threads are joined, the earliest moment at which a thread that was never quiescent lets go.
 */
#ifndef STEALYARD_STRESS_MODELS_GQ_MODEL_H
#define STEALYARD_STRESS_MODELS_GQ_MODEL_H

#ifndef PUSHERS
#define PUSHERS 2
#endif
#ifndef EACH
#define EACH 1
#endif
#ifndef BATCH
#define BATCH 0
#endif
#ifndef POPPERS
#define POPPERS 2
#endif
#ifndef POPS
#define POPS 1
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef PREFILLED
#define PREFILLED 0
#endif
#ifndef NEVER_EMPTY
#define NEVER_EMPTY 0
#endif
#ifndef NEVER_FULL
#define NEVER_FULL 0
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef SEGMENT
#define SEGMENT 2
#endif
#ifndef FIRST
#define FIRST 0
#endif

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "deferred.h"

static inline void reclaim_attach(void) {}

static inline void reclaim_detach(void) {}

static inline int reclaim_create(struct reclaim **out) {
    *out = malloc(sizeof **out);
    pthread_mutex_init(&(*out)->lock, NULL);
    (*out)->deferred = NULL;
    return 0;
}

static inline void reclaim_urge(struct reclaim *reclaim) {
    (void)reclaim;
}

/* Only called by what was deferred, and so after all. */
static inline void reclaim_wait_for_readers(void) {}

static inline void reclaim_destroy(struct reclaim *reclaim) {
    run_deferred(reclaim);
    free(reclaim);
}

#include "queues/gq.h"

#define PRODUCERS (PUSHERS + 1) /* and the main thread */
#define PER_PRODUCER (EACH > PREFILLED ? EACH : PREFILLED)

struct item {
    struct sy_node node;
    int producer, sequence; /* plain, as all below */
    int taken;
};

static const struct gq_ops *ops;
static struct gq *queue;
static struct item items[PRODUCERS][PER_PRODUCER + 1]; /* from 1 */
static int pushed[PRODUCERS];                          /* items of each that went in */
static int newest[POPPERS + 1][PRODUCERS];             /* the last sequence that each popper saw of each producer */

static void push_all(int producer, int n) {
    struct sy_node *batch[PER_PRODUCER + 1];
    size_t done = 0;
    for (int i = 0; i < n; i++) {
        items[producer][i + 1].producer = producer;
        items[producer][i + 1].sequence = i + 1;
        items[producer][i + 1].taken = 0;
        batch[i] = &items[producer][i + 1].node;
    }
    if (BATCH) {
        enum gq_status status = ops->push_batch(queue, batch, (size_t)n, &done);
        assert((status == GQ_OK) == (done == (size_t)n));
    } else {
        while (done < (size_t)n && ops->push(queue, batch[done]) == GQ_OK) {
            done++;
        }
    }
    assert(!NEVER_FULL || done == (size_t)n);
    pushed[producer] = (int)done;
}

/* Returns how many came out, and 0 with what the queue said otherwise. */
static size_t pop_some(int popper, enum gq_status *status) {
    struct sy_node *batch[MAX];
    size_t got = 0;
    *status = ops->pop_batch(queue, batch, MAX, &got);
    assert((*status == GQ_OK) == (got > 0) && got <= MAX);
    for (size_t i = 0; i < got; i++) {
        struct item *item = (struct item *)batch[i];
        assert(item->taken == 0);
        item->taken = 1;
        assert(item->sequence > newest[popper][item->producer]);
        newest[popper][item->producer] = item->sequence;
    }
    return got;
}

static void *pusher(void *argument) {
    push_all((int)(long)argument, EACH);
    return NULL;
}

static void *popper(void *argument) {
    for (int i = 0; i < POPS; i++) {
        enum gq_status status;
        if (NEVER_EMPTY) {
            assert(!ops->is_empty(queue));
        }
        pop_some((int)(long)argument, &status);
        assert(!NEVER_EMPTY || status != GQ_EMPTY);
    }
    return NULL;
}

/* What is left comes after all that was popped before. */
static void drain(void) {
    enum gq_status status = GQ_OK;
    for (int p = 0; p < POPPERS; p++) {
        for (int i = 0; i < PRODUCERS; i++) {
            if (newest[p][i] > newest[POPPERS][i]) {
                newest[POPPERS][i] = newest[p][i];
            }
        }
    }
    for (int i = 0; i < 16 && status != GQ_EMPTY; i++) {
        pop_some(POPPERS, &status);
    }
    assert(status == GQ_EMPTY && ops->is_empty(queue));
    for (int i = 0; i < PRODUCERS; i++) {
        for (int k = 1; k <= pushed[i]; k++) {
            assert(items[i][k].taken == 1);
        }
    }
}

static void run_model(const struct gq_ops *tested) {
    struct gq_config config = {.capacity = CAPACITY, .segment = SEGMENT, .workers = POPPERS, .first = FIRST};
    pthread_t threads[PUSHERS + POPPERS];
    ops = tested;
    int error = ops->create(&queue, &config);
    assert(error == 0);
    push_all(PUSHERS, PREFILLED);
    assert(pushed[PUSHERS] == PREFILLED);
    for (long i = 0; i < PUSHERS + POPPERS; i++) {
        pthread_create(&threads[i], NULL, i < PUSHERS ? pusher : popper, (void *)(i < PUSHERS ? i : i - PUSHERS));
    }
    for (int i = 0; i < PUSHERS + POPPERS; i++) {
        pthread_join(threads[i], NULL);
    }
    drain();
    ops->destroy(queue);
}

#endif
