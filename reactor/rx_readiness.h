/*
 * What the readiness back ends share on top of rx_slab and rx_ready: their poll, their cancel, and what the kernel's
 * events mean for the directions of a source. Events are those of poll(2) throughout; epoll's and io_uring's have the
 * same values. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_READINESS_H
#define STEALYARD_REACTOR_RX_READINESS_H

#include "reactor/rx_slab.h"

/* Where the system has no POLLRDHUP the end of the stream is POLLIN or POLLHUP alone. */
#include <poll.h>
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif

#define RX_EVENTS_IN ((unsigned)(POLLIN | POLLPRI | POLLRDHUP))
#define RX_EVENTS_OUT ((unsigned)POLLOUT)

static inline struct rx_slab_source *rx_readiness_source(const struct rx_op *op) {
    return (struct rx_slab_source *)op->source;
}

/*
 * rx_ops.poll and cancel, up to what the back end adds: asking the kernel where that is still to be done after
 * RX_PENDING, and after each of the two, if rx_readiness_ends_source, closing the source. A cancel is always done at
 * once.
 */
enum rx_status rx_readiness_poll(struct rx_op *op, const struct sy_waker *waker, bool speculative);
void rx_readiness_cancel(struct rx_op *op);

/* rx_readiness_poll with another call than rx_try's, as in rx_ready_poll_by. */
enum rx_status rx_readiness_poll_by(rx_attempt *attempt, struct rx_op *op, const struct sy_waker *waker,
                                    bool speculative);

/* The operation has just ended, and was the last to leave a source that is closed: call once. */
bool rx_readiness_ends_source(const struct rx_op *op);

/* The events that an operation of this kind waits for, besides POLLERR and POLLHUP, which are always told. */
unsigned rx_readiness_wanted(enum rx_kind kind);

/* Of RX_EVENTS_IN and RX_EVENTS_OUT those of the directions that these events concern. */
unsigned rx_readiness_concerned(unsigned events);

/* rx_ready_edge in the directions concerned. false: the source is of another generation. By who waits, as that. */
bool rx_readiness_tell(struct rx_slab_source *source, uint16_t generation, unsigned events);

/* Whether this can be waited for: 0, -EBADF, or -EPERM for a file that poll(2) would call ready always. */
int rx_readiness_admits(int fd);

/* A TCP socket: a short count shows an empty buffer. A Unix socket also stops where descriptors were passed. */
bool rx_readiness_drains(int fd);

/* Names a source and its generation in 48 bits, for what the kernel hands back with an event. */
static inline uint64_t rx_readiness_key(const struct rx_slab_source *source) {
    return (uint64_t)rx_slab_index(source) << 16 | rx_ready_generation(&source->in.ready);
}

static inline struct rx_slab_source *rx_readiness_at(struct rx_slab *slab, uint64_t key) {
    return rx_slab_at(slab, (uint32_t)(key >> 16));
}

static inline uint16_t rx_readiness_generation(uint64_t key) {
    return (uint16_t)key;
}

#endif
