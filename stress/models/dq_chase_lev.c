/*
 * The Chase-Lev deque as shipped, under a model checker: every execution that C11 allows of a few operations.
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/dq_chase_lev.c         (stress/test_models.sh runs it)
 *
 * The owner pushes and pops as OWNER says, one letter an operation (u: push, o: pop); THIEVES threads steal STEALS
 * times each. What is left is popped at the end. Each item must have come out exactly once, and its contents are plain
 * memory, so that a missing hand-over is a race. FIRST_FILLED items are pushed before the thieves start, which makes
 * the array grow while they are at it.
 *
 * reclaim.h is replaced: a model checker has no grace periods. Deferred arrays are freed after the threads are joined,
 * which is the earliest moment at which a thief that was never quiescent lets go.
 */
#ifndef OWNER
#define OWNER uuoo
#endif
#ifndef THIEVES
#define THIEVES 2
#endif
#ifndef STEALS
#define STEALS 1
#endif
#ifndef FIRST_FILLED
#define FIRST_FILLED 0
#endif

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define TEXT_OF(word) #word
#define TEXT(macro) TEXT_OF(macro)

#define STEALYARD_QUEUES_RECLAIM_H

struct reclaim_head {
    struct reclaim_head *next;
    void (*run)(struct reclaim_head *head);
};

struct reclaim {
    struct reclaim_head *deferred;
};

static inline void reclaim_defer(struct reclaim *reclaim, struct reclaim_head *head,
                                 void (*run)(struct reclaim_head *head)) {
    head->run = run;
    head->next = reclaim->deferred;
    reclaim->deferred = head;
}

#include "queues/dq_chase_lev.h"

#define ITEMS_MAX 8

struct item {
    struct sy_node node;
    int payload; /* plain */
    int taken;   /* plain */
};

static struct item items[ITEMS_MAX];
static int pushed;
static struct reclaim reclaim;
static struct dq *deque;

static void push(void) {
    items[pushed].payload = pushed + 1;
    enum dq_status status = dq_chase_lev_push(deque, &items[pushed].node);
    assert(status == DQ_OK);
    pushed++;
}

static void take(struct sy_node *node) {
    struct item *item = (struct item *)(void *)node;
    assert(item->payload == (int)(item - items) + 1);
    assert(item->taken == 0);
    item->taken = 1;
}

static void pop(void) {
    struct sy_node *node;
    if (dq_chase_lev_pop(deque, &node) == DQ_OK) {
        take(node);
    }
}

static void *thief(void *argument) {
    (void)argument;
    for (int i = 0; i < STEALS; i++) {
        struct sy_node *node;
        if (dq_chase_lev_steal_one(dq_chase_lev_of(deque), &node) == DQ_OK) {
            take(node);
        }
    }
    return NULL;
}

static void finish(void) {
    for (int i = 0; i < ITEMS_MAX; i++) {
        pop();
    }
    for (int i = 0; i < pushed; i++) {
        assert(items[i].taken == 1);
    }
    while (reclaim.deferred) {
        struct reclaim_head *head = reclaim.deferred;
        reclaim.deferred = head->next;
        head->run(head);
    }
    dq_chase_lev_destroy(deque);
}

int main(void) {
    static const char owner[] = TEXT(OWNER);
    pthread_t threads[THIEVES];
    struct dq_config config; /* field by field: genmc cannot copy a constant struct */
    config.capacity = 2;
    config.reclaim = &reclaim;
    int status = dq_chase_lev_create(&deque, &config);
    assert(status == 0);
    for (int i = 0; i < FIRST_FILLED; i++) {
        push();
    }
    for (int i = 0; i < THIEVES; i++) {
        pthread_create(&threads[i], NULL, thief, NULL);
    }
    for (int i = 0; i < (int)sizeof owner - 1; i++) {
        if (owner[i] == 'u') {
            push();
        } else {
            pop();
        }
    }
    for (int i = 0; i < THIEVES; i++) {
        pthread_join(threads[i], NULL);
    }
    finish();
    return 0;
}
