/*
 * Type-stable memory for the sources of a back end: an index finds its source for ever, and a source's memory
 * stays a source until the reactor is destroyed, so that an event that comes late finds a generation to compare and not
 * somebody else's bytes. Thread-safe; any thread takes, gives back and finds. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_SLAB_H
#define STEALYARD_REACTOR_RX_SLAB_H

#include <pthread.h>

#include "queues/atomics.h"
#include "reactor/rx_ready.h"
#include "reactor/rx_try.h"

/* What a back end's own source starts with. */
struct rx_slab_source {
    struct rx_source base;
    uint32_t index;
    struct rx_ready in, out;
    struct rx_slab_source *next_free;
    struct au32 to_leave; /* while it is closed: who still has to leave it, of the closer, in and out */
    bool drains;          /* see rx_ready_poll_by */
};

/* Chunk k holds 64 << k sources, so a descriptor's int is always enough. */
#define RX_SLAB_FIRST_BITS 6
#define RX_SLAB_CHUNKS 26

struct rx_slab {
    pthread_mutex_t lock;
    size_t size; /* of a source, the back end's own part included */
    struct rx_slab_source *free;
    uint32_t used; /* sources ever taken for the first time */
    struct aptr chunks[RX_SLAB_CHUNKS];
};

/* `size`: of the back end's source, which starts with struct rx_slab_source; what it adds is zero when first taken. */
void rx_slab_init(struct rx_slab *slab, size_t size);
void rx_slab_destroy(struct rx_slab *slab);

/* NULL: out of memory. Allocates only if more sources are in use than ever before. */
struct rx_slab_source *rx_slab_take(struct rx_slab *slab);

/* Begins the next generation: late events of this one do nothing. No operation may be in flight. */
void rx_slab_give_back(struct rx_slab *slab, struct rx_slab_source *source);

/*
 * Closing, for the readiness back ends: rx_slab_shut ends both directions and leaves for the closer; whoever ends an
 * orphaned operation leaves for its direction. True for the last to leave, who takes the descriptor from the kernel's
 * set, gives the source back and closes the descriptor.
 */
bool rx_slab_shut(struct rx_slab_source *source);
bool rx_slab_leave(struct rx_slab_source *source);

/* How many were ever handed out: every index is less. */
uint32_t rx_slab_used(struct rx_slab *slab);

/* The source of an index that was handed out. */
struct rx_slab_source *rx_slab_at(struct rx_slab *slab, uint32_t index);

#endif
