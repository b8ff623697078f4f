/* What the two suites of deques share: the list as a table, and items that tell when they come out wrong. */
#ifndef STEALYARD_STRESS_DQ_ITEMS_H
#define STEALYARD_STRESS_DQ_ITEMS_H

#include "queues/dq_list.h"
#include "stress/check.h"

#define OPS_OF(name) &name##_ops,
static const struct dq_ops *const implementations[] = {DQ_LIST(OPS_OF)};
#define IMPLEMENTATIONS (sizeof implementations / sizeof *implementations)

struct item {
    struct sy_node node; /* first, so a node is its item */
    uint64_t payload;    /* plain: only the hand-over makes it visible */
    unsigned taken;      /* plain: whoever has the item has it alone */
};

static inline struct dq *create(const struct dq_ops *ops, size_t capacity, struct reclaim *reclaim) {
    struct dq_config config = {.capacity = capacity, .reclaim = reclaim};
    struct dq *deque = NULL;
    CHECK_EQ(ops->create(&deque, &config), 0);
    CHECK(deque != NULL);
    return deque;
}

static inline struct reclaim *create_reclaim(void) {
    struct reclaim *reclaim = NULL;
    CHECK_EQ(reclaim_create(&reclaim), 0);
    return reclaim;
}

static inline struct item *create_items(size_t n) {
    struct item *items = calloc(n, sizeof *items);
    CHECK(items != NULL);
    return items;
}

/* Pushes an item whose contents are its index; false: the deque is full. */
static inline bool push_item(const struct dq_ops *ops, struct dq *deque, struct item *items, size_t index) {
    items[index].payload = ~(uint64_t)index;
    sy_node_link(&items[index].node, &items[index].node); /* as some earlier queue may have left it */
    enum dq_status status = ops->push(deque, &items[index].node);
    CHECK(status == DQ_OK || status == DQ_FULL);
    return status == DQ_OK;
}

static inline size_t take_item(struct item *items, struct sy_node *node) {
    struct item *item = (struct item *)(void *)node;
    size_t index = (size_t)(item - items);
    CHECK_EQ(item->payload, ~(uint64_t)index);
    CHECK_EQ(++item->taken, 1);
    return index;
}

static inline void check_all_taken(const struct item *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(items[i].taken, 1);
    }
}

static inline const char *variant_name(size_t variant) {
    return implementations[variant]->name;
}

#endif
