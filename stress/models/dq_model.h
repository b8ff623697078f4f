/*
 * What the models of the deques share: a few operations on a deque as shipped, in every execution that C11 allows. A
 * model is this file, the deque's header, and a main that calls run_model:
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/dq_<name>.c            (stress/test_models.sh runs it)
 *
 * The owner does what OWNER says, one letter an operation: u pushes, o pops, t takes the oldest. THIEVES threads steal
 * STEALS times each, up to MAX items; with OWN they steal into deques of their own, and pop those empty after each;
 * with ROBBED too the last one steals from the deque of the first, who then may find less there than it brought.
 * PREFILLED items are pushed before the thieves start. What is left is popped at the end. Every item that went in must
 * have come out exactly once, and its contents are plain memory, so that a missing hand-over is a race. With
 * NEVER_EMPTY, for shapes in which more is prefilled than can be taken, no thief and no pop may say "empty", and
 * is_empty must say no. With NEVER_FULL every push must succeed, and one more at the end.
 *
 * reclaim.h is replaced (deferred.h): what is deferred is freed after the threads are joined, the earliest moment at
 * which a thief that was never quiescent lets go.
 */
#ifndef STEALYARD_STRESS_MODELS_DQ_MODEL_H
#define STEALYARD_STRESS_MODELS_DQ_MODEL_H

#ifndef OWNER
#define OWNER uuoo
#endif
#ifndef THIEVES
#define THIEVES 2
#endif
#ifndef STEALS
#define STEALS 1
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef OWN
#define OWN 0
#endif
#ifndef ROBBED
#define ROBBED 0
#endif
#ifndef PREFILLED
#define PREFILLED 0
#endif
#ifndef NEVER_EMPTY
#define NEVER_EMPTY 0
#endif
#ifndef NEVER_FULL
#define NEVER_FULL 0
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef BLOCK
#define BLOCK 2
#endif
#ifndef FIRST
#define FIRST 0
#endif

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define TEXT_OF(word) #word
#define TEXT(macro) TEXT_OF(macro)

#include "deferred.h"

#include "queues/dq.h"

#define ITEMS_MAX 16

struct item {
    struct sy_node node;
    int payload; /* plain, as all below */
    int taken;
};

static const struct dq_ops *ops;
static struct item items[ITEMS_MAX];
static int pushed;
static struct reclaim reclaim;
static struct dq *deque, *owns[THIEVES + 1];

static struct dq *create(void) {
    struct dq_config config; /* field by field: genmc cannot copy a constant struct */
    struct dq *made = NULL;
    config.capacity = CAPACITY;
    config.block = BLOCK;
    config.reclaim = &reclaim;
    config.first = FIRST;
    int error = ops->create(&made, &config);
    assert(error == 0);
    return made;
}

static void push(void) {
    items[pushed].payload = pushed + 1;
    items[pushed].taken = 0;
    enum dq_status status = ops->push(deque, &items[pushed].node);
    assert(status == DQ_OK || (status == DQ_FULL && !NEVER_FULL));
    pushed += status == DQ_OK;
}

static void take(struct sy_node *node) {
    struct item *item = (struct item *)(void *)node;
    assert(item->payload == (int)(item - items) + 1);
    assert(item->taken == 0);
    item->taken = 1;
}

static bool pop(struct dq *from) {
    struct sy_node *node;
    bool found = ops->pop(from, &node) == DQ_OK;
    if (found) {
        take(node);
    }
    return found;
}

static void take_oldest(void) {
    struct sy_node *nodes[MAX];
    size_t n = dq_take_oldest(ops, deque, nodes, MAX);
    assert(n <= MAX);
    for (size_t i = 0; i < n; i++) {
        take(nodes[i]);
    }
}

static void *thief(void *argument) {
    struct dq *own = owns[(long)argument];
    struct dq *victim = ROBBED && (long)argument == THIEVES - 1 ? owns[0] : deque;
    for (int i = 0; i < STEALS; i++) {
        struct sy_node *node;
        size_t moved = 0;
        assert(!NEVER_EMPTY || !ops->is_empty(victim));
        enum dq_status status = ops->steal(victim, own, MAX, &node, &moved);
        assert((status == DQ_OK) == (moved > 0) && moved <= MAX);
        assert(!NEVER_EMPTY || status != DQ_EMPTY);
        if (status == DQ_OK) {
            take(node);
            for (size_t k = 1; k < moved; k++) {
                bool found = pop(own);
                assert(found || ROBBED);
            }
        }
    }
    return NULL;
}

static void own(char operation) {
    if (operation == 'u') {
        push();
    } else if (operation == 'o') {
        bool found = pop(deque);
        assert(found || !NEVER_EMPTY);
    } else {
        take_oldest();
    }
}

static void finish(void) {
    for (int i = 0; i < ITEMS_MAX && pop(deque); i++) {
    }
    if (NEVER_FULL) {
        push();
        bool found = pop(deque);
        assert(found);
    }
    assert(ops->is_empty(deque) && ops->length(deque) == 0);
    for (int i = 0; i < pushed; i++) {
        assert(items[i].taken == 1);
    }
    ops->destroy(deque);
    for (int i = 0; i < THIEVES && OWN; i++) {
        assert(ops->is_empty(owns[i]));
        ops->destroy(owns[i]);
    }
    run_deferred(&reclaim);
}

static void run_model(const struct dq_ops *tested) {
    static const char owner[] = TEXT(OWNER);
    pthread_t threads[THIEVES + 1];
    ops = tested;
    pthread_mutex_init(&reclaim.lock, NULL);
    deque = create();
    for (int i = 0; i < THIEVES && OWN; i++) {
        owns[i] = create();
    }
    for (int i = 0; i < PREFILLED; i++) {
        push();
    }
    assert(pushed == PREFILLED);
    for (long i = 0; i < THIEVES; i++) {
        pthread_create(&threads[i], NULL, thief, (void *)i);
    }
    for (int i = 0; i < (int)sizeof owner - 1; i++) {
        own(owner[i]);
    }
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(threads[i], NULL);
    }
    finish();
}

#endif
