/*
 * St³'s LIFO deque: a bounded ring. How many pops there were and how far thieves have claimed stand in one word, so the
 * owner's pop is one compare-and-swap without a fence, and a thief claims any number of items by one.
 *
 * Source: Barral, st3 (the Stealing Static Stack), crate, version 0.4.1, 2022, its LIFO worker; to claim first and copy
 * then is tokio's way. Deviations:
 *   - the owner keeps its tail and the head that it saw last, so a push while there is room by that head touches no
 *     line that thieves write, and the claims and the head can share one;
 *   - [T4] releases, so that DQ_EMPTY can be told from the claims alone: while a thief is in the middle of a steal, the
 *     others get DQ_RETRY only if there is something left for them (there: always);
 *   - a steal gives the oldest item for running and lets go of the victim before it publishes in its own deque (there:
 *     the newest, and the other way round).
 *
 * Contract: dq.h; LIFO for the owner, the oldest for thieves. Thieves need not be registered anywhere. push says
 * DQ_FULL when `capacity` slots hold items, or copies that a thief in the middle of a steal has not finished.
 *
 * Progress. push: wait-free. pop: wait-free, it is delayed by thieves that succeed, and each leaves it less. One theft
 * at a time: a thief that stalls between [T4] and [T5] keeps its slots (push may say DQ_FULL early) and all other
 * takers of the oldest (DQ_RETRY; take_oldest says 0) until it goes on; push, pop and DQ_EMPTY go on without it. If no
 * thief stalls there, steal is lock-free: its loop goes round only for pops.
 *
 * Linearization points. push [P3]; pop [O2]; steal and take_oldest [T4]. DQ_EMPTY of pop: the change of the claims that
 * [O1] or [O2] saw, or the call, if that was before; of steal: the push that [T3] saw, or [T1] if that was later.
 * is_empty and length: hints, see [E1].
 *
 * Reclamation: none needed. ABA: `claims` comes back to a value when 2³² items, or a multiple, were popped in the
 * meantime, or stolen, or so many of each: 4 seconds and more, at 1 ns a push and pop. A thief that slept between [T3]
 * and [T4] for exactly as many would claim by the number of pushes of before, and might so take what is not there; St³
 * has the same. Positions and pushes count modulo 2³², of which the ring is at most a quarter; who sleeps between
 * [T1] and [T3], or [E1] and [E2], while exactly 2³² items are pushed may say of a deque with items that it is empty.
 *
 * Memory order. Slots are plain memory: [P1] and [P3] hand them over. `tail`, `head_seen` are the owner's alone.
 *   [P1] owner loads head: acquire, pairs with [T5]: the thief has read the slots that are now written again
 *   [P2] owner loads pushes: relaxed, own
 *   [P3] publishing stores pushes: release, pairs with [T3]: slots and the items' contents
 *   [O1] pop loads claims: relaxed, a guess for [O2], which fails if it is old; heads only grow up to tail, so a head
 *        that equals it is the newest
 *   [O2] pop's cas of claims: release, pairs with [T1], [T4] and [E1]: who sees the pop sees the pushes before it.
 *        Relaxed when it fails, as [O1]
 *   [T1] claim loads claims: acquire, pairs with [O2] and [T4]: `pushes` is then at least what those knew, so the
 *        length is not negative, and if it is 0, then nothing was inside after the last push that [T3] sees
 *   [T2] claim loads head: acquire, pairs with [T5] of the thief before: its reading of the slots is then before this
 *        one's [T5], and [P1] needs to see only the last. An old head matches no claim that is not copied
 *   [T3] claim loads pushes: acquire, pairs with [P3]. By [T1] never older than the claims; if those are old, [T4]
 *   fails
 *   [T4] claim's cas of claims: acq_rel; release pairs with [T1], for what [T3] knew; acquire is for where it fails, as
 *        [T1]
 *   [T5] letting go stores head: release, after the slots were read; pairs with [P1]
 *   [E1] is_empty and length load claims: acquire, pairs with [O2] and [T4], so `pushes` is not older. In the other
 *        order, or with an older `pushes`, a pop of what was pushed meanwhile would count for an older item
 *   [E2] they load pushes: relaxed. A push before the other side's full barrier is among them; if as many were taken as
 *        there are by then, each of them was
 *
 * A model checker for RC11 (stress/test_models.sh) finds the fault when any of these is weakened that is not relaxed.
 *
 * Layout: claims and head on one line (thieves write it, pop does); the owner's fields on another (thieves read pushes
 * and slots).
 *
 * Rejected: a line of its own for head (there; with `head_seen` the owner looks at it once a lap at most); one more bit
 * in the claims for "somebody copies" instead of a second head (the owner could not tell which slots are free again).
 */
#ifndef STEALYARD_QUEUES_DQ_ST3_H
#define STEALYARD_QUEUES_DQ_ST3_H

#include "queues/dq.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_ST3_CAPACITY_MAX ((size_t)1 << 30)
#define DQ_ST3_POP ((uint64_t)1 << 32) /* one more pop, in `claims` */

/* Items claimed head .. tail - 1 are inside; slots head .. tail - 1 are in use. */
struct dq_st3 {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 claims; /* pops << 32 | the head up to which thieves have claimed */
    struct au32 head;                             /* up to which they have copied */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 pushes; /* written by the owner */
    uint32_t tail;                                /* the owner's alone: pushes - pops */
    uint32_t head_seen;                           /* the owner's alone: not past head */
    uint32_t capacity;                            /* immutable, a power of two */
    struct sy_node **slots;                       /* immutable; position i is in slot i mod capacity */
};

SY_INLINE struct dq_st3 *dq_st3_of(struct dq *deque) {
    return (struct dq_st3 *)(void *)deque;
}

SY_INLINE struct sy_node **dq_st3_slot(struct dq_st3 *d, uint32_t position) {
    return &d->slots[position & (d->capacity - 1)];
}

SY_INLINE uint32_t dq_st3_pops(uint64_t claims) {
    return (uint32_t)(claims >> 32);
}

static inline int dq_st3_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > DQ_ST3_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_st3 *d = (struct dq_st3 *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct sy_node **slots = (struct sy_node **)malloc(config->capacity * sizeof(struct sy_node *));
    if (!d || !slots) {
        free(d);
        free(slots);
        return -ENOMEM;
    }
    uint32_t first = (uint32_t)config->first; /* of the positions, and of the pops */
    au64_store_relaxed(&d->claims, (uint64_t)first << 32 | first);
    au32_store_relaxed(&d->head, first);
    au32_store_relaxed(&d->pushes, first + first);
    d->tail = first;
    d->head_seen = first;
    d->capacity = (uint32_t)config->capacity;
    d->slots = slots;
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_st3_destroy(struct dq *deque) {
    free(dq_st3_of(deque)->slots);
    free(deque);
}

/* The owner: for how many more there is room; looks at the thieves' line only if it might be less than `wanted`. */
SY_INLINE uint32_t dq_st3_room(struct dq_st3 *d, size_t wanted) {
    uint32_t room = d->capacity - (d->tail - d->head_seen);
    if (room < wanted) {
        d->head_seen = au32_load_acquire(&d->head); /* [P1] */
        room = d->capacity - (d->tail - d->head_seen);
    }
    return room;
}

/* The owner: makes items of the `n` slots from tail on. */
SY_INLINE void dq_st3_publish(struct dq_st3 *d, uint32_t n) {
    d->tail += n;
    au32_store_release(&d->pushes, au32_load_relaxed(&d->pushes) + n); /* [P2], [P3] */
}

SY_INLINE enum dq_status dq_st3_push(struct dq *deque, struct sy_node *item) {
    struct dq_st3 *d = dq_st3_of(deque);
    if (dq_st3_room(d, 1) == 0) {
        return DQ_FULL;
    }
    *dq_st3_slot(d, d->tail) = item;
    dq_st3_publish(d, 1);
    return DQ_OK;
}

SY_INLINE enum dq_status dq_st3_pop(struct dq *deque, struct sy_node **out) {
    struct dq_st3 *d = dq_st3_of(deque);
    uint64_t claims = au64_load_relaxed(&d->claims); /* [O1] */
    while ((uint32_t)claims != d->tail) {
        if (au64_cas_release(&d->claims, &claims, claims + DQ_ST3_POP)) { /* [O2] */
            d->tail--;
            *out = *dq_st3_slot(d, d->tail);
            return DQ_OK;
        }
    }
    return DQ_EMPTY;
}

/* Claims up to half of the items, and at most `max`: *n of them from position *from on. To be let go of. */
static inline enum dq_status dq_st3_claim(struct dq_st3 *d, size_t max, uint32_t *from, uint32_t *n) {
    uint64_t claims = au64_load_acquire(&d->claims); /* [T1] */
    uint32_t head = au32_load_acquire(&d->head);     /* [T2] */
    uint64_t wanted;
    do {
        uint32_t claimed = (uint32_t)claims;
        uint32_t length = au32_load_acquire(&d->pushes) - dq_st3_pops(claims) - claimed; /* [T3] */
        if (length == 0) {
            return DQ_EMPTY;
        }
        if (claimed != head) {
            return DQ_RETRY; /* another is copying */
        }
        uint32_t half = length - length / 2;
        *n = half < max ? half : (uint32_t)max;
        wanted = (uint64_t)dq_st3_pops(claims) << 32 | (uint32_t)(head + *n);
    } while (!au64_cas_acq_rel(&d->claims, &claims, wanted)); /* [T4] */
    *from = head;
    return DQ_OK;
}

/* What was claimed has been copied. */
SY_INLINE void dq_st3_let_go(struct dq_st3 *d, uint32_t head) {
    au32_store_release(&d->head, head); /* [T5] */
}

static inline size_t dq_st3_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct dq_st3 *d = dq_st3_of(deque);
    uint32_t from, n;
    if (dq_st3_claim(d, max, &from, &n) != DQ_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        items[i] = *dq_st3_slot(d, from + i);
    }
    dq_st3_let_go(d, from + n);
    return n;
}

/* The thief is the caller's own deque: nobody else pushes into it, so the room stays. */
SY_INLINE enum dq_status dq_st3_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                      size_t *moved) {
    struct dq_st3 *v = dq_st3_of(victim), *t = dq_st3_of(thief);
    size_t most = t ? (size_t)1 + dq_st3_room(t, max - 1) : 1;
    uint32_t from, n;
    *moved = 0;
    enum dq_status status = dq_st3_claim(v, most < max ? most : max, &from, &n);
    if (status != DQ_OK) {
        return status;
    }
    *out = *dq_st3_slot(v, from);
    for (uint32_t i = 1; i < n; i++) {
        *dq_st3_slot(t, t->tail + i - 1) = *dq_st3_slot(v, from + i);
    }
    dq_st3_let_go(v, from + n);
    if (n > 1) {
        dq_st3_publish(t, n - 1);
    }
    *moved = n;
    return DQ_OK;
}

/* Pushes that neither a pop nor a claim has answered. */
SY_INLINE uint32_t dq_st3_untaken(const struct dq *deque) {
    const struct dq_st3 *d = (const struct dq_st3 *)(const void *)deque;
    uint64_t claims = au64_load_acquire(&d->claims);                               /* [E1] */
    return au32_load_relaxed(&d->pushes) - dq_st3_pops(claims) - (uint32_t)claims; /* [E2] */
}

SY_INLINE size_t dq_st3_length(const struct dq *deque) {
    return dq_st3_untaken(deque);
}

SY_INLINE bool dq_st3_is_empty(const struct dq *deque) {
    return dq_st3_untaken(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_st3_ops = {
    .name = "dq_st3",
    .summary = "bounded ring; pops counted in the word by which thieves claim half",
    .source = "Barral: st3, its LIFO worker, 2022",
    .progress = "owner wait-free; thieves lock-free, unless one stalls while it copies",
    .reclamation = "none needed",
    .cost = "push: no RMW, 2 lines; pop: 1 RMW, 3 lines; steal: 1 RMW for half of the items, 5 lines",
    .caveat = "a thief that stalls while it copies keeps other thieves, and its slots from pushes",
    .order = DQ_LIFO,
    .bounded = true,
    .withholds = false,
    .create = dq_st3_create,
    .destroy = dq_st3_destroy,
    .push = dq_st3_push,
    .pop = dq_st3_pop,
    .take_oldest = dq_st3_take_oldest,
    .steal = dq_st3_steal,
    .is_empty = dq_st3_is_empty,
    .length = dq_st3_length,
};

#endif
