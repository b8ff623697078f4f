/*
 * Reactor back end: epoll, edge-triggered. Each descriptor is registered once, for both directions; after that no
 * operation but the wait itself makes a system call for epoll's sake.
 *
 * Source: epoll(7). Readiness and wakers: rx_ready.c. Late events: rx_slab.h, and the generation in the event's data.
 *
 * deregister takes the descriptor out of the epoll set before the generation changes, so the only events of the old
 * generation are those that a waiter has already fetched. It must come before close(2): a duplicate of the descriptor
 * would stay in the set, and could not be taken out any more.
 *
 * A short count shows an empty buffer for TCP only: a Unix socket also stops where descriptors were passed.
 *
 * Progress: wake is one exchange if one is already pending. Of several at once the first makes the system call; if its
 * thread stalls between the two, the wait lasts until it goes on or an event comes. register and deregister take a
 * mutex.
 *
 * Accesses of `woken`:
 *
 * (1) wake: exchange acq_rel, 1. Release: partner (2). Acquire: a wake that finds 1 has nothing to do, whatever it sees.
 * (2) wait: exchange acquire, 0, when the eventfd's event has come. What was done before any wake() up to here, also one
 *     that found 1 and wrote nothing, is visible to the caller of this wait: those exchanges come before this one, in
 *     one release sequence. A wake() after it finds 0 and writes again, which is a new edge.
 *
 * The eventfd is never read: each write is an edge of its own, whatever the count was, and the count would be full only
 * after 2^64 writes. A write before the wait began stays an event until one fetches it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "reactor/rx_slab.h"

#define WAKE_KEY UINT64_MAX /* larger than any source's */
#define MAX_EVENTS (INT_MAX / (int)sizeof(struct epoll_event))

struct rx {
    int epoll_fd, event_fd;
    int batch;
    bool speculative;
    bool nanoseconds; /* the kernel has epoll_pwait2 */
    struct rx_slab sources;
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 woken;           /* a wake is under way that no wait has noticed yet */
    SY_ALIGNAS(SY_CACHE_LINE) struct epoll_event events[]; /* the waiter's */
};

/* ---- operations ---- */

static struct rx_ready *direction_of(const struct rx_op *op) {
    struct rx_slab_source *source = (struct rx_slab_source *)op->source;
    return rx_kind_is_in(op->kind) ? &source->in : &source->out;
}

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct rx_slab_source *source) {
    int fd = source->base.fd;
    epoll_ctl(rx->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    rx_slab_give_back(&rx->sources, source);
    close(fd);
}

static void leave_if_orphaned(struct rx *rx, const struct rx_op *op) {
    struct rx_slab_source *source = (struct rx_slab_source *)op->source;
    if (op->orphaned && rx_slab_leave(source)) {
        close_source(rx, source);
    }
}

static enum rx_status rx_epoll_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct rx_slab_source *source = (struct rx_slab_source *)op->source;
    bool begin_connect = op->kind == RX_CONNECT && !op->tried;
    if (begin_connect) {
        rx_ready_forget_hangup(&source->in);
        rx_ready_forget_hangup(&source->out);
    }
    bool unasked = begin_connect || (rx->speculative && !op->armed);
    enum rx_status status = rx_ready_poll(direction_of(op), op, waker, unasked, source->drains);
    leave_if_orphaned(rx, op);
    return status;
}

static enum rx_status rx_epoll_cancel(struct rx *rx, struct rx_op *op) {
    rx_ready_cancel(direction_of(op), op);
    leave_if_orphaned(rx, op);
    return RX_DONE;
}

/* ---- registration ---- */

static bool is_tcp(int fd) {
    int protocol = 0, domain = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

static int rx_epoll_register(struct rx *rx, int fd, struct rx_source **out) {
    struct rx_slab_source *source = rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->base.fd = fd;
    source->drains = !rx->speculative && is_tcp(fd); /* who tries first does not ask whether it was drained */
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = (uint64_t)source->index << 16 | rx_ready_generation(&source->in),
    };
    if (epoll_ctl(rx->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
        int error = -errno;
        rx_slab_give_back(&rx->sources, source);
        return error;
    }
    *out = &source->base;
    return 0;
}

static void rx_epoll_deregister(struct rx *rx, struct rx_source *base) {
    epoll_ctl(rx->epoll_fd, EPOLL_CTL_DEL, base->fd, NULL);
    rx_slab_give_back(&rx->sources, (struct rx_slab_source *)base);
}

static void rx_epoll_close(struct rx *rx, struct rx_source *base) {
    struct rx_slab_source *source = (struct rx_slab_source *)base;
    if (rx_slab_shut(source)) {
        close_source(rx, source);
    }
}

/* ---- waiting ---- */

static int fetch_events(struct rx *rx, int64_t timeout_ns) {
    if (rx->nanoseconds) {
        struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        struct timespec *or_none = timeout_ns < 0 ? NULL : &limit;
        return (int)syscall(SYS_epoll_pwait2, rx->epoll_fd, rx->events, rx->batch, or_none, NULL, (size_t)0);
    }
    int64_t ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    return epoll_wait(rx->epoll_fd, rx->events, rx->batch, ms > INT_MAX ? INT_MAX : (int)ms);
}

/* 1 for an event of a source, 0 for a wake or a late event. */
static int handle_event(struct rx *rx, uint64_t key, uint32_t events) {
    if (key == WAKE_KEY) {
        au32_exchange_acquire(&rx->woken, 0); /* (2) */
        return 0;
    }
    struct rx_slab_source *source = rx_slab_at(&rx->sources, (uint32_t)(key >> 16));
    uint16_t generation = (uint16_t)key;
    bool current = false;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)) {
        current |= rx_ready_edge(&source->in, generation, events & (EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR));
    }
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        current |= rx_ready_edge(&source->out, generation, events & (EPOLLHUP | EPOLLERR));
    }
    return current;
}

static int rx_epoll_wait(struct rx *rx, int64_t timeout_ns) {
    int count = fetch_events(rx, timeout_ns);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    int handled = 0;
    for (int i = 0; i < count; i++) {
        handled += handle_event(rx, rx->events[i].data.u64, rx->events[i].events);
    }
    return handled;
}

static void rx_epoll_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    if (au32_exchange_acq_rel(&rx->woken, 1) == 0) { /* (1) */
        uint64_t one = 1;
        ssize_t written = write(rx->event_fd, &one, sizeof one);
        assert(written == sizeof one);
        (void)written;
    }
}

/* ---- life ---- */

static void rx_epoll_destroy(struct rx *rx) {
    rx_slab_destroy(&rx->sources);
    if (rx->event_fd >= 0) {
        close(rx->event_fd);
    }
    if (rx->epoll_fd >= 0) {
        close(rx->epoll_fd);
    }
    free(rx);
}

static int open_descriptors(struct rx *rx) {
    rx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (rx->epoll_fd < 0) {
        return -errno;
    }
    rx->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (rx->event_fd < 0) {
        return -errno;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_KEY};
    if (epoll_ctl(rx->epoll_fd, EPOLL_CTL_ADD, rx->event_fd, &event)) {
        return -errno;
    }
    /* An older kernel says ENOSYS, a sandbox perhaps EPERM. */
    struct timespec none = {.tv_sec = 0};
    rx->nanoseconds = syscall(SYS_epoll_pwait2, rx->epoll_fd, rx->events, 1, &none, NULL, (size_t)0) >= 0;
    return 0;
}

static int rx_epoll_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->slots == 0 || config->batch > MAX_EVENTS) {
        return -EINVAL;
    }
    size_t size = sizeof(struct rx) + config->batch * sizeof(struct epoll_event);
    size_t lines = (size + SY_CACHE_LINE - 1) / SY_CACHE_LINE;
    struct rx *rx = aligned_alloc(SY_CACHE_LINE, lines * SY_CACHE_LINE);
    if (!rx) {
        return -ENOMEM;
    }
    *rx = (struct rx){.epoll_fd = -1, .event_fd = -1, .batch = (int)config->batch, .speculative = config->speculative};
    rx_slab_init(&rx->sources, sizeof(struct rx_slab_source));
    int error = open_descriptors(rx);
    if (error) {
        rx_epoll_destroy(rx);
        return error;
    }
    *out = rx;
    return 0;
}

const struct rx_ops rx_epoll_ops = {
    .name = "rx_epoll",
    .summary = "epoll, edge-triggered, each descriptor registered once",
    .source = "epoll(7)",
    .cost = "receive that waits 1 call with `speculative` off, 2 on; send 1; wait 1 for a batch",
    .completion = false,
    .stealable = true,
    .create = rx_epoll_create,
    .destroy = rx_epoll_destroy,
    .register_fd = rx_epoll_register,
    .deregister = rx_epoll_deregister,
    .close = rx_epoll_close,
    .poll = rx_epoll_poll,
    .cancel = rx_epoll_cancel,
    .wait = rx_epoll_wait,
    .wake = rx_epoll_wake,
};
