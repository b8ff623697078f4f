/* What the two unit tests of dq_chase_lev_asym share: one deque, and its operations with what they must give. */
#ifndef STEALYARD_STRESS_DQ_CHASE_LEV_ASYM_HAND_H
#define STEALYARD_STRESS_DQ_CHASE_LEV_ASYM_HAND_H

#include "queues/dq_chase_lev_asym.h"
#include "stress/check.h"

enum { ITEMS = 64 };

static struct reclaim *reclaim;
static struct dq *deque;
static struct dq_chase_lev_half *ends;
static struct sy_node items[ITEMS];

static inline struct dq *make(void) {
    struct dq_config config = {.capacity = ITEMS, .reclaim = reclaim};
    struct dq *made = NULL;
    CHECK_EQ(dq_chase_lev_asym_create(&made, &config), 0);
    return made;
}

static inline void begin(void) {
    CHECK_EQ(reclaim_create(&reclaim), 0);
    reclaim_register_thread();
    deque = make();
    ends = &dq_chase_lev_asym_of(deque)->ends;
}

static inline void end(void) {
    dq_chase_lev_asym_destroy(deque);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static inline bool light(void) {
    return au32_load_relaxed(&dq_chase_lev_asym_of(deque)->fences) == DQ_CHASE_LEV_ASYM_LIGHT;
}

static inline void push(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        CHECK_EQ(dq_chase_lev_asym_push(deque, &items[i]), DQ_OK);
    }
}

static inline void expect_popped(size_t item) {
    struct sy_node *node;
    CHECK_EQ(dq_chase_lev_asym_pop(deque, &node), DQ_OK);
    CHECK_EQ(node - items, item);
}

static inline void expect_stolen(size_t item) {
    struct sy_node *node;
    size_t moved;
    CHECK_EQ(dq_chase_lev_asym_steal(deque, NULL, 1, &node, &moved), DQ_OK);
    CHECK_EQ(node - items, item);
}

static inline enum dq_status steal_status(void) {
    struct sy_node *node;
    size_t moved;
    return dq_chase_lev_asym_steal(deque, NULL, 1, &node, &moved);
}

#endif
