/*
 * A global queue: linked rings that close when they are full, whose tickets are handed out by fetch-and-add, and whose
 * cells need no double-word compare-and-swap.
 *
 * Source: Romanov and Koval, The State-of-the-Art LCRQ Concurrent Queue Algorithm Does NOT Require CAS2, PPoPP 2023,
 * after Morrison and Afek, Fast Concurrent Queues for x86 Processors (LCRQ), PPoPP 2013. Deviations:
 *   - QSBR and a store of used rings (gq_segments.h) in place of hazard pointers and the allocator;
 *   - pop looks whether there are tickets of pushers before it takes one, so an empty ring is not overtaken by polling;
 *     that look comes again after a next ring was seen, where the original LCRQ lost items that came in between;
 *   - a push into an unsafe cell looks for poppers of its ticket after it has put its token, not before: see [L6];
 *   - batches: n tickets in one fetch-and-add, see below;
 *   - tickets and indices count in steps of 2 with the flag in the low bit, and compare by their difference: they wrap.
 *     (With the flag on top a carry out of the ticket would clear it, and a ring that was passed would be open again.)
 *   - an index is the ticket that may come next, as in LCRQ, instead of the round of the last;
 *   - is_empty is one load (emptiness.h), by which a pop of an empty queue takes no ticket either.
 *
 * How a cell works. The pusher of ticket t may come if the value is no item, the index is not beyond t, and, where the
 * cell is unsafe, no popper has t yet. It puts its token for the value, sets the index to t + size, and then the item
 * for its token. The popper of t waits for a moment; if no item comes it removes the token and sets the index beyond t
 * itself, so that one of the pusher's steps fails; if an older item is still there, whose popper is slow, it cannot,
 * and marks the cell unsafe. A pusher may take over the token of another with an older ticket: nobody waits for it. The
 * token is the address of a thread-local variable, with a low bit: no two threads that are alive have the same, and a
 * thread's push leaves none behind, for [L9] and [L10] both fail only where another has taken it away.
 *
 * Contract: gq.h; unbounded, strict FIFO. Threads attach and are quiescent now and then. GQ_FULL where there is no
 * memory for a ring; never GQ_RETRY. Items must be aligned to 2 at least. A ring that is not full is used for ever; a
 * queue that never holds `size` items at once needs no second one.
 *
 * Batches. A push of n takes up to `size` tickets at once and puts its items in their order; an item that its cell
 * refuses goes to the next of the tickets, what is left takes new ones or begins the next ring; tickets that are left
 * over are ones whose pusher failed. A pop of n takes tickets by compare-and-swap, not more than pushers have taken: by
 * fetch-and-add two poppers could both take what is there for one, and the second would bar n cells. A pop of one takes
 * its ticket by fetch-and-add, as published.
 *
 * Progress. Lock-free but for malloc and the lock of reclaim_defer, both once in a ring. A push closes the ring if it
 * is full, or after GQ_LPRQ_TRIES rounds in vain (else poppers could bar its cells for ever), and begins the next ring
 * with its items in it, which no popper can have barred. Poppers that have overtaken the pushers move these on (the
 * published fixState): a matter of progress only. A stalled pusher costs one popper a moment, and itself its tickets; a
 * stalled popper keeps its items, and costs pushers that come round to their cells a ticket each time.
 *
 * Linearization points. push: [L2] that took the ticket by which the item came to stay, or [S2] of the new ring. pop:
 * [L22] that took this ticket or, if that came first, right after the push's [L2]. Not at [L10], however late that is:
 * items with later tickets may be inside by then. Both rows are in the order of the tickets, and nobody can tell an
 * item that is yet to come to its popper from one that this has already. GQ_EMPTY: the load of pushes [L3], given
 * the loads around it: the pops loaded before [L21] are no fewer, so a popper has come to every ticket of a push that
 * had returned; and there is no next ring after it [N]. GQ_EMPTY of the first load, and is_empty: see emptiness.h.
 *
 * Reclamation and ABA. Rings: gq_segments.h. A ring is passed when a next one is there, so that it is closed, and pops
 * has reached pushes after that was seen: no ticket that counts is left. An index only grows, but for its flag, and
 * [L8] and [L16] expect the index that was read before the value: a swap that succeeds found nothing done in between by
 * any other ticket. A value may be the same again (NULL, or the token of a thread with a newer ticket); then [L7] or
 * [L15] succeeds wrongly, [L8] decides by the index, and whose token was lost tries elsewhere. Tickets are 63 bits
 * wide; a thread would have to sleep for 2^62 of them to mistake one.
 *
 * A push that finds the ring closed has taken tickets that nobody will use, and pops pass over them: fewer than threads
 * times their batches. Where there is no memory for a next ring it gives them back [L19], else a pop would have to pass
 * over those of every push that failed. Safe, because in a closed ring pushes is never below the end of the tickets
 * that count: each takes away what it added.
 *
 * Memory order. The algorithm is published for sequentially consistent memory. What is needed of that:
 *   [L1]  prepare and extend store cells and counters: relaxed, made visible by [S2] or by spares.h
 *   [L2]  push takes tickets: seq_cst. Before emptiness_pushed_now in the total order, as [L3] comes after the round
 *   [L3]  pop that may say "empty" loads pushes: seq_cst, see [L2]; after [L21]
 *   [L4]  push loads the index: acquire, and before [L5], so that [L8] sees whether anything has happened since
 *   [L5]  push loads the value: acquire, pairs with [L13]: so that popper was done when the token comes
 *   [L6]  push into an unsafe cell looks whether a popper has its ticket, and [L7] puts the token, both seq_cst, as are
 *         [L22] and [L12]. A popper that finds an older item in an unsafe cell leaves without a write; in the total
 *         order its ticket and its load come before [L7] then, for which the item had to be gone, and so before [L6].
 *         The published order, [L6] before [L7], needs [L13] to be seq_cst, too: an exchange for each pop
 *   [L8]  push sets the index: acq_rel. Whoever sees it sees the token, or what came after. All that poppers and
 *         pushers do to one cell meets here, in [L14] and in [L16]: of two that loaded the same index one fails
 *   [L9]  push takes its token back where [L8] failed: release, for the next [L7]
 *   [L10] push puts the item: release, pairs with [L12]: its contents. Fails if [L15] or a later [L7] took the token
 *   [L11] pop loads the index, before and after [L12]: acquire, pairs with [L8]. If the first is t + size, the value is
 *         not older than the token of t; if the second is the same, it is not that of a later ticket, whose index [L12]
 *         would have brought
 *   [L12] pop loads the value: seq_cst, pairs with [L10]; see [L6]
 *   [L13] pop clears the value of its item: release, pairs with [L5]. Nobody else writes a cell that holds an item.
 *         Seen late it is as if the popper were slow: pushers go elsewhere, poppers mark the cell unsafe
 *   [L14] pop marks the cell of an older item unsafe: acq_rel, as [L8]; its [L22] is seen by who sees the mark
 *   [L15] pop removes a token: relaxed, [L16] or another round follows
 *   [L16] pop sets the index beyond its ticket: acq_rel, as [L8]
 *   [L17] counters loaded relaxed: values that were true once. To take tickets: [L22] sees whether pops is still the
 *         same; where they show nothing, [L21] and [L3] follow. To pass a ring: who linked the next had seen the flag,
 *         so by [N] pushes is as large as when that was set. To close: pops only grows, so an older value closes too
 *         early, which it may. Otherwise hints
 *   [L18] push closes the ring: relaxed. Tickets are taken from the same word, so it is clear which came before
 *   [L19] push gives tickets of a closed ring back: relaxed, nothing is read by them
 *   [L20] poppers move pushes on: relaxed, likewise
 *   [L21] pop that may say "empty" loads pops: acquire, before [L3]: pushes only grow (but for [L19], which takes back
 *         what never counted), so pops >= pushes was true there
 *   [L22] pop takes tickets: seq_cst, see [L6]
 *
 * A model checker for RC11 (stress/test_models.sh) finds [L8] and [L11] relaxed, and each step of a cell left out. It
 * accepts [L10] and [L12] relaxed, for [L7], [L8] and [L11] hand the contents over already, and gets through too few
 * operations to miss the orders of the others. The second look at the index and [L6] were seen to be needed in the
 * suites, with delays between the steps of a cell.
 *
 * Lines: push: list, pushes, cell, item; pop: list, pops and pushes, cell. Cells are not padded nor mixed up: four to a
 * line, which is what batches want.
 *
 * Rejected: fetch-and-add for batches of pops (see above); swapping two lines of cells for padded ones (16 KiB a ring
 * become 64); not waiting before a cell is barred (a pusher needs three more read-modify-writes after its ticket).
 */
#ifndef STEALYARD_QUEUES_GQ_LPRQ_H
#define STEALYARD_QUEUES_GQ_LPRQ_H

#include "queues/gq_reclaim.h"
#include "queues/gq_segments.h"

#define GQ_LPRQ_SEGMENT 1024
#define GQ_LPRQ_TRIES 64 /* tickets that a push tries in vain before it closes the ring */

/* Tickets count in steps of 2, so that a flag below never meets their carry, and wrap at 2^64. */
#define GQ_LPRQ_STEP ((uint64_t)2)
#define GQ_LPRQ_FLAG ((uint64_t)1)   /* of pushes: closed; of an index: unsafe */
#define GQ_LPRQ_TOKEN ((uintptr_t)1) /* of a value: no item, but a pusher's mark */

struct gq_lprq_cell {
    struct au64 index; /* the ticket that may come next | unsafe */
    struct aptr value; /* struct sy_node *, NULL, or a pusher's token */
};

struct gq_lprq_ring {
    struct gq_segment segment; /* pushes: the next ticket | closed; pops: the next ticket */
    struct gq_lprq_cell cells[];
};

/* Its address is the thread's token: no other thread that is alive has it. */
__attribute__((weak)) SY_THREAD_LOCAL uint64_t gq_lprq_thread;

/* The ticket that is n after `first`. */
SY_INLINE uint64_t gq_lprq_ticket(uint64_t first, uint64_t n) {
    return (first + n) * GQ_LPRQ_STEP;
}

/* How many tickets a is ahead of b, whatever their flags; negative: behind. */
SY_INLINE int64_t gq_lprq_ahead(uint64_t a, uint64_t b) {
    return (int64_t)((a | GQ_LPRQ_FLAG) - (b | GQ_LPRQ_FLAG)) / (int64_t)GQ_LPRQ_STEP;
}

SY_INLINE bool gq_lprq_is_item(const void *value) {
    return value && !((uintptr_t)value & GQ_LPRQ_TOKEN);
}

SY_INLINE struct gq_lprq_cell *gq_lprq_cell(struct gq_segment *ring, uint64_t size, uint64_t ticket) {
    return &((struct gq_lprq_ring *)(void *)ring)->cells[ticket / GQ_LPRQ_STEP & (size - 1)];
}

static inline void gq_lprq_prepare(struct gq_segment *ring, uint64_t size, uint64_t first) {
    for (uint64_t i = 0; i < size; i++) {
        uint64_t ticket = gq_lprq_ticket(first, i);
        struct gq_lprq_cell *cell = gq_lprq_cell(ring, size, ticket);
        au64_store_relaxed(&cell->index, ticket); /* [L1] */
        aptr_store_relaxed(&cell->value, NULL);   /* [L1] */
    }
    au64_store_relaxed(&ring->pushes, gq_lprq_ticket(first, 0)); /* [L1] */
    au64_store_relaxed(&ring->pops, gq_lprq_ticket(first, 0));   /* [L1] */
}

static inline int gq_lprq_create(struct gq **out, const struct gq_config *config) {
    return gq_segments_create(out, config, sizeof(struct gq_lprq_cell), GQ_LPRQ_SEGMENT, gq_lprq_prepare);
}

/* The pusher of a ticket. False: its popper was faster, or the cell is taken. */
SY_INLINE bool gq_lprq_put(struct gq_segment *ring, uint64_t size, uint64_t ticket, struct sy_node *item) {
    struct gq_lprq_cell *cell = gq_lprq_cell(ring, size, ticket);
    uint64_t index = au64_load_acquire(&cell->index); /* [L4] */
    void *value = aptr_load_acquire(&cell->value);    /* [L5] */
    if (gq_lprq_is_item(value) || gq_lprq_ahead(index, ticket) > 0) {
        return false;
    }
    void *token = (void *)((uintptr_t)&gq_lprq_thread | GQ_LPRQ_TOKEN), *mine = token;
    if (!aptr_cas_seq_cst(&cell->value, &value, token)) { /* [L7] */
        return false;
    }
    bool late = (index & GQ_LPRQ_FLAG) && gq_lprq_ahead(au64_load_seq_cst(&ring->pops), ticket) > 0; /* [L6] */
    if (late || !au64_cas_acq_rel(&cell->index, &index, ticket + size * GQ_LPRQ_STEP)) {             /* [L8] */
        aptr_cas_release(&cell->value, &mine, NULL);                                                 /* [L9] */
        return false;
    }
    return aptr_cas_release(&cell->value, &mine, item); /* [L10] */
}

/* Whether a pusher has that ticket, and may put its item where the index is this. */
SY_INLINE bool gq_lprq_expects(const struct gq_segment *ring, uint64_t index, uint64_t ticket) {
    uint64_t pushes = au64_load_relaxed(&ring->pushes); /* [L17] */
    return !((pushes | index) & GQ_LPRQ_FLAG) && gq_lprq_ahead(pushes, ticket) > 0;
}

/* The popper of a ticket, where no item of it is: sees to it that none comes any more. False: the cell has changed. */
SY_INLINE bool gq_lprq_bar(struct gq_lprq_cell *cell, uint64_t index, void *value, uint64_t next) {
    if (gq_lprq_is_item(value)) { /* an older one */
        return (index & GQ_LPRQ_FLAG) || au64_cas_acq_rel(&cell->index, &index, index | GQ_LPRQ_FLAG); /* [L14] */
    }
    if (value && !aptr_cas_relaxed(&cell->value, &value, NULL)) { /* [L15] */
        return false;
    }
    return au64_cas_acq_rel(&cell->index, &index, next | (index & GQ_LPRQ_FLAG)); /* [L16] */
}

/* The popper of a ticket. NULL: no item has come, nor will one. */
SY_INLINE struct sy_node *gq_lprq_take(struct gq_segment *ring, uint64_t size, uint64_t ticket) {
    struct gq_lprq_cell *cell = gq_lprq_cell(ring, size, ticket);
    unsigned spins = 0;
    for (;;) {
        uint64_t index = au64_load_acquire(&cell->index); /* [L11] */
        void *value = aptr_load_seq_cst(&cell->value);    /* [L12] */
        if (index != au64_load_acquire(&cell->index)) {   /* [L11] */
            continue;
        }
        int64_t ahead = gq_lprq_ahead(index, ticket + size * GQ_LPRQ_STEP);
        if (ahead > 0) {
            return NULL;
        }
        if (ahead == 0 && gq_lprq_is_item(value)) {
            aptr_store_release(&cell->value, NULL); /* [L13] */
            return (struct sy_node *)value;
        }
        if (!gq_lprq_is_item(value) && spins < GQ_SEGMENTS_SPINS && gq_lprq_expects(ring, index, ticket)) {
            spins++;
            cpu_relax();
        } else if (gq_lprq_bar(cell, index, value, ticket + size * GQ_LPRQ_STEP)) {
            return NULL;
        }
    }
}

/*
 * `last` is closed: makes pushers go to the next ring. The first of the items are in it if that is the caller's own;
 * false: there is no memory. `late`: somebody else is at it.
 */
static __attribute__((noinline, unused)) bool gq_lprq_extend(struct gq_segments *list, struct gq_segment *last,
                                                             bool late, struct sy_node *const *items, size_t n,
                                                             size_t *pushed) {
    struct gq_segment *next = late ? gq_segments_await(last) : gq_segment_next(last);
    if (next) {
        gq_segments_follow(list, last, next);
        return true;
    }
    struct gq_segment *fresh = gq_segments_obtain(list);
    if (!fresh) {
        return false;
    }
    size_t fit = n < list->size ? n : (size_t)list->size;
    for (size_t i = 0; i < fit; i++) {
        uint64_t ticket = gq_lprq_ticket(list->first, i);
        struct gq_lprq_cell *cell = gq_lprq_cell(fresh, list->size, ticket);
        au64_store_relaxed(&cell->index, gq_lprq_ticket(list->first, i + list->size)); /* [L1] */
        aptr_store_relaxed(&cell->value, items[i]);                                    /* [L1] */
    }
    au64_store_relaxed(&fresh->pushes, gq_lprq_ticket(list->first, fit)); /* [L1] */
    if (gq_segments_extend(list, last, fresh)) {
        *pushed += fit;
    }
    return true;
}

/*
 * Some items found no cell by tickets up to `end`: closes the ring if it is full or has been tried too often. True: it
 * is closed; `late`: by somebody else.
 */
SY_INLINE bool gq_lprq_close(struct gq_segment *ring, uint64_t size, uint64_t end, unsigned tries, bool *late) {
    uint64_t pops = au64_load_relaxed(&ring->pops); /* [L17] */
    if (gq_lprq_ahead(end, pops) <= (int64_t)size && tries < GQ_LPRQ_TRIES) {
        return false;
    }
    *late = au64_fetch_or_relaxed(&ring->pushes, GQ_LPRQ_FLAG) & GQ_LPRQ_FLAG; /* [L18] */
    return true;
}

/* One round of a push in the newest ring. False: there is no memory for another. */
SY_INLINE bool gq_lprq_push_some(struct gq_segments *list, struct sy_node *const *items, size_t n, unsigned tries,
                                 size_t *pushed) {
    struct gq_segment *last = gq_segments_newest(list);
    uint64_t wanted = n < list->size ? n : list->size;
    uint64_t ticket = au64_fetch_add_seq_cst(&last->pushes, wanted * GQ_LPRQ_STEP); /* [L2] */
    uint64_t end = ticket + wanted * GQ_LPRQ_STEP;
    if (ticket & GQ_LPRQ_FLAG) {
        bool memory = gq_lprq_extend(list, last, true, items, n, pushed);
        if (!memory) {
            au64_fetch_sub_relaxed(&last->pushes, wanted * GQ_LPRQ_STEP); /* [L19] */
        }
        return memory;
    }
    size_t done = 0;
    for (; ticket != end; ticket += GQ_LPRQ_STEP) {
        done += gq_lprq_put(last, list->size, ticket, items[done]);
    }
    *pushed += done;
    bool late;
    return done == n || !gq_lprq_close(last, list->size, end, tries, &late) ||
           gq_lprq_extend(list, last, late, items + done, n - done, pushed);
}

SY_INLINE enum gq_status gq_lprq_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    struct gq_segments *list = gq_segments_of(queue);
    size_t done = 0;
    bool memory = true;
    for (unsigned tries = 1; done < n && memory; tries++) {
        memory = gq_lprq_push_some(list, items + done, n - done, tries, &done);
    }
    if (done > 0) {
        emptiness_pushed_now(&list->emptiness);
    }
    *pushed = done;
    return done == n ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status gq_lprq_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_lprq_push_batch(queue, &item, 1, &pushed);
}

/* Tickets that pushers have taken and poppers not yet: an upper bound of what is inside. */
SY_INLINE uint64_t gq_lprq_inside(uint64_t pops, uint64_t pushes) {
    int64_t inside = gq_lprq_ahead(pushes, pops);
    return inside > 0 ? (uint64_t)inside : 0;
}

/* Poppers have overtaken the pushers of an open ring: lets these begin where a popper is still to come. */
static __attribute__((noinline, unused)) void gq_lprq_catch_up(struct gq_segment *ring) {
    uint64_t pushes = au64_load_relaxed(&ring->pushes), pops = au64_load_relaxed(&ring->pops); /* [L20] */
    while (gq_lprq_ahead(pops, pushes) > 0 &&
           !au64_cas_relaxed(&ring->pushes, &pushes, pops | (pushes & GQ_LPRQ_FLAG))) { /* [L20] */
    }
}

/*
 * Nothing was found in `first`: goes to the next ring if there is one, returns whether the queue is empty if not. One
 * look is enough to say so; that is_empty may say it too needs this one, announced before.
 */
static __attribute__((noinline, unused)) bool gq_lprq_exhausted(struct gq_segments *list, struct gq_segment *first) {
    struct gq_segment *next = gq_segment_next(first);
    if (next) { /* so it is closed: no ticket that counts is taken any more */
        uint64_t pops = au64_load_relaxed(&first->pops), pushes = au64_load_relaxed(&first->pushes); /* [L17] */
        if (gq_lprq_inside(pops, pushes) == 0) {
            gq_segments_pass(list, first, next);
        }
        return false;
    }
    uint64_t round = emptiness_suspect(&list->emptiness);
    uint64_t pops = au64_load_acquire(&first->pops);     /* [L21] */
    uint64_t pushes = au64_load_seq_cst(&first->pushes); /* [L3] */
    if (gq_lprq_inside(pops, pushes) > 0 || gq_segment_next(first)) {
        return false;
    }
    emptiness_conclude(&list->emptiness, round);
    return true;
}

/* Takes n tickets, or, if it is for a single item, whichever is next. False: others have changed pops. */
SY_INLINE bool gq_lprq_claim(struct gq_segment *ring, uint64_t *ticket, uint64_t n, size_t max) {
    if (max == 1) {
        *ticket = au64_fetch_add_seq_cst(&ring->pops, GQ_LPRQ_STEP); /* [L22] */
        return true;
    }
    return au64_cas_seq_cst(&ring->pops, ticket, *ticket + n * GQ_LPRQ_STEP); /* [L22] */
}

SY_INLINE enum gq_status gq_lprq_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_segments *list = gq_segments_of(queue);
    size_t taken = 0;
    *got = 0;
    if (emptiness_holds(&list->emptiness)) {
        return GQ_EMPTY;
    }
    while (taken == 0) {
        struct gq_segment *first = gq_segments_oldest(list);
        uint64_t ticket = au64_load_relaxed(&first->pops), pushes = au64_load_relaxed(&first->pushes); /* [L17] */
        uint64_t inside = gq_lprq_inside(ticket, pushes), n = inside < max ? inside : max;
        if (n == 0) {
            if (gq_lprq_exhausted(list, first)) {
                return GQ_EMPTY;
            }
            continue;
        }
        if (!gq_lprq_claim(first, &ticket, n, max)) {
            continue;
        }
        for (uint64_t end = ticket + n * GQ_LPRQ_STEP; ticket != end; ticket += GQ_LPRQ_STEP) {
            items[taken] = gq_lprq_take(first, list->size, ticket);
            taken += items[taken] != NULL;
        }
        if (taken == 0 && gq_lprq_inside(ticket, au64_load_relaxed(&first->pushes)) == 0) { /* [L17] */
            gq_lprq_catch_up(first);
        }
    }
    *got = taken;
    return GQ_OK;
}

/* By a thread that is attached and online, as all operations: it looks into rings. */
SY_INLINE size_t gq_lprq_length(const struct gq *queue) {
    const struct gq_segments *list = (const struct gq_segments *)(const void *)queue;
    if (emptiness_holds(&list->emptiness)) {
        return 0;
    }
    const struct gq_segment *first = gq_segments_oldest(list), *last = gq_segments_newest(list);
    uint64_t pops = au64_load_relaxed(&first->pops), pushes = au64_load_relaxed(&last->pushes); /* [L17] */
    int64_t inside = gq_lprq_ahead(pushes, pops);
    if (first != last) {
        inside = (int64_t)gq_lprq_inside(pops, au64_load_relaxed(&first->pushes)) +
                 gq_lprq_ahead(pushes, gq_lprq_ticket(list->first, 0)) +
                 (int64_t)((last->number - first->number - 1) * list->size);
    }
    return inside > 1 ? (size_t)inside : 1;
}

__attribute__((unused)) static const struct gq_ops gq_lprq_ops = {
    .name = "gq_lprq",
    .summary = "linked closable rings without a double-word compare-and-swap",
    .source = "Romanov, Koval: The State-of-the-Art LCRQ Concurrent Queue Algorithm Does NOT Require CAS2, PPoPP 2023",
    .order = "FIFO",
    .progress = "lock-free, but for malloc and a short lock once in a ring; is_empty wait-free",
    .reclamation = "QSBR, for rings, which are used again",
    .cost = "push: 4 RMWs, 0 fences, 4 lines; pop: 1 RMW, 0 fences, 4 lines; a batch of n: 1 + 3n RMWs in, 1 out; "
            "allocates a ring where one is full and none is to be used again; +1 RMW for the first push into an empty "
            "queue, +2 and a fence for the pop that empties it",
    .caveat = NULL,
    .bounded = false,
    .reclaims = true,
    .allocates = true,
    .aborts = false,
    .create = gq_lprq_create,
    .destroy = gq_segments_destroy,
    .attach = gq_reclaim_attach,
    .detach = gq_reclaim_detach,
    .push = gq_lprq_push,
    .push_batch = gq_lprq_push_batch,
    .pop_batch = gq_lprq_pop_batch,
    .is_empty = gq_segments_is_empty,
    .length = gq_lprq_length,
};

#endif
