/*
 * Readiness of one direction of a source, with the waker that waits for it. See rx_ready.h.
 *
 * Source: a tick that tells a fresh edge from an old one is tokio's (runtime/io/scheduled_io.rs, 2020), a generation
 * against stale events libev's (Lehmann, 2007). Ours: readiness, tick, generation and the state of the waker share one
 * word, and two alternating slots keep the poller and the waiter from ever waiting for each other.
 *
 * Progress: a poll makes its call again only if an edge came during the call; an edge tries again only if the poller
 * changed the word in between. Neither waits for a stalled thread.
 *
 * The word:
 *
 *     READY    an edge came, and no call has found the direction empty since
 *     STORED   the slot that SLOT names holds a waker; never together with READY
 *     SLOT     which of the two slots is stored, or is the next to be stored
 *     OWNED    an operation is armed here: it alone stores, and a second one gets -EBUSY
 *     KEEP     end of stream, an error or urgent data was told: a short count proves nothing
 *     SHUT     the source is being closed
 *     GIVEN_UP the armed operation is to end, by the owner's wish
 *     APART    the slots are allocated when an owner first stores; before STORED is on, only the owner looks for them
 *     generation (16 bits)   of the source; an edge of another generation does nothing
 *     tick (40 bits)         counts edges: a word that did not change means that no edge came
 *
 * Accesses, numbered. Every change is a read-modify-write, so each continues the release sequences of those before it:
 * whoever acquires a later value synchronises with all earlier releases.
 *
 *  (1) poll: load acquire, before the call. Partner (4). Suppose the call finds nothing, and data comes. Its edge (4)
 *      cannot be in the value that was loaded: the acquire would have made the data visible to the call. So the edge
 *      falls between (1) and (3), and (3) fails and the call is made again; or after (3), and finds STORED. Only cause
 *      and effect is used, no order of a store before a load: that is why no access here is seq_cst.
 *  (2) poll: CAS acquire, sets OWNED. Partner (6): the previous owner has left the slots.
 *  (3) poll: CAS release, READY off and STORED on in one step. Partner (4), which reads the slot.
 *  (4) edge: CAS acq_rel: READY on, tick + 1; if a waker was there, STORED off and SLOT turned, and the waker with the
 *      slot's reference is this thread's. Acquire: partner (3). Release: partner (1), for the data, and for the slots:
 *      the next store writes the other slot, and its last reader is done, being the waiter that took it before it took
 *      this one (one thread waits at a time). Reader and writer of a slot never meet.
 *  (5) poll, cancel: CAS relaxed, STORED off. The slot was written by this owner, and an edge reads it only after (4)
 *      has taken it: success means that none has.
 *  (6) poll, cancel: and acq_rel, OWNED off. Release: partners (2) and (10). Acquire: partner (10); whoever finds SHUT
 *      is the last in this direction and closes with what the closer did in view.
 *  (7) poll: CAS relaxed, READY off after a short count. It publishes nothing; an edge since (1) makes it fail.
 *  (8) close: CAS relaxed: next generation, all flags but SLOT and APART off. Whoever uses the memory next is ordered
 *      after it by the lock of rx_slab.c. SLOT stays, as the waiter may still be reading the other slot.
 *  (9) forget_hangup: and relaxed. Publishes nothing.
 * (10) shut: CAS acq_rel, SHUT and READY on, and a stored waker taken as by (4). Exactly one of (6) and (10) finds the
 *      other done: either OWNED was off here, or (6) sees SHUT. Acquire: partner (6), for the close that may follow.
 *
 * Where the kernel carries the operation out, a request is under way while OWNED is on and READY is off; READY is the
 * answer, and KEEP that there is more to receive. The poll's loads and stores are (1), (2) and (3).
 *
 * (11) answer: CAS acq_rel as (4), READY on, with op->result and what the kernel wrote for (1). Several threads reap,
 *      but one after the other, by a lock that they hold while they read the slot; so (4)'s argument for the slots
 *      holds.
 * (12) end: and acq_rel as (6), and READY off: the next operation begins without an answer.
 * (13) give_up: or relaxed, shut_silently: or acq_rel as (10). Both leave the waker, which the answer wakes. again's
 *      CAS (3) fails if either came since it looked.
 * (14) is_shut, is_owned, has_more: relaxed. The first is ordered by a lock of the caller's; the second comes before a
 *      call that may not be made, and one operation follows the other; the third is a hint.
 * (15) open_apart: store relaxed. The source is handed over by the lock of rx_slab.c; to a late event it is still
 *      generation 0, as the zero before.
 *
 * (3) would overlook exactly 2^40 edges within one call. A generation that comes round, after 2^16 registrations of the
 * same memory while one batch of events is handled, would let a stale edge through: a spurious wake, a needless call.
 *
 * Rejected: clearing a ready flag before the call, which needs that store ordered before the kernel's load; one slot
 * with a state "being woken", where a poller meets a stalled waiter and has to wait or to spin through its executor.
 */
#include "reactor/rx_ready.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define READY UINT64_C(1)
#define STORED UINT64_C(2)
#define SLOT UINT64_C(4)
#define OWNED UINT64_C(8)
#define KEEP UINT64_C(16)
#define SHUT UINT64_C(32)
#define GIVEN_UP UINT64_C(64)
#define APART UINT64_C(128)
#define FLAGS UINT64_C(0xff)
#define GENERATION_SHIFT 8
#define GENERATION_ONE (UINT64_C(1) << GENERATION_SHIFT)
#define GENERATION_BITS (UINT64_C(0xffff) << GENERATION_SHIFT)
#define TICK_ONE (UINT64_C(1) << 24)

static uint16_t generation_of(uint64_t word) {
    return (uint16_t)(word >> GENERATION_SHIFT);
}

static struct sy_waker *slot_of(struct rx_ready *ready, uint64_t word) {
    struct sy_waker *slots =
        word & APART ? ((struct rx_ready_apart *)ready)->slots : ((struct rx_ready_here *)ready)->slots;
    return &slots[word & SLOT ? 1 : 0];
}

/* For the wakers, if there is none yet; by the owner. false: no memory. */
static bool take_room(struct rx_ready *ready, uint64_t word) {
    if (!(word & APART)) {
        return true;
    }
    struct rx_ready_apart *apart = (struct rx_ready_apart *)ready;
    if (!apart->slots) {
        apart->slots = malloc(2 * sizeof *apart->slots);
    }
    return apart->slots;
}

void rx_ready_open_apart(struct rx_ready_apart *apart) {
    au64_store_relaxed(&apart->ready.word, APART); /* (15) */
}

void rx_ready_free_apart(struct rx_ready_apart *apart) {
    free(apart->slots);
}

uint16_t rx_ready_generation(const struct rx_ready *ready) {
    return generation_of(au64_load_relaxed(&ready->word)); /* changed only by (8), ordered by the caller */
}

/* The word after an edge. A stored waker is then whose who puts that word in place. */
static uint64_t with_edge(uint64_t word, uint64_t flags) {
    uint64_t next = (word | READY | flags) + TICK_ONE;
    return word & STORED ? (next & ~STORED) ^ SLOT : next;
}

static void wake_taken(struct rx_ready *ready, uint64_t word) {
    if (word & STORED) {
        sy_waker_wake(*slot_of(ready, word));
    }
}

bool rx_ready_take_edge(struct rx_ready *ready, uint16_t generation, bool keep, struct sy_waker *waker_out) {
    uint64_t word = au64_load_relaxed(&ready->word);
    waker_out->vtable = NULL;
    do {
        if (generation_of(word) != generation) {
            return false;
        }
    } while (!au64_cas_acq_rel(&ready->word, &word, with_edge(word, keep ? KEEP : 0))); /* (4) */
    if (word & STORED) {
        *waker_out = *slot_of(ready, word);
    }
    return true;
}

bool rx_ready_edge(struct rx_ready *ready, uint16_t generation, bool keep) {
    struct sy_waker waker;
    bool current = rx_ready_take_edge(ready, generation, keep, &waker);
    if (waker.vtable) {
        sy_waker_wake(waker);
    }
    return current;
}

bool rx_ready_shut(struct rx_ready *ready) {
    uint64_t word = au64_load_relaxed(&ready->word);
    while (!au64_cas_acq_rel(&ready->word, &word, with_edge(word, SHUT))) { /* (10) */
    }
    wake_taken(ready, word);
    return !(word & OWNED);
}

/* The owner takes its waker back and drops it. false: an edge was faster; *word is then the new value. */
static bool take_back(struct rx_ready *ready, uint64_t *word) {
    if (!au64_cas_relaxed(&ready->word, word, *word & ~STORED)) { /* (5) */
        return false;
    }
    *word &= ~STORED;
    sy_waker_drop(*slot_of(ready, *word));
    return true;
}

/* CHANGED: the word is no longer the one from before the call. */
enum stored { STORED_IT, CHANGED, NO_MEMORY };

/* Arms the operation with the waker. */
static enum stored store(struct rx_ready *ready, struct rx_op *op, uint64_t word, const struct sy_waker *waker) {
    if (!op->armed) {
        if (!au64_cas_acquire(&ready->word, &word, word | OWNED)) { /* (2) */
            return CHANGED;
        }
        word |= OWNED;
        op->armed = true;
        if (!take_room(ready, word)) {
            return NO_MEMORY;
        }
    }
    if (word & STORED) {
        if (sy_waker_will_wake(slot_of(ready, word), waker)) {
            return STORED_IT;
        }
        if (!take_back(ready, &word)) {
            return CHANGED;
        }
    }
    struct sy_waker *slot = slot_of(ready, word);
    *slot = sy_waker_clone(waker);
    if (au64_cas_release(&ready->word, &word, (word & ~READY) | STORED)) { /* (3) */
        return STORED_IT;
    }
    sy_waker_drop(*slot);
    return CHANGED;
}

static void release(struct rx_ready *ready, struct rx_op *op) {
    if (op->armed) {
        op->armed = false;
        op->orphaned = au64_fetch_and_acq_rel(&ready->word, ~OWNED) & SHUT; /* (6) */
    }
}

/* With an error, by the owner. */
static enum rx_status end_with(struct rx_ready *ready, struct rx_op *op, int error) {
    op->result = error;
    release(ready, op);
    return RX_DONE;
}

static bool is_short(const struct rx_op *op) {
    return (op->kind == RX_RECV || op->kind == RX_SEND) && op->result > 0 && (uint64_t)op->result < op->length;
}

enum rx_status rx_ready_poll_by(rx_attempt *attempt, struct rx_ready *ready, struct rx_op *op,
                                const struct sy_waker *waker, bool unasked, bool drains) {
    for (;;) {
        uint64_t word = au64_load_acquire(&ready->word); /* (1) */
        if (!op->armed && word & OWNED) {
            op->result = -EBUSY;
            return RX_DONE;
        }
        if (word & SHUT) {
            return end_with(ready, op, -ECANCELED);
        }
        if ((unasked || word & READY) && attempt(op) == RX_DONE) {
            if (drains && !(word & KEEP) && is_short(op)) {
                au64_cas_relaxed(&ready->word, &word, word & ~READY); /* (7) */
            }
            release(ready, op);
            return RX_DONE;
        }
        unasked = false;
        enum stored stored = store(ready, op, word, waker);
        if (stored == STORED_IT) {
            return RX_PENDING;
        }
        if (stored == NO_MEMORY) { /* perhaps it is ready, and nobody was told yet */
            if (attempt(op) == RX_PENDING) {
                op->result = -ENOMEM;
            }
            release(ready, op);
            return RX_DONE;
        }
    }
}

void rx_ready_cancel(struct rx_ready *ready, struct rx_op *op) {
    if (op->armed) {
        uint64_t word = au64_load_relaxed(&ready->word);
        while (word & STORED && !take_back(ready, &word)) {
        }
        release(ready, op);
    }
    op->result = -ECANCELED;
}

void rx_ready_forget_hangup(struct rx_ready *ready) {
    au64_fetch_and_relaxed(&ready->word, ~KEEP); /* (9) */
}

void rx_ready_close(struct rx_ready *ready) {
    uint64_t word = au64_load_relaxed(&ready->word), next;
    do {
        assert(!(word & (OWNED | STORED)) && "deregistered with an operation in flight");
        uint64_t generation = (word + GENERATION_ONE) & GENERATION_BITS;
        next = (word & ~(GENERATION_BITS | FLAGS)) | generation | (word & (SLOT | APART));
    } while (!au64_cas_relaxed(&ready->word, &word, next)); /* (8) */
}

/* ---- where the kernel carries the operation out: after rx_ready_begin there is memory ---- */

bool rx_ready_begin(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker) {
    for (;;) {
        uint64_t word = au64_load_acquire(&ready->word); /* (1) */
        if (!op->armed && word & (OWNED | SHUT)) {
            op->result = word & OWNED ? -EBUSY : -ECANCELED;
            return false;
        }
        enum stored stored = store(ready, op, word, waker);
        if (stored == NO_MEMORY) {
            end_with(ready, op, -ENOMEM);
        }
        if (stored != CHANGED) {
            return stored == STORED_IT;
        }
    }
}

bool rx_ready_answered(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker) {
    for (;;) {
        uint64_t word = au64_load_acquire(&ready->word); /* (1) */
        if (word & READY) {
            return true;
        }
        if (!waker || store(ready, op, word, waker) == STORED_IT) {
            return false;
        }
    }
}

bool rx_ready_again(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker) {
    for (;;) {
        uint64_t word = au64_load_acquire(&ready->word); /* (1) */
        if (word & (SHUT | GIVEN_UP)) {
            return false;
        }
        if (store(ready, op, word, waker) == STORED_IT) {
            return true;
        }
    }
}

void rx_ready_give_up(struct rx_ready *ready) {
    au64_fetch_or_relaxed(&ready->word, GIVEN_UP); /* (13) */
}

void rx_ready_end(struct rx_ready *ready, struct rx_op *op) {
    op->armed = false;
    op->orphaned = au64_fetch_and_acq_rel(&ready->word, ~(OWNED | READY | GIVEN_UP)) & SHUT; /* (12) */
}

struct sy_waker rx_ready_answer(struct rx_ready *ready, bool more) {
    uint64_t word = au64_load_relaxed(&ready->word), next;
    do {
        next = with_edge(word & ~KEEP, more ? KEEP : 0);
    } while (!au64_cas_acq_rel(&ready->word, &word, next)); /* (11) */
    return word & STORED ? *slot_of(ready, word) : (struct sy_waker){.vtable = NULL};
}

bool rx_ready_has_more(const struct rx_ready *ready) {
    return au64_load_relaxed(&ready->word) & KEEP; /* (14) */
}

bool rx_ready_is_owned(const struct rx_ready *ready) {
    return au64_load_relaxed(&ready->word) & OWNED; /* (14) */
}

bool rx_ready_shut_silently(struct rx_ready *ready) {
    return !(au64_fetch_or_acq_rel(&ready->word, SHUT) & OWNED); /* (13) */
}

bool rx_ready_is_shut(const struct rx_ready *ready) {
    return au64_load_relaxed(&ready->word) & SHUT; /* (14) */
}
