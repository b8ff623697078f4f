/*
 * The global queues there are. To add one: write gq_<name>.h, include it here and add it to GQ_LIST; every suite,
 * benchmark and combination goes over this list.
 */
#ifndef STEALYARD_QUEUES_GQ_LIST_H
#define STEALYARD_QUEUES_GQ_LIST_H

#include "queues/gq_array_asym.h"
#include "queues/gq_ck_fifo.h"
#include "queues/gq_ck_ring.h"
#include "queues/gq_faa_array.h"
#include "queues/gq_injector.h"
#include "queues/gq_lprq.h"
#include "queues/gq_ms.h"
#include "queues/gq_mutex.h"
#include "queues/gq_scq.h"
#include "queues/gq_sharded.h"
#include "queues/gq_urcu_lf.h"
#include "queues/gq_vyukov.h"
#include "queues/gq_wfcq.h"

#define GQ_LIST(GQ)                                                                                                    \
    GQ(gq_mutex)                                                                                                       \
    GQ(gq_sharded)                                                                                                     \
    GQ(gq_wfcq)                                                                                                        \
    GQ(gq_vyukov)                                                                                                      \
    GQ(gq_ms)                                                                                                          \
    GQ(gq_urcu_lf)                                                                                                     \
    GQ(gq_ck_fifo)                                                                                                     \
    GQ(gq_ck_ring)                                                                                                     \
    GQ(gq_injector)                                                                                                    \
    GQ(gq_faa_array)                                                                                                   \
    GQ(gq_lprq)                                                                                                        \
    GQ(gq_scq)                                                                                                         \
    GQ(gq_array_asym)

#endif
