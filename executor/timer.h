/* Time: sleep and timeout. All times are nanoseconds of the monotonic clock. A timer never fires early. */
#ifndef STEALYARD_EXECUTOR_TIMER_H
#define STEALYARD_EXECUTOR_TIMER_H

#include <stdint.h>

#include "executor/future.h"
#include "queues/atomics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The monotonic clock, in nanoseconds. */
uint64_t sy_now_ns(void);

/*
 * A sleep: the caller's memory, at a fixed address from its first poll until it is ready or dropped. It allocates
 * nothing. Fields are the runtime's.
 */
struct sy_sleep {
    struct sy_runtime *runtime;
    uint64_t deadline_ns;
    struct au32 state;     /* idle, waiting, fired */
    uint32_t place;        /* the store of deadlines' (tm.h), as the links below; guarded by the timers' lock */
    struct sy_waker waker; /* guarded by the same lock */
    struct sy_sleep *child;
    struct sy_sleep *sibling;
    struct sy_sleep *previous;
};

void sy_sleep_init(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t deadline_ns);
void sy_sleep_init_after(struct sy_sleep *sleep, struct sy_runtime *runtime, uint64_t duration_ns);
enum sy_poll sy_sleep_poll(struct sy_sleep *sleep, struct sy_context *cx);
void sy_sleep_drop(struct sy_sleep *sleep); /* cancels; needed unless it was ready or never polled; harmless then */

/*
 * A timeout around another future, which stays the caller's memory. It drops the inner future exactly once: when it is
 * ready, when the time is up, or when the timeout itself is dropped.
 */
struct sy_timeout {
    struct sy_sleep sleep;
    const struct sy_future_type *type;
    void *inner;  /* NULL once dropped */
    bool elapsed; /* valid when ready: the time was up first */
};

void sy_timeout_init(struct sy_timeout *timeout, struct sy_runtime *runtime, uint64_t duration_ns,
                     const struct sy_future_type *type, void *inner);
enum sy_poll sy_timeout_poll(struct sy_timeout *timeout, struct sy_context *cx);
void sy_timeout_drop(struct sy_timeout *timeout);

#ifdef __cplusplus
}
#endif

#endif
