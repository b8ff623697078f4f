/*
 * A ledger of many small tasks, which are embedded in it: how often each ran and was dropped, and in what order.
 * It outlives the runtime.
 */
#ifndef STEALYARD_STRESS_SUPPORT_LEDGER_H
#define STEALYARD_STRESS_SUPPORT_LEDGER_H

#include "support_probe.h"

enum { ITEMS = 3000 };

struct ledger;

struct item {
    struct sy_task header;
    struct item_future {
        struct ledger *ledger;
        uint32_t id;
    } future;
};

struct ledger {
    struct item *items;
    struct au32 runs[ITEMS], drops[ITEMS];
    uint32_t order[ITEMS]; /* of the runs */
    struct au32 next;
    struct support_counter dropped;
};

static inline enum sy_poll item_poll(void *future, struct sy_context *cx) {
    (void)cx;
    struct item_future *item = future;
    struct ledger *ledger = item->ledger;
    au32_fetch_add_relaxed(&ledger->runs[item->id], 1);
    ledger->order[au32_fetch_add_relaxed(&ledger->next, 1)] = item->id;
    return SY_READY;
}

static inline void item_drop(void *future) {
    struct item_future *item = future;
    au32_fetch_add_relaxed(&item->ledger->drops[item->id], 1);
    support_counter_add(&item->ledger->dropped, 1);
}

static const struct sy_future_type item_type = {
    .name = "item", .size = sizeof(struct item_future), .poll = item_poll, .drop = item_drop};

static inline void item_release(struct sy_task *task) {
    (void)task; /* the ledger's */
}

static inline struct ledger *ledger_create(void) {
    struct ledger *ledger = calloc(1, sizeof *ledger);
    SUPPORT_REQUIRE(ledger);
    ledger->dropped = (struct support_counter)SUPPORT_COUNTER_INIT;
    ledger->items = aligned_alloc(64, (ITEMS * sizeof *ledger->items + 63) / 64 * 64);
    SUPPORT_REQUIRE(ledger->items);
    return ledger;
}

static inline void item_spawn(struct sy_runtime *runtime, struct ledger *ledger, uint32_t id) {
    struct item *item = &ledger->items[id];
    item->future = (struct item_future){.ledger = ledger, .id = id};
    CHECK_EQ(sy_spawn_embedded(runtime, &item_type, &item->header, item_release, NULL), 0);
}

/* After the end of the runtime: the first n were dropped exactly once, and run at most once, or exactly. */
static inline void ledger_finish(struct ledger *ledger, uint32_t n, bool all_ran) {
    for (uint32_t id = 0; id < n; id++) {
        uint32_t runs = au32_load_relaxed(&ledger->runs[id]);
        CHECK(runs == 1 || (runs == 0 && !all_ran));
        CHECK_EQ(au32_load_relaxed(&ledger->drops[id]), 1);
    }
    CHECK_EQ(support_counter_get(&ledger->dropped), n);
    free(ledger->items);
    free(ledger);
}

/* All of a ledger's, spawned by one poll. */
static inline void ledger_spawn_inside(void *ledger, struct sy_context *cx) {
    for (uint32_t id = 0; id < ITEMS; id++) {
        item_spawn(cx->runtime, (struct ledger *)ledger, id);
    }
}

#endif
