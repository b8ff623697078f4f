/*
 * The contract of a global queue: what tasks are put into from outside, what overflows of local queues go to, and what
 * idle workers take batches from. Items are nodes embedded in the caller's structs; the queue never owns them.
 *
 * | operation   | who, how many threads at once                    | meaning                                          |
 * |-------------|--------------------------------------------------|--------------------------------------------------|
 * | create      | one, before anything else                        | 0, -EINVAL (capacity, segment), -ENOMEM,         |
 * |             |                                                  | -ENOTSUP (not on this machine)                   |
 * | destroy     | one, after everything else                       | items still inside are forgotten, not freed      |
 * | attach      | each thread before its first operation, if given | 0 or -errno; NULL: nothing to do                 |
 * | detach      | the same thread, after its last operation        | NULL: nothing to do                              |
 * | push        | any number                                       | GQ_OK, or GQ_FULL: the item is not inside        |
 * | push_batch  | any number                                       | the first *pushed of n items went in, in order;  |
 * |             |                                                  | GQ_OK if all did, GQ_FULL if not                 |
 * | pop_batch   | any number; max is at least 1                    | GQ_OK with 1..max items, GQ_EMPTY, or GQ_RETRY   |
 * | is_empty    | any number                                       | one load; never "empty" after a push that        |
 * |             |                                                  | happened before; may say "not empty" of an empty |
 * |             |                                                  | one until a pop that nobody disturbs said EMPTY  |
 * | length      | any number                                       | a hint, for batch sizes and metrics: not 0 of a  |
 * |             |                                                  | queue at rest with items inside, nor anything    |
 * |             |                                                  | else of an empty one after such a pop            |
 *
 * GQ_FULL is for bounded queues, and for those that allocate where there is no memory. GQ_RETRY means that an item may
 * be there but another thread is in the middle of an operation; the caller decides whether to try again or to do
 * something else first. A push happens before the pop that takes its item.
 *
 * A queue that `reclaims` frees memory that others may be reading, by reclaim.h: its attach calls reclaim_attach, which
 * nests over all queues and leaves the thread online; an attached thread must be online during every operation, and
 * between two of them quiescent or offline now and then.
 */
#ifndef STEALYARD_QUEUES_GQ_H
#define STEALYARD_QUEUES_GQ_H

#include "queues/node.h"

#define GQ_CAPACITY_DEFAULT 8192
#define GQ_SEGMENT_MAX 65536

enum gq_status { GQ_OK, GQ_EMPTY, GQ_FULL, GQ_RETRY };

struct gq; /* whatever the implementation makes of it */

struct gq_config {
    size_t capacity;  /* of bounded queues: a power of two, at least 2; others take no notice but check it too */
    size_t segment;   /* slots in a segment, of queues made of segments: 0 for the queue's choice, or a power of two */
    unsigned workers; /* how many threads are expected to pop */
    uint64_t first;   /* where counters begin, as far as they have the bits: 0, but in tests of their wraparound */
};

struct gq_ops {
    const char *name;        /* the file's stem */
    const char *summary;     /* one line */
    const char *source;      /* authors, title, venue, year */
    const char *order;       /* "FIFO", "FIFO per producer", … */
    const char *progress;    /* of push and of pop */
    const char *reclamation; /* "none needed", "QSBR", … */
    const char *cost;        /* of a push and a pop that nobody disturbs: RMWs, fences, allocations, cache lines */
    const char *caveat;      /* known defects and what is done about them; NULL: none */
    bool bounded;
    bool reclaims;  /* by QSBR, see above */
    bool allocates; /* a push may need memory, and says GQ_FULL where there is none */
    bool aborts;    /* a library beneath ends the process where there is no memory: see the caveat */

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

/* Shared by every implementation's create. */
SY_INLINE bool gq_config_is_valid(const struct gq_config *config) {
    size_t capacity = config->capacity, segment = config->segment;
    return capacity >= 2 && (capacity & (capacity - 1)) == 0 &&
           (segment == 0 || (segment >= 2 && segment <= GQ_SEGMENT_MAX && (segment & (segment - 1)) == 0));
}

#endif
