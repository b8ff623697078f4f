/*
 * Internal to mpsc.c: the queue of a channel. Positions 0, 1, 2, … in blocks of 32 slots, linked in order.
 *
 * Source: blocks with a bitmap of ready slots, and their release once the senders have passed, are tokio's
 * (`sync/mpsc`, 2019). Deviations: a slot is claimed by a compare-and-swap that also checks for room, the end of
 * memory, waiting senders and closing, so there is no semaphore beside it and a claim never fails later; memory is
 * there before the claim, so a want of memory is an error and not the process's end; whom the receiver waits for stands
 * in the bitmap, so only the sender of just that slot looks for the waker.
 *
 * Contract: senders, any number of threads: claim, then publish, with the channel alive. The receiver, one thread at a
 * time: look, consume, await. Under the lock, anyone: append.
 *
 * Progress: claim is lock-free while there is room and memory, publish is wait-free but for the walk (below); a sender
 * that stalls between the two stalls the receiver at its slot, and nobody else. Once per block somebody takes the lock.
 *
 * Room: a position is claimed only below `room`, a copy, raised when it is reached, of the least of
 *   - the receiver's position + the capacity;
 *   - the end of the last block - 1: the block of the next position to be claimed always exists, so the receiver always
 *     has a block to wait in, and the last sender one to close.
 *
 * Memory. `hint` is a block at or before that of each position that is claimed and not published. It leaves a block
 * only when all of its slots are published, by whoever walks past; who made it leave stores the tail of that moment in
 * the block, as `passed`. Whoever still walks over the block claimed a position below that. So when the receiver is
 * there, nobody can reach the block, and it is appended anew or freed. That is also why there is no ABA in `hint`.
 *
 * Memory order
 *   Q1 claim: cas seq_cst of tail
 *   Q2 find: load seq_cst of hint; acquires the block from Q3
 *   Q3 leave: cas seq_cst of hint
 *   Q4 leave: load seq_cst of tail. In the one order of these four, who reads at Q2 the hint from before Q3 has claimed
 *      (Q1) before Q4, so `passed` is above its position
 *   Q5 leave: store release of passed; Q6 recycle: load acquire. The leaver is done with the block
 *   Q7 publish: fetch_add acq_rel of the block's word. Release: the value, and all that the walk read, is before.
 *      Acquire: with Q9, sees the waker that is awaited. (An addition of the slot's bit, which was 0: x86 has no
 *      fetch_or.)
 *   Q8 look: load acquire of the block's word: the value of each slot that is ready (the word is changed by
 *      read-modify-writes only, so one load acquires from all). Q3 too is after a load acquire of a full word
 *   Q9 await: fetch_add acq_rel of the block's word, from the awaited offset before to this one. In the one order of
 *      the word's changes it is before the slot's Q7, which then sees who waits, or after it, and then the value is
 *      there
 *   Q10 append, under the lock: store release of next, then of end. With Q11, the load acquire of next (Q12 and Q7
 *      order it too, for the senders and the receiver; on x86-64 it costs nothing)
 *   Q12 raise: loads acquire of end and of head, load acquire and cas acq_rel of room; claim: load acquire of room. Who
 *      claims below it sees the blocks up to it, whoever raised it
 *   Q13 consume: fetch_add relaxed of head; WAITING in it is set and read in the one order of its changes, and the lock
 *      orders the rest. In an unbounded channel nobody sets it and a store does
 *
 * Checked: stress/models/mpsc_queue.c, with blocks of one slot, in every execution of two senders or two blocks. That
 * `passed` must be the tail and not the block's end shows in the stress tests only: its model is too large to run
 * through.
 *
 * Rejected: a ring (memory for the whole capacity, and a walk through all of it where blocks are used again while they
 * are in the cache); a fetch_add for the claim, as tokio has (its semaphore costs another read-modify-write, and there
 * is no way back when memory runs out).
 */
#ifndef STEALYARD_EXECUTOR_SYNC_MPSC_QUEUE_H
#define STEALYARD_EXECUTOR_SYNC_MPSC_QUEUE_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "queues/atomics.h"

#if defined(SY_MODEL)
#define MPSC_SLOTS 1u /* a model checker takes few steps, and is to come from block to block */
#else
#define MPSC_SLOTS 32u
#endif
#define MPSC_SPARE_SLOTS (16 * MPSC_SLOTS) /* memory that is kept ahead of the senders */

/* A block's word: a bit for each slot that is ready, CLOSED, and the awaited offset + 1, or 0. */
#define MPSC_FULL (((uint64_t)1 << MPSC_SLOTS) - 1)
#define MPSC_BLOCK_CLOSED ((uint64_t)1 << 32)
#define MPSC_AWAITED ((uint64_t)1 << 40)

/* Of tail; above them the next position to be claimed. */
#define MPSC_CLOSED ((uint64_t)1)
#define MPSC_WAITING ((uint64_t)2) /* senders wait: nobody else may claim */
#define MPSC_TAIL ((uint64_t)4)

/* Of head; above it the next position to be consumed. */
#define MPSC_HEAD_WAITING ((uint64_t)1)
#define MPSC_HEAD ((uint64_t)2)

#define MPSC_UNLIMITED (UINT64_MAX >> 4) /* a capacity; no position comes near it */
#define MPSC_NOT_PASSED UINT64_MAX

struct mpsc_block {
    struct au64 word;
    uint64_t start; /* the position of slot 0; written before the block is linked */
    struct aptr next;
    struct au64 passed;
    unsigned char values[];
};

struct mpsc_queue {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 tail; /* the senders' line */
    struct aptr hint;
    struct au64 room;

    SY_ALIGNAS(SY_CACHE_LINE) struct au64 head; /* the receiver's line */
    struct mpsc_block *current;                 /* where head is */
    struct mpsc_block *oldest;                  /* not recycled; current, or consumed before it */

    SY_ALIGNAS(SY_CACHE_LINE) size_t size; /* of a value; this line is written once per block */
    uint64_t capacity;
    pthread_mutex_t lock;
    struct mpsc_block *last; /* guarded by the lock */
    struct au64 end;         /* the first position without a slot; written under the lock */
};

SY_INLINE struct mpsc_block *mpsc_block_next(const struct mpsc_block *block) {
    return (struct mpsc_block *)aptr_load_acquire(&block->next); /* Q11 */
}

static inline struct mpsc_block *mpsc_block_create(const struct mpsc_queue *q) {
    return (struct mpsc_block *)malloc(sizeof(struct mpsc_block) + MPSC_SLOTS * q->size);
}

SY_INLINE void *mpsc_slot(const struct mpsc_queue *q, struct mpsc_block *block, uint64_t offset) {
    return block->values + offset * q->size;
}

SY_INLINE void mpsc_copy(void *to, const void *from, size_t size) {
    if (size == sizeof(uint64_t)) {
        memcpy(to, from, sizeof(uint64_t)); /* not a call */
    } else if (size > 0) { /* values without bytes may be NULL */
        memcpy(to, from, size);
    }
}

/* Under the lock. */
static inline void mpsc_queue_append(struct mpsc_queue *q, struct mpsc_block *block) {
    uint64_t end = au64_load_relaxed(&q->end);
    au64_store_relaxed(&block->word, 0);
    aptr_store_relaxed(&block->next, NULL);
    au64_store_relaxed(&block->passed, MPSC_NOT_PASSED);
    block->start = end;
    if (q->last) {
        aptr_store_release(&q->last->next, block); /* Q10 */
    }
    q->last = block;
    au64_store_release(&q->end, end + MPSC_SLOTS); /* Q10 */
}

/* ---- life ---- */

static inline int mpsc_queue_init(struct mpsc_queue *q, size_t size, uint64_t capacity) {
    q->size = size;
    q->capacity = capacity;
    q->last = NULL;
    au64_store_relaxed(&q->end, 0);
    struct mpsc_block *first = mpsc_block_create(q);
    if (!first) {
        return -ENOMEM;
    }
    pthread_mutex_init(&q->lock, NULL);
    mpsc_queue_append(q, first);
    au64_store_relaxed(&q->tail, 0);
    aptr_store_relaxed(&q->hint, first);
    au64_store_relaxed(&q->room, 0);
    au64_store_relaxed(&q->head, 0);
    q->current = first;
    q->oldest = first;
    return 0;
}

static inline void mpsc_queue_destroy(struct mpsc_queue *q) {
    struct mpsc_block *block = q->oldest;
    while (block) {
        struct mpsc_block *next = mpsc_block_next(block);
        free(block);
        block = next;
    }
    pthread_mutex_destroy(&q->lock);
}

/* ---- senders ---- */

SY_INLINE uint64_t mpsc_queue_limit(const struct mpsc_queue *q) {
    return au64_load_acquire(&q->head) / MPSC_HEAD + q->capacity; /* Q12 */
}

static inline uint64_t mpsc_queue_raise(struct mpsc_queue *q) {
    uint64_t limit = mpsc_queue_limit(q);
    uint64_t memory = au64_load_acquire(&q->end) - 1; /* Q12 */
    uint64_t raised = limit < memory ? limit : memory;
    uint64_t room = au64_load_acquire(&q->room); /* Q12 */
    while (room < raised) {
        if (au64_cas_acq_rel(&q->room, &room, raised)) { /* Q12 */
            return raised;
        }
    }
    return room;
}

/* More memory, unless there is some beyond `position` already. */
static inline int mpsc_queue_grow(struct mpsc_queue *q, uint64_t position) {
    struct mpsc_block *block = mpsc_block_create(q);
    if (!block) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&q->lock);
    if (position + 1 >= au64_load_relaxed(&q->end)) {
        mpsc_queue_append(q, block);
        block = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    free(block);
    return 0;
}

/* `position` is not below `room`. Raises it above; -EAGAIN: full; -ENOMEM. */
static __attribute__((noinline)) int mpsc_queue_make_room(struct mpsc_queue *q, uint64_t position, uint64_t *room) {
    while ((*room = mpsc_queue_raise(q)) <= position) {
        if (position >= mpsc_queue_limit(q)) {
            return -EAGAIN;
        }
        /* Or the receiver made room meanwhile, and there is memory enough. */
        int error = position + 1 >= au64_load_acquire(&q->end) ? mpsc_queue_grow(q, position) : 0; /* Q12 */
        if (error) {
            return error;
        }
    }
    return 0;
}

/* 0, and `*position` is to be published soon; -EPIPE: closed; -EAGAIN: full, or others wait; -ENOMEM. */
static inline int mpsc_queue_claim(struct mpsc_queue *q, uint64_t *position) {
    uint64_t tail = au64_load_relaxed(&q->tail);
    uint64_t room = au64_load_acquire(&q->room); /* Q12 */
    do {
        if (tail & (MPSC_CLOSED | MPSC_WAITING)) {
            return tail & MPSC_CLOSED ? -EPIPE : -EAGAIN;
        }
        if (tail / MPSC_TAIL >= room) {
            int error = mpsc_queue_make_room(q, tail / MPSC_TAIL, &room);
            if (error) {
                return error;
            }
        }
    } while (!au64_cas_seq_cst(&q->tail, &tail, tail + MPSC_TAIL)); /* Q1 */
    *position = tail / MPSC_TAIL;
    return 0;
}

/* Moves the hint from `block` to the next, if every slot of it is published. */
static inline void mpsc_queue_leave(struct mpsc_queue *q, struct mpsc_block *block, struct mpsc_block *next) {
    void *expected = block;
    bool full = (au64_load_acquire(&block->word) & MPSC_FULL) == MPSC_FULL; /* Q8 */
    if (full && aptr_cas_seq_cst(&q->hint, &expected, next)) {              /* Q3 */
        uint64_t tail = au64_load_seq_cst(&q->tail);                        /* Q4 */
        au64_store_release(&block->passed, tail / MPSC_TAIL);               /* Q5 */
    }
}

/* The block of a position that is claimed and not published (or, for the last sender, of the tail). */
static inline struct mpsc_block *mpsc_queue_find(struct mpsc_queue *q, uint64_t position) {
    struct mpsc_block *block = (struct mpsc_block *)aptr_load_seq_cst(&q->hint); /* Q2 */
    while (position - block->start >= MPSC_SLOTS) {
        struct mpsc_block *next = mpsc_block_next(block);
        mpsc_queue_leave(q, block, next);
        block = next;
    }
    return block;
}

/* True: the receiver awaits just this one and is to be woken. */
static inline bool mpsc_queue_publish(struct mpsc_queue *q, uint64_t position, const void *value) {
    struct mpsc_block *block = mpsc_queue_find(q, position);
    uint64_t offset = position - block->start;
    mpsc_copy(mpsc_slot(q, block, offset), value, q->size);
    return au64_fetch_add_acq_rel(&block->word, (uint64_t)1 << offset) / MPSC_AWAITED == offset + 1; /* Q7 */
}

/* By the last sender, with everything published. True: as above. */
static inline bool mpsc_queue_end(struct mpsc_queue *q) {
    uint64_t position = au64_load_relaxed(&q->tail) / MPSC_TAIL;
    struct mpsc_block *block = mpsc_queue_find(q, position);
    uint64_t before = au64_fetch_add_acq_rel(&block->word, MPSC_BLOCK_CLOSED); /* Q7 */
    return before / MPSC_AWAITED == position - block->start + 1;
}

/* ---- the receiver ---- */

SY_INLINE uint64_t mpsc_queue_head(const struct mpsc_queue *q) {
    return au64_load_relaxed(&q->head) / MPSC_HEAD;
}

/* The next value, or NULL with `*error` -EAGAIN (nothing has arrived) or -EPIPE (nothing will). */
static inline void *mpsc_queue_look(struct mpsc_queue *q, int *error) {
    uint64_t position = mpsc_queue_head(q);
    uint64_t offset = position - q->current->start;
    uint64_t word = au64_load_acquire(&q->current->word); /* Q8 */
    if (word >> offset & 1) {
        return mpsc_slot(q, q->current, offset);
    }
    /* Closed by the receiver itself, which also is why the tail can be believed: it moves no more. */
    uint64_t tail = au64_load_relaxed(&q->tail);
    bool closed = tail & MPSC_CLOSED && tail / MPSC_TAIL == position;
    *error = closed || word & MPSC_BLOCK_CLOSED ? -EPIPE : -EAGAIN;
    return NULL;
}

/* A block that nobody can reach any more. */
static inline void mpsc_queue_recycle(struct mpsc_queue *q, struct mpsc_block *block) {
    pthread_mutex_lock(&q->lock);
    uint64_t tail = au64_load_relaxed(&q->tail) / MPSC_TAIL;
    if (au64_load_relaxed(&q->end) - tail < MPSC_SPARE_SLOTS) {
        mpsc_queue_append(q, block);
        block = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    free(block);
}

/* `position` is the first of the next block. */
static inline void mpsc_queue_next_block(struct mpsc_queue *q, uint64_t position) {
    q->current = mpsc_block_next(q->current);
    while (q->oldest != q->current && au64_load_acquire(&q->oldest->passed) <= position) { /* Q6 */
        struct mpsc_block *block = q->oldest;
        q->oldest = mpsc_block_next(block);
        mpsc_queue_recycle(q, block);
    }
}

/* Done with the value that was looked at. True: senders wait for the room. */
static inline bool mpsc_queue_consume(struct mpsc_queue *q) {
    uint64_t head;
    if (q->capacity == MPSC_UNLIMITED) {
        head = au64_load_relaxed(&q->head);
        au64_store_relaxed(&q->head, head + MPSC_HEAD); /* Q13 */
    } else {
        head = au64_fetch_add_relaxed(&q->head, MPSC_HEAD); /* Q13 */
    }
    uint64_t position = head / MPSC_HEAD + 1;
    if (position - q->current->start == MPSC_SLOTS) {
        mpsc_queue_next_block(q, position);
    }
    return head & MPSC_HEAD_WAITING;
}

/* Asks to be told when the next value is published. False: it is there already, or the last sender is gone. */
static inline bool mpsc_queue_await(struct mpsc_queue *q) {
    uint64_t offset = mpsc_queue_head(q) - q->current->start;
    uint64_t awaited = au64_load_relaxed(&q->current->word) / MPSC_AWAITED; /* written by the receiver alone */
    uint64_t change = (offset + 1 - awaited) * MPSC_AWAITED;
    uint64_t before = au64_fetch_add_acq_rel(&q->current->word, change); /* Q9 */
    return !(before & MPSC_BLOCK_CLOSED) && !(before >> offset & 1);
}

#endif
