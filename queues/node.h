/* The link that an item carries, so that list queues allocate nothing. An item is in at most one queue at a time. */
#ifndef STEALYARD_QUEUES_NODE_H
#define STEALYARD_QUEUES_NODE_H

#include "queues/atomics.h"

struct sy_node {
    struct aptr next; /* struct sy_node *; belongs to whatever holds the item */
};

/* For owners that hold the item exclusively: no order is needed, the hand-over orders. */
SY_INLINE struct sy_node *sy_node_next(const struct sy_node *node) {
    return (struct sy_node *)aptr_load_relaxed(&node->next);
}

SY_INLINE void sy_node_link(struct sy_node *node, struct sy_node *next) {
    aptr_store_relaxed(&node->next, next);
}

#endif
