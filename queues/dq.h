/*
 * The contract of a work-stealing deque: one worker's local queue. Items are nodes embedded in the caller's structs.
 *
 * | operation   | who                                | meaning                                                        |
 * |-------------|------------------------------------|----------------------------------------------------------------|
 * | create      | one thread, before anything else   | 0, -EINVAL (capacity, block), -ENOMEM                          |
 * | destroy     | one thread, after everything else  | items still inside are forgotten, not freed                    |
 * | push        | the owner                          | DQ_OK, or DQ_FULL: a bounded deque is full, or there was no    |
 * |             |                                    | memory to grow; the item stays the caller's                    |
 * | pop         | the owner                          | DQ_OK and an item, or DQ_EMPTY                                 |
 * | take_oldest | the owner; NULL: dq_take_oldest    | up to half of the items, at least one and at most `max`, the   |
 * |             |                                    | oldest, in their order; returns how many. 0: it is empty, or   |
 * |             |                                    | thieves were there first                                       |
 * | steal       | any thread that is registered with | DQ_OK: `*out` is the oldest item, to be run; *moved items, up  |
 * |             | reclaim.h (the owner too, with no  | to half of the victim's and at most `max`, left it, all but    |
 * |             | thief deque)                       | `*out` for `thief` (the caller's own deque; NULL: only         |
 * |             |                                    | `*out`). DQ_EMPTY, or DQ_RETRY: lost a race to another taker,  |
 * |             |                                    | or to an owner who is in the middle of an operation; *moved: 0 |
 * | is_empty    | any thread                         | conservative towards "not empty" only for the owner; a hint    |
 * |             |                                    | to others unless a full barrier stands before it, then never   |
 * |             |                                    | "empty" after a push that is before the barrier in its order   |
 * | length      | any thread                         | a hint; exact for the owner while nobody steals                |
 *
 * `max` is at least 1. Each item comes out exactly once. A push happens before the pop, take or steal that takes its
 * item. DQ_EMPTY says that at some moment of the operation no item was inside, or that each was already on its way to
 * somebody.
 *
 * A deque that `withholds` keeps some items from thieves until the owner's next operations: steal says DQ_RETRY as long
 * as all that is inside is kept so, and a thief that waits for it waits for the owner. If it keeps the oldest ones (its
 * owner's pop takes those), a thief gets the oldest of the others.
 */
#ifndef STEALYARD_QUEUES_DQ_H
#define STEALYARD_QUEUES_DQ_H

#include "queues/node.h"

#define DQ_CAPACITY_DEFAULT 256

enum dq_status { DQ_OK, DQ_EMPTY, DQ_FULL, DQ_RETRY };

/* In which order the owner's pop gives items back; thieves always take the oldest first (that is not withheld). */
enum dq_order { DQ_LIFO, DQ_FIFO };

struct dq;      /* whatever the implementation makes of it */
struct reclaim; /* reclaim.h */

struct dq_config {
    size_t capacity;         /* a power of two, at least 2; where a growing deque starts */
    size_t block;            /* most slots in a block, if it has blocks: a power of two, at least 2; 0: a default */
    struct reclaim *reclaim; /* who frees what a thief may still read; outlives the deque */
    uint64_t first;          /* where counters begin, as far as they have bits: 0, but in tests of their wraparound */
};

struct dq_ops {
    const char *name;        /* the file's stem */
    const char *summary;     /* one line */
    const char *source;      /* authors, title, venue, year */
    const char *progress;    /* of the owner and of thieves */
    const char *reclamation; /* "none needed", "QSBR", … */
    const char *cost;        /* of push, pop and steal that nobody disturbs: RMWs, fences, cache lines */
    const char *caveat;      /* what a user should know before choosing it; NULL: nothing */
    enum dq_order order;
    bool bounded;
    bool withholds; /* see above */

    int (*create)(struct dq **out, const struct dq_config *config);
    void (*destroy)(struct dq *deque);
    enum dq_status (*push)(struct dq *deque, struct sy_node *item);
    enum dq_status (*pop)(struct dq *deque, struct sy_node **out);
    size_t (*take_oldest)(struct dq *deque, struct sy_node **items, size_t max);
    enum dq_status (*steal)(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out, size_t *moved);
    bool (*is_empty)(const struct dq *deque);
    size_t (*length)(const struct dq *deque);
};

SY_INLINE bool dq_capacity_is_valid(size_t capacity) {
    return capacity >= 2 && (capacity & (capacity - 1)) == 0;
}

/* Shared by every implementation's create. */
SY_INLINE bool dq_config_is_valid(const struct dq_config *config) {
    return dq_capacity_is_valid(config->capacity) && (config->block == 0 || dq_capacity_is_valid(config->block)) &&
           config->reclaim;
}

/* take_oldest of any deque: where it has none of its own, the owner is its own thief, one item at a time. */
SY_INLINE size_t dq_take_oldest(const struct dq_ops *ops, struct dq *deque, struct sy_node **items, size_t max) {
    if (ops->take_oldest) {
        return ops->take_oldest(deque, items, max);
    }
    size_t length = ops->length(deque);
    size_t half = length - length / 2;
    size_t n = 0, moved;
    while (n < half && n < max && ops->steal(deque, NULL, 1, &items[n], &moved) == DQ_OK) {
        n++;
    }
    return n;
}

#endif
