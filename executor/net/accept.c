/*
 * Accepting. See accept.h.
 *
 * What to do when descriptors run out: accept(2) then fails without taking the connection from the backlog, so an
 * edge-triggered back end gets no new event for it and a level-triggered one would get it without end. A timer asks
 * again. Rejected: a descriptor kept in reserve, closed to accept the connection and drop it. It needs care between
 * threads, and a peer that waits a moment is better served than one that is refused.
 */
#include "executor/net/accept.h"

#include <errno.h>
#include <unistd.h>

#include "executor/net/future_type.h"

#define PAUSE_NS 20000000

static bool is_shortage(int error) {
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM || error == -ENOSPC;
}

/* The connection's own failure, which accept(2) reports in its place. */
static bool is_connection_error(int error) {
    switch (error) {
    case -ECONNABORTED:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
#ifdef ENONET
    case -ENONET:
#endif
        return true;
    default:
        return false;
    }
}

/* Makes a socket of what the operation brought. 0 or -errno. */
static int take(struct sy_accept *f, int64_t result) {
    if (result < 0) {
        return (int)result;
    }
    int error = sy_socket_from_fd(&f->connection, f->io.runtime, (int)result);
    if (error) {
        close((int)result);
    }
    return error;
}

static void begin(struct sy_accept *f) {
    rx_op_init(&f->io.op, RX_ACCEPT, NULL, NULL, 0);
}

static void begin_pause(struct sy_accept *f) {
    sy_sleep_init_after(&f->pause, f->io.runtime, PAUSE_NS);
    f->pausing = true;
}

void sy_accept_init(struct sy_accept *f, struct sy_socket *listener) {
    sy_io_init(&f->io, listener, RX_ACCEPT, NULL, 0);
    f->connection = (struct sy_socket){.fd = -1};
    f->pausing = false;
    f->result = -ECANCELED;
}

enum sy_poll sy_accept_poll(struct sy_accept *f, struct sy_context *cx) {
    for (;;) {
        int64_t accepted;
        if (f->pausing && sy_sleep_poll(&f->pause, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->pausing = false;
        if (sy_io_poll(&f->io, cx, &accepted) == SY_PENDING) {
            return SY_PENDING;
        }
        f->result = take(f, accepted);
        begin(f);
        if (is_shortage(f->result)) {
            begin_pause(f);
        } else if (!is_connection_error(f->result)) {
            return SY_READY;
        }
    }
}

void sy_accept_drop(struct sy_accept *f) {
    int64_t accepted = -ECANCELED;
    if (f->pausing) {
        sy_sleep_drop(&f->pause);
        f->pausing = false;
    }
    sy_io_drop(&f->io, &accepted);
    if (accepted >= 0) {
        close((int)accepted);
    }
}

NET_FUTURE_TYPE(accept);
