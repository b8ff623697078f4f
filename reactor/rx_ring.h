/*
 * One io_uring that all threads share: opening it or saying why not, filling its submission queue, handing over,
 * waiting, taking completions, and waking who waits. For rx_uring_poll and rx_uring. Internal to reactor/.
 *
 * | call                  | who, how many threads at once                                            |
 * |-----------------------|--------------------------------------------------------------------------|
 * | open, close           | one, and nobody else                                                     |
 * | fill_begin … fill_end | any; a lock is held in between, so: no call, no waker, only the entry     |
 * | flush, wake, wait     | any                                                                      |
 * | take                  | one at a time                                                            |
 * | wait_for              | one at a time                                                            |
 */
#ifndef STEALYARD_REACTOR_RX_RING_H
#define STEALYARD_REACTOR_RX_RING_H

#if SY_HAVE_LIBURING

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first #include"
#endif

#include <liburing.h>
#include <pthread.h>

#include "queues/atomics.h"
#include "reactor/reactor.h"

/* In the data of a request of the ring's own; a pointer to anything is larger. */
#define RX_RING_NOBODY UINT64_C(0) /* its completion says nothing to anybody */
#define RX_RING_WAKE UINT64_C(1)

struct rx_ring {
    struct io_uring uring;
    pthread_mutex_t filling;
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 filled; /* see rx_ring.c */
    struct au32 woken;                            /* a wake is under way that no wait has seen yet */
};

/* A completion. */
struct rx_ring_event {
    uint64_t data; /* the request's user_data */
    int32_t result;
    uint32_t flags;
};

/*
 * `opcodes`: what the kernel must know besides NOP. -ENOTSUP: it does not, or this kernel, container or sandbox refuses
 * io_uring. -ENOMEM, -EMFILE, -ENFILE.
 */
int rx_ring_open(struct rx_ring *ring, const uint8_t *opcodes, size_t opcode_count);
void rx_ring_close(struct rx_ring *ring);

/*
 * An io_uring of any kind comes and goes by these two: see rx_ring.c. -ENOTSUP as above, -ENOMEM, -EMFILE, -ENFILE. One
 * thread for one ring.
 */
int rx_ring_map(struct io_uring *uring, unsigned entries, struct io_uring_params *params);
void rx_ring_unmap(struct io_uring *uring);

/*
 * The next free entry, with the lock held until fill_end; where the queue is full it is handed over first. After
 * fill_end whoever hands over next hands it over.
 */
struct io_uring_sqe *rx_ring_fill_begin(struct rx_ring *ring);
void rx_ring_fill_end(struct rx_ring *ring);

/* What was filled before this call is with the kernel when it returns. */
void rx_ring_flush(struct rx_ring *ring);

/*
 * Hands over what is filled and, if no completion is there, waits for one. 0: there may be completions; -ETIME; -EINTR;
 * or another -errno. timeout_ns as in rx_ops.wait. Returns 0 without one if another thread took it.
 */
int rx_ring_wait(struct rx_ring *ring, int64_t timeout_ns);

/* At most `most` completions into `out`; how many. */
unsigned rx_ring_take(struct rx_ring *ring, struct rx_ring_event *out, unsigned most);

/*
 * rx_ops.wait: waits as above, and reaps until that brings an event or a wake, or the limit has passed. The kernel's
 * wait also ends for what is no event; and where it handed something over it does not tell why.
 */
struct rx_ring_reaped {
    unsigned taken;  /* completions */
    unsigned events; /* the back end's, among them */
    bool woke;       /* RX_RING_WAKE was among them */
};

typedef struct rx_ring_reaped rx_ring_reap(struct rx *rx);
int rx_ring_wait_for(struct rx_ring *ring, int64_t timeout_ns, rx_ring_reap *reap, struct rx *rx);

/* Ends a wait, this one or the next: as rx_ops.wake. */
void rx_ring_wake(struct rx_ring *ring);

/* By who took RX_RING_WAKE elsewhere than in wait_for: it has to reach a wait all the same. */
void rx_ring_pass_wake_on(struct rx_ring *ring);

#endif

#endif
