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

/* What a back end's own source starts with: a cache line, and at the beginning of one if its size is a multiple. */
struct rx_slab_source {
    struct rx_source base; /* of one that is free: the next free one's index instead of a descriptor, or -1 */
    struct au32 tag;       /* see rx_slab.c */
    struct rx_ready_here in;
    struct rx_ready_apart out; /* few wait there, over a back end that is told room before it is asked for */
};
_Static_assert(sizeof(void *) != 8 || sizeof(struct rx_slab_source) == 64, "a cache line");

/* Chunk k holds 64 << k sources: enough for any index that a tag has bits for. */
#define RX_SLAB_FIRST_BITS 6
#define RX_SLAB_CHUNKS 26

struct rx_slab {
    pthread_mutex_t lock;
    size_t size; /* of a source, the back end's own part included */
    int free;      /* index, or -1 */
    uint32_t used; /* sources ever taken for the first time */
    void *memory[RX_SLAB_CHUNKS];
    struct aptr chunks[RX_SLAB_CHUNKS]; /* the first cache line in each */
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
 * set, gives the source back and closes the descriptor. rx_slab_expect_all, by the closer, comes before the first
 * leaves; rx_slab_shut begins with it.
 */
void rx_slab_expect_all(struct rx_slab_source *source);
bool rx_slab_shut(struct rx_slab_source *source);
bool rx_slab_leave(struct rx_slab_source *source);

uint32_t rx_slab_index(const struct rx_slab_source *source);

/* See rx_ready_poll_by. Set by who has just taken the source, and kept until somebody sets it again. */
bool rx_slab_drains(const struct rx_slab_source *source);
void rx_slab_set_drains(struct rx_slab_source *source, bool drains);

/* How many were ever handed out: every index is less. */
uint32_t rx_slab_used(struct rx_slab *slab);

/* The source of an index that was handed out. */
struct rx_slab_source *rx_slab_at(struct rx_slab *slab, uint32_t index);

#endif
