/* The stamped pairs as combos.c has them: one row for each global queue, in a translation unit of its own. */
#ifndef STEALYARD_EXECUTOR_COMBOS_H
#define STEALYARD_EXECUTOR_COMBOS_H

#include "executor/parts.h"

struct combo_row {
    const struct gq_ops *queue;
    const struct combo *pairs; /* with each deque, in the order of dq_list.h */
    size_t count;
};

#endif
