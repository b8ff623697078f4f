/* The flags that are this program's own, or that it wants to see before Google Benchmark does. */
#ifndef STEALYARD_BENCH_MICRO_OPTIONS_H
#define STEALYARD_BENCH_MICRO_OPTIONS_H

#include "bench/micro_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

enum micro_list { MICRO_LIST_NOTHING, MICRO_LIST_NAMES, MICRO_LIST_JSON };

struct micro_options {
    struct micro_extent extent;
    const char *filter;
    enum micro_list list;
    bool json_file; /* --benchmark_out in JSON */
};

/* Takes them out of argv; ends the program on a bad one, or after --help. */
void micro_options_take(struct micro_options *options, int *argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
