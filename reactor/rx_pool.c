/* See rx_pool.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#if SY_HAVE_LIBURING

#include "reactor/rx_pool.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFERS 1024      /* a power of two */
#define BUFFER_SIZE 4096u /* touched only as far as messages are long */
#define CHUNK 64          /* notes for descriptors, made at once */

struct rx_note_chunk {
    struct rx_note_chunk *next;
    struct rx_note notes[CHUNK];
};

int rx_pool_create(struct rx_pool *pool) {
    pool->notes = calloc(BUFFERS, sizeof *pool->notes);
    pool->memory = malloc(BUFFERS * BUFFER_SIZE);
    pool->buffers = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    if (!pool->notes || !pool->memory || !pool->buffers) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        pool->notes[i] = (struct rx_note){
            .returned = &pool->returned, .data = pool->memory + i * BUFFER_SIZE, .buffer = (uint16_t)i};
    }
    return 0;
}

void rx_pool_destroy(struct rx_pool *pool) {
    while (pool->chunks) {
        struct rx_note_chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        free(chunk);
    }
    free(pool->buffers);
    free(pool->memory);
    free(pool->notes);
}

static void lend(struct rx_pool *pool, const struct rx_note *note, int offset) {
    io_uring_buf_ring_add(pool->buffers, note->data, BUFFER_SIZE, note->buffer, io_uring_buf_ring_mask(BUFFERS),
                          offset);
}

static void take_returned(struct rx_pool *pool, bool to_kernel) {
    struct rx_note *note = rx_notes_take_returned(&pool->returned);
    int count = 0;
    while (note) {
        struct rx_note *next = note->next;
        note->lent = false;
        if (!note->data) {
            note->next = pool->spare;
            pool->spare = note;
        } else if (to_kernel) {
            lend(pool, note, count++);
        }
        note = next;
    }
    if (count > 0) {
        io_uring_buf_ring_advance(pool->buffers, count);
    }
}

int rx_pool_lend(struct rx_pool *pool, struct io_uring *ring) {
    struct io_uring_buf_reg group = {
        .ring_addr = (uintptr_t)pool->buffers, .ring_entries = BUFFERS, .bgid = RX_POOL_GROUP};
    io_uring_buf_ring_init(pool->buffers);
    int error = io_uring_register_buf_ring(ring, &group, 0);
    if (error) {
        return error;
    }
    take_returned(pool, false);
    int count = 0;
    for (unsigned i = 0; i < BUFFERS; i++) {
        if (!pool->notes[i].lent) {
            lend(pool, &pool->notes[i], count++);
        }
    }
    io_uring_buf_ring_advance(pool->buffers, count);
    return 0;
}

void rx_pool_lend_returned(struct rx_pool *pool) {
    take_returned(pool, true);
}

struct rx_note *rx_pool_filled(const struct rx_pool *pool, uint32_t flags) {
    return &pool->notes[flags >> IORING_CQE_BUFFER_SHIFT];
}

struct rx_note *rx_pool_spare(struct rx_pool *pool) {
    if (!pool->spare) {
        struct rx_note_chunk *chunk = calloc(1, sizeof *chunk);
        if (!chunk) {
            return NULL;
        }
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        for (int i = 0; i < CHUNK; i++) {
            chunk->notes[i] = (struct rx_note){.next = pool->spare, .returned = &pool->returned};
            pool->spare = &chunk->notes[i];
        }
    }
    struct rx_note *note = pool->spare;
    pool->spare = note->next;
    return note;
}

#endif
