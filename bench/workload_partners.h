/* Two tasks that send each other a message, there and back, over two channels of capacity 1. Each adds 1 to it. */
#ifndef STEALYARD_BENCH_WORKLOAD_PARTNERS_H
#define STEALYARD_BENCH_WORKLOAD_PARTNERS_H

#include "bench/workload.h"

/* What the two do. */
struct workload_partners {
    unsigned rounds;              /* messages that each sends, and receives */
    void (*before_send)(void);    /* NULL: nothing */
    void (*before_receive)(void); /* the same */
};

/* Runs two of them. True if the message was 2 × rounds at both when they ended; otherwise that is noted. */
bool workload_partners_run(struct workload_run *run, const struct workload_partners *what);

#endif
