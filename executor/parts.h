/* The parts by name: the tables of the implementations and the stamped pairs. */
#ifndef STEALYARD_EXECUTOR_PARTS_H
#define STEALYARD_EXECUTOR_PARTS_H

#include "executor/executor.h"
#include "executor/tm.h"
#include "queues/dq.h"
#include "queues/gq.h"
#include "reactor/reactor.h"

struct worker;
struct sy_runtime;
struct sy_task;

/*
 * One instance of the worker for a pair of global queue and deque. The choice is made once, when a runtime starts; what
 * is called through this table is out of line, and everything below it is direct calls, inlined.
 */
struct combo {
    const struct dq_ops *local_deque;                                               /* NULL: known at run time only */
    void (*run)(struct worker *worker);                                             /* the loop, until shutdown */
    void (*schedule_local)(struct worker *worker, struct sy_task *task);            /* by that worker */
    void (*schedule_global)(struct sy_runtime *runtime, struct sy_task *task);      /* by anyone; notifies */
    struct sy_task *(*take_any)(struct sy_runtime *runtime, struct worker *worker); /* at the end: NULL when drained */
};

/* By number, from 0, and by name; NULL: there is none. */
const struct gq_ops *part_global_queue_at(unsigned index);
const struct gq_ops *part_global_queue(const char *name);
const struct dq_ops *part_local_deque(const char *name);
const struct tm_ops *part_timers(const char *name);

const struct combo *combo_find(const struct gq_ops *global_queue, const struct dq_ops *local_deque, bool dynamic);

/* "reactor" and the like, for messages. */
const char *part_word(enum sy_part_kind kind);

/* The names of a kind, separated by ", ", for messages; cut to `size` bytes. */
void part_names(enum sy_part_kind kind, char *out, size_t size);

/* The same of those that work on this machine. */
void part_names_here(enum sy_part_kind kind, char *out, size_t size);

#endif
