/*
 * A place for one waker: one thread at a time registers, any number wake. Nobody waits for anybody.
 *
 *   state = 0, or REGISTERING, WAKING, or both; who moved it away from 0 owns `waker` until it is 0 again
 *
 *   W1 register: cas acquire 0 → REGISTERING. Pairs with W3's and W4's release: what a waker did before it woke is seen
 *      by a registrant that comes after, so the registrant's second look at its condition finds it.
 *   W2 register: cas acq_rel REGISTERING → 0 hands `waker` to W3. It fails if a wake came in between, which left its
 *      job to the registrant: the registrant takes the waker back and wakes it.
 *   W3 wake: fetch_or acq_rel WAKING. Before W2: as above. After: sees the waker (W2's release).
 *   W4 wake: fetch_and release, gives the slot back.
 *
 * The caller's duty: publish the condition, then wake; register, then look at the condition again. All four are
 * read-modify-writes of one word, so each wake is before or after each registration, and neither order loses it.
 * Source: the construction is that of Rust's futures crate (AtomicWaker, 2018).
 */
#ifndef STEALYARD_EXECUTOR_WAKER_SLOT_H
#define STEALYARD_EXECUTOR_WAKER_SLOT_H

#include "queues/atomics.h"
#include "reactor/waker.h"

#define WAKER_SLOT_REGISTERING 1u
#define WAKER_SLOT_WAKING 2u

struct waker_slot {
    struct au32 state;
    struct sy_waker waker;
};

SY_INLINE void waker_slot_init(struct waker_slot *slot) {
    au32_store_relaxed(&slot->state, 0);
    slot->waker = (struct sy_waker){NULL, NULL};
}

/* With everybody gone. */
SY_INLINE void waker_slot_destroy(struct waker_slot *slot) {
    sy_waker_drop(slot->waker);
}

static inline void waker_slot_register(struct waker_slot *slot, const struct sy_waker *waker) {
    uint32_t expected = 0;
    if (!au32_cas_acquire(&slot->state, &expected, WAKER_SLOT_REGISTERING)) { /* W1 */
        sy_waker_wake_by_ref(waker); /* a wake is under way: it was for this one */
        return;
    }
    struct sy_waker old = {NULL, NULL};
    if (!sy_waker_will_wake(&slot->waker, waker)) {
        old = slot->waker;
        slot->waker = sy_waker_clone(waker);
    }
    expected = WAKER_SLOT_REGISTERING;
    if (!au32_cas_acq_rel(&slot->state, &expected, 0)) { /* W2 */
        struct sy_waker mine = slot->waker;
        slot->waker = (struct sy_waker){NULL, NULL};
        au32_exchange_acq_rel(&slot->state, 0); /* W2 */
        sy_waker_wake(mine);
    }
    sy_waker_drop(old);
}

static inline void waker_slot_wake(struct waker_slot *slot) {
    if (au32_fetch_or_acq_rel(&slot->state, WAKER_SLOT_WAKING) != 0) { /* W3 */
        return;
    }
    struct sy_waker waker = slot->waker;
    slot->waker = (struct sy_waker){NULL, NULL};
    au32_fetch_and_release(&slot->state, ~WAKER_SLOT_WAKING); /* W4 */
    if (waker.vtable) {
        sy_waker_wake(waker);
    }
}

#endif
