/*
 * A global queue: liburcu's wfcqueue behind the contract. One exchange to push; poppers turn each other away.
 *
 * Source: liburcu's urcu/wfcqueue.h (Desnoyers and Lai, 2012; after McKenney's half wait-free queue): an intrusive list
 * whose tail is exchanged, and linked from the node before in a second step. Pushes are the library's, and so is the
 * dequeue of a queue's last item. Ours are:
 *   - the poppers' lock, which is only tried for. Of the library's operations only those called nonblocking are used:
 *     the others, where they meet a pusher between its two steps, sleep 10 ms in poll() after ten looks;
 *   - a batch: the items that another is linked behind are taken by moving the head over them, in one step, as the
 *     library's dequeue does for one. They are not spliced into a list that stays behind, for what is left inside is in
 *     one place so, and the tail alone tells whether there is anything. With a second list is_empty would need two
 *     loads, or every push a count; and a splice is two exchanges more than this;
 *   - the push of a batch: a queue of the caller's own, on its stack, is spliced: one exchange of the tail for all;
 *   - a length that poppers reckon, for the library keeps none.
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads, no registration. Never says GQ_FULL. GQ_RETRY: another
 * popper has the lock, or a pusher is between its two steps. It has no counters and no segments.
 *
 * length: 0 if the queue is empty; else what the last pops make of it: a pop that left something behind takes twice
 * what was reckoned before and as much as it got, one that took the last item what it got. Executors make their batches
 * from it: a queue that grows is soon answered with full batches, one that ran empty with small ones. It is no measure
 * of depth.
 *
 * Progress. push and push_batch: wait-free on x86-64, one exchange and one store; elsewhere liburcu 0.13's exchange is
 * a loop around a compare-and-swap, lock-free. A pusher that stalls between its two steps hides its item and all that
 * are pushed after it: pops say GQ_RETRY. So they do while a popper stalls that has the lock. Nobody waits inside an
 * operation. is_empty, length and the pop of an empty queue: wait-free.
 *
 * Linearization points. push, push_batch: the exchange of the tail. The items of a pop: [W2], under the lock; the last
 * item of a queue: the library's compare-and-swap that turns the tail back to the head. GQ_EMPTY, is_empty: the load
 * [E] of a tail that points to the head.
 *
 * Reclamation and ABA. None needed: a node may be used again as soon as it is dequeued. The only one who still has to
 * write to it is the pusher that found it as the tail, and until that link is there only the compare-and-swap takes it,
 * which fails. The tail cannot turn from a node to others and back under that, for only the holder of the lock takes
 * nodes out.
 *
 * Memory order. The library's exchange is a full barrier, the link after it a plain store. Ours:
 *   [E]  load of the tail: relaxed. Only an exchange (a push) makes it differ from the head and only the dequeue of the
 *        last item makes it the head, and these are one after the other, so a push that happened before is seen by
 *        coherence until its item is taken. Two threads that must not miss each other (a pusher that looks for
 *        sleepers, a sleeper that looks for items) each put fence_seq_cst() between their write, here the exchange, and
 *        their load
 *   [L]  the lock is taken by an exchange, acquire, and given back by a store, release: they pair. The look before it
 *        is relaxed, and spares the line an exchange that would fail
 *   [W1] loads of links, the head's and the items', under the lock: relaxed, ordered by [R]. A link is stored once, by
 *        the pusher behind it, or it is NULL: then the library decides whether the item is the last
 *   [W2] store of the head's link, under the lock: relaxed, for the next popper by [L]. A pusher writes it only if it
 *        found the tail at the head, which it is not while items are inside
 *   [R]  cmm_smp_rmb() after both: each item was found through a link that was stored after its pusher's full barrier,
 *        so all that stands before the push is visible after this; and by [L] to the next popper, for whom the head is
 *        a link that another found. A mere compiler barrier on x86-64; the library itself promises only the node's own
 *        contents, by dependence
 *   [N]  load and store of what is reckoned: relaxed; stored under the lock, a hint without it
 * ThreadSanitizer does not see the library's accesses and is told of the hand-over (hand_over.h), before the link of an
 * item is read: its memory may be fresh. stress/test_weaken.sh shows that it reports a race when it is not told.
 *
 * A node of the library is laid over one of ours: both are a pointer to the next. Between an access by the one type and
 * one by the other there is a call of the library, which the compiler does not look into; and both gcc and clang let a
 * void * be any pointer.
 *
 * Layout: the tail has a line, which pushers exchange and looks for items read; head, lock and reckoning share another,
 * which is the poppers', and of pushers only his who finds the queue empty.
 *
 * Rejected: the library's inline versions (_LGPL_SOURCE), which the library's README allows to code that is compatible
 * with its licence, LGPL 2.1. This project's is, but through this header they would get into programs that are not,
 * with the duty to let others link them anew; and with the walk above they gain nothing that could be measured. A
 * program that defines _LGPL_SOURCE gets them, but for one under ThreadSanitizer. Also: dequeues of a batch one by one
 * (a call of the library for each item: about 3 times the cost, by 32 on one thread); the library's own lock (a mutex:
 * two read-modify-writes, and a popper that meets another would sleep); a count of the items (a second
 * read-modify-write for every push).
 */
#ifndef STEALYARD_QUEUES_GQ_WFCQ_H
#define STEALYARD_QUEUES_GQ_WFCQ_H

#include "queues/gq.h"
#include "queues/hand_over.h"
#include "queues/node_list.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <urcu/arch.h>
#include <urcu/wfcqueue.h>

#if defined(SY_TSAN) && defined(_LGPL_SOURCE)
#error "ThreadSanitizer reports races in liburcu's inline functions: do not define _LGPL_SOURCE with it"
#endif

#define GQ_WFCQ_RECKONED_MAX 65536

static_assert(sizeof(struct cds_wfcq_node) == sizeof(struct sy_node), "a node of wfcqueue is one pointer");
static_assert(sizeof(struct cds_wfcq_tail) == sizeof(struct aptr), "a tail of wfcqueue is one pointer");

struct gq_wfcq {
    SY_ALIGNAS(SY_CACHE_LINE) struct cds_wfcq_tail tail;
    SY_ALIGNAS(SY_CACHE_LINE) struct __cds_wfcq_head head;
    struct au32 lock;     /* 1: a popper has it */
    struct au64 reckoned; /* written under the lock */
};

SY_INLINE struct gq_wfcq *gq_wfcq_of(struct gq *queue) {
    return (struct gq_wfcq *)(void *)queue;
}

SY_INLINE struct cds_wfcq_node *gq_wfcq_node(struct sy_node *item) {
    return (struct cds_wfcq_node *)(void *)item;
}

static inline int gq_wfcq_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_wfcq *q = (struct gq_wfcq *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    if (!q) {
        return -ENOMEM;
    }
    __cds_wfcq_init(&q->head, &q->tail);
    au32_store_relaxed(&q->lock, 0);
    au64_store_relaxed(&q->reckoned, 0);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_wfcq_destroy(struct gq *queue) {
    free(queue);
}

SY_INLINE enum gq_status gq_wfcq_push(struct gq *queue, struct sy_node *item) {
    struct gq_wfcq *q = gq_wfcq_of(queue);
    sy_node_link(item, NULL);
    hand_over_give(item);
    cds_wfcq_enqueue(__cds_wfcq_head_cast(&q->head), &q->tail, gq_wfcq_node(item));
    atomics_hook(ATOMICS_RMW); /* the library's, of tail */
    return GQ_OK;
}

SY_INLINE enum gq_status gq_wfcq_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    struct gq_wfcq *q = gq_wfcq_of(queue);
    struct __cds_wfcq_head head;
    struct cds_wfcq_tail tail;
    *pushed = n;
    if (n == 0) {
        return GQ_OK;
    }
    node_chain(items, n);
    for (size_t i = 0; i < n; i++) {
        hand_over_give(items[i]);
    }
    head.node.next = gq_wfcq_node(items[0]);
    tail.p = gq_wfcq_node(items[n - 1]);
    __cds_wfcq_splice_nonblocking(__cds_wfcq_head_cast(&q->head), &q->tail, __cds_wfcq_head_cast(&head), &tail);
    atomics_hook(ATOMICS_RMW); /* the library's, of both words on the stack */
    atomics_hook(ATOMICS_RMW);
    atomics_hook(ATOMICS_RMW); /* and of tail */
    return GQ_OK;
}

SY_INLINE bool gq_wfcq_is_empty(const struct gq *queue) {
    const struct gq_wfcq *q = (const struct gq_wfcq *)(const void *)queue;
    return aptr_load_relaxed((const struct aptr *)(const void *)&q->tail) == (const void *)&q->head.node; /* [E] */
}

SY_INLINE bool gq_wfcq_try_lock(struct gq_wfcq *q) {
    return au32_load_relaxed(&q->lock) == 0 && au32_exchange_acquire(&q->lock, 1) == 0; /* [L] */
}

/* With the lock held: those that another is linked behind, up to `max`. The head moves over them in one step. */
SY_INLINE size_t gq_wfcq_take_linked(struct gq_wfcq *q, struct sy_node **items, size_t max) {
    struct sy_node *head = (struct sy_node *)(void *)&q->head.node;
    struct sy_node *node = sy_node_next(head); /* [W1] */
    size_t n = 0;
    while (node && n < max) {
        hand_over_take(node);
        struct sy_node *next = sy_node_next(node); /* [W1] */
        if (!next) {
            break;
        }
        items[n++] = node;
        node = next;
    }
    if (n > 0) {
        sy_node_link(head, node); /* [W2] */
    }
    return n;
}

/* With the lock held. Returns how many it took, and whether the last of them was the last in the queue. */
SY_INLINE size_t gq_wfcq_take(struct gq_wfcq *q, struct sy_node **items, size_t max, bool *last) {
    size_t n = gq_wfcq_take_linked(q, items, max);
    int state = 0;
    if (n < max) {
        struct cds_wfcq_node *node =
            __cds_wfcq_dequeue_with_state_nonblocking(__cds_wfcq_head_cast(&q->head), &q->tail, &state);
        if (node && node != CDS_WFCQ_WOULDBLOCK) {
            hand_over_take(node);
            items[n++] = (struct sy_node *)(void *)node;
        }
        if (state & CDS_WFCQ_STATE_LAST) {
            atomics_hook(ATOMICS_RMW); /* the library's, of tail */
        }
    }
    *last = state & CDS_WFCQ_STATE_LAST;
    return n;
}

/* With the lock held. */
SY_INLINE void gq_wfcq_reckon(struct gq_wfcq *q, size_t got, bool last) {
    uint64_t left = last ? 0 : au64_load_relaxed(&q->reckoned) * 2; /* [N] */
    uint64_t reckoned = left + got;
    au64_store_relaxed(&q->reckoned, reckoned < GQ_WFCQ_RECKONED_MAX ? reckoned : GQ_WFCQ_RECKONED_MAX); /* [N] */
}

SY_INLINE enum gq_status gq_wfcq_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_wfcq *q = gq_wfcq_of(queue);
    bool last;
    *got = 0;
    if (gq_wfcq_is_empty(queue)) {
        return GQ_EMPTY;
    }
    if (!gq_wfcq_try_lock(q)) {
        return GQ_RETRY;
    }
    size_t n = gq_wfcq_take(q, items, max, &last);
    if (n == 0) {
        au32_store_release(&q->lock, 0); /* [L] */
        return gq_wfcq_is_empty(queue) ? GQ_EMPTY : GQ_RETRY;
    }
    gq_wfcq_reckon(q, n, last);
    cmm_smp_rmb();                   /* [R] */
    au32_store_release(&q->lock, 0); /* [L] */
    *got = n;
    return GQ_OK;
}

SY_INLINE size_t gq_wfcq_length(const struct gq *queue) {
    const struct gq_wfcq *q = (const struct gq_wfcq *)(const void *)queue;
    if (gq_wfcq_is_empty(queue)) {
        return 0;
    }
    uint64_t reckoned = au64_load_relaxed(&q->reckoned); /* [N] */
    return reckoned > 0 ? (size_t)reckoned : 1;
}

__attribute__((unused)) static const struct gq_ops gq_wfcq_ops = {
    .name = "gq_wfcq",
    .summary = "liburcu's wfcqueue; poppers try for a lock and take a batch",
    .source = "liburcu's wfcqueue (Desnoyers and Lai, 2012)",
    .order = "FIFO",
    .progress = "push wait-free (x86-64; elsewhere lock-free); pop says GQ_RETRY behind a stalled pusher or popper; "
                "is_empty wait-free",
    .reclamation = "none needed",
    .cost =
        "push: 1 RMW, 0 fences, 3 lines; push_batch: 3 RMWs, of which 2 on the stack; pop: 1 RMW, 1 more that takes "
        "the last item, 0 fences, 3 lines; allocates nothing",
    .caveat = "a pusher stopped between its two steps hides what is pushed after; the length is reckoned from pops",
    .bounded = false,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_wfcq_create,
    .destroy = gq_wfcq_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_wfcq_push,
    .push_batch = gq_wfcq_push_batch,
    .pop_batch = gq_wfcq_pop_batch,
    .is_empty = gq_wfcq_is_empty,
    .length = gq_wfcq_length,
};

#endif
