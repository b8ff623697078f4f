/*
 * Concurrency Kit's ck_ring behind the contract: a bounded ring whose producers take a ticket each and publish in the
 * order of the tickets.
 *
 * Source: Concurrency Kit (Samy Al Bahra), ck_ring.h of 0.7.1, as the library ships it. Ours are: is_empty, by
 * emptiness.h; GQ_RETRY; batches, one item after the other, for the library has none; and that a push which waits for
 * its turn gives the processor away after GQ_CK_RING_SPINS looks, where the library would spin on.
 *
 * Contract: gq.h; strict FIFO, any number of threads. Bounded: a ring of S slots holds S - 1 items, so it is given
 * twice the capacity: GQ_FULL comes at 2 * capacity - 1 items or tickets, never below the capacity. Its indices have 32
 * bits: a capacity above 2^30 is refused with -EINVAL. Machines that are not x86-64 are refused with -ENOTSUP, see
 * below.
 *
 * Progress. push: blocking; a thread that is stopped between its ticket and its publication stalls every later push.
 * pop: lock-free; behind such a thread it says GQ_RETRY, for a ticket is out. is_empty, length and the pop of a queue
 * that is known to be empty: wait-free.
 *
 * Linearization points. push: the library's store of p_tail; GQ_FULL: its load of c_head. pop: the compare-and-swap of
 * c_head; GQ_EMPTY: the load of p_tail that equals c_head, or [E1] of emptiness.h, whose word is only "empty" while no
 * finished push has its item inside. A batch is so many single operations.
 *
 * Reclamation and ABA. Nothing is freed before destroy. Indices are never reused, but wrap after 2^32: a pop that is
 * stopped between its reading of a slot and its compare-and-swap while a multiple of exactly 2^32 items goes through
 * would return the old item.
 *
 * Memory order. Within the ring it is the library's. It is right for x86-64, where loads are not reordered with later
 * read-modify-writes; but before its compare-and-swap of c_head the pop has a fence for stores only, where what must
 * not sink below is its load of the slot (fixed upstream by c7945fe, after 0.7.2). On aarch64 a push could overwrite
 * the slot before it is read: that is why create refuses. An item's contents are ordered by [R1] and [R3]:
 *   [R1] before the ticket: release, for all that the pusher did, loads too; nothing on x86-64
 *   [R2] after the publication: a full barrier, for emptiness_pushed; the publication is a plain store
 *   [R3] after the take: acquire, pairs with [R1]; nothing on x86-64
 *   [R4] the look at p_head and c_head: plain loads by the library's macro, after that of p_tail; if a push took its
 *        ticket before [R4], the pop says GQ_RETRY, if not, the push is not finished
 *
 * ThreadSanitizer sees nothing of the library's assembly, and of its plain code only copies out of slots, which race
 * with nothing that it sees; hand_over.h tells it of the edge. stress/test_weaken.sh shows that it sees a race without.
 *
 * Layout: c_head, then p_tail and p_head, then the constants and the slots' address, a line each; then the word.
 *
 * Rejected: a ring of exactly the capacity (holds one item less; one of capacity 2 would hold one); own barriers in
 * place of the refusal (they belong between two lines of the library's function); ck_ring_enqueue_mpmc, which spins
 * until its turn comes (with more threads than processors a stopped push costs all others their time slices: a suite of
 * seconds took minutes).
 */
#ifndef STEALYARD_QUEUES_GQ_CK_RING_H
#define STEALYARD_QUEUES_GQ_CK_RING_H

#include "queues/emptiness.h"
#include "queues/gq.h"
#include "queues/hand_over.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include <ck_ring.h>

#define GQ_CK_RING_CAPACITY_MAX ((size_t)1 << 30)
#define GQ_CK_RING_SPINS 64

struct gq_ck_ring {
    SY_ALIGNAS(SY_CACHE_LINE) struct ck_ring ring;
    struct ck_ring_buffer *slots; /* immutable */
    SY_ALIGNAS(SY_CACHE_LINE) struct emptiness emptiness;
};

SY_INLINE struct gq_ck_ring *gq_ck_ring_of(struct gq *queue) {
    return (struct gq_ck_ring *)(void *)queue;
}

static inline int gq_ck_ring_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config) || config->capacity > GQ_CK_RING_CAPACITY_MAX) {
        return -EINVAL;
    }
#if !defined(__x86_64__)
    return -ENOTSUP;
#endif
    unsigned size = (unsigned)config->capacity * 2;
    struct gq_ck_ring *q = (struct gq_ck_ring *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    struct ck_ring_buffer *slots = (struct ck_ring_buffer *)malloc(size * sizeof *slots);
    if (!q || !slots) {
        free(q);
        free(slots);
        return -ENOMEM;
    }
    ck_ring_init(&q->ring, size);
    q->ring.c_head = q->ring.p_tail = q->ring.p_head = (unsigned)config->first;
    q->slots = slots;
    emptiness_init(&q->emptiness, config->first);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_ck_ring_destroy(struct gq *queue) {
    free(gq_ck_ring_of(queue)->slots);
    free(queue);
}

/* Until the pushes with earlier tickets are published. */
SY_INLINE void gq_ck_ring_wait_turn(struct gq_ck_ring *q, unsigned ticket) {
    for (unsigned spins = 0; ck_pr_load_uint(&q->ring.p_tail) != ticket; spins++) {
        if (spins < GQ_CK_RING_SPINS) {
            cpu_relax();
        } else {
            sched_yield();
        }
    }
}

SY_INLINE bool gq_ck_ring_put(struct gq_ck_ring *q, struct sy_node *item) {
    unsigned ticket;
    hand_over_give(item);
    ck_pr_fence_release();     /* [R1] */
    atomics_hook(ATOMICS_RMW); /* the library's, for a ticket */
    struct ck_ring_buffer *slot = (struct ck_ring_buffer *)ck_ring_enqueue_reserve_mpmc(&q->ring, q->slots, &ticket);
    if (!slot) {
        return false;
    }
    ck_pr_store_ptr(&slot->value, item);
    gq_ck_ring_wait_turn(q, ticket);
    ck_ring_enqueue_commit_mpmc(&q->ring, ticket);
    return true;
}

SY_INLINE bool gq_ck_ring_take(struct gq_ck_ring *q, struct sy_node **item) {
    void *taken;
    atomics_hook(ATOMICS_RMW); /* the library's, of c_head */
    if (!ck_ring_dequeue_mpmc(&q->ring, q->slots, &taken)) {
        return false;
    }
    ck_pr_fence_acquire(); /* [R3] */
    hand_over_take(taken);
    *item = (struct sy_node *)taken;
    return true;
}

SY_INLINE enum gq_status gq_ck_ring_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                               size_t *pushed) {
    struct gq_ck_ring *q = gq_ck_ring_of(queue);
    size_t done = 0;
    while (done < n && gq_ck_ring_put(q, items[done])) {
        done++;
    }
    *pushed = done;
    if (done > 0) {
        fence_seq_cst(); /* [R2] */
        emptiness_pushed(&q->emptiness);
    }
    return done == n ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status gq_ck_ring_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_ck_ring_push_batch(queue, &item, 1, &pushed);
}

SY_INLINE bool gq_ck_ring_has_ticket_out(const struct gq_ck_ring *q) {
    return ck_pr_load_uint(&q->ring.p_head) != ck_pr_load_uint(&q->ring.c_head); /* [R4] */
}

/* Nothing was there. GQ_OK: then something was. */
static __attribute__((noinline)) enum gq_status gq_ck_ring_look_again(struct gq_ck_ring *q, struct sy_node **item) {
    uint64_t round = emptiness_suspect(&q->emptiness);
    if (gq_ck_ring_take(q, item)) {
        return GQ_OK;
    }
    if (gq_ck_ring_has_ticket_out(q) || !emptiness_conclude(&q->emptiness, round)) {
        return GQ_RETRY;
    }
    return GQ_EMPTY;
}

SY_INLINE enum gq_status gq_ck_ring_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_ck_ring *q = gq_ck_ring_of(queue);
    size_t n = 0;
    *got = 0;
    if (emptiness_holds(&q->emptiness)) {
        return GQ_EMPTY;
    }
    while (n < max && gq_ck_ring_take(q, &items[n])) {
        n++;
    }
    enum gq_status status = GQ_OK;
    if (n == 0) {
        status = gq_ck_ring_look_again(q, items);
        n = status == GQ_OK;
    }
    *got = n;
    return status;
}

SY_INLINE bool gq_ck_ring_is_empty(const struct gq *queue) {
    return emptiness_holds(&((const struct gq_ck_ring *)(const void *)queue)->emptiness);
}

SY_INLINE size_t gq_ck_ring_length(const struct gq *queue) {
    return ck_ring_size(&((const struct gq_ck_ring *)(const void *)queue)->ring);
}

__attribute__((unused)) static const struct gq_ops gq_ck_ring_ops = {
    .name = "gq_ck_ring",
    .summary = "Concurrency Kit's ck_ring: producers take a ticket each and publish in the tickets' order",
    .source = "Concurrency Kit 0.7.1, ck_ring (MPMC)",
    .order = "FIFO",
    .progress = "push blocking: one stalled push stalls all; pop lock-free, says retry behind a stalled push",
    .reclamation = "none needed",
    .cost = "push: 1 RMW, 1 fence, 4 lines; pop: 1 RMW, 0 fences, 4 lines; allocates nothing; the first push after "
            "\"empty\" 1 RMW more, the pop that finds it empty 2 RMWs and 1 fence",
    .caveat = "Concurrency Kit up to 0.7.2 lacks a fence in pop (fixed by c7945fe): refused on all but x86-64. Holds "
              "2 * capacity - 1 items. A pop that sleeps through exactly 2^32 others may take an old item",
    .bounded = true,
    .reclaims = false,
    .allocates = false,
    .aborts = false,
    .create = gq_ck_ring_create,
    .destroy = gq_ck_ring_destroy,
    .attach = NULL,
    .detach = NULL,
    .push = gq_ck_ring_push,
    .push_batch = gq_ck_ring_push_batch,
    .pop_batch = gq_ck_ring_pop_batch,
    .is_empty = gq_ck_ring_is_empty,
    .length = gq_ck_ring_length,
};

#endif
