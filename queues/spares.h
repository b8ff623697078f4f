/*
 * A few pieces of memory that are kept for the next time instead of being freed, for queues made of blocks: in the
 * steady state nothing is allocated, and after a burst all but a stated number are freed.
 *
 * Contract. Any number of threads. What is kept belongs to nobody else; who takes it has it alone, and whatever was
 * done to it before it was kept happened before.
 *
 * Progress: wait-free, but for free. A look passes over the cells once, so it may miss what comes behind its back; then
 * one piece more is allocated or freed, nothing worse.
 *
 * ABA: none. A cell is exchanged as a whole, for nothing is linked, and nothing is read of a piece before it is taken.
 *
 * Memory order.
 *   [1] look whether a cell holds something: relaxed, a hint for [2] and [3]
 *   [2] take: acquire, pairs with [3]: what was done to the piece before
 *   [3] keep, where nothing was: release, pairs with [2]
 *
 * Rejected: a linked stack (a compare-and-swap that has to tell a head from the same head later).
 */
#ifndef STEALYARD_QUEUES_SPARES_H
#define STEALYARD_QUEUES_SPARES_H

#include "queues/atomics.h"

#include <stdlib.h>

SY_INLINE void spares_init(struct aptr *cells, size_t n) {
    for (size_t i = 0; i < n; i++) {
        aptr_store_relaxed(&cells[i], NULL);
    }
}

/* NULL: none is kept. */
static inline void *spares_take(struct aptr *cells, size_t n) {
    void *memory = NULL;
    for (size_t i = 0; i < n && !memory; i++) {
        if (aptr_load_relaxed(&cells[i])) {                  /* [1] */
            memory = aptr_exchange_acquire(&cells[i], NULL); /* [2] */
        }
    }
    return memory;
}

/* Keeps or frees it. */
static inline void spares_keep(struct aptr *cells, size_t n, void *memory) {
    for (size_t i = 0; i < n; i++) {
        void *none = NULL;
        if (!aptr_load_relaxed(&cells[i]) && aptr_cas_release(&cells[i], &none, memory)) { /* [1] [3] */
            return;
        }
    }
    free(memory);
}

/* Once nobody else is there. */
static inline void spares_free(struct aptr *cells, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(aptr_load_relaxed(&cells[i]));
    }
}

#endif
