/* The parts as they are shown to users: what each claims, and whether it works on this machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "executor/parts.h"
#include "executor/tm_list.h"
#include "queues/dq_list.h"
#include "queues/reclaim.h"

#define DQ_ENTRY(name) &name##_ops,
static const struct dq_ops *const local_deques[] = {DQ_LIST(DQ_ENTRY)};
enum { LOCAL_DEQUES = sizeof local_deques / sizeof local_deques[0] };

#define TM_ENTRY(name) &name##_ops,
static const struct tm_ops *const timers[] = {TM_LIST(TM_ENTRY)};
enum { TIMERS = sizeof timers / sizeof timers[0] };

const struct gq_ops *part_global_queue(const char *name) {
    const struct gq_ops *ops;
    for (unsigned i = 0; (ops = part_global_queue_at(i)); i++) {
        if (strcmp(ops->name, name) == 0) {
            return ops;
        }
    }
    return NULL;
}

const struct dq_ops *part_local_deque(const char *name) {
    for (size_t i = 0; i < LOCAL_DEQUES; i++) {
        if (strcmp(local_deques[i]->name, name) == 0) {
            return local_deques[i];
        }
    }
    return NULL;
}

const struct tm_ops *part_timers(const char *name) {
    for (size_t i = 0; i < TIMERS; i++) {
        if (strcmp(timers[i]->name, name) == 0) {
            return timers[i];
        }
    }
    return NULL;
}

/* ---- what each claims ---- */

static bool global_queue_at(unsigned index, struct sy_part *part) {
    const struct gq_ops *ops = part_global_queue_at(index);
    if (!ops) {
        return false;
    }
    *part = (struct sy_part){.name = ops->name,
                             .summary = ops->summary,
                             .source = ops->source,
                             .order = ops->order,
                             .progress = ops->progress,
                             .reclamation = ops->reclamation,
                             .cost = ops->cost,
                             .caveat = ops->caveat ? ops->caveat : "",
                             .bounded = ops->bounded,
                             .reclaims = ops->reclaims,
                             .allocates = ops->allocates,
                             .aborts = ops->aborts};
    return true;
}

static bool local_deque_at(unsigned index, struct sy_part *part) {
    if (index >= LOCAL_DEQUES) {
        return false;
    }
    const struct dq_ops *ops = local_deques[index];
    *part = (struct sy_part){.name = ops->name,
                             .summary = ops->summary,
                             .source = ops->source,
                             .order = ops->order == DQ_LIFO ? "LIFO, stolen FIFO" : "FIFO",
                             .progress = ops->progress,
                             .reclamation = ops->reclamation,
                             .cost = ops->cost,
                             .caveat = ops->caveat ? ops->caveat : "",
                             .bounded = ops->bounded,
                             .withholds = ops->withholds};
    return true;
}

static bool reactor_at(unsigned index, struct sy_part *part) {
    if (index >= rx_count) {
        return false;
    }
    const struct rx_ops *ops = rx_all[index];
    *part = (struct sy_part){.name = ops->name,
                             .summary = ops->summary,
                             .source = ops->source,
                             .order = ops->completion ? "completion" : "readiness",
                             .progress = ops->stealable ? "stealable: any idle worker waits" : "not stealable",
                             .reclamation = "",
                             .cost = ops->cost,
                             .caveat = ops->caveat ? ops->caveat : "",
                             .missing = ops->missing ? ops->missing : ""};
    return true;
}

static bool timers_at(unsigned index, struct sy_part *part) {
    if (index >= TIMERS) {
        return false;
    }
    const struct tm_ops *ops = timers[index];
    *part = (struct sy_part){.name = ops->name,
                             .summary = ops->summary,
                             .source = ops->source,
                             .order = "by deadline",
                             .progress = ops->progress,
                             .reclamation = "",
                             .cost = ops->cost,
                             .caveat = ops->caveat ? ops->caveat : "",
                             .missing = ""};
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
    case SY_TIMERS:
        return timers_at(index, part);
    }
    return false;
}

static void list_names(enum sy_part_kind kind, bool here, char *out, size_t size) {
    struct sy_part part;
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; sy_part_at(kind, i, &part) && used < size; i++) {
        if (!here || sy_part_probe(kind, part.name) == 0) {
            int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", part.name);
            used += n > 0 ? (size_t)n : 0;
        }
    }
}

void part_names(enum sy_part_kind kind, char *out, size_t size) {
    list_names(kind, false, out, size);
}

void part_names_here(enum sy_part_kind kind, char *out, size_t size) {
    list_names(kind, true, out, size);
}

/* ---- whether it works here ---- */

static int probe_global_queue(const char *name) {
    const struct gq_ops *ops = part_global_queue(name);
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    struct gq *queue;
    int error = ops ? ops->create(&queue, &config) : -EINVAL;
    if (!error) {
        ops->destroy(queue);
    }
    return error;
}

static int probe_local_deque(const char *name) {
    const struct dq_ops *ops = part_local_deque(name);
    struct dq_config config = {.capacity = DQ_CAPACITY_DEFAULT};
    struct dq *deque;
    int error = ops ? reclaim_create(&config.reclaim) : -EINVAL;
    if (error) {
        return error;
    }
    error = ops->create(&deque, &config);
    if (!error) {
        ops->destroy(deque);
    }
    reclaim_destroy(config.reclaim);
    return error;
}

static int probe_reactor(const char *name) {
    const struct rx_ops *ops = rx_find(name);
    struct rx_config config = {.batch = 1, .slots = 1};
    struct rx *rx;
    int error = ops ? ops->create(&rx, &config) : -EINVAL;
    if (!error) {
        ops->destroy(rx);
    }
    return error;
}

static int probe_timers(const char *name) {
    const struct tm_ops *ops = part_timers(name);
    struct tm_store *store;
    int error = ops ? ops->create(&store) : -EINVAL;
    if (!error) {
        ops->destroy(store);
    }
    return error;
}

int sy_part_probe(enum sy_part_kind kind, const char *name) {
    switch (kind) {
    case SY_GLOBAL_QUEUE:
        return probe_global_queue(name);
    case SY_LOCAL_DEQUE:
        return probe_local_deque(name);
    case SY_REACTOR:
        return probe_reactor(name);
    case SY_TIMERS:
        return probe_timers(name);
    }
    return -EINVAL;
}

/* ---- and if not, why ---- */

const char *part_word(enum sy_part_kind kind) {
    static const char *const words[] = {[SY_GLOBAL_QUEUE] = "global queue",
                                        [SY_LOCAL_DEQUE] = "local deque",
                                        [SY_REACTOR] = "reactor",
                                        [SY_TIMERS] = "store of timers"};
    return words[kind];
}

static const char *caveat_of(enum sy_part_kind kind, const char *name) {
    struct sy_part part;
    for (unsigned i = 0; sy_part_at(kind, i, &part); i++) {
        if (strcmp(part.name, name) == 0) {
            return part.caveat;
        }
    }
    return "there is no such part";
}

void sy_part_explain(enum sy_part_kind kind, const char *name, char *message, size_t size) {
    const struct rx_ops *reactor = kind == SY_REACTOR ? rx_find(name) : NULL;
    if (reactor) {
        rx_explain_refusal(reactor, message, size);
    } else {
        snprintf(message, size, "%s", caveat_of(kind, name));
    }
}
