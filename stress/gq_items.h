/* What the two suites of global queues share: the list as a table, and items that tell when they come out wrong. */
#ifndef STEALYARD_STRESS_GQ_ITEMS_H
#define STEALYARD_STRESS_GQ_ITEMS_H

#include "queues/gq_list.h"
#include "queues/reclaim.h"
#include "stress/check.h"

#define OPS_OF(name) &name##_ops,
static const struct gq_ops *const implementations[] = {GQ_LIST(OPS_OF)};
#define IMPLEMENTATIONS (sizeof implementations / sizeof *implementations)

struct item {
    struct sy_node node; /* first, so a node is its item */
    size_t producer, sequence;
    uint64_t payload; /* plain: only the hand-over makes it visible */
    unsigned taken;   /* plain: whoever has the item has it alone */
};

/* Its node, with a link as some earlier queue may have left it. */
static inline struct sy_node *dirty(struct item *item) {
    sy_node_link(&item->node, &item->node);
    return &item->node;
}

static inline bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static inline struct gq *create(const struct gq_ops *ops, size_t capacity, unsigned workers) {
    struct gq_config config = {.capacity = capacity, .workers = workers};
    struct gq *queue = NULL;
    CHECK_EQ(ops->create(&queue, &config), 0);
    CHECK(queue != NULL);
    return queue;
}

static inline void attach(const struct gq_ops *ops, struct gq *queue) {
    if (ops->attach) {
        CHECK_EQ(ops->attach(queue), 0);
    }
}

static inline void detach(const struct gq_ops *ops, struct gq *queue) {
    if (ops->detach) {
        ops->detach(queue);
    }
}

/* Between two operations: no reference is held. */
static inline void rest(const struct gq_ops *ops) {
    if (ops->reclaims) {
        reclaim_quiescent();
    }
}

static inline const char *variant_name(size_t variant) {
    return implementations[variant]->name;
}

#endif
