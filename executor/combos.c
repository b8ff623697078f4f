/* One named instance of the worker for each pair of global queue and deque, the dynamic instance, and the name tables. */
#include <stdio.h>
#include <string.h>

#include "executor/parts.h"
#include "executor/worker.h"
#include "queues/dq_list.h"
#include "queues/gq_list.h"

/* A profile names the pair: run_gq_mutex_dq_chase_lev and its like are functions of their own. */
#define COMBO(gq_name, dq_name)                                                                                        \
    static void run_##gq_name##_##dq_name(struct worker *worker) {                                                     \
        worker_loop(worker, &gq_name##_ops, &dq_name##_ops);                                                           \
    }                                                                                                                  \
    static void schedule_local_##gq_name##_##dq_name(struct worker *worker, struct sy_task *task) {                    \
        schedule_local(worker, task, &gq_name##_ops, &dq_name##_ops);                                                  \
    }                                                                                                                  \
    static void schedule_global_##gq_name##_##dq_name(struct sy_runtime *runtime, struct sy_task *task) {              \
        schedule_global(runtime, task, &gq_name##_ops);                                                                \
    }                                                                                                                  \
    static struct sy_task *take_any_##gq_name##_##dq_name(struct sy_runtime *runtime, struct worker *worker) {         \
        return take_any(runtime, worker, &gq_name##_ops, &dq_name##_ops);                                              \
    }

/* The product of the two lists. */
#define COMBO_ROW(gq_name) DQ_LIST(COMBO, gq_name, )
GQ_LIST(COMBO_ROW)

#define COMBO_ENTRY(gq_name, dq_name)                                                                                  \
    {                                                                                                                  \
        #gq_name "/" #dq_name, #gq_name, #dq_name, run_##gq_name##_##dq_name, schedule_local_##gq_name##_##dq_name,    \
            schedule_global_##gq_name##_##dq_name, take_any_##gq_name##_##dq_name},
#define COMBO_ENTRY_ROW(gq_name) DQ_LIST(COMBO_ENTRY, gq_name, )
static const struct combo combos[] = {GQ_LIST(COMBO_ENTRY_ROW)};

/* The same code over tables that are known only at run time: what dispatch costs. */
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
    "dynamic", NULL, NULL, run_dynamic, schedule_local_dynamic, schedule_global_dynamic, take_any_dynamic,
};

#define GQ_ENTRY(name) &name##_ops,
#define DQ_ENTRY(name) &name##_ops,
static const struct gq_ops *const global_queues[] = {GQ_LIST(GQ_ENTRY)};
static const struct dq_ops *const local_deques[] = {DQ_LIST(DQ_ENTRY)};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct gq_ops *part_global_queue(const char *name) {
    for (size_t i = 0; i < COUNT(global_queues); i++) {
        if (strcmp(global_queues[i]->name, name) == 0) {
            return global_queues[i];
        }
    }
    return NULL;
}

const struct dq_ops *part_local_deque(const char *name) {
    for (size_t i = 0; i < COUNT(local_deques); i++) {
        if (strcmp(local_deques[i]->name, name) == 0) {
            return local_deques[i];
        }
    }
    return NULL;
}

const struct combo *combo_find(const char *global_queue, const char *local_deque, bool dynamic) {
    for (size_t i = 0; i < COUNT(combos); i++) {
        if (strcmp(combos[i].global_queue, global_queue) == 0 && strcmp(combos[i].local_deque, local_deque) == 0) {
            return dynamic ? &combo_dynamic : &combos[i];
        }
    }
    return NULL;
}

static bool global_queue_at(unsigned index, struct sy_part *part) {
    if (index >= COUNT(global_queues)) {
        return false;
    }
    const struct gq_ops *ops = global_queues[index];
    *part = (struct sy_part){ops->name,     ops->summary,     ops->source, ops->order,
                             ops->progress, ops->reclamation, ops->bounded};
    return true;
}

static bool local_deque_at(unsigned index, struct sy_part *part) {
    if (index >= COUNT(local_deques)) {
        return false;
    }
    const struct dq_ops *ops = local_deques[index];
    const char *order = ops->order == DQ_LIFO ? "LIFO, stolen FIFO" : "FIFO";
    *part = (struct sy_part){ops->name,     ops->summary,     ops->source, order,
                             ops->progress, ops->reclamation, ops->bounded};
    return true;
}

static bool reactor_at(unsigned index, struct sy_part *part) {
    if (index >= rx_count) {
        return false;
    }
    const struct rx_ops *ops = rx_all[index];
    *part = (struct sy_part){ops->name,
                             ops->summary,
                             ops->source,
                             ops->completion ? "completion" : "readiness",
                             ops->stealable ? "stealable: any idle worker waits" : "not stealable",
                             "",
                             false};
    return true;
}

bool sy_part_at(enum sy_part_kind kind, unsigned index, struct sy_part *part) {
    switch (kind) {
    case SY_GLOBAL_QUEUE:
        return global_queue_at(index, part);
    case SY_LOCAL_DEQUE:
        return local_deque_at(index, part);
    case SY_REACTOR:
        return reactor_at(index, part);
    }
    return false;
}

void part_names(enum sy_part_kind kind, char *out, size_t size) {
    struct sy_part part;
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; sy_part_at(kind, i, &part) && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", part.name);
        used += n > 0 ? (size_t)n : 0;
    }
}
