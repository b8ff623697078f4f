/*
 * plain_heap: a binary heap in an array that is large enough from the start, as those of libevent are and those of many
 * loops: what the runtime's stores of deadlines are held against where they stand alone. It is no store of the runtime,
 * for its memory is a limit, or has to grow while a sleep is started.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/micro_list.h"
#include "bench/micro_timers.h"
#include "executor/tm_list.h"

enum { ENTRIES_MOST = 1000000 };

struct entry {
    uint64_t deadline_ns; /* again here: whoever compares need not look into the sleep */
    struct sy_sleep *sleep;
};

struct plain_heap {
    size_t n;
    struct entry entries[ENTRIES_MOST];
};

static struct plain_heap *plain_heap_of(struct tm_store *store) {
    return (struct plain_heap *)(void *)store;
}

static int plain_heap_create(struct tm_store **out) {
    struct plain_heap *heap = malloc(sizeof *heap); /* touched as far as it is used */
    *out = (struct tm_store *)(void *)heap;
    if (!heap) {
        return -ENOMEM;
    }
    heap->n = 0;
    return 0;
}

static void plain_heap_destroy(struct tm_store *store) {
    free(store);
}

static void put_at(struct plain_heap *heap, size_t at, struct entry entry) {
    heap->entries[at] = entry;
    entry.sleep->place = (uint32_t)at;
}

/* The entry belongs at `at` or above. */
static void sift_up(struct plain_heap *heap, size_t at, struct entry entry) {
    while (at > 0 && entry.deadline_ns < heap->entries[(at - 1) / 2].deadline_ns) {
        put_at(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put_at(heap, at, entry);
}

/* Fills the hole at `at` from below and puts the entry there. */
static void sift_down(struct plain_heap *heap, size_t at, struct entry entry) {
    for (size_t child = 2 * at + 1; child < heap->n; child = 2 * at + 1) {
        child += child + 1 < heap->n && heap->entries[child + 1].deadline_ns < heap->entries[child].deadline_ns;
        if (entry.deadline_ns <= heap->entries[child].deadline_ns) {
            break;
        }
        put_at(heap, at, heap->entries[child]);
        at = child;
    }
    put_at(heap, at, entry);
}

static void plain_heap_insert(struct tm_store *store, struct sy_sleep *sleep, uint64_t now_ns) {
    struct plain_heap *heap = plain_heap_of(store);
    (void)now_ns;
    sift_up(heap, heap->n++, (struct entry){sleep->deadline_ns, sleep});
}

static void plain_heap_remove(struct tm_store *store, struct sy_sleep *sleep) {
    struct plain_heap *heap = plain_heap_of(store);
    size_t at = sleep->place;
    struct entry last = heap->entries[--heap->n];
    if (at == heap->n) {
        return;
    }
    if (at > 0 && last.deadline_ns < heap->entries[(at - 1) / 2].deadline_ns) {
        sift_up(heap, at, last);
    } else {
        sift_down(heap, at, last);
    }
}

static uint64_t plain_heap_earliest(const struct tm_store *store) {
    const struct plain_heap *heap = (const struct plain_heap *)(const void *)store;
    return heap->n ? heap->entries[0].deadline_ns : TM_NEVER;
}

static size_t plain_heap_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    struct plain_heap *heap = plain_heap_of(store);
    size_t n = 0;
    while (n < max && heap->n > 0 && heap->entries[0].deadline_ns <= now_ns) {
        out[n] = heap->entries[0].sleep;
        plain_heap_remove(store, out[n++]);
    }
    return n;
}

static const struct tm_ops plain_heap_ops = {
    .name = "plain_heap",
    .create = plain_heap_create,
    .destroy = plain_heap_destroy,
    .insert = plain_heap_insert,
    .remove = plain_heap_remove,
    .earliest = plain_heap_earliest,
    .take_due = plain_heap_take_due,
};

void micro_timers_plain_add(void) {
    micro_timers_add_store(&plain_heap_ops);
}
