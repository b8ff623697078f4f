/*
 * The items that the micro-benchmarks move, and the books that show that each came out exactly once.
 *
 * Every thread that pushes has a pool of its own and goes round it, as a runtime uses its tasks' memory again. Between
 * two clock readings nobody reads or writes an item but the structure that it is in: an item is known by its address,
 * and who takes it makes a note in books of his own. (An item that is read by its taker and written by its producer
 * crosses between their caches twice, which costs ten times what a good queue does.)
 *
 * A push has a *position*: its producer's count of pushes, from 0. The pool has two halves. A producer enters a half
 * when all that it pushed from there a round ago was taken and noted, so the items outside are of two halves at most,
 * and the address and the number of the newest half entered give the position.
 *
 * I1 a producer enters a half: store release of `half`, before any push from it; the queue hands that on with the item.
 * I2 a taker loads `half`: it is that of the item or the one after, because the one after that cannot be entered before
 *    I3.
 * I3 a taker notes the item: store release of of_half, by its only writer. I4, the producer's acquire load, pairs with
 *    it: who took the item is done with it, so its link may be written again.
 */
#ifndef STEALYARD_BENCH_MICRO_ITEM_H
#define STEALYARD_BENCH_MICRO_ITEM_H

#include "bench/micro_driver.h"
#include "queues/node.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Items of a pool. A thread has no more than this inside, and can always have half of it. */
enum { MICRO_POOL = 2048, MICRO_HALF = MICRO_POOL / 2 };

struct micro_item {
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_node node; /* first, so node == item */
    uint64_t intended_ns;                          /* when it was to be pushed; only where latencies are taken */
};

struct micro_pool {
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t pushed;  /* the owner's; read by others when its thread has ended */
    uint64_t open;                              /* the position at which the next half begins; the owner's */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 half; /* the number of the newest half entered */
};

/* What one taker took from one pool. Only the taker writes it. */
struct micro_book {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 of_half[2]; /* items, by half, of all rounds */
    uint64_t next;                                    /* the position after the newest one taken */
    uint64_t squares;                                 /* the sum of (position + 1)², modulo 2⁶⁴ */
};

struct micro_items {
    unsigned pools_n;
    unsigned takers;
    struct micro_item *items; /* pool after pool */
    struct micro_pool *pools;
    struct micro_book *books; /* for each taker, one for each pool */
};

SY_INLINE struct micro_item *micro_item_of(struct sy_node *node) {
    return (struct micro_item *)(void *)node;
}

/* The item of a position. */
SY_INLINE struct micro_item *micro_item_at(const struct micro_items *items, unsigned pool, uint64_t position) {
    return &items->items[(size_t)pool * MICRO_POOL + position % MICRO_POOL];
}

/* The pool's owner enters its next half; false: items of it are still inside. */
bool micro_pool_enter(struct micro_items *items, unsigned pool);

/* How many of up to `n` next items are there, side by side from micro_pool_next on; 0: the next may still be inside. */
SY_INLINE size_t micro_pool_ready(struct micro_items *items, unsigned pool, size_t n) {
    struct micro_pool *p = &items->pools[pool];
    if (p->pushed == p->open && !micro_pool_enter(items, pool)) {
        return 0;
    }
    return n < p->open - p->pushed ? n : (size_t)(p->open - p->pushed);
}

/* The next item to push. Counts nothing: add to `pushed` what went in. */
SY_INLINE struct micro_item *micro_pool_next(const struct micro_items *items, unsigned pool) {
    return micro_item_at(items, pool, items->pools[pool].pushed);
}

enum micro_taken { MICRO_IN_ORDER, MICRO_REORDERED, MICRO_STRANGER }; /* the worse, the later */

/* Of `n` items that came out at once: how many of the first lie side by side in a half, hence were pushed in a row. */
SY_INLINE size_t micro_items_run(struct sy_node *const *nodes, uint64_t index, size_t n) {
    size_t room = MICRO_HALF - index % MICRO_HALF, run = 1;
    while (run < n && run < room && micro_item_of(nodes[run]) == micro_item_of(nodes[run - 1]) + 1) {
        run++;
    }
    return run;
}

/* The sum of the squares from first² on, n of them. */
SY_INLINE uint64_t micro_squares(uint64_t first, uint64_t n) {
    return n * first * first + first * n * (n - 1) + (n - 1) * n * (2 * n - 1) / 6;
}

/* Notes that a run of items came out: whether after all that this taker had of their producer, or before. */
SY_INLINE enum micro_taken micro_items_note(struct micro_items *items, unsigned taker, uint64_t index, size_t run) {
    uint64_t pool = index / MICRO_POOL, side = index / MICRO_HALF % 2;
    struct micro_book *book = &items->books[(size_t)taker * items->pools_n + pool];
    uint64_t half = au64_load_acquire(&items->pools[pool].half); /* I2 */
    half -= (half ^ side) & 1;
    uint64_t position = half * MICRO_HALF + index % MICRO_HALF;
    enum micro_taken taken = position < book->next ? MICRO_REORDERED : MICRO_IN_ORDER;
    book->next = position + run;
    book->squares += micro_squares(position + 1, run);
    au64_store_release(&book->of_half[side], au64_load_relaxed(&book->of_half[side]) + run); /* I3 */
    return taken;
}

/* Notes that items came out, and tells the worst of it. MICRO_STRANGER: one is none of the items. */
SY_INLINE enum micro_taken micro_items_take(struct micro_items *items, unsigned taker, struct sy_node *const *nodes,
                                            size_t n) {
    enum micro_taken worst = MICRO_IN_ORDER;
    for (size_t i = 0, run; i < n; i += run) {
        uint64_t index = ((uintptr_t)nodes[i] - (uintptr_t)items->items) / sizeof *items->items;
        if (index / MICRO_POOL >= items->pools_n) {
            return MICRO_STRANGER;
        }
        run = micro_items_run(nodes + i, index, n - i);
        enum micro_taken taken = micro_items_note(items, taker, index, run);
        worst = taken > worst ? taken : worst;
    }
    return worst;
}

/* False without memory; destroy in any case. `items` is all zero before. */
bool micro_items_create(struct micro_items *items, unsigned pools, unsigned takers);
void micro_items_destroy(struct micro_items *items);

/* When all threads have ended and nothing is inside, and `popped` came out in all: NULL, or what is wrong. */
const char *micro_items_check(const struct micro_items *items, uint64_t popped);

#ifdef __cplusplus
}
#endif

#endif
