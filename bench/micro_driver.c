#define _GNU_SOURCE
#include "bench/micro_driver.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/micro_count.h"

/* The share of the window that the threads get to warm up. */
enum { WARM_SHARE = 8 };

/* To which a window is extended where next to nothing was done in it: the machine may be busy elsewhere. */
static const double extended_most_s = 2;

struct member {
    struct micro_thread own; /* first, so that its alignment holds in an array */
    struct micro_counted counted;
    pthread_t thread;
};

/* All threads' counters at one time. */
struct snapshot {
    uint64_t at_ns;
    uint64_t *operations; /* of each thread */
    uint64_t empty, full, retry, stolen, held;
};

uint64_t micro_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A window is a time to let pass, not something to wait for. */
static void pass_ns(uint64_t ns) {
    uint64_t end_ns = micro_now_ns() + ns;
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u), .tv_nsec = (long)(end_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0) {
    }
}

void micro_pause(struct micro_thread *self) {
    enum { PATIENCE = 256 }; /* misses after which the one waited for may have lost its processor */
    if (self->team->crowded || ++self->misses % PATIENCE == 0) {
        sched_yield();
    } else {
        cpu_relax();
    }
}

/* ---- one thread ---- */

static void add_counters(const struct micro_thread *thread, struct micro_result *result) {
    result->operations += au64_load_relaxed(&thread->operations);
    result->empty += au64_load_relaxed(&thread->empty);
    result->full += au64_load_relaxed(&thread->full);
    result->retry += au64_load_relaxed(&thread->retry);
    result->stolen += au64_load_relaxed(&thread->stolen);
    result->held += au64_load_relaxed(&thread->held);
}

void micro_run_alone(void (*round)(void *argument, struct micro_thread *self), void *argument,
                     const struct micro_extent *extent, struct micro_result *result) {
    struct micro_team team = {.threads = 1, .leaders = 1};
    struct micro_thread self = {.team = &team, .latency = result->latency, .random = 1};
    struct micro_counted counted;
    au32_store_relaxed(&team.phase, MICRO_MEASURE);
    micro_counted_start(&counted);
    uint64_t start_ns = micro_now_ns(), now_ns = start_ns;
    do {
        round(argument, &self);
        now_ns = micro_now_ns();
    } while (!self.failure && (extent->operations ? au64_load_relaxed(&self.operations) < extent->operations
                                                  : now_ns - start_ns < extent->window_ns));
    micro_counted_pause(&counted);
    micro_counted_add(&result->counted, &counted);
    result->seconds = (double)(now_ns - start_ns) * 1e-9;
    result->failure = self.failure;
    result->fairness = -1;
    add_counters(&self, result);
    result->all_operations = result->operations;
}

/* ---- several ---- */

static void *member_main(void *argument) {
    struct member *member = argument;
    struct micro_team *team = member->own.team;
    au32_fetch_add_release(&team->started, 1);
    while (micro_phase(&member->own) == MICRO_WAIT) {
        sched_yield();
    }
    micro_counted_start(&member->counted);
    team->body(team->argument, &member->own);
    micro_counted_pause(&member->counted);
    return NULL;
}

static void take_snapshot(const struct micro_team *team, const struct member *members, struct snapshot *snapshot) {
    struct micro_result sum = {0};
    snapshot->at_ns = micro_now_ns();
    for (unsigned i = 0; i < team->threads; i++) {
        snapshot->operations[i] = au64_load_relaxed(&members[i].own.operations);
        add_counters(&members[i].own, &sum);
    }
    snapshot->empty = sum.empty;
    snapshot->full = sum.full;
    snapshot->retry = sum.retry;
    snapshot->stolen = sum.stolen;
    snapshot->held = sum.held;
}

/* The slowest ÷ the fastest of each role, and of the roles the worse; -1: each thread is alone in its role. */
static double fairness_of(const struct micro_team *team, const uint64_t *operations) {
    double fairness = -1;
    for (unsigned role = 0; role < 2; role++) {
        unsigned first = role == 0 ? 0 : team->leaders;
        unsigned end = role == 0 ? team->leaders : team->threads;
        uint64_t least = UINT64_MAX, most = 0;
        for (unsigned i = first; i < end; i++) {
            least = operations[i] < least ? operations[i] : least;
            most = operations[i] > most ? operations[i] : most;
        }
        double ratio = most > 0 ? (double)least / (double)most : 1;
        if (end - first > 1 && (fairness < 0 || ratio < fairness)) {
            fairness = ratio;
        }
    }
    return fairness;
}

static void tell_window(const struct micro_team *team, const struct snapshot *from, const struct snapshot *to,
                        struct micro_result *result) {
    result->operations = 0;
    for (unsigned i = 0; i < team->threads; i++) {
        to->operations[i] -= from->operations[i];
        result->operations += team->counts[i >= team->leaders] ? to->operations[i] : 0;
    }
    result->seconds = (double)(to->at_ns - from->at_ns) * 1e-9;
    result->empty = to->empty - from->empty;
    result->full = to->full - from->full;
    result->retry = to->retry - from->retry;
    result->stolen = to->stolen - from->stolen;
    result->held = to->held - from->held;
    result->fairness = fairness_of(team, to->operations);
}

static void set_phase(struct micro_team *team, enum micro_phase phase) {
    au32_store_release(&team->phase, phase);
}

/* With every thread started: lets them run and looks twice. */
static void run_window(struct micro_team *team, const struct member *members, const struct micro_extent *extent,
                       struct micro_result *result) {
    uint64_t *operations = calloc(2 * (size_t)team->threads, sizeof *operations);
    struct snapshot from = {.operations = operations}, to = {.operations = operations + team->threads};
    if (!operations) {
        result->failure = "no memory";
        set_phase(team, MICRO_STOP);
        return;
    }
    set_phase(team, MICRO_WARM);
    pass_ns(extent->window_ns / WARM_SHARE);
    set_phase(team, MICRO_MEASURE);
    take_snapshot(team, members, &from);
    do {
        pass_ns(extent->window_ns);
        take_snapshot(team, members, &to);
        tell_window(team, &from, &to, result);
    } while (result->operations < 2 && result->seconds < extended_most_s); /* one may have begun before the window */
    set_phase(team, MICRO_STOP);
    free(operations);
}

static bool member_start(struct micro_team *team, struct member *member, unsigned index) {
    pthread_attr_t attributes;
    member->own.team = team;
    member->own.index = index;
    member->own.role = index >= team->leaders;
    member->own.random = index + 1;
    if (team->latency && !(member->own.latency = calloc(1, sizeof *member->own.latency))) {
        return false;
    }
    pthread_attr_init(&attributes);
    if (team->pinned) {
        micro_pin(&attributes, index);
    }
    bool ok = pthread_create(&member->thread, &attributes, member_main, member) == 0;
    pthread_attr_destroy(&attributes);
    return ok;
}

static void member_join(struct micro_team *team, struct member *member, struct micro_result *result) {
    pthread_join(member->thread, NULL);
    if (member->own.failure && !result->failure) {
        result->failure = member->own.failure;
    }
    if (member->own.latency && result->latency) {
        latency_add(result->latency, member->own.latency);
    }
    micro_counted_add(&result->counted, &member->counted);
    if (team->counts[member->own.role]) {
        result->all_operations += au64_load_relaxed(&member->own.operations);
    }
}

void micro_run_team(struct micro_team *team, const struct micro_extent *extent, struct micro_result *result) {
    size_t bytes = team->threads * sizeof(struct member);
    struct member *members = aligned_alloc(SY_CACHE_LINE, bytes);
    unsigned started = 0;
    if (!members || extent->operations) {
        result->failure = members ? "a number of operations is for cases of one thread" : "no memory";
        free(members);
        return;
    }
    memset(members, 0, bytes);
    team->work_turns = micro_spin_turns(team->work_ns);
    team->crowded = team->threads > micro_processors();
    while (started < team->threads && member_start(team, &members[started], started)) {
        started++;
    }
    while (started == team->threads && au32_load_acquire(&team->started) < started) {
        sched_yield();
    }
    if (started == team->threads) {
        run_window(team, members, extent, result);
    } else {
        result->failure = "a thread cannot be started";
        set_phase(team, MICRO_STOP);
    }
    for (unsigned i = 0; i < started; i++) {
        member_join(team, &members[i], result);
    }
    for (unsigned i = 0; i < team->threads; i++) {
        free(members[i].own.latency);
    }
    free(members);
}
