/*
 * gq_mutex with a bound, for queues that are made to be faulty or full: its create and push. There is one queue at a
 * time, and racing pushers may go a little beyond the bound.
 */
#ifndef STEALYARD_STRESS_GQ_CAPPED_H
#define STEALYARD_STRESS_GQ_CAPPED_H

#include "queues/gq_mutex.h"

static size_t capped_capacity;

static inline int capped_create(struct gq **out, const struct gq_config *config) {
    capped_capacity = config->capacity;
    return gq_mutex_create(out, config);
}

static inline size_t capped_room(const struct gq *queue) {
    size_t length = gq_mutex_length(queue);
    return length < capped_capacity ? capped_capacity - length : 0;
}

static inline enum gq_status capped_push(struct gq *queue, struct sy_node *item) {
    return capped_room(queue) > 0 ? gq_mutex_push(queue, item) : GQ_FULL;
}

#endif
