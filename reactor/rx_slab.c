/*
 * Memory for sources in chunks that double, with a free list under a mutex: registering is not the hot path, and
 * finding a source takes no lock. See rx_slab.h.
 *
 * (1) take: store release of a new chunk's address. Partner (2): the chunk is zero before it can be found.
 * (2) at: load acquire. The index reached this thread through the kernel, whose order the language does not know of.
 * (3) leave: sub acq_rel. Partner: itself; the last to leave sees that the others are done with the source. The count
 *     is set before rx_ready_shut, whose (10) hands it to those who leave later.
 * (4) the other accesses to the tag: relaxed, without a partner. The index is written once and the bit by who has taken
 *     the source, and both are handed over with it; the count changes neither.
 *
 * A source's tag: its index, whether it drains, and, while it is closed, how many still have to leave it, of the
 * closer, in and out.
 */
#include "reactor/rx_slab.h"

#include <stdlib.h>

#define TO_LEAVE UINT32_C(3)
#define DRAINS UINT32_C(4)
#define INDEX_SHIFT 3

#define NONE (-1)

void rx_slab_init(struct rx_slab *slab, size_t size) {
    *slab = (struct rx_slab){.size = size, .free = NONE};
    pthread_mutex_init(&slab->lock, NULL);
}

void rx_slab_destroy(struct rx_slab *slab) {
    for (uint32_t index = 0; index < slab->used; index++) {
        rx_ready_free_apart(&rx_slab_at(slab, index)->out);
    }
    for (int k = 0; k < RX_SLAB_CHUNKS; k++) {
        free(slab->memory[k]);
    }
    pthread_mutex_destroy(&slab->lock);
}

/* The chunk of a position, where positions count from 64 so that chunk k begins at 64 << k. */
static unsigned chunk_of(uint64_t position) {
    return 63 - (unsigned)__builtin_clzll(position) - RX_SLAB_FIRST_BITS;
}

static uint64_t position_of(uint32_t index) {
    return (uint64_t)index + (1 << RX_SLAB_FIRST_BITS);
}

struct rx_slab_source *rx_slab_at(struct rx_slab *slab, uint32_t index) {
    uint64_t position = position_of(index);
    unsigned k = chunk_of(position);
    unsigned char *chunk = aptr_load_acquire(&slab->chunks[k]); /* (2) */
    return (struct rx_slab_source *)(chunk + (position - (UINT64_C(1) << (RX_SLAB_FIRST_BITS + k))) * slab->size);
}

/* A source that was never used; under the lock. */
static struct rx_slab_source *take_new(struct rx_slab *slab) {
    if (slab->used > UINT32_MAX >> INDEX_SHIFT) {
        return NULL; /* no room in a tag; there are hardly as many descriptors */
    }
    unsigned k = chunk_of(position_of(slab->used));
    if (!slab->memory[k]) {
        size_t size = ((size_t)1 << (RX_SLAB_FIRST_BITS + k)) * slab->size;
        unsigned char *memory = calloc(1, size + SY_CACHE_LINE - 1); /* whose pages are taken when they are used */
        if (!memory) {
            return NULL;
        }
        slab->memory[k] = memory;
        aptr_store_release(&slab->chunks[k], memory + (-(uintptr_t)memory & (SY_CACHE_LINE - 1))); /* (1) */
    }
    struct rx_slab_source *source = rx_slab_at(slab, slab->used);
    au32_store_relaxed(&source->tag, slab->used << INDEX_SHIFT); /* (4) */
    rx_ready_open_apart(&source->out);
    slab->used++;
    return source;
}

struct rx_slab_source *rx_slab_take(struct rx_slab *slab) {
    struct rx_slab_source *source;
    pthread_mutex_lock(&slab->lock);
    if (slab->free != NONE) {
        source = rx_slab_at(slab, (uint32_t)slab->free);
        slab->free = source->base.fd;
    } else {
        source = take_new(slab);
    }
    pthread_mutex_unlock(&slab->lock);
    return source;
}

void rx_slab_give_back(struct rx_slab *slab, struct rx_slab_source *source) {
    rx_ready_close(&source->in.ready);
    rx_ready_close(&source->out.ready);
    pthread_mutex_lock(&slab->lock);
    source->base.fd = slab->free;
    slab->free = (int)rx_slab_index(source);
    pthread_mutex_unlock(&slab->lock);
}

uint32_t rx_slab_index(const struct rx_slab_source *source) {
    return au32_load_relaxed(&source->tag) >> INDEX_SHIFT; /* (4) */
}

bool rx_slab_drains(const struct rx_slab_source *source) {
    return au32_load_relaxed(&source->tag) & DRAINS; /* (4) */
}

void rx_slab_set_drains(struct rx_slab_source *source, bool drains) {
    uint32_t tag = au32_load_relaxed(&source->tag);
    au32_store_relaxed(&source->tag, drains ? tag | DRAINS : tag & ~DRAINS); /* (4) */
}

uint32_t rx_slab_used(struct rx_slab *slab) {
    pthread_mutex_lock(&slab->lock);
    uint32_t used = slab->used;
    pthread_mutex_unlock(&slab->lock);
    return used;
}

bool rx_slab_leave(struct rx_slab_source *source) {
    return (au32_fetch_sub_acq_rel(&source->tag, 1) & TO_LEAVE) == 1; /* (3) */
}

static void shut(struct rx_slab_source *source, struct rx_ready *direction) {
    if (rx_ready_shut(direction)) {
        rx_slab_leave(source);
    }
}

void rx_slab_expect_all(struct rx_slab_source *source) {
    au32_store_relaxed(&source->tag, au32_load_relaxed(&source->tag) | TO_LEAVE); /* (4) */
}

bool rx_slab_shut(struct rx_slab_source *source) {
    rx_slab_expect_all(source);
    shut(source, &source->in.ready);
    shut(source, &source->out.ready);
    return rx_slab_leave(source);
}
