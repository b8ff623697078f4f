/*
 * Concurrency Kit's ck_fifo_mpmc behind the contract: Michael and Scott's list, with a generation beside each pointer
 * and compare-and-swaps of both words.
 *
 * Source: Concurrency Kit (Samy Al Bahra), ck_fifo.h of 0.7.1, as the library ships it; Michael and Scott, Simple,
 * Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms, PODC 1996. Ours are: the entries, from
 * node_pool.h and given back by reclaim.h, where the library leaves them to its user; is_empty, by emptiness.h;
 * batches, one item after the other, for the library has none.
 *
 * Contract: gq.h; unbounded, strict FIFO, any number of threads. GQ_FULL says that there is no memory for an entry;
 * GQ_RETRY that a push came while the pop was about to say "empty". It reclaims: see gq.h. config.segment: how many
 * entries are worth a grace period, GQ_CK_FIFO_STRETCH by default; config.first: where the generations begin. They
 * wrap.
 *
 * The library's fault (fixed upstream by e78c421, after 0.7.2). A dequeue says "empty" if head and tail were the same
 * entry and that entry's link is NULL, without looking whether head is still there. Meant for entries that are used
 * again at once: the entry may have been dequeued and enqueued again meanwhile, and its link is NULL then because it is
 * the last of a queue that is full of others. Here no entry is used again before everybody who was in an operation when
 * it was dequeued has been quiescent. So within one operation a link that is NULL is the link of the one entry that is
 * last: behind it there is nothing, and head, which was there before, cannot have passed it. The queue is empty at that
 * load.
 *
 * Progress. push: lock-free but for malloc, which it needs when entries have run out. pop: lock-free; one in `segment`
 * says so to retire.h, which may take a short lock that only the helper wants, too. A stalled thread blocks nobody;
 * while it is online it keeps the entries that are popped from being used again. is_empty, length and the pop of a
 * queue that is known to be empty: wait-free. (On aarch64 a pop can read tail before head, then take the last item
 * before tail has reached it; the next pop spins until the push has moved tail.)
 *
 * Memory: an entry for each item inside and one more; less than `segment` and one batch that were popped and not
 * retired, once the helper has come round, and until then what is popped in two grace periods; what node_pool.h keeps
 * for later.
 *
 * Linearization points. push: the library's compare-and-swap of the last entry's link. pop: its compare-and-swap of
 * head; GQ_EMPTY: its load of the NULL link, or [E1] of emptiness.h, whose word is only "empty" while no finished push
 * has its item inside. A batch is so many single operations.
 *
 * Reclamation and ABA. Entries that head has passed stay linked; once in so many pops the whole stretch from the last
 * such point up to head is retired as one (retire.h). Who comes later cannot reach it: head never goes back, and [S2]
 * sees to it that tail does not point into it. So an entry that an operation has read is not used again under it; the
 * generations, which are there for that, are left with counting: head's the pops, tail's the pushes.
 *
 * Memory order. Within the list it is the library's; on aarch64 its compare-and-swaps order nothing by themselves, and
 * an entry is only read through the pointer that led to it. So an item's contents are ordered by [R1] and [R3]:
 *   [R1] before the enqueue: release, for all that the pusher did, loads too; nothing on x86-64
 *   [R2] after it: a full barrier, for emptiness_pushed; nothing on x86-64, where the last thing that it does is a
 *        locked compare-and-swap
 *   [R3] after the dequeue: acquire, pairs with [R1]; nothing on x86-64
 *   [S1] a pop reads head's generation before and after: its own numbers are among those between, so that each
 *        multiple of `segment` is seen by the pop that reached it, and by others at most
 *   [S2] who sets a stretch aside reads head, then tail and its link, and moves tail on if there is one, by the
 *        library's macros and in its way. Tail is the last entry or the one before, for nothing is linked behind an
 *        entry that tail has not reached; and head is at most at the last. So tail is past the stretch afterwards,
 *        whoever moved it. It need not be online to look into tail's entry: nobody else gives entries back. What
 *        retire.h reads of the links was written before the grace period
 *   [L]  length: the two generations, by loads of the library's: a hint; exact while nobody is at work
 *
 * ThreadSanitizer sees nothing of the library's assembly; its plain stores to entries it sees in order, because an
 * entry is used again after a grace period only, of which reclaim.h tells. hand_over.h tells of the items;
 * stress/test_weaken.sh shows that races of theirs are still seen. UndefinedBehaviorSanitizer is told that the
 * generations are no pointers, though they have such a type: by attributes, on declarations that precede the library's.
 *
 * Layout: head and tail on a line each; the word, with a constant; what retires; the pool. Two entries share a line.
 *
 * Rejected: entries used again at once, with a second look at head before "empty" (memory would be bounded by the most
 * that was ever queued); a stack of free entries (another double-word compare-and-swap for each end, on a line that
 * both ends fight for); the caller's items as entries (who dequeues gets the item before's entry, so an item's memory
 * would be in use after its pop).
 */
#ifndef STEALYARD_QUEUES_GQ_CK_FIFO_H
#define STEALYARD_QUEUES_GQ_CK_FIFO_H

#include "queues/emptiness.h"
#include "queues/gq.h"
#include "queues/gq_reclaim.h"
#include "queues/hand_over.h"
#include "queues/node_pool.h"
#include "queues/retire.h"

#include <errno.h>
#include <stdlib.h>

struct ck_fifo_mpmc;
struct ck_fifo_mpmc_entry;
__attribute__((no_sanitize("pointer-overflow"))) static void ck_fifo_mpmc_enqueue(struct ck_fifo_mpmc *,
                                                                                  struct ck_fifo_mpmc_entry *, void *);
__attribute__((no_sanitize("pointer-overflow"))) static bool ck_fifo_mpmc_dequeue(struct ck_fifo_mpmc *, void *,
                                                                                  struct ck_fifo_mpmc_entry **);
#include <ck_fifo.h>

#define GQ_CK_FIFO_STRETCH 128

struct gq_ck_fifo {
    SY_ALIGNAS(SY_CACHE_LINE) struct ck_fifo_mpmc fifo;
    SY_ALIGNAS(SY_CACHE_LINE) struct emptiness emptiness;
    uint64_t stretch_mask; /* immutable: `segment` - 1 */
    SY_ALIGNAS(SY_CACHE_LINE) struct retire retire;
    struct ck_fifo_mpmc_entry *retired;     /* the first that was not released; this and the next: retire.h's */
    struct ck_fifo_mpmc_entry *retired_end; /* the first that is not set aside */
    uint64_t retired_generation;            /* head's, when it was at `retired`, or a little before */
    uint64_t retired_end_generation;
    SY_ALIGNAS(SY_CACHE_LINE) struct node_pool pool;
};

SY_INLINE struct gq_ck_fifo *gq_ck_fifo_of(struct gq *queue) {
    return (struct gq_ck_fifo *)(void *)queue;
}

SY_INLINE struct gq_ck_fifo *gq_ck_fifo_of_retire(struct retire *retire) {
    return (struct gq_ck_fifo *)(void *)((char *)retire - offsetof(struct gq_ck_fifo, retire));
}

SY_INLINE uint64_t gq_ck_fifo_generation(const struct ck_fifo_mpmc_pointer *pointer) {
    return (uint64_t)(uintptr_t)ck_pr_load_ptr(&pointer->generation);
}

/* [S2] Head was read before. */
static inline void gq_ck_fifo_move_tail(struct gq_ck_fifo *q) {
    struct ck_fifo_mpmc_pointer tail, update;
    ck_pr_fence_load();
    tail.generation = (char *)ck_pr_load_ptr(&q->fifo.tail.generation);
    ck_pr_fence_load();
    tail.pointer = (struct ck_fifo_mpmc_entry *)ck_pr_load_ptr(&q->fifo.tail.pointer);
    update.pointer = (struct ck_fifo_mpmc_entry *)ck_pr_load_ptr(&tail.pointer->next.pointer);
    if (update.pointer) {
        update.generation = (char *)((uintptr_t)tail.generation + 1);
        ck_pr_cas_ptr_2(&q->fifo.tail, &tail, &update);
    }
}

/* See retire.h. */
static inline bool gq_ck_fifo_collect(struct retire *retire) {
    struct gq_ck_fifo *q = gq_ck_fifo_of_retire(retire);
    uint64_t generation = gq_ck_fifo_generation(&q->fifo.head);
    if (!((generation ^ q->retired_generation) & ~q->stretch_mask)) { /* as in pop, which knocks there */
        return false;
    }
    ck_pr_fence_load();
    q->retired_end = (struct ck_fifo_mpmc_entry *)ck_pr_load_ptr(&q->fifo.head.pointer);
    q->retired_end_generation = generation;
    gq_ck_fifo_move_tail(q);
    return true;
}

static inline void gq_ck_fifo_release(struct retire *retire) {
    struct gq_ck_fifo *q = gq_ck_fifo_of_retire(retire);
    struct ck_fifo_mpmc_entry *entry = q->retired;
    q->retired = q->retired_end;
    q->retired_generation = q->retired_end_generation;
    while (entry != q->retired) {
        struct ck_fifo_mpmc_entry *next = entry->next.pointer;
        node_pool_give(&q->pool, entry);
        entry = next;
    }
}

static inline int gq_ck_fifo_create(struct gq **out, const struct gq_config *config) {
    if (!gq_config_is_valid(config)) {
        return -EINVAL;
    }
    struct gq_ck_fifo *q = (struct gq_ck_fifo *)aligned_alloc(SY_CACHE_LINE, sizeof *q);
    struct ck_fifo_mpmc_entry *first = (struct ck_fifo_mpmc_entry *)malloc(sizeof *first);
    if (!q || !first || retire_create(&q->retire, gq_ck_fifo_collect, gq_ck_fifo_release) != 0) {
        free(q);
        free(first);
        return -ENOMEM;
    }
    ck_fifo_mpmc_init(&q->fifo, first);
    q->fifo.head.generation = q->fifo.tail.generation = (char *)(uintptr_t)config->first;
    emptiness_init(&q->emptiness, config->first);
    q->stretch_mask = (config->segment ? config->segment : GQ_CK_FIFO_STRETCH) - 1;
    q->retired = first;
    q->retired_generation = config->first;
    node_pool_create(&q->pool, sizeof *first);
    *out = (struct gq *)(void *)q;
    return 0;
}

static inline void gq_ck_fifo_destroy(struct gq *queue) {
    struct gq_ck_fifo *q = gq_ck_fifo_of(queue);
    retire_destroy(&q->retire);
    for (struct ck_fifo_mpmc_entry *entry = q->retired; entry;) {
        struct ck_fifo_mpmc_entry *next = entry->next.pointer;
        free(entry);
        entry = next;
    }
    node_pool_destroy(&q->pool);
    free(q);
}

/* False: no memory. */
SY_INLINE bool gq_ck_fifo_put(struct gq_ck_fifo *q, struct node_pool_shelf *shelf, struct sy_node *item) {
    struct ck_fifo_mpmc_entry *entry = (struct ck_fifo_mpmc_entry *)node_pool_take(&q->pool, shelf);
    if (!entry) {
        return false;
    }
    hand_over_give(item);
    ck_pr_fence_release();     /* [R1] */
    atomics_hook(ATOMICS_RMW); /* the library's, of the link */
    atomics_hook(ATOMICS_RMW); /* and of tail */
    ck_fifo_mpmc_enqueue(&q->fifo, entry, item);
    return true;
}

SY_INLINE bool gq_ck_fifo_take(struct gq_ck_fifo *q, struct sy_node **item) {
    struct ck_fifo_mpmc_entry *passed; /* found again by its link */
    void *taken;
    if (!ck_fifo_mpmc_dequeue(&q->fifo, &taken, &passed)) {
        return false;
    }
    atomics_hook(ATOMICS_RMW); /* the library's, of head */
    ck_pr_fence_acquire();     /* [R3] */
    hand_over_take(taken);
    *item = (struct sy_node *)taken;
    return true;
}

SY_INLINE enum gq_status gq_ck_fifo_push_batch(struct gq *queue, struct sy_node *const *items, size_t n,
                                               size_t *pushed) {
    struct gq_ck_fifo *q = gq_ck_fifo_of(queue);
    struct node_pool_shelf *shelf = node_pool_open(&q->pool);
    size_t done = 0;
    while (done < n && gq_ck_fifo_put(q, shelf, items[done])) {
        done++;
    }
    node_pool_close(shelf);
    *pushed = done;
    if (done > 0) {
        ck_pr_fence_atomic_load(); /* [R2] */
        emptiness_pushed(&q->emptiness);
    }
    return done == n ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status gq_ck_fifo_push(struct gq *queue, struct sy_node *item) {
    size_t pushed;
    return gq_ck_fifo_push_batch(queue, &item, 1, &pushed);
}

/* Nothing was there. GQ_OK: then something was. */
static __attribute__((noinline)) enum gq_status gq_ck_fifo_look_again(struct gq_ck_fifo *q, struct sy_node **item) {
    uint64_t round = emptiness_suspect(&q->emptiness);
    if (gq_ck_fifo_take(q, item)) {
        return GQ_OK;
    }
    return emptiness_conclude(&q->emptiness, round) ? GQ_EMPTY : GQ_RETRY;
}

SY_INLINE enum gq_status gq_ck_fifo_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct gq_ck_fifo *q = gq_ck_fifo_of(queue);
    size_t n = 0;
    *got = 0;
    if (emptiness_holds(&q->emptiness)) {
        return GQ_EMPTY;
    }
    uint64_t before = gq_ck_fifo_generation(&q->fifo.head); /* [S1] */
    while (n < max && gq_ck_fifo_take(q, &items[n])) {
        n++;
    }
    enum gq_status status = GQ_OK;
    if (n == 0) {
        status = gq_ck_fifo_look_again(q, items);
        n = status == GQ_OK;
    }
    if (n > 0 && ((gq_ck_fifo_generation(&q->fifo.head) ^ before) & ~q->stretch_mask)) { /* [S1] */
        retire_knock(&q->retire);
    }
    *got = n;
    return status;
}

SY_INLINE bool gq_ck_fifo_is_empty(const struct gq *queue) {
    return emptiness_holds(&((const struct gq_ck_fifo *)(const void *)queue)->emptiness);
}

SY_INLINE size_t gq_ck_fifo_length(const struct gq *queue) {
    const struct gq_ck_fifo *q = (const struct gq_ck_fifo *)(const void *)queue;
    uint64_t popped = gq_ck_fifo_generation(&q->fifo.head); /* [L] */
    int64_t length = (int64_t)(gq_ck_fifo_generation(&q->fifo.tail) - popped);
    return length > 0 ? (size_t)length : 0;
}

__attribute__((unused)) static const struct gq_ops gq_ck_fifo_ops = {
    .name = "gq_ck_fifo",
    .summary = "Concurrency Kit's ck_fifo_mpmc: a lock-free list with a double-word compare-and-swap, recycled entries",
    .source =
        "Concurrency Kit 0.7.1, ck_fifo_mpmc; Michael, Scott: Simple, Fast, and Practical Non-Blocking and Blocking "
        "Concurrent Queue Algorithms, PODC 1996",
    .order = "FIFO",
    .progress =
        "lock-free; a push allocates where entries have run out, one pop in 128 may take reclamation's short lock; "
        "is_empty wait-free",
    .reclamation = "QSBR, a stretch of entries at a time",
    .cost = "push: 3 RMWs (2 of two words), 0 fences, 6 lines; pop: 1 RMW (of two words), 0 fences, 6 lines; a batch "
            "costs as much an item, but for 1 RMW; allocates where entries have not come back from their grace period: "
            "about every second push in a loop on one thread; the first push after \"empty\" 1 RMW more, the pop that "
            "finds it empty 2 RMWs and 1 fence",
    .caveat =
        "Concurrency Kit up to 0.7.2 can take a queue for empty that is not, where entries are used again at once "
        "(fixed by e78c421): here they wait for a grace period",
    .bounded = false,
    .reclaims = true,
    .allocates = true,
    .aborts = false,
    .create = gq_ck_fifo_create,
    .destroy = gq_ck_fifo_destroy,
    .attach = gq_reclaim_attach,
    .detach = gq_reclaim_detach,
    .push = gq_ck_fifo_push,
    .push_batch = gq_ck_fifo_push_batch,
    .pop_batch = gq_ck_fifo_pop_batch,
    .is_empty = gq_ck_fifo_is_empty,
    .length = gq_ck_fifo_length,
};

#endif
