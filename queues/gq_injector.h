/*
 * A global queue: linked blocks of slots, whose tail and head are positions that grow for ever. Blocks free themselves.
 *
 * Source: the idea of Injector in crossbeam-deque and SegQueue in crossbeam-queue (Stjepan Glavina and others, 2019);
 * slots that a pop may give up are from Yang and Mellor-Crummey (A Wait-free Queue as Fast as Fetch-and-Add, PPoPP
 * 2016) and Correia and Ramalhete's FAAArrayQueue (2016). Deviations from crossbeam's:
 *   - a pop does not wait for the pusher of a slot that it has claimed: it gives the slot up, and the pusher claims
 *     another. A pusher that stalls between its claim and its store keeps nobody;
 *   - pushers do not wait for the next block either. It stands in its place before anyone claims the last slot of the
 *     block before, so the claim leads over to it in one step (crossbeam waits for who does both, issue 675), and all
 *     slots of a block are used (63 of 64 there);
 *   - a few blocks are kept when they are finished, or when the race to put one in its place is lost (crossbeam
 *     allocates each, issue 398). Without memory a push says GQ_FULL before it has claimed anything;
 *   - a block counts finished slots, once a pop: with a READ and a DESTROY bit for each it was an RMW for each;
 *   - the tail's word also says whether the queue was found empty.
 *
 * How it works. Position p is slot p mod size of block p / size. A push moves tail over the positions that it claims,
 * at most to the end of the block, and fills their slots. A pop moves head over positions below tail, in one block, and
 * takes what the slots hold. tail's blocks stand in `places`, by their number: [P3] puts block k + 1 there before a
 * claim reaches the end of block k, and whoever claims k's last slot makes place k free again (it then holds a wish,
 * with the number of the block it is for) and links k to k + 1, by which the head goes on. Whoever takes k's last slot
 * moves `head_block`; if the link is not there yet, it leaves a mark and whoever links does it.
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads. A batch is claimed at once as far as the block goes.
 * GQ_RETRY: the slots that were claimed had not been filled after GQ_INJECTOR_PATIENCE looks; or the head is just going
 * to the next block. A batch of which some slots were given up stays in its order, with other threads' items between.
 *
 * Progress. No lock, but not lock-free. is_empty and length: wait-free. Who stalls where:
 *   - a push between [P4] and [P8], in a slot that is not its block's last: keeps nobody, each such slot is looked at
 *     PATIENCE times by one pop. Its block stays allocated;
 *   - a push that claimed a block's last slot, before [P6]: pops stop at the end of this block (GQ_RETRY); and before
 *     [P5] other pushes wait when they have filled PLACES - 1 blocks more. Two steps, once in a block;
 *   - a pop that took a block's last slot, before [O9] or [O10]: other pops say GQ_RETRY. Once in a block;
 *   - any other pop: keeps nobody but the items that it has claimed.
 * In theory a push can have its slots given up for ever, and pops get nothing either; PATIENCE makes that unlikely.
 *
 * Linearization points. push: the [P4] that claimed the slot in which its item came to stay. A pop that takes
 * something: [O7]. GQ_EMPTY: the load of tail [O3], which is the head loaded before: head only grows and never passes
 * tail. What is inside at any moment are the positions from head to tail, without those whose slots will be given up.
 * is_empty that says so: its load.
 *
 * is_empty is one load of tail: bit 0 is set by a pop that found the queue empty, by a compare-and-swap from the very
 * tail that it saw, and goes with the next [P4]. So it tells of a tail all of whose positions pops have claimed; what
 * is in their slots is in those pops' hands. A push that happened before has changed tail before, by its last [P4]: by
 * coherence the load sees that or a later value, and a later one with the bit was written when the position was
 * claimed. Two threads that must not miss each other (executor/idle.h) put fence_seq_cst() between [P4] and the load
 * for sleepers, and between the announcement and [E]: one of them sees the other's. An item in a slot that is given up
 * is not that push's last [P4]: the push is still going on.
 *
 * Reclamation: none needed. A slot is finished by the pop that got its item, or, once given up, by its pusher; who has
 * finished a block's last one ([F]) has it alone. Nobody touches a block before it has claimed a slot there or after it
 * has finished its own: pointers that were loaded before a claim are used only if the claim succeeds. At rest there are
 * the blocks with items, one more, one put in its place beforehand, and GQ_INJECTOR_SPARES; and one or two for each
 * thread that is in the middle of an operation.
 *
 * ABA. Positions count to 2^63 - 1 (doubled, so that bit 0 is free) and begin again at 0, blocks' numbers with them: a
 * thread would have to stall for 2^63 operations. So a claim that succeeds saw no change of tail (or head) since its
 * load, and what it read in between was of that block: the place, which holds block k from before tail gets there until
 * it has left; head_block, which is k or still k - 1 when head is in k, as five bits of the number tell. A wish has its
 * whole number, so [P3] never puts a block where it is not wanted. Blocks come back at other numbers, but nobody
 * compares pointers to them.
 *
 * Memory order ([B] and [F]: gq_injector_block.h).
 *   [P1] push loads tail: acquire, pairs with [P4]: sees the block's place filled. All tails since are
 *        read-modify-writes
 *   [P2] push loads a place: acquire, pairs with [P3]: the block's contents; and with [P5]: who reads a later wish than
 *        it should fails in [P4]
 *   [P3] puts a block in its place: release for [P2]; acquire on failure, it stands for [P2] then
 *   [P4] claims positions: release for [P1] and [O3]; on failure acquire, it stands for [P1] then
 *   [P5] makes a place free: release, pairs with [P2]: [P4] comes before
 *   [P6] links the next block: release for [O8], its contents; acquire for [O9]: [P7] comes after what the head was
 *   [P7] moves the head on for the pop that left a mark: release, for [O6]
 *   [P8] fills a slot: release for [O11] and [O12], the item's contents, and that the push is done with the block;
 *        acquire for [O12]: who gave the slot up will not touch it when the pusher's [F] frees the block
 *   [O1] pop loads head: acquire, pairs with [O7]: sees head_block at least of the block before, and tail or tail_seen
 *        at least as far as whoever moved head
 *   [O2] pop loads tail_seen: acquire, pairs with [O4], for the same reason
 *   [O3] pop loads tail: acquire, pairs with [P4]
 *   [O4] pop stores what it saw of tail: release, for [O2]. Racing stores may take it back; any value was true
 *   [O5] sets the bit of emptiness: relaxed, as a read-modify-write it hides no [P4] from [P1]
 *   [O6] pop loads head_block: acquire, pairs with [O10] and [P7]: the block's contents
 *   [O7] claims positions: release for [O1]; on failure acquire, it stands for [O1] then
 *   [O8] pop loads the link: acquire, pairs with [P6]
 *   [O9] leaves the mark: release, pairs with [P6]; acquire only on failure, it stands for [O8] then
 *   [O10] moves the head on: release, for [O6]
 *   [O11] looks at a claimed slot: acquire, pairs with [P8]
 *   [O12] gives a slot up: acquire for [P8], which may just have come; release for [P8], which comes after
 *   [E]  is_empty loads tail: relaxed, see above; nothing is read through it
 *   [L]  length loads tail and head: relaxed, a hint
 *
 * GenMC (stress/test_models.sh) finds the fault when a side of [P1], [P2], [P4], [P8], [O1], [O11], [O12], [F], or
 * the release of [P3] or [O7] is relaxed. It accepts [P5] to [P7], [O2] to [O4], [O6], [O8] to [O10] and the failures
 * of [P3] and [O7] relaxed: a block's contents come to pops by [O3] as well, and what else these are for takes more
 * blocks or threads than it can run through.
 *
 * Layout: tail with its places, head with its block and what pops saw of tail (so that they take that line only when
 * they have come to its end), and the spares have a line each. A block's count and link are apart from its slots.
 *
 * Rejected: block and offset in one word of tail (no positions, so the bit of emptiness could be set for a tail that
 * looks the same later); looking at slots before they are claimed (the block may be gone: needs reclamation); storing
 * the item instead of [P8]'s exchange (cannot be given up, so pops would have to wait for stalled pushers); smaller
 * blocks by default (64: 1 % more instructions a pair, 32: 3 %, 16: 6 %) and larger (256: 0.5 % fewer).
 */
#ifndef STEALYARD_QUEUES_GQ_INJECTOR_H
#define STEALYARD_QUEUES_GQ_INJECTOR_H

#include "queues/gq.h"
#include "queues/gq_injector_block.h"

#include <errno.h>
#include <stdlib.h>

#define GQ_INJECTOR_SEGMENT 128 /* slots of a block, by default */
#if defined(SY_MODEL)
#ifndef GQ_INJECTOR_PLACES
#define GQ_INJECTOR_PLACES 2
#endif
#define GQ_INJECTOR_PATIENCE 0
#else
#define GQ_INJECTOR_PLACES 4    /* blocks that pushes find; a power of two, at most 16 */
#define GQ_INJECTOR_PATIENCE 64 /* looks of a pop at claimed slots before it gives one up */
#endif

#define GQ_INJECTOR_STEP ((uint64_t)2)        /* from a position to the next, as they stand in tail and head */
#define GQ_INJECTOR_FOUND_EMPTY ((uint64_t)1) /* in tail */

struct gq_injector {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail; /* the next position to push at */
    struct au64 places[GQ_INJECTOR_PLACES];     /* the block for each number mod GQ_INJECTOR_PLACES, or a wish for it */
    unsigned tail_bits;                         /* immutable: a block has 2^bits slots */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head; /* the next position to take */
    struct au64 head_block;                     /* its block, but for a moment after the last slot of one is taken */
    struct au64 tail_seen;                      /* by some pop */
    unsigned head_bits;                         /* immutable, the same: a copy on the line that pops have anyway */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr spares[GQ_INJECTOR_SPARES]; /* blocks that nobody uses, or NULL */
};

SY_INLINE struct gq_injector *gq_injector_of(struct gq *queue) {
    return (struct gq_injector *)(void *)queue;
}

SY_INLINE uint64_t gq_injector_number(uint64_t position, unsigned bits) {
    return position / GQ_INJECTOR_STEP >> bits;
}

SY_INLINE size_t gq_injector_offset(uint64_t position, unsigned bits) {
    return (size_t)(position / GQ_INJECTOR_STEP & (((uint64_t)1 << bits) - 1));
}

/* Numbers begin again at 0 where positions do. */
SY_INLINE uint64_t gq_injector_later(uint64_t number, uint64_t ahead, unsigned bits) {
    return (number + ahead) & (UINT64_MAX / GQ_INJECTOR_STEP >> bits);
}

SY_INLINE struct au64 *gq_injector_place(struct gq_injector *q, uint64_t number) {
    return &q->places[number % GQ_INJECTOR_PLACES];
}

/* ---- push ---- */

/* Slots that a push has claimed. */
struct gq_injector_claim {
    struct gq_injector_block *block, *next; /* next: if the claim has the block's last slot */
    uint64_t number;                        /* the block's */
    size_t offset, n;
};

/*
 * Sees to it that the block with this number stands in its place, and returns what stands there: another block, if that
 * has not been left yet, or a word without a block: there is no memory. For a number that is past the answer does not
 * matter: the caller's claim will fail.
 */
__attribute__((noinline, unused)) static uint64_t gq_injector_prepare(struct gq_injector *q, uint64_t number) {
    struct au64 *place = gq_injector_place(q, number);
    uint64_t word = au64_load_acquire(place); /* [P2] */
    if (word != gq_injector_wish(number)) {
        return word;
    }
    struct gq_injector_block *fresh = gq_injector_block_get(q->spares, q->tail_bits);
    uint64_t published = gq_injector_word(fresh, fresh ? number : number + 1);
    if (!fresh || au64_cas_acq_rel(place, &word, published)) { /* [P3] */
        return published;
    }
    gq_injector_block_put(q->spares, fresh); /* kept for the next time */
    return word;
}

/* Claims 1 to n slots in a row. False: there is no memory for the block after. */
SY_INLINE bool gq_injector_claim(struct gq_injector *q, size_t n, struct gq_injector_claim *claim) {
    unsigned bits = q->tail_bits;
    uint64_t tail = au64_load_acquire(&q->tail); /* [P1] */
    for (;;) {
        uint64_t position = tail & ~GQ_INJECTOR_FOUND_EMPTY;
        claim->number = gq_injector_number(position, bits);
        claim->offset = gq_injector_offset(position, bits);
        claim->block = gq_injector_block_of(au64_load_acquire(gq_injector_place(q, claim->number))); /* [P2] */
        size_t room = ((size_t)1 << bits) - claim->offset;
        claim->n = n < room ? n : room;
        claim->next = NULL;
        if (claim->n == room) {
            uint64_t later = gq_injector_later(claim->number, 1, bits), word = gq_injector_prepare(q, later);
            if (gq_injector_word_is_wish(word) || gq_injector_word_is_for(word, later)) {
                claim->next = gq_injector_block_of(word);
            } else if (--claim->n == 0) {
                if (!gq_injector_block_of(word)) {
                    return false;
                }
                cpu_relax();
                tail = au64_load_acquire(&q->tail); /* [P1] */
                continue;
            }
        }
        if (au64_cas_acq_rel(&q->tail, &tail, position + claim->n * GQ_INJECTOR_STEP)) { /* [P4] */
            return true;
        }
    }
}

/* The caller has claimed the block's last slot: makes its place free, and links it to the next block for the pops. */
__attribute__((noinline, unused)) static void gq_injector_leave(struct gq_injector *q, uint64_t number,
                                                                struct gq_injector_block *block,
                                                                struct gq_injector_block *next) {
    uint64_t wish = gq_injector_wish(gq_injector_later(number, GQ_INJECTOR_PLACES, q->tail_bits));
    au64_store_release(gq_injector_place(q, number), wish);    /* [P5] */
    void *waiting = aptr_exchange_acq_rel(&block->next, next); /* [P6] */
    if (waiting) {
        uint64_t word = gq_injector_word(next, gq_injector_later(number, 1, q->tail_bits));
        au64_store_release(&q->head_block, word); /* [P7] */
    }
}

/* Fills the slots in order and passes over those that were given up. Returns how many items went in. */
SY_INLINE size_t gq_injector_fill(struct gq_injector *q, const struct gq_injector_claim *claim,
                                  struct sy_node *const *items) {
    struct aptr *slots = &claim->block->slots[claim->offset];
    size_t filled = 0;
    for (size_t i = 0; i < claim->n; i++) {
        bool given_up = aptr_exchange_acq_rel(&slots[i], items[filled]) != NULL; /* [P8] */
        filled += !given_up;
    }
    if (filled < claim->n) {
        gq_injector_finish(q->spares, claim->block, claim->n - filled, q->tail_bits);
    }
    return filled;
}

SY_INLINE enum gq_status gq_injector_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                                size_t *pushed) {
    struct gq_injector *q = gq_injector_of(queue);
    size_t done = 0;
    enum gq_status status = GQ_OK;
    while (done < n && status == GQ_OK) {
        struct gq_injector_claim claim;
        if (!gq_injector_claim(q, n - done, &claim)) {
            status = GQ_FULL;
            continue;
        }
        if (claim.next) {
            gq_injector_leave(q, claim.number, claim.block, claim.next);
        }
        done += gq_injector_fill(q, &claim, items + done);
    }
    *pushed = done;
    return status;
}

SY_INLINE enum gq_status gq_injector_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_injector_push_batch(queue, &item, 1, &pushed);
}

/* ---- pop ---- */

/* How many positions from head on have been claimed by pushes; 0: none, and the tail says so from now on. */
SY_INLINE uint64_t gq_injector_ready(struct gq_injector *q, uint64_t head) {
    uint64_t seen = au64_load_acquire(&q->tail_seen); /* [O2] */
    if ((int64_t)(seen - head) > 0) {
        return (seen - head) / GQ_INJECTOR_STEP;
    }
    uint64_t tail = au64_load_acquire(&q->tail); /* [O3] */
    seen = tail & ~GQ_INJECTOR_FOUND_EMPTY;
    if (seen != head) {
        au64_store_release(&q->tail_seen, seen); /* [O4] */
    } else if (tail == head) {
        au64_cas_relaxed(&q->tail, &tail, head | GQ_INJECTOR_FOUND_EMPTY); /* [O5]; if not, somebody pushes just now */
    }
    return (seen - head) / GQ_INJECTOR_STEP;
}

/* The last slot of the block is the caller's: the head goes on to the next block, or whoever links it sees to that. */
__attribute__((noinline, unused)) static void gq_injector_step(struct gq_injector *q, struct gq_injector_block *block,
                                                               uint64_t number) {
    void *next = aptr_load_acquire(&block->next);                /* [O8] */
    if (!next && aptr_cas_acq_rel(&block->next, &next, block)) { /* [O9] */
        return;
    }
    au64_store_release(&q->head_block, gq_injector_word((struct gq_injector_block *)next, number)); /* [O10] */
}

/* The item of a slot that the caller has claimed; NULL if patience ran out, and the slot is its pusher's alone then. */
SY_INLINE struct sy_node *gq_injector_take(struct gq_injector_block *block, size_t offset, unsigned *patience) {
    void *item = aptr_load_acquire(&block->slots[offset]); /* [O11] */
    while (!item && *patience > 0) {
        --*patience;
        cpu_relax();
        item = aptr_load_acquire(&block->slots[offset]); /* [O11] */
    }
    if (!item) {
        item = aptr_exchange_acq_rel(&block->slots[offset], block); /* [O12] */
    }
    return (struct sy_node *)item;
}

SY_INLINE size_t gq_injector_take_all(struct gq_injector *q, struct gq_injector_block *block, size_t offset, size_t n,
                                      struct sy_node **items) {
    unsigned patience = GQ_INJECTOR_PATIENCE;
    size_t got = 0;
    for (size_t i = 0; i < n; i++) {
        items[got] = gq_injector_take(block, offset + i, &patience);
        got += items[got] != NULL;
    }
    if (got > 0) {
        gq_injector_finish(q->spares, block, got, q->head_bits);
    }
    return got;
}

SY_INLINE enum gq_status gq_injector_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_injector *q = gq_injector_of(queue);
    unsigned bits = q->head_bits;
    uint64_t head = au64_load_acquire(&q->head); /* [O1] */
    *got = 0;
    for (;;) {
        uint64_t number = gq_injector_number(head, bits);
        size_t offset = gq_injector_offset(head, bits), n = ((size_t)1 << bits) - offset;
        uint64_t ready = gq_injector_ready(q, head);
        if (ready == 0) {
            return GQ_EMPTY;
        }
        uint64_t word = au64_load_acquire(&q->head_block); /* [O6] */
        if (max == 0 || !gq_injector_word_is_for(word, number)) {
            return GQ_RETRY;
        }
        n = n < ready ? n : (size_t)ready;
        n = n < max ? n : max;
        if (au64_cas_acq_rel(&q->head, &head, head + n * GQ_INJECTOR_STEP)) { /* [O7] */
            struct gq_injector_block *block = gq_injector_block_of(word);
            if (offset + n == (size_t)1 << bits) {
                gq_injector_step(q, block, gq_injector_later(number, 1, bits));
            }
            *got = gq_injector_take_all(q, block, offset, n, items);
            return *got > 0 ? GQ_OK : GQ_RETRY;
        }
    }
}

SY_INLINE bool gq_injector_is_empty(const struct gq *queue) {
    const struct gq_injector *q = (const struct gq_injector *)(const void *)queue;
    return (au64_load_relaxed(&q->tail) & GQ_INJECTOR_FOUND_EMPTY) != 0; /* [E] */
}

/* The two loads are of two moments: where head is the later one it may seem to have passed tail. */
SY_INLINE size_t gq_injector_length(const struct gq *queue) {
    const struct gq_injector *q = (const struct gq_injector *)(const void *)queue;
    uint64_t head = au64_load_relaxed(&q->head), tail = au64_load_relaxed(&q->tail); /* [L] */
    int64_t length = (int64_t)(tail - head) / (int64_t)GQ_INJECTOR_STEP;
    return length > 0 ? (size_t)length : 0;
}

/* ---- life ---- */

static inline int gq_injector_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    unsigned bits = (unsigned)__builtin_ctzl(config->segment ? config->segment : GQ_INJECTOR_SEGMENT);
    uint64_t first = config->first * GQ_INJECTOR_STEP, number = gq_injector_number(first, bits);
    struct gq_injector *q = (struct gq_injector *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    if (!q) {
        return -ENOMEM;
    }
    q->tail_bits = q->head_bits = bits;
    spares_init(q->spares, GQ_INJECTOR_SPARES);
    struct gq_injector_block *block = gq_injector_block_get(q->spares, q->tail_bits);
    if (!block) {
        free(q);
        return -ENOMEM;
    }
    au64_store_relaxed(&block->finished, gq_injector_offset(first, bits));
    au64_store_relaxed(&q->head, first);
    au64_store_relaxed(&q->tail_seen, first);
    au64_store_relaxed(&q->tail, first | GQ_INJECTOR_FOUND_EMPTY);
    au64_store_relaxed(&q->head_block, gq_injector_word(block, number));
    au64_store_relaxed(gq_injector_place(q, number), gq_injector_word(block, number));
    for (uint64_t i = 1; i < GQ_INJECTOR_PLACES; i++) {
        uint64_t later = gq_injector_later(number, i, bits);
        au64_store_relaxed(gq_injector_place(q, later), gq_injector_wish(later));
    }
    *out = (struct gq *)(void *)q;
    return 0;
}

/* Frees those linked, from the head's on, the one that may be ready for the tail, and the spares. */
static inline void gq_injector_destroy(struct gq *queue) {
    struct gq_injector *q = gq_injector_of(queue);
    uint64_t position = au64_load_relaxed(&q->tail), number = gq_injector_number(position, q->tail_bits);
    uint64_t ahead = au64_load_relaxed(gq_injector_place(q, gq_injector_later(number, 1, q->tail_bits)));
    struct gq_injector_block *block = gq_injector_block_of(au64_load_relaxed(&q->head_block));
    while (block) {
        struct gq_injector_block *next = (struct gq_injector_block *)aptr_load_relaxed(&block->next);
        free(block);
        block = next;
    }
    if (!gq_injector_word_is_wish(ahead)) {
        free(gq_injector_block_of(ahead));
    }
    spares_free(q->spares, GQ_INJECTOR_SPARES);
    free(q);
}

__attribute__((unused)) static const struct gq_ops gq_injector_ops = {
    .name = "gq_injector",
    .summary = "linked blocks of slots that free themselves; one compare-and-swap a batch within a block",
    .source = "the idea of crossbeam's SegQueue and Injector (Stjepan Glavina and others, crossbeam-queue, 2019)",
    .order = "FIFO",
    .progress = "not lock-free: a thread that stalls while it goes from one block to the next keeps the others; a push "
                "that stalls in its slot keeps nobody; is_empty wait-free",
    .reclamation = "none needed",
    .cost = "push: 2 RMWs (n + 1 for n items in a block), 0 fences, 2 lines; pop: 2 RMWs for any number in a block, 0 "
            "fences, 3 lines; once in a block 4 or 5 RMWs more; allocates nothing in the steady state, else blocks",
    .caveat = NULL,
    .bounded = false,
    .reclaims = false,
    .allocates = true,
    .aborts = false,
    .create = gq_injector_create,
    .destroy = gq_injector_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_injector_push,
    .push_batch = gq_injector_push_batch,
    .pop_batch = gq_injector_pop_batch,
    .is_empty = gq_injector_is_empty,
    .length = gq_injector_length,
};

#endif
