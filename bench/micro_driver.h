/*
 * The micro-benchmarks' driver. A case works on one part (a queue, a deque, a reactor, or nothing: reference rows) and
 * counts its operations; the driver brings threads, the window that is timed, and the sums. What a case finds wrong
 * (lost, doubled, reordered) fails the run that it was found in.
 *
 * Names: `<part>/<shape…>/<implementation>`, for example queue/transfer/2:2/batch:32/gq_mutex. Rows of part "reference"
 * have no implementation: reference/fetch_add/2.
 *
 * Time. A case of one thread is called for one round of work after another and is timed from the first call's start to
 * the last one's end; the clock is read once a round. The threads of a case of several warm up together, then the
 * driver reads the clock and every thread's counts, sleeps, and reads both again: the figures are of the window
 * between, in which all threads run, and no thread reads a clock for them. What the threads do before and after the
 * window is checked, but not counted.
 *
 * micro_main.cc hands the cases to Google Benchmark. The cases are made at run time, for they depend on how many
 * processors there are; micro_list.h lists who makes them.
 */
#ifndef STEALYARD_BENCH_MICRO_DRIVER_H
#define STEALYARD_BENCH_MICRO_DRIVER_H

#include "bench/latency.h"
#include "bench/micro_work.h"
#include "queues/atomics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what came of a run ---- */

/* What is counted in the counting build (micro_count.h). */
struct micro_counted {
    struct atomics_count atomics;
    uint64_t locks; /* mutexes taken */
    uint64_t membarriers;
    uint64_t allocations;
    uint64_t allocated_bytes;
};

struct micro_result {
    double seconds;      /* of the window */
    uint64_t operations; /* successful ones in the window: what the time is divided by */
    uint64_t empty;      /* failed ones, by their answer; never part of `operations` */
    uint64_t full;
    uint64_t retry;
    uint64_t stolen; /* operations whose item went by way of a thief */
    uint64_t held;   /* pushes put off because the thread's items were inside: the case's own limit */
    double fairness; /* the slowest thread's operations ÷ the fastest's, of those that do the same; -1: unknown */
    struct latency *latency; /* the caller's; a case that takes latencies adds them */
    uint64_t all_operations; /* in and out of the window; what the counting build divides the rest of this by */
    struct micro_counted counted;
    const char *failure; /* what was found wrong; NULL: nothing */
};

/* How long a run goes on. */
struct micro_extent {
    uint64_t window_ns;
    uint64_t operations; /* not 0: until that many were done, whatever the time; for cases of one thread */
};

/* ---- cases ---- */

/* Whatever a case does not use is 0. */
struct micro_parameters {
    unsigned producers, consumers; /* threads by role */
    unsigned threads;              /* those that all do the same, or thieves */
    size_t batch;                  /* items an operation takes at most */
    size_t depth;                  /* items that are pushed before they are popped */
    size_t prefill;                /* items inside before the threads start */
    size_t capacity;               /* of a bounded implementation; 0: its default */
    uint64_t work_ns;              /* between operations */
    uint64_t rate_hz;              /* of each producer, open-loop */
    bool pinned;                   /* a thread to a processor */
    size_t size;                   /* whatever else there is to vary */
    size_t active;
};

enum { MICRO_NAME_MAX = 96 };

struct micro_case {
    const char *part;           /* "queue", "deque", "reactor", "reference" */
    const char *implementation; /* NULL: the part is "reference" */
    bool peer;                  /* not of this project */
    const char *order;          /* of a queue: in which items come out, "FIFO" or less; NULL: not a queue */
    bool core;                  /* one of the few that a comparison runs by default */
    const char *axis;           /* what the shape's second component scales ("threads", "connections"); NULL: nothing */
    unsigned x;                 /* its value */
    const char *measures;       /* what to compare: "duration" or, for example, "p99 latency" */
    void (*run)(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result);
    const void *subject; /* the implementation, for `run` */
    struct micro_parameters parameters;
    /* Filled in by micro_add. */
    char name[MICRO_NAME_MAX];
    char shape[MICRO_NAME_MAX]; /* the name without part and implementation */
    char base[MICRO_NAME_MAX];  /* part and shape without the component that is scaled: one for all points of a curve */
};

/* Adds a copy of the case under the shape's name: the format and its arguments. */
__attribute__((format(printf, 2, 3))) void micro_add(const struct micro_case *one, const char *shape_format, ...);

/* The case that was added as number `index`, or NULL past the last. */
const struct micro_case *micro_case_at(size_t index);

/* Processors that this process may run on. */
unsigned micro_processors(void);

/* The next rung above `n` of the thread counts to measure: powers of 2, the processors, and last `most`; 0 past it. */
unsigned micro_next_rung(unsigned n, unsigned most);

/* ---- threads ---- */

enum micro_phase { MICRO_WAIT, MICRO_WARM, MICRO_MEASURE, MICRO_STOP };

struct micro_team;

/* A thread of a case, on cache lines of its own. It counts by micro_count; nobody else writes here. */
struct micro_thread {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 operations;
    struct au64 empty;
    struct au64 full;
    struct au64 retry;
    struct au64 stolen;
    struct au64 held;
    unsigned index;
    unsigned role;           /* 0 for the first team->leaders threads, else 1 */
    unsigned misses;         /* micro_pause's */
    uint64_t random;         /* micro_work's */
    struct latency *latency; /* the thread's own, where team->latency; record in MICRO_MEASURE only */
    const char *failure;     /* set by the thread: what it found wrong */
    struct micro_team *team;
};

/* What a case with several threads fills in. */
struct micro_team {
    unsigned threads;
    unsigned leaders; /* the first so many have role 0 (producers, the owner), the others role 1 */
    bool counts[2];   /* whether a role's operations are the case's (both may; fairness is told within a role) */
    bool pinned;
    bool latency;     /* each thread gets a histogram */
    uint64_t work_ns; /* what micro_work takes on average */
    void *argument;
    void (*body)(void *argument, struct micro_thread *self); /* until !micro_goes_on(self) */
    /* The driver's. */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 phase; /* enum micro_phase */
    struct au32 started;
    uint64_t work_turns;
    bool crowded; /* more threads than processors: a waiting one gives way */
};

/* Runs the team, adds up into `result`. On a failure nothing but `failure` means anything. */
void micro_run_team(struct micro_team *team, const struct micro_extent *extent, struct micro_result *result);

/*
 * Runs `round` on the caller's thread again and again; it counts into self->operations, at least one operation a call
 * and few enough to take some microseconds.
 */
void micro_run_alone(void (*round)(void *argument, struct micro_thread *self), void *argument,
                     const struct micro_extent *extent, struct micro_result *result);

/* ---- for the threads ---- */

SY_INLINE enum micro_phase micro_phase(const struct micro_thread *self) {
    return (enum micro_phase)au32_load_relaxed(&self->team->phase);
}

SY_INLINE bool micro_goes_on(const struct micro_thread *self) {
    return micro_phase(self) != MICRO_STOP;
}

/* Only the thread writes its counters, hence no read-modify-write; the driver may read them at any time. */
SY_INLINE void micro_count(struct au64 *counter, uint64_t n) {
    au64_store_relaxed(counter, au64_load_relaxed(counter) + n);
}

/* Before one tries again. */
void micro_pause(struct micro_thread *self);

/* Works for team->work_ns on average (half to one and a half of it at random), without a look at the clock. */
SY_INLINE void micro_work(struct micro_thread *self) {
    if (self->team->work_turns > 0) {
        micro_spin(self->team->work_turns, &self->random);
    }
}

/* The monotonic clock. */
uint64_t micro_now_ns(void);

#ifdef __cplusplus
}
#endif

#endif
