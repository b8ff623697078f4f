/* For tests that poll by hand, on plain threads: a future is polled again when its waker was called, and not before. */
#ifndef STEALYARD_STRESS_SUPPORT_WAIT_H
#define STEALYARD_STRESS_SUPPORT_WAIT_H

#include "support_probe.h"
#include "threads.h"

/* A few turns of a spin loop, so that threads meet in every order. */
static inline void wait_a_moment(uint64_t *random) {
    for (uint64_t spin = check_random(random) % 64; spin > 0; spin--) {
        cpu_relax();
    }
}

/* Who is in no hurry. */
#define WAIT_FOREVER UINT32_MAX

/*
 * Polls until the future is ready, or drops it: after `patience` wake-ups and a moment more, in which the next may
 * come. A wake-up that does not come at all ends in the watchdog. The waker is the thread's; the last wake-up may come
 * after the future has gone, so it lives until all threads are joined.
 */
static inline enum sy_poll wait_poll(const struct sy_future_type *type, void *future, struct counted_waker *waker,
                                     unsigned patience, uint64_t *random) {
    for (;;) {
        struct sy_context cx = counted_context(waker);
        uint32_t wakes = au32_load_acquire(&waker->wakes);
        if (type->poll(future, &cx) == SY_READY) {
            return SY_READY;
        }
        if (patience-- == 0) {
            wait_a_moment(random);
            type->drop(future);
            return SY_PENDING;
        }
        while (au32_load_acquire(&waker->wakes) == wakes) {
            sched_yield();
        }
    }
}

#endif
