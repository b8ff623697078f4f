/*
 * What all back ends share: the source's common part, and the one place where an operation's system call is
 * made. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_TRY_H
#define STEALYARD_REACTOR_RX_TRY_H

#include "reactor/reactor.h"

/* Every back end's own source starts with this one. */
struct rx_source {
    int fd;
};

/*
 * Makes the operation's system call once, without blocking (EINTR is retried).
 *
 * RX_DONE: op->result holds the outcome. RX_PENDING: the call would block; try again after the next readiness.
 *
 * CONNECT starts the connection at the first call (op->tried) and looks whether it is established at the later ones; so
 * it must be called once before there is anything to wait for, and may be called on a spurious wake.
 */
enum rx_status rx_try(struct rx_op *op);

#endif
