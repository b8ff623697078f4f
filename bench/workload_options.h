/* The command line of `workload`. */
#ifndef STEALYARD_BENCH_WORKLOAD_OPTIONS_H
#define STEALYARD_BENCH_WORKLOAD_OPTIONS_H

#include "bench/workload.h"

enum workload_request { WORKLOAD_RUN, WORKLOAD_LIST, WORKLOAD_LIST_JSON, WORKLOAD_HELP };

struct workload_options {
    enum workload_request request;
    const struct workload *workload;
    uint64_t budget_ms;
    uint64_t iterations;     /* exactly so many, without warm-up; 0: as the budget has it */
    struct sy_config config; /* workers filled in */
};

/* False, after one line on stderr, if something is wrong with the arguments. */
bool workload_parse(int argc, char **argv, struct workload_options *options);

void workload_print_help(void);

#endif
