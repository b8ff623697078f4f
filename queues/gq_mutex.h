/*
 * A global queue: a mutex, an intrusive list, and a length that is read without the lock.
 *
 * Source: folklore; the shape of tokio's injection queue and of Go's global run queue. Deviations: none to speak of.
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads. Never says GQ_FULL or GQ_RETRY.
 *
 * Progress: blocking. A thread that stalls inside the lock stalls every push and every pop of a non-empty queue;
 * is_empty, length and the pop of an empty queue are wait-free. Under the lock a push or a push_batch does a constant
 * amount of work (a batch is linked before), pop_batch walks at most `max` nodes.
 *
 * Linearization points: push, push_batch and a pop_batch that takes something: their unlock. A pop_batch that says
 * GQ_EMPTY: its load of length [3].
 *
 * Reclamation: none needed; the queue touches an item only from its push until its pop, under the lock. No ABA: no
 * compare-and-swap.
 *
 * Memory order. The lock orders everything but `length`:
 *   [1] load of length, relaxed, under the lock: only lock holders write it, so it is the newest
 *   [2] store of length, relaxed, under the lock, before the unlock. A push that happened before an is_empty has its
 *       [2] before it too, and coherence lets [3] see that store or a later one: never "empty" by an older value
 *   [3] load of length, relaxed, without the lock: pairs with [2] as said. Two threads that must not miss each other
 *       (a pusher that looks for sleepers, a sleeper that looks for items) each put fence_seq_cst() between their store
 *       and their load; then one of them sees the other's, and [2] is a store like any other
 * Nothing is read through what [3] returned, hence no acquire.
 *
 * The lock and the list share a line, because who takes the lock touches the list next. length has its own: idle
 * workers that look at it take the line that every pusher writes only once an operation, not the lock's.
 *
 * Rejected: a spin lock (a preempted holder wastes whole time slices); trylock and GQ_RETRY in pop_batch (the lock is
 * held for so short that the caller would come back at once); shards (another queue, with another order).
 */
#ifndef STEALYARD_QUEUES_GQ_MUTEX_H
#define STEALYARD_QUEUES_GQ_MUTEX_H

#include "queues/gq.h"
#include "queues/node_list.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct gq_mutex {
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t lock; /* guards the list and the items' links */
    struct node_list list;
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 length; /* written under the lock */
};

SY_INLINE struct gq_mutex *gq_mutex_of(struct gq *queue) {
    return (struct gq_mutex *)(void *)queue;
}

static inline int gq_mutex_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_mutex *q = (struct gq_mutex *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    if (!q) {
        return -ENOMEM;
    }
    pthread_mutex_init(&q->lock, NULL);
    q->list.head = NULL;
    au64_store_relaxed(&q->length, 0);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_mutex_destroy(struct gq *queue) {
    pthread_mutex_destroy(&gq_mutex_of(queue)->lock);
    free(queue);
}

/* Appends a chain whose last link is NULL. */
SY_INLINE void gq_mutex_append(struct gq_mutex *q, struct sy_node *first, struct sy_node *last, size_t n) {
    pthread_mutex_lock(&q->lock);
    node_list_append(&q->list, first, last);
    uint64_t length = au64_load_relaxed(&q->length); /* [1] */
    au64_store_relaxed(&q->length, length + n);      /* [2] */
    pthread_mutex_unlock(&q->lock);
}

SY_INLINE enum gq_status gq_mutex_push(struct gq *queue, struct sy_node *item) {
    sy_node_link(item, NULL);
    gq_mutex_append(gq_mutex_of(queue), item, item, 1);
    return GQ_OK;
}

SY_INLINE enum gq_status gq_mutex_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    *pushed = n;
    if (n == 0) {
        return GQ_OK;
    }
    node_chain(items, n);
    gq_mutex_append(gq_mutex_of(queue), items[0], items[n - 1], n);
    return GQ_OK;
}

SY_INLINE enum gq_status gq_mutex_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_mutex *q = gq_mutex_of(queue);
    *got = 0;
    if (au64_load_relaxed(&q->length) == 0) { /* [3] */
        return GQ_EMPTY;
    }
    pthread_mutex_lock(&q->lock);
    size_t n = node_list_take(&q->list, items, max);
    uint64_t length = au64_load_relaxed(&q->length); /* [1] */
    au64_store_relaxed(&q->length, length - n);      /* [2] */
    pthread_mutex_unlock(&q->lock);
    *got = n;
    return n > 0 ? GQ_OK : GQ_EMPTY;
}

SY_INLINE size_t gq_mutex_length(const struct gq *queue) {
    const struct gq_mutex *q = (const struct gq_mutex *)(const void *)queue;
    return (size_t)au64_load_relaxed(&q->length); /* [3] */
}

SY_INLINE bool gq_mutex_is_empty(const struct gq *queue) {
    return gq_mutex_length(queue) == 0;
}

__attribute__((unused)) static const struct gq_ops gq_mutex_ops = {
    .name = "gq_mutex",
    .summary = "mutex and intrusive list; the length is read without the lock",
    .source = "folklore; the shape of tokio's injection queue and Go's global run queue",
    .order = "FIFO",
    .progress = "blocking; is_empty and the pop of an empty queue wait-free",
    .reclamation = "none needed",
    .cost = "push: 2 RMWs (the lock's), 0 fences, 4 lines; pop: 2 RMWs, 0 fences, 3 lines; allocates nothing",
    .caveat = NULL,
    .bounded = false,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_mutex_create,
    .destroy = gq_mutex_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_mutex_push,
    .push_batch = gq_mutex_push_batch,
    .pop_batch = gq_mutex_pop_batch,
    .is_empty = gq_mutex_is_empty,
    .length = gq_mutex_length,
};

#endif
