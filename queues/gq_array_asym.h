/*
 * A global queue: an array of slots without end, in segments that are used again. A push claims the next position by
 * one compare-and-swap of the tail and stores the item there; a pop reads the filled slots from the head on and takes
 * them all by one compare-and-swap of the head. A pusher that stalls between its claim and its store is *skipped*, so
 * nobody waits for a preempted thread; what makes that possible at no cost to the others is an asymmetric fence.
 *
 * Source: ours. The array in segments is that of FAAArrayQueue (Ramalhete and Correia, 2016) and of crossbeam's
 * Injector; to give up the cell of a slow pusher is LCRQ's idea (Morrison and Afek, PPoPP'13), who settle it with a
 * second read-modify-write in every push; the asymmetric fence is Dice, Huang and Yang's (asym.h).
 *
 * Contract: gq.h; FIFO, any number of threads, none of them attached. GQ_FULL: GQ_ARRAY_ASYM_SLOTS positions are in use
 * (fewer by a segment for each thread that is about to add or retire one), or the segment that the head left
 * GQ_ARRAY_ASYM_SLOTS positions ago still waits for a thread that stalled in it. Never GQ_RETRY. Address space: 1 GiB,
 * of which memory is only what is used.
 *
 * Progress: no thread that stalls keeps others, and is_empty and length are wait-free. push and pop are lock-free but
 * for a chase: a pusher that is skipped claims anew, and if poppers find it late every time, nobody's operation ends.
 * Each round takes a pusher that needs longer from its claim to its store than a popper's heavy fence. A pusher that
 * stalls keeps one segment from being used again and makes every other operation look at a slot's stall besides, until
 * it comes; a popper that stalls keeps one segment at most, or, between C1 and C2, makes the others look likewise. A
 * pop that has failed GQ_ARRAY_ASYM_PATIENCE times, be it to others or because the oldest item's pusher is late (it
 * waits twice as long each time, some microseconds in all), makes a heavy fence, which takes about as long or longer,
 * for each late pusher that it finds from then on. If the kernel comes to refuse that fence, a stalled pusher holds the
 * poppers.
 *
 * What it gives up: a bound on the steps of one push (a skipped one begins anew, and the rest of its batch with it),
 * and with it lock-freedom to the letter (LCRQ ends such a chase by a new ring that holds the item from the start); and
 * the heavy fence interrupts every processor that runs a thread of the process.
 *
 * Positions are counted from 0 (or config.first) and do not wrap round: 2⁶² of them last a century at a billion a
 * second.
 *
 * Linearization points. push, push_batch: E2 of the claim that was not given up; a batch's items may have several.
 * pop_batch: H2, of all its items; GQ_EMPTY: E3 or E4. is_empty: E5. Items come out in the order of their positions,
 * and those are given in the order of E2. At E3 and E4 tail equals a head that was read before; the head never passes
 * the tail nor goes back, so at that moment they were equal: every claimed position was taken, or was given up and held
 * no item.
 *
 * How a pusher is skipped. Each slot has a *stall*: a number that no other stall has, and a state.
 *   over     → suspect   by a popper that lost patience with the slot at the head [T1]
 *   suspect  → skipped   by a popper that after its heavy fence saw the slot still empty and still at the head [T2]
 *   suspect  → over      by whoever sees that the slot is filled, or that the head is past it [T4]
 *   skipped  → over      by the pusher, when it has come and the head is past it [T4]
 *   skipped  → crossed   by the one who moved the head out of the segment: the pusher is to retire it [T3]
 *   crossed  → over      by the pusher [T4]
 * `stalled` counts the stalls that are not over (C1 before T1, C2 after T4, so never too few).
 *   (a) A pusher and a popper that skips it agree. The pusher stores [S1], passes F1 and looks at `stalled` [C3]; the
 *       popper has made `stalled` more than 0 [C1], passes F2 and looks at the slot [S3]. One of them sees the other's
 *       (if `stalled` was more than 0 for other reasons: the popper's T1, by T5).
 *       If the popper sees the item, there is no T2. If not, the pusher sees `stalled` and settles with the stall
 *       itself: T2 and the pusher's T4 are compare-and-swaps of the same word from the same number, so one of them
 *       fails. As numbers do not come back, a popper that was slow between S3 and T2 cannot mistake a later stall for
 *       its own.
 *   (b) A popper that takes a slot knows that it was not skipped. Between S2 and H2 it passes F1 and looks at
 *       `stalled`. If it is 0, F1 was before the F2 of any popper that may skip this slot, which will then see it
 *       filled, as this one did. Otherwise it looks at the stall of the head's slot: ends a suspect, or goes past a
 *       skipped one. The slots behind the head need no look: T2 demands that its slot was at the head, and then this
 *       popper's H2 fails. So does it if the stall was over again: a pusher ends a skipped one only when the head is
 *       past it.
 *   (c) A segment is used again only when nobody will write to it: the head is past all its positions, each of which
 *       was taken (its pusher's store was seen) or skipped. Who moves the head across the border looks for skipped ones
 *       and hands the segment to the first pusher that he finds, who does the same when he comes; whoever finds none
 *       retires it.
 *   (d) A pusher that comes too late leaves its item, or a tombstone, in a slot that nobody will take, and begins anew;
 *       the rest of its claim is filled with tombstones, which poppers step over: its later items must not overtake the
 *       earlier.
 *   (e) A pusher heeds its own stall only. Between S1 and T5 its item may be taken, as any that is seen, the segment
 *       used again, and the slot's next pusher skipped. The first, were it to take that stall for its own, would push
 *       its item once more, and end what tells the other that its item was not taken. So after T5 it looks whether the
 *       slot is still that of its position [D1]. If not, its item was taken, for a segment waits for those who were
 *       skipped (c). If so, a skip that T5 saw is its own: those of an earlier use were over before the slots were used
 *       again (c), and with one of a later use D1 would have seen that the segment is gone. And it waits until T4, as
 *       it is skipped. Only with a suspicion may the slots go after D1. If that of another is ended then, its T2 fails
 *       and who suspects begins anew; if T2 comes first, T4 fails, and the pusher looks again at both.
 *
 * Reclamation: none needed. Slots are in one mapping, and a popper that reads a segment which was used again meanwhile
 * reads items that it does not take, for its H2 fails: positions are never used twice (no ABA), and what a directory's
 * cell holds only grows, which does the same for D2. The slots' pages are given back beyond the first
 * GQ_ARRAY_ASYM_WARM segments, if a segment is made of whole pages (by default not where they have 16 KiB or more);
 * those of stalls (8 bytes for each slot of a page on which somebody once stalled) when the queue goes, because a
 * pusher of the past may still look at them, and a popper of the past end its suspicion.
 *
 * Memory order:
 *   [E1] load of tail, relaxed: a guess for E2, and D1 and E2 check what follows from it
 *   [E2] claim, cas relaxed: hands nothing over; S1 does. It clears NOTHING; see E5
 *   [E3] load of tail, [E4] cas of tail, relaxed: they come after H1, and hand nothing over. A failed E4 is an E3.
 *        That tail is not older than head: claims come before S1 or the skip, and those before H2 and H1
 *   [E5] load of tail, relaxed: coherence lets it see the E2 of a push that happened before, or something later; and a
 *        later E4 was made when that push's position had been taken. Two threads that must not miss each other put full
 *        barriers between their store and their load, as with any other store
 *   [H1] load of head, acquire, with H2 (release): who sees the head past a position sees the stalls that led it there
 *        (T2 before H2), and D2 and S0 of the segment that it is in
 *   [H2] cas acq_rel: release for H1; acquire, and as all changes of head are read-modify-writes, it has before it
 *        every T2 of the positions behind it: the one who crosses a border sees all that were skipped (c)
 *   [H3] load of head, relaxed, after F2 and S3: no older than what the slot belongs to. Were this popper's position of
 *        a past use of the segment, then S3 would see S0 of the present use, with F3 and all H2 of the past before it
 *        (a purge's zeros come by a page fault, and its page-table lock brings the same); or the stall is another
 *        popper's, and T5 brought that one's H1
 *   [H4] load of head, relaxed: a hint
 *   [S0] slots emptied, relaxed, before D2, which publishes them to D1; after [F3], a fence, for H3
 *   [S1] slot filled, release → [S2] slot read, acquire: hands the item over
 *   [S3] slot looked at, acquire, after F2: see (a); acquire for H3
 *   [D1] directory read, acquire ← [D2] segment installed, cas release. After T5 (e): at another's skip it sees the D4
 *        of its own segment, or later, handed on by V3, V2, D2, that popper's D1, T2 and T5
 *   [D3] [D4] by the only thread that retires the segment; relaxed: the next to install there hands on by its own D2,
 *        and what uses the slots again by V3
 *   [V1] load of `taken`, relaxed: a guess for [V2], cas acquire ← [V3] release: whoever had the id before has done
 *       with it, and its D4 is behind (e)
 *   [T1] [T2] [T3] [T4] cas acq_rel, [T5] load acquire: one word's changes, each of which hands on what came before; T5
 *        at a suspect has C1 before it, so the F2 of a popper that joins another's suspicion is behind that C1 too
 *   [C1] [C2] of the count, relaxed before T1 (which releases) and release after T4 (which acquires); [C3] load,
 *        relaxed: F1 and F2 order it (a, b)
 *   [C4] load of the count in cross, acquire ← C2: T2, H2 and H1 make it see every stall of the segment that is not
 *        over (c); where it sees 0, what late pushers stored is behind, and S0 of the next use comes after that
 *   [N1] numbers stalls, relaxed: only that they differ matters
 *   [F1] light, [F2] heavy: asym.h
 *
 * Cache lines: push writes two (tail, slot) and reads two that are seldom written (directory, and the one of `stalled`
 * and the pointers); pop the same with head for tail. Eight slots share a line, in the order in which they are used.
 *
 * Kept: backing off after a lost race for the tail or the head. With two pushers and two poppers on two processors it
 * takes away a slow mode in which the tail's line changes sides at every claim (51 ns an item instead of 11).
 *
 * Rejected: claiming by fetch-and-add (the position is claimed before it is known whether there is room for it, and
 * what is over needs poisoning; with two processors it gains nothing); a sequence in every slot, as in a ring (twice
 * the lines, and a stalled pusher cannot be skipped); an exchange or a cas to fill the slot, as FAAArrayQueue and LCRQ
 * do (a second read-modify-write, some 5 ns); a full fence in place of F1 (the same); a small table of stalls instead
 * of one for each slot (two stalled pushers whose positions share an entry hold everybody); a stall told apart by its
 * position (it comes back when an old suspicion is repeated: a filled slot could be skipped).
 */
#ifndef STEALYARD_QUEUES_GQ_ARRAY_ASYM_H
#define STEALYARD_QUEUES_GQ_ARRAY_ASYM_H

#include "queues/asym.h"
#include "queues/gq.h"

#include <errno.h>
#include <stdlib.h>

#if !defined(SY_MODEL)
#include <sys/mman.h>
#include <unistd.h>
#endif

#ifndef GQ_ARRAY_ASYM_BITS
#define GQ_ARRAY_ASYM_BITS 26 /* 67,108,864 slots at most */
#endif
#define GQ_ARRAY_ASYM_SLOTS ((uint64_t)1 << GQ_ARRAY_ASYM_BITS)
#define GQ_ARRAY_ASYM_SEGMENT 1024 /* slots, two pages; by default */
#define GQ_ARRAY_ASYM_WARM 64      /* segments that keep their pages while nobody uses them */
#define GQ_ARRAY_ASYM_CLAIM 64     /* slots claimed at once, at most */
#define GQ_ARRAY_ASYM_PATIENCE 8   /* attempts before the pusher of the oldest item is taken to be stalled */

#define GQ_ARRAY_ASYM_NOTHING ((uint64_t)1)       /* in tail: a pop found nothing here */
#define GQ_ARRAY_ASYM_RETIRED GQ_ARRAY_ASYM_SLOTS /* in a directory entry: above any offset */

/* The low bits of a stall; the others are its number, which no other has. */
enum { GQ_ARRAY_ASYM_OVER, GQ_ARRAY_ASYM_SUSPECT, GQ_ARRAY_ASYM_SKIPPED, GQ_ARRAY_ASYM_CROSSED };

struct gq_array_asym {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail;         /* the next position to claim, times 2, + NOTHING */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head;         /* the next position to take */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 stalled;      /* stalls that are not over, or about to be none; mostly read */
    unsigned bits;                                      /* of a slot's index in its segment */
    uint64_t mask;                                      /* 2^bits - 1 */
    bool registered;                                    /* for asym.h */
    bool whole_pages;                                   /* segments are, so that their pages can be given back */
    struct au64 *directory;                             /* where the segments are */
    struct aptr *slots;                                 /* of all segments, by id */
    struct au64 *stalls;                                /* one for each slot; pages without one are never written */
    struct au64 *taken;                                 /* a bit for each id that a segment has */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 stall_number; /* of the last stall */
};

SY_INLINE struct gq_array_asym *gq_array_asym_of(struct gq *queue) {
    return (struct gq_array_asym *)(void *)queue;
}

/* What stands in a claimed slot that holds no item: no item lies where the queue does. */
SY_INLINE struct sy_node *gq_array_asym_tombstone(struct gq_array_asym *q) {
    return (struct sy_node *)(void *)q;
}

/* ---- segments ---- */

SY_INLINE uint64_t gq_array_asym_size(const struct gq_array_asym *q) {
    return q->mask + 1;
}

SY_INLINE uint64_t gq_array_asym_index(const struct gq_array_asym *q, uint64_t position) {
    return position & q->mask;
}

SY_INLINE uint64_t gq_array_asym_ids(const struct gq_array_asym *q) {
    return GQ_ARRAY_ASYM_SLOTS >> q->bits;
}

/*
 * The directory is a ring with a cell for each segment of GQ_ARRAY_ASYM_SLOTS positions. What the cell of a position
 * holds if the position's segment lies at the start of the slots; where it lies is added. The value only ever grows.
 */
SY_INLINE uint64_t gq_array_asym_entry(uint64_t position) {
    return ((position >> GQ_ARRAY_ASYM_BITS) + 1) << (GQ_ARRAY_ASYM_BITS + 1);
}

SY_INLINE struct au64 *gq_array_asym_cell(struct gq_array_asym *q, uint64_t position) {
    return &q->directory[(position & (GQ_ARRAY_ASYM_SLOTS - 1)) >> q->bits];
}

/* The slot of a position; NULL if its segment is not there (not yet, or not any more). */
SY_INLINE struct aptr *gq_array_asym_find(struct gq_array_asym *q, uint64_t position) {
    uint64_t offset = au64_load_acquire(gq_array_asym_cell(q, position)) - gq_array_asym_entry(position); /* D1 */
    return offset < GQ_ARRAY_ASYM_RETIRED ? q->slots + offset + gq_array_asym_index(q, position) : NULL;
}

/* An id that no segment has; as many as there are if there is none. */
static inline uint64_t gq_array_asym_take_id(struct gq_array_asym *q) {
    uint64_t ids = gq_array_asym_ids(q);
    for (uint64_t w = 0; w < (ids + 63) / 64; w++) {
        uint64_t taken = au64_load_relaxed(&q->taken[w]); /* V1 */
        while (taken != UINT64_MAX) {
            uint64_t bit = (uint64_t)__builtin_ctzll(~taken);
            if (w * 64 + bit >= ids) {
                break;
            }
            if (au64_cas_acquire(&q->taken[w], &taken, taken | (uint64_t)1 << bit)) { /* V2 */
                return w * 64 + bit;
            }
        }
    }
    return ids;
}

SY_INLINE void gq_array_asym_give_id(struct gq_array_asym *q, uint64_t id) {
    au64_fetch_and_release(&q->taken[id / 64], ~((uint64_t)1 << id % 64)); /* V3 */
}

/* Gives empty slots to a position's segment, or finds that another thread did. False: there is no room. */
static __attribute__((noinline)) bool gq_array_asym_install(struct gq_array_asym *q, uint64_t position) {
    struct au64 *cell = gq_array_asym_cell(q, position);
    uint64_t seen = au64_load_acquire(cell); /* D1 */
    if (seen >= gq_array_asym_entry(position)) {
        return true; /* it is there; or it is gone, and the caller's position is of the past */
    }
    if (seen != 0 && !(seen & GQ_ARRAY_ASYM_RETIRED)) {
        return false; /* the segment of a round ago is in use */
    }
    uint64_t id = gq_array_asym_take_id(q);
    if (id == gq_array_asym_ids(q)) {
        return false;
    }
    struct aptr *slots = q->slots + (id << q->bits);
    fence_seq_cst(); /* F3 */
    for (uint64_t i = 0; i < gq_array_asym_size(q); i++) {
        aptr_store_relaxed(&slots[i], NULL); /* S0 */
    }
    if (!au64_cas_release(cell, &seen, gq_array_asym_entry(position) + (id << q->bits))) { /* D2 */
        gq_array_asym_give_id(q, id);
    }
    return true;
}

/* Gives the pages of an id's slots back. */
static inline void gq_array_asym_purge(struct gq_array_asym *q, uint64_t id) {
#if !defined(SY_MODEL)
    if (q->whole_pages && id >= GQ_ARRAY_ASYM_WARM) {
        madvise(q->slots + (id << q->bits), sizeof *q->slots << q->bits, MADV_DONTNEED);
    }
#endif
    (void)q, (void)id;
}

/* Every position of the segment was taken or skipped, and no pusher writes to it any more. */
static __attribute__((noinline)) void gq_array_asym_retire(struct gq_array_asym *q, uint64_t position) {
    struct au64 *cell = gq_array_asym_cell(q, position);
    uint64_t id = (au64_load_relaxed(cell) - gq_array_asym_entry(position)) >> q->bits; /* D3 */
    au64_store_relaxed(cell, gq_array_asym_entry(position) + GQ_ARRAY_ASYM_RETIRED);    /* D4 */
    gq_array_asym_purge(q, id);
    gq_array_asym_give_id(q, id);
}

/* ---- stalled pushers ---- */

SY_INLINE struct au64 *gq_array_asym_stall(struct gq_array_asym *q, const struct aptr *slot) {
    return &q->stalls[slot - q->slots];
}

SY_INLINE unsigned gq_array_asym_state(uint64_t stall) {
    return (unsigned)(stall & 3);
}

/* From what was seen to "over". */
SY_INLINE bool gq_array_asym_stall_end(struct gq_array_asym *q, struct au64 *stall, uint64_t seen) {
    bool ended = au64_cas_acq_rel(stall, &seen, seen & ~(uint64_t)3); /* T4 */
    if (ended) {
        au64_fetch_sub_release(&q->stalled, 1); /* C2 */
    }
    return ended;
}

/* The head has left a position's segment: retires it, or leaves that to a pusher that may still write to it. */
static __attribute__((noinline)) void gq_array_asym_cross(struct gq_array_asym *q, uint64_t position) {
    struct aptr *slots = gq_array_asym_find(q, position - gq_array_asym_index(q, position));
    for (uint64_t i = 0; i < gq_array_asym_size(q) && au64_load_acquire(&q->stalled); i++) { /* C4 */
        struct au64 *stall = gq_array_asym_stall(q, &slots[i]);
        uint64_t seen = au64_load_acquire(stall);                                                             /* T5 */
        if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SKIPPED && au64_cas_acq_rel(stall, &seen, seen + 1)) { /* T3 */
            return;
        }
    }
    gq_array_asym_retire(q, position);
}

/* Moves the head from `from` to `to`, in the same segment or the start of the next. */
SY_INLINE bool gq_array_asym_advance(struct gq_array_asym *q, uint64_t from, uint64_t to) {
    uint64_t seen = from;
    if (!au64_cas_acq_rel(&q->head, &seen, to)) { /* H2 */
        return false;
    }
    if (gq_array_asym_index(q, to) == 0) {
        gq_array_asym_cross(q, from);
    }
    return true;
}

/* For the pusher that has filled a slot while somebody was stalled: whether the slot was given up. See (e). */
static __attribute__((noinline)) bool gq_array_asym_settle(struct gq_array_asym *q, uint64_t position,
                                                           const struct aptr *slot) {
    struct au64 *stall = gq_array_asym_stall(q, slot);
    for (;;) {
        uint64_t seen = au64_load_acquire(stall); /* T5 */
        if (gq_array_asym_find(q, position) != slot) {
            return false; /* the item was taken, and what T5 saw may be the stall of another pusher */
        }
        switch (gq_array_asym_state(seen)) {
        case GQ_ARRAY_ASYM_SUSPECT:
            if (gq_array_asym_stall_end(q, stall, seen)) {
                return false;
            }
            break;
        case GQ_ARRAY_ASYM_SKIPPED:
            gq_array_asym_advance(q, position, position + 1); /* before it is over: nobody may take what stands there */
            if (gq_array_asym_stall_end(q, stall, seen)) {
                return true;
            }
            break;
        case GQ_ARRAY_ASYM_CROSSED:
            gq_array_asym_stall_end(q, stall, seen);
            gq_array_asym_cross(q, position);
            return true;
        default:
            return false;
        }
    }
}

/* For the popper that found the slot at the head filled while somebody was stalled: whether it may be taken. */
static __attribute__((noinline)) bool gq_array_asym_confirm(struct gq_array_asym *q, uint64_t position,
                                                            const struct aptr *slot) {
    struct au64 *stall = gq_array_asym_stall(q, slot);
    uint64_t seen = au64_load_acquire(stall); /* T5 */
    if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SUSPECT && !gq_array_asym_stall_end(q, stall, seen)) {
        seen = au64_load_acquire(stall); /* T5 */
    }
    if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SKIPPED) {
        gq_array_asym_advance(q, position, position + 1);
        return false;
    }
    return gq_array_asym_state(seen) != GQ_ARRAY_ASYM_CROSSED;
}

/* The stall of a slot that is claimed and not filled, begun if there is none. */
static inline uint64_t gq_array_asym_accuse(struct gq_array_asym *q, struct au64 *stall) {
    uint64_t seen = au64_load_acquire(stall); /* T5 */
    if (gq_array_asym_state(seen) != GQ_ARRAY_ASYM_OVER) {
        return seen;
    }
    uint64_t suspect = (au64_fetch_add_relaxed(&q->stall_number, 1) + 1) << 2 | GQ_ARRAY_ASYM_SUSPECT; /* N1 */
    au64_fetch_add_relaxed(&q->stalled, 1);                                                            /* C1 */
    if (au64_cas_acq_rel(stall, &seen, suspect)) {                                                     /* T1 */
        return suspect;
    }
    au64_fetch_sub_relaxed(&q->stalled, 1); /* C2 */
    return seen;
}

/* Skips the position, which was at the head, if its pusher has not come. */
static __attribute__((noinline)) void gq_array_asym_skip(struct gq_array_asym *q, uint64_t position,
                                                         const struct aptr *slot) {
    struct au64 *stall = gq_array_asym_stall(q, slot);
    uint64_t seen = gq_array_asym_accuse(q, stall);
    if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SUSPECT) {
        /* Where the fence is refused nobody can be skipped: the pusher has to be waited for. */
        bool stalled = asym_heavy(q->registered) &&                                         /* F2 */
                       !aptr_load_acquire(slot) && au64_load_relaxed(&q->head) == position; /* S3, H3 */
        if (!stalled) {
            gq_array_asym_stall_end(q, stall, seen);
            return;
        }
        uint64_t suspect = seen;
        seen++;
        if (!au64_cas_acq_rel(stall, &suspect, seen)) { /* T2 */
            return;
        }
    }
    if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SKIPPED) {
        gq_array_asym_advance(q, position, position + 1);
    }
}

/* ---- push ---- */

/* Who lost a race keeps away from the line, each time for twice as long: the winner has it for several turns. */
SY_INLINE void gq_array_asym_back_off(unsigned losses) {
    for (unsigned pauses = 1u << (losses < 7 ? losses : 7); pauses > 0; pauses--) {
        cpu_relax();
    }
}

/* Claims up to `wanted` slots in a row; how many. 0: full. */
SY_INLINE uint64_t gq_array_asym_claim(struct gq_array_asym *q, uint64_t wanted, uint64_t *position,
                                       struct aptr **slots) {
    for (unsigned losses = 0;;) {
        uint64_t tail = au64_load_relaxed(&q->tail); /* E1 */
        *position = tail >> 1;
        *slots = gq_array_asym_find(q, *position);
        if (__builtin_expect(!*slots, 0)) {
            if (!gq_array_asym_install(q, *position)) {
                return 0;
            }
            continue;
        }
        uint64_t room = gq_array_asym_size(q) - gq_array_asym_index(q, *position);
        uint64_t n = wanted == 1 || wanted < room ? wanted : room;     /* there is always room for 1 */
        if (au64_cas_relaxed(&q->tail, &tail, (*position + n) << 1)) { /* E2 */
            return n;
        }
        gq_array_asym_back_off(losses++);
    }
}

/* Fills a claimed slot; true if it had been given up. */
SY_INLINE bool gq_array_asym_fill(struct gq_array_asym *q, uint64_t position, struct aptr *slot, struct sy_node *item) {
    aptr_store_release(slot, item);                                                                             /* S1 */
    asym_light(q->registered);                                                                                  /* F1 */
    return __builtin_expect(au64_load_relaxed(&q->stalled) != 0, 0) && gq_array_asym_settle(q, position, slot); /* C3 */
}

static inline enum gq_status gq_array_asym_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                                      size_t *pushed) {
    struct gq_array_asym *q = gq_array_asym_of(queue);
    size_t done = 0;
    while (done < n) {
        uint64_t position, wanted = n - done < GQ_ARRAY_ASYM_CLAIM ? n - done : GQ_ARRAY_ASYM_CLAIM;
        struct aptr *slots;
        uint64_t claimed = gq_array_asym_claim(q, wanted, &position, &slots);
        if (claimed == 0) {
            break;
        }
        bool given_up = false;
        for (uint64_t i = 0; i < claimed; i++) {
            /* Behind a slot that was given up none of the batch may go: they would overtake its item. */
            struct sy_node *item = given_up ? gq_array_asym_tombstone(q) : items[done];
            given_up = gq_array_asym_fill(q, position + i, &slots[i], item) || given_up;
            done += !given_up;
        }
    }
    *pushed = done;
    return done == n ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status gq_array_asym_push(struct gq *queue, struct sy_node *item) {
    struct gq_array_asym *q = gq_array_asym_of(queue);
    uint64_t position;
    struct aptr *slot;
    do {
        if (gq_array_asym_claim(q, 1, &position, &slot) == 0) {
            return GQ_FULL;
        }
    } while (gq_array_asym_fill(q, position, slot, item));
    return GQ_OK;
}

/* ---- pop ---- */

/* The filled slots from the head's on, in its segment and up to `max` items: how many, and their items. */
SY_INLINE uint64_t gq_array_asym_read(struct gq_array_asym *q, uint64_t head, const struct aptr *slots,
                                      struct sy_node **items, size_t max, size_t *got) {
    uint64_t room = gq_array_asym_size(q) - gq_array_asym_index(q, head);
    uint64_t filled = 0;
    size_t n = 0;
    while (filled < room && n < max) {
        struct sy_node *item = (struct sy_node *)aptr_load_acquire(&slots[filled]); /* S2 */
        if (!item) {
            break;
        }
        items[n] = item;
        n += item != gq_array_asym_tombstone(q);
        filled++;
    }
    *got = n;
    return filled;
}

/* Nothing is filled at `head`: whether that is because nothing is inside. */
SY_INLINE bool gq_array_asym_settle_empty(struct gq_array_asym *q, uint64_t head) {
    const uint64_t nothing = head << 1 | GQ_ARRAY_ASYM_NOTHING;
    uint64_t tail = au64_load_relaxed(&q->tail);                           /* E3 */
    if (tail == head << 1 && au64_cas_relaxed(&q->tail, &tail, nothing)) { /* E4 */
        return true;
    }
    /* As a failed E4 found it: another popper may have been faster, and "no" must mean that `head` is claimed. */
    return tail == nothing;
}

/* One attempt. GQ_RETRY: another was faster, or the pusher of the oldest item is not done; skips it if told. */
SY_INLINE enum gq_status gq_array_asym_try_pop(struct gq_array_asym *q, struct sy_node **items, size_t max, size_t *got,
                                               bool skip) {
    uint64_t head = au64_load_acquire(&q->head); /* H1 */
    struct aptr *slots = gq_array_asym_find(q, head);
    uint64_t filled = slots ? gq_array_asym_read(q, head, slots, items, max, got) : 0;
    if (filled == 0) {
        *got = 0;
        if (gq_array_asym_settle_empty(q, head)) {
            return GQ_EMPTY;
        }
        if (skip && slots) {
            gq_array_asym_skip(q, head, slots);
        }
        return GQ_RETRY;
    }
    asym_light(q->registered);                                      /* F1 */
    if (__builtin_expect(au64_load_relaxed(&q->stalled) != 0, 0) && /* C3 */
        !gq_array_asym_confirm(q, head, slots)) {
        *got = 0;
    } else if (!gq_array_asym_advance(q, head, head + filled)) {
        *got = 0;
    }
    return *got > 0 ? GQ_OK : GQ_RETRY;
}

SY_INLINE enum gq_status gq_array_asym_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_array_asym *q = gq_array_asym_of(queue);
    for (unsigned attempt = 1;; attempt++) {
        enum gq_status status = gq_array_asym_try_pop(q, items, max, got, attempt > GQ_ARRAY_ASYM_PATIENCE);
        if (status != GQ_RETRY) {
            return status;
        }
        gq_array_asym_back_off(attempt <= GQ_ARRAY_ASYM_PATIENCE ? attempt - 1 : 0);
    }
}

SY_INLINE bool gq_array_asym_is_empty(const struct gq *queue) {
    const struct gq_array_asym *q = (const struct gq_array_asym *)(const void *)queue;
    return au64_load_relaxed(&q->tail) & GQ_ARRAY_ASYM_NOTHING; /* E5 */
}

static inline size_t gq_array_asym_length(const struct gq *queue) {
    const struct gq_array_asym *q = (const struct gq_array_asym *)(const void *)queue;
    uint64_t head = au64_load_relaxed(&q->head);      /* H4 */
    uint64_t tail = au64_load_relaxed(&q->tail) >> 1; /* E5 */
    return tail > head ? (size_t)(tail - head) : 0;
}

/* ---- create and destroy ---- */

/* Zeroed address space; memory comes with the first write. NULL: none. */
static inline void *gq_array_asym_map(size_t bytes) {
#if defined(SY_MODEL)
    uint64_t *words = malloc(bytes); /* a model checker knows no mmap */
    for (size_t i = 0; i < bytes / sizeof *words; i++) {
        words[i] = 0;
    }
    return words;
#else
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *space = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return space == MAP_FAILED ? NULL : space;
#endif
}

static inline bool gq_array_asym_is_whole_pages(size_t bytes) {
#if defined(SY_MODEL)
    return bytes == 0;
#else
    return bytes % (size_t)sysconf(_SC_PAGESIZE) == 0;
#endif
}

static inline void gq_array_asym_unmap(void *space, size_t bytes) {
#if defined(SY_MODEL)
    free(space);
    (void)bytes;
#else
    if (space) {
        munmap(space, bytes);
    }
#endif
}

static inline void gq_array_asym_destroy(struct gq *queue) {
    struct gq_array_asym *q = gq_array_asym_of(queue);
    uint64_t ids = gq_array_asym_ids(q);
    gq_array_asym_unmap(q->slots, GQ_ARRAY_ASYM_SLOTS * sizeof *q->slots);
    gq_array_asym_unmap(q->stalls, GQ_ARRAY_ASYM_SLOTS * sizeof *q->stalls);
    gq_array_asym_unmap(q->directory, ids * sizeof *q->directory);
    gq_array_asym_unmap(q->taken, (ids + 63) / 64 * sizeof *q->taken);
    free(q);
}

static inline int gq_array_asym_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_array_asym *q = (struct gq_array_asym *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    if (!q) {
        return -ENOMEM;
    }
    uint64_t first = config->first & (UINT64_MAX >> 2); /* so that there is room for as many again */
    q->bits = (unsigned)__builtin_ctzll(config->segment ? config->segment : GQ_ARRAY_ASYM_SEGMENT);
    q->mask = ((uint64_t)1 << q->bits) - 1;
    q->registered = asym_register();
    q->whole_pages = gq_array_asym_is_whole_pages(sizeof *q->slots << q->bits);
    au64_store_relaxed(&q->tail, first << 1 | GQ_ARRAY_ASYM_NOTHING);
    au64_store_relaxed(&q->head, first);
    au64_store_relaxed(&q->stalled, 0);
    au64_store_relaxed(&q->stall_number, 0);
    uint64_t ids = gq_array_asym_ids(q);
    q->slots = (struct aptr *)gq_array_asym_map(GQ_ARRAY_ASYM_SLOTS * sizeof *q->slots);
    q->stalls = (struct au64 *)gq_array_asym_map(GQ_ARRAY_ASYM_SLOTS * sizeof *q->stalls);
    q->directory = (struct au64 *)gq_array_asym_map(ids * sizeof *q->directory);
    q->taken = (struct au64 *)gq_array_asym_map((ids + 63) / 64 * sizeof *q->taken);
    if (!q->slots || !q->stalls || !q->directory || !q->taken) {
        gq_array_asym_destroy((struct gq *)(void *)q);
        return -ENOMEM;
    }
    *out = (struct gq *)(void *)q;
    return 0;
}

__attribute__((unused)) static const struct gq_ops gq_array_asym_ops = {
    .name = "gq_array_asym",
    .summary = "an unbounded array of slots in recycled segments; a pusher that stalls is skipped",
    .source = "ours; the array of FAAArrayQueue and crossbeam's Injector, the asymmetric fence of Dice, Huang and Yang",
    .order = "FIFO",
    .progress = "lock-free, but that poppers may skip a slow pusher again and again; is_empty wait-free",
    .reclamation = "none needed: segments are recycled when the last pusher has left them",
    .cost = "push: 1 RMW, 0 fences, 4 lines (2 of them mostly read); pop: the same; a batch: 1 RMW, 8 slots a line; "
            "allocates nothing",
    .caveat = NULL,
    .bounded = false,
    .reclaims = false,
    .allocates = true,
    .aborts = false,
    .create = gq_array_asym_create,
    .destroy = gq_array_asym_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_array_asym_push,
    .push_batch = gq_array_asym_push_batch,
    .pop_batch = gq_array_asym_pop_batch,
    .is_empty = gq_array_asym_is_empty,
    .length = gq_array_asym_length,
};

#endif
