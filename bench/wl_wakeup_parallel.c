/*
 * Two tasks that each work for a while before they send and before they receive: if they run at the same time, a round
 * takes twice the work, on one worker four times as much. Work is spinning, or sleeping in a system call. After Go's.
 */
#include <time.h>

#include "bench/workload_partners.h"
#include "bench/workload_tools.h"

enum { ROUNDS = 100, SENDER_EXTRA_NS = 5000 }; /* so that the receiver is the first to be there */

static uint64_t delay_ns;

static void spin(void) {
    workload_spin(delay_ns);
}

static void spin_longer(void) {
    workload_spin(delay_ns + SENDER_EXTRA_NS);
}

static void block_ns(uint64_t duration_ns) {
    nanosleep(&(struct timespec){.tv_nsec = (long)duration_ns}, NULL);
}

static void block(void) {
    block_ns(delay_ns);
}

static void block_longer(void) {
    block_ns(delay_ns + SENDER_EXTRA_NS);
}

static const struct workload_partners spinning = {.rounds = ROUNDS, .before_send = spin_longer, .before_receive = spin};
static const struct workload_partners syscall = {
    .rounds = ROUNDS, .before_send = block_longer, .before_receive = block};

static bool wake_each_other(struct workload_run *run, const struct workload_partners *what, unsigned us) {
    delay_ns = us * (uint64_t)1000;
    return workload_partners_run(run, what);
}

/* A row for each kind and delay. */
#define WAKEUP_PARALLEL(kind, delay, how, when)                                                                        \
    static bool kind##_##delay##us_iterate(struct workload_run *run) {                                                 \
        return wake_each_other(run, &kind, delay);                                                                     \
    }                                                                                                                  \
    const struct workload workload_wakeup_parallel_##kind##_##delay##us = {                                            \
        .name = "wakeup_parallel_" #kind "_" #delay "us",                                                              \
        .summary = "two tasks that " how " for " #delay " us, and wake each other 100 times",                          \
        .check = "each message arrived",                                                                               \
        .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,                                                                      \
        .ops = ROUNDS,                                                                                                 \
        .effort = when,                                                                                                \
        .iterate = kind##_##delay##us_iterate,                                                                         \
    };

WAKEUP_PARALLEL(spinning, 0, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 1, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 2, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 5, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 10, "spin", WORKLOAD_CORE)
WAKEUP_PARALLEL(spinning, 20, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 50, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(spinning, 100, "spin", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 0, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 1, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 2, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 5, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 10, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 20, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 50, "block their worker", WORKLOAD_WIDE)
WAKEUP_PARALLEL(syscall, 100, "block their worker", WORKLOAD_WIDE)
