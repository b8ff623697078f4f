/*
 * The blocks of gq_injector.h: what they are, how a word names one, and how they come and go. Numbers are those of
 * memory accesses; [P3] and the like are in gq_injector.h.
 *
 * A block begins with all slots empty, and ends when each is finished: by whoever touches it last, a pop that got the
 * item, or a push whose slot was given up. Who finishes the last slot has the block alone, and keeps it as a spare.
 *
 * Memory order.
 *   [B] a fresh block: relaxed, the caller's alone; visible by [P3]
 *   [F] finishes slots: release, so that all of a block's use comes before its end; acquire for who brings that about
 */
#ifndef STEALYARD_QUEUES_GQ_INJECTOR_BLOCK_H
#define STEALYARD_QUEUES_GQ_INJECTOR_BLOCK_H

#include "queues/node.h"
#include "queues/spares.h"

#if defined(SY_MODEL)
#ifndef GQ_INJECTOR_SPARES
#define GQ_INJECTOR_SPARES 1
#endif
#else
#define GQ_INJECTOR_SPARES 4 /* blocks kept for later, at most */
#endif

struct gq_injector_block {
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr next;    /* the block after it; the block itself: the head waits for that */
    struct au64 finished;                          /* slots that nobody will touch any more */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr slots[]; /* NULL, the item, or the block itself: given up */
};

/* A block, and which it is: of its number the five bits for which its alignment leaves room. */
SY_INLINE uint64_t gq_injector_word(const struct gq_injector_block *block, uint64_t number) {
    return (uint64_t)(uintptr_t)block | number % (SY_CACHE_LINE / 2) * 2;
}

SY_INLINE bool gq_injector_word_is_for(uint64_t word, uint64_t number) {
    return word % SY_CACHE_LINE == number % (SY_CACHE_LINE / 2) * 2;
}

SY_INLINE struct gq_injector_block *gq_injector_block_of(uint64_t word) {
    return (struct gq_injector_block *)(uintptr_t)(word & ~(uint64_t)(SY_CACHE_LINE - 1));
}

/* What stands for a block that is not there yet. No other word is odd. */
SY_INLINE uint64_t gq_injector_wish(uint64_t number) {
    return number * 2 + 1;
}

SY_INLINE bool gq_injector_word_is_wish(uint64_t word) {
    return word % 2 == 1;
}

/* A spare one or a new one of 2^bits slots, as if new. NULL: no memory. */
static inline struct gq_injector_block *gq_injector_block_get(struct aptr *spares, unsigned bits) {
    struct gq_injector_block *block = (struct gq_injector_block *)spares_take(spares, GQ_INJECTOR_SPARES);
    size_t slots = (size_t)1 << bits;
    if (!block) {
        size_t bytes = sizeof *block + slots * sizeof *block->slots;
        bytes = (bytes + SY_CACHE_LINE - 1) & ~(size_t)(SY_CACHE_LINE - 1);
        block = (struct gq_injector_block *)aligned_alloc(SY_CACHE_LINE, bytes);
    }
    if (!block) {
        return NULL;
    }
    aptr_store_relaxed(&block->next, NULL);  /* [B] */
    au64_store_relaxed(&block->finished, 0); /* [B] */
    for (size_t i = 0; i < slots; i++) {
        aptr_store_relaxed(&block->slots[i], NULL); /* [B] */
    }
    return block;
}

/* Of a block that the caller has alone. */
__attribute__((noinline, unused)) static void gq_injector_block_put(struct aptr *spares,
                                                                    struct gq_injector_block *block) {
    spares_keep(spares, GQ_INJECTOR_SPARES, block);
}

/* Nobody but the caller will touch these n of its slots any more, and neither will the caller. */
SY_INLINE void gq_injector_finish(struct aptr *spares, struct gq_injector_block *block, size_t n, unsigned bits) {
    uint64_t before = au64_fetch_add_acq_rel(&block->finished, n); /* [F] */
    if (before + n == (uint64_t)1 << bits) {
        gq_injector_block_put(spares, block);
    }
}

#endif
