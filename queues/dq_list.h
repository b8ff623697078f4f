/*
 * The work-stealing deques there are. To add one: write dq_<name>.h, include it here and add it to DQ_LIST; every
 * suite, benchmark and combination goes over this list.
 */
#ifndef STEALYARD_QUEUES_DQ_LIST_H
#define STEALYARD_QUEUES_DQ_LIST_H

#include "queues/dq_bwos.h"
#include "queues/dq_bwos_fifo.h"
#include "queues/dq_chase_lev.h"
#include "queues/dq_chase_lev_asym.h"
#include "queues/dq_chase_lev_fixed.h"
#include "queues/dq_go_ring.h"
#include "queues/dq_mutex.h"
#include "queues/dq_split.h"
#include "queues/dq_split_asym.h"
#include "queues/dq_st3.h"
#include "queues/dq_tokio_ring.h"

#define DQ_LIST(DQ)                                                                                                    \
    DQ(dq_chase_lev)                                                                                                   \
    DQ(dq_mutex)                                                                                                       \
    DQ(dq_chase_lev_fixed)                                                                                             \
    DQ(dq_chase_lev_asym)                                                                                              \
    DQ(dq_tokio_ring)                                                                                                  \
    DQ(dq_go_ring)                                                                                                     \
    DQ(dq_st3)                                                                                                         \
    DQ(dq_bwos)                                                                                                        \
    DQ(dq_bwos_fifo)                                                                                                   \
    DQ(dq_split)                                                                                                       \
    DQ(dq_split_asym)

#endif
