/*
 * The array of a deque that grows: slots that thieves may still read when a larger array has taken its place, so it is
 * reclaimed by reclaim.h. Who writes what in which order is the deque's business: the numbers are those of its file.
 */
#ifndef STEALYARD_QUEUES_DQ_ARRAY_H
#define STEALYARD_QUEUES_DQ_ARRAY_H

#include "queues/reclaim.h"

#include <stdlib.h>

struct dq_array {
    struct reclaim_head retired; /* once it has been replaced */
    int64_t capacity;            /* a power of two */
    struct aptr slots[];         /* struct sy_node *; item i is in slot i mod capacity */
};

SY_INLINE struct aptr *dq_array_slot(struct dq_array *array, int64_t index) {
    return &array->slots[index & (array->capacity - 1)];
}

/*
 * NULL: no memory. Empty slots are written too, relaxed, made visible by whoever publishes the array: a thief that is
 * late may read one before its swap fails.
 */
static inline struct dq_array *dq_array_create(int64_t capacity) {
    struct dq_array *array =
        (struct dq_array *)malloc(sizeof(struct dq_array) + (size_t)capacity * sizeof(struct aptr));
    if (!array) {
        return NULL;
    }
    array->capacity = capacity;
    for (int64_t i = 0; i < capacity; i++) {
        aptr_store_relaxed(&array->slots[i], NULL); /* [G0] of dq_chase_lev.h, [G1] of dq_split_asym.h */
    }
    return array;
}

static inline void dq_array_free(struct reclaim_head *retired) {
    free(retired); /* the head is the array's first field */
}

#endif
