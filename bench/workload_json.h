/* The lists and results of `workload`: text and JSON. */
#ifndef STEALYARD_BENCH_WORKLOAD_JSON_H
#define STEALYARD_BENCH_WORKLOAD_JSON_H

#include "bench/workload_measure.h"
#include "bench/workload_options.h"

void workload_print_list(void);
void workload_print_list_json(void);

/* `check`: what was verified, or what was found wrong. */
void workload_print_result(const struct workload_options *options, const struct workload_run *run,
                           const struct workload_measured *measured, bool checked, const char *check);

#endif
