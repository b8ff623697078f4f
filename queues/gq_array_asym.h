/* HEADER_HERE */
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

#ifndef GQ_ARRAY_ASYM_ID_BITS
#define GQ_ARRAY_ASYM_ID_BITS 16 /* 65,536 segments at most */
#endif
#define GQ_ARRAY_ASYM_SEGMENTS ((uint64_t)1 << GQ_ARRAY_ASYM_ID_BITS)
#define GQ_ARRAY_ASYM_SEGMENT 1024 /* slots, two pages; by default */
#define GQ_ARRAY_ASYM_WARM 64      /* segments that keep their pages while nobody uses them */
#define GQ_ARRAY_ASYM_CLAIM 64     /* slots claimed at once, at most */
#define GQ_ARRAY_ASYM_PATIENCE 64  /* attempts before the pusher of the oldest item is taken to be stalled */

#define GQ_ARRAY_ASYM_NOTHING ((uint64_t)1)       /* in tail: a pop found nothing here */
#define GQ_ARRAY_ASYM_RETIRED GQ_ARRAY_ASYM_SEGMENTS /* in a directory entry: the bit above the id */

/* The low bits of a stall; the others are its number, which no other has. */
enum { GQ_ARRAY_ASYM_OVER, GQ_ARRAY_ASYM_SUSPECT, GQ_ARRAY_ASYM_SKIPPED, GQ_ARRAY_ASYM_CROSSED };

struct gq_array_asym {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail; /* the next position to claim, times 2, + NOTHING */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head; /* the next position to take */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 stalled; /* stalls that are not over, or about to be none; mostly read */
    unsigned bits;                                 /* of a slot's index in its segment */
    bool registered;                               /* for asym.h */
    bool whole_pages;                              /* segments are, so that their pages can be given back */
    struct au64 *directory;                        /* entries, by segment number modulo their number */
    struct aptr *slots;                            /* of all segments, by id */
    struct au64 *stalls;                           /* one for each slot; pages that nobody stalled on are never touched */
    struct au64 *vacant;                           /* a bit for each id that no segment number has */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 stall_number; /* of the last stall */
};

/* What stands in a claimed slot that holds no item. */
__attribute__((weak)) struct sy_node gq_array_asym_tombstone;

SY_INLINE struct gq_array_asym *gq_array_asym_of(struct gq *queue) {
    return (struct gq_array_asym *)(void *)queue;
}

/* ---- segments ---- */

SY_INLINE uint64_t gq_array_asym_size(const struct gq_array_asym *q) {
    return (uint64_t)1 << q->bits;
}

SY_INLINE uint64_t gq_array_asym_index(const struct gq_array_asym *q, uint64_t position) {
    return position & (gq_array_asym_size(q) - 1);
}

/* A directory entry: segment number `segment` has id 0; an id is added to it. The entries of a cell only ever grow. */
SY_INLINE uint64_t gq_array_asym_entry(uint64_t segment) {
    return ((segment >> GQ_ARRAY_ASYM_ID_BITS) + 1) << (GQ_ARRAY_ASYM_ID_BITS + 1);
}

SY_INLINE struct au64 *gq_array_asym_cell(struct gq_array_asym *q, uint64_t segment) {
    return &q->directory[segment & (GQ_ARRAY_ASYM_SEGMENTS - 1)];
}

/* The slots of a segment; NULL if it is not there (not yet, or not any more). */
SY_INLINE struct aptr *gq_array_asym_find(struct gq_array_asym *q, uint64_t segment) {
    uint64_t id = au64_load_acquire(gq_array_asym_cell(q, segment)) - gq_array_asym_entry(segment); /* D1 */
    return id < GQ_ARRAY_ASYM_SEGMENTS ? q->slots + (id << q->bits) : NULL;
}

static inline uint64_t gq_array_asym_take_id(struct gq_array_asym *q) {
    for (uint64_t w = 0; w < (GQ_ARRAY_ASYM_SEGMENTS + 63) / 64; w++) {
        uint64_t bits = au64_load_relaxed(&q->vacant[w]); /* V1 */
        while (bits) {
            if (au64_cas_acquire(&q->vacant[w], &bits, bits & (bits - 1))) { /* V2 */
                return w * 64 + (uint64_t)__builtin_ctzll(bits);
            }
        }
    }
    return GQ_ARRAY_ASYM_SEGMENTS;
}

SY_INLINE void gq_array_asym_give_id(struct gq_array_asym *q, uint64_t id) {
    au64_fetch_or_release(&q->vacant[id / 64], (uint64_t)1 << id % 64); /* V3 */
}

/* Gives empty slots to a segment number, or finds that another thread did. False: there is no room. */
static __attribute__((noinline)) bool gq_array_asym_install(struct gq_array_asym *q, uint64_t segment) {
    struct au64 *cell = gq_array_asym_cell(q, segment);
    uint64_t seen = au64_load_acquire(cell); /* D1 */
    if (seen >= gq_array_asym_entry(segment)) {
        return true; /* it is there; or it is gone, and the caller's position is of the past */
    }
    if (seen != 0 && !(seen & GQ_ARRAY_ASYM_RETIRED)) {
        return false; /* the segment of a round ago is in use */
    }
    uint64_t id = gq_array_asym_take_id(q);
    if (id == GQ_ARRAY_ASYM_SEGMENTS) {
        return false;
    }
    struct aptr *slots = q->slots + (id << q->bits);
    for (uint64_t i = 0; i < gq_array_asym_size(q); i++) {
        aptr_store_relaxed(&slots[i], NULL); /* S0 */
    }
    if (!au64_cas_release(cell, &seen, gq_array_asym_entry(segment) + id)) { /* D2 */
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
static __attribute__((noinline)) void gq_array_asym_retire(struct gq_array_asym *q, uint64_t segment) {
    struct au64 *cell = gq_array_asym_cell(q, segment);
    uint64_t id = au64_load_relaxed(cell) - gq_array_asym_entry(segment);             /* D3 */
    au64_store_relaxed(cell, gq_array_asym_entry(segment) + GQ_ARRAY_ASYM_RETIRED); /* D4 */
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

/* The head has left a segment: retires it, or leaves that to a pusher that may still write to it. */
static __attribute__((noinline)) void gq_array_asym_cross(struct gq_array_asym *q, uint64_t segment) {
    struct aptr *slots = gq_array_asym_find(q, segment);
    for (uint64_t i = 0; i < gq_array_asym_size(q) && au64_load_relaxed(&q->stalled); i++) { /* C3 */
        struct au64 *stall = gq_array_asym_stall(q, &slots[i]);
        uint64_t seen = au64_load_acquire(stall); /* T5 */
        if (gq_array_asym_state(seen) == GQ_ARRAY_ASYM_SKIPPED && au64_cas_acq_rel(stall, &seen, seen + 1)) { /* T3 */
            return;
        }
    }
    gq_array_asym_retire(q, segment);
}

/* Moves the head from `from` to `to`, in the same segment or the start of the next. */
SY_INLINE bool gq_array_asym_advance(struct gq_array_asym *q, uint64_t from, uint64_t to) {
    uint64_t seen = from;
    if (!au64_cas_acq_rel(&q->head, &seen, to)) { /* H2 */
        return false;
    }
    if (gq_array_asym_index(q, to) == 0) {
        gq_array_asym_cross(q, from >> q->bits);
    }
    return true;
}

/* For the pusher that has filled a slot while somebody was stalled: whether the slot was given up. */
static __attribute__((noinline)) bool gq_array_asym_settle(struct gq_array_asym *q, uint64_t position,
                                                           const struct aptr *slot) {
    struct au64 *stall = gq_array_asym_stall(q, slot);
    for (;;) {
        uint64_t seen = au64_load_acquire(stall); /* T5 */
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
            gq_array_asym_cross(q, position >> q->bits);
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
    au64_fetch_add_relaxed(&q->stalled, 1);                                                          /* C1 */
    if (au64_cas_acq_rel(stall, &seen, suspect)) {                                                   /* T1 */
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
        asym_heavy(q->registered);                                                 /* F2 */
        if (aptr_load_relaxed(slot) || au64_load_relaxed(&q->head) != position) { /* S3, H3 */
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

/* Claims up to `wanted` slots in a row; how many. 0: full. */
SY_INLINE uint64_t gq_array_asym_claim(struct gq_array_asym *q, uint64_t wanted, uint64_t *position,
                                       struct aptr **slots) {
    uint64_t tail = au64_load_relaxed(&q->tail); /* E1 */
    for (;;) {
        uint64_t at = tail >> 1, index = gq_array_asym_index(q, at);
        struct aptr *segment = gq_array_asym_find(q, at >> q->bits);
        if (__builtin_expect(!segment, 0)) {
            if (!gq_array_asym_install(q, at >> q->bits)) {
                return 0;
            }
            tail = au64_load_relaxed(&q->tail); /* E1 */
            continue;
        }
        uint64_t room = gq_array_asym_size(q) - index;
        uint64_t n = wanted < room ? wanted : room;
        if (au64_cas_relaxed(&q->tail, &tail, (at + n) << 1)) { /* E2 */
            *position = at;
            *slots = segment + index;
            return n;
        }
    }
}

/* Fills a claimed slot; true if it had been given up. */
SY_INLINE bool gq_array_asym_fill(struct gq_array_asym *q, uint64_t position, struct aptr *slot, struct sy_node *item) {
    aptr_store_release(slot, item); /* S1 */
    asym_light(q->registered);      /* F1 */
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
            struct sy_node *item = given_up ? &gq_array_asym_tombstone : items[done];
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

/* The filled slots from `slots` on, at most `room` and `max` items: how many, and their items. */
SY_INLINE uint64_t gq_array_asym_read(const struct aptr *slots, uint64_t room, struct sy_node **items, size_t max,
                                      size_t *got) {
    uint64_t filled = 0;
    size_t n = 0;
    while (filled < room && n < max) {
        struct sy_node *item = (struct sy_node *)aptr_load_acquire(&slots[filled]); /* S2 */
        if (!item) {
            break;
        }
        items[n] = item;
        n += item != &gq_array_asym_tombstone;
        filled++;
    }
    *got = n;
    return filled;
}

/* Nothing is filled at `head`: whether that is because nothing is inside. */
SY_INLINE bool gq_array_asym_settle_empty(struct gq_array_asym *q, uint64_t head) {
    uint64_t tail = au64_load_acquire(&q->tail); /* E3 */
    if (tail == (head << 1 | GQ_ARRAY_ASYM_NOTHING)) {
        return true;
    }
    return tail == head << 1 && au64_cas_acquire(&q->tail, &tail, tail | GQ_ARRAY_ASYM_NOTHING); /* E4 */
}

/* One attempt. GQ_RETRY: another was faster, or the pusher of the oldest item is not done; then it is skipped if told. */
SY_INLINE enum gq_status gq_array_asym_try_pop(struct gq_array_asym *q, struct sy_node **items, size_t max, size_t *got,
                                               bool skip) {
    uint64_t head = au64_load_acquire(&q->head); /* H1 */
    uint64_t index = gq_array_asym_index(q, head);
    struct aptr *slots = gq_array_asym_find(q, head >> q->bits);
    uint64_t room = gq_array_asym_size(q) - index;
    uint64_t filled = slots ? gq_array_asym_read(slots + index, room, items, max, got) : 0;
    if (filled == 0) {
        *got = 0;
        if (gq_array_asym_settle_empty(q, head)) {
            return GQ_EMPTY;
        }
        if (skip && slots) {
            gq_array_asym_skip(q, head, slots + index);
        }
        return GQ_RETRY;
    }
    asym_light(q->registered); /* F1 */
    if (__builtin_expect(au64_load_relaxed(&q->stalled) != 0, 0) && /* C3 */
        !gq_array_asym_confirm(q, head, slots + index)) {
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
        cpu_relax();
    }
}

SY_INLINE bool gq_array_asym_is_empty(const struct gq *queue) {
    const struct gq_array_asym *q = (const struct gq_array_asym *)(const void *)queue;
    return au64_load_relaxed(&q->tail) & GQ_ARRAY_ASYM_NOTHING; /* E5 */
}

static inline size_t gq_array_asym_length(const struct gq *queue) {
    const struct gq_array_asym *q = (const struct gq_array_asym *)(const void *)queue;
    uint64_t head = au64_load_relaxed(&q->head); /* H4 */
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
    gq_array_asym_unmap(q->slots, GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->slots << q->bits);
    gq_array_asym_unmap(q->stalls, GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->stalls << q->bits);
    gq_array_asym_unmap(q->directory, GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->directory);
    free(q->vacant);
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
    size_t words = (GQ_ARRAY_ASYM_SEGMENTS + 63) / 64;
    uint64_t first = config->first & (UINT64_MAX >> 2); /* so that there is room for as many again */
    q->bits = (unsigned)__builtin_ctzll(config->segment ? config->segment : GQ_ARRAY_ASYM_SEGMENT);
    q->registered = asym_register();
    q->whole_pages = gq_array_asym_is_whole_pages(sizeof *q->slots << q->bits);
    au64_store_relaxed(&q->tail, first << 1 | GQ_ARRAY_ASYM_NOTHING);
    au64_store_relaxed(&q->head, first);
    au64_store_relaxed(&q->stalled, 0);
    au64_store_relaxed(&q->stall_number, 0);
    q->slots = (struct aptr *)gq_array_asym_map(GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->slots << q->bits);
    q->stalls = (struct au64 *)gq_array_asym_map(GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->stalls << q->bits);
    q->directory = (struct au64 *)gq_array_asym_map(GQ_ARRAY_ASYM_SEGMENTS * sizeof *q->directory);
    q->vacant = (struct au64 *)malloc(words * sizeof *q->vacant);
    if (!q->slots || !q->stalls || !q->directory || !q->vacant) {
        gq_array_asym_destroy((struct gq *)(void *)q);
        return -ENOMEM;
    }
    for (size_t w = 0; w < words; w++) {
        uint64_t ids = GQ_ARRAY_ASYM_SEGMENTS - w * 64;
        au64_store_relaxed(&q->vacant[w], ids < 64 ? ((uint64_t)1 << ids) - 1 : UINT64_MAX);
    }
    *out = (struct gq *)(void *)q;
    return 0;
}

__attribute__((unused)) static const struct gq_ops gq_array_asym_ops = {
    .name = "gq_array_asym",
    .summary = "an unbounded array of slots in recycled segments; a pusher that stalls is skipped, at membarrier's cost",
    .source = "ours; the array of FAAArrayQueue and crossbeam's Injector, the asymmetric fence of Dice, Huang and Yang",
    .order = "FIFO",
    .progress = "lock-free",
    .reclamation = "none needed: segments are recycled when the last pusher has left them",
    .cost = "push: 1 RMW, 0 fences, 4 lines (2 of them mostly read); pop: the same; a batch: 1 RMW, 8 slots a line; "
            "allocates nothing",
    .caveat = NULL,
    .bounded = false,
    .reclaims = false,
    .allocates = true,
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
