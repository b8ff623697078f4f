/*
 * The table of pairs, and the instance that keeps its tables of operations until run time.
 *
 * A row's code is in combos_<queue>.c, which CMake makes from combos_row.c.in for each name in queues/gq_list.h: all in
 * one file would be compiled by one processor, and again whole whenever one queue changes.
 */
#include <string.h>

#include "executor/combos.h"
#include "executor/worker.h"
#include "queues/gq_list.h"

#define ROW_DECLARATION(name) extern const struct combo_row combo_row_##name;
GQ_LIST(ROW_DECLARATION)

#define ROW_ADDRESS(name) &combo_row_##name,
static const struct combo_row *const rows[] = {GQ_LIST(ROW_ADDRESS)};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* What dispatch costs: the same code over tables that are known only at run time. */
static void run_dynamic(struct worker *worker) {
    worker_loop(worker, worker->runtime->gq_ops, worker->runtime->dq_ops);
}

static void schedule_local_dynamic(struct worker *worker, struct sy_task *task) {
    schedule_local(worker, task, worker->runtime->gq_ops, worker->runtime->dq_ops);
}

static void schedule_global_dynamic(struct sy_runtime *runtime, struct sy_task *task) {
    schedule_global(runtime, task, runtime->gq_ops);
}

static struct sy_task *take_any_dynamic(struct sy_runtime *runtime, struct worker *worker) {
    return take_any(runtime, worker, runtime->gq_ops, runtime->dq_ops);
}

static const struct combo combo_dynamic = {
    NULL, run_dynamic, schedule_local_dynamic, schedule_global_dynamic, take_any_dynamic,
};

const struct gq_ops *part_global_queue_at(unsigned index) {
    return index < ROWS ? rows[index]->queue : NULL;
}

static const struct combo *find_in_row(const struct combo_row *row, const struct dq_ops *local_deque) {
    for (size_t i = 0; i < row->count; i++) {
        if (strcmp(row->pairs[i].local_deque->name, local_deque->name) == 0) {
            return &row->pairs[i];
        }
    }
    return NULL;
}

const struct combo *combo_find(const struct gq_ops *global_queue, const struct dq_ops *local_deque, bool dynamic) {
    for (size_t i = 0; i < ROWS && !dynamic; i++) {
        if (rows[i]->queue == global_queue) {
            return find_in_row(rows[i], local_deque);
        }
    }
    return dynamic ? &combo_dynamic : NULL;
}
