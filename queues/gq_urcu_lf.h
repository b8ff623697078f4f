/*
 * A global queue: liburcu's rculfqueue, with nodes of ours, reclamation of ours, and a count.
 *
 * Source: liburcu's urcu/rculfqueue.h (Desnoyers, 2010), which is the list of Michael and Scott (PODC 1996) under RCU:
 * cds_lfq_enqueue_rcu and cds_lfq_dequeue_rcu out of liburcu-cds, in the qsbr flavour. What is added here:
 *   - a node for each item: a dequeued node must not be used again before a grace period is over, and a task may be, at
 *     once. They come from node_pool.h and go back there;
 *   - the library frees its dummy nodes (one each time that the queue runs empty) by a function that it is given,
 *     without a word about which queue it is: the one given here leaves them with what the pop under way in this thread
 *     has taken off (thread-local), and the pop retires them with its own. liburcu's call_rcu is not used: see
 *     reclaim.h;
 *   - one word that counts the items inside, for is_empty and length, and pops, to retire nodes many at a time;
 *   - a look at tail before nodes are retired, see below.
 * The library has no operations on batches: a batch is a loop, except for the count, the shelf of nodes and retiring.
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads. GQ_FULL says that there is no memory for a node; never
 * GQ_RETRY. It reclaims: see gq.h. is_empty and length touch no node, so a thread that is not attached may call them.
 * config.segment: how many pops are worth a grace period, GQ_URCU_LF_RETIRED by default; config.first: the first number
 * of the pops, modulo 2^24.
 *
 * Where there is no memory for a dummy node, liburcu (checked: 0.13.2) ends the process by an assertion, in create or
 * in a pop.
 *
 * The library's fault (read in 0.13.2). A dequeue does not look where tail is. If an enqueue has linked its node behind
 * T and not yet moved tail, T can be dequeued and retired while tail still points to it, so a thread that comes online
 * after the grace period has begun, and is not waited for, still finds T: once the enqueue has gone on and T is used
 * again, that thread appends to a node that is not in the queue any more. crossbeam mended the same fault in its queue
 * (crossbeam-rs/crossbeam, pull request 466). Here a pop moves tail on [T] between its dequeues and their retiring.
 * Tail is never further back than one before the last node, since nothing is linked behind a node that tail has not
 * reached; so if it stood at a dequeued node, then at the last of them, whose link is set, and the move succeeds or
 * somebody else's has.
 *
 * Progress. push: lock-free but for malloc, which it needs when nodes have run out. pop: lock-free but for the malloc
 * of dummies; one in `segment` says so to retire.h, which may take a short lock that only the helper wants, too. A
 * stalled thread blocks nobody; while it is online it keeps the nodes that are popped from being used again. is_empty
 * and length: wait-free.
 *
 * Memory: a node for each item inside; less than `segment` and one batch that were popped and not retired, once the
 * helper has come round, and until then what is popped in two grace periods; for each of them a dummy at most, or one
 * of each popper that was after the same last item; what node_pool.h keeps.
 *
 * Linearization points. push and pop: the library's (the compare-and-swap that links, the one that moves head);
 * GQ_EMPTY: the library's, or [C3]: the count is taken up before a push and down after a pop, so at 0 whatever was
 * pushed, even half, is popped. is_empty: [C3].
 *
 * Reclamation and ABA. Nodes are reached by who was online before they were retired, [T] provided; the library relies
 * on that for ABA, too. Retired ones lie on a stack, which is only pushed to and taken whole: no ABA there.
 *
 * Memory order. The library orders its own accesses: its compare-and-swaps are full barriers, and a node is read
 * through the pointer by which it was reached. A node's contents are written before its enqueue and read after its
 * dequeue; ThreadSanitizer, which sees into neither, is told (hand_over.h), and does not look at the two functions here
 * that touch the library's memory. Our own:
 *   [C1] push counts up before its enqueue (and takes back what it had no memory for): relaxed; a pop of the item comes
 *        after the enqueue, and so
 *        [C2] after
 *        [C1]
 *   [C2] pop counts down after its dequeues: relaxed
 *   [C3] is_empty, length and pop load the count: relaxed, by coherence not older than the [C1] of a push that happened
 *        before. Two threads that must not miss each other have a full barrier after [C1] and before [C3] each
 *   [T]  tail and the link behind it, by the library's own macros: a full barrier where it moves tail
 *   [R1] what was popped goes on the stack: compare-and-swap, release, pairs with [R3]
 *   [R2] the stack's top, loaded for [R1]: relaxed, it is only stored
 *   [R3] the stack is taken whole: exchange, acquire. (The grace period orders what [R1] and [R3] do, too.)
 *   [R4] the pops are looked up: relaxed; those of who knocked are seen, by retire.h
 *
 * Rejected: the library's inline versions (_LGPL_SOURCE: its licence asks for more then, and ThreadSanitizer reports
 * its plain accesses); two counts (two loads, and a pop more to write); a node within the item (above).
 */
#ifndef STEALYARD_QUEUES_GQ_URCU_LF_H
#define STEALYARD_QUEUES_GQ_URCU_LF_H

#include "queues/gq.h"
#include "queues/gq_reclaim.h"
#include "queues/hand_over.h"
#include "queues/node_pool.h"
#include "queues/retire.h"

#include <errno.h>
#include <stdlib.h>

#include <urcu-call-rcu.h>
#include <urcu/rculfqueue.h>
#include <urcu/uatomic.h>

#define GQ_URCU_LF_RETIRED 128
#define GQ_URCU_LF_POP ((uint64_t)1 << 40) /* the count's low bits: items inside, its high ones: pops */

struct gq_urcu_lf_node {
    struct cds_lfq_node_rcu link;
    struct sy_node *item;
    struct rcu_head retired;
};

/* Nodes of ours, without a function, and the library's dummies, with the one that frees them. */
struct gq_urcu_lf_list {
    struct rcu_head *first;
    struct rcu_head *last; /* valid if first */
};

struct gq_urcu_lf {
    SY_ALIGNAS(SY_CACHE_LINE) struct cds_lfq_queue_rcu lfq; /* head and tail: the library's layout */
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 count;
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr retired; /* struct rcu_head *, a stack */
    SY_ALIGNAS(SY_CACHE_LINE) struct retire retire;
    struct rcu_head *due;                            /* what is set aside; this and the next: retire.h's */
    uint64_t due_pops;                               /* how many pops there were then, modulo 2^24 */
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t retired_mask; /* immutable: `segment` - 1 */
    struct node_pool pool;
};

/* What the pop that this thread is in has taken off, dummies too. */
__attribute__((weak)) SY_THREAD_LOCAL struct gq_urcu_lf_list gq_urcu_lf_popped;

SY_INLINE struct gq_urcu_lf *gq_urcu_lf_of(struct gq *queue) {
    return (struct gq_urcu_lf *)(void *)queue;
}

SY_INLINE struct rcu_head *gq_urcu_lf_next(struct rcu_head *head) {
    return (struct rcu_head *)(void *)head->next.next;
}

/*
 * The functions that touch the library's memory. ThreadSanitizer is not to look at them: it does see that the library
 * allocates a dummy, takes that for a write, and does not see the hand-over.
 */
#define GQ_URCU_LF_UNSEEN __attribute__((noinline, unused, no_sanitize("thread"))) static

/* A node of ours, or, as the library calls it in a dequeue, a dummy and what frees it. */
GQ_URCU_LF_UNSEEN void gq_urcu_lf_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *)) {
    struct gq_urcu_lf_list *popped = &gq_urcu_lf_popped;
    head->func = func;
    head->next.next = (struct cds_wfcq_node *)(void *)popped->first;
    if (!popped->first) {
        popped->last = head;
    }
    popped->first = head;
}

GQ_URCU_LF_UNSEEN void gq_urcu_lf_link(struct rcu_head *head, struct rcu_head *next) {
    head->next.next = (struct cds_wfcq_node *)(void *)next;
}

/* Before what was dequeued is retired: tail points to none of it. */
GQ_URCU_LF_UNSEEN void gq_urcu_lf_move_tail(struct gq_urcu_lf *q) {
    struct cds_lfq_node_rcu *tail = CMM_LOAD_SHARED(q->lfq.tail); /* [T] */
    struct cds_lfq_node_rcu *next = CMM_LOAD_SHARED(tail->next);  /* [T] */
    if (next) {
        uatomic_cmpxchg(&q->lfq.tail, tail, next); /* [T] */
    }
}

/* See retire.h. */
static inline bool gq_urcu_lf_collect(struct retire *retire) {
    struct gq_urcu_lf *q = caa_container_of(retire, struct gq_urcu_lf, retire);
    uint64_t pops = au64_load_relaxed(&q->count) / GQ_URCU_LF_POP; /* [R4] */
    if (!((pops ^ q->due_pops) & ~q->retired_mask)) {              /* as in pop, which knocks there */
        return false;
    }
    q->due = (struct rcu_head *)aptr_exchange_acquire(&q->retired, NULL); /* [R3] */
    q->due_pops = pops;
    return true;
}

static inline void gq_urcu_lf_free(struct gq_urcu_lf *q, struct rcu_head *head) {
    while (head) {
        struct rcu_head *next = gq_urcu_lf_next(head);
        if (head->func) {
            head->func(head);
        } else {
            node_pool_give(&q->pool, caa_container_of(head, struct gq_urcu_lf_node, retired));
        }
        head = next;
    }
}

static inline void gq_urcu_lf_release(struct retire *retire) {
    struct gq_urcu_lf *q = caa_container_of(retire, struct gq_urcu_lf, retire);
    gq_urcu_lf_free(q, q->due);
}

static inline int gq_urcu_lf_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_urcu_lf *q = (struct gq_urcu_lf *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    if (!q || retire_create(&q->retire, gq_urcu_lf_collect, gq_urcu_lf_release) != 0) {
        free(q);
        return -ENOMEM;
    }
    cds_lfq_init_rcu(&q->lfq, gq_urcu_lf_call_rcu);
    au64_store_relaxed(&q->count, config->first * GQ_URCU_LF_POP);
    aptr_store_relaxed(&q->retired, NULL);
    q->due_pops = au64_load_relaxed(&q->count) / GQ_URCU_LF_POP;
    q->retired_mask = (config->segment ? config->segment : GQ_URCU_LF_RETIRED) - 1;
    node_pool_create(&q->pool, sizeof(struct gq_urcu_lf_node));
    *out = (struct gq *)(void *)q;
    return 0;
}

/* Takes an item out, with the dummies on the way. False: there is none. */
SY_INLINE bool gq_urcu_lf_dequeue(struct gq_urcu_lf *q, struct sy_node **item) {
    struct cds_lfq_node_rcu *link = cds_lfq_dequeue_rcu(&q->lfq);
    if (!link) {
        return false;
    }
    atomics_hook(ATOMICS_RMW); /* the library's, of head */
    struct gq_urcu_lf_node *node = caa_container_of(link, struct gq_urcu_lf_node, link);
    hand_over_take(node);
    *item = node->item;
    gq_urcu_lf_call_rcu(&node->retired, NULL);
    return true;
}

/* Nobody is in an operation, so grace periods are over at once. */
static inline void gq_urcu_lf_destroy(struct gq *queue) {
    struct gq_urcu_lf *q = gq_urcu_lf_of(queue);
    struct sy_node *item;
    retire_destroy(&q->retire);
    gq_urcu_lf_popped.first = NULL;
    while (gq_urcu_lf_dequeue(q, &item)) {
    }
    gq_urcu_lf_free(q, gq_urcu_lf_popped.first);
    gq_urcu_lf_free(q, (struct rcu_head *)aptr_load_relaxed(&q->retired));
    cds_lfq_destroy_rcu(&q->lfq);
    node_pool_destroy(&q->pool);
    free(q);
}

/* Counted already. False: no memory. */
SY_INLINE bool gq_urcu_lf_enqueue(struct gq_urcu_lf *q, struct node_pool_shelf *shelf, struct sy_node *item) {
    struct gq_urcu_lf_node *node = (struct gq_urcu_lf_node *)node_pool_take(&q->pool, shelf);
    if (!node) {
        return false;
    }
    cds_lfq_node_init_rcu(&node->link);
    node->item = item;
    hand_over_give(node);
    cds_lfq_enqueue_rcu(&q->lfq, &node->link);
    atomics_hook(ATOMICS_RMW); /* the library's, of the link */
    atomics_hook(ATOMICS_RMW); /* and of tail */
    return true;
}

SY_INLINE enum gq_status gq_urcu_lf_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                               size_t *pushed) {
    struct gq_urcu_lf *q = gq_urcu_lf_of(queue);
    struct node_pool_shelf *shelf = node_pool_open(&q->pool);
    size_t done = 0;
    au64_fetch_add_relaxed(&q->count, n); /* [C1] */
    while (done < n && gq_urcu_lf_enqueue(q, shelf, items[done])) {
        done++;
    }
    node_pool_close(shelf);
    *pushed = done;
    if (done < n) {
        au64_fetch_sub_relaxed(&q->count, n - done); /* [C1] taken back */
        return GQ_FULL;
    }
    return GQ_OK;
}

SY_INLINE enum gq_status gq_urcu_lf_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_urcu_lf_push_batch(queue, &item, 1, &pushed);
}

/* What this pop has taken off. */
SY_INLINE void gq_urcu_lf_retire(struct gq_urcu_lf *q) {
    void *top = aptr_load_relaxed(&q->retired); /* [R2] */
    gq_urcu_lf_move_tail(q);
    do {
        gq_urcu_lf_link(gq_urcu_lf_popped.last, (struct rcu_head *)top);
    } while (!aptr_cas_release(&q->retired, &top, gq_urcu_lf_popped.first)); /* [R1] */
}

SY_INLINE size_t gq_urcu_lf_length(const struct gq *queue) {
    const struct gq_urcu_lf *q = (const struct gq_urcu_lf *)(const void *)queue;
    return (size_t)(au64_load_relaxed(&q->count) & (GQ_URCU_LF_POP - 1)); /* [C3] */
}

SY_INLINE bool gq_urcu_lf_is_empty(const struct gq *queue) {
    return gq_urcu_lf_length(queue) == 0;
}

SY_INLINE enum gq_status gq_urcu_lf_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_urcu_lf *q = gq_urcu_lf_of(queue);
    size_t n = 0;
    *got = 0;
    if (gq_urcu_lf_is_empty(queue)) {
        return GQ_EMPTY;
    }
    gq_urcu_lf_popped.first = NULL;
    while (n < max && gq_urcu_lf_dequeue(q, &items[n])) {
        n++;
    }
    if (gq_urcu_lf_popped.first) {
        gq_urcu_lf_retire(q);
    }
    if (n == 0) {
        return GQ_EMPTY;
    }
    uint64_t pops = au64_fetch_add_relaxed(&q->count, n * GQ_URCU_LF_POP - n) / GQ_URCU_LF_POP; /* [C2] */
    if ((pops ^ (pops + n)) & ~q->retired_mask) {
        retire_knock(&q->retire);
    }
    *got = n;
    return GQ_OK;
}

__attribute__((unused)) static const struct gq_ops gq_urcu_lf_ops = {
    .name = "gq_urcu_lf",
    .summary = "liburcu's rculfqueue (Michael and Scott under RCU), with recycled nodes and a count",
    .source = "Desnoyers: liburcu, urcu/rculfqueue.h, 2010, after Michael, Scott: Simple, Fast, and Practical "
              "Non-Blocking and Blocking Concurrent Queue Algorithms, PODC 1996",
    .order = "FIFO",
    .progress = "lock-free; a push allocates where nodes have run out, a pop that empties the queue allocates too, one "
                "pop in 128 takes reclamation's short lock; is_empty wait-free",
    .reclamation = "QSBR, many nodes at a time",
    .cost =
        "push: 4 RMWs, 0 fences, 6 lines (a batch: 2 RMWs and 2 lines an item, and 2 RMWs); pop: 3 RMWs, 0 fences, 5 "
        "lines (a batch: 1 RMW and 1 line an item, and 2 RMWs), and where it takes the last item 3 RMWs and an "
        "allocation more; allocates a node where nodes come back later than they are wanted",
    .caveat =
        "liburcu 0.13 moves head past tail (worked round: a pop moves tail before it retires) and ends the process "
        "where a pop finds no memory for a dummy node; its call_rcu is not used",
    .bounded = false,
    .reclaims = true,
    .allocates = true,
    .aborts = true,
    .create = gq_urcu_lf_create,
    .destroy = gq_urcu_lf_destroy,
    .attach = gq_reclaim_attach,
    .detach = gq_reclaim_detach,
    .push = gq_urcu_lf_push,
    .push_batch = gq_urcu_lf_push_batch,
    .pop_batch = gq_urcu_lf_pop_batch,
    .is_empty = gq_urcu_lf_is_empty,
    .length = gq_urcu_lf_length,
};

#endif
