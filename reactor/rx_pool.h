/*
 * The notes of rx_uring_local's inboxes: those of buffers that the kernel fills ahead, and those for descriptors that it
 * accepted ahead. Internal to reactor/.
 *
 * A pool has one owner, the thread of its slot; notes are given back from any thread (rx_inbox.h). Buffers are lent to
 * a ring of the kernel's, by number, and to one after another: a note that is in an inbox, or given back and not yet
 * seen, is not lent to the next one.
 *
 * Source: io_uring_register_buf_ring(3).
 */
#ifndef STEALYARD_REACTOR_RX_POOL_H
#define STEALYARD_REACTOR_RX_POOL_H

#include <liburing.h>

#include "reactor/rx_inbox.h"

#define RX_POOL_GROUP 0 /* the buffers' name in the ring */

struct rx_pool {
    struct rx_note *notes; /* the buffers', by their numbers */
    unsigned char *memory;
    struct io_uring_buf_ring *buffers;
    struct rx_note *spare; /* for descriptors */
    struct rx_note_chunk *chunks;
    SY_ALIGNAS(SY_CACHE_LINE) struct aptr returned;
};

/* Of a pool that is zero. 0, -ENOMEM: destroy it all the same. */
int rx_pool_create(struct rx_pool *pool);
void rx_pool_destroy(struct rx_pool *pool);

/* Lends the ring every buffer that is here. 0, -errno. */
int rx_pool_lend(struct rx_pool *pool, struct io_uring *ring);

/* Lends the ring what came back since. */
void rx_pool_lend_returned(struct rx_pool *pool);

/* The note of the buffer that a completion with these flags names. */
struct rx_note *rx_pool_filled(const struct rx_pool *pool, uint32_t flags);

/* A note for a descriptor; NULL: out of memory. */
struct rx_note *rx_pool_spare(struct rx_pool *pool);

#endif
