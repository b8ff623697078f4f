/* A list of items by their links, oldest first. For whoever holds it exclusively, by a lock or by being alone. */
#ifndef STEALYARD_QUEUES_NODE_LIST_H
#define STEALYARD_QUEUES_NODE_LIST_H

#include "queues/node.h"

struct node_list {
    struct sy_node *head; /* the oldest */
    struct sy_node *tail; /* valid if head */
};

/* Links `n` items, at least one, into a chain whose last link is NULL. */
SY_INLINE void node_chain(struct sy_node *const *items, size_t n) {
    for (size_t i = 0; i + 1 < n; i++) {
        sy_node_link(items[i], items[i + 1]);
    }
    sy_node_link(items[n - 1], NULL);
}

/* Appends a chain; returns whether the list was empty. */
SY_INLINE bool node_list_append(struct node_list *list, struct sy_node *first, struct sy_node *last) {
    bool was_empty = !list->head;
    if (was_empty) {
        list->head = first;
    } else {
        sy_node_link(list->tail, first);
    }
    list->tail = last;
    return was_empty;
}

/* Takes up to `max` of the oldest; returns how many. */
SY_INLINE size_t node_list_take(struct node_list *list, struct sy_node **items, size_t max) {
    size_t n = 0;
    struct sy_node *node = list->head;
    while (node && n < max) {
        items[n++] = node;
        node = sy_node_next(node);
    }
    list->head = node;
    return n;
}

#endif
