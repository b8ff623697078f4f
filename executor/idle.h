/*
 * Who is parked and who is searching: one atomic word, and a list of the parked behind a lock that only parking and
 * waking take.
 *
 *   word = parked workers << 32 | searching workers
 *
 * A wake-up costs its sender 7 to 10 µs, so idle_claim wakes nobody unless it must: somebody is parked and nobody is
 * searching. Why no task is ever left behind with a worker parked:
 *
 *   I1 a producer publishes a task, then runs a full barrier, then loads the word (idle_claim's first load)
 *   I2 a parking worker adds itself to the word (seq_cst RMW in idle_park), runs a full barrier, then looks at every
 *      queue once more
 *   I3 a searcher that stops (found something) takes itself off the word (seq_cst RMW in idle_stop_searching), runs a
 *      full barrier and, if it was the last, looks at every queue and wakes another worker if one holds a task
 *
 * By the barriers, of I1 and I2 at least one sees the other: either the producer sees the worker as parked (and, if
 * nobody searches, wakes one), or the worker sees the task and does not sleep. If the producer relied on a searcher
 * (searching > 0) then that searcher's leaving, by I2 or I3, comes after the producer's load in the order of the
 * barriers, so the searcher's last look sees the task. A plain seq_cst load in I1 would not do: the store that
 * published the task may still be in the store buffer.
 *
 * Rejected: an asymmetric fence (asym.h), so that I1 costs a compiler barrier and I2 a membarrier(2). That is 13 µs and
 * more with another thread running, as much as a wake-up or two, at each park, and loads that pass one task to and fro
 * park at nearly each step. Skipping I1's barrier where the word says that nobody is idle is wrong: it is that load
 * that it orders.
 *
 * The tokens: each +1 of `searching` belongs to one worker, which knows it (worker->searching), and each +1 of `parked`
 * to one entry of the list, so the word can neither drift nor wrap.
 */
#ifndef STEALYARD_EXECUTOR_IDLE_H
#define STEALYARD_EXECUTOR_IDLE_H

#include <pthread.h>

#include "queues/atomics.h"

#define IDLE_SEARCHING ((uint64_t)1)
#define IDLE_PARKED ((uint64_t)1 << 32)
#define IDLE_NOBODY UINT32_MAX

struct idle {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 word; /* read by every producer, written on parking and searching only */
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t lock;
    uint32_t *parked; /* a stack: the last to park is warmest and goes first; who waits in the reactor is lowest */
    uint32_t count;
    uint32_t searching_max;
};

int idle_create(struct idle *idle, unsigned workers, unsigned searching_max);
void idle_destroy(struct idle *idle);

/* Whether a wake-up could be needed. A full barrier after the publication must stand before it (I1). */
SY_INLINE bool idle_wants_wake(const struct idle *idle) {
    uint64_t word = au64_load_relaxed(&idle->word);
    return word >= IDLE_PARKED && (uint32_t)word == 0;
}

/* Whether a worker is parked or searching. Without a barrier before it: lately. */
SY_INLINE bool idle_somebody(const struct idle *idle) {
    return au64_load_relaxed(&idle->word) != 0;
}

/* Whether a wake-up could be needed, for a publication by a seq_cst read-modify-write: see worker_put.h, N3. */
SY_INLINE bool idle_wants_wake_now(const struct idle *idle) {
    uint64_t word = au64_load_seq_cst(&idle->word);
    return word >= IDLE_PARKED && (uint32_t)word == 0;
}

/*
 * I1, after the barrier. Chooses the worker to wake, which is on the list no longer and counts as searching; the caller
 * sets its event. IDLE_NOBODY: no wake-up is needed.
 */
uint32_t idle_claim(struct idle *idle);

/* False: enough workers search already. */
bool idle_start_searching(struct idle *idle);

/* Before the look of I3. True: the caller was the last. */
bool idle_stop_searching(struct idle *idle);

/* Puts the worker on the list, at the bottom or on top, and takes its searching token. A full barrier stands after. */
void idle_park(struct idle *idle, uint32_t worker, bool searching, bool bottom);

/*
 * The worker, awake for another reason than idle_claim, takes itself off. `searching` gives it a token in the same
 * step. False: idle_claim was first; the worker counts as searching.
 */
bool idle_unpark(struct idle *idle, uint32_t worker, bool searching);

#endif
