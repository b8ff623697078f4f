/* Items for the suites of queues and deques: they tell when they come out wrong, or twice. */
#ifndef STEALYARD_STRESS_ITEMS_H
#define STEALYARD_STRESS_ITEMS_H

#include "queues/node.h"
#include "stress/check.h"

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

static inline struct item *create_items(size_t n) {
    struct item *items = calloc(n, sizeof *items);
    CHECK(items != NULL);
    return items;
}

static inline bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

#endif
