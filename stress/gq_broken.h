/*
 * Faulty global queues, each a good one that does one thing wrong now and then. The suites are built with this list in
 * place of gq_list.h, and test_gq_broken.sh expects each to be found out by the tests that it names. There is one queue
 * of a kind at a time, so a fault may keep what it needs in globals.
 */
#ifndef STEALYARD_STRESS_GQ_BROKEN_H
#define STEALYARD_STRESS_GQ_BROKEN_H

#include "queues/gq_mutex.h"
#include "stress/gq_capped.h"

#include <sched.h>

static struct au64 broken_operations;

/* Whether this operation is to go wrong: one in so many. */
static inline bool broken_is_time(uint64_t one_in) {
    return (au64_fetch_add_relaxed(&broken_operations, 1) + 1) % one_in == 0;
}

/* Takes one item in 10,000 and forgets it. */
static enum gq_status loses_push(struct gq *queue, struct sy_node *item) {
    return broken_is_time(10000) ? GQ_OK : gq_mutex_push(queue, item);
}

/* Gives an item out once more. */
static enum gq_status doubles_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    static SY_THREAD_LOCAL struct sy_node *last;
    if (last && broken_is_time(10000)) {
        items[0] = last;
        last = NULL;
        *got = 1;
        return GQ_OK;
    }
    enum gq_status status = gq_mutex_pop_batch(queue, items, max, got);
    last = status == GQ_OK ? items[*got - 1] : NULL;
    return status;
}

/* Lets an item overtake one of another producer; each producer's own stay in order. */
static enum gq_status reorders_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_mutex *q = gq_mutex_of(queue);
    pthread_mutex_lock(&q->lock);
    struct sy_node *first = q->list.head, *second = first ? sy_node_next(first) : NULL;
    if (second && ((struct item *)(void *)first)->producer != ((struct item *)(void *)second)->producer) {
        sy_node_link(first, sy_node_next(second));
        sy_node_link(second, first);
        q->list.head = second;
        q->list.tail = q->list.tail == second ? first : q->list.tail;
    }
    pthread_mutex_unlock(&q->lock);
    return gq_mutex_pop_batch(queue, items, max, got);
}

/* "Empty" of a queue with items, one time in 1,000. */
static enum gq_status lies_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    *got = 0;
    return broken_is_time(1000) ? GQ_EMPTY : gq_mutex_pop_batch(queue, items, max, got);
}

/* "Empty" where it only could not look: never by one thread alone. Now and then whoever looks is slow. */
static enum gq_status hasty_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    *got = 0;
    if (pthread_mutex_trylock(&gq_mutex_of(queue)->lock) != 0) {
        return GQ_EMPTY;
    }
    if (broken_is_time(64)) {
        sched_yield();
    }
    pthread_mutex_unlock(&gq_mutex_of(queue)->lock);
    return gq_mutex_pop_batch(queue, items, max, got);
}

/* Says "empty" of one item, as if its push were not over yet. */
static bool early_is_empty(const struct gq *queue) {
    return gq_mutex_length(queue) < 2;
}

/* "Not empty" for good, once it was not. */
static bool haunted_is_empty(const struct gq *queue) {
    static bool used;
    used = used || gq_mutex_length(queue) > 0;
    return !used;
}

/* The last two of a batch of more than 256 change places. */
static enum gq_status swaps_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    struct sy_node *swapped[2] = {n > 1 ? items[n - 1] : NULL, n > 1 ? items[n - 2] : NULL};
    if (n <= 256) {
        return gq_mutex_push_batch(queue, items, n, pushed);
    }
    gq_mutex_push_batch(queue, items, n - 2, pushed);
    gq_mutex_push_batch(queue, swapped, 2, pushed);
    *pushed = n;
    return GQ_OK;
}

/* Has no room for all, and takes the last of the batch instead of the first. */
static enum gq_status capped_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    size_t room = capped_room(queue);
    room = room < n ? room : n;
    gq_mutex_push_batch(queue, items + n - room, room, pushed);
    return room == n ? GQ_OK : GQ_FULL;
}

/* Any segment is welcome. */
static int welcomes_create(struct gq **out, const struct gq_config *config) {
    struct gq_config without = *config;
    without.segment = 0;
    return gq_mutex_create(out, &without);
}

static struct au64 wraps_position;

static int wraps_create(struct gq **out, const struct gq_config *config) {
    au64_store_relaxed(&wraps_position, config->first);
    return gq_mutex_create(out, config);
}

/* Takes the item at which 32 bits come to their end for one of the past. */
static enum gq_status wraps_push(struct gq *queue, struct sy_node *item) {
    uint64_t position = au64_fetch_add_relaxed(&wraps_position, 1);
    return (uint32_t)(position + 1) < (uint32_t)position ? GQ_OK : gq_mutex_push(queue, item);
}

/* Keeps the last item of a thread back until its next push; what a thread leaves behind is lost. */
static SY_THREAD_LOCAL struct sy_node *keeps_item;

static enum gq_status keeps_push(struct gq *queue, struct sy_node *item) {
    struct sy_node *before = keeps_item;
    keeps_item = ((struct item *)(void *)item)->sequence == 5 ? item : NULL;
    if (before) {
        gq_mutex_push(queue, before);
    }
    return keeps_item ? GQ_OK : gq_mutex_push(queue, item);
}

static struct au64 limits_seen;

/* Has places for 100 threads, and never gives one back. */
static int limits_attach(struct gq *queue) {
    (void)queue;
    return au64_fetch_add_relaxed(&limits_seen, 1) < 100 ? 0 : -EAGAIN;
}

static struct aptr hoards_chain;

/* Something of every thread, until the queue goes. */
static int hoards_attach(struct gq *queue) {
    void **piece = malloc(64);
    void *expected = aptr_load_relaxed(&hoards_chain);
    (void)queue;
    while (piece) {
        *piece = expected;
        if (aptr_cas_release(&hoards_chain, &expected, piece)) {
            return 0;
        }
    }
    return -ENOMEM;
}

static void hoards_destroy(struct gq *queue) {
    void **piece = aptr_exchange_acquire(&hoards_chain, NULL);
    while (piece) {
        void **next = *piece;
        free(piece);
        piece = next;
    }
    gq_mutex_destroy(queue);
}

/* Something of every push, until the queue goes. */
static enum gq_status grows_push(struct gq *queue, struct sy_node *item) {
    return hoards_attach(queue) == 0 ? gq_mutex_push(queue, item) : GQ_FULL;
}

/* Forgets something of its own if it goes with items inside. */
static void leaks_destroy(struct gq *queue) {
    void *volatile leaked = gq_mutex_length(queue) > 0 ? malloc(16) : NULL;
    (void)leaked;
    gq_mutex_destroy(queue);
}

/* Without memory the item is gone. */
static enum gq_status starves_push(struct gq *queue, struct sy_node *item) {
    void *volatile piece = malloc(16);
    if (!piece) {
        return GQ_OK;
    }
    free(piece);
    return gq_mutex_push(queue, item);
}

#define GQ_LIST(GQ)                                                                                                    \
    GQ(loses)                                                                                                          \
    GQ(doubles)                                                                                                        \
    GQ(reorders)                                                                                                       \
    GQ(lies)                                                                                                           \
    GQ(hasty)                                                                                                          \
    GQ(early)                                                                                                          \
    GQ(haunted)                                                                                                        \
    GQ(swaps)                                                                                                          \
    GQ(capped)                                                                                                         \
    GQ(welcomes)                                                                                                       \
    GQ(wraps)                                                                                                          \
    GQ(keeps)                                                                                                          \
    GQ(limits)                                                                                                         \
    GQ(hoards)                                                                                                         \
    GQ(grows)                                                                                                          \
    GQ(leaks)                                                                                                          \
    GQ(starves)                                                                                                        \
    GQ(absent)

#define BROKEN_OPS(name) static struct gq_ops name##_ops;
GQ_LIST(BROKEN_OPS)

static int absent_create(struct gq **out, const struct gq_config *config) {
    (void)out, (void)config;
    return -ENOTSUP;
}

__attribute__((constructor)) static void broken_make(void) {
#define BROKEN_BASE(what)                                                                                              \
    what##_ops = gq_mutex_ops;                                                                                         \
    what##_ops.name = #what;
    GQ_LIST(BROKEN_BASE)
    loses_ops.push = loses_push;
    doubles_ops.pop_batch = doubles_pop_batch;
    reorders_ops.pop_batch = reorders_pop_batch;
    lies_ops.pop_batch = lies_pop_batch;
    hasty_ops.pop_batch = hasty_pop_batch;
    early_ops.is_empty = early_is_empty;
    haunted_ops.is_empty = haunted_is_empty;
    swaps_ops.push_batch = swaps_push_batch;
    capped_ops.bounded = true;
    capped_ops.create = capped_create;
    capped_ops.push = capped_push;
    capped_ops.push_batch = capped_push_batch;
    welcomes_ops.create = welcomes_create;
    wraps_ops.create = wraps_create;
    wraps_ops.push = wraps_push;
    keeps_ops.push = keeps_push;
    limits_ops.attach = limits_attach;
    hoards_ops.attach = hoards_attach;
    hoards_ops.destroy = hoards_destroy;
    grows_ops.push = grows_push;
    grows_ops.destroy = hoards_destroy;
    leaks_ops.destroy = leaks_destroy;
    starves_ops.push = starves_push;
    absent_ops.create = absent_create;
}

#endif
