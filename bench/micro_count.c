/*
 * The counting build's counts beyond those of atomics.h: mutexes, membarrier(2) and allocations, by definitions of the
 * C library's functions that come before its own. The C library's internal locks are not seen; the allocator's own work
 * neither. glibc's internal names are used: micro.cmake leaves this build out elsewhere.
 */
#define _GNU_SOURCE
#include "bench/micro_count.h"

#ifdef SY_ATOMICS_COUNT

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>

static SY_THREAD_LOCAL struct micro_counted own;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void count_allocation(size_t bytes) {
    own.allocations++;
    own.allocated_bytes += bytes;
}

void *malloc(size_t size) {
    count_allocation(size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    count_allocation(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size) {
    count_allocation(size);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count_allocation(size);
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    count_allocation(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    count_allocation(size);
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

/* The C library's own, found at the first lock. Racing threads find the same. */
int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static struct aptr next;
    void *lock = aptr_load_relaxed(&next);
    if (!lock) {
        lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
        aptr_store_relaxed(&next, lock);
    }
    own.locks++;
    return ((int (*)(pthread_mutex_t *))lock)(mutex);
}

/* Six arguments are the most that a system call takes; those that are not there are passed on as they are found. */
long syscall(long number, ...) {
    static struct aptr next;
    long a[6];
    va_list arguments;
    void *call = aptr_load_relaxed(&next);
    if (!call) {
        call = dlsym(RTLD_NEXT, "syscall");
        aptr_store_relaxed(&next, call);
    }
    va_start(arguments, number);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    own.membarriers += number == __NR_membarrier;
    return ((long (*)(long, ...))call)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static struct micro_counted now(void) {
    struct micro_counted counted = own;
    counted.atomics = atomics_counted;
    return counted;
}

void micro_counted_start(struct micro_counted *counted) {
    *counted = now();
}

void micro_counted_pause(struct micro_counted *counted) {
    struct micro_counted end = now();
    for (size_t i = 0; i < sizeof end.atomics.of / sizeof end.atomics.of[0]; i++) {
        counted->atomics.of[i] = end.atomics.of[i] - counted->atomics.of[i];
    }
    counted->locks = end.locks - counted->locks;
    counted->membarriers = end.membarriers - counted->membarriers;
    counted->allocations = end.allocations - counted->allocations;
    counted->allocated_bytes = end.allocated_bytes - counted->allocated_bytes;
}

void micro_counted_add(struct micro_counted *sum, const struct micro_counted *counted) {
    for (size_t i = 0; i < sizeof sum->atomics.of / sizeof sum->atomics.of[0]; i++) {
        sum->atomics.of[i] += counted->atomics.of[i];
    }
    sum->locks += counted->locks;
    sum->membarriers += counted->membarriers;
    sum->allocations += counted->allocations;
    sum->allocated_bytes += counted->allocated_bytes;
}

#endif
