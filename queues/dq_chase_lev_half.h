/*
 * The two ends of a Chase-Lev deque out of which a thief takes up to half by one compare-and-swap, while the owner
 * still pops without writing top. dq_chase_lev_fixed.h and dq_chase_lev_asym.h are made of it; they bring the two
 * fences and the slots.
 *
 * Source: Chase and Lev (dq_chase_lev.h). That the owner must step in only when it has come down to half of what a
 * thief may have seen is Hendler and Shavit, Non-Blocking Steal-Half Work Queues, PODC 2002; there the owner publishes
 * what may be stolen, whenever it passes a power of two on its way up or down. Here thieves work it out from bottom, so
 * that push publishes nothing and only the way down costs.
 *
 * How it works. Chase-Lev's owner takes the item at `last` without a read-modify-write if top is below it, for a thief
 * takes one item only. A thief that takes many could reach it. So top has an *epoch* beside the index, and the owner
 * keeps a *ceiling*: the largest bottom since it changed top itself. A thief that saw top's word and then a bottom
 * takes at most half of what is between, rounded up.
 *   (a) What such a thief may have seen. Its word is the one of the owner's latest change of top, or a later one; as
 *       all changes of top are read-modify-writes, its acquire [T1] brings the bottom of that change, and what it reads
 *       at [T2] is that one or a later one, hence at most the ceiling. So it takes nothing at or above top + (ceiling -
 *       top + 1) / 2; what is up there the owner has for nothing, if [O2] reads the word that the thief goes by.
 *   (b) Below that the owner raises the epoch [O4]: whoever goes by an older word fails [T5], and whoever reads the new
 *       one sees the lowered bottom. Then the ceiling is that bottom. From n items down to none these are log2 n swaps.
 *   (c) [O2] may read an older word than the thief's. Not if the owner wrote the thief's word: its own changes it
 *       knows. So by a word that the owner wrote last a thief may go without any fence. Another thief's change the
 *       owner may overlook: so thieves mark the word as STOLEN, and who goes by a marked one makes the fence [F2]
 *       between [T1] and [T2]. Then, by the owner's [F1] between [O1] and [O2], either the owner reads that word or a
 *       later one, or the thief sees the lowered bottom, and takes nothing at or above it unless it was pushed anew
 *       since.
 * Of an item that the owner takes for nothing no thief's swap succeeds, then: with [O2] at the thief's word by (a),
 * before it by (c); and after the swap, the owner would have found top above the item. An owner that `renews` raises
 * the epoch whenever it finds the word marked: as long as it pops between two thefts, thieves need no fence.
 *   (d) The owner takes from top [O4] what it likes, up to bottom, without a fence: nobody but itself takes otherwise
 *       than by a swap of top, and it does not pop meanwhile.
 *
 * The deque found empty by a word that thieves wrote, the ceiling comes down too, without a change by the owner: each
 * pop before that one read an older word, so who goes by this one sees, by (c), the bottom of the last of them or a
 * later one.
 *
 * Word: the index modulo 2^32, STOLEN, and 31 bits of epoch. The index in full is the one near bottom; at most 2^30
 * items are inside. That holds if top has not changed between the two loads; a thief that says DQ_EMPTY makes sure of
 * it [T6], for one that sleeps over 2^31 pushes between them could take a long deque for an empty one.
 *
 * ABA. But for STOLEN the word is one number of 63 bits, the epoch above the index: an index that comes round raises
 * the epoch, and no change of top makes the number less. So a swap by an old word succeeds wrongly only if since [T1]
 * the number has come round, after 2^31 epochs or 2^63 items or some of both, and stands where it stood. At one index
 * an epoch takes two pushes and two pops on the average, at least: at 10 ns for those the thief would have to be
 * stopped for 20 s, in which nobody steals and the owner does nothing else, and to go on at one word of 2^31. Threads
 * that are stopped for so long are not unheard of: it is not excluded, but would happen to one in 2^31 of them.
 *
 * Memory order. bottom, the owner's fields and slots are written by the owner only, whose own loads of them are
 * relaxed.
 *   [P1] owner loads bottom: relaxed, own
 *   [P2] owner loads top for room: acquire, pairs with [T5]: whoever took item i read its slot before its release; the
 *        owner overwrites that slot only after it has seen top > i here or at [O2], [O4]
 *   [P3] slot stored: relaxed, made visible by [P4]. A thief stores what it is about to take behind its own bottom,
 *        where nobody looks
 *   [P4] bottom stored: release, pairs with [T2]: slots, and the items' contents
 *   [O1] pop stores bottom - 1: release, for a thief whose [T2] reads it instead of [P4]
 *   [F1] between [O1] and [O2], with [F2]: see (c)
 *   [O2] pop loads top: acquire, pairs with [T5], as [P2]
 *   [O3] owner loads a slot: relaxed, own
 *   [O4] the owner's swaps of top: seq_cst; release for (a), acquire as [P2]
 *   [O5] pop puts bottom back: relaxed; top is as large by now, so no thief can take anything by it
 *   [T1] steal loads top: acquire, pairs with [O4] for (a) and with [T5] of others for (c): what they did before is
 *        before [F2] in the total order, and so an owner after [F2] sees a top at least as new. Why [T5] is seq_cst,
 *        too
 *   [F2] between [T1] and [T2], by a word that is marked
 *   [T2] steal loads bottom: acquire, pairs with [P4] and [O1]
 *   [T4] steal loads slots: relaxed, and before [T5]: after it the owner may overwrite them
 *   [T5] steal's swap: seq_cst
 *   [T6] steal loads top again, relaxed, after [T2] by its acquire
 *   [E]  is_empty and length: bottom with acquire, so that top is at most a capacity below it, or above; then top,
 *        relaxed. "Empty" says that every item below the bottom seen was taken, or is in its owner's hands
 * DQ_EMPTY needs no fence: top was read before bottom and did not change, so each item whose push happened before is
 * below that top, or was above that bottom when the owner lowered it.
 *
 * A model checker for RC11 (stress/models/dq_chase_lev_fixed.sh, dq_chase_lev_asym.sh) accepts [P2], [O2] and [T5]
 * relaxed; C11 by its letter does not (dq_chase_lev.h says why). [O4] relaxed it finds only where no fence precedes it.
 */
#ifndef STEALYARD_QUEUES_DQ_CHASE_LEV_HALF_H
#define STEALYARD_QUEUES_DQ_CHASE_LEV_HALF_H

#include "queues/dq.h"

#define DQ_CHASE_LEV_HALF_STOLEN ((uint64_t)1 << 32)
#define DQ_CHASE_LEV_HALF_EPOCH ((uint64_t)1 << 33) /* one of them */
#define DQ_CHASE_LEV_HALF_INDEX ((uint64_t)UINT32_MAX)

struct dq_chase_lev_ring {
    struct aptr *slots; /* struct sy_node *; item i is in slot i & mask */
    int64_t mask;
};

/* Items top .. bottom - 1 are inside. */
struct dq_chase_lev_half {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 top;    /* a word; its index grows only */
    SY_ALIGNAS(SY_CACHE_LINE) struct ai64 bottom; /* written by the owner */
    int64_t top_seen;                             /* the owner's alone, as all below; at most top's index */
    int64_t ceiling;                              /* as of the last pop at least every bottom by which a theft may yet
                                                     succeed; the next pop makes up for the pushes since */
    struct dq_chase_lev_ring ring;                /* thieves may read it if it never changes */
};

/* From the index in a word to `index`, which is near. */
SY_INLINE int64_t dq_chase_lev_half_distance(uint64_t word, int64_t index) {
    return (int32_t)((uint32_t)index - (uint32_t)word);
}

/* The word with its index `n` further, unmarked. An index that comes round raises the epoch. */
SY_INLINE uint64_t dq_chase_lev_half_advanced(uint64_t word, int64_t n) {
    uint64_t next = (word & ~DQ_CHASE_LEV_HALF_STOLEN) + (uint64_t)n;
    return next + (next & DQ_CHASE_LEV_HALF_STOLEN); /* where the carry is: one bit further, and nothing here */
}

/* How many of `inside` items may leave at once. */
SY_INLINE int64_t dq_chase_lev_half_share(int64_t inside, size_t max) {
    int64_t half = inside - inside / 2;
    return (uint64_t)half < max ? half : (int64_t)max;
}

SY_INLINE struct aptr *dq_chase_lev_half_slot(const struct dq_chase_lev_ring *ring, int64_t index) {
    return &ring->slots[index & ring->mask];
}

/* All but the ring. */
SY_INLINE void dq_chase_lev_half_init(struct dq_chase_lev_half *h, uint64_t first_index) {
    int64_t first = (int64_t)(first_index & (UINT64_MAX >> 2)); /* they never come to 2^63 */
    au64_store_relaxed(&h->top, (uint64_t)first & DQ_CHASE_LEV_HALF_INDEX);
    ai64_store_relaxed(&h->bottom, first);
    h->top_seen = h->ceiling = first;
}

/* The owner: for how many pushes, of those `wanted`, there is room. It stays, for only the owner pushes. */
SY_INLINE int64_t dq_chase_lev_half_room(struct dq_chase_lev_half *h, int64_t wanted) {
    int64_t bottom = ai64_load_relaxed(&h->bottom); /* [P1] */
    if (__builtin_expect(bottom - h->top_seen + wanted <= h->ring.mask + 1, 1)) {
        return wanted;
    }
    h->top_seen = bottom - dq_chase_lev_half_distance(au64_load_acquire(&h->top), bottom); /* [P2] */
    int64_t room = h->ring.mask + 1 - (bottom - h->top_seen);
    return room < wanted ? room : wanted;
}

/* The owner, who has made sure of the room. */
SY_INLINE void dq_chase_lev_half_put(struct dq_chase_lev_half *h, struct sy_node *item) {
    int64_t bottom = ai64_load_relaxed(&h->bottom);                     /* [P1] */
    aptr_store_relaxed(dq_chase_lev_half_slot(&h->ring, bottom), item); /* [P3] */
    ai64_store_release(&h->bottom, bottom + 1);                         /* [P4] */
}

/* pop before its fence: lowers bottom to `last`, where the newest item is. False: empty. */
SY_INLINE bool dq_chase_lev_half_lower(struct dq_chase_lev_half *h, int64_t *last) {
    int64_t bottom = ai64_load_relaxed(&h->bottom); /* [P1] */
    *last = bottom - 1;
    if (*last < h->top_seen) {
        return false;
    }
    if (h->ceiling < bottom) {
        h->ceiling = bottom;
    }
    ai64_store_release(&h->bottom, *last); /* [O1] */
    return true;
}

/* The deque is empty: thieves have reached bottom, or the owner has taken the last item. */
SY_INLINE void dq_chase_lev_half_emptied(struct dq_chase_lev_half *h, int64_t bottom) {
    ai64_store_relaxed(&h->bottom, bottom); /* [O5] */
    h->top_seen = h->ceiling = bottom;
}

/* Of an item that thieves may reach: whether it is the owner's. In each turn but the last, thieves took something. */
__attribute__((noinline, unused)) static bool dq_chase_lev_half_settle(struct dq_chase_lev_half *h, int64_t last,
                                                                       uint64_t word, bool renews) {
    for (;;) {
        int64_t below = dq_chase_lev_half_distance(word, last);
        if (below < 0) {
            dq_chase_lev_half_emptied(h, last + 1);
            if (renews) {
                au64_cas_seq_cst(&h->top, &word, /* [O4] */
                                 dq_chase_lev_half_advanced(word, 0) + DQ_CHASE_LEV_HALF_EPOCH);
            }
            return false;
        }
        uint64_t next = dq_chase_lev_half_advanced(word, below == 0) + (below > 0 ? DQ_CHASE_LEV_HALF_EPOCH : 0);
        if (au64_cas_seq_cst(&h->top, &word, next)) { /* [O4] */
            if (below == 0) {
                dq_chase_lev_half_emptied(h, last + 1);
            } else {
                h->top_seen = last - below;
                h->ceiling = last;
            }
            return true;
        }
    }
}

/* pop after its fence: whether the item at `last` is the owner's. */
SY_INLINE bool dq_chase_lev_half_keep(struct dq_chase_lev_half *h, int64_t last, bool renews) {
    uint64_t word = au64_load_acquire(&h->top); /* [O2] */
    bool own = dq_chase_lev_half_distance(word, last) >= h->ceiling - last;
    if (__builtin_expect(own && !(renews && (word & DQ_CHASE_LEV_HALF_STOLEN)), 1)) {
        return true;
    }
    return dq_chase_lev_half_settle(h, last, word, renews);
}

SY_INLINE struct sy_node *dq_chase_lev_half_item(const struct dq_chase_lev_half *h, int64_t index) {
    return (struct sy_node *)aptr_load_relaxed(dq_chase_lev_half_slot(&h->ring, index)); /* [O3] */
}

/* The owner takes up to half, at most `max`, of the oldest. */
SY_INLINE size_t dq_chase_lev_half_take_oldest(struct dq_chase_lev_half *h, struct sy_node **items, size_t max) {
    int64_t bottom = ai64_load_relaxed(&h->bottom); /* [P1] */
    uint64_t word = au64_load_acquire(&h->top);     /* [P2] */
    int64_t inside = dq_chase_lev_half_distance(word, bottom), n = dq_chase_lev_half_share(inside, max);
    for (int64_t i = 0; i < n; i++) {
        items[i] = dq_chase_lev_half_item(h, bottom - inside + i);
    }
    if (n == 0 || !au64_cas_seq_cst(&h->top, &word, dq_chase_lev_half_advanced(word, n))) { /* [O4] */
        return 0;
    }
    h->top_seen = bottom - inside + n;
    h->ceiling = bottom;
    return (size_t)n;
}

/* A thief's look: DQ_OK, and then by which word it goes and how many are inside. `fence` is [F2]; false: none. */
SY_INLINE enum dq_status dq_chase_lev_half_look(struct dq_chase_lev_half *victim,
                                                bool (*fence)(struct dq_chase_lev_half *victim), uint64_t *word,
                                                int64_t *inside) {
    *word = au64_load_acquire(&victim->top);                                         /* [T1] */
    *inside = dq_chase_lev_half_distance(*word, ai64_load_acquire(&victim->bottom)); /* [T2] */
    if (*inside > 0 && (*word & DQ_CHASE_LEV_HALF_STOLEN)) {
        if (!fence(victim)) {
            return DQ_RETRY;
        }
        *inside = dq_chase_lev_half_distance(*word, ai64_load_acquire(&victim->bottom)); /* [T2] */
    }
    if (*inside > 0) {
        return DQ_OK;
    }
    return au64_load_relaxed(&victim->top) == *word ? DQ_EMPTY : DQ_RETRY; /* [T6] */
}

/* Takes `n`, of which all but the oldest go behind the thief's bottom, where there is room for them. */
SY_INLINE enum dq_status dq_chase_lev_half_take(struct dq_chase_lev_half *victim, uint64_t word, int64_t n,
                                                const struct dq_chase_lev_ring *from, struct dq_chase_lev_half *thief,
                                                struct sy_node **out) {
    int64_t top = (int64_t)(word & DQ_CHASE_LEV_HALF_INDEX);
    struct sy_node *oldest = (struct sy_node *)aptr_load_relaxed(dq_chase_lev_half_slot(from, top)); /* [T4] */
    int64_t bottom = n > 1 ? ai64_load_relaxed(&thief->bottom) : 0;                                  /* [P1] */
    for (int64_t i = 1; i < n; i++) {
        void *item = aptr_load_relaxed(dq_chase_lev_half_slot(from, top + i));          /* [T4] */
        aptr_store_relaxed(dq_chase_lev_half_slot(&thief->ring, bottom + i - 1), item); /* [P3] */
    }
    uint64_t next = dq_chase_lev_half_advanced(word, n) | DQ_CHASE_LEV_HALF_STOLEN;
    if (!au64_cas_seq_cst(&victim->top, &word, next)) { /* [T5] */
        return DQ_RETRY;
    }
    if (n > 1) {
        ai64_store_release(&thief->bottom, bottom + n - 1); /* [P4] */
    }
    *out = oldest;
    return DQ_OK;
}

SY_INLINE size_t dq_chase_lev_half_length(const struct dq_chase_lev_half *h) {
    int64_t bottom = ai64_load_acquire(&h->bottom);                                  /* [E] */
    int64_t inside = dq_chase_lev_half_distance(au64_load_relaxed(&h->top), bottom); /* [E] */
    return inside > 0 ? (size_t)inside : 0;
}

#endif
