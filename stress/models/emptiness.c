/*
 * The word of emptiness.h as shipped, around the simplest queue that its contract admits, under a model checker: every
 * execution that C11 allows of a few operations.
 *
 *     genmc --rc11 -- -DSY_MODEL -I. stress/models/emptiness.c          (stress/test_models.sh runs it)
 *
 * Each of PUSHERS threads puts an item into a slot of its own, POPPERS threads pop POPS times each, and one would sleep
 * if it is told that the queue is empty. Before they start an item has come and gone, so the word says "some". Then:
 *   - a pusher that finds "empty" after its push finds its slot taken;
 *   - if the sleeper finds "empty" and a pusher does not see it, with full barriers between on both sides, that one's
 *     item is not left inside;
 *   - at the end a pop that nobody disturbs makes the word say "empty".
 *
 * With NOW the items are published and looked at by seq_cst operations, and the pusher has no barrier.
 */
#ifndef PUSHERS
#define PUSHERS 1
#endif
#ifndef POPPERS
#define POPPERS 2
#endif
#ifndef POPS
#define POPS 1
#endif
#ifndef NOW
#define NOW 0
#endif

#include <assert.h>
#include <pthread.h>

#include "queues/emptiness.h"

enum { NOTHING, INSIDE, TAKEN };

static struct emptiness emptiness;
static struct au32 slots[PUSHERS];
static struct au32 asleep;
static int sleeper_would_sleep, sleeper_was_seen[PUSHERS]; /* plain: read after the threads are joined */

static void push(int slot) {
    if (NOW) {
        au32_exchange_seq_cst(&slots[slot], INSIDE);
        emptiness_pushed_now(&emptiness);
    } else {
        au32_store_release(&slots[slot], INSIDE);
        fence_seq_cst();
        emptiness_pushed(&emptiness);
    }
}

static bool take(void) {
    bool taken = false;
    for (int i = 0; i < PUSHERS && !taken; i++) {
        uint32_t seen = NOW ? au32_load_seq_cst(&slots[i]) : au32_load_relaxed(&slots[i]);
        taken = seen == INSIDE && au32_cas_acq_rel(&slots[i], &seen, TAKEN);
    }
    return taken;
}

/* False: empty. */
static bool pop(void) {
    if (emptiness_holds(&emptiness)) {
        return false;
    }
    if (take()) {
        return true;
    }
    uint64_t round = emptiness_suspect(&emptiness);
    if (take()) {
        return true;
    }
    fence_seq_cst(); /* not the word's: so that who reads the word sees what was seen here */
    return !emptiness_conclude(&emptiness, round);
}

static void *pusher(void *argument) {
    int slot = (int)(long)argument;
    push(slot);
    if (emptiness_holds(&emptiness)) {
        fence_seq_cst(); /* as above */
        assert(au32_load_relaxed(&slots[slot]) == TAKEN);
    }
    fence_seq_cst();
    sleeper_was_seen[slot] = au32_load_relaxed(&asleep) != 0;
    return NULL;
}

static void *popper(void *argument) {
    (void)argument;
    for (int i = 0; i < POPS; i++) {
        pop();
    }
    return NULL;
}

static void *sleeper(void *argument) {
    (void)argument;
    au32_store_relaxed(&asleep, 1);
    fence_seq_cst();
    sleeper_would_sleep = emptiness_holds(&emptiness);
    return NULL;
}

int main(void) {
    pthread_t threads[PUSHERS + POPPERS + 1];
    emptiness_init(&emptiness, 0);
    fence_seq_cst();
    emptiness_pushed(&emptiness);
    for (long i = 0; i < PUSHERS + POPPERS + 1; i++) {
        void *(*run)(void *) = i < PUSHERS ? pusher : i < PUSHERS + POPPERS ? popper : sleeper;
        pthread_create(&threads[i], NULL, run, (void *)i);
    }
    for (int i = 0; i < PUSHERS + POPPERS + 1; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < PUSHERS; i++) {
        uint32_t state = au32_load_relaxed(&slots[i]);
        assert(state == TAKEN || !sleeper_would_sleep || sleeper_was_seen[i]);
        assert(state == TAKEN || !emptiness_holds(&emptiness));
    }
    while (pop()) {
    }
    assert(emptiness_holds(&emptiness));
    return 0;
}
