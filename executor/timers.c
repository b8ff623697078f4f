#include "executor/timers.h"

#include <time.h>

#include "executor/runtime.h"

enum { SLEEP_NEW, SLEEP_WAITING, SLEEP_FIRED };

#define FIRE_BATCH 64

uint64_t sy_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void timers_create(struct timers *timers) {
    pthread_mutex_init(&timers->lock, NULL);
    timers->root = NULL;
    timers->wait_until_ns = 0;
    timers->slot = 0;
    au64_store_relaxed(&timers->earliest_ns, TIMERS_NEVER);
}

void timers_destroy(struct timers *timers) {
    pthread_mutex_destroy(&timers->lock);
}

/* The heap: `child` is the first child, `sibling` the next, `previous` the sibling before or the parent. */

static struct sy_sleep *heap_meld(struct sy_sleep *a, struct sy_sleep *b) {
    if (!a || !b) {
        return a ? a : b;
    }
    if (b->deadline_ns < a->deadline_ns) {
        struct sy_sleep *later = a;
        a = b;
        b = later;
    }
    b->sibling = a->child;
    if (b->sibling) {
        b->sibling->previous = b;
    }
    b->previous = a;
    a->child = b;
    return a;
}

/* Melds the siblings that start at `first`: in pairs from the left, then the pairs from the right. */
static struct sy_sleep *heap_meld_siblings(struct sy_sleep *first) {
    struct sy_sleep *pairs = NULL;
    while (first) {
        struct sy_sleep *a = first;
        struct sy_sleep *b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b) {
            b->sibling = NULL;
        }
        struct sy_sleep *pair = heap_meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    struct sy_sleep *root = NULL;
    while (pairs) {
        struct sy_sleep *next = pairs->sibling;
        pairs->sibling = NULL;
        root = heap_meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void heap_set_root(struct timers *timers, struct sy_sleep *root) {
    timers->root = root;
    if (root) {
        root->previous = NULL;
        root->sibling = NULL;
    }
    au64_store_relaxed(&timers->earliest_ns, root ? root->deadline_ns : TIMERS_NEVER); /* a hint: T1 */
}

static void heap_insert(struct timers *timers, struct sy_sleep *sleep) {
    sleep->child = sleep->sibling = sleep->previous = NULL;
    heap_set_root(timers, heap_meld(timers->root, sleep));
}

static void heap_remove(struct timers *timers, struct sy_sleep *sleep) {
    struct sy_sleep *children = heap_meld_siblings(sleep->child);
    if (sleep == timers->root) {
        heap_set_root(timers, children);
        return;
    }
    if (sleep->previous->child == sleep) {
        sleep->previous->child = sleep->sibling;
    } else {
        sleep->previous->sibling = sleep->sibling;
    }
    if (sleep->sibling) {
        sleep->sibling->previous = sleep->previous;
    }
    heap_set_root(timers, heap_meld(timers->root, children));
}

int64_t timers_begin_wait(struct timers *timers, unsigned slot) {
    pthread_mutex_lock(&timers->lock);
    timers->slot = slot;
    int64_t timeout_ns = -1;
    timers->wait_until_ns = TIMERS_NEVER;
    if (timers->root) {
        uint64_t now = sy_now_ns();
        timers->wait_until_ns = timers->root->deadline_ns;
        timeout_ns = timers->wait_until_ns > now ? (int64_t)(timers->wait_until_ns - now) : 0;
    }
    pthread_mutex_unlock(&timers->lock);
    return timeout_ns;
}

void timers_end_wait(struct timers *timers) {
    pthread_mutex_lock(&timers->lock);
    timers->wait_until_ns = 0;
    pthread_mutex_unlock(&timers->lock);
}

/* Takes up to FIRE_BATCH due sleeps off the heap and their wakers with them: once fired, a sleep's memory may go. */
static unsigned take_due(struct timers *timers, uint64_t now, struct sy_waker wakers[FIRE_BATCH]) {
    unsigned n = 0;
    pthread_mutex_lock(&timers->lock);
    while (n < FIRE_BATCH && timers->root && timers->root->deadline_ns <= now) {
        struct sy_sleep *due = timers->root;
        heap_remove(timers, due);
        wakers[n++] = due->waker;
        au32_store_release(&due->state, SLEEP_FIRED); /* T2, with the acquire in sy_sleep_poll and sy_sleep_drop */
    }
    pthread_mutex_unlock(&timers->lock);
    return n;
}

unsigned timers_fire(struct timers *timers) {
    /* T1, relaxed: a sleep that starts now is seen by the next look; who starts one wakes a blocked waiter. */
    uint64_t earliest = au64_load_relaxed(&timers->earliest_ns);
    if (earliest == TIMERS_NEVER) {
        return 0;
    }
    uint64_t now = sy_now_ns();
    unsigned fired = 0;
    while (earliest <= now) {
        struct sy_waker wakers[FIRE_BATCH];
        unsigned n = take_due(timers, now, wakers);
        for (unsigned i = 0; i < n; i++) {
            sy_waker_wake(wakers[i]);
        }
        fired += n;
        if (n < FIRE_BATCH) {
            break;
        }
    }
    return fired;
}

void sy_sleep_init(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t deadline_ns) {
    *sleep = (struct sy_sleep){.runtime = runtime, .deadline_ns = deadline_ns};
    au32_store_relaxed(&sleep->state, SLEEP_NEW);
}

void sy_sleep_init_after(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t duration_ns) {
    uint64_t now = sy_now_ns();
    sy_sleep_init(sleep, runtime, duration_ns < TIMERS_NEVER - now ? now + duration_ns : TIMERS_NEVER);
}

static void sleep_start(struct sy_sleep *sleep, struct timers *timers, struct sy_context *cx) {
    sleep->waker = sy_waker_clone(&cx->waker);
    au32_store_relaxed(&sleep->state, SLEEP_WAITING);
    pthread_mutex_lock(&timers->lock);
    heap_insert(timers, sleep);
    bool earlier = timers->wait_until_ns > sleep->deadline_ns;
    if (earlier) {
        timers->wait_until_ns = sleep->deadline_ns; /* the next one need not wake again */
    }
    unsigned slot = timers->slot;
    pthread_mutex_unlock(&timers->lock);
    if (earlier) {
        driver_wake(&sleep->runtime->driver, slot);
    }
}

enum sy_poll sy_sleep_poll(struct sy_sleep *sleep, struct sy_context *cx) {
    struct timers *timers = &sleep->runtime->driver.timers;
    uint32_t state = au32_load_acquire(&sleep->state); /* T2 */
    if (state == SLEEP_FIRED) {
        return SY_READY;
    }
    if (state == SLEEP_NEW) {
        if (sy_now_ns() >= sleep->deadline_ns) {
            au32_store_relaxed(&sleep->state, SLEEP_FIRED);
            return SY_READY;
        }
        sleep_start(sleep, timers, cx);
        return SY_PENDING;
    }
    struct sy_waker old = {NULL, NULL};
    pthread_mutex_lock(&timers->lock);
    bool fired = au32_load_relaxed(&sleep->state) == SLEEP_FIRED; /* under the lock that T2 is stored under */
    if (!fired && !sy_waker_will_wake(&sleep->waker, &cx->waker)) {
        old = sleep->waker;
        sleep->waker = sy_waker_clone(&cx->waker);
    }
    pthread_mutex_unlock(&timers->lock);
    sy_waker_drop(old);
    return fired ? SY_READY : SY_PENDING;
}

void sy_sleep_drop(struct sy_sleep *sleep) {
    if (au32_load_acquire(&sleep->state) != SLEEP_WAITING) { /* T2 */
        return;
    }
    struct timers *timers = &sleep->runtime->driver.timers;
    struct sy_waker waker = {NULL, NULL};
    pthread_mutex_lock(&timers->lock);
    if (au32_load_relaxed(&sleep->state) == SLEEP_WAITING) {
        heap_remove(timers, sleep);
        waker = sleep->waker;
        au32_store_relaxed(&sleep->state, SLEEP_FIRED);
    }
    pthread_mutex_unlock(&timers->lock);
    sy_waker_drop(waker);
}

void sy_timeout_init(struct sy_timeout *timeout, struct sy_runtime *runtime, uint64_t duration_ns,
                     const struct sy_future_type *type, void *inner) {
    sy_sleep_init_after(&timeout->sleep, runtime, duration_ns);
    timeout->type = type;
    timeout->inner = inner;
    timeout->elapsed = false;
}

static void timeout_drop_inner(struct sy_timeout *timeout) {
    if (timeout->inner && timeout->type->drop) {
        timeout->type->drop(timeout->inner);
    }
    timeout->inner = NULL;
}

enum sy_poll sy_timeout_poll(struct sy_timeout *timeout, struct sy_context *cx) {
    if (!timeout->inner) {
        return SY_READY;
    }
    bool ready = timeout->type->poll(timeout->inner, cx) == SY_READY;
    if (!ready && sy_sleep_poll(&timeout->sleep, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    timeout->elapsed = !ready;
    sy_timeout_drop(timeout);
    return SY_READY;
}

void sy_timeout_drop(struct sy_timeout *timeout) {
    sy_sleep_drop(&timeout->sleep);
    timeout_drop_inner(timeout);
}
