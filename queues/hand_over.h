/*
 * Tells ThreadSanitizer that an item changes hands, for queues whose own accesses it does not see: those of libraries,
 * in assembly or in a shared object. Nothing in other builds. Where the annotations are all that orders a hand-over for
 * ThreadSanitizer, it reports a race as soon as one of the two is missing: stress/test_weaken.sh builds without the
 * first.
 */
#ifndef STEALYARD_QUEUES_HAND_OVER_H
#define STEALYARD_QUEUES_HAND_OVER_H

#include "queues/atomics.h"

#if defined(SY_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* Before the push of `item`. */
SY_INLINE void hand_over_give(void *item) {
#if defined(SY_TSAN) && !defined(SY_ATOMICS_WEAKEN)
    __tsan_release(item);
#endif
    (void)item;
}

/* After the pop of `item`. */
SY_INLINE void hand_over_take(void *item) {
#if defined(SY_TSAN)
    __tsan_acquire(item);
#endif
    (void)item;
}

#endif
