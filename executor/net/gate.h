/*
 * Internal to executor/net: the gate between closing a socket and beginning operations on it.
 *
 * The reactor lets a source be closed while operations are in flight, but none may begin meanwhile or later: the source
 * is somebody else's then. A task cannot keep to that by itself. Between two polls its operation may not be in flight
 * though it is pending, because its budget was spent, because it pauses, or because half of it was sent. So each
 * beginning goes through here: the closer turns the socket off and waits until nobody is inside, which takes as long as
 * one poll of the reactor. Only an operation's beginning pays, with one read-modify-write.
 *
 * (1) enter: exchange seq_cst, 1 to the direction's word. Partners (4), (5).
 * (2) enter: load seq_cst of `open`. Partner (4).
 * (3) leave: store release, 0. Partner (5).
 * (4) shut: exchange seq_cst, 0 to `open`. Also makes one of several closers the one.
 * (5) shut: load seq_cst, both directions' words until they are 0.
 *
 * (1) comes before (2) and (4) before (5) in the one order of all seq_cst accesses. So either (2) reads what (4) wrote,
 * and the operation does not begin; or (5) comes after (1) and waits for (3), whose release hands over what the poll
 * did with the source. Who finds a 1 at (1) is the second in its direction and is refused without waiting; the first
 * takes the mark away.
 *
 * Rejected: a count of those inside, which takes two read-modify-writes for each operation; a reference count in the
 * source, which every back end would have to keep.
 */
#ifndef STEALYARD_EXECUTOR_NET_GATE_H
#define STEALYARD_EXECUTOR_NET_GATE_H

#include <sched.h>

#include "executor/net/socket.h"

enum net_gate { NET_GATE_ENTERED, NET_GATE_BUSY, NET_GATE_SHUT };

/* NET_GATE_ENTERED: the socket's source stays until net_gate_leave. Any thread. */
static inline enum net_gate net_gate_enter(struct sy_socket *socket, unsigned direction) {
    struct au32 *inside = &socket->inside[direction];
    if (au32_exchange_seq_cst(inside, 1)) { /* (1) */
        return NET_GATE_BUSY;
    }
    if (!au32_load_seq_cst(&socket->open)) { /* (2) */
        au32_store_release(inside, 0);       /* (3) */
        return NET_GATE_SHUT;
    }
    return NET_GATE_ENTERED;
}

static inline void net_gate_leave(struct sy_socket *socket, unsigned direction) {
    au32_store_release(&socket->inside[direction], 0); /* (3) */
}

/* False: it was shut before, or never open. */
static inline bool net_gate_shut(struct sy_socket *socket) {
    if (!au32_exchange_seq_cst(&socket->open, 0)) { /* (4) */
        return false;
    }
    for (unsigned direction = 0; direction < 2; direction++) {
        while (au32_load_seq_cst(&socket->inside[direction])) { /* (5) */
            sched_yield();
        }
    }
    return true;
}

#endif
