/*
 * A pairing heap of sleeps, by deadline, for the stores to build on: Fredman, Sedgewick, Sleator, Tarjan, "The pairing
 * heap: a new form of self-adjusting heap", Algorithmica 1986; in two passes. Links are in the sleeps: `child` is the
 * first child, `sibling` the next, `previous` the sibling before or the parent. The root has neither.
 */
#ifndef STEALYARD_EXECUTOR_TM_PAIRING_H
#define STEALYARD_EXECUTOR_TM_PAIRING_H

#include <stddef.h>

#include "executor/timer.h"

/* Two roots, neither of them NULL. */
SY_INLINE struct sy_sleep *tm_pairing_link(struct sy_sleep *a, struct sy_sleep *b) {
    if (b->deadline_ns < a->deadline_ns) {
        struct sy_sleep *later = a;
        a = b;
        b = later;
    }
    b->sibling = a->child;
    if (b->sibling) {
        b->sibling->previous = b;
    }
    b->previous = a;
    a->child = b;
    return a;
}

/* Melds the siblings that start at `first`: in pairs from the left, then the pairs from the right. */
static inline struct sy_sleep *tm_pairing_meld_siblings(struct sy_sleep *first) {
    struct sy_sleep *pairs = NULL;
    while (first) {
        struct sy_sleep *pair = first;
        struct sy_sleep *other = first->sibling;
        first = NULL;
        if (other) {
            first = other->sibling;
            pair = tm_pairing_link(pair, other);
        }
        pair->sibling = pairs;
        pairs = pair;
    }
    struct sy_sleep *root = pairs;
    pairs = root ? root->sibling : NULL;
    while (pairs) {
        struct sy_sleep *next = pairs->sibling;
        root = tm_pairing_link(root, pairs);
        pairs = next;
    }
    if (root) {
        root->sibling = root->previous = NULL;
    }
    return root;
}

SY_INLINE void tm_pairing_insert(struct sy_sleep **root, struct sy_sleep *sleep) {
    sleep->child = sleep->sibling = sleep->previous = NULL;
    *root = *root ? tm_pairing_link(*root, sleep) : sleep;
}

static inline struct sy_sleep *tm_pairing_take_root(struct sy_sleep **root) {
    struct sy_sleep *taken = *root;
    *root = tm_pairing_meld_siblings(taken->child);
    return taken;
}

static inline void tm_pairing_remove(struct sy_sleep **root, struct sy_sleep *sleep) {
    if (sleep == *root) {
        tm_pairing_take_root(root);
        return;
    }
    if (sleep->previous->child == sleep) {
        sleep->previous->child = sleep->sibling;
    } else {
        sleep->previous->sibling = sleep->sibling;
    }
    if (sleep->sibling) {
        sleep->sibling->previous = sleep->previous;
    }
    struct sy_sleep *children = tm_pairing_meld_siblings(sleep->child);
    if (children) {
        *root = tm_pairing_link(*root, children);
    }
}

#endif
