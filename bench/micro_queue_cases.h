/* The kinds of runs of a global queue, for the table of cases. */
#ifndef STEALYARD_BENCH_MICRO_QUEUE_CASES_H
#define STEALYARD_BENCH_MICRO_QUEUE_CASES_H

#include "bench/micro_driver.h"

typedef void micro_queue_run(const struct micro_case *one, const struct micro_extent *extent,
                             struct micro_result *result);

micro_queue_run micro_queue_transfer; /* producers to consumers */
micro_queue_run micro_queue_latency;  /* the same, by a schedule */
micro_queue_run micro_queue_mixture;  /* threads that do both */
micro_queue_run micro_queue_burst;    /* one thread: so many in, so many out */
micro_queue_run micro_queue_batches;  /* one thread: a batch in, the same out */
micro_queue_run micro_queue_empty;    /* one thread: polls of an empty queue */

#endif
