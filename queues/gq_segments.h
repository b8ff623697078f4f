/*
 * A list of segments with a fixed number of cells each: what queues share that are rings or arrays in a row. Pushers
 * work in the newest segment, poppers in the oldest; an old one goes to a small store once nobody can reach it, and
 * pushers take it from there, so that nothing is allocated in the steady state.
 *
 * Source: the list is Michael and Scott's queue (PODC 1996), as LCRQ and FAAArrayQueue use it, with QSBR (reclaim.h) in
 * place of hazard pointers, and therefore with the tail moved before the head.
 *
 * Contract. Any number of threads, attached and online (gq.h), and nowhere quiescent while they hold a segment.
 *   oldest, newest  the segment to pop from, to push into: a reference until the thread is quiescent. `newest` may lag
 *   obtain          a segment as `prepare` left it, of the caller's alone; NULL: no memory
 *   extend          appends the caller's own segment after `last`; false: another was faster, the segment is given back
 *   follow          there is a segment after `last`: pushers shall go there
 *   pass            there is a segment after `first`, and no later operation needs `first`: poppers shall go there
 * Whether a segment may be passed or extended is the queue's affair, which has two counters in it to tell.
 *
 * Progress. All lock-free, but for malloc and the short lock of reclaim_defer, both once in a segment. A thread that
 * stalls keeps segments from being used again, and nobody waiting.
 *
 * Reclamation and ABA. A segment is retired by the popper whose [S4] took head from it. Before that the tail has left
 * it [S3], for good: so a thread that starts later finds no way to it, and who had found one is waited for by
 * reclaim.h. A compare-and-swap of head, tail or next expects a segment that its thread holds, so the value has not
 * come back in between: it would have had to be retired, and a grace period to pass. The store: spares.h.
 *
 * Memory is bounded by the segments in the list, those whose grace period is not over, and GQ_SEGMENTS_SPARE.
 *
 * Memory order.
 *   [S1] oldest and newest load head and tail: acquire, pairs with [S2], [S3], [S4]: the segment's fields and cells
 *   [S2] extend links the segment: seq_cst; release for its contents, pairs with [N]; and it is the publication of the
 *        items in it, which must stand before the load of emptiness_pushed_now in the total order
 *   [N]  the queues' load of next: seq_cst, pairs with [S2]: poppers load it after they have announced their look
 *   [S3] whoever saw the next segment moves tail: release, for [S1]. What it publishes it got by [N], with acquire
 *   [S4] pass moves head: release, for [S1]
 *
 * That [S3] stands before [S4] is seen to be needed, as a use after free, with delays after the newest segment is read
 * and before the tail moves.
 *
 * Rejected: freeing and allocating (an allocator's lock each 1,024 operations, and the thread that frees is never the
 * one that allocates); one store for all queues (they have segments of different sizes); each pusher that meets the end
 * of a segment preparing the next (one is used): those who were not the first there wait for a moment.
 */
#ifndef STEALYARD_QUEUES_GQ_SEGMENTS_H
#define STEALYARD_QUEUES_GQ_SEGMENTS_H

#include "queues/emptiness.h"
#include "queues/gq.h"
#include "queues/reclaim.h"
#include "queues/spares.h"

#include <errno.h>
#include <stdlib.h>

#if defined(SY_MODEL)
#define GQ_SEGMENTS_SPARE 1
#define GQ_SEGMENTS_SPINS 0
#else
#define GQ_SEGMENTS_SPARE 64 /* segments that are kept for later */
#define GQ_SEGMENTS_SPINS 32 /* turns to wait for somebody who is surely on the way */
#endif

struct gq_segments;

/* The first field of a queue's own segment, whose cells follow. */
struct gq_segment {
    struct reclaim_head retired; /* first */
    struct gq_segments *owner;
    uint64_t number;                              /* immutable while it is in the list: its place there */
    struct aptr next;                             /* struct gq_segment *, towards the newest */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 pushes; /* tickets that pushers took */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 pops;   /* tickets that poppers took */
};

/* A queue. The first line is read by every operation, and written once in a segment. */
struct gq_segments {
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr head; /* struct gq_segment *, the oldest */
    struct aptr tail;                           /* struct gq_segment *, the newest or the one before */
    struct emptiness emptiness;                 /* written when the queue becomes empty, or is no longer */
    uint64_t size;                              /* cells in a segment; immutable, as what follows */
    uint64_t first;                             /* where counters begin */
    size_t bytes;                               /* of a segment */
    void (*prepare)(struct gq_segment *segment, uint64_t size, uint64_t first); /* cells and counters of a new one */
    struct reclaim *reclaim;
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr spares[GQ_SEGMENTS_SPARE]; /* struct gq_segment * or NULL */
};

SY_INLINE struct gq_segments *gq_segments_of(struct gq *queue) {
    return (struct gq_segments *)(void *)queue;
}

SY_INLINE struct gq_segment *gq_segments_oldest(const struct gq_segments *list) {
    return (struct gq_segment *)aptr_load_acquire(&list->head); /* [S1] */
}

SY_INLINE struct gq_segment *gq_segments_newest(const struct gq_segments *list) {
    return (struct gq_segment *)aptr_load_acquire(&list->tail); /* [S1] */
}

SY_INLINE struct gq_segment *gq_segment_next(const struct gq_segment *segment) {
    return (struct gq_segment *)aptr_load_seq_cst(&segment->next); /* [N] */
}

/* A new one, or NULL. */
static inline struct gq_segment *gq_segments_allocate(struct gq_segments *list) {
    struct gq_segment *segment = (struct gq_segment *)aligned_alloc(SY_CACHE_LINE, list->bytes);
    if (segment) {
        segment->owner = list;
        aptr_store_relaxed(&segment->next, NULL);
        list->prepare(segment, list->size, list->first);
    }
    return segment;
}

/* Of a segment that nobody can reach: into the store, unless it is full. */
static inline void gq_segments_put(struct gq_segments *list, struct gq_segment *segment) {
    aptr_store_relaxed(&segment->next, NULL);
    list->prepare(segment, list->size, list->first);
    spares_keep(list->spares, GQ_SEGMENTS_SPARE, segment);
}

/* The end of its grace period: runs on reclaim.h's helper. */
static inline void gq_segments_put_retired(struct reclaim_head *retired) {
    struct gq_segment *segment = (struct gq_segment *)(void *)retired;
    gq_segments_put(segment->owner, segment);
}

static inline struct gq_segment *gq_segments_obtain(struct gq_segments *list) {
    void *segment = spares_take(list->spares, GQ_SEGMENTS_SPARE);
    return segment ? (struct gq_segment *)segment : gq_segments_allocate(list);
}

SY_INLINE void gq_segments_follow(struct gq_segments *list, struct gq_segment *last, struct gq_segment *next) {
    void *expected = last;
    aptr_cas_release(&list->tail, &expected, next); /* [S3] */
}

static inline bool gq_segments_extend(struct gq_segments *list, struct gq_segment *last, struct gq_segment *segment) {
    void *none = NULL;
    segment->number = last->number + 1;
    if (!aptr_cas_seq_cst(&last->next, &none, segment)) { /* [S2] */
        gq_segments_put(list, segment);
        return false;
    }
    gq_segments_follow(list, last, segment);
    return true;
}

static inline void gq_segments_pass(struct gq_segments *list, struct gq_segment *first, struct gq_segment *next) {
    void *expected = first;
    gq_segments_follow(list, first, next);
    if (aptr_cas_release(&list->head, &expected, next)) { /* [S4] */
        reclaim_defer(list->reclaim, &first->retired, gq_segments_put_retired);
    }
}

/* `last` is full, and others are on the way to extend it: the next segment, or NULL after a moment without. */
static inline struct gq_segment *gq_segments_await(const struct gq_segment *last) {
    struct gq_segment *next = gq_segment_next(last);
    for (unsigned i = 0; !next && i < GQ_SEGMENTS_SPINS; i++) {
        cpu_relax();
        next = gq_segment_next(last);
    }
    return next;
}

/* Of a segment whose cells have so many bytes each. */
static inline size_t gq_segments_bytes(size_t cell, uint64_t size) {
    size_t bytes = sizeof(struct gq_segment) + cell * (size_t)size;
    return (bytes + SY_CACHE_LINE - 1) / SY_CACHE_LINE * SY_CACHE_LINE;
}

static inline int gq_segments_init(struct gq_segments *list) {
    emptiness_init(&list->emptiness, list->first);
    spares_init(list->spares, GQ_SEGMENTS_SPARE);
    struct gq_segment *segment = gq_segments_allocate(list);
    if (!segment || reclaim_create(&list->reclaim) != 0) {
        free(segment);
        return -ENOMEM;
    }
    segment->number = 0;
    aptr_store_relaxed(&list->head, segment);
    aptr_store_relaxed(&list->tail, segment);
    return 0;
}

/* A queue's create: `cell` is a cell's bytes, `size` the cells in a segment unless the configuration says how many. */
static inline int gq_segments_create(struct gq **out, const struct gq_config *config, size_t cell, size_t size,
                                     void (*prepare)(struct gq_segment *segment, uint64_t size, uint64_t first)) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_segments *list = (struct gq_segments *)aligned_alloc(SY_CACHE_LINE, sizeof *list);
    if (!list) {
        return -ENOMEM;
    }
    list->size = config->segment ? config->segment : size;
    list->first = config->first;
    list->bytes = gq_segments_bytes(cell, list->size);
    list->prepare = prepare;
    int error = gq_segments_init(list);
    if (error) {
        free(list);
        return error;
    }
    *out = (struct gq *)(void *)list;
    return 0;
}

/* A queue's destroy: frees every segment; items that are left in them are forgotten. */
static inline void gq_segments_destroy(struct gq *queue) {
    struct gq_segments *list = gq_segments_of(queue);
    reclaim_destroy(list->reclaim); /* what was deferred goes to the store */
    struct gq_segment *segment = gq_segments_oldest(list);
    while (segment) {
        struct gq_segment *next = gq_segment_next(segment);
        free(segment);
        segment = next;
    }
    spares_free(list->spares, GQ_SEGMENTS_SPARE);
    free(list);
}

/* A queue's is_empty. */
SY_INLINE bool gq_segments_is_empty(const struct gq *queue) {
    return emptiness_holds(&((const struct gq_segments *)(const void *)queue)->emptiness);
}

#endif
