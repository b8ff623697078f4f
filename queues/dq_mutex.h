/*
 * A deque: a mutex around a ring of fixed size. The reference that the others are tested and weighed against.
 *
 * Source: folklore. Deviations: none.
 *
 * Contract: dq.h; LIFO for the owner, the oldest for thieves; bounded: push says DQ_FULL at its capacity. Never says
 * DQ_RETRY. Thieves need not be registered anywhere.
 *
 * Progress: blocking; who stalls inside the lock stalls all. is_empty, length, and pop and steal of an empty deque are
 * wait-free. A steal never holds two locks, so two workers may steal from each other without a deadlock.
 *
 * Linearization points: the unlock, of the victim's lock for a steal; DQ_EMPTY without the lock: its load [3] of
 * length. Between the victim's unlock and the thief's push the moved items are in neither deque, but the thief is busy
 * with them.
 *
 * Reclamation: none needed, the ring is touched under the lock only. No ABA: no compare-and-swap.
 *
 * Memory order: as in gq_mutex.h. The lock orders all but `length`:
 *   [1] load of length, relaxed, under the lock: the newest
 *   [2] store of length, relaxed, under the lock: what a push did before a barrier is seen by who looks after it
 *   [3] load of length, relaxed, without the lock: pairs with [2] by coherence, or by the two barriers
 *
 * Rejected: growing (the executor's overflow to the global queue is to be weighed and tested too); a linked list (a
 * ring needs no links and is what lock-free deques have, so the comparison is of the synchronisation alone); holding
 * both locks in an order of addresses during a steal (stalls two workers, not one).
 */
#ifndef STEALYARD_QUEUES_DQ_MUTEX_H
#define STEALYARD_QUEUES_DQ_MUTEX_H

#include "queues/dq.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define DQ_MUTEX_CAPACITY_MAX ((size_t)1 << 30)

struct dq_mutex {
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t lock; /* guards the ring */
    struct sy_node **slots;
    size_t capacity;                              /* a power of two */
    size_t oldest;                                /* counts on; its slot is oldest mod capacity */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 length; /* written under the lock */
};

SY_INLINE struct dq_mutex *dq_mutex_of(struct dq *deque) {
    return (struct dq_mutex *)(void *)deque;
}

static inline int dq_mutex_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > DQ_MUTEX_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_mutex *d = (struct dq_mutex *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct sy_node **slots = (struct sy_node **)malloc(config->capacity * sizeof(struct sy_node *));
    if (!d || !slots) {
        free(d);
        free(slots);
        return -ENOMEM;
    }
    pthread_mutex_init(&d->lock, NULL);
    d->slots = slots;
    d->capacity = config->capacity;
    d->oldest = (size_t)config->first;
    au64_store_relaxed(&d->length, 0);
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_mutex_destroy(struct dq *deque) {
    struct dq_mutex *d = dq_mutex_of(deque);
    pthread_mutex_destroy(&d->lock);
    free(d->slots);
    free(d);
}

SY_INLINE struct sy_node **dq_mutex_slot(struct dq_mutex *d, size_t index) {
    return &d->slots[index & (d->capacity - 1)];
}

/* With the lock held: for how many more there is room. */
SY_INLINE size_t dq_mutex_room(const struct dq_mutex *d) {
    return d->capacity - (size_t)au64_load_relaxed(&d->length); /* [1] */
}

/* With the lock held and room for it. */
SY_INLINE void dq_mutex_append(struct dq_mutex *d, struct sy_node *item) {
    uint64_t length = au64_load_relaxed(&d->length); /* [1] */
    *dq_mutex_slot(d, d->oldest + (size_t)length) = item;
    au64_store_relaxed(&d->length, length + 1); /* [2] */
}

SY_INLINE enum dq_status dq_mutex_push(struct dq *deque, struct sy_node *item) {
    struct dq_mutex *d = dq_mutex_of(deque);
    pthread_mutex_lock(&d->lock);
    bool room = dq_mutex_room(d) > 0;
    if (room) {
        dq_mutex_append(d, item);
    }
    pthread_mutex_unlock(&d->lock);
    return room ? DQ_OK : DQ_FULL;
}

SY_INLINE enum dq_status dq_mutex_pop(struct dq *deque, struct sy_node **out) {
    struct dq_mutex *d = dq_mutex_of(deque);
    if (au64_load_relaxed(&d->length) == 0) { /* [3] */
        return DQ_EMPTY;
    }
    pthread_mutex_lock(&d->lock);
    uint64_t length = au64_load_relaxed(&d->length); /* [1] */
    if (length > 0) {
        *out = *dq_mutex_slot(d, d->oldest + (size_t)length - 1);
        au64_store_relaxed(&d->length, length - 1); /* [2] */
    }
    pthread_mutex_unlock(&d->lock);
    return length > 0 ? DQ_OK : DQ_EMPTY;
}

/* For how many, up to `n`, the thief has room. */
static inline size_t dq_mutex_reserve(struct dq_mutex *thief, size_t n) {
    pthread_mutex_lock(&thief->lock);
    size_t room = dq_mutex_room(thief);
    pthread_mutex_unlock(&thief->lock);
    return room < n ? room : n;
}

/* Takes up to `max` of the oldest, at most half, out of the victim: a chain, oldest first. Returns how many. */
static inline size_t dq_mutex_take(struct dq_mutex *victim, size_t max, struct sy_node **chain) {
    pthread_mutex_lock(&victim->lock);
    uint64_t length = au64_load_relaxed(&victim->length); /* [1] */
    size_t half = (size_t)(length - length / 2);
    size_t n = half < max ? half : max;
    struct sy_node *newer = NULL;
    for (size_t i = n; i-- > 0;) {
        struct sy_node *item = *dq_mutex_slot(victim, victim->oldest + i);
        sy_node_link(item, newer);
        newer = item;
    }
    victim->oldest += n;
    au64_store_relaxed(&victim->length, length - n); /* [2] */
    pthread_mutex_unlock(&victim->lock);
    *chain = newer;
    return n;
}

SY_INLINE size_t dq_mutex_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct sy_node *chain;
    size_t n = dq_mutex_take(dq_mutex_of(deque), max, &chain);
    for (size_t i = 0; i < n; i++) {
        items[i] = chain;
        chain = sy_node_next(chain);
    }
    return n;
}

/* Appends a chain for which there is room, oldest first. */
static inline void dq_mutex_append_chain(struct dq_mutex *d, struct sy_node *item) {
    pthread_mutex_lock(&d->lock);
    while (item) {
        struct sy_node *next = sy_node_next(item);
        dq_mutex_append(d, item);
        item = next;
    }
    pthread_mutex_unlock(&d->lock);
}

/* The thief is the caller's own deque: nobody else pushes into it, so the reserved room stays. */
SY_INLINE enum dq_status dq_mutex_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                        size_t *moved) {
    size_t seen = (size_t)au64_load_relaxed(&dq_mutex_of(victim)->length); /* [3] */
    size_t room = 0;
    *moved = 0;
    if (seen == 0) {
        return DQ_EMPTY;
    }
    if (thief && max > 1 && seen > 2) {
        size_t wanted = seen - seen / 2;
        room = dq_mutex_reserve(dq_mutex_of(thief), (wanted < max ? wanted : max) - 1);
    }
    struct sy_node *chain;
    size_t n = dq_mutex_take(dq_mutex_of(victim), room + 1, &chain);
    if (n == 0) {
        return DQ_EMPTY;
    }
    *out = chain;
    *moved = n;
    if (thief && sy_node_next(chain)) {
        dq_mutex_append_chain(dq_mutex_of(thief), sy_node_next(chain));
    }
    return DQ_OK;
}

SY_INLINE size_t dq_mutex_length(const struct dq *deque) {
    const struct dq_mutex *d = (const struct dq_mutex *)(const void *)deque;
    return (size_t)au64_load_relaxed(&d->length); /* [3] */
}

SY_INLINE bool dq_mutex_is_empty(const struct dq *deque) {
    return dq_mutex_length(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_mutex_ops = {
    .name = "dq_mutex",
    .summary = "mutex around a bounded ring, the reference",
    .source = "folklore",
    .progress = "blocking; on an empty deque wait-free",
    .reclamation = "none needed",
    .cost = "push, pop: 2 RMWs (lock and unlock), 3 lines; steal: 2 RMWs of the victim, 4 of the thief, 6 lines",
    .caveat = NULL,
    .order = DQ_LIFO,
    .bounded = true,
    .withholds = false,
    .create = dq_mutex_create,
    .destroy = dq_mutex_destroy,
    .push = dq_mutex_push,
    .pop = dq_mutex_pop,
    .take_oldest = dq_mutex_take_oldest,
    .steal = dq_mutex_steal,
    .is_empty = dq_mutex_is_empty,
    .length = dq_mutex_length,
};

#endif
