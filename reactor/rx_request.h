/*
 * An operation as a request to io_uring: what the entry of the submission queue says. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_REQUEST_H
#define STEALYARD_REACTOR_RX_REQUEST_H

#if SY_HAVE_LIBURING

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first #include"
#endif

#include <liburing.h>

#include "reactor/reactor.h"

/*
 * The caller adds the operation's name (user_data). `wait_first`: there is nothing yet, as far as is known, so a
 * receive or a message is not tried before the descriptor is ready (POLL_FIRST).
 *
 * Where op->tried is set the operation goes by readiness: the request is POLL_ADD, and rx_try makes the call when it is
 * answered. At an offset there is no readiness: the request is given to a thread of the kernel's.
 */
void rx_request_prepare(struct io_uring_sqe *sqe, const struct rx_op *op, bool wait_first);

/*
 * Whether the kernel's answer, op->result, is the outcome; otherwise another request is to be made. Makes the call
 * where the operation goes by readiness, and sets op->tried where it has to go that way from now on: the answer was
 *
 *   -ECANCELED, which nobody asked for, -EINTR, or -EAGAIN (a descriptor that the kernel cannot try without blocking);
 *   -EALREADY for a connection, which an earlier operation began. Its -EAGAIN is an outcome (reactor.h).
 */
bool rx_request_has_outcome(struct rx_op *op);

/*
 * Whether it goes by readiness from the beginning: RX_READY_*, as the kernel answers a poll with the events of the
 * wake-up, of which some (POLLPRI beside POLLIN) do not hold.
 */
bool rx_request_begins_by_readiness(const struct rx_op *op);

/* No readiness is told of such an operation. */
static inline bool rx_request_is_at_offset(const struct rx_op *op) {
    return op->kind == RX_READ_AT || op->kind == RX_WRITE_AT;
}

#endif

#endif
