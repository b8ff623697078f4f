/*
 * What the tests of the array queue share that look at its stalled pushers: one small queue, its items, and a push in
 * two halves, between which others may come.
 */
#ifndef STEALYARD_STRESS_GQ_ARRAY_ASYM_HALVES_H
#define STEALYARD_STRESS_GQ_ARRAY_ASYM_HALVES_H

#define GQ_ARRAY_ASYM_BITS 12 /* 4,096 slots, so that there can be too few */

#include "queues/gq_array_asym.h"
#include "stress/check.h"

enum { ITEMS = 64 };

static struct gq *queue;
static struct gq_array_asym *array;
static struct sy_node items[ITEMS];

/* A push that has come to a stop between its two halves. */
struct half_push {
    uint64_t position;
    struct aptr *slot;
    struct sy_node *item;
};

static inline void make(size_t segment, uint64_t first) {
    struct gq_config config = {.capacity = 2, .segment = segment, .workers = 1, .first = first};
    CHECK_EQ(gq_array_asym_create(&queue, &config), 0);
    array = gq_array_asym_of(queue);
}

static inline void push(size_t item) {
    CHECK_EQ(gq_array_asym_push(queue, &items[item]), GQ_OK);
}

static inline void expect_item(size_t item) {
    struct sy_node *node;
    size_t got;
    CHECK_EQ(gq_array_asym_pop_batch(queue, &node, 1, &got), GQ_OK);
    CHECK_EQ((size_t)(node - items), item);
}

static inline void expect_empty(void) {
    struct sy_node *node;
    size_t got;
    CHECK_EQ(gq_array_asym_pop_batch(queue, &node, 1, &got), GQ_EMPTY);
    CHECK(gq_array_asym_is_empty(queue));
}

static inline struct half_push begin(size_t item) {
    struct half_push half = {.item = &items[item]};
    CHECK_EQ(gq_array_asym_claim(array, 1, &half.position, &half.slot), 1);
    return half;
}

/* Whether the item has to be pushed again. */
static inline bool end(const struct half_push *half) {
    return gq_array_asym_fill(array, half->position, half->slot, half->item);
}

static inline unsigned ids_taken(void) {
    unsigned n = 0;
    for (uint64_t w = 0; w < (gq_array_asym_ids(array) + 63) / 64; w++) {
        n += (unsigned)__builtin_popcountll(au64_load_relaxed(&array->taken[w]));
    }
    return n;
}

static inline unsigned state_of(const struct half_push *half) {
    return gq_array_asym_state(au64_load_relaxed(gq_array_asym_stall(array, half->slot)));
}

static inline void nothing_left(void) {
    expect_empty();
    CHECK_EQ(au64_load_relaxed(&array->stalled), 0);
}

static inline void done(void) {
    nothing_left();
    gq_array_asym_destroy(queue);
}

#endif
