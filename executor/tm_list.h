/*
 * The stores of deadlines: one line each. TM(stem): executor/<stem>.c defines `const struct tm_ops <stem>_ops`. The
 * unit test, the benchmarks and `./stealyard list` go over this list.
 */
#ifndef STEALYARD_EXECUTOR_TM_LIST_H
#define STEALYARD_EXECUTOR_TM_LIST_H

#include "executor/tm.h"

#define TM_LIST(TM)                                                                                                    \
    TM(tm_wheel)                                                                                                       \
    TM(tm_heap)

#define TM_DECLARE(stem) extern const struct tm_ops stem##_ops;
TM_LIST(TM_DECLARE)
#undef TM_DECLARE

#endif
