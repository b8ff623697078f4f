/*
 * A global queue: linked arrays of cells that are used once, whose indices are handed out by fetch-and-add.
 *
 * Source: Ramalhete and Correia, FAAArrayQueue - MPMC lock-free queue, Concurrency Freaks, 2016 (after LCRQ: Morrison
 * and Afek, PPoPP 2013). Deviations:
 *   - QSBR and a store of used segments (gq_segments.h) in place of hazard pointers and the allocator;
 *   - a popper takes its cell by a plain load where the item is there, and swaps it out (XCHG) only where it is not: a
 *     ticket has one popper, and a pusher that has stored is done with the cell;
 *   - before it spoils a cell whose pusher has its ticket already, a popper waits for a moment;
 *   - batches: n tickets in one fetch-and-add, see below;
 *   - is_empty is one load (emptiness.h), by which a pop of an empty queue takes no ticket either.
 *
 * Contract: gq.h; unbounded, strict FIFO. Threads attach and are quiescent now and then. GQ_FULL where there is no
 * memory for a segment; never GQ_RETRY. What is queued fills ceil(items / size) segments and the cells that were
 * spoiled; beyond it memory is bounded as gq_segments.h says.
 *
 * Batches. A push of n takes n tickets at once and stores its items in their order; an item whose cell was spoiled goes
 * to the next one of the tickets, and what is left when they are used up takes new ones; tickets beyond the segment are
 * forgotten. So all cells of a batch are filled in order, and others' items may come between, as gq.h allows. What does
 * not fit goes into the next segment before this is linked: up to `size` items in one publication. A pop of n takes
 * tickets by compare-and-swap, not more than pushers have taken: by fetch-and-add two poppers could both take what is
 * there for one, and the second would spoil n cells that no pusher has come to. A pop of one takes its ticket by
 * fetch-and-add, as published, and spoils one cell at the most.
 *
 * Progress. Lock-free but for malloc and the lock of reclaim_defer once in a segment. A push fails only in a cell that
 * a popper has spoiled; after `size` such failures one pusher links a segment with its item in it, which no popper can
 * have spoiled. A pop goes round only where it spoiled a cell or another pop made progress. A stalled pusher costs one
 * popper a moment and itself its tickets; a stalled popper keeps the items of its tickets (up to its batch), and nobody
 * else's.
 *
 * Linearization points. push: with the queue as the row of its cells, the fetch-and-add of the ticket in whose cell the
 * item is stored [A2], or [S2] of the new segment, if no popper passes that ticket before the store; otherwise the
 * store, which a popper with this very ticket takes. pop: when it takes its ticket [A5] or, if the item comes later, at
 * the store. GQ_EMPTY: the load of pushes [A4], given the loads around it: the pops loaded before [A3] are no fewer, so
 * a popper has come to every ticket of a push that had returned; and there is no next segment after it [N]. GQ_EMPTY of
 * the first load, and is_empty: see emptiness.h.
 *
 * Reclamation and ABA: gq_segments.h. Counters begin at 0 in every segment and end at its size and a batch for every
 * push that failed, so they never wrap; a cell is used once between two grace periods. config.first is where segments
 * and rounds of `emptiness` are numbered from; only differences matter.
 *
 * Memory order.
 *   [A1] prepare stores cells and counters: relaxed, made visible by [S2] or by spares.h
 *   [A2] push takes tickets: seq_cst. Before emptiness_pushed_now in the total order, as [A4] comes after the round: a
 *        look that missed this ticket began its round before, and the push sees it
 *   [A3] pop that may say "empty" loads pops: acquire, so before [A4]: pushes only grow, so pops >= pushes was true
 *        there
 *   [A4] and pushes: seq_cst, see [A2]
 *   [A5] pop takes tickets: relaxed; that each has one popper is the read-modify-write's doing, and what is in their
 *        cells comes by [A7] and [A8]
 *   [A6] push stores into its cell by compare-and-swap: release, pairs with [A7] and [A8]: the item's contents
 *   [A7] pop loads the cell: acquire, pairs with [A6]
 *   [A8] pop spoils the cell, or gets what came in the last moment: acquire, pairs with [A6]. Then [A6] fails
 *   [A9] counters loaded relaxed. To take tickets: values that were true once, and [A5] sees whether pops is still the
 *        same; where they show nothing, [A3] and [A4] follow. To pass a full segment: pops only grows. And for length
 *
 * A model checker for RC11 (stress/test_models.sh) finds [A2], [A6], [A7] and [A8] relaxed. It accepts [A4] with
 * acquire: the barrier of emptiness_suspect stands before it.
 *
 * Lines: push: list, pushes, cell, item; pop: list, pops and pushes, cell. Cells are not padded nor mixed up: eight to
 * a line, which is what batches want.
 *
 * Rejected: cells with a state of their own (16 bytes); XCHG of every cell (a second RMW for each pop); fetch-and-add
 * for batches of pops (see above); GQ_RETRY instead of spoiling (the popper has its ticket and must not come back).
 */
#ifndef STEALYARD_QUEUES_GQ_FAA_ARRAY_H
#define STEALYARD_QUEUES_GQ_FAA_ARRAY_H

#include "queues/gq_reclaim.h"
#include "queues/gq_segments.h"

#define GQ_FAA_ARRAY_SEGMENT 1024

struct gq_faa_array_segment {
    struct gq_segment segment;
    struct aptr cells[]; /* struct sy_node *; NULL: no item yet; spoiled: itself */
};

SY_INLINE struct aptr *gq_faa_array_cells(struct gq_segment *segment) {
    return ((struct gq_faa_array_segment *)(void *)segment)->cells;
}

static inline void gq_faa_array_prepare(struct gq_segment *segment, uint64_t size, uint64_t first) {
    struct aptr *cells = gq_faa_array_cells(segment);
    (void)first;
    for (uint64_t i = 0; i < size; i++) {
        aptr_store_relaxed(&cells[i], NULL); /* [A1] */
    }
    au64_store_relaxed(&segment->pushes, 0); /* [A1] */
    au64_store_relaxed(&segment->pops, 0);   /* [A1] */
}

static inline int gq_faa_array_create(struct gq **out, const struct gq_config *config) {
    return gq_segments_create(out, config, sizeof(struct aptr), GQ_FAA_ARRAY_SEGMENT, gq_faa_array_prepare);
}

/*
 * `last` is full: makes pushers go to the next segment. The first of the items are in it if that is the caller's own;
 * false: there is no memory. `late`: somebody else's ticket was the first beyond the segment.
 */
static __attribute__((noinline, unused)) bool gq_faa_array_extend(struct gq_segments *list, struct gq_segment *last,
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
        aptr_store_relaxed(&gq_faa_array_cells(fresh)[i], items[i]); /* [A1] */
    }
    au64_store_relaxed(&fresh->pushes, fit); /* [A1] */
    if (gq_segments_extend(list, last, fresh)) {
        *pushed += fit;
    }
    return true;
}

SY_INLINE enum gq_status gq_faa_array_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                                 size_t *pushed) {
    struct gq_segments *list = gq_segments_of(queue);
    size_t done = 0;
    bool memory = true;
    while (done < n && memory) {
        struct gq_segment *last = gq_segments_newest(list);
        uint64_t wanted = n - done, ticket = au64_fetch_add_seq_cst(&last->pushes, wanted); /* [A2] */
        uint64_t end = ticket + wanted < list->size ? ticket + wanted : list->size;
        for (uint64_t i = ticket; i < end; i++) {
            void *none = NULL;
            done += aptr_cas_release(&gq_faa_array_cells(last)[i], &none, items[done]); /* [A6] */
        }
        if (done < n && ticket + wanted > list->size) {
            memory = gq_faa_array_extend(list, last, ticket > list->size, items + done, n - done, &done);
        }
    }
    if (done > 0) {
        emptiness_pushed_now(&list->emptiness);
    }
    *pushed = done;
    return done == n ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status gq_faa_array_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_faa_array_push_batch(queue, &item, 1, &pushed);
}

/* Tickets that pushers have in the segment, and poppers not yet. */
SY_INLINE uint64_t gq_faa_array_inside(const struct gq_segments *list, uint64_t pops, uint64_t pushes) {
    uint64_t end = pushes < list->size ? pushes : list->size;
    return end > pops ? end - pops : 0;
}

/* The popper of a ticket. NULL: the cell is spoiled. */
SY_INLINE struct sy_node *gq_faa_array_take(struct aptr *cell) {
    struct sy_node *item = (struct sy_node *)aptr_load_acquire(cell); /* [A7] */
    for (unsigned i = 0; !item && i < GQ_SEGMENTS_SPINS; i++) {
        cpu_relax();
        item = (struct sy_node *)aptr_load_acquire(cell); /* [A7] */
    }
    return item ? item : (struct sy_node *)aptr_exchange_acquire(cell, cell); /* [A8] */
}

/*
 * Nothing was found in `first`: goes to the next segment if there is one, returns whether the queue is empty if not.
 * One look is enough to say so; that is_empty may say it too needs this one, announced before.
 */
static __attribute__((noinline, unused)) bool gq_faa_array_exhausted(struct gq_segments *list,
                                                                     struct gq_segment *first) {
    struct gq_segment *next = gq_segment_next(first);
    if (next) {
        if (au64_load_relaxed(&first->pops) >= list->size) { /* [A9] */
            gq_segments_pass(list, first, next);
        }
        return false;
    }
    uint64_t round = emptiness_suspect(&list->emptiness);
    uint64_t pops = au64_load_acquire(&first->pops);     /* [A3] */
    uint64_t pushes = au64_load_seq_cst(&first->pushes); /* [A4] */
    if (gq_faa_array_inside(list, pops, pushes) > 0 || gq_segment_next(first)) {
        return false;
    }
    emptiness_conclude(&list->emptiness, round);
    return true;
}

SY_INLINE enum gq_status gq_faa_array_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_segments *list = gq_segments_of(queue);
    size_t taken = 0;
    *got = 0;
    if (emptiness_holds(&list->emptiness)) {
        return GQ_EMPTY;
    }
    while (taken == 0) {
        struct gq_segment *first = gq_segments_oldest(list);
        uint64_t ticket = au64_load_relaxed(&first->pops), pushes = au64_load_relaxed(&first->pushes); /* [A9] */
        uint64_t inside = gq_faa_array_inside(list, ticket, pushes), n = inside < max ? inside : max;
        if (n == 0) {
            if (gq_faa_array_exhausted(list, first)) {
                return GQ_EMPTY;
            }
            continue;
        }
        if (max == 1) {
            ticket = au64_fetch_add_relaxed(&first->pops, 1); /* [A5] */
            n = ticket < list->size;
        } else if (!au64_cas_relaxed(&first->pops, &ticket, ticket + n)) { /* [A5] */
            continue;
        }
        for (uint64_t i = 0; i < n; i++) {
            items[taken] = gq_faa_array_take(&gq_faa_array_cells(first)[ticket + i]);
            taken += items[taken] != NULL;
        }
    }
    *got = taken;
    return GQ_OK;
}

/* By a thread that is attached and online, as all operations: it looks into segments. */
SY_INLINE size_t gq_faa_array_length(const struct gq *queue) {
    const struct gq_segments *list = (const struct gq_segments *)(const void *)queue;
    if (emptiness_holds(&list->emptiness)) {
        return 0;
    }
    const struct gq_segment *first = gq_segments_oldest(list), *last = gq_segments_newest(list);
    uint64_t pops = au64_load_relaxed(&first->pops), pushes = au64_load_relaxed(&last->pushes); /* [A9] */
    uint64_t begin = first->number * list->size + (pops < list->size ? pops : list->size);
    uint64_t end = last->number * list->size + (pushes < list->size ? pushes : list->size);
    return (int64_t)(end - begin) > 1 ? (size_t)(end - begin) : 1;
}

__attribute__((unused)) static const struct gq_ops gq_faa_array_ops = {
    .name = "gq_faa_array",
    .summary = "linked arrays of cells used once; indices by fetch-and-add",
    .source = "Ramalhete, Correia: FAAArrayQueue - MPMC lock-free queue, Concurrency Freaks, 2016",
    .order = "FIFO",
    .progress = "lock-free, but for malloc and a short lock once in a segment; is_empty wait-free",
    .reclamation = "QSBR, for segments, which are used again",
    .cost = "push: 2 RMWs, 0 fences, 4 lines; pop: 1 RMW, 0 fences, 4 lines; a batch of n: 1 + n RMWs in, 1 out; "
            "allocates a segment where none is to be used again; +1 RMW for the first push into an empty queue, "
            "+2 and a fence for the pop that empties it",
    .caveat = NULL,
    .bounded = false,
    .reclaims = true,
    .allocates = true,
    .aborts = false,
    .create = gq_faa_array_create,
    .destroy = gq_segments_destroy,
    .attach = gq_reclaim_attach,
    .detach = gq_reclaim_detach,
    .push = gq_faa_array_push,
    .push_batch = gq_faa_array_push_batch,
    .pop_batch = gq_faa_array_pop_batch,
    .is_empty = gq_segments_is_empty,
    .length = gq_faa_array_length,
};

#endif
