/* The cases for a person or for a program. */
#ifndef STEALYARD_BENCH_MICRO_PRINT_H
#define STEALYARD_BENCH_MICRO_PRINT_H

#include "bench/micro_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One name a line, or a JSON array of objects. */
void micro_print_cases(const struct micro_case *const *cases, size_t n, bool json);

#ifdef __cplusplus
}
#endif

#endif
