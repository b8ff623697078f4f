/* A ring of io_uring for one thread, as the two limits over io_uring use it: DEFER_TASKRUN, so the kernel completes
 * requests only while the thread asks for completions. */
#ifndef STEALYARD_BENCH_PEERS_LIMIT_RING_H
#define STEALYARD_BENCH_PEERS_LIMIT_RING_H

#include <liburing.h>

#include "bench/peers/limit/limit.h"

/* Ends the process with 77 and says why if the kernel or the container refuses such a ring. */
void limit_need_ring(void);
void limit_open_ring(struct io_uring *ring);

/* Never NULL: what is there already is submitted if there is no room. */
struct io_uring_sqe *limit_sqe(struct io_uring *ring);

/* Asks to be told of a signal, under user data `tag`, and of the listener's connections, under `accepted`. */
void limit_begin(struct io_uring *ring, int signals, void *tag, int listener, void *accepted);

/* Submits, waits for a completion at least and hands each to `take` until one returns false. */
void limit_run(struct io_uring *ring, bool (*take)(struct io_uring *ring, const struct io_uring_cqe *cqe));

#endif
