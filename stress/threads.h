/* Threads for tests: a team that starts at one moment and is joined, rounds in step, work scaled to the build. */
#ifndef STEALYARD_STRESS_THREADS_H
#define STEALYARD_STRESS_THREADS_H

#include "queues/atomics.h"
#include "stress/check.h"

#include <pthread.h>
#include <sched.h>

#define THREADS_MAX 64

#if defined(__SANITIZE_ADDRESS__)
#define THREADS_SLOW 4
#elif defined(SY_TSAN) || defined(STEALYARD_EMULATED)
#define THREADS_SLOW 10
#elif defined(SY_ATOMICS_YIELD)
#define THREADS_SLOW 4
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define THREADS_SLOW 4
#endif
#endif
#ifndef THREADS_SLOW
#define THREADS_SLOW 1
#endif

/* `n` as a release build does it, less where every access costs more. */
static inline size_t threads_scaled(size_t n) {
    return n / THREADS_SLOW;
}

/* The step of a loop over cases that each begin with something large: leaves some out where that takes very long. */
static inline size_t threads_stride(void) {
    return THREADS_SLOW;
}

/* Four times as many threads as processors, so that some are always preempted in the middle of an operation. */
static inline size_t threads_oversubscribed(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = processors > 0 ? 4 * (size_t)processors : 8;
    return n < THREADS_MAX ? n : THREADS_MAX;
}

struct threads_member {
    void (*run)(size_t index, void *shared);
    void *shared;
    size_t index;
    pthread_barrier_t *start;
    pthread_t id;
};

static inline void *threads_main(void *argument) {
    struct threads_member *self = argument;
    pthread_barrier_wait(self->start);
    self->run(self->index, self->shared);
    return NULL;
}

/* Runs run(0 .. n - 1, shared), each on a thread of its own, and waits for all. */
static inline void threads_run(size_t n, void (*run)(size_t index, void *shared), void *shared) {
    struct threads_member members[THREADS_MAX];
    pthread_barrier_t start;
    CHECK(n <= THREADS_MAX);
    pthread_barrier_init(&start, NULL, (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        members[i] = (struct threads_member){.run = run, .shared = shared, .index = i, .start = &start};
        CHECK_EQ(pthread_create(&members[i].id, NULL, threads_main, &members[i]), 0);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(members[i].id, NULL);
    }
    pthread_barrier_destroy(&start);
}

/* A barrier for many short rounds: spins first, so that the threads leave it close together. */
struct threads_rounds {
    struct au64 arrived;
    struct au32 over;
    size_t members, repetitions;
    int64_t deadline_ns; /* on a busy machine the rounds end earlier */
};

#define THREADS_ROUNDS_NS INT64_C(1000000000)

static inline struct threads_rounds threads_rounds_of(size_t members, size_t repetitions) {
    return (struct threads_rounds){
        .members = members, .repetitions = repetitions, .deadline_ns = check_now_ns() + THREADS_ROUNDS_NS};
}

/* `*meetings` is the caller's own count, 0 at first. */
static inline void threads_meet(struct threads_rounds *rounds, uint64_t *meetings) {
    uint64_t all = ++*meetings * rounds->members;
    unsigned spins = 0;
    au64_fetch_add_acq_rel(&rounds->arrived, 1);
    while (au64_load_acquire(&rounds->arrived) < all) {
        if (++spins % 256 == 0) {
            sched_yield();
        }
    }
}

/* Begins round `i`, or says that it is over. A round must have a meeting of its own, or members may disagree. */
static inline bool threads_round(struct threads_rounds *rounds, uint64_t *meetings, size_t member, size_t i) {
    if (member == 0 && (i == rounds->repetitions || check_now_ns() > rounds->deadline_ns)) {
        au32_store_relaxed(&rounds->over, 1);
    }
    threads_meet(rounds, meetings);
    return !au32_load_relaxed(&rounds->over);
}

#endif
