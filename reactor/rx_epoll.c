/*
 * Reactor back end: epoll, edge-triggered. Each descriptor is registered once, for both directions; after that no
 * operation but the wait itself makes a system call for epoll's sake.
 *
 * Source: epoll(7). Waiting and waking: rx_epoll_set.c. Readiness and wakers: rx_ready.c. Late events: rx_slab.h, and
 * the generation in the event's data.
 *
 * deregister takes the descriptor out of the epoll set before the generation changes, so the only events of the old
 * generation are those that a waiter has already fetched. It must come before close(2): a duplicate of the descriptor
 * would stay in the set, and could not be taken out any more.
 *
 * Rejected: recvmsg(2) on Unix sockets, which tells (MSG_CTRUNC) whether a short count is for a passed descriptor, and
 * so spares the call that finds nothing: 290 ns, of which the longer call takes 190. Asking for POLLOUT there only when
 * a send has found no room, as a Unix socket tells room whenever its peer has read: both together took 7 % from a byte
 * there and back, and nothing that could be told from libevent's bench.
 *
 * Progress: register and deregister take a mutex. The rest as in rx_epoll_set.c and rx_ready.c; the threads share no
 * other word, so there is no access to number here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/rx_epoll_set.h"

struct rx {
    bool speculative;
    struct rx_slab sources;
    struct rx_epoll_set set;
};

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct rx_slab_source *source) {
    int fd = source->base.fd;
    rx_epoll_set_remove(&rx->set, fd);
    rx_slab_give_back(&rx->sources, source);
    close(fd);
}

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        close_source(rx, rx_readiness_source(op));
    }
}

static enum rx_status rx_epoll_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    close_if_last(rx, op);
    return status;
}

static enum rx_status rx_epoll_cancel(struct rx *rx, struct rx_op *op) {
    rx_readiness_cancel(op);
    close_if_last(rx, op);
    return RX_DONE;
}

static int rx_epoll_register(struct rx *rx, int fd, struct rx_source **out) {
    struct rx_slab_source *source = rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->base.fd = fd;
    rx_slab_set_drains(source, !rx->speculative && rx_readiness_drains(fd)); /* who tries first does not ask */
    int error = rx_epoll_set_ask(&rx->set, EPOLL_CTL_ADD, source, RX_EVENTS_IN | RX_EVENTS_OUT | EPOLLET);
    if (error) {
        rx_slab_give_back(&rx->sources, source);
        return error;
    }
    *out = &source->base;
    return 0;
}

static void rx_epoll_deregister(struct rx *rx, struct rx_source *base) {
    rx_epoll_set_remove(&rx->set, base->fd);
    rx_slab_give_back(&rx->sources, (struct rx_slab_source *)base);
}

static void rx_epoll_close(struct rx *rx, struct rx_source *base) {
    struct rx_slab_source *source = (struct rx_slab_source *)base;
    if (rx_slab_shut(source)) {
        close_source(rx, source);
    }
}

static int rx_epoll_wait(struct rx *rx, int64_t timeout_ns) {
    int count = rx_epoll_set_fetch(&rx->set, timeout_ns), handled = 0;
    for (int i = 0; i < count; i++) {
        uint64_t key = rx->set.events[i].data.u64;
        struct rx_slab_source *source = rx_readiness_at(&rx->sources, key);
        handled += rx_readiness_tell(source, rx_readiness_generation(key), rx->set.events[i].events);
    }
    return count < 0 ? count : handled;
}

static void rx_epoll_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_epoll_set_wake(&rx->set);
}

static void rx_epoll_destroy(struct rx *rx) {
    rx_epoll_set_close(&rx->set);
    rx_slab_destroy(&rx->sources);
    free(rx);
}

static int rx_epoll_create(struct rx **out, const struct rx_config *config) {
    if (config->slots == 0) {
        return -EINVAL;
    }
    struct rx *rx = aligned_alloc(SY_CACHE_LINE, sizeof *rx);
    if (!rx) {
        return -ENOMEM;
    }
    int error = rx_epoll_set_open(&rx->set, config->batch);
    if (error) {
        free(rx);
        return error;
    }
    rx->speculative = config->speculative;
    rx_slab_init(&rx->sources, sizeof(struct rx_slab_source));
    *out = rx;
    return 0;
}

const struct rx_ops rx_epoll_ops = {
    .name = "rx_epoll",
    .summary = "epoll, edge-triggered, each descriptor registered once",
    .source = "epoll(7)",
    .cost = "receive that waits 1 call with `speculative` off, 2 on; send 1; wait 1 for a batch; per source 64 bytes, "
            "48 more once a send has waited, and about 200 in the kernel",
    .caveat = "one epoll set saturates at about 192 cores (golang issue 65064)",
    .missing = NULL,
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
    .create = rx_epoll_create,
    .destroy = rx_epoll_destroy,
    .register_fd = rx_epoll_register,
    .deregister = rx_epoll_deregister,
    .close = rx_epoll_close,
    .poll = rx_epoll_poll,
    .cancel = rx_epoll_cancel,
    .flush = NULL,
    .attach = NULL,
    .detach = NULL,
    .wait = rx_epoll_wait,
    .wake = rx_epoll_wake,
};
