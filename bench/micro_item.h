/*
 * The items that the micro-benchmarks move, and the check that each push came out exactly once.
 *
 * Every thread that pushes has a pool of its own and goes round it. An item may be pushed again once it came out: so
 * there is no end to them, as a runtime's tasks are used again, and a producer that runs ahead is held by its pool.
 */
#ifndef STEALYARD_BENCH_MICRO_ITEM_H
#define STEALYARD_BENCH_MICRO_ITEM_H

#include "bench/micro_driver.h"
#include "queues/node.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a pool. Also the most that one thread can have inside. */
enum { MICRO_POOL = 1024 };

struct micro_item {
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_node node; /* first, so node == item */
    uint32_t producer;
    struct au64 taken;    /* the newest sequence number under which it came out; written by whoever took it */
    uint64_t sequence;    /* its producer's count of pushes when it was last pushed: 1, 2, … */
    uint64_t intended_ns; /* when it was to be pushed, where latencies are taken */
};

struct micro_pool {
    struct micro_item *items; /* MICRO_POOL */
    uint64_t pushed;          /* the owner's; read by others when its thread has ended */
};

SY_INLINE struct micro_item *micro_item_of(struct sy_node *node) {
    return (struct micro_item *)(void *)node;
}

/*
 * The next item to push, numbered; NULL: it is still inside. Acquire pairs with micro_item_take: the taker is done with
 * the item.
 */
SY_INLINE struct micro_item *micro_pool_next(const struct micro_pool *pool, uint64_t ahead) {
    uint64_t sequence = pool->pushed + ahead + 1;
    struct micro_item *item = &pool->items[sequence % MICRO_POOL];
    if (au64_load_acquire(&item->taken) != item->sequence) {
        return NULL;
    }
    item->sequence = sequence;
    return item;
}

/* The item did not go in after all. */
SY_INLINE void micro_pool_take_back(struct micro_item *item) {
    item->sequence = au64_load_relaxed(&item->taken);
}

/*
 * Gives an item that came out back to its producer. False: it had come out before. Two that take it at the same moment
 * may both hear "true"; then the sums of micro_pools_check differ.
 */
SY_INLINE bool micro_item_take(struct micro_item *item) {
    uint64_t sequence = item->sequence;
    bool first = au64_load_relaxed(&item->taken) < sequence;
    au64_store_release(&item->taken, sequence);
    return first;
}

/* NULL without memory. */
struct micro_pool *micro_pools_create(unsigned n);
void micro_pools_destroy(struct micro_pool *pools, unsigned n);

/* When all threads have ended and nothing is inside, and `popped` came out in all: NULL, or what is wrong. */
const char *micro_pools_check(const struct micro_pool *pools, unsigned n, uint64_t popped);

#ifdef __cplusplus
}
#endif

#endif
