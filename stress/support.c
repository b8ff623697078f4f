#define _GNU_SOURCE
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void support_fatal(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(NULL);
    _exit(1);
}

/* ---- combinations ---- */

enum { KINDS = SY_TIMERS + 1, PARTS_MAX = 32 };

struct parts {
    struct sy_part all[PARTS_MAX];
    int probed[PARTS_MAX];
    unsigned n;
    unsigned working[PARTS_MAX]; /* indices of those that work on this machine */
    unsigned working_n;
};

static struct parts parts[KINDS];
static struct support_combo *combos;
static size_t combo_count;

static void parts_fill(enum sy_part_kind kind) {
    struct parts *of = &parts[kind];
    for (; of->n < PARTS_MAX && sy_part_at(kind, of->n, &of->all[of->n]); of->n++) {
        of->probed[of->n] = sy_part_probe(kind, of->all[of->n].name);
        if (of->probed[of->n] == 0) {
            of->working[of->working_n++] = of->n;
        }
    }
    SUPPORT_REQUIRE(of->n < PARTS_MAX && of->working_n > 0);
}

/* Another error than -ENOTSUP is no lack: there the test is to fail. */
static void combo_lack(struct support_combo *combo, enum sy_part_kind kind, unsigned index) {
    const struct sy_part *part = &parts[kind].all[index];
    if (parts[kind].probed[index] == -ENOTSUP) {
        bool built = !part->missing || !part->missing[0];
        snprintf(combo->lack, sizeof combo->lack, "%s: %s", part->name,
                 built ? "this kernel or container refuses it" : part->missing);
    }
}

static void combo_add(const unsigned chosen[KINDS], bool dynamic, unsigned workers) {
    const struct sy_part *queue = &parts[SY_GLOBAL_QUEUE].all[chosen[SY_GLOBAL_QUEUE]];
    const struct sy_part *deque = &parts[SY_LOCAL_DEQUE].all[chosen[SY_LOCAL_DEQUE]];
    combos = realloc(combos, (combo_count + 1) * sizeof *combos);
    SUPPORT_REQUIRE(combos);
    struct support_combo *combo = &combos[combo_count++];
    *combo = (struct support_combo){.global_queue = queue->name,
                                    .local_deque = deque->name,
                                    .reactor = parts[SY_REACTOR].all[chosen[SY_REACTOR]].name,
                                    .timers = parts[SY_TIMERS].all[chosen[SY_TIMERS]].name,
                                    .queue = *queue,
                                    .deque = *deque,
                                    .dynamic = dynamic,
                                    .workers = workers};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        combo_lack(combo, (enum sy_part_kind)kind, chosen[kind]);
    }
    snprintf(combo->name, sizeof combo->name, "%s.%s.%s.%s%s.%u", queue->name, deque->name, combo->reactor,
             combo->timers, dynamic ? ".dynamic" : "", workers);
}

static unsigned workers_in_turn(unsigned number) {
    return number % 4 < 2 ? 2 : 4;
}

/* One of those that work here. */
static unsigned part_in_turn(enum sy_part_kind kind, unsigned number) {
    return parts[kind].working[number % parts[kind].working_n];
}

/* The combination that is there for this part. */
static void combo_of_part(enum sy_part_kind kind, unsigned index, unsigned number) {
    unsigned chosen[KINDS] = {0};
    if (kind == SY_GLOBAL_QUEUE) {
        chosen[SY_LOCAL_DEQUE] = part_in_turn(SY_LOCAL_DEQUE, number);
    }
    if (kind != SY_TIMERS) {
        chosen[SY_REACTOR] = part_in_turn(SY_REACTOR, number);
    }
    chosen[SY_TIMERS] = part_in_turn(SY_TIMERS, number);
    chosen[kind] = index;
    combo_add(chosen, false, workers_in_turn(number));
}

static void combos_fill(void) {
    const unsigned first[KINDS] = {0};
    unsigned number = 0;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        parts_fill((enum sy_part_kind)kind);
    }
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        combo_add(first, false, workers);
    }
    combo_add(first, true, 2);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned index = 1; index < parts[kind].n; index++) {
            combo_of_part((enum sy_part_kind)kind, index, number++);
        }
    }
}

size_t support_combo_count(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, combos_fill);
    return combo_count;
}

const struct support_combo *support_combo(size_t index) {
    SUPPORT_REQUIRE(index < support_combo_count());
    return &combos[index];
}

const char *support_combo_name(size_t index) {
    return support_combo(index)->name;
}

void support_combo_config(size_t index, struct sy_config *config) {
    const struct support_combo *combo = support_combo(index);
    sy_config_init(config);
    config->global_queue = combo->global_queue;
    config->local_deque = combo->local_deque;
    config->reactor = combo->reactor;
    config->timers = combo->timers;
    config->dynamic_dispatch = combo->dynamic;
    config->workers = combo->workers;
}

struct sy_runtime *support_runtime_start(const struct sy_config *config) {
    struct sy_runtime *runtime = NULL;
    int error = sy_runtime_create(&runtime, config);
    if (error) {
        char why[256] = "";
        sy_config_explain(config, error, why, sizeof why);
        support_fatal(__FILE__, __LINE__, "sy_runtime_create: %s", why);
    }
    return runtime;
}

struct sy_runtime *support_runtime(size_t combo) {
    struct sy_config config;
    support_combo_config(combo, &config);
    return support_runtime_start(&config);
}

/* ---- counter and gate ---- */

void support_counter_add(struct support_counter *counter, uint64_t n) {
    pthread_mutex_lock(&counter->mutex);
    counter->value += n;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->mutex);
}

uint64_t support_counter_get(struct support_counter *counter) {
    pthread_mutex_lock(&counter->mutex);
    uint64_t value = counter->value;
    pthread_mutex_unlock(&counter->mutex);
    return value;
}

void support_counter_wait(struct support_counter *counter, uint64_t value) {
    pthread_mutex_lock(&counter->mutex);
    while (counter->value < value) {
        pthread_cond_wait(&counter->changed, &counter->mutex);
    }
    pthread_mutex_unlock(&counter->mutex);
}

enum sy_poll support_gate_poll(struct support_gate *gate, struct sy_context *cx) {
    struct sy_waker old = {0};
    pthread_mutex_lock(&gate->mutex);
    bool open = gate->open;
    if (!open) {
        old = gate->waker;
        gate->waker = sy_waker_clone(&cx->waker);
    }
    pthread_mutex_unlock(&gate->mutex);
    sy_waker_drop(old);
    return open ? SY_READY : SY_PENDING;
}

static struct sy_waker gate_take(struct support_gate *gate, bool open) {
    pthread_mutex_lock(&gate->mutex);
    struct sy_waker waker = gate->waker;
    gate->waker = (struct sy_waker){0};
    gate->open = gate->open || open;
    pthread_mutex_unlock(&gate->mutex);
    return waker;
}

void support_gate_open(struct support_gate *gate) {
    struct sy_waker waker = gate_take(gate, true);
    if (waker.vtable) {
        sy_waker_wake(waker);
    }
}

void support_gate_clear(struct support_gate *gate) {
    sy_waker_drop(gate_take(gate, false));
}

/* ---- what the process holds ---- */

static unsigned directory_entries(const char *path) {
    DIR *directory = opendir(path);
    SUPPORT_REQUIRE(directory);
    unsigned count = 0;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

unsigned support_thread_count(void) {
    return directory_entries("/proc/self/task");
}

/* Fewer is right too: a thread that was joined before `count` was taken may still have stood in the directory then. */
void support_wait_for_threads(unsigned count) {
    uint64_t until_ns = sy_now_ns() + UINT64_C(10000000000);
    unsigned now = support_thread_count();
    while (now > count && sy_now_ns() < until_ns) {
        sched_yield();
        now = support_thread_count();
    }
    if (now > count) {
        support_fatal(__FILE__, __LINE__, "%u threads, more than %u", now, count);
    }
}

unsigned support_fd_count(void) {
    return directory_entries("/proc/self/fd") - 1; /* the one that reads the directory */
}

uint64_t support_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

uint64_t support_metric(const struct sy_runtime *runtime, size_t offset) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        struct sy_worker_metrics metrics;
        SUPPORT_REQUIRE(sy_worker_metrics(runtime, i, &metrics) == 0);
        uint64_t value;
        memcpy(&value, (const char *)&metrics + offset, sizeof value);
        sum += value;
    }
    return sum;
}
