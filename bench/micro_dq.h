/* A deque's run, between its loops (micro_dq.c) and its cases (micro_dq_cases.c). */
#ifndef STEALYARD_BENCH_MICRO_DQ_H
#define STEALYARD_BENCH_MICRO_DQ_H

#include "bench/micro_item.h"
#include "queues/dq.h"
#include "queues/reclaim.h"

struct micro_deque {
    const struct micro_parameters *parameters;
    struct reclaim *reclaim;
    struct dq **deques;      /* by thread; the owner's is the first */
    struct micro_pool *pool; /* the owner's */
};

typedef void micro_deque_body(void *deque, struct micro_thread *self);

/* The loops of one implementation. */
struct micro_deque_bodies {
    const struct dq_ops *ops;
    micro_deque_body *owner, *growth, *empty_pop, *empty_steal; /* one round */
    micro_deque_body *thieves;                                  /* until the team stops */
};

/* Adds the cases of an implementation; `bodies` stays. */
void micro_deque_add(const struct micro_deque_bodies *bodies);

#endif
