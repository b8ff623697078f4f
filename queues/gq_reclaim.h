/* Attach and detach of the global queues that reclaim (gq.h) and keep nothing for a thread beside. */
#ifndef STEALYARD_QUEUES_GQ_RECLAIM_H
#define STEALYARD_QUEUES_GQ_RECLAIM_H

#include "queues/gq.h"
#include "queues/reclaim.h"

static inline int gq_reclaim_attach(struct gq *queue) {
    (void)queue;
    reclaim_attach();
    return 0;
}

static inline void gq_reclaim_detach(struct gq *queue) {
    (void)queue;
    reclaim_detach();
}

#endif
