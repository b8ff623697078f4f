/*
 * A global queue of shards, each a mutex and an intrusive list: who pushes keeps to one shard, who pops goes round, and
 * a bitmask of the shards that hold something answers "is there anything" with one load.
 *
 * Source: the shape of tokio's sharded injection queue (tokio PRs 7973 and 8483, 2026: 1.00, 1.46, 3.11, 5.16 and 5.53
 * times the speed of one lock at 1, 2, 4, 8 and 64 spawning threads on 64 cores). Deviations:
 *   - a thread's shard is given by a number that it gets at its first push, in turn: threads that start together do not
 *     meet before all shards are taken. By chance, as there, two of four pushers share one of eight shards in 59 cases
 *     out of 100;
 *   - a batch goes on to further shards until it is full;
 *   - pops begin at a shard given by a thread's own turn, so that poppers write nothing shared but what they take from.
 *
 * Contract: gq.h; unbounded, any number of threads, no registration. FIFO for each producer, not between producers:
 * a thread always pushes into the same shard of a queue. Never says GQ_FULL. GQ_RETRY: others took what there was while
 * more came. The numbers of threads are one variable for the process; where a program hides its symbols from its shared
 * libraries (-fvisibility=hidden, RTLD_LOCAL), a thread that pushes into one queue through both is two producers.
 * A queue has no counters that could wrap, and no segments.
 *
 * Shards: twice the number of workers, rounded up to a power of two, from 2 to 64. Workers are about as many as cores,
 * and more pushers than cores do not run at once; twice as many, because those that do run seldom have consecutive
 * numbers. More shards make no pop dearer (it visits only those that hold something), but each takes 128 bytes.
 *
 * Fairness. A thread's t-th pop begins at shard floor(S * frac(t * golden ratio)). Those fractions leave no gap for
 * long: of 2 * S consecutive pops of a thread (reckoned: of 3, 5, 13, 21, 55, 89 for S = 2, 4, 8, 16, 32, 64) one
 * begins at any given shard and takes its oldest. So an item with k others before it in its shard is out after at most
 * 2 * S * (k + 1) pops of any one thread, however much is pushed elsewhere. The turn is the thread's, over all queues:
 * with others popped in between at regular turns it may take a few times as long (with 64 shards and 8 queues, 251 pops
 * instead of 89); only pops chosen by an adversary who reckons the turns could keep a shard waiting.
 *
 * Progress: blocking. A thread that stalls inside a shard's lock stalls the pushers of that shard, and all poppers that
 * come to it while it holds something; is_empty, length and the pop of an empty queue are wait-free. Under the lock a
 * push or push_batch does a constant amount of work, pop_batch walks at most `max` nodes.
 *
 * Linearization points. Always, under a shard's lock except between its change of the list and [B] or [C]: the
 * shard's bit is set if and only if its list holds something. push, push_batch: [B] if the shard was empty, else its
 * unlock. Each item of a pop: the [C] that it caused, else the unlock of its shard. GQ_EMPTY, is_empty: the load [M] of
 * 0, a moment at which every shard's bit was clear.
 *
 * Reclamation: none needed; the queue touches an item only from its push until its pop, under the lock. No ABA: no
 * compare-and-swap.
 *
 * Memory order. The locks hand the items over. All else is relaxed:
 *   [B] set the bit, under the shard's lock, by whoever found the list empty. A read-modify-write, because the bits of
 *       other shards change meanwhile. Pairs with [M]
 *   [C] clear the bit, under the shard's lock, by whoever left the list empty. Likewise. By the lock the [B]s and [C]s
 *       of one bit alternate, in the order of the changes of its list
 *   [M] load the mask. Why it is never 0 too early: a push into a list that held something writes nothing here; but the
 *       [B] that set the bit happened before it, by the lock, and a [C] after that [B] can only follow the push: then
 *       its item is taken. So to a look that the push happened before, coherence leaves that [B] or later changes,
 *       which keep the bit unless they took the item. Of two threads that must not miss each other (a pusher that looks
 *       for sleepers, a sleeper that looks for items; each with fence_seq_cst() between): the [B] happens before the
 *       pusher's fence, even if another thread did it. So an [M] that missed it puts the sleeper's fence first, and the
 *       pusher finds the sleeper
 *   [N] load and store of a shard's length: under its lock by those who change it, without it by length(), a hint
 *   [I] a thread takes its number: only that no two get the same matters
 *
 * Layout: the mask has a line, which a push into a shard that holds something does not touch; the number of shards has
 * another, never written; each shard begins a pair of lines (processors like to fetch pairs), and on x86-64 all of it
 * is in the first: list, length, lock.
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when [B] or [C] stands outside the lock, is no
 * read-modify-write, or is missing, and when a thread changes its shard.
 *
 * Rejected: a shard at random for each push (20 to 33 % slower in tokio PR 7973, and no order of a producer is kept); a
 * new shard for a thread now and then, to part two busy ones (the same); trylock in pop_batch, passing over busy shards
 * (the busiest shard would starve, and a pop that found nothing else would come back at once); setting the bit with
 * every push (every push would write the mask's line); a length for the whole (likewise); a shared turn (poppers would
 * write one more line, and a store by a popper that was late would set the turn back).
 */
#ifndef STEALYARD_QUEUES_GQ_SHARDED_H
#define STEALYARD_QUEUES_GQ_SHARDED_H

#include "queues/gq.h"
#include "queues/node_list.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define GQ_SHARDED_MIN 2
#define GQ_SHARDED_MAX 64 /* the bits of the mask */
#define GQ_SHARDED_STRIDE (2 * SY_CACHE_LINE)
#define GQ_SHARDED_GOLDEN 0x9E3779B97F4A7C15u /* 2^64 / 1.618…, odd */
#define GQ_SHARDED_COUNTED 4                  /* shards that length() looks at */

struct gq_sharded_shard {
    SY_ALIGNAS(GQ_SHARDED_STRIDE) struct node_list list;
    struct au64 length;   /* written under the lock */
    pthread_mutex_t lock; /* guards the list and the items' links */
};

struct gq_sharded {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 filled; /* a bit for each shard that holds something */
    SY_ALIGNAS(SY_CACHE_LINE) unsigned last;      /* number of shards - 1, immutable */
    struct gq_sharded_shard shards[];
};

__attribute__((weak)) struct au64 gq_sharded_numbers;               /* handed out so far */
__attribute__((weak)) SY_THREAD_LOCAL uint64_t gq_sharded_number;   /* this thread's, from 1 on; 0: none yet */
__attribute__((weak)) SY_THREAD_LOCAL uint64_t gq_sharded_fraction; /* where its next pop begins, of 2^64 */

SY_INLINE struct gq_sharded *gq_sharded_of(struct gq *queue) {
    return (struct gq_sharded *)(void *)queue;
}

static inline unsigned gq_sharded_count_for(unsigned workers) {
    unsigned shards = GQ_SHARDED_MIN;
    while (shards < GQ_SHARDED_MAX && shards / 2 < workers) {
        shards *= 2;
    }
    return shards;
}

static inline int gq_sharded_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    unsigned shards = gq_sharded_count_for(config->workers);
    size_t size = sizeof(struct gq_sharded) + shards * sizeof(struct gq_sharded_shard);
    struct gq_sharded *q = (struct gq_sharded *)aligned_alloc(GQ_SHARDED_STRIDE, size);
    if (!q) {
        return -ENOMEM;
    }
    au64_store_relaxed(&q->filled, 0);
    q->last = shards - 1;
    for (unsigned i = 0; i < shards; i++) {
        q->shards[i].list.head = NULL;
        au64_store_relaxed(&q->shards[i].length, 0);
        pthread_mutex_init(&q->shards[i].lock, NULL);
    }
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_sharded_destroy(struct gq *queue) {
    struct gq_sharded *q = gq_sharded_of(queue);
    for (unsigned i = 0; i <= q->last; i++) {
        pthread_mutex_destroy(&q->shards[i].lock);
    }
    free(q);
}

/* Once in a thread's life. */
__attribute__((noinline, unused)) static void gq_sharded_take_number(void) {
    gq_sharded_number = au64_fetch_add_relaxed(&gq_sharded_numbers, 1) + 1; /* [I] */
}

SY_INLINE unsigned gq_sharded_own_shard(const struct gq_sharded *q) {
    if (__builtin_expect(gq_sharded_number == 0, 0)) {
        gq_sharded_take_number();
    }
    return (unsigned)gq_sharded_number & q->last;
}

/* With the lock held. */
SY_INLINE void gq_sharded_add_length(struct gq_sharded_shard *shard, uint64_t n) {
    au64_store_relaxed(&shard->length, au64_load_relaxed(&shard->length) + n); /* [N] */
}

/* Appends a chain whose last link is NULL to the caller's shard. */
SY_INLINE void gq_sharded_append(struct gq_sharded *q, struct sy_node *first, struct sy_node *last, size_t n) {
    unsigned own = gq_sharded_own_shard(q);
    struct gq_sharded_shard *shard = &q->shards[own];
    pthread_mutex_lock(&shard->lock);
    gq_sharded_add_length(shard, n);
    if (node_list_append(&shard->list, first, last)) {
        au64_fetch_or_relaxed(&q->filled, (uint64_t)1 << own); /* [B] */
    }
    pthread_mutex_unlock(&shard->lock);
}

SY_INLINE enum gq_status gq_sharded_push(struct gq *queue, struct sy_node *item) {
    sy_node_link(item, NULL);
    gq_sharded_append(gq_sharded_of(queue), item, item, 1);
    return GQ_OK;
}

SY_INLINE enum gq_status gq_sharded_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                               size_t *pushed) {
    *pushed = n;
    if (n > 0) {
        node_chain(items, n);
        gq_sharded_append(gq_sharded_of(queue), items[0], items[n - 1], n);
    }
    return GQ_OK;
}

SY_INLINE size_t gq_sharded_take(struct gq_sharded *q, unsigned index, struct sy_node **items, size_t max) {
    struct gq_sharded_shard *shard = &q->shards[index];
    pthread_mutex_lock(&shard->lock);
    size_t n = node_list_take(&shard->list, items, max);
    if (n > 0) {
        gq_sharded_add_length(shard, (uint64_t)0 - n);
        if (!shard->list.head) {
            au64_fetch_and_relaxed(&q->filled, ~((uint64_t)1 << index)); /* [C] */
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return n;
}

/* Where this thread's next pop begins. */
SY_INLINE unsigned gq_sharded_next_start(const struct gq_sharded *q) {
    gq_sharded_fraction += GQ_SHARDED_GOLDEN;
    return (unsigned)(((gq_sharded_fraction >> 32) * (q->last + 1u)) >> 32);
}

/* The first of a non-empty set of shards that is not before `start`, going round. */
SY_INLINE unsigned gq_sharded_first(uint64_t set, unsigned start) {
    uint64_t from_start = set >> start << start;
    return (unsigned)__builtin_ctzll(from_start ? from_start : set);
}

SY_INLINE enum gq_status gq_sharded_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_sharded *q = gq_sharded_of(queue);
    uint64_t filled = au64_load_relaxed(&q->filled); /* [M] */
    size_t n = 0;
    *got = 0;
    if (filled == 0) {
        return GQ_EMPTY;
    }
    unsigned start = gq_sharded_next_start(q);
    while (filled && n < max) {
        unsigned index = gq_sharded_first(filled, start);
        n += gq_sharded_take(q, index, items + n, max - n);
        filled &= ~((uint64_t)1 << index);
    }
    *got = n;
    if (n > 0) {
        return GQ_OK;
    }
    return au64_load_relaxed(&q->filled) == 0 ? GQ_EMPTY : GQ_RETRY; /* [M] */
}

SY_INLINE bool gq_sharded_is_empty(const struct gq *queue) {
    const struct gq_sharded *q = (const struct gq_sharded *)(const void *)queue;
    return au64_load_relaxed(&q->filled) == 0; /* [M] */
}

/* Exact while few shards hold something; of more it looks at a few and takes the others to be like them. */
SY_INLINE size_t gq_sharded_length(const struct gq *queue) {
    const struct gq_sharded *q = (const struct gq_sharded *)(const void *)queue;
    uint64_t filled = au64_load_relaxed(&q->filled), counted = 0; /* [M] */
    uint64_t shards = (uint64_t)__builtin_popcountll(filled), looked = 0;
    for (; filled && looked < GQ_SHARDED_COUNTED; looked++) {
        unsigned index = gq_sharded_first(filled, (unsigned)(gq_sharded_fraction >> 58) & q->last);
        counted += au64_load_relaxed(&q->shards[index].length); /* [N] */
        filled &= ~((uint64_t)1 << index);
    }
    return looked > 0 ? (size_t)(counted * shards / looked) : 0;
}

__attribute__((unused)) static const struct gq_ops gq_sharded_ops = {
    .name = "gq_sharded",
    .summary = "mutexed lists, one for each pusher as far as they go, and a bitmask of those that hold something",
    .source = "the shape of tokio's sharded injection queue (tokio PRs 7973 and 8483, 2026)",
    .order = "FIFO per producer",
    .progress = "blocking, for each shard; is_empty and the pop of an empty queue wait-free",
    .reclamation = "none needed",
    .cost = "push: 2 RMWs (a lock's), 0 fences, 4 lines, and 1 RMW and 1 line more into an empty shard; pop: 2 RMWs, "
            "0 fences, 4 lines, and 1 RMW more that empties a shard; allocates nothing",
    .caveat = "the length is an estimate where more than 4 shards hold something",
    .bounded = false,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_sharded_create,
    .destroy = gq_sharded_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_sharded_push,
    .push_batch = gq_sharded_push_batch,
    .pop_batch = gq_sharded_pop_batch,
    .is_empty = gq_sharded_is_empty,
    .length = gq_sharded_length,
};

#endif
