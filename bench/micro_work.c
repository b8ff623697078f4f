#define _GNU_SOURCE
#include "bench/micro_work.h"

#include <sched.h>
#include <stddef.h>

#include "bench/micro_driver.h"

unsigned micro_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

void micro_pin(pthread_attr_t *attributes, unsigned index) {
    cpu_set_t allowed, one;
    unsigned wanted = index % micro_processors();
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && wanted-- == 0) {
            CPU_SET(cpu, &one);
            pthread_attr_setaffinity_np(attributes, sizeof one, &one);
            return;
        }
    }
}

static uint64_t spin(uint64_t turns, uint64_t x) {
    for (uint64_t i = 0; i < turns; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX generator */
        __asm__ __volatile__("" : "+r"(x));                                    /* no shortcut through several turns */
    }
    return x;
}

void micro_spin(uint64_t turns, uint64_t *random) {
    uint64_t x = spin(1, *random);
    *random = spin(turns / 2 + (uint64_t)(((unsigned __int128)turns * (x >> 32)) >> 32), x);
}

/* Nanoseconds of `turns`, the least of some tries: what is longer was interrupted. */
static uint64_t least_ns(uint64_t turns) {
    enum { TRIES = 7 };
    uint64_t least = UINT64_MAX, x = 1;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t start_ns = micro_now_ns();
        x = spin(turns, x);
        uint64_t ns = micro_now_ns() - start_ns;
        least = ns < least ? ns : least;
    }
    __asm__ __volatile__("" : : "r"(x));
    return least;
}

uint64_t micro_spin_turns(uint64_t ns) {
    enum { FEW = 10000, MORE = 110000 };
    static double turns_per_ns;
    if (ns == 0) {
        return 0;
    }
    if (turns_per_ns == 0) {
        uint64_t few_ns = least_ns(FEW), more_ns = least_ns(MORE); /* the difference leaves the clock's own time out */
        turns_per_ns = more_ns > few_ns ? (MORE - FEW) / (double)(more_ns - few_ns) : 1;
    }
    return (uint64_t)((double)ns * turns_per_ns) + 1;
}
