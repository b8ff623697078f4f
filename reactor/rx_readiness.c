/* See rx_readiness.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include "reactor/rx_readiness.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>

#define TROUBLE (POLLHUP | POLLERR | POLLNVAL) /* concerns both directions */

static struct rx_ready *direction_of(const struct rx_op *op) {
    struct rx_slab_source *source = rx_readiness_source(op);
    return rx_kind_is_in(op->kind) ? &source->in.ready : &source->out.ready;
}

enum rx_status rx_readiness_poll_by(rx_attempt *attempt, struct rx_op *op, const struct sy_waker *waker,
                                    bool speculative) {
    struct rx_slab_source *source = rx_readiness_source(op);
    bool begin_connect = op->kind == RX_CONNECT && !op->tried;
    if (begin_connect) {
        rx_ready_forget_hangup(&source->in.ready);
        rx_ready_forget_hangup(&source->out.ready);
    }
    bool unasked = begin_connect || (speculative && !op->armed);
    return rx_ready_poll_by(attempt, direction_of(op), op, waker, unasked, rx_slab_drains(source));
}

enum rx_status rx_readiness_poll(struct rx_op *op, const struct sy_waker *waker, bool speculative) {
    return rx_readiness_poll_by(rx_try, op, waker, speculative);
}

void rx_readiness_cancel(struct rx_op *op) {
    rx_ready_cancel(direction_of(op), op);
}

bool rx_readiness_ends_source(const struct rx_op *op) {
    return op->orphaned && rx_slab_leave(rx_readiness_source(op));
}

unsigned rx_readiness_wanted(enum rx_kind kind) {
    if (kind == RX_READY_IN) {
        return RX_EVENTS_IN;
    }
    return rx_kind_is_in(kind) ? POLLIN : RX_EVENTS_OUT;
}

unsigned rx_readiness_concerned(unsigned events) {
    unsigned in = events & (RX_EVENTS_IN | TROUBLE) ? RX_EVENTS_IN : 0;
    return events & (RX_EVENTS_OUT | TROUBLE) ? in | RX_EVENTS_OUT : in;
}

bool rx_readiness_tell(struct rx_slab_source *source, uint16_t generation, unsigned events) {
    unsigned concerned = rx_readiness_concerned(events);
    bool current = false;
    if (concerned & RX_EVENTS_IN) {
        current |= rx_ready_edge(&source->in.ready, generation, events & (POLLRDHUP | POLLPRI | TROUBLE));
    }
    if (concerned & RX_EVENTS_OUT) {
        current |= rx_ready_edge(&source->out.ready, generation, events & TROUBLE);
    }
    return current;
}

int rx_readiness_admits(int fd) {
    struct stat status;
    if (fstat(fd, &status)) {
        return -errno;
    }
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

bool rx_readiness_drains(int fd) {
    int protocol = 0, domain = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}
