/*
 * The counting build's counts beyond those of atomics.h: mutexes and allocations, by definitions of the C library's
 * functions that come before its own. The C library's internal locks are not seen; the allocator's own work neither.
 * glibc's internal names are used: micro.cmake leaves this build out elsewhere.
 */
#define _GNU_SOURCE
#include "bench/micro_count.h"

#ifdef SY_ATOMICS_COUNT

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

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
    counted->allocations = end.allocations - counted->allocations;
    counted->allocated_bytes = end.allocated_bytes - counted->allocated_bytes;
}

void micro_counted_add(const struct micro_counted *counted, struct micro_result *result) {
    for (size_t i = 0; i < sizeof counted->atomics.of / sizeof counted->atomics.of[0]; i++) {
        result->atomics.of[i] += counted->atomics.of[i];
    }
    result->locks += counted->locks;
    result->allocations += counted->allocations;
    result->allocated_bytes += counted->allocated_bytes;
}

#endif
