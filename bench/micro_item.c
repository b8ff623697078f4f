#include "bench/micro_item.h"

#include <stdlib.h>
#include <string.h>

struct micro_pool *micro_pools_create(unsigned n) {
    struct micro_pool *pools = calloc(n, sizeof *pools);
    for (unsigned i = 0; pools && i < n; i++) {
        size_t bytes = MICRO_POOL * sizeof(struct micro_item);
        pools[i].items = aligned_alloc(SY_CACHE_LINE, bytes);
        if (!pools[i].items) {
            micro_pools_destroy(pools, n);
            return NULL;
        }
        memset(pools[i].items, 0, bytes);
        for (unsigned k = 0; k < MICRO_POOL; k++) {
            pools[i].items[k].producer = i;
        }
    }
    return pools;
}

void micro_pools_destroy(struct micro_pool *pools, unsigned n) {
    for (unsigned i = 0; pools && i < n; i++) {
        free(pools[i].items);
    }
    free(pools);
}

const char *micro_pools_check(const struct micro_pool *pools, unsigned n, uint64_t popped) {
    uint64_t pushed = 0;
    for (unsigned i = 0; i < n; i++) {
        pushed += pools[i].pushed;
        for (unsigned k = 0; k < MICRO_POOL; k++) {
            const struct micro_item *item = &pools[i].items[k];
            if (au64_load_relaxed(&item->taken) != item->sequence) {
                return "an item was lost";
            }
        }
    }
    if (pushed != popped) {
        return popped < pushed ? "an item was lost" : "an item came out twice";
    }
    return NULL;
}
