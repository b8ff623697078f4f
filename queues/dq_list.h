/*
 * The work-stealing deques there are. To add one: write dq_<name>.h, include it here and add it to DQ_LIST; every
 * suite, benchmark and combination goes over this list.
 */
#ifndef STEALYARD_QUEUES_DQ_LIST_H
#define STEALYARD_QUEUES_DQ_LIST_H

#include "queues/dq_chase_lev.h"
#include "queues/dq_mutex.h"

/* Further arguments, each with its comma, stand before the name: DQ_LIST(PAIR, gq_mutex, ) → PAIR(gq_mutex, dq_…) … */
#define DQ_LIST(DQ, ...) DQ(__VA_ARGS__ dq_chase_lev) DQ(__VA_ARGS__ dq_mutex)

#endif
