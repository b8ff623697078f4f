/*
 * Every atomic access of the project goes through this file. The memory order stands in the name, so an access can
 * be read, searched for and counted without knowing the C11 defaults.
 *
 * The cells are structs around a plain integer or pointer: an access that forgets to be atomic does not compile, and
 * the headers can be read from C++ too (where <stdatomic.h> is not to be had). Underneath are the compilers'
 * __atomic built-ins, which have exactly C11's meaning.
 *
 *   struct au32, au64, ai64, aptr            32, 64 and signed 64 bits, and a pointer
 *   au64_load_acquire(&cell)                 load: relaxed, acquire, seq_cst
 *   au64_store_release(&cell, v)             store: relaxed, release, seq_cst
 *   au64_exchange_acq_rel(&cell, v)          exchange, returns the old value
 *   au64_cas_acq_rel(&cell, &expected, v)    strong compare-and-swap; on failure `expected` holds what was found
 *   au64_fetch_add_relaxed(&cell, v)         add, sub, or, and: return the old value (not for aptr)
 *   fence_seq_cst()                          a full barrier
 *
 * A failed compare-and-swap loads with the strongest order that its success order allows: acq_rel fails with acquire,
 * release with relaxed, the others with their own.
 *
 * Test builds, chosen with -D and never part of a release:
 *   SY_ATOMICS_YIELD    a random delay before some accesses, so that rare interleavings become common
 *   SY_ATOMICS_STEP     calls the program's atomics_step() before each access, where other operations may come between
 *   SY_ATOMICS_COUNT    counts loads, stores, read-modify-writes and fences per thread (struct atomics_count)
 *   SY_ATOMICS_WEAKEN   every order becomes relaxed: a suite that claims to see wrong orders must fail in this build
 */
#ifndef STEALYARD_QUEUES_ATOMICS_H
#define STEALYARD_QUEUES_ATOMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(SY_ATOMICS_YIELD)
#include <sched.h>
#endif

#define SY_CACHE_LINE 64

#if defined(__SANITIZE_THREAD__)
#define SY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SY_TSAN 1
#endif
#endif

#ifdef __cplusplus
#define SY_ALIGNAS(n) alignas(n)
#define SY_THREAD_LOCAL thread_local
#else
#define SY_ALIGNAS(n) _Alignas(n)
#define SY_THREAD_LOCAL _Thread_local
#endif

#define SY_INLINE static inline __attribute__((always_inline, unused))

#ifdef SY_ATOMICS_WEAKEN
#define ATOMICS_ORDER(order) __ATOMIC_RELAXED
#else
#define ATOMICS_ORDER(order) order
#endif

struct au32 {
    uint32_t raw;
};
struct au64 {
    uint64_t raw;
};
struct ai64 {
    int64_t raw;
};
struct aptr {
    void *raw;
};

enum atomics_kind { ATOMICS_LOAD, ATOMICS_STORE, ATOMICS_RMW, ATOMICS_FENCE };

/* What one thread did since it started; only counted with SY_ATOMICS_COUNT. */
struct atomics_count {
    uint64_t of[4]; /* indexed by enum atomics_kind */
};

#if defined(SY_ATOMICS_COUNT)
__attribute__((weak)) SY_THREAD_LOCAL struct atomics_count atomics_counted;
#endif
#if defined(SY_ATOMICS_STEP)
static void atomics_step(void);
#endif
#if defined(SY_ATOMICS_YIELD)
__attribute__((weak)) SY_THREAD_LOCAL uint64_t atomics_random;

/* A sixteenth of the accesses spin for a moment, one in 1,024 gives the processor away. */
SY_INLINE void atomics_delay(void) {
    uint64_t x = atomics_random ? atomics_random : (uint64_t)(uintptr_t)&atomics_random | 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    atomics_random = x;
    if ((x & 1023) == 0) {
        sched_yield();
    } else if ((x & 15) == 0) {
        for (volatile unsigned i = 0; i < ((x >> 16) & 63); i++) {
        }
    }
}
#endif

SY_INLINE void atomics_hook(enum atomics_kind kind) {
#if defined(SY_ATOMICS_COUNT)
    atomics_counted.of[kind]++;
#endif
#if defined(SY_ATOMICS_STEP)
    atomics_step();
#endif
#if defined(SY_ATOMICS_YIELD)
    atomics_delay();
#endif
    (void)kind;
}

/*
 * The typed functions are stamped out: 4 types times some 20 one-line functions by hand would be longer and no easier
 * to check.
 */
#define ATOMICS_LOAD_FN(cell, type, suffix, order)                                                                     \
    SY_INLINE type cell##_load_##suffix(const struct cell *p) {                                                        \
        atomics_hook(ATOMICS_LOAD);                                                                                    \
        return __atomic_load_n(&p->raw, ATOMICS_ORDER(order));                                                         \
    }
#define ATOMICS_STORE_FN(cell, type, suffix, order)                                                                    \
    SY_INLINE void cell##_store_##suffix(struct cell *p, type v) {                                                     \
        atomics_hook(ATOMICS_STORE);                                                                                   \
        __atomic_store_n(&p->raw, v, ATOMICS_ORDER(order));                                                            \
    }
#define ATOMICS_EXCHANGE_FN(cell, type, suffix, order)                                                                 \
    SY_INLINE type cell##_exchange_##suffix(struct cell *p, type v) {                                                  \
        atomics_hook(ATOMICS_RMW);                                                                                     \
        return __atomic_exchange_n(&p->raw, v, ATOMICS_ORDER(order));                                                  \
    }
#define ATOMICS_CAS_FN(cell, type, suffix, order, failure)                                                             \
    SY_INLINE bool cell##_cas_##suffix(struct cell *p, type *expected, type v) {                                       \
        atomics_hook(ATOMICS_RMW);                                                                                     \
        return __atomic_compare_exchange_n(&p->raw, expected, v, false, ATOMICS_ORDER(order), ATOMICS_ORDER(failure)); \
    }
#define ATOMICS_FETCH_FN(cell, type, op, suffix, order)                                                                \
    SY_INLINE type cell##_fetch_##op##_##suffix(struct cell *p, type v) {                                              \
        atomics_hook(ATOMICS_RMW);                                                                                     \
        return __atomic_fetch_##op(&p->raw, v, ATOMICS_ORDER(order));                                                  \
    }
#define ATOMICS_FETCH_OP_FNS(cell, type, op)                                                                           \
    ATOMICS_FETCH_FN(cell, type, op, relaxed, __ATOMIC_RELAXED)                                                        \
    ATOMICS_FETCH_FN(cell, type, op, acquire, __ATOMIC_ACQUIRE)                                                        \
    ATOMICS_FETCH_FN(cell, type, op, release, __ATOMIC_RELEASE)                                                        \
    ATOMICS_FETCH_FN(cell, type, op, acq_rel, __ATOMIC_ACQ_REL)                                                        \
    ATOMICS_FETCH_FN(cell, type, op, seq_cst, __ATOMIC_SEQ_CST)
#define ATOMICS_CELL_FNS(cell, type)                                                                                   \
    ATOMICS_LOAD_FN(cell, type, relaxed, __ATOMIC_RELAXED)                                                             \
    ATOMICS_LOAD_FN(cell, type, acquire, __ATOMIC_ACQUIRE)                                                             \
    ATOMICS_LOAD_FN(cell, type, seq_cst, __ATOMIC_SEQ_CST)                                                             \
    ATOMICS_STORE_FN(cell, type, relaxed, __ATOMIC_RELAXED)                                                            \
    ATOMICS_STORE_FN(cell, type, release, __ATOMIC_RELEASE)                                                            \
    ATOMICS_STORE_FN(cell, type, seq_cst, __ATOMIC_SEQ_CST)                                                            \
    ATOMICS_EXCHANGE_FN(cell, type, relaxed, __ATOMIC_RELAXED)                                                         \
    ATOMICS_EXCHANGE_FN(cell, type, acquire, __ATOMIC_ACQUIRE)                                                         \
    ATOMICS_EXCHANGE_FN(cell, type, release, __ATOMIC_RELEASE)                                                         \
    ATOMICS_EXCHANGE_FN(cell, type, acq_rel, __ATOMIC_ACQ_REL)                                                         \
    ATOMICS_EXCHANGE_FN(cell, type, seq_cst, __ATOMIC_SEQ_CST)                                                         \
    ATOMICS_CAS_FN(cell, type, relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED)                                            \
    ATOMICS_CAS_FN(cell, type, acquire, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)                                            \
    ATOMICS_CAS_FN(cell, type, release, __ATOMIC_RELEASE, __ATOMIC_RELAXED)                                            \
    ATOMICS_CAS_FN(cell, type, acq_rel, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)                                            \
    ATOMICS_CAS_FN(cell, type, seq_cst, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define ATOMICS_INTEGER_FNS(cell, type)                                                                                \
    ATOMICS_CELL_FNS(cell, type)                                                                                       \
    ATOMICS_FETCH_OP_FNS(cell, type, add)                                                                              \
    ATOMICS_FETCH_OP_FNS(cell, type, sub)                                                                              \
    ATOMICS_FETCH_OP_FNS(cell, type, or)                                                                               \
    ATOMICS_FETCH_OP_FNS(cell, type, and)

ATOMICS_INTEGER_FNS(au32, uint32_t)
ATOMICS_INTEGER_FNS(au64, uint64_t)
ATOMICS_INTEGER_FNS(ai64, int64_t)
ATOMICS_CELL_FNS(aptr, void *)

#undef ATOMICS_LOAD_FN
#undef ATOMICS_STORE_FN
#undef ATOMICS_EXCHANGE_FN
#undef ATOMICS_CAS_FN
#undef ATOMICS_FETCH_FN
#undef ATOMICS_FETCH_OP_FNS
#undef ATOMICS_CELL_FNS
#undef ATOMICS_INTEGER_FNS

/*
 * A full barrier: everything before it is in the total order before everything after it.
 *
 * On x86-64 it is a locked read-modify-write of the own stack (about 2 ns where clang's choice for the standard fence,
 * mfence, takes about 16). ThreadSanitizer does not model fences and gcc warns about them; in its build a
 * read-modify-write of a thread's own variable is the same barrier to an x86-64 processor (aarch64 may let a store
 * before it and a load after it change places, so there an instruction that it does not see follows) and adds no edge
 * between threads that could hide a race.
 */
SY_INLINE void fence_seq_cst(void) {
    atomics_hook(ATOMICS_FENCE);
#if defined(SY_ATOMICS_WEAKEN)
#elif defined(SY_TSAN)
    static SY_THREAD_LOCAL uint32_t own;
    __atomic_fetch_add(&own, 1, __ATOMIC_SEQ_CST);
#if defined(__aarch64__)
    __asm__ __volatile__("dmb ish" ::: "memory");
#endif
#elif defined(__x86_64__) && !defined(SY_MODEL)
    __asm__ __volatile__("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* One turn of a spin loop: lets the sibling thread and the memory system breathe. */
SY_INLINE void cpu_relax(void) {
#if defined(SY_MODEL)
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

#endif
