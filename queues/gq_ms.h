/*
 * A global queue: Michael and Scott's linked list, which is lock-free at both ends, with nodes of its own.
 *
 * Source: Michael and Scott, Simple, Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms, PODC
 * 1996. Deviations:
 *   - reclamation by quiescent states (reclaim.h) instead of counted pointers: an operation holds references only while
 *     it runs, so nothing that it has read is used again under it, and there is no ABA;
 *   - the nodes that head has passed stay linked, so that they need no bag: once in so many pops the whole stretch from
 *     the last such point up to head is retired as one (retire.h), and its nodes are used again after the grace period
 *     (node_pool.h). No thread keeps anything that it could take with it when it goes;
 *   - a batch is linked before and appended by one compare-and-swap; a batch of pops moves head once;
 *   - tail is tagged while the queue is empty (the lowest bit), which makes is_empty one load;
 *   - nodes are numbered, for the length and for that "once in so many".
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads. GQ_FULL says that there is no memory for a node; never
 * GQ_RETRY. It reclaims: see gq.h. is_empty and length touch no node, so a thread that is not attached may call them.
 * config.segment: how many nodes are worth a grace period, GQ_MS_STRETCH by default; config.first: the
 * number of the first node. Numbers wrap.
 *
 * Progress. push: lock-free but for malloc, which it needs when nodes have run out. pop: lock-free; one in `segment`
 * says so to retire.h, which may take a short lock that only the helper wants, too. A stalled thread blocks nobody;
 * while it is online it keeps the nodes that are popped from being used again. is_empty and length: wait-free.
 *
 * Memory: a node for each item inside and one more; less than `segment` and one batch that were popped and not retired,
 * once the helper has come round, and until then what is popped in two grace periods; what node_pool.h keeps for later.
 *
 * Linearization points. The list runs from head over tail to the last node, and an item is inside if its node is behind
 * head and not behind tail. push: the compare-and-swap by which tail reaches its node ([P3] or somebody's [T]); the
 * items of a batch each at its own, in order. pop: [D4]; GQ_EMPTY: [D2] if it finds the tag, [D3] otherwise: a node
 * without a successor that was head is both head and tail, head never being ahead of tail. is_empty: its load.
 *
 * The tag. A pop that finds nothing behind head tags tail, by compare-and-swap [M]; the next change of tail takes the
 * tag off, and a push returns only when tail has left the node that it was appended to, tag or no tag. So while tail is
 * "X, tagged", every push that has returned is of X or of a node before, and head had reached X: all of them are taken.
 * A push that has linked its node behind a tagged X is still under way. Nothing else reads tail for the tag, so [M]
 * needs no order. Two threads that must not miss each other (executor/idle.h): the pusher's full barrier comes after it
 * has changed tail or read, by a compare-and-swap that failed, that another changed it for it; whoever looks after a
 * full barrier that is later finds that tail or a newer one.
 *
 * Reclamation. A node may be read by whoever has read head or tail, or a link, since it was quiescent. A stretch ends
 * where head stands when it is set aside. Head never goes back and tail is never behind it, so who comes later cannot
 * reach what is before. The first node of the next stretch is the one at which this one ends. Only who sets a stretch
 * aside may look into head's node without being online: nobody else gives nodes back.
 *
 * Memory order.
 *   [P1] push loads tail, acquire: pairs with [P3] and [T], so that it may read the node: each of them is a release
 *        after an acquire of the tail before, and the nodes before were written before
 *   [P2] push links its chain behind the last node: compare-and-swap, release: pairs with its own failing (acquire) and
 *        with [D3], who move tail on to what they found
 *   [P3] push moves tail behind its chain: release, pairs with [P1], [D2]: numbers, items, their contents and the links
 *        inside. Fails where somebody did it for us, or where [M] came between: then once more
 *   [P4] push notes how far it came: relaxed, a hint
 *   [T]  who finds tail behind the last node moves it on: release, for it acquired the link ([P2], [D3]); acquire when
 *        it fails, as [P1]
 *   [D1] pop loads head: acquire, pairs with [D4]: whoever moved head here had seen tail here or further on, so [D2]
 *        does
 *   [D2] pop loads tail: acquire, pairs with [P3] and [T]: everything up to that node may be read, by relaxed loads
 *   [D3] pop looks for a successor of head where head is tail: acquire, pairs with [P2]
 *   [D4] pop moves head: release, pairs with [D1]. What it takes was read before; no other pop can have taken any of
 *        it, for head is where it was, and the node there has not been used for anything else since we read it
 *   [D5] pop notes how far it came: relaxed, a hint
 *   [M]  pop tags tail: relaxed, see above. It leaves the release of [P3] or [T] visible to [P1] (a release sequence)
 *   [R]  who sets a stretch aside loads head: acquire, pairs with [D4]: the number there, and the links of the stretch;
 *        its grace period starts after
 *   [E]  is_empty and length load tail and the hints: relaxed
 *
 * Layout: tail with its hint on a line, head with its hint on another; what is immutable apart from both.
 *
 * Rejected: tasks as nodes (a popped task's memory is its owner's at once, while others still read the link); a node
 * deferred on its own (a lock and a wake-up for each pop); bags of a thread's own (must be found when it ends); a
 * length that all count in (a third contended line); telling emptiness by head's link (two loads, the second of memory
 * that only an attached thread may read).
 */
#ifndef STEALYARD_QUEUES_GQ_MS_H
#define STEALYARD_QUEUES_GQ_MS_H

#include "queues/gq.h"
#include "queues/gq_reclaim.h"
#include "queues/node_pool.h"
#include "queues/retire.h"

#include <errno.h>
#include <stdlib.h>

#define GQ_MS_STRETCH 128

/* At and before head: done with. Behind it: an item each. */
struct gq_ms_node {
    struct aptr next; /* struct gq_ms_node * */
    struct sy_node *item;
    uint64_t number; /* one more than the node's before */
};

struct gq_ms {
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr tail; /* struct gq_ms_node *, tagged if the queue is empty */
    struct au64 pushed;                         /* number of the last node: a hint */
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr head; /* struct gq_ms_node *: the last that was popped */
    struct au64 popped;                         /* its number: a hint */
    SY_ALIGNAS(SY_CACHE_LINE) struct retire retire;
    struct gq_ms_node *retired;     /* the first that was not released; this and the next: retire.h's */
    struct gq_ms_node *retired_end; /* the first that is not set aside */
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t stretch_mask; /* immutable: `segment` - 1 */
    SY_ALIGNAS(SY_CACHE_LINE) struct node_pool pool;
};

SY_INLINE struct gq_ms *gq_ms_of(struct gq *queue) {
    return (struct gq_ms *)(void *)queue;
}

SY_INLINE struct gq_ms *gq_ms_of_retire(struct retire *retire) {
    return (struct gq_ms *)(void *)((char *)retire - offsetof(struct gq_ms, retire));
}

SY_INLINE bool gq_ms_is_tagged(const void *tail) {
    return (uintptr_t)tail & 1;
}

SY_INLINE void *gq_ms_tagged(struct gq_ms_node *node) {
    return (void *)((uintptr_t)node | 1);
}

SY_INLINE struct gq_ms_node *gq_ms_untagged(void *tail) {
    return (struct gq_ms_node *)((uintptr_t)tail & ~(uintptr_t)1);
}

/* A node of a private chain, at its end. NULL: no memory. */
SY_INLINE struct gq_ms_node *gq_ms_node_create(struct gq_ms *q, struct node_pool_shelf *shelf, struct sy_node *item) {
    struct gq_ms_node *node = (struct gq_ms_node *)node_pool_take(&q->pool, shelf);
    if (node) {
        aptr_store_relaxed(&node->next, NULL);
        node->item = item;
    }
    return node;
}

/* See retire.h. */
static inline bool gq_ms_collect(struct retire *retire) {
    struct gq_ms *q = gq_ms_of_retire(retire);
    struct gq_ms_node *head = (struct gq_ms_node *)aptr_load_acquire(&q->head); /* [R] */
    if (!((head->number ^ q->retired->number) & ~q->stretch_mask)) {            /* as in pop, which knocks there */
        return false;
    }
    q->retired_end = head;
    return true;
}

static inline void gq_ms_release(struct retire *retire) {
    struct gq_ms *q = gq_ms_of_retire(retire);
    struct gq_ms_node *node = q->retired;
    q->retired = q->retired_end;
    while (node != q->retired) {
        struct gq_ms_node *next = (struct gq_ms_node *)aptr_load_relaxed(&node->next);
        node_pool_give(&q->pool, node);
        node = next;
    }
}

static inline int gq_ms_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_ms *q = (struct gq_ms *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    struct gq_ms_node *first = (struct gq_ms_node *)malloc(sizeof *first);
    if (!q || !first || retire_create(&q->retire, gq_ms_collect, gq_ms_release) != 0) {
        free(q);
        free(first);
        return -ENOMEM;
    }
    aptr_store_relaxed(&first->next, NULL);
    first->item = NULL;
    first->number = config->first;
    aptr_store_relaxed(&q->head, first);
    aptr_store_relaxed(&q->tail, gq_ms_tagged(first));
    au64_store_relaxed(&q->pushed, config->first);
    au64_store_relaxed(&q->popped, config->first);
    q->retired = first;
    q->stretch_mask = (config->segment ? config->segment : GQ_MS_STRETCH) - 1;
    node_pool_create(&q->pool, sizeof *first);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_ms_destroy(struct gq *queue) {
    struct gq_ms *q = gq_ms_of(queue);
    retire_destroy(&q->retire);
    for (struct gq_ms_node *node = q->retired; node;) {
        struct gq_ms_node *next = (struct gq_ms_node *)aptr_load_relaxed(&node->next);
        free(node);
        node = next;
    }
    node_pool_destroy(&q->pool);
    free(q);
}

/* Numbers a private chain on from the node that it is to be behind. Returns the last number. */
SY_INLINE uint64_t gq_ms_number(struct gq_ms_node *node, uint64_t before) {
    for (; node; node = (struct gq_ms_node *)aptr_load_relaxed(&node->next)) {
        node->number = ++before;
    }
    return before;
}

SY_INLINE void gq_ms_append(struct gq_ms *q, struct gq_ms_node *first, struct gq_ms_node *last) {
    void *tail = aptr_load_acquire(&q->tail); /* [P1] */
    struct gq_ms_node *end = gq_ms_untagged(tail);
    uint64_t number = gq_ms_number(first, end->number);
    void *next = NULL;
    while (!aptr_cas_acq_rel(&end->next, &next, first)) { /* [P2] */
        if (aptr_cas_acq_rel(&q->tail, &tail, next)) {    /* [T] */
            tail = next;
        }
        end = gq_ms_untagged(tail);
        number = gq_ms_number(first, end->number);
        next = NULL;
    }
    while (!aptr_cas_acq_rel(&q->tail, &tail, last) && gq_ms_untagged(tail) == end) { /* [P3] */
    }
    au64_store_relaxed(&q->pushed, number); /* [P4] */
}

SY_INLINE enum gq_status gq_ms_push(struct gq *queue, struct sy_node *item) {
    struct gq_ms *q = gq_ms_of(queue);
    struct node_pool_shelf *shelf = node_pool_open(&q->pool);
    struct gq_ms_node *node = gq_ms_node_create(q, shelf, item);
    node_pool_close(shelf);
    if (!node) {
        return GQ_FULL;
    }
    gq_ms_append(q, node, node);
    return GQ_OK;
}

SY_INLINE enum gq_status gq_ms_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    struct gq_ms *q = gq_ms_of(queue);
    struct gq_ms_node *first = NULL, *last = NULL;
    struct node_pool_shelf *shelf = node_pool_open(&q->pool);
    for (*pushed = 0; *pushed < n; ++*pushed) {
        struct gq_ms_node *node = gq_ms_node_create(q, shelf, items[*pushed]);
        if (!node) {
            break;
        }
        if (last) {
            aptr_store_relaxed(&last->next, node);
        } else {
            first = node;
        }
        last = node;
    }
    node_pool_close(shelf);
    if (last) {
        gq_ms_append(q, first, last);
    }
    return *pushed == n ? GQ_OK : GQ_FULL;
}

/* There is at most one node behind head, and tail may be behind it. False: there is none. */
SY_INLINE bool gq_ms_move_tail(struct gq_ms *q, struct gq_ms_node *head, void *tail) {
    void *next = aptr_load_acquire(&head->next); /* [D3] */
    if (next) {
        aptr_cas_acq_rel(&q->tail, &tail, next); /* [T] */
        return true;
    }
    aptr_cas_relaxed(&q->tail, &tail, gq_ms_tagged(head)); /* [M] */
    return false;
}

SY_INLINE enum gq_status gq_ms_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_ms *q = gq_ms_of(queue);
    struct gq_ms_node *node;
    void *head;
    size_t n;
    *got = 0;
    do {
        head = aptr_load_acquire(&q->head);       /* [D1] */
        void *tail = aptr_load_acquire(&q->tail); /* [D2] */
        if (gq_ms_is_tagged(tail) || (head == tail && !gq_ms_move_tail(q, (struct gq_ms_node *)head, tail))) {
            return GQ_EMPTY;
        }
        node = (struct gq_ms_node *)head;
        for (n = 0; n < max && node != tail; n++) {
            node = (struct gq_ms_node *)aptr_load_relaxed(&node->next); /* by [D2] */
            items[n] = node->item;
        }
    } while (n == 0 || !aptr_cas_release(&q->head, &head, node)); /* [D4] */
    uint64_t number = node->number;
    au64_store_relaxed(&q->popped, number); /* [D5] */
    if (((number - n) ^ number) & ~q->stretch_mask) {
        retire_knock(&q->retire);
    }
    *got = n;
    return GQ_OK;
}

SY_INLINE bool gq_ms_is_empty(const struct gq *queue) {
    const struct gq_ms *q = (const struct gq_ms *)(const void *)queue;
    return gq_ms_is_tagged(aptr_load_relaxed(&q->tail)); /* [E] */
}

SY_INLINE size_t gq_ms_length(const struct gq *queue) {
    const struct gq_ms *q = (const struct gq_ms *)(const void *)queue;
    if (gq_ms_is_empty(queue)) {
        return 0;
    }
    int64_t length = (int64_t)(au64_load_relaxed(&q->pushed) - au64_load_relaxed(&q->popped)); /* [E] */
    return length > 0 ? (size_t)length : 1;
}

__attribute__((unused)) static const struct gq_ops gq_ms_ops = {
    .name = "gq_ms",
    .summary = "linked list, lock-free at both ends; whole batches in one compare-and-swap, recycled nodes",
    .source = "Michael, Scott: Simple, Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms, PODC "
              "1996",
    .order = "FIFO",
    .progress = "lock-free; a push allocates where nodes have run out, one pop in 128 takes reclamation's short lock; "
                "is_empty wait-free",
    .reclamation = "QSBR, a stretch of nodes at a time",
    .cost =
        "push: 3 RMWs, 0 fences, 5 lines; pop: 1 RMW, 0 fences, 4 lines; a batch the same and a node's line an item; "
        "allocates a node where nodes come back later than they are wanted",
    .caveat = NULL,
    .bounded = false,
    .reclaims = true,
    .allocates = true,
    .aborts = false,
    .create = gq_ms_create,
    .destroy = gq_ms_destroy,
    .attach = gq_reclaim_attach,
    .detach = gq_reclaim_detach,
    .push = gq_ms_push,
    .push_batch = gq_ms_push_batch,
    .pop_batch = gq_ms_pop_batch,
    .is_empty = gq_ms_is_empty,
    .length = gq_ms_length,
};

#endif
