/*
 * An asymmetric fence: a store-load barrier whose cost falls on one side. The *light* side runs often and pays a
 * compiler barrier; the *heavy* side runs seldom and makes the kernel execute a full barrier on every processor that
 * runs a thread of this process. Between a light and a heavy one holds what holds between two full barriers: of two
 * threads that each store, pass their fence, and load what the other stores, at least one sees the other's store.
 *
 * Source: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED (Linux 4.14); Dice, Huang and Yang: Asymmetric Dekker
 * Synchronization, 2001; Goldblatt: P1202, asymmetric fences for C++. Where the kernel refuses (seccomp, another
 * system, an emulator), both sides are full barriers. If it refuses only later, the heavy side is told and must do
 * without.
 *
 * Why it is enough: the kernel's barrier falls somewhere into the light thread's instructions. If before its store,
 * then the light thread's load comes after the heavy thread's store; if after its store, the heavy thread sees that
 * store; between the two the compiler barrier has kept them in this order, and either holds. A thread that is not
 * running has passed a full barrier when it was switched out.
 *
 * Cost of a heavy one: an interrupt of each processor that runs another thread of the process. On a virtual machine
 * with two processors (AMD EPYC) that took 13 to 15 µs where another ran, and 0.4 µs where none did. It never waits for
 * a thread to be scheduled.
 */
#ifndef STEALYARD_QUEUES_ASYM_H
#define STEALYARD_QUEUES_ASYM_H

#include "queues/atomics.h"

#if defined(__linux__) && !defined(SY_MODEL) && !defined(SY_ATOMICS_WEAKEN)
#define ASYM_MEMBARRIER 1
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Before the first fence of a structure: whether the kernel does it. Keep the answer and give it to both sides. */
static inline bool asym_register(void) {
#if defined(ASYM_MEMBARRIER)
    return syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#else
    return false;
#endif
}

SY_INLINE void asym_light(bool registered) {
    if (__builtin_expect(registered, 1)) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    } else {
        fence_seq_cst();
    }
}

/* False: the kernel has registered the process and yet refuses (by a filter set since): there is no fence. */
static inline bool asym_heavy(bool registered) {
    fence_seq_cst();
#if defined(ASYM_MEMBARRIER)
    if (registered) {
        return syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
    }
#endif
    (void)registered;
    return true;
}

#endif
