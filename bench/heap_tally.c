/*
 * Preloaded into a server (LD_PRELOAD), keeps account of what it has from malloc and its kin: a page of memory shared
 * with whoever reads the file that STEALYARD_HEAP_TALLY names, with the bytes in use and the blocks in use, both as
 * 64-bit numbers of the machine. A block counts with glibc's header. glibc's internal names are used: it is not built
 * elsewhere. What a program has from mmap(2), as Go's heap, is not seen.
 *
 * All accesses are relaxed: they are sums, and who reads them waits until nothing moves.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queues/atomics.h"

enum { HEADER = sizeof(size_t) };

struct tally {
    struct au64 bytes, blocks;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static struct tally early; /* until the file is there, and if there is none */
static struct aptr shared;

static struct tally *tally(void) {
    struct tally *found = aptr_load_relaxed(&shared);
    return found ? found : &early;
}

/* Before main, so one thread. */
__attribute__((constructor)) static void share(void) {
    const char *path = getenv("STEALYARD_HEAP_TALLY");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *page = fd >= 0 ? mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        close(fd);
    }
    if (page != MAP_FAILED) {
        struct tally *mine = page;
        au64_store_relaxed(&mine->bytes, au64_load_relaxed(&early.bytes));
        au64_store_relaxed(&mine->blocks, au64_load_relaxed(&early.blocks));
        aptr_store_relaxed(&shared, page);
    }
}

static void *gain(void *block) {
    if (block) {
        au64_fetch_add_relaxed(&tally()->bytes, malloc_usable_size(block) + HEADER);
        au64_fetch_add_relaxed(&tally()->blocks, 1);
    }
    return block;
}

static void lose(void *block) {
    if (block) {
        au64_fetch_sub_relaxed(&tally()->bytes, malloc_usable_size(block) + HEADER);
        au64_fetch_sub_relaxed(&tally()->blocks, 1);
    }
}

void *malloc(size_t size) {
    return gain(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
    return gain(__libc_calloc(n, size));
}

void *realloc(void *old, size_t size) {
    size_t before = old ? malloc_usable_size(old) + HEADER : 0;
    void *block = __libc_realloc(old, size);
    if (block || size == 0) { /* otherwise the old one is still there */
        au64_fetch_sub_relaxed(&tally()->bytes, before);
        au64_fetch_sub_relaxed(&tally()->blocks, old ? 1 : 0);
    }
    return gain(block);
}

void free(void *block) {
    lose(block);
    __libc_free(block);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return gain(__libc_memalign(alignment, size));
}

void *memalign(size_t alignment, size_t size) {
    return gain(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    void *block = gain(__libc_memalign(alignment, size));
    if (!block) {
        return ENOMEM;
    }
    *out = block;
    return 0;
}
