/*
 * The pool of nodes as shipped, under a model checker: every execution that C11 allows.
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/node_pool.c          (stress/test_models.sh runs it)
 *
 * One thread gives GIVEN nodes back, TAKERS threads take one each, with chains of two nodes, one rack and one shelf. A
 * node's contents are plain memory, so that a node that two have, or that comes without what its giver did, is a race;
 * nothing is freed twice, and in the end the count of full racks is right.
 */
#ifndef TAKERS
#define TAKERS 2
#endif
#ifndef GIVEN
#define GIVEN 2
#endif

#include <assert.h>
#include <pthread.h>

#include "queues/node_pool.h"

struct owned {
    struct node_pool_free link;
    long owner; /* plain */
};

static struct node_pool pool;
static struct owned *given[GIVEN];

static void *giver(void *argument) {
    for (int i = 0; i < GIVEN; i++) {
        given[i]->owner = -1;
        node_pool_give(&pool, given[i]);
    }
    return argument;
}

static void *taker(void *argument) {
    struct node_pool_shelf *shelf = node_pool_open(&pool);
    struct owned *node = node_pool_take(&pool, shelf);
    node_pool_close(shelf);
    node->owner = (long)argument;
    assert(node->owner == (long)argument);
    free(node);
    return NULL;
}

int main(void) {
    pthread_t threads[TAKERS + 1];
    node_pool_create(&pool, sizeof(struct owned));
    for (int i = 0; i < GIVEN; i++) {
        given[i] = malloc(sizeof *given[i]);
    }
    for (long i = 0; i <= TAKERS; i++) {
        pthread_create(&threads[i], NULL, i < TAKERS ? taker : giver, (void *)i);
    }
    for (int i = 0; i <= TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert(au32_load_relaxed(&pool.full) == (aptr_load_relaxed(&pool.spare[0]) != NULL));
    node_pool_destroy(&pool);
    return 0;
}
