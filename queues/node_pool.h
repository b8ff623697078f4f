/*
 * Nodes for queues that need one of their own for each item inside: taken by who pushes, given back once nobody can be
 * reading them any more. In the steady state nothing is allocated, and a node costs one read-modify-write on a line
 * that hardly anyone else wants.
 *
 * Source: magazines (Bonwick and Adams, Magazines and Vmem, USENIX 2001), belonging to the queue instead of to threads:
 * a thread that ends leaves nothing behind, and destroy finds everything.
 *
 * Contract. create and destroy: one thread, before and after everything else.
 *   open, close  any number of threads: a shelf to take nodes from. NULL: another thread has it just now
 *   take         between the two; with no shelf it allocates. NULL: there is no memory
 *   give         one thread at a time, with a node that was taken and that nobody else can reach: what runs after a
 *                grace period (reclaim.h)
 * A free node's first word is its link; all of it belongs to who took it.
 *
 * Progress. Wait-free but for malloc and free: nobody waits for a shelf, so a thread that stalls with one open keeps at
 * most the nodes in it.
 *
 * Memory. Idle nodes: up to NODE_POOL_CHAIN on each of NODE_POOL_SHELVES shelves, as many on each of the
 * NODE_POOL_SPARE racks, and one chain less one with who gives. What comes beyond that is freed.
 *
 * Memory order.
 *   [1] open exchanges `busy`, acquire: pairs with [2], so that one thread after the other has the shelf
 *   [2] close stores `busy`, release
 *   [3] give stores a full chain into an empty rack, release: pairs with [5]. The links, and whatever happened before
 *       the grace period, happen before the nodes are used again. Others only empty racks, so nothing is overwritten
 *   [4] looks whether a rack is empty or full, relaxed: of give because only it fills them, of take a hint for [5]
 *   [5] take exchanges a rack with nothing, acquire. A chain comes or goes as a whole, so there is no ABA
 *   [6] the tickets, relaxed: they only spread threads over shelves
 *   [7] how many racks are full, relaxed: a hint, so that a pool without nodes is not searched for each
 *
 * Rejected: malloc and free for each node (half of the cost of a push: the thread that frees is never the one that
 * allocates); a cache for each thread (it has to be found again at the thread's end, in every queue); a stack of free
 * nodes (a compare-and-swap on a contended line for each).
 */
#ifndef STEALYARD_QUEUES_NODE_POOL_H
#define STEALYARD_QUEUES_NODE_POOL_H

#include "queues/atomics.h"

#include <stdlib.h>

#if defined(SY_MODEL)
#define NODE_POOL_CHAIN 2
#define NODE_POOL_SHELVES 1
#define NODE_POOL_SPARE 1
#else
#define NODE_POOL_CHAIN 128
#define NODE_POOL_SHELVES 16
#define NODE_POOL_SPARE 64
#endif

/* A node while it is free. */
struct node_pool_free {
    struct node_pool_free *next;
};

struct node_pool_shelf {
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 busy;
    struct node_pool_free *first; /* of whoever has made it busy */
};

struct node_pool {
    struct node_pool_shelf shelves[NODE_POOL_SHELVES];
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr spare[NODE_POOL_SPARE]; /* struct node_pool_free *: full chains */
    struct au32 full;                                             /* how many of them: a hint */
    SY_ALIGNAS(SY_CACHE_LINE) struct node_pool_free *rest;        /* of who gives: a chain in the making */
    unsigned rest_length;
    SY_ALIGNAS(SY_CACHE_LINE) size_t node_bytes; /* immutable */
};

__attribute__((weak)) struct au32 node_pool_tickets;
__attribute__((weak)) SY_THREAD_LOCAL uint32_t node_pool_ticket; /* 0: none yet */

static inline void node_pool_create(struct node_pool *pool, size_t node_bytes) {
    for (size_t i = 0; i < NODE_POOL_SHELVES; i++) {
        au32_store_relaxed(&pool->shelves[i].busy, 0);
        pool->shelves[i].first = NULL;
    }
    for (size_t i = 0; i < NODE_POOL_SPARE; i++) {
        aptr_store_relaxed(&pool->spare[i], NULL);
    }
    au32_store_relaxed(&pool->full, 0);
    pool->rest = NULL;
    pool->rest_length = 0;
    pool->node_bytes = node_bytes;
}

static inline void node_pool_free_chain(struct node_pool_free *node) {
    while (node) {
        struct node_pool_free *next = node->next;
        free(node);
        node = next;
    }
}

static inline void node_pool_destroy(struct node_pool *pool) {
    for (size_t i = 0; i < NODE_POOL_SHELVES; i++) {
        node_pool_free_chain(pool->shelves[i].first);
    }
    for (size_t i = 0; i < NODE_POOL_SPARE; i++) {
        node_pool_free_chain((struct node_pool_free *)aptr_load_relaxed(&pool->spare[i]));
    }
    node_pool_free_chain(pool->rest);
}

SY_INLINE struct node_pool_shelf *node_pool_open(struct node_pool *pool) {
    if (node_pool_ticket == 0) {
        node_pool_ticket = au32_fetch_add_relaxed(&node_pool_tickets, 1) + 1; /* [6] */
    }
    struct node_pool_shelf *shelf = &pool->shelves[node_pool_ticket % NODE_POOL_SHELVES];
    return au32_exchange_acquire(&shelf->busy, 1) == 0 ? shelf : NULL; /* [1] */
}

SY_INLINE void node_pool_close(struct node_pool_shelf *shelf) {
    if (shelf) {
        au32_store_release(&shelf->busy, 0); /* [2] */
    }
}

/* Out of line: once in NODE_POOL_CHAIN takes, or where malloc follows. */
__attribute__((noinline, unused)) static struct node_pool_free *node_pool_take_chain(struct node_pool *pool) {
    for (size_t i = 0; i < NODE_POOL_SPARE && au32_load_relaxed(&pool->full) != 0; i++) { /* [7] */
        struct aptr *rack = &pool->spare[i];
        void *chain = aptr_load_relaxed(rack) ? aptr_exchange_acquire(rack, NULL) : NULL; /* [4] [5] */
        if (chain) {
            au32_fetch_sub_relaxed(&pool->full, 1); /* [7] */
            return (struct node_pool_free *)chain;
        }
    }
    return NULL;
}

SY_INLINE void *node_pool_take(struct node_pool *pool, struct node_pool_shelf *shelf) {
    if (!shelf || (!shelf->first && !(shelf->first = node_pool_take_chain(pool)))) {
        return malloc(pool->node_bytes);
    }
    struct node_pool_free *node = shelf->first;
    shelf->first = node->next;
    return node;
}

static inline void node_pool_give(struct node_pool *pool, void *freed) {
    struct node_pool_free *node = (struct node_pool_free *)freed;
    node->next = pool->rest;
    pool->rest = node;
    if (++pool->rest_length < NODE_POOL_CHAIN) {
        return;
    }
    struct node_pool_free *chain = pool->rest;
    pool->rest = NULL;
    pool->rest_length = 0;
    for (size_t i = 0; i < NODE_POOL_SPARE; i++) {
        if (!aptr_load_relaxed(&pool->spare[i])) {      /* [4] */
            aptr_store_release(&pool->spare[i], chain); /* [3] */
            au32_fetch_add_relaxed(&pool->full, 1);     /* [7] */
            return;
        }
    }
    node_pool_free_chain(chain);
}

#endif
