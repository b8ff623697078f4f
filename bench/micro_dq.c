/* The micro-benchmarks of the lists' deques. */
#include "bench/micro_deque.h"
#include "bench/micro_list.h"
#include "queues/dq_list.h"

DQ_LIST(MICRO_DEQUE_STAMP)

void micro_dq_add(void) {
#define DQ_ADD(name) micro_deque_add(&name##_bodies);
    DQ_LIST(DQ_ADD)
#undef DQ_ADD
}
