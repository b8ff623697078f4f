/*
 * The contract of a global queue: what tasks are put into from outside, what overflows of local queues go to, and what
 * idle workers take batches from. Items are nodes embedded in the caller's structs; the queue never owns them.
 *
 * | operation   | who, how many threads at once                      | meaning                                          |
 * |-------------|----------------------------------------------------|--------------------------------------------------|
 * | create      | one, before anything else                          | 0, -EINVAL (capacity), -ENOMEM                   |
 * | destroy     | one, after everything else                         | items still inside are forgotten, not freed      |
 * | attach      | each thread before its first operation, where given | 0 or -errno; NULL: nothing to do                 |
 * | detach      | the same thread, after its last operation          | NULL: nothing to do                              |
 * | push        | any number                                         | GQ_OK, or GQ_FULL (bounded queues only)          |
 * | push_batch  | any number                                         | the first *pushed of n items went in, in order   |
 * | pop_batch   | any number                                         | GQ_OK with 1..max items, GQ_EMPTY, or GQ_RETRY   |
 * | is_empty    | any number                                         | one load; never "empty" after a push that        |
 * |             |                                                    | happened before; may say "not empty" of an empty |
 * | length      | any number                                         | a hint, for batch sizes and metrics              |
 *
 * GQ_RETRY means that an item may be there but another thread is in the middle of an operation; the caller decides
 * whether to try again or to do something else first. A push happens before the pop that takes its item.
 */
#ifndef STEALYARD_QUEUES_GQ_H
#define STEALYARD_QUEUES_GQ_H

#include "queues/node.h"

#define GQ_CAPACITY_DEFAULT 8192

enum gq_status { GQ_OK, GQ_EMPTY, GQ_FULL, GQ_RETRY };

struct gq; /* whatever the implementation makes of it */

struct gq_config {
    size_t capacity;  /* of bounded queues: a power of two, at least 2; others take no notice but check it too */
    unsigned workers; /* how many threads are expected to pop */
};

struct gq_ops {
    const char *name;        /* the file's stem */
    const char *summary;     /* one line */
    const char *source;      /* authors, title, venue, year */
    const char *order;       /* "FIFO", "FIFO per producer", … */
    const char *progress;    /* of push and of pop */
    const char *reclamation; /* "none needed", "QSBR", … */
    bool bounded;

    int (*create)(struct gq **out, const struct gq_config *config);
    void (*destroy)(struct gq *queue);
    int (*attach)(struct gq *queue);
    void (*detach)(struct gq *queue);
    enum gq_status (*push)(struct gq *queue, struct sy_node *item);
    enum gq_status (*push_batch)(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed);
    enum gq_status (*pop_batch)(struct gq *queue, struct sy_node **items, size_t max, size_t *got);
    bool (*is_empty)(const struct gq *queue);
    size_t (*length)(const struct gq *queue);
};

/* Shared by every implementation's create: 0 or -EINVAL. */
SY_INLINE bool gq_capacity_is_valid(size_t capacity) {
    return capacity >= 2 && (capacity & (capacity - 1)) == 0;
}

#endif
