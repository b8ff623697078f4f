/*
 * Counts the allocations of a test program, and lets one of them fail. Included by exactly one file of a program: it
 * defines malloc and its kin. Under a sanitizer, which has an allocator of its own, allocations are counted by its
 * hooks and cannot fail: support_alloc_can_fail says so, and the test skips.
 */
#ifndef STEALYARD_STRESS_SUPPORT_ALLOC_H
#define STEALYARD_STRESS_SUPPORT_ALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <malloc.h>

#include "queues/atomics.h"
#include "support.h"

static _Thread_local uint64_t support_alloc_made;              /* by this thread */
static _Thread_local uint64_t support_alloc_left = UINT64_MAX; /* that still succeed on this thread */
static struct ai64 support_alloc_balance;                      /* allocations not freed, of the whole process */
static struct ai64 support_alloc_size;                         /* their bytes */

/* Allocations that the calling thread made so far. */
static inline uint64_t support_alloc_count(void) {
    return support_alloc_made;
}

/* Allocations of the whole process that are not freed. */
static inline int64_t support_alloc_live(void) {
    return ai64_load_relaxed(&support_alloc_balance);
}

/* Their bytes, as far as they are counted: not under a sanitizer. */
static inline int64_t support_alloc_bytes(void) {
    return ai64_load_relaxed(&support_alloc_size);
}

static inline bool support_alloc_knows_bytes(void) {
    return !SUPPORT_SANITIZED;
}

static inline bool support_alloc_can_fail(void) {
    return !SUPPORT_SANITIZED;
}

/* After `count` more allocations of the calling thread every further one fails; UINT64_MAX: none. */
static inline void support_alloc_fail_after(uint64_t count) {
    support_alloc_left = count;
}

#if SUPPORT_SANITIZED

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

__attribute__((no_sanitize("thread", "address"))) static void support_alloc_on_malloc(const volatile void *memory,
                                                                                      size_t size) {
    (void)memory, (void)size;
    support_alloc_made++;
    ai64_fetch_add_relaxed(&support_alloc_balance, 1);
}

__attribute__((no_sanitize("thread", "address"))) static void support_alloc_on_free(const volatile void *memory) {
    (void)memory;
    ai64_fetch_sub_relaxed(&support_alloc_balance, 1);
}

__attribute__((constructor)) static void support_alloc_install(void) {
    if (!__sanitizer_install_malloc_and_free_hooks(support_alloc_on_malloc, support_alloc_on_free)) {
        abort();
    }
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static bool support_alloc_allowed(void) {
    support_alloc_made++;
    if (support_alloc_left == 0) {
        errno = ENOMEM;
        return false;
    }
    if (support_alloc_left != UINT64_MAX) {
        support_alloc_left--;
    }
    return true;
}

static void *support_alloc_counted(void *memory) {
    ai64_fetch_add_relaxed(&support_alloc_balance, memory != NULL);
    ai64_fetch_add_relaxed(&support_alloc_size, (int64_t)malloc_usable_size(memory));
    return memory;
}

void *malloc(size_t size) {
    return support_alloc_allowed() ? support_alloc_counted(__libc_malloc(size)) : NULL;
}

void *calloc(size_t count, size_t size) {
    return support_alloc_allowed() ? support_alloc_counted(__libc_calloc(count, size)) : NULL;
}

void *realloc(void *memory, size_t size) {
    if (!memory) {
        return malloc(size);
    }
    if (!support_alloc_allowed()) {
        return NULL;
    }
    int64_t before = (int64_t)malloc_usable_size(memory);
    void *after = __libc_realloc(memory, size);
    ai64_fetch_add_relaxed(&support_alloc_size, after ? (int64_t)malloc_usable_size(after) - before : 0);
    return after;
}

void *memalign(size_t alignment, size_t size) {
    return support_alloc_allowed() ? support_alloc_counted(__libc_memalign(alignment, size)) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void free(void *memory) {
    ai64_fetch_sub_relaxed(&support_alloc_balance, memory != NULL);
    ai64_fetch_sub_relaxed(&support_alloc_size, (int64_t)malloc_usable_size(memory));
    __libc_free(memory);
}

#endif

#endif
