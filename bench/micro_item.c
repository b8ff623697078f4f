#include "bench/micro_item.h"

#include <stdlib.h>
#include <string.h>

/* Memory of its own cache lines, all zero. */
static void *lines(size_t n, size_t size) {
    void *memory = aligned_alloc(SY_CACHE_LINE, n * size);
    return memory ? memset(memory, 0, n * size) : NULL;
}

bool micro_items_create(struct micro_items *items, unsigned pools, unsigned takers) {
    items->pools_n = pools;
    items->takers = takers;
    items->items = lines((size_t)pools * MICRO_POOL, sizeof *items->items);
    items->pools = lines(pools, sizeof *items->pools);
    items->books = lines((size_t)takers * pools, sizeof *items->books);
    return items->items && items->pools && items->books;
}

void micro_items_destroy(struct micro_items *items) {
    free(items->items);
    free(items->pools);
    free(items->books);
}

static uint64_t taken_of_half(const struct micro_items *items, unsigned pool, unsigned side) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < items->takers; i++) {
        sum += au64_load_acquire(&items->books[(size_t)i * items->pools_n + pool].of_half[side]); /* I4 */
    }
    return sum;
}

bool micro_pool_enter(struct micro_items *items, unsigned pool) {
    struct micro_pool *p = &items->pools[pool];
    uint64_t half = p->open / MICRO_HALF;
    if (taken_of_half(items, pool, half % 2) != half / 2 * MICRO_HALF) {
        return false;
    }
    au64_store_release(&p->half, half); /* I1 */
    p->open += MICRO_HALF;
    return true;
}

static const char *check_pool(const struct micro_items *items, unsigned pool) {
    uint64_t pushed = items->pools[pool].pushed, squares = 0;
    uint64_t taken = taken_of_half(items, pool, 0) + taken_of_half(items, pool, 1);
    for (unsigned i = 0; i < items->takers; i++) {
        squares += items->books[(size_t)i * items->pools_n + pool].squares;
    }
    for (uint64_t position = 1; position <= pushed; position++) {
        squares -= position * position;
    }
    if (taken != pushed) {
        return taken < pushed ? "an item was lost" : "an item came out twice";
    }
    return squares == 0 ? NULL : "an item came out twice and another was lost";
}

const char *micro_items_check(const struct micro_items *items, uint64_t popped) {
    uint64_t pushed = 0;
    for (unsigned i = 0; i < items->pools_n; i++) {
        const char *failure = check_pool(items, i);
        if (failure) {
            return failure;
        }
        pushed += items->pools[i].pushed;
    }
    return pushed == popped ? NULL : "the operations were miscounted";
}
