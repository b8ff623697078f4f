/*
 * Lace's split deque, in a bounded ring: the older items are shared, the newer are the owner's alone, who pushes and
 * pops them without a read-modify-write or a fence. A thief that finds nothing shared asks for it; the owner's next
 * push or pop looks whether somebody has asked, and moves the border between the two parts.
 *
 * Source: van Dijk and van de Pol, Lace: Non-blocking Split Deque for Work-Stealing, MuCoCoS 2014 (Euro-Par workshops,
 * LNCS 8806), and its authors' code, 1.4.2. Deviations:
 *   - a ring of pointers instead of a stack of tasks that stay where they are until they are joined. What keeps a
 *     stolen place from being used again is the same, a word in the place: here the pointer itself, which whoever took
 *     the item sets to NULL when he has read it;
 *   - the border moves by accesses to the whole word (tail, split). There, half of it is stored alone, while thieves
 *     swap the whole, which C11 does not know; and taking back was that store, a fence and a second look. One
 *     compare-and-swap costs as much, and the shared part never ends before it begins;
 *   - midpoints are taken of differences (there, of sums of two indices, which overflow in counters that go on);
 *   - one flag, atomic, stands for `movesplit` and `allstolen`, which are plain bytes there that both sides write: an
 *     owner who finds everything gone asks himself, so its next push is shared at once, as is the first of all;
 *   - a request that finds the shared part refilled is dropped. So the border is only ever moved up while nothing is
 *     shared, when no thief can write the word: by a plain store;
 *   - a theft takes up to half of what is shared (there, one task).
 *
 * Contract: dq.h; LIFO for the owner, the oldest for thieves; withholds: what is private is shared half and half, by
 * the first push or pop after the request that leaves something private. Thieves need not be registered anywhere. push
 * says DQ_FULL when the next slot of the ring holds an item, or one that a thief has claimed and not yet read.
 *
 * Progress. push: wait-free. pop and take_oldest: wait-free, they are delayed by thieves that succeed, and each leaves
 * them less. steal: wait-free; DQ_RETRY means that another change of the word came between, or that all is private. A
 * thief that stalls in the middle of a steal keeps the slots that it has claimed, so that push says DQ_FULL when the
 * ring has come round to them, and blocks nobody else. An owner who stalls keeps what is private.
 *
 * Linearization points. push [P2]; pop [O2], of a shared item [O3] before it; steal [T2]; take_oldest [O4]. DQ_EMPTY of
 * pop: the change of the word that [O1] or [O3] saw, or the call; of steal: the moment at which `head` stood where [T3]
 * saw it. is_empty and length: hints, see [E1].
 *
 * Reclamation: none needed. ABA: `word` does come back to earlier values, each time the owner takes back and shares
 * again, and no harm is done: whoever swaps it has claimed the items that lie at these positions now, and reads them
 * only then. Nothing that was read before [T2] is used after it but the word. Positions are used modulo 2³², of which
 * the ring is at most a quarter; who sleeps between [T1] and [T3], or [E1] and [E2], while exactly 2³² items are stolen
 * may say of a deque with items that it is empty.
 *
 * Memory order. `head` is written by the owner, `split` is the owner's copy; its own loads of head are relaxed.
 *   [S1] push looks at the slot: relaxed. [S2] whoever took the item sets the slot to NULL: relaxed. Coherence is
 *        enough: a taker reads the slot before its own [S2], and so nothing that came after it there
 *   [P1] push stores the item in the slot: relaxed, made visible by [G2]
 *   [P2] push stores head: relaxed. Others read it only to tell "private" from "nothing", see [T3] and [E1]
 *   [G1] sharing loads the word: relaxed, see [O1]. An older one than the thief saw who asked drops its request, as if
 *        something were shared; the thief asks again
 *   [G2] sharing stores the word: release, pairs with [T1], [T2]: slots, the items' contents, and head
 *   [O1] pop loads the word: relaxed, a guess for [O3]; tail only grows up to split, which is the owner's: one that
 *        equals it is the newest
 *   [O2] pop stores head: relaxed, as [P2]
 *   [O3] pop's cas of the word, to take back the newer half: relaxed. It publishes nothing; whoever reads it gets [G2]
 *        through it, as it is a read-modify-write, and the heads before it were all larger than what is shared by it
 *   [O4] take_oldest's cas: release, pairs with [T1]: it may move split up, to where head once was; head as of now has
 *        to go with it, or a thief would take the old one for the end
 *   [T1] steal loads the word: acquire, pairs with [G2] and [O4]; makes [T3] see a head that is not older than it
 *   [T2] steal's cas: acquire, pairs with [G2], which may be another one than [T1] saw (ABA). Nothing to release
 *   [T3] steal loads head: relaxed, after [T1]. The owner's head never lies below its split. So if nothing is shared
 *        and head equals split, nothing was private when head stood there; otherwise something was
 *   [T4] steal reads the slot it has claimed: relaxed, visible by [T2]; nobody else writes it until [S2]
 *   [E1] is_empty and length load the word: acquire, as [T1]. So [E2], which is relaxed, sees a head that is not older,
 *        and as the owner's head never lies below the tail, nothing was inside when a head stood there that equals it.
 *        A push before the other side's full barrier is below that head, or gone
 *   [W]  `wanted` is stored and loaded relaxed. It hands nothing over. A request that the owner's clearing overtakes is
 *        lost, but something was shared between its look and that; if it is gone again, the thief asks again
 *
 * Layout: the word on a line (thieves write it); `wanted` and what is immutable on another (seldom written, read by
 * all); the owner's fields on a third, which thieves read only when nothing is shared.
 *
 * Rejected: copying before the swap (ABA, see above: needs a tag in the word, and 64 bits have no room for one that
 * does not come round within a stall); a count of the items that thieves have copied, which the owner compares with
 * tail (a second read-modify-write a theft, and one stalled thief keeps all slots); taking half of all items by `head`
 * (the private part may shrink meanwhile, and then it was more than half); a request raised by whoever takes the last
 * shared item (an owner without competition would share after every theft).
 */
#ifndef STEALYARD_QUEUES_DQ_SPLIT_H
#define STEALYARD_QUEUES_DQ_SPLIT_H

#include "queues/dq.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_SPLIT_CAPACITY_MAX ((size_t)1 << 30)

/* Items tail .. split - 1 are shared, split .. head - 1 private. A slot that holds nothing is NULL. */
struct dq_split {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 word;   /* split << 32 | tail */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 wanted; /* whether somebody asks for more to be shared */
    uint32_t capacity;                            /* immutable, a power of two */
    struct aptr *slots;                         /* immutable; struct sy_node *; position i is in slot i mod capacity */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 head; /* written by the owner */
    uint32_t split;                             /* the owner's alone: the word's */
};

SY_INLINE struct dq_split *dq_split_of(struct dq *deque) {
    return (struct dq_split *)(void *)deque;
}

SY_INLINE struct aptr *dq_split_slot(struct dq_split *d, uint32_t position) {
    return &d->slots[position & (d->capacity - 1)];
}

SY_INLINE uint64_t dq_split_word(uint32_t tail, uint32_t split) {
    return (uint64_t)split << 32 | tail;
}

SY_INLINE uint32_t dq_split_tail_of(uint64_t word) {
    return (uint32_t)word;
}

SY_INLINE uint32_t dq_split_split_of(uint64_t word) {
    return (uint32_t)(word >> 32);
}

SY_INLINE uint32_t dq_split_half(uint32_t n) {
    return n - n / 2;
}

static inline int dq_split_create(struct dq **out, const struct dq_config *config) {
    if (!dq_config_is_valid(config) || config->capacity > DQ_SPLIT_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_split *d = (struct dq_split *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    struct aptr *slots = (struct aptr *)malloc(config->capacity * sizeof(struct aptr));
    if (!d || !slots) {
        free(d);
        free(slots);
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->capacity; i++) {
        aptr_store_relaxed(&slots[i], NULL);
    }
    uint32_t first = (uint32_t)config->first;
    au64_store_relaxed(&d->word, dq_split_word(first, first));
    au32_store_relaxed(&d->wanted, 1);
    d->capacity = (uint32_t)config->capacity;
    d->slots = slots;
    au32_store_relaxed(&d->head, first);
    d->split = first;
    *out = (struct dq *)(void *)d;
    return 0;
}

static inline void dq_split_destroy(struct dq *deque) {
    free(dq_split_of(deque)->slots);
    free(deque);
}

/* Looks first, so that the line stays with all that read it. */
SY_INLINE void dq_split_ask(struct dq_split *d) {
    if (!au32_load_relaxed(&d->wanted)) {  /* [W] */
        au32_store_relaxed(&d->wanted, 1); /* [W] */
    }
}

/* The owner answers a request: shares the older half of what is private, if nothing is shared. */
__attribute__((noinline, unused)) static void dq_split_share(struct dq_split *d, uint32_t head) {
    if (head == d->split) {
        return; /* the next push will have something */
    }
    uint32_t tail = dq_split_tail_of(au64_load_relaxed(&d->word)); /* [G1] */
    if (tail == d->split) {
        d->split += dq_split_half(head - d->split);
        au64_store_release(&d->word, dq_split_word(tail, d->split)); /* [G2] */
    }
    au32_store_relaxed(&d->wanted, 0); /* [W] */
}

SY_INLINE void dq_split_answer(struct dq_split *d, uint32_t head) {
    if (__builtin_expect(au32_load_relaxed(&d->wanted), 0)) { /* [W] */
        dq_split_share(d, head);
    }
}

/* The owner's private part is used up: takes back the newer half of what is shared. False: there is none. */
__attribute__((noinline, unused)) static bool dq_split_take_back(struct dq_split *d) {
    uint64_t word = au64_load_relaxed(&d->word); /* [O1] */
    uint32_t tail, split;
    do {
        tail = dq_split_tail_of(word);
        if (tail == d->split) {
            dq_split_ask(d);
            return false;
        }
        split = tail + (d->split - tail) / 2;
    } while (!au64_cas_relaxed(&d->word, &word, dq_split_word(tail, split))); /* [O3] */
    d->split = split;
    return true;
}

SY_INLINE enum dq_status dq_split_push(struct dq *deque, struct sy_node *item) {
    struct dq_split *d = dq_split_of(deque);
    uint32_t head = au32_load_relaxed(&d->head);
    struct aptr *slot = dq_split_slot(d, head);
    if (aptr_load_relaxed(slot)) { /* [S1] */
        return DQ_FULL;
    }
    aptr_store_relaxed(slot, item);         /* [P1] */
    au32_store_relaxed(&d->head, head + 1); /* [P2] */
    dq_split_answer(d, head + 1);
    return DQ_OK;
}

/* Takes the item out of a slot, whose owner is the caller: by having claimed it, or because it is private. */
SY_INLINE struct sy_node *dq_split_empty_slot(struct dq_split *d, uint32_t position) {
    struct aptr *slot = dq_split_slot(d, position);
    struct sy_node *item = (struct sy_node *)aptr_load_relaxed(slot); /* [T4] */
    aptr_store_relaxed(slot, NULL);                                   /* [S2] */
    return item;
}

SY_INLINE enum dq_status dq_split_pop(struct dq *deque, struct sy_node **out) {
    struct dq_split *d = dq_split_of(deque);
    uint32_t head = au32_load_relaxed(&d->head);
    if (head == d->split && !dq_split_take_back(d)) {
        return DQ_EMPTY;
    }
    *out = dq_split_empty_slot(d, head - 1);
    au32_store_relaxed(&d->head, head - 1); /* [O2] */
    dq_split_answer(d, head - 1);
    return DQ_OK;
}

/* Private items too: split moves up to what is taken. */
static inline size_t dq_split_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    struct dq_split *d = dq_split_of(deque);
    uint64_t word = au64_load_relaxed(&d->word); /* [O1] */
    uint32_t head = au32_load_relaxed(&d->head), tail, split, n;
    do {
        tail = dq_split_tail_of(word);
        uint32_t half = dq_split_half(head - tail), shared = d->split - tail;
        n = half < max ? half : (uint32_t)max;
        split = n > shared ? tail + n : d->split;
    } while (n > 0 && !au64_cas_release(&d->word, &word, dq_split_word(tail + n, split))); /* [O4] */
    d->split = split;
    for (uint32_t i = 0; i < n; i++) {
        items[i] = dq_split_empty_slot(d, tail + i);
    }
    return n;
}

/* The owner: for how many more, up to `wanted`, there is room. It stays, for only the owner pushes. */
static inline uint32_t dq_split_room(struct dq_split *d, size_t wanted) {
    uint32_t head = au32_load_relaxed(&d->head), room = 0;
    while (room < wanted && room < d->capacity && !aptr_load_relaxed(dq_split_slot(d, head + room))) { /* [S1] */
        room++;
    }
    return room;
}

SY_INLINE enum dq_status dq_split_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                        size_t *moved) {
    struct dq_split *v = dq_split_of(victim);
    uint64_t word = au64_load_acquire(&v->word); /* [T1] */
    uint32_t tail = dq_split_tail_of(word), split = dq_split_split_of(word);
    *moved = 0;
    if (tail == split) {
        dq_split_ask(v);
        return au32_load_relaxed(&v->head) == split ? DQ_EMPTY : DQ_RETRY; /* [T3] */
    }
    uint32_t half = dq_split_half(split - tail);
    size_t wanted = half < max ? half : max;
    uint32_t n = thief ? 1 + dq_split_room(dq_split_of(thief), wanted - 1) : 1;
    if (!au64_cas_acquire(&v->word, &word, dq_split_word(tail + n, split))) { /* [T2] */
        return DQ_RETRY;
    }
    *out = dq_split_empty_slot(v, tail);
    for (uint32_t i = 1; i < n; i++) {
        dq_split_push(thief, dq_split_empty_slot(v, tail + i));
    }
    *moved = n;
    return DQ_OK;
}

/* Negative if tail is newer than head. */
SY_INLINE int32_t dq_split_inside(const struct dq *deque) {
    const struct dq_split *d = (const struct dq_split *)(const void *)deque;
    uint32_t tail = dq_split_tail_of(au64_load_acquire(&d->word)); /* [E1] */
    return (int32_t)(au32_load_relaxed(&d->head) - tail);          /* [E2] */
}

SY_INLINE size_t dq_split_length(const struct dq *deque) {
    int32_t inside = dq_split_inside(deque);
    return inside > 0 ? (size_t)inside : 0;
}

SY_INLINE bool dq_split_is_empty(const struct dq *deque) {
    return dq_split_inside(deque) == 0;
}

__attribute__((unused)) static const struct dq_ops dq_split_ops = {
    .name = "dq_split",
    .summary = "bounded ring, the newer part private; thieves ask for more through a flag",
    .source = "van Dijk, van de Pol: Lace: Non-blocking Split Deque for Work-Stealing, MuCoCoS 2014",
    .progress = "owner wait-free; thieves wait-free, but private items wait for the owner",
    .reclamation = "none needed",
    .cost =
        "push, pop: no RMW, 3 lines; pop of a shared item: 1 RMW for half of them, 4 lines; steal: 1 RMW for half of "
        "the shared items, 6 lines",
    .caveat = "private items cannot be stolen before the owner's next push or pop",
    .order = DQ_LIFO,
    .bounded = true,
    .withholds = true,
    .create = dq_split_create,
    .destroy = dq_split_destroy,
    .push = dq_split_push,
    .pop = dq_split_pop,
    .take_oldest = dq_split_take_oldest,
    .steal = dq_split_steal,
    .is_empty = dq_split_is_empty,
    .length = dq_split_length,
};

#endif
