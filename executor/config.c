/* The knobs: defaults, and what is wrong with a bad value. The defaults' measurements stand in bench/README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "executor/executor.h"
#include "executor/parts.h"
#include "executor/worker.h"

static unsigned online_processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return (unsigned)CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

void sy_config_init(struct sy_config *config) {
    unsigned processors = online_processors();
    *config = (struct sy_config){
        .global_queue = "gq_mutex",
        .local_deque = "dq_chase_lev",
        .reactor = "rx_epoll",
        .timers = "tm_wheel",
        .workers = processors < SY_WORKERS_MAX ? processors : SY_WORKERS_MAX,
        .global_capacity = GQ_CAPACITY_DEFAULT,
        .local_capacity = DQ_CAPACITY_DEFAULT,
        .global_interval = 61,
        .global_batch = 64,
        .steal_batch = 64,
        .lifo_cap = 3,
        .reactor_interval = 61,
        .reactor_batch = 128,
        .spin_ns = 10000,
        .handoff_ns = 2000000,
        .budget = 128,
        .speculative_io = false,
        .blocking_threads = 512,
        .blocking_keep_alive_ns = 10000000000u,
    };
}

__attribute__((format(printf, 3, 4))) static int bad(char *message, size_t size, const char *format, ...) {
    if (size > 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, size, format, arguments);
        va_end(arguments);
    }
    return -EINVAL;
}

static int check_part(enum sy_part_kind kind, const char *what, const char *name, char *message, size_t size) {
    struct sy_part part;
    for (unsigned i = 0; !name || sy_part_at(kind, i, &part); i++) {
        if (!name || strcmp(part.name, name) == 0) {
            return 0;
        }
    }
    char names[512];
    part_names(kind, names, sizeof names);
    return bad(message, size, "no %s is called \"%s\"; there are: %s", what, name, names);
}

struct range {
    const char *name;
    uint64_t value;
    uint64_t least;
    uint64_t most;
};

static int check_ranges(const struct sy_config *c, char *message, size_t size) {
    const struct range ranges[] = {
        {"workers", c->workers, 0, SY_WORKERS_MAX},
        {"global_interval", c->global_interval, 0, 1000000},
        {"global_batch", c->global_batch, 1, WORKER_BATCH_MAX},
        {"steal_batch", c->steal_batch, 1, WORKER_BATCH_MAX},
        {"lifo_cap", c->lifo_cap, 0, 1000000},
        {"reactor_interval", c->reactor_interval, 1, 1000000},
        {"reactor_batch", c->reactor_batch, 1, 65536},
        {"searching_max", c->searching_max, 0, SY_WORKERS_MAX},
        {"spin_ns", c->spin_ns, 0, 1000000000},
        {"handoff_ns", c->handoff_ns, 1000, 1000000000},
        {"budget", c->budget, 1, 1000000},
        {"blocking_threads", c->blocking_threads, 0, 65536},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *r = &ranges[i];
        if (r->value < r->least || r->value > r->most) {
            return bad(message, size, "%s is %llu; it must be from %llu to %llu", r->name, (unsigned long long)r->value,
                       (unsigned long long)r->least, (unsigned long long)r->most);
        }
    }
    return 0;
}

static int check_capacity(const char *name, size_t capacity, char *message, size_t size) {
    if (!dq_capacity_is_valid(capacity) || capacity > (size_t)1 << 30) {
        return bad(message, size, "%s is %zu; it must be a power of two from 2 to 1073741824", name, capacity);
    }
    return 0;
}

static int check_segment(size_t segment, char *message, size_t size) {
    struct gq_config config = {.capacity = 2, .segment = segment};
    if (!gq_config_is_valid(&config)) {
        return bad(message, size,
                   "global_segment is %zu; it must be 0 (the queue's choice) or a power of two from 2 to %d", segment,
                   GQ_SEGMENT_MAX);
    }
    return 0;
}

static int check_parts(const struct sy_config *c, char *message, size_t size) {
    int error = check_part(SY_GLOBAL_QUEUE, part_word(SY_GLOBAL_QUEUE), c->global_queue, message, size);
    if (!error) {
        error = check_part(SY_LOCAL_DEQUE, part_word(SY_LOCAL_DEQUE), c->local_deque, message, size);
    }
    if (!error) {
        error = check_part(SY_REACTOR, part_word(SY_REACTOR), c->reactor, message, size);
    }
    if (!error) {
        error = check_part(SY_REACTOR, "reactor to fall back on", c->reactor_fallback, message, size);
    }
    if (!error) {
        error = check_part(SY_TIMERS, part_word(SY_TIMERS), c->timers, message, size);
    }
    return error;
}

int sy_config_check(const struct sy_config *c, char *message, size_t size) {
    int error = check_parts(c, message, size);
    if (!error) {
        error = check_capacity("global_capacity", c->global_capacity, message, size);
    }
    if (!error) {
        error = check_segment(c->global_segment, message, size);
    }
    if (!error) {
        error = check_capacity("local_capacity", c->local_capacity, message, size);
    }
    if (!error) {
        error = check_ranges(c, message, size);
    }
    if (!error && c->thread_name && strlen(c->thread_name) > 9) {
        error = bad(message, size, "thread_name is \"%s\"; it must have at most 9 bytes", c->thread_name);
    }
    return error;
}

/* ---- why a runtime could not be created ---- */

static void explain_part(enum sy_part_kind kind, const char *name, const char *fallback, char *message, size_t size) {
    char why[256], why_fallback[256], others[512];
    sy_part_explain(kind, name, why, sizeof why);
    part_names_here(kind, others, sizeof others);
    if (fallback) {
        sy_part_explain(kind, fallback, why_fallback, sizeof why_fallback);
        bad(message, size, "the %s %s does not work on this machine: %s; nor does its fallback %s: %s; these do: %s",
            part_word(kind), name, why, fallback, why_fallback, others);
    } else {
        bad(message, size, "the %s %s does not work on this machine: %s; these do: %s", part_word(kind), name, why,
            others);
    }
}

static void explain_unsupported(const struct sy_config *c, char *message, size_t size) {
    const struct {
        enum sy_part_kind kind;
        const char *name, *fallback;
    } parts[] = {{SY_GLOBAL_QUEUE, c->global_queue, NULL},
                 {SY_LOCAL_DEQUE, c->local_deque, NULL},
                 {SY_REACTOR, c->reactor, c->reactor_fallback}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].name && sy_part_probe(parts[i].kind, parts[i].name) == -ENOTSUP) {
            explain_part(parts[i].kind, parts[i].name, parts[i].fallback, message, size);
            return;
        }
    }
    bad(message, size, "a part does not work on this machine; ./stealyard list shows which do, and why");
}

void sy_config_explain(const struct sy_config *c, int error, char *message, size_t size) {
    switch (error) {
    case -EINVAL:
        if (sy_config_check(c, message, size) == 0) {
            bad(message, size, "a part refuses the configuration, although each value is in its range");
        }
        break;
    case -ENOTSUP:
        explain_unsupported(c, message, size);
        break;
    case -ENOMEM:
        bad(message, size, "no memory for %u workers, a global queue of %zu slots and deques of %zu; ask for fewer",
            c->workers, c->global_capacity, c->local_capacity);
        break;
    case -EAGAIN:
        bad(message, size, "no more threads for %u workers; ask for fewer, or raise the limit (ulimit -u)", c->workers);
        break;
    case -EMFILE:
    case -ENFILE:
        bad(message, size, "no file descriptor is left for the reactor; raise the limit (ulimit -n)");
        break;
    default:
        bad(message, size, "%s", strerror(-error));
        break;
    }
}
