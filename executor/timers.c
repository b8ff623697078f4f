#include "executor/timers.h"

#include <errno.h>
#include <time.h>

#include "executor/parts.h"
#include "executor/runtime.h"

enum { SLEEP_NEW, SLEEP_WAITING, SLEEP_FIRED };

#define FIRE_BATCH 64

uint64_t sy_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int timers_create(struct timers *timers, const char *store) {
    timers->ops = part_timers(store);
    if (!timers->ops) {
        return -EINVAL;
    }
    int error = timers->ops->create(&timers->store);
    if (error) {
        return error;
    }
    pthread_mutex_init(&timers->lock, NULL);
    timers->wait_until_ns = 0;
    timers->slot = 0;
    au64_store_relaxed(&timers->earliest_ns, TM_NEVER);
    return 0;
}

void timers_destroy(struct timers *timers) {
    timers->ops->destroy(timers->store);
    pthread_mutex_destroy(&timers->lock);
}

/* Under the lock. */
static uint64_t publish_earliest(struct timers *timers) {
    uint64_t earliest = timers->ops->earliest(timers->store);
    au64_store_relaxed(&timers->earliest_ns, earliest); /* a hint: T1 */
    return earliest;
}

int64_t timers_begin_wait(struct timers *timers, unsigned slot) {
    pthread_mutex_lock(&timers->lock);
    timers->slot = slot;
    int64_t timeout_ns = -1;
    timers->wait_until_ns = publish_earliest(timers);
    if (timers->wait_until_ns != TM_NEVER) {
        uint64_t now = sy_now_ns();
        uint64_t left = timers->wait_until_ns > now ? timers->wait_until_ns - now : 0;
        timeout_ns = left < INT64_MAX ? (int64_t)left : INT64_MAX;
    }
    pthread_mutex_unlock(&timers->lock);
    return timeout_ns;
}

void timers_end_wait(struct timers *timers) {
    pthread_mutex_lock(&timers->lock);
    timers->wait_until_ns = 0;
    pthread_mutex_unlock(&timers->lock);
}

struct due {
    struct sy_waker wakers[FIRE_BATCH];
    size_t n;
    uint64_t earliest_ns; /* of those that are left */
};

/* Takes up to FIRE_BATCH due sleeps out and their wakers with them: once fired, a sleep's memory may go. */
static void take_due(struct timers *timers, uint64_t now_ns, struct due *due) {
    struct sy_sleep *sleeps[FIRE_BATCH];
    pthread_mutex_lock(&timers->lock);
    due->n = timers->ops->take_due(timers->store, now_ns, sleeps, FIRE_BATCH);
    for (size_t i = 0; i < due->n; i++) {
        due->wakers[i] = sleeps[i]->waker;
        au32_store_release(&sleeps[i]->state, SLEEP_FIRED); /* T2, with the acquire in sy_sleep_poll and _drop */
    }
    due->earliest_ns = publish_earliest(timers);
    pthread_mutex_unlock(&timers->lock);
}

unsigned timers_fire(struct timers *timers) {
    /* T1, relaxed: a sleep that starts now is seen by the next look; who starts one wakes a blocked waiter. */
    uint64_t earliest = au64_load_relaxed(&timers->earliest_ns);
    if (earliest == TM_NEVER) {
        return 0;
    }
    uint64_t now = sy_now_ns();
    size_t fired = 0;
    while (earliest <= now) {
        struct due due;
        take_due(timers, now, &due);
        for (size_t i = 0; i < due.n; i++) {
            sy_waker_wake(due.wakers[i]);
        }
        fired += due.n;
        earliest = due.earliest_ns;
    }
    return (unsigned)fired;
}

void sy_sleep_init(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t deadline_ns) {
    *sleep = (struct sy_sleep){.runtime = runtime, .deadline_ns = deadline_ns};
    au32_store_relaxed(&sleep->state, SLEEP_NEW);
}

void sy_sleep_init_after(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t duration_ns) {
    uint64_t now = sy_now_ns();
    sy_sleep_init(sleep, runtime, duration_ns < TM_NEVER - now ? now + duration_ns : TM_NEVER);
}

static void sleep_start(struct sy_sleep *sleep, struct timers *timers, uint64_t now_ns, struct sy_context *cx) {
    sleep->waker = sy_waker_clone(&cx->waker);
    au32_store_relaxed(&sleep->state, SLEEP_WAITING);
    pthread_mutex_lock(&timers->lock);
    timers->ops->insert(timers->store, sleep, now_ns);
    if (sleep->deadline_ns < au64_load_relaxed(&timers->earliest_ns)) { /* T1; written under this lock */
        au64_store_relaxed(&timers->earliest_ns, sleep->deadline_ns);
    }
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
        uint64_t now = sy_now_ns();
        if (now >= sleep->deadline_ns) {
            au32_store_relaxed(&sleep->state, SLEEP_FIRED);
            return SY_READY;
        }
        sleep_start(sleep, timers, now, cx);
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
        timers->ops->remove(timers->store, sleep);
        if (sleep->deadline_ns <= au64_load_relaxed(&timers->earliest_ns)) { /* T1; a hint that is too early may stay */
            publish_earliest(timers);
        }
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
