/*
 * One ring of gq_scq.h as shipped, under a model checker: an enqueue that finds the threshold at its limit, and a
 * dequeue that may find the ring empty and lower it. Without the other ring there are few enough executions to go
 * through. When all are done, what was put in has come out or still does, and nothing else.
 */
#define GQ_SCQ_THREADS_ORDER 0

#include <assert.h>
#include <pthread.h>

#include "queues/gq_scq.h"

enum { ORDER = 2, BEFORE = 77 };

static struct gq_scq_ring ring;
static struct au64 entries[1 << ORDER];
static int taken;

static void *enqueue(void *unused) {
    gq_scq_enqueue(&ring, 1);
    return unused;
}

static void *dequeue(void *unused) {
    uint64_t index;
    taken = gq_scq_dequeue(&ring, &index);
    assert(!taken || index == 1);
    return unused;
}

int main(void) {
    pthread_t threads[2];
    uint64_t index;
    gq_scq_ring_init(&ring, entries, ORDER, 0, 0);
    ai64_store_relaxed(&ring.threshold, gq_scq_raised(&ring, BEFORE)); /* as if an item had been there before */
    pthread_create(&threads[0], NULL, enqueue, NULL);
    pthread_create(&threads[1], NULL, dequeue, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    bool left = gq_scq_dequeue(&ring, &index);
    assert(left == !taken);
    bool more = left && gq_scq_dequeue(&ring, &index);
    assert(!more);
    return 0;
}
