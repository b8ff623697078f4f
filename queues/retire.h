/*
 * Retiring many small things with few grace periods: a queue keeps what it has retired in whatever form costs nothing,
 * and says now and then that there is some. One stretch at a time is set aside, waited for and released; while there is
 * work the helper of reclaim.h goes on by itself, so that those who retire are woken for nothing and take no lock.
 *
 * Source: ours, on reclaim.h.
 *
 * Contract. create and destroy: one thread, before and after everything else.
 *   retire_knock  any thread, now and then: that more may have been retired. What it has retired itself is seen
 *   collect       called by one at a time: sets aside what nobody who comes new can reach, or says that it is too
 *                 little yet; it must say so where there is nothing. Afterwards, and after a grace period:
 *   release       frees that, or uses it again; one at a time, too
 * After a knock, and once the helper has come round, no more is left than collect calls too little.
 *
 * Where the helper could not be made each knock tries again: there is one deferral at a time, so no other defer would.
 *
 * Progress. retire_knock: wait-free but for collect, and for reclaim_defer's short lock where nobody is at work: then
 * there is only the helper to wait for; reclaim_urge's, as long as there is none. A thread that stalls in it stalls
 * reclamation, and nothing else.
 *
 * Memory order. `knocks` counts the knocks since somebody has been at work; who makes it 1 is at work, and hands that
 * on to the helper with the deferral.
 *   [1] knock counts up: release, pairs with [2] and the failing [3]: what was retired before
 *   [2] who is at work loads it before the look: acquire, pairs with [1], and with [3], whose release sequence the own
 *       [1] goes on with: the fields of collect and release
 *   [3] who finds too little leaves by compare-and-swap to 0: release, pairs with [2]. It fails where somebody has
 *       knocked since the last look (acquire, pairs with [1]), and so no knock is lost. Not with 2^32 knocks during a
 *       look
 */
#ifndef STEALYARD_QUEUES_RETIRE_H
#define STEALYARD_QUEUES_RETIRE_H

#include "queues/reclaim.h"

struct retire {
    struct reclaim_head deferred; /* first, so a head is its retire */
    struct reclaim *reclaim;
    bool (*collect)(struct retire *retire);
    void (*release)(struct retire *retire);
    struct au32 knocks;
};

/* 0 or -ENOMEM. */
static inline int retire_create(struct retire *retire, bool (*collect)(struct retire *retire),
                                void (*release)(struct retire *retire)) {
    retire->collect = collect;
    retire->release = release;
    au32_store_relaxed(&retire->knocks, 0);
    return reclaim_create(&retire->reclaim);
}

/* Releases what was set aside. What is left, too little or not, is the caller's. */
static inline void retire_destroy(struct retire *retire) {
    reclaim_destroy(retire->reclaim);
}

/* Who is at work. False: nobody is any more. */
static inline bool retire_collect(struct retire *retire) {
    uint32_t knocks = au32_load_acquire(&retire->knocks); /* [2] */
    while (!retire->collect(retire)) {
        if (au32_cas_acq_rel(&retire->knocks, &knocks, 0)) { /* [3] */
            return false;
        }
    }
    return true;
}

/* On the helper, after a grace period. */
static inline void retire_run(struct reclaim_head *deferred) {
    struct retire *retire = (struct retire *)(void *)deferred;
    retire->release(retire);
    while (retire_collect(retire)) {
        reclaim_wait_for_readers();
        retire->release(retire);
    }
}

__attribute__((noinline, unused)) static void retire_knock(struct retire *retire) {
    if (au32_fetch_add_release(&retire->knocks, 1) != 0) { /* [1] */
        reclaim_urge(retire->reclaim);
    } else if (retire_collect(retire)) {
        reclaim_defer(retire->reclaim, &retire->deferred, retire_run);
    }
}

#endif
