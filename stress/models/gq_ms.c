/*
 * The queue of Michael and Scott as shipped, under a model checker: see gq_model.h. Its nodes come from malloc and go
 * back to free, where a use of them that comes too late is found; the pool has a model of its own, node_pool.c.
 */
#include "gq_model.h"

#define STEALYARD_QUEUES_NODE_POOL_H

struct node_pool_shelf;

struct node_pool {
    size_t node_bytes;
};

static inline void node_pool_create(struct node_pool *pool, size_t node_bytes) {
    pool->node_bytes = node_bytes;
}

static inline void node_pool_destroy(struct node_pool *pool) {
    (void)pool;
}

static inline struct node_pool_shelf *node_pool_open(struct node_pool *pool) {
    (void)pool;
    return NULL;
}

static inline void node_pool_close(struct node_pool_shelf *shelf) {
    (void)shelf;
}

static inline void *node_pool_take(struct node_pool *pool, struct node_pool_shelf *shelf) {
    (void)shelf;
    return malloc(pool->node_bytes);
}

static inline void node_pool_give(struct node_pool *pool, void *freed) {
    (void)pool;
    free(freed);
}

#include "queues/gq_ms.h"

int main(void) {
    run_model(&gq_ms_ops);
    return 0;
}
