/*
 * Block-based work stealing: what dq_bwos.h (LIFO) and dq_bwos_fifo.h (FIFO) share. The items stand in a ring of slots
 * that is divided into blocks. The owner pushes into a block that is its own, by plain accesses; one that is full it
 * *grants* to the thieves, by one store; thieves take from the oldest granted block by a compare-and-swap of that
 * block's word; the owner *takes over* what is left of a granted block by another.
 *
 * Source: Wang, Trach, Fu, Behrens, Schwender, Liu, Lei, Vafeiadis, Härtig, Chen: BWoS: Formally Verified Block-based
 * Work Stealing for Parallel Processing, OSDI 2023. Deviations:
 *   - a block's state is one word (who may take, from which slot on, the number of the grant), where the paper has
 *     four counters; so no state between two of them exists that somebody could act on;
 *   - thieves read the slots before their compare-and-swap, not after it: there is no count of thefts that have ended,
 *     and a thief that stalls keeps no block from being used again;
 *   - thieves take up to half at once, or a whole block if another one is granted behind it;
 *   - blocks are counted by positions that never come back, and thieves go from one to the next strictly in order;
 *   - an oldest block is given by one word for all thieves, not guessed: DQ_EMPTY can be told from DQ_RETRY.
 * Where known ports lost or doubled items (stdexec 1755, 1967, 2130, and the races of 1752 and 2172):
 *   - a thief paused between "the next block is open" and entering it, the owner took that block over, and the thief
 *     took the marks of the takeover for those of a spent block and went past its items. Here "own" and "spent" are
 *     different states, and `low` only goes past a block that is spent, which is for ever (see S below);
 *   - a thief's old view of a block passed for its next use, as the marks were the same. Here each grant has a number;
 *   - the first block of thieves looked open although nothing had ever been granted. Here it is the owner's own;
 *   - positions of blocks and marks inside them were relaxed. Here they hand on what they tell of: see below.
 * Not work-conserving (stdexec 1481): what stands in the owner's own blocks no thief can have.
 *
 * Positions count pushes (of a LIFO deque: less pops) from config.first, modulo 2⁶⁴; position p has slot p modulo the
 * ring's size, and its block's word likewise. The ring has twice `capacity` slots, the limit alone makes it full: so
 * a partly stolen block costs no room, and push says DQ_FULL only at `capacity` items. Inside are the positions from
 * `oldest` (the block at `low`, and where its word says that what is left begins) up to `bottom`, and the FIFO
 * deque's held items. The blocks from `low` on are: granted ones, full but for the beginning of the first; then the
 * owner's own one, and no other. A block's word changes thus:
 *   own     → granted   when it is full, by the owner [W2]; with a new number
 *   granted → granted   with fewer items, by a thief, or by the owner's take_oldest [W3]; spent if none is left
 *   granted → own       LIFO: the newest one, by the owner whose own is empty [W6]
 *   granted → spent     FIFO: the oldest one, by the owner who takes all that is left [W4]
 *   own     → own       with a later beginning, by the owner who takes its oldest items [W5]
 *   spent   → own       when the ring has come round to it, by the owner [W1]
 *
 * (S) Spent is for ever. A block position that is granted and has no items never has any again: the owner takes over
 * only what has items, and the slot's next use is another position's, which begins only when the owner has seen `low`
 * past this one (P − oldest ≤ capacity, and the ring is larger by more than a block). So whoever saw that the block
 * at `low` was spent may put `low` one block further at any later time: the compare-and-swap [L2] fails if somebody
 * has done it, and `low` itself never comes back.
 *
 * Exactly once. A theft [W3] succeeds only if the word is as it was when the thief had read it [W0]: the number says
 * that it is the same grant, so between them the owner did not own the block, and the slots read were those that it
 * granted. That `low` had not moved after [W0] says that the word is that of this position and not of its slot's next
 * use, hence that the items are the oldest; without it they might be others, but exactly once all the same.
 *
 * ABA. The number of grants has 53 bits (it begins at config.first modulo that). A thief would have to stall between
 * [W0] and [W3] while exactly 2⁵³ · k blocks are granted, each of them after at least one store of an item: 100 days
 * at one a nanosecond; and the last of them would have to be of this block, left with as many items. That the number
 * passes zero means nothing: it is compared for being equal only, as positions are, whose differences alone count.
 *
 * Memory order. What the owner alone writes it loads relaxed [B0].
 *   [B1] bottom stored, relaxed: items are handed over by W2, not by it; a barrier after it is the caller's (dq.h)
 *   [B2] bottom loaded by others, relaxed, after W0 and D2
 *   [S1] slot stored, relaxed: visible by W2. A thief prepares its own deque's slots so, too, which nobody reads yet
 *   [S2] slot loaded by a thief, relaxed, and before W3: its release orders it
 *   [S3] slot loaded by the owner, relaxed, own
 *   [W0] word loaded, acquire, pairs with W2 (through thefts in between: they are read-modify-writes): the items,
 *        their slots, the W1 of the next block; and with W3, W4, W5: D1, and that the slots below were read
 *   [W1] word of a new own block stored, relaxed, before W2 of the block below. Who reads `low` as this position has
 *        that W2 before it (L2 after W0 of a block that was granted), so it cannot see the spent word of the slot's
 *        last use
 *   [W2] grant, store release, pairs with W0. No thief's compare-and-swap can come in between: an own word is never
 *        expected
 *   [W3] theft, cas release: for W0 of who goes on to L2, hence for the owner's reuse of the slots that it read.
 *        Failure: relaxed, nothing is read any more
 *   [W4] FIFO: takeover, cas acq_rel: release for D1; nothing rests on its acquire, the word is loaded again by W0
 *   [W6] LIFO: takeover, load relaxed, cas acquire, pairs with W3. The next W2 of this block is a store, which ends the
 *        thefts' release sequences: who reads that has them before it by the owner only, so the owner must have them.
 *        Nothing to release: what was granted is the owner's own
 *   [W5] own word stored, release: for D1, as W4, and for the bottom of then
 *   [L1] low loaded, acquire, pairs with L2: see W1; and the slots behind it are read no more
 *   [L2] low moved to the next block, cas acq_rel: release for L1; acquire on failure, as L1
 *   [L3] low loaded again by a thief, relaxed, after W0. If W0 read a later use of the slot, its W2 had an L1 past
 *        this position before it, so this load sees that
 *   [D1] FIFO: held stored, release: who sees that the last held item is gone sees the bottom of then. It stands
 *        before W4 and W5, so who sees that the oldest items went to the owner sees that it holds them
 *   [D2] FIFO: held loaded by others, acquire, after W0 and before B2, pairs with D1
 * DQ_EMPTY says that bottom (B2) was the `oldest` of before. Both true values never cross, and `oldest` only grows:
 * at B2 they were equal. Held items come from a growing `oldest` only: there were none at D2, so none at B2.
 *
 * GenMC (stress/models/dq_bwos*.sh) finds the fault when an order of W0, W2, W4, W5, L1, L2, D1 or D2 is weakened, W1
 * is left out or late, the number stays, or a swap is a store. It accepts W3 and W6 relaxed: RC11 knows no cycles of
 * dependence; C11 by its letter does, and ThreadSanitizer sees both in stress/unit_dq_bwos_order.c. That L2 is no
 * store, and L3, are seen by stress/unit_dq_bwos.c: they keep the order, not the items.
 *
 * Layout: `low` on a line of its own (thieves write it, once a block), the owner's fields on another, what never
 * changes on a third; each block's word on a line of its own, as thieves write the word of an old block only.
 *
 * Blocks of 16 slots by default: the owner's push and pop cost a fifth less with 64, and a fifth more with 8, where a
 * border is crossed four or two times as rarely or often (one processor, bursts of 64); but a block is what is
 * withheld.
 */
#ifndef STEALYARD_QUEUES_DQ_BWOS_BLOCK_H
#define STEALYARD_QUEUES_DQ_BWOS_BLOCK_H

#include "queues/dq.h"

#include <errno.h>
#include <stdlib.h>

#define DQ_BWOS_CAPACITY_MAX ((size_t)1 << 30)
#define DQ_BWOS_BLOCK_DEFAULT 16
#define DQ_BWOS_BLOCK_MAX 512 /* a larger one is taken for this */

/* A word: the number of the grant, whether the block is the owner's own, and the first slot that still has an item. */
#define DQ_BWOS_FROM (((uint64_t)1 << 10) - 1)
#define DQ_BWOS_OWN ((uint64_t)1 << 10)
#define DQ_BWOS_NUMBER ((uint64_t)1 << 11)

struct dq_bwos_block {
    struct au64 word;
    char padding[SY_CACHE_LINE - sizeof(struct au64)];
};

struct dq_bwos {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 low;    /* position of the first block that may have items for thieves */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 bottom; /* position of the next push; written by the owner */
    uint64_t floor;                               /* the owner's alone, as what follows: where its own block begins */
    uint64_t limit;                               /* no push beyond it without a look */
    uint64_t end;                                 /* of its own block */
    uint64_t oldest_seen;                         /* at most `oldest` */
    uint64_t number;                              /* of the last grant, times DQ_BWOS_NUMBER */
    struct au64 held;                             /* FIFO: items taken out of the blocks, for the next pops */
    struct aptr *held_end;                        /* the slot behind them */
    struct aptr *held_block;                      /* the first slot of their block */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr *slots; /* immutable, as what follows, but for the spare slots' contents */
    struct dq_bwos_block *blocks;
    struct aptr *spare; /* FIFO: room for a block of held items */
    uint64_t size;      /* of a block, in slots */
    unsigned order;     /* its logarithm */
    uint64_t slot_mask, block_mask;
    uint64_t capacity;
};

SY_INLINE struct dq_bwos *dq_bwos_of(struct dq *deque) {
    return (struct dq_bwos *)(void *)deque;
}

SY_INLINE struct aptr *dq_bwos_slot(const struct dq_bwos *d, uint64_t position) {
    return &d->slots[position & d->slot_mask];
}

SY_INLINE struct au64 *dq_bwos_word(const struct dq_bwos *d, uint64_t position) {
    return &d->blocks[(position >> d->order) & d->block_mask].word;
}

SY_INLINE bool dq_bwos_is_own(uint64_t word) {
    return word & DQ_BWOS_OWN;
}

SY_INLINE uint64_t dq_bwos_from(uint64_t word) {
    return word & DQ_BWOS_FROM;
}

/* ---- create and destroy ---- */

/* In slots, a power of two: at most half of the capacity, so that thieves can get something. */
static inline uint64_t dq_bwos_block_size(const struct dq_config *config) {
    size_t size = config->block ? config->block : DQ_BWOS_BLOCK_DEFAULT;
    size = size < DQ_BWOS_BLOCK_MAX ? size : DQ_BWOS_BLOCK_MAX;
    return size < config->capacity / 2 ? size : config->capacity / 2;
}

static inline void dq_bwos_destroy(struct dq *deque) {
    struct dq_bwos *d = dq_bwos_of(deque);
    free(d->slots);
    free(d->blocks);
    free(d->spare);
    free(d);
}

/* Every block is spent but the first, which is the owner's own. */
static inline void dq_bwos_init(struct dq_bwos *d, uint64_t first) {
    for (uint64_t i = 0; i <= d->slot_mask; i++) {
        aptr_store_relaxed(&d->slots[i], NULL);
    }
    for (uint64_t i = 0; i <= d->block_mask; i++) {
        au64_store_relaxed(&d->blocks[i].word, d->size);
    }
    uint64_t from = first & (d->size - 1);
    au64_store_relaxed(dq_bwos_word(d, first), DQ_BWOS_OWN | from);
    au64_store_relaxed(&d->low, first - from);
    au64_store_relaxed(&d->bottom, first);
    au64_store_relaxed(&d->held, 0);
    d->held_end = d->held_block = d->slots;
    d->floor = first;
    d->end = first - from + d->size;
    d->limit = first; /* the first push has a look */
    d->oldest_seen = first;
    d->number = first * DQ_BWOS_NUMBER;
}

static inline int dq_bwos_create_as(struct dq **out, const struct dq_config *config, enum dq_order order) {
    if (!dq_config_is_valid(config) || config->capacity > DQ_BWOS_CAPACITY_MAX) {
        return -EINVAL;
    }
    struct dq_bwos *d = (struct dq_bwos *)aligned_alloc(SY_CACHE_LINE, sizeof *d);
    if (!d) {
        return -ENOMEM;
    }
    size_t slots = 2 * config->capacity;
    d->capacity = config->capacity;
    d->size = dq_bwos_block_size(config);
    d->order = (unsigned)__builtin_ctzll(d->size);
    d->slot_mask = slots - 1;
    d->block_mask = (slots >> d->order) - 1;
    size_t bytes = (slots * sizeof *d->slots + SY_CACHE_LINE - 1) & ~(size_t)(SY_CACHE_LINE - 1);
    d->slots = (struct aptr *)aligned_alloc(SY_CACHE_LINE, bytes);
    d->blocks = (struct dq_bwos_block *)malloc((slots >> d->order) * sizeof *d->blocks);
    d->spare = order == DQ_FIFO ? (struct aptr *)malloc(d->size * sizeof *d->spare) : NULL;
    if (!d->slots || !d->blocks || (order == DQ_FIFO && !d->spare)) {
        dq_bwos_destroy((struct dq *)(void *)d);
        return -ENOMEM;
    }
    dq_bwos_init(d, config->first);
    *out = (struct dq *)(void *)d;
    return 0;
}

/* ---- the owner and thieves ---- */

/* The position of the oldest item, or of the next push if there is none, and its block's word. Leaves spent blocks. */
SY_INLINE uint64_t dq_bwos_oldest(struct dq_bwos *d, uint64_t *word) {
    uint64_t low = au64_load_acquire(&d->low); /* [L1] */
    for (;;) {
        *word = au64_load_acquire(dq_bwos_word(d, low)); /* [W0] */
        if (dq_bwos_is_own(*word) || dq_bwos_from(*word) < d->size) {
            return low + dq_bwos_from(*word);
        }
        if (au64_cas_acq_rel(&d->low, &low, low + d->size)) { /* [L2] */
            low += d->size;
        }
    }
}

/* With the oldest position and its own block's word seen before: whether that is all. */
SY_INLINE bool dq_bwos_ends_at(const struct dq_bwos *d, uint64_t oldest, enum dq_order order) {
    if (order == DQ_FIFO && au64_load_acquire(&d->held) > 0) { /* [D2] */
        return false;
    }
    return au64_load_relaxed(&d->bottom) == oldest; /* [B2] */
}

SY_INLINE bool dq_bwos_is_empty_as(const struct dq *deque, enum dq_order order) {
    const struct dq_bwos *d = (const struct dq_bwos *)(const void *)deque;
    uint64_t low = au64_load_acquire(&d->low);               /* [L1] */
    uint64_t word = au64_load_acquire(dq_bwos_word(d, low)); /* [W0] */
    return dq_bwos_ends_at(d, low + dq_bwos_from(word), order);
}

SY_INLINE size_t dq_bwos_length_as(const struct dq *deque, enum dq_order order) {
    const struct dq_bwos *d = (const struct dq_bwos *)(const void *)deque;
    uint64_t low = au64_load_acquire(&d->low);                                     /* [L1] */
    uint64_t oldest = low + dq_bwos_from(au64_load_acquire(dq_bwos_word(d, low))); /* [W0] */
    uint64_t held = order == DQ_FIFO ? au64_load_acquire(&d->held) : 0;            /* [D2] */
    uint64_t inside = au64_load_relaxed(&d->bottom) - oldest;                      /* [B2] */
    return (size_t)((inside <= d->capacity ? inside : 0) + held); /* oldest may have passed that bottom */
}

/* ---- the owner ---- */

/* FIFO: the ring has come round to the block in which held items stand: they move. */
static inline void dq_bwos_save_held(struct dq_bwos *d, uint64_t held) {
    for (uint64_t i = 0; i < held; i++) {
        aptr_store_relaxed(&d->spare[i], aptr_load_relaxed(d->held_end - held + i)); /* [S3] */
    }
    d->held_block = d->spare;
    d->held_end = d->spare + held;
}

/* Grants its own block, which is full, and begins the next one. */
SY_INLINE void dq_bwos_grant(struct dq_bwos *d, uint64_t held) {
    uint64_t end = d->end, start = end - d->size;
    if (held > 0 && d->held_block == dq_bwos_slot(d, end)) {
        dq_bwos_save_held(d, held);
    }
    d->number += DQ_BWOS_NUMBER;
    au64_store_relaxed(dq_bwos_word(d, end), DQ_BWOS_OWN);                      /* [W1] */
    au64_store_release(dq_bwos_word(d, start), d->number | (d->floor - start)); /* [W2] */
    d->floor = end;
    d->end = end + d->size;
}

/* Bottom is at the limit: puts that further. False: the deque is full. */
__attribute__((noinline, unused)) static bool dq_bwos_make_room(struct dq_bwos *d, enum dq_order order) {
    uint64_t word, bottom = au64_load_relaxed(&d->bottom);              /* [B0] */
    uint64_t held = order == DQ_FIFO ? au64_load_relaxed(&d->held) : 0; /* [B0] */
    if (bottom - d->oldest_seen + held >= d->capacity) {
        d->oldest_seen = dq_bwos_oldest(d, &word);
        if (bottom - d->oldest_seen + held >= d->capacity) {
            return false;
        }
    }
    if (bottom == d->end) {
        dq_bwos_grant(d, held);
    }
    uint64_t room = d->capacity - (bottom - d->oldest_seen + held);
    d->limit = room < d->end - bottom ? bottom + room : d->end;
    return true;
}

SY_INLINE enum dq_status dq_bwos_push_as(struct dq *deque, struct sy_node *item, enum dq_order order) {
    struct dq_bwos *d = dq_bwos_of(deque);
    uint64_t bottom = au64_load_relaxed(&d->bottom); /* [B0] */
    if (__builtin_expect(bottom == d->limit, 0) && !dq_bwos_make_room(d, order)) {
        return DQ_FULL;
    }
    aptr_store_relaxed(dq_bwos_slot(d, bottom), item); /* [S1] */
    au64_store_relaxed(&d->bottom, bottom + 1);        /* [B1] */
    return DQ_OK;
}

/* Takes up to `wanted` of the oldest out of the blocks, by one compare-and-swap a granted block. Returns how many. */
static inline size_t dq_bwos_take_blocks(struct dq_bwos *d, struct sy_node **items, size_t wanted) {
    size_t taken = 0;
    while (taken < wanted) {
        uint64_t word, oldest = dq_bwos_oldest(d, &word);
        bool own = dq_bwos_is_own(word);
        uint64_t left = own ? au64_load_relaxed(&d->bottom) - oldest : d->size - dq_bwos_from(word); /* [B0] */
        uint64_t n = left < wanted - taken ? left : wanted - taken;
        for (uint64_t i = 0; i < n; i++) {
            items[taken + i] = (struct sy_node *)aptr_load_relaxed(dq_bwos_slot(d, oldest + i)); /* [S3] */
        }
        if (own) {
            d->floor = oldest + n;
            au64_store_release(dq_bwos_word(d, d->end - d->size), word + n);      /* [W5] */
        } else if (!au64_cas_release(dq_bwos_word(d, oldest), &word, word + n)) { /* [W3] */
            continue;
        }
        taken += (size_t)n;
        if (own) {
            break;
        }
    }
    return taken;
}

/* ---- thieves ---- */

/* How many of the granted block that begins so to take: all if there are as many behind it, else half. */
SY_INLINE uint64_t dq_bwos_portion(const struct dq_bwos *d, uint64_t oldest, uint64_t word) {
    uint64_t left = d->size - dq_bwos_from(word);
    uint64_t next = au64_load_acquire(dq_bwos_word(d, oldest + left)); /* [W0] */
    bool full = !dq_bwos_is_own(next) && dq_bwos_from(next) == 0;
    return full ? left : left - left / 2;
}

/* How many of those the thief's own block has room for, and one more, to run. */
SY_INLINE uint64_t dq_bwos_reserve(struct dq_bwos *thief, uint64_t wanted, enum dq_order order) {
    uint64_t bottom = au64_load_relaxed(&thief->bottom); /* [B0] */
    if (bottom == thief->limit && !dq_bwos_make_room(thief, order)) {
        return 1;
    }
    uint64_t room = thief->limit - bottom;
    return wanted - 1 < room ? wanted : room + 1;
}

SY_INLINE enum dq_status dq_bwos_steal_as(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                          size_t *moved, enum dq_order order) {
    struct dq_bwos *d = dq_bwos_of(victim);
    uint64_t word, oldest = dq_bwos_oldest(d, &word);
    *moved = 0;
    if (dq_bwos_is_own(word)) {
        return dq_bwos_ends_at(d, oldest, order) ? DQ_EMPTY : DQ_RETRY;
    }
    uint64_t n = 1, bottom = 0;
    struct sy_node *first = (struct sy_node *)aptr_load_relaxed(dq_bwos_slot(d, oldest)); /* [S2] */
    if (thief && max > 1) {
        struct dq_bwos *to = dq_bwos_of(thief);
        uint64_t portion = dq_bwos_portion(d, oldest, word);
        n = dq_bwos_reserve(to, portion < max ? portion : max, order);
        bottom = au64_load_relaxed(&to->bottom); /* [B0] */
        for (uint64_t i = 1; i < n; i++) {
            void *item = aptr_load_relaxed(dq_bwos_slot(d, oldest + i)); /* [S2] */
            aptr_store_relaxed(dq_bwos_slot(to, bottom + i - 1), item);  /* [S1] */
        }
    }
    if (au64_load_relaxed(&d->low) != oldest - dq_bwos_from(word) ||   /* [L3] */
        !au64_cas_release(dq_bwos_word(d, oldest), &word, word + n)) { /* [W3] */
        return DQ_RETRY;
    }
    if (n > 1) {
        au64_store_relaxed(&dq_bwos_of(thief)->bottom, bottom + n - 1); /* [B1] */
    }
    *out = first;
    *moved = (size_t)n;
    return DQ_OK;
}

#endif
