/*
 * A split deque: the older items are *shared*, for thieves to take by one compare-and-swap, however many; the newer
 * ones are *private*, and the owner pushes and pops them without a read-modify-write and without a fence. A thief that
 * finds nothing shared asks for it; an owner that does not answer, because it is busy with an item or not running at
 * all, has its private part *revoked*: an asymmetric fence makes sure that whatever it does next takes the thief into
 * account.
 *
 * Source: ours. The split and the request are Lace's (van Dijk and van de Pol: Lace: Non-blocking Split Deque for
 * Work-Stealing, MuCoCoS 2014), where private items wait for their owner; the asymmetric fence is Dice, Huang and
 * Yang's (asym.h).
 *
 * Contract: dq.h; LIFO for the owner. Grows by doubling up to DQ_SPLIT_ASYM_CAPACITY_MAX slots; then, or without
 * memory, push says DQ_FULL. Never shrinks. A thief is a thread that is registered with reclaim.h and online; nothing
 * here is a quiescent state. A theft takes half of the items that it saw (the owner may have popped some since), but no
 * more than are shared, if any are; at most 4,095 are.
 *
 * Progress. push, pop and take_oldest: no loop but over compare-and-swaps that thieves won, and those only in a *slow
 * step*: to answer, to take back what is shared, to grow (malloc, copying, reclaim_defer's short lock). A thief that
 * stalls blocks nobody: it holds nothing before its compare-and-swap, and has done after it. steal: lock-free, except
 * that a thief that comes in the midst of an owner's slow step says DQ_RETRY until that ends, so an owner preempted
 * there keeps thieves off; and that the thief's own deque may have to grow. One steal waits at most
 * DQ_SPLIT_ASYM_PATIENCE pauses for an answer; then it revokes. If the kernel comes to refuse the heavy fence, private
 * items wait for their owner: steal says DQ_RETRY meanwhile, is_empty false, and who looks for work keeps looking.
 *
 * Positions and indices. An item's *position* says which slot it is in: the owner's stack goes up and down through
 * positions, from the oldest item's up to head. An item's *index* is its position plus `offset`. The shared word holds
 * the index of the oldest item, `tail`, and how many from there on are shared, `count`; the private ones follow, from
 * the floor to the head. What the owner takes back from the shared part loses its indices for good: `offset` grows by
 * as many, and the floor's index is new. So
 *   (a) the word never shows the same value twice, except while what it says is still true. tail and tail + count never
 *       decrease: thieves and take_oldest move tail up, sharing moves tail + count up, taking back moves tail up to it.
 *       Neither changes only from an opening that changed nothing that the word speaks of: growth, whose array has the
 *       same items; a take_oldest that took nothing and had nothing to take back; and an answer to a request when there
 *       is something shared. An answer that has nothing to share gives up one index, so it shows.
 *   (b) a thief that reads the word, then offset, array and slots, and then compares and swaps the word, has read what
 *       was there all the time: all that it depends on changes only while the word is closed, and the slot of a shared
 *       item is written again only when tail has passed its index. For private items, and the head, see (c).
 * The tail's 51 bits wrap round after 2⁵¹ items were shared; one read-modify-write of the word shares 4,095 at most, so
 * an owner that did nothing else, for thieves that always ask, would take hours. Only a thief that stood between two
 * instructions all the while could be misled, by a word that is the same to the bit.
 *
 * Revoking. The thief reads the word (open, nothing shared) [W1], sets `asked` [A1], passes the heavy fence, reads head
 * and copies; its compare-and-swap [W5] takes the oldest private items. The owner's pop stores the head [H1], passes
 * the light fence and looks at `asked` [A2]; if it is set, the pop closes the word before it takes the item.
 *   (c) Suppose that [W5] succeeds. Then by (a) the only slow steps between [W1] and [W5] were growth and such a
 *       take_oldest: nothing was shared. Neither clears `asked`; the steps before them did so before [A1], for [W1] saw
 *       their [W3]. A pop in that time either has its fence before the thief's: then the thief sees its head [H2], and
 *       does not count the item that it takes; or behind it: then it sees `asked`, and comes to close the word when
 *       [W5] is done, and learns from the tail what is gone: its own item may be. Pushes are of no consequence: they
 *       are above what the thief took.
 *   (d) The owner's floor is then too low, until its next slow step. It is below the head all the same, so the next pop
 *       passes its fence and, by (c), comes to such a step; take_oldest is one; push does not ask for the floor.
 *   (e) A clearing [A3] may undo a request that came after the word was read by who makes it. That thief's word is not
 *       the one that the slow step leaves (it had nothing shared; a), so its [W5] fails, and it looks again.
 *
 * Finding nothing. The oldest item's position never decreases, and tail - offset is that position, or less if offset is
 * newer than the word. So a thief that reads the word, then offset, and then a head that is not beyond has seen a
 * moment without an item that was not on its way to somebody.
 *
 * Linearization points. push: [H1]. pop: [H1] if `asked` is not set; else, or of shared items, its close [W2], or the
 * compare-and-swap of the only one; DQ_EMPTY: the same, or its load [W1] with nothing shared, or, if nothing has been
 * since, its load of its own head. steal: [W5]; DQ_EMPTY: [H2]. take_oldest: [W2], or its load of its own head, as pop.
 * is_empty: [H2]; length: a hint.
 *
 * Reclamation and ABA. The array that growth replaced is handed to reclaim.h, so it lives until each thief that may
 * read it is quiescent. ABA: (a). Items are reclaimed by whoever took them; what a loser copied is dropped.
 *
 * Memory order. head, offset, array and slots of the own deque are written by the owner only, so its own loads are
 * relaxed: [H0], [F0], [G0], [S0].
 *   [W1] load of the word, acquire, pairs with [W2], [W3], [W5]: what a value of it speaks of is there. For the owner:
 *        thieves that moved the tail have read their slots, which it may write again. Relaxed in close, where [W2] does
 *        that
 *   [W2] close, or the owner's theft from itself: cas acquire, as [W1]. It succeeds from what thieves compare with, so
 *        theirs fail from then on, whatever they have read of [F1] and [H1]
 *   [W3] open: store, release: [S1], [F1], [G3], [A3] and the items' contents are before it
 *   [W4] whether the word has changed, relaxed: then [W1] follows
 *   [W5] theft: cas release: the slots were read before it. As all changes of an open word are read-modify-writes, [W1]
 *        of a later value has those of earlier thieves before it, too
 *   [F1] store of offset, relaxed, before [W3] → [F2] load, relaxed, after [W1]: at least as new as the word; if newer,
 *        the word has changed
 *   [H1] store of head, release → [H2] load, acquire: slots and contents of all that is private, for revoke
 *   [S1] slot written, relaxed: visible by [H1] or [W3]
 *   [S2] slot read by a thief, relaxed: before [W5]. A newer content than what it took cannot be (b)
 *   [G1] empty slots are written too, and [G2] items copied: relaxed, visible by [G3]
 *   [G3] store of array, release → [G4] load, acquire: one at least as new as the word and the head
 *   [A1] request: load and store, relaxed; [A2] the owner's look, relaxed; [A3] cleared, relaxed, before [W3], and so
 *        before each [A1] of who has read that word [W1]. The fences order [A1] and [A2] against [H2] and [H1]; for
 *        other requests they are hints
 *   [L] light, [H] heavy: asym.h
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when either fence, the request or a step of the
 * above is missing, and when [H1], [H2], [W3], [G3] or [G4] is relaxed. It accepts [W5] relaxed: RC11 knows no cycles
 * of dependence, C11 by its letter does.
 *
 * Layout: the word, offset and array on one line (thieves write it), `asked` on one that is written only by requests
 * and answers, the owner's fields on a third, which a thief reads once a theft. push and pop touch the latter two and a
 * slot's.
 *
 * Rejected: a private part that thieves cannot have (Lace: what waits behind a long task waits with it); a heavy fence
 * for each theft (dq_chase_lev_asym.h; here it is the exception); a part that the owner always keeps shared (a
 * read-modify-write for every few pops of a deque that nobody steals from); a version in the word, counted up by taking
 * back, in place of indices given up (the few bits there are wrap round in a second); copying into the new array while
 * thieves go on (as safe, by the old array's items; but who reads it must follow why); the request on the word's line
 * (each theft would take from the owner a line that it polls); a thief that asks for more as soon as it has taken the
 * last that was shared (1.1 to 1.4 times the time an item with one thief and no work between); a thief that takes all
 * that is shared without a look at the head (no gain, and it may be more than half).
 */
#ifndef STEALYARD_QUEUES_DQ_SPLIT_ASYM_H
#define STEALYARD_QUEUES_DQ_SPLIT_ASYM_H

#include "queues/asym.h"
#include "queues/dq.h"
#include "queues/dq_array.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_SPLIT_ASYM_CAPACITY_MAX ((int64_t)1 << 30)
#define DQ_SPLIT_ASYM_COUNT_BITS 12
#define DQ_SPLIT_ASYM_COUNT_MAX ((UINT64_C(1) << DQ_SPLIT_ASYM_COUNT_BITS) - 1)
#define DQ_SPLIT_ASYM_CLOSED UINT64_C(1) /* bit of a word */

/* How often a thief looks for the answer of an owner that it has asked, with a pause between: some microseconds. */
#ifndef DQ_SPLIT_ASYM_PATIENCE
#define DQ_SPLIT_ASYM_PATIENCE 100
#endif

struct dq_split_asym {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 shared; /* tail, count, closed: see above */
    struct au64 offset;                           /* an item's index less its position; written while closed */
    struct aptr array;                            /* struct dq_array *; written while closed */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 asked;  /* thieves want more shared */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head;   /* the position after the newest item; written by the owner */
    /* The owner's alone: */
    uint64_t floor;          /* the position of the oldest private item, or less if a thief took it */
    uint64_t limit;          /* head may grow up to here; the slots are free */
    struct aptr *slots;      /* of the array */
    uint64_t mask;           /* its capacity less 1 */
    bool published;          /* something may be shared */
    bool registered;         /* immutable: asym.h */
    struct reclaim *reclaim; /* immutable */
};

SY_INLINE struct dq_split_asym *dq_split_asym_of(struct dq *deque) {
    return (struct dq_split_asym *)(void *)deque;
}

SY_INLINE struct aptr *dq_split_asym_own_slot(struct dq_split_asym *d, uint64_t position) {
    return &d->slots[position & d->mask];
}

/* ---- the shared word ---- */

SY_INLINE uint64_t dq_split_asym_word(uint64_t tail, uint64_t count) {
    return tail << (DQ_SPLIT_ASYM_COUNT_BITS + 1) | count << 1;
}

SY_INLINE uint64_t dq_split_asym_tail(uint64_t word) {
    return word >> (DQ_SPLIT_ASYM_COUNT_BITS + 1);
}

SY_INLINE uint64_t dq_split_asym_count(uint64_t word) {
    return word >> 1 & DQ_SPLIT_ASYM_COUNT_MAX;
}

SY_INLINE bool dq_split_asym_is_closed(uint64_t word) {
    return word & DQ_SPLIT_ASYM_CLOSED;
}

/* How far the head is from the word's tail. Less than nothing: the owner is about to find out that it came too late. */
SY_INLINE int64_t dq_split_asym_distance(uint64_t head, uint64_t offset, uint64_t word) {
    uint64_t distance = head + offset - dq_split_asym_tail(word); /* of as many bits as a tail has */
    return (int64_t)(distance << (DQ_SPLIT_ASYM_COUNT_BITS + 1)) >> (DQ_SPLIT_ASYM_COUNT_BITS + 1);
}

SY_INLINE uint64_t dq_split_asym_half(uint64_t n) {
    return n - n / 2;
}

/* ---- making and unmaking ---- */

/* The owner's view of its array, with `oldest` the position of the oldest item. */
static inline void dq_split_asym_own_array(struct dq_split_asym *d, struct dq_array *array, uint64_t oldest) {
    d->slots = array->slots;
    d->mask = (uint64_t)array->capacity - 1;
    d->limit = oldest + (uint64_t)array->capacity;
}

static inline int dq_split_asym_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > (size_t)DQ_SPLIT_ASYM_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_split_asym *d = (struct dq_split_asym *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct dq_array *array = dq_array_create((int64_t)config->capacity);
    if (!d || !array) {
        free(d);
        free(array);
        return -ENOMEM;
    }
    au64_store_relaxed(&d->shared, dq_split_asym_word(config->first, 0));
    au64_store_relaxed(&d->offset, 0);
    aptr_store_relaxed(&d->array, array);
    au32_store_relaxed(&d->asked, 0);
    au64_store_relaxed(&d->head, config->first);
    d->floor = config->first;
    dq_split_asym_own_array(d, array, config->first);
    d->published = false;
    d->registered = asym_register();
    d->reclaim = config->reclaim;
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_split_asym_destroy(struct dq *deque) {
    free(aptr_load_relaxed(&dq_split_asym_of(deque)->array)); /* [G0] */
    free(deque);
}

/* ---- the owner alone with its deque ---- */

/*
 * Keeps thieves out until dq_split_asym_open, and finds out what they took. Returns the word as it was, open. What is
 * shared stands in it, and what is private goes from floor to head.
 */
static inline uint64_t dq_split_asym_close(struct dq_split_asym *d) {
    uint64_t word = au64_load_relaxed(&d->shared);                              /* [W1] */
    while (!au64_cas_acquire(&d->shared, &word, word | DQ_SPLIT_ASYM_CLOSED)) { /* [W2] */
    }
    if (dq_split_asym_count(word) == 0) {
        uint64_t head = au64_load_relaxed(&d->head), offset = au64_load_relaxed(&d->offset); /* [H0] [F0] */
        d->floor = head - (uint64_t)dq_split_asym_distance(head, offset, word);
    }
    return word;
}

/* The first `count` private items become shared, from index `tail` on, which is the floor's. */
SY_INLINE void dq_split_asym_open(struct dq_split_asym *d, uint64_t tail, uint64_t count) {
    d->floor += count;
    d->published = count > 0;
    au64_store_release(&d->shared, dq_split_asym_word(tail, count)); /* [W3] */
}

/* How many of the private items thieves are to have. */
SY_INLINE uint64_t dq_split_asym_share(const struct dq_split_asym *d) {
    uint64_t half = dq_split_asym_half(au64_load_relaxed(&d->head) - d->floor); /* [H0] */
    return half < DQ_SPLIT_ASYM_COUNT_MAX ? half : DQ_SPLIT_ASYM_COUNT_MAX;
}

SY_INLINE void dq_split_asym_shift(struct dq_split_asym *d, uint64_t by) {
    au64_store_relaxed(&d->offset, au64_load_relaxed(&d->offset) + by); /* [F0] [F1] */
}

/* Closed, with nothing shared: opens it with something for those who asked, or else so that they see that it was. */
static inline void dq_split_asym_answer(struct dq_split_asym *d, uint64_t tail) {
    uint64_t count = dq_split_asym_share(d);
    au32_store_relaxed(&d->asked, 0); /* [A3] */
    if (count == 0) {
        dq_split_asym_shift(d, 1);
    }
    dq_split_asym_open(d, count == 0 ? tail + 1 : tail, count);
}

/* Closed, with nothing shared: opens it as thieves would have it. */
static inline void dq_split_asym_finish(struct dq_split_asym *d, uint64_t tail) {
    if (au32_load_relaxed(&d->asked) != 0) { /* [A2] */
        dq_split_asym_answer(d, tail);
    } else {
        dq_split_asym_open(d, tail, 0);
    }
}

/* Closed: opens it for those who asked, who may have asked before there was what they see now. */
static inline void dq_split_asym_answer_word(struct dq_split_asym *d, uint64_t word) {
    if (dq_split_asym_count(word) == 0) {
        dq_split_asym_answer(d, dq_split_asym_tail(word));
    } else {
        au32_store_relaxed(&d->asked, 0);     /* [A3] */
        au64_store_release(&d->shared, word); /* [W3] */
    }
}

/* ---- room ---- */

/* Doubles the array, while nobody but the owner reads or writes what counts. */
static inline bool dq_split_asym_grow(struct dq_split_asym *d) {
    struct dq_array *old = (struct dq_array *)aptr_load_relaxed(&d->array); /* [G0] */
    struct dq_array *array = old->capacity < DQ_SPLIT_ASYM_CAPACITY_MAX ? dq_array_create(old->capacity * 2) : NULL;
    if (!array) {
        return false;
    }
    uint64_t word = dq_split_asym_close(d);
    uint64_t head = au64_load_relaxed(&d->head), offset = au64_load_relaxed(&d->offset); /* [H0] [F0] */
    uint64_t oldest = head - (uint64_t)dq_split_asym_distance(head, offset, word);
    for (uint64_t position = oldest; position != head; position++) {
        aptr_store_relaxed(dq_array_slot(array, (int64_t)position),
                           aptr_load_relaxed(dq_array_slot(old, (int64_t)position))); /* [G2] */
    }
    aptr_store_release(&d->array, array); /* [G3] */
    dq_split_asym_own_array(d, array, oldest);
    au64_store_release(&d->shared, word); /* [W3] */
    reclaim_defer(d->reclaim, &old->retired, dq_array_free);
    return true;
}

/* The owner: for how many pushes, up to `n`, there is room. It stays, for only the owner pushes. */
__attribute__((noinline, unused)) static uint64_t dq_split_asym_make_room(struct dq_split_asym *d, uint64_t n) {
    uint64_t head = au64_load_relaxed(&d->head), offset = au64_load_relaxed(&d->offset); /* [H0] [F0] */
    uint64_t word = au64_load_acquire(&d->shared);                                       /* [W1] */
    d->limit = head - (uint64_t)dq_split_asym_distance(head, offset, word) + d->mask + 1;
    while (d->limit - head < n && dq_split_asym_grow(d)) {
    }
    return d->limit - head < n ? d->limit - head : n;
}

SY_INLINE uint64_t dq_split_asym_room(struct dq_split_asym *d, uint64_t n) {
    uint64_t room = d->limit - au64_load_relaxed(&d->head); /* [H0] */
    return room >= n ? n : dq_split_asym_make_room(d, n);
}

/* ---- push ---- */

__attribute__((noinline, unused)) static void dq_split_asym_push_asked(struct dq_split_asym *d) {
    dq_split_asym_answer_word(d, dq_split_asym_close(d));
}

SY_INLINE enum dq_status dq_split_asym_push(struct dq *deque, struct sy_node *item) {
    struct dq_split_asym *d = dq_split_asym_of(deque);
    if (dq_split_asym_room(d, 1) == 0) {
        return DQ_FULL;
    }
    uint64_t head = au64_load_relaxed(&d->head);                  /* [H0] */
    aptr_store_relaxed(dq_split_asym_own_slot(d, head), item);    /* [S1] */
    au64_store_release(&d->head, head + 1);                       /* [H1] */
    if (__builtin_expect(au32_load_relaxed(&d->asked) != 0, 0)) { /* [A2] */
        dq_split_asym_push_asked(d);
    }
    return DQ_OK;
}

/* ---- pop ---- */

SY_INLINE struct sy_node *dq_split_asym_item(struct dq_split_asym *d, uint64_t position) {
    return (struct sy_node *)aptr_load_relaxed(dq_split_asym_own_slot(d, position)); /* [S0] */
}

/* Closed, with `count` items shared from `tail` on: none is. Returns the floor's new index. */
static inline uint64_t dq_split_asym_take_back(struct dq_split_asym *d, uint64_t tail, uint64_t count) {
    d->floor -= count;
    dq_split_asym_shift(d, count);
    return tail + count;
}

/* With nothing private: takes back all that is shared, or the only item. */
__attribute__((noinline, unused)) static enum dq_status dq_split_asym_pop_shared(struct dq_split_asym *d,
                                                                                 struct sy_node **out) {
    uint64_t head = au64_load_relaxed(&d->head);   /* [H0] */
    uint64_t word = au64_load_acquire(&d->shared); /* [W1] */
    while (dq_split_asym_count(word) > 0) {
        uint64_t tail = dq_split_asym_tail(word), count = dq_split_asym_count(word);
        if (count == 1) {
            if (au64_cas_acquire(&d->shared, &word, dq_split_asym_word(tail + 1, 0))) { /* [W2] */
                d->published = false;
                *out = dq_split_asym_item(d, head - 1);
                return DQ_OK;
            }
        } else if (au64_cas_acquire(&d->shared, &word, word | DQ_SPLIT_ASYM_CLOSED)) { /* [W2] */
            tail = dq_split_asym_take_back(d, tail, count);
            *out = dq_split_asym_item(d, head - 1);
            au64_store_release(&d->head, head - 1); /* [H1] */
            dq_split_asym_finish(d, tail);
            return DQ_OK;
        }
    }
    d->published = false;
    return DQ_EMPTY;
}

/* The head is at `last` already, and a thief may be taking private items: finds out whether it took this one. */
__attribute__((noinline, unused)) static enum dq_status dq_split_asym_pop_asked(struct dq_split_asym *d, uint64_t last,
                                                                                struct sy_node **out) {
    uint64_t word = dq_split_asym_close(d);
    bool lost = d->floor == last + 1;
    if (lost) {
        au64_store_release(&d->head, d->floor); /* [H1] */
    } else {
        *out = dq_split_asym_item(d, last);
    }
    dq_split_asym_answer_word(d, word);
    return lost ? DQ_EMPTY : DQ_OK;
}

SY_INLINE enum dq_status dq_split_asym_pop(struct dq *deque, struct sy_node **out) {
    struct dq_split_asym *d = dq_split_asym_of(deque);
    uint64_t head = au64_load_relaxed(&d->head); /* [H0] */
    if (head == d->floor) {
        return d->published ? dq_split_asym_pop_shared(d, out) : DQ_EMPTY;
    }
    uint64_t last = head - 1;
    au64_store_release(&d->head, last);                           /* [H1] */
    asym_light(d->registered);                                    /* [L] */
    if (__builtin_expect(au32_load_relaxed(&d->asked) != 0, 0)) { /* [A2] */
        return dq_split_asym_pop_asked(d, last, out);
    }
    *out = dq_split_asym_item(d, last);
    return DQ_OK;
}

static inline size_t dq_split_asym_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct dq_split_asym *d = dq_split_asym_of(deque);
    uint64_t head = au64_load_relaxed(&d->head); /* [H0] */
    if (head == d->floor && !d->published) {
        return 0;
    }
    uint64_t word = dq_split_asym_close(d), tail = dq_split_asym_tail(word);
    if (dq_split_asym_count(word) > 0) {
        tail = dq_split_asym_take_back(d, tail, dq_split_asym_count(word));
    }
    uint64_t half = dq_split_asym_half(head - d->floor), n = half < max ? half : max;
    for (uint64_t i = 0; i < n; i++) {
        items[i] = dq_split_asym_item(d, d->floor + i);
    }
    d->floor += n;
    dq_split_asym_finish(d, tail + n);
    return (size_t)n;
}

/* ---- steal ---- */

/* What a thief has found: to be taken if the word is still the same. */
struct dq_split_asym_find {
    uint64_t word;   /* open */
    uint64_t oldest; /* position */
    uint64_t items;  /* inside, and within reach of this theft */
};

/*
 * DQ_OK: something is shared. DQ_EMPTY: there was nothing at all. DQ_RETRY: the owner keeps all to itself, or is at it;
 * find->word tells.
 */
SY_INLINE enum dq_status dq_split_asym_look(struct dq_split_asym *victim, struct dq_split_asym_find *find) {
    uint64_t word = au64_load_acquire(&victim->shared); /* [W1] */
    find->word = word;
    if (dq_split_asym_is_closed(word)) {
        return DQ_RETRY;
    }
    uint64_t offset = au64_load_relaxed(&victim->offset); /* [F2] */
    uint64_t head = au64_load_acquire(&victim->head);     /* [H2] */
    int64_t distance = dq_split_asym_distance(head, offset, word);
    uint64_t count = dq_split_asym_count(word);
    find->oldest = head - (uint64_t)distance;
    if (count > 0) {
        uint64_t half = distance > 0 ? dq_split_asym_half((uint64_t)distance) : 1;
        find->items = half < count ? half : count;
        return DQ_OK;
    }
    find->items = distance > 0 ? dq_split_asym_half((uint64_t)distance) : 0;
    return distance > 0 ? DQ_RETRY : DQ_EMPTY;
}

/* Asks the owner to share, and waits a little for it to do so. As dq_split_asym_look. */
__attribute__((noinline, unused)) static enum dq_status dq_split_asym_ask(struct dq_split_asym *victim,
                                                                          struct dq_split_asym_find *find) {
    enum dq_status status = DQ_RETRY;
    for (unsigned i = 0; i < DQ_SPLIT_ASYM_PATIENCE && status == DQ_RETRY; i++) {
        if (!dq_split_asym_is_closed(find->word) && au32_load_relaxed(&victim->asked) == 0) { /* [A1] */
            au32_store_relaxed(&victim->asked, 1);                                            /* [A1] */
        }
        cpu_relax();
        if (au64_load_relaxed(&victim->shared) != find->word) { /* [W4] */
            status = dq_split_asym_look(victim, find);
        }
    }
    return status;
}

/*
 * The owner does not answer, for it is busy elsewhere: makes sure that it does not take anything unseen, and finds what
 * is private. The owner's next pop is a slow one.
 */
__attribute__((noinline, unused)) static enum dq_status dq_split_asym_revoke(struct dq_split_asym *victim,
                                                                             struct dq_split_asym_find *find) {
    uint64_t word = au64_load_acquire(&victim->shared); /* [W1] */
    if (dq_split_asym_is_closed(word) || dq_split_asym_count(word) > 0) {
        return DQ_RETRY;
    }
    au32_store_relaxed(&victim->asked, 1); /* [A1] */
    if (!asym_heavy(victim->registered)) { /* [H] */
        return DQ_RETRY;
    }
    enum dq_status status = dq_split_asym_look(victim, find);
    bool revoked = status == DQ_RETRY && find->word == word && find->items > 0;
    return revoked ? DQ_OK : status;
}

/* Copies what was found to where the thief's next pushes would put it, but for the oldest, which is returned. */
SY_INLINE struct sy_node *dq_split_asym_copy(struct dq_split_asym *victim, const struct dq_split_asym_find *find,
                                             uint64_t n, struct dq_split_asym *thief) {
    struct dq_array *from = (struct dq_array *)aptr_load_acquire(&victim->array); /* [G4] */
    void *oldest = aptr_load_relaxed(dq_array_slot(from, (int64_t)find->oldest)); /* [S2] */
    uint64_t head = n > 1 ? au64_load_relaxed(&thief->head) : 0;                  /* [H0] */
    for (uint64_t i = 1; i < n; i++) {
        void *item = aptr_load_relaxed(dq_array_slot(from, (int64_t)(find->oldest + i))); /* [S2] */
        aptr_store_relaxed(dq_split_asym_own_slot(thief, head + i - 1), item);            /* [S1] */
    }
    return (struct sy_node *)oldest;
}

/* Whether the `n` oldest are the caller's now. */
SY_INLINE bool dq_split_asym_commit(struct dq_split_asym *victim, const struct dq_split_asym_find *find, uint64_t n) {
    uint64_t word = find->word, count = dq_split_asym_count(word);
    uint64_t left = count > 0 ? count - n : 0;
    return au64_cas_release(&victim->shared, &word, dq_split_asym_word(dq_split_asym_tail(word) + n, left)); /* [W5] */
}

SY_INLINE enum dq_status dq_split_asym_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                             size_t *moved) {
    struct dq_split_asym *from = dq_split_asym_of(victim), *to = dq_split_asym_of(thief);
    struct dq_split_asym_find find;
    enum dq_status status = dq_split_asym_look(from, &find);
    *moved = 0;
    if (status == DQ_RETRY) {
        status = dq_split_asym_ask(from, &find);
        if (status == DQ_RETRY) {
            status = dq_split_asym_revoke(from, &find);
        }
    }
    if (status != DQ_OK) {
        return status;
    }
    uint64_t n = find.items < max ? find.items : max;
    n = n > 1 ? 1 + (thief ? dq_split_asym_room(to, n - 1) : 0) : 1;
    struct sy_node *oldest = dq_split_asym_copy(from, &find, n, to);
    if (!dq_split_asym_commit(from, &find, n)) {
        return DQ_RETRY;
    }
    if (n > 1) {
        au64_store_release(&to->head, au64_load_relaxed(&to->head) + n - 1); /* [H0] [H1] */
    }
    *out = oldest;
    *moved = (size_t)n;
    return DQ_OK;
}

/* ---- looks from outside ---- */

SY_INLINE size_t dq_split_asym_length(const struct dq *deque) {
    const struct dq_split_asym *d = (const struct dq_split_asym *)(const void *)deque;
    uint64_t word = au64_load_acquire(&d->shared);   /* [W1] */
    uint64_t offset = au64_load_relaxed(&d->offset); /* [F2] */
    uint64_t head = au64_load_acquire(&d->head);     /* [H2] */
    int64_t distance = dq_split_asym_distance(head, offset, word);
    return distance > 0 ? (size_t)distance : 0;
}

SY_INLINE bool dq_split_asym_is_empty(const struct dq *deque) {
    struct dq_split_asym *d = (struct dq_split_asym *)(uintptr_t)deque;
    struct dq_split_asym_find find;
    return dq_split_asym_look(d, &find) == DQ_EMPTY;
}

__attribute__((unused)) static const struct dq_ops dq_split_asym_ops = {
    .name = "dq_split_asym",
    .summary = "split deque: a private part for the owner, which thieves can revoke by an asymmetric fence",
    .source = "ours; after van Dijk, van de Pol: Lace, MuCoCoS 2014, and Dice, Huang, Yang: Asymmetric Dekker, 2001",
    .progress =
        "owner wait-free but for growth and lost races; thieves lock-free while the owner is not in a slow step",
    .reclamation = "QSBR, for arrays that were outgrown",
    .cost =
        "push: no RMW, 3 lines; pop: no RMW, no fence, 3 lines; both 1 RMW more for each theft that asked; steal: 1 "
        "RMW for all items, 5 lines",
    .caveat = "an owner that is busy for microseconds is interrupted by a thief's membarrier(2), 13 µs for the thief",
    .order = DQ_LIFO,
    .bounded = false,
    .withholds = false,
    .create = dq_split_asym_create,
    .destroy = dq_split_asym_destroy,
    .push = dq_split_asym_push,
    .pop = dq_split_asym_pop,
    .take_oldest = dq_split_asym_take_oldest,
    .steal = dq_split_asym_steal,
    .is_empty = dq_split_asym_is_empty,
    .length = dq_split_asym_length,
};

#endif
