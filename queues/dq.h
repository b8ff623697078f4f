/*
 * The contract of a work-stealing deque: one worker's local queue. Items are nodes embedded in the caller's structs.
 *
 * | operation | who                                   | meaning                                                        |
 * |-----------|---------------------------------------|----------------------------------------------------------------|
 * | create    | one thread, before anything else      | 0, -EINVAL (capacity not a power of two >= 2), -ENOMEM         |
 * | destroy   | one thread, after everything else     | items still inside are forgotten, not freed                    |
 * | push      | the owner                             | DQ_OK, or DQ_FULL: a bounded deque is full, or there was no    |
 * |           |                                       | memory to grow; the item stays the caller's                    |
 * | pop       | the owner                             | DQ_OK and an item, or DQ_EMPTY                                 |
 * | steal     | any thread that is registered with    | DQ_OK: `*out` is the oldest item, to be run; up to half of the |
 * |           | reclaim.h (the owner too, with no     | victim's items, and at most `max` with `*out`, left it, the    |
 * |           | thief deque)                          | rest now in `thief` (the caller's own deque; NULL: only        |
 * |           |                                       | `*out`). DQ_EMPTY, or DQ_RETRY: lost a race to another taker   |
 * | is_empty  | any thread                            | conservative towards "not empty" only for the owner; a hint    |
 * |           |                                       | to others unless a full barrier stands before it, then never   |
 * |           |                                       | "empty" after a push that is before the barrier in its order   |
 * | length    | any thread                            | a hint                                                         |
 *
 * Each item comes out exactly once. A push happens before the pop or steal that takes its item.
 */
#ifndef STEALYARD_QUEUES_DQ_H
#define STEALYARD_QUEUES_DQ_H

#include "queues/node.h"

#define DQ_CAPACITY_DEFAULT 256

enum dq_status { DQ_OK, DQ_EMPTY, DQ_FULL, DQ_RETRY };

/* In which order the owner's pop gives items back; thieves always take the oldest first. */
enum dq_order { DQ_LIFO, DQ_FIFO };

struct dq;      /* whatever the implementation makes of it */
struct reclaim; /* reclaim.h */

struct dq_config {
    size_t capacity;         /* a power of two, at least 2; where a growing deque starts */
    struct reclaim *reclaim; /* who frees what a thief may still read; outlives the deque */
};

struct dq_ops {
    const char *name;        /* the file's stem */
    const char *summary;     /* one line */
    const char *source;      /* authors, title, venue, year */
    const char *progress;    /* of the owner and of thieves */
    const char *reclamation; /* "none needed", "QSBR", … */
    enum dq_order order;
    bool bounded;

    int (*create)(struct dq **out, const struct dq_config *config);
    void (*destroy)(struct dq *deque);
    enum dq_status (*push)(struct dq *deque, struct sy_node *item);
    enum dq_status (*pop)(struct dq *deque, struct sy_node **out);
    enum dq_status (*steal)(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out, size_t *moved);
    bool (*is_empty)(const struct dq *deque);
    size_t (*length)(const struct dq *deque);
};

SY_INLINE bool dq_capacity_is_valid(size_t capacity) {
    return capacity >= 2 && (capacity & (capacity - 1)) == 0;
}

#endif
