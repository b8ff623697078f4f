/* The items that the micro-benchmarks move, and the check that each came out exactly once. */
#ifndef STEALYARD_BENCH_MICRO_ITEM_H
#define STEALYARD_BENCH_MICRO_ITEM_H

#include "queues/node.h"

/* A run's items are fresh, so their number is also the memory that a run walks over: 32 bytes each. */
#define MICRO_ITEMS 65536

struct micro_item {
    struct sy_node node; /* first, so node == item */
    uint32_t producer;
    uint32_t sequence; /* of that producer's */
    uint32_t taken;    /* how often it came out; written by whoever took it */
    uint32_t spare[3];
};

SY_INLINE struct micro_item *micro_item_of(struct sy_node *node) {
    return (struct micro_item *)node;
}

/* The one set of items; each of `producers` gets an equal share of them in a row. */
struct micro_item *micro_items(unsigned producers);

/* NULL, or what is wrong. */
const char *micro_items_check(void);

#endif
