/*
 * A pairing heap (tm_pairing.h): exact, small and without parameters.
 *
 * Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap", Algorithmica 1986. Deviations: none.
 *
 * Contract: tm.h; `earliest` is always exact.
 *
 * Progress: insert O(1); remove and taking one O(log n) amortised. A single call may take O(n): sleeps that were
 * inserted since the last one was taken are all children of the root, and the one who takes the root melds them, under
 * the timers' lock.
 *
 * Memory: three links in each sleep and the store's one word; nothing is allocated with n.
 *
 * Where it is ahead of tm_wheel: with few sleeps (ten: 129 instructions for one that is started and fired, against
 * 224). tm_wheel.c has the figures.
 *
 * Rejected: a binary or 4-ary heap in an array (it takes more instructions, see there, and the array grows: a sleep
 * could fail for want of memory, or stand still under the lock while 10⁶ entries are copied; and each sleep must be
 * told its place again whenever it moves); a red-black tree (a rotation touches more lines than a link, for an order
 * that nobody asks for); a skip list (random, and a node of variable size in the caller's memory).
 */
#include <errno.h>
#include <stdlib.h>

#include "executor/tm_list.h"
#include "executor/tm_pairing.h"

struct tm_heap {
    struct sy_sleep *root; /* the earliest */
};

static struct tm_heap *tm_heap_of(struct tm_store *store) {
    return (struct tm_heap *)(void *)store;
}

static int tm_heap_create(struct tm_store **out) {
    struct tm_heap *heap = calloc(1, sizeof *heap);
    *out = (struct tm_store *)(void *)heap;
    return heap ? 0 : -ENOMEM;
}

static void tm_heap_destroy(struct tm_store *store) {
    free(store);
}

static void tm_heap_insert(struct tm_store *store, struct sy_sleep *sleep, uint64_t now_ns) {
    (void)now_ns;
    tm_pairing_insert(&tm_heap_of(store)->root, sleep);
}

static void tm_heap_remove(struct tm_store *store, struct sy_sleep *sleep) {
    tm_pairing_remove(&tm_heap_of(store)->root, sleep);
}

static uint64_t tm_heap_earliest(const struct tm_store *store) {
    const struct tm_heap *heap = (const struct tm_heap *)(const void *)store;
    return heap->root ? heap->root->deadline_ns : TM_NEVER;
}

static size_t tm_heap_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    struct tm_heap *heap = tm_heap_of(store);
    size_t n = 0;
    while (n < max && heap->root && heap->root->deadline_ns <= now_ns) {
        out[n++] = tm_pairing_take_root(&heap->root);
    }
    return n;
}

const struct tm_ops tm_heap_ops = {
    .name = "tm_heap",
    .summary = "pairing heap",
    .source = "Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, Algorithmica 1986",
    .progress = "insert O(1), the others O(log n) amortised; a single call may meld all n",
    .cost = "insert: a link; remove: a link for each child; a due one: log n links, each of cold lines if n is large",
    .caveat = "the first sleep taken after n were started holds the timers' lock for n links",
    .create = tm_heap_create,
    .destroy = tm_heap_destroy,
    .insert = tm_heap_insert,
    .remove = tm_heap_remove,
    .earliest = tm_heap_earliest,
    .take_due = tm_heap_take_due,
};
