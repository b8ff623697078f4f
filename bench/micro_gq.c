/* The micro-benchmarks of the lists' global queues. */
#include "bench/micro_list.h"
#include "bench/micro_queue.h"
#include "queues/gq_list.h"

#define GQ_STAMP(name) MICRO_QUEUE_STAMP(name, false)
GQ_LIST(GQ_STAMP)

void micro_gq_add(void) {
#define GQ_ADD(name) micro_queue_add(&name##_bodies);
    GQ_LIST(GQ_ADD)
#undef GQ_ADD
}
