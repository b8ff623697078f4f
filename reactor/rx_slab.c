/*
 * Memory for sources in chunks that double, with a free list under a mutex: registering is not the hot path, and
 * finding a source takes no lock. See rx_slab.h.
 *
 * (1) take: store release of a new chunk's address. Partner (2): the chunk is zero before it can be found.
 * (2) at: load acquire. The index reached this thread through the kernel, whose order the language does not know of.
 * (3) leave: sub acq_rel. Partner: itself; the last to leave sees that the others are done with the source. The count
 *     is set before rx_ready_shut, whose (10) hands it to those who leave later.
 */
#include "reactor/rx_slab.h"

#include <stdlib.h>

void rx_slab_init(struct rx_slab *slab, size_t size) {
    *slab = (struct rx_slab){.size = size};
    pthread_mutex_init(&slab->lock, NULL);
}

void rx_slab_destroy(struct rx_slab *slab) {
    for (int k = 0; k < RX_SLAB_CHUNKS; k++) {
        free(aptr_load_relaxed(&slab->chunks[k])); /* nobody else is left */
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
    unsigned k = chunk_of(position_of(slab->used));
    if (!aptr_load_relaxed(&slab->chunks[k])) { /* written under this lock */
        void *chunk = calloc((size_t)1 << (RX_SLAB_FIRST_BITS + k), slab->size);
        if (!chunk) {
            return NULL;
        }
        aptr_store_release(&slab->chunks[k], chunk); /* (1) */
    }
    struct rx_slab_source *source = rx_slab_at(slab, slab->used);
    source->index = slab->used++;
    return source;
}

struct rx_slab_source *rx_slab_take(struct rx_slab *slab) {
    pthread_mutex_lock(&slab->lock);
    struct rx_slab_source *source = slab->free;
    if (source) {
        slab->free = source->next_free;
    } else {
        source = take_new(slab);
    }
    pthread_mutex_unlock(&slab->lock);
    return source;
}

void rx_slab_give_back(struct rx_slab *slab, struct rx_slab_source *source) {
    rx_ready_close(&source->in);
    rx_ready_close(&source->out);
    pthread_mutex_lock(&slab->lock);
    source->next_free = slab->free;
    slab->free = source;
    pthread_mutex_unlock(&slab->lock);
}

uint32_t rx_slab_used(struct rx_slab *slab) {
    pthread_mutex_lock(&slab->lock);
    uint32_t used = slab->used;
    pthread_mutex_unlock(&slab->lock);
    return used;
}

bool rx_slab_leave(struct rx_slab_source *source) {
    return au32_fetch_sub_acq_rel(&source->to_leave, 1) == 1; /* (3) */
}

static void shut(struct rx_slab_source *source, struct rx_ready *direction) {
    if (rx_ready_shut(direction)) {
        rx_slab_leave(source);
    }
}

bool rx_slab_shut(struct rx_slab_source *source) {
    au32_store_relaxed(&source->to_leave, 3);
    shut(source, &source->in);
    shut(source, &source->out);
    return rx_slab_leave(source);
}
