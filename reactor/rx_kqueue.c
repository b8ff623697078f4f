/*
 * Reactor back end: kqueue. Each descriptor is registered once, with a filter for each direction and EV_CLEAR, which is
 * edge-triggered; after that no operation but the wait itself makes a system call for kqueue's sake.
 *
 * Source: kqueue(2) (Lemon, "Kqueue: A Generic and Scalable Event Notification Facility", USENIX 2001). Readiness and
 * wakers: rx_ready.c. Late events: rx_slab.h, and the generation in the event's udata. The system's own on macOS and
 * the BSDs; on Linux libkqueue, which makes epoll of it. The build was tried on Linux only.
 *
 * Registering and taking out go by EV_RECEIPT into an array of the changes' length, so that no event is fetched there.
 * Its count differs from system to system; so the entries are looked at, which are zero beforehand. A filter that is
 * refused while the other is taken (EVFILT_WRITE on a pipe whose reader has gone) is told as an edge: the call says
 * what is the matter. EV_DELETE comes before close(2): libkqueue goes on under the old registration if the number is
 * used again, and no event would ever come. The generation changes after EV_DELETE, so the only events of the old one
 * are those that a waiter has already fetched.
 *
 * Short counts are never taken for an empty buffer: kqueue does not tell urgent data, at which a read stops short (see
 * rx_ready_poll_by). Nor does an operation RX_READY_IN see it come.
 *
 * Progress: wake is one exchange if one is already pending. Of several at once the first makes the system call; if its
 * thread stalls between the two, the wait lasts until it goes on or an event comes. register and deregister take a
 * mutex; in libkqueue they also take one that the waiter holds while it copies events out, but not while it sleeps.
 *
 * Accesses of `woken`:
 *
 * (1) wake: exchange acq_rel, 1. Release: partner (2). Acquire: a wake that finds 1 has nothing to do whatever it sees.
 * (2) wait: exchange acquire, 0, when the wake's event has come. What was done before any wake() up to here, also one
 *     that found 1 and triggered nothing, is visible to the caller of this wait: those exchanges come before this one,
 *     in one release sequence. A wake() after it finds 0 and triggers again.
 *
 * What libkqueue needs besides, all of it under LIBKQUEUE (2.7.0, src/linux/platform.c, read.c):
 *
 * - One event of epoll's becomes two of kqueue's, and what finds no place in the caller's array is dropped, edge or
 *   not. So the array is as long as libkqueue takes, 512; wait hands out a batch of it at a time. If it was full,
 *   something may be lost, and every source is told an edge, a batch at a time (`sweep`).
 * - It asks for SO_ERROR when an event says so, which takes the error from the socket. So the error is kept in the
 *   source and is the next call's outcome. Until the waiter has put it there, a connection that failed looks
 *   established (its name decides) and a reset like the stream's end: that one cannot be told.
 *
 *   (3) keep_error: store relaxed: the edge that follows (rx_ready.c (4)) publishes it.
 *   (4) take_error: load relaxed, after the edge was seen by rx_ready.c (1); CAS relaxed, so that one operation has it.
 *     A late event's error has the old generation and is nobody's.
 *   (5) is_socket: relaxed. A late event may find the next registration's, which is no worse for that reason.
 *
 * - A thread of its own gives back what a closed kqueue held; destroy waits for it where it can be asked for that.
 * - Where it gets no descriptor or no memory it leaks some, and in the middle of registering ends the process.
 *
 * Rejected: EV_DISPATCH or EV_ONESHOT, one more call for each wait that was answered; EVFILT_WRITE only while a sender
 * waits, which is two more, although it would spare libkqueue most of its doubled events.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "reactor/rx_readiness.h"

#include <errno.h>

#if SY_HAVE_KQUEUE

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define WAKE_IDENT 1
#define LONGEST_S 2000000 /* libkqueue counts milliseconds in an int */
#define MAX_EVENTS (INT_MAX / (int)sizeof(struct kevent))

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "udata holds index and generation");

struct kqueue_source {
    struct rx_slab_source base;
    struct au32 is_socket;
    struct au64 error; /* libkqueue: generation << 32 | errno, of an error that it took from the socket */
};

struct rx {
    int kqueue_fd;
    int batch, room;
    bool speculative;
    struct rx_slab sources;
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 woken; /* a wake is under way that no wait has noticed yet */
    /* The waiter's. */
    SY_ALIGNAS(SY_CACHE_LINE) int fetched; /* events in the array */
    int handled;                           /* of these */
    uint32_t sweep_next, sweep_end;        /* sources yet to be told an edge, by index */
    struct kevent events[];
};

static const struct timespec no_time = {.tv_sec = 0};

static uint64_t key_of(const struct kevent *event) {
    return (uint64_t)(uintptr_t)event->udata;
}

/* ---- operations ---- */

#ifdef LIBKQUEUE

static void keep_error(struct kqueue_source *source, const struct kevent *event) {
    bool is_socket = au32_load_relaxed(&source->is_socket); /* (5) */
    if (is_socket && event->flags & EV_EOF && event->fflags != 0) {
        uint64_t generation = rx_readiness_generation(key_of(event));
        au64_store_relaxed(&source->error, generation << 32 | event->fflags); /* (3) */
    }
}

/* The kept error, once; 0: there is none. */
static int take_error(struct kqueue_source *source) {
    uint64_t word = au64_load_relaxed(&source->error); /* (4) */
    bool mine = word != 0 && (uint16_t)(word >> 32) == rx_ready_generation(&source->base.in.ready);
    return mine && au64_cas_relaxed(&source->error, &word, 0) ? (int)(uint32_t)word : 0; /* (4) */
}

static bool takes_errors(const struct rx_op *op) {
    switch (op->kind) {
    case RX_ACCEPT:
    case RX_READY_IN:
    case RX_READY_OUT:
        return false;
    default:
        return op->kind != RX_CONNECT || op->tried;
    }
}

static bool is_connected(int fd) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    return getpeername(fd, (struct sockaddr *)&name, &size) == 0;
}

static enum rx_status attempt(struct rx_op *op) {
    int error = takes_errors(op) ? take_error((struct kqueue_source *)op->source) : 0;
    if (error) {
        op->tried = true;
        op->result = -error;
        return RX_DONE;
    }
    bool connecting = op->kind == RX_CONNECT && op->tried;
    enum rx_status status = rx_try(op);
    bool doubtful = connecting && status == RX_DONE && op->result == 0;
    return doubtful && !is_connected(op->source->fd) ? RX_PENDING : status; /* its error is on the way */
}

#else

static void keep_error(struct kqueue_source *source, const struct kevent *event) {
    (void)source;
    (void)event;
}

static enum rx_status attempt(struct rx_op *op) {
    return rx_try(op);
}

#endif

/* ---- registration ---- */

/* Makes both changes of a descriptor; `refused` gets an errno for each, or 0. */
static int change_both(struct rx *rx, int fd, unsigned flags, uint64_t key, int refused[2]) {
    struct kevent changes[2], receipts[2] = {{.flags = 0}};
    static const short filters[2] = {EVFILT_READ, EVFILT_WRITE};
    for (int i = 0; i < 2; i++) {
        changes[i] = (struct kevent){.ident = (uintptr_t)fd,
                                     .filter = filters[i],
                                     .flags = (unsigned short)(flags | EV_RECEIPT),
                                     .udata = (void *)(uintptr_t)key};
        refused[i] = 0;
    }
    if (kevent(rx->kqueue_fd, changes, 2, receipts, 2, &no_time) < 0) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        if (receipts[i].flags & EV_ERROR) {
            refused[receipts[i].filter == EVFILT_WRITE] = (int)receipts[i].data;
        }
    }
    return 0;
}

static void take_out(struct rx *rx, int fd) {
    int refused[2]; /* ENOENT for a filter that was refused in the beginning */
    change_both(rx, fd, EV_DELETE, 0, refused);
}

static int add(struct rx *rx, struct rx_slab_source *source) {
    uint64_t key = rx_readiness_key(source);
    int refused[2];
    int error = change_both(rx, source->base.fd, EV_ADD | EV_CLEAR, key, refused);
    if (error || (refused[0] && refused[1])) {
        return error ? error : -refused[0];
    }
    if (refused[0]) {
        rx_ready_edge(&source->in.ready, rx_readiness_generation(key), true);
    } else if (refused[1]) {
        rx_ready_edge(&source->out.ready, rx_readiness_generation(key), true);
    }
    return 0;
}

static int rx_kqueue_register(struct rx *rx, int fd, struct rx_source **out) {
    struct stat status;
    if (fstat(fd, &status)) {
        return -errno;
    }
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        return -EPERM; /* kqueue would take it, and tell an end of file at most */
    }
    struct rx_slab_source *source = rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->base.fd = fd;
    rx_slab_set_drains(source, false);
    au32_store_relaxed(&((struct kqueue_source *)source)->is_socket, S_ISSOCK(status.st_mode)); /* (5) */
    int error = add(rx, source);
    if (error) {
        rx_slab_give_back(&rx->sources, source);
        return error;
    }
#ifdef SO_NOSIGPIPE /* where there is no MSG_NOSIGNAL */
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
    *out = &source->base;
    return 0;
}

static void rx_kqueue_deregister(struct rx *rx, struct rx_source *base) {
    take_out(rx, base->fd);
    rx_slab_give_back(&rx->sources, (struct rx_slab_source *)base);
}

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct rx_slab_source *source) {
    int fd = source->base.fd;
    take_out(rx, fd);
    rx_slab_give_back(&rx->sources, source);
    close(fd);
}

static void rx_kqueue_close(struct rx *rx, struct rx_source *base) {
    struct rx_slab_source *source = (struct rx_slab_source *)base;
    if (rx_slab_shut(source)) {
        close_source(rx, source);
    }
}

static void leave_if_orphaned(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        close_source(rx, rx_readiness_source(op));
    }
}

static enum rx_status rx_kqueue_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll_by(attempt, op, waker, rx->speculative);
    leave_if_orphaned(rx, op);
    return status;
}

static enum rx_status rx_kqueue_cancel(struct rx *rx, struct rx_op *op) {
    rx_readiness_cancel(op);
    leave_if_orphaned(rx, op);
    return RX_DONE;
}

/* ---- waiting ---- */

static int fetch_events(struct rx *rx, int64_t timeout_ns) {
    struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    if (limit.tv_sec >= LONGEST_S) {
        limit = (struct timespec){.tv_sec = LONGEST_S};
    }
    int count = kevent(rx->kqueue_fd, NULL, 0, rx->events, rx->room, timeout_ns < 0 ? NULL : &limit);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    rx->fetched = count;
    rx->handled = 0;
    return count;
}

/* 1 for an event of a source, 0 for a wake or a late event. */
static int handle_event(struct rx *rx, const struct kevent *event) {
    if (event->filter == EVFILT_USER) {
        au32_exchange_acquire(&rx->woken, 0); /* (2) */
        return 0;
    }
    uint64_t key = key_of(event);
    struct rx_slab_source *source = rx_readiness_at(&rx->sources, key);
    keep_error((struct kqueue_source *)source, event);
    struct rx_ready *direction = event->filter == EVFILT_READ ? &source->in.ready : &source->out.ready;
    return rx_ready_edge(direction, rx_readiness_generation(key), event->flags & EV_EOF);
}

/* Up to a batch of what was fetched. Two events of one source in succession are both directions of one. */
static int hand_out(struct rx *rx) {
    uint64_t before = UINT64_MAX; /* larger than any source's */
    int count = 0;
    while (rx->handled < rx->fetched) {
        const struct kevent *event = &rx->events[rx->handled];
        bool again = key_of(event) == before;
        if (!again && count == rx->batch) {
            break;
        }
        before = event->filter == EVFILT_USER ? UINT64_MAX : key_of(event);
        rx->handled++;
        int events = handle_event(rx, event);
        count += again ? 0 : events;
    }
    return count;
}

/* Tells up to a batch of sources an edge that may have been lost. */
static int sweep(struct rx *rx) {
    int count = 0;
    for (; rx->sweep_next < rx->sweep_end && count < rx->batch; rx->sweep_next++, count++) {
        struct rx_slab_source *source = rx_slab_at(&rx->sources, rx->sweep_next);
        rx_ready_edge(&source->in.ready, rx_ready_generation(&source->in.ready), true);
        rx_ready_edge(&source->out.ready, rx_ready_generation(&source->out.ready), true);
    }
    return count;
}

static void sweep_if_full(struct rx *rx) {
#ifdef LIBKQUEUE
    if (rx->fetched == rx->room) {
        rx->sweep_next = 0;
        rx->sweep_end = rx_slab_used(&rx->sources);
    }
#else
    (void)rx;
#endif
}

static int rx_kqueue_wait(struct rx *rx, int64_t timeout_ns) {
    if (rx->sweep_next < rx->sweep_end && rx->handled == rx->fetched) {
        return sweep(rx);
    }
    if (rx->handled == rx->fetched) {
        int count = fetch_events(rx, timeout_ns);
        if (count <= 0) {
            return count;
        }
        sweep_if_full(rx);
    }
    return hand_out(rx);
}

static void rx_kqueue_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    if (au32_exchange_acq_rel(&rx->woken, 1) == 0) { /* (1) */
        struct kevent trigger = {.ident = WAKE_IDENT, .filter = EVFILT_USER, .fflags = NOTE_TRIGGER};
        int error = kevent(rx->kqueue_fd, &trigger, 1, NULL, 0, &no_time);
        assert(error == 0);
        (void)error;
    }
}

/* ---- life ---- */

#ifdef LIBKQUEUE
/* Exported since 2.7.0, declared in no header: waits until what was closed is given back. */
extern void libkqueue_drain_pending_close(void) __attribute__((weak));
#endif

static void close_kqueue(int fd) {
    close(fd);
#ifdef LIBKQUEUE
    if (libkqueue_drain_pending_close) {
        libkqueue_drain_pending_close();
    }
#endif
}

static void rx_kqueue_destroy(struct rx *rx) {
    rx_slab_destroy(&rx->sources);
    if (rx->kqueue_fd >= 0) {
        close_kqueue(rx->kqueue_fd);
    }
    free(rx);
}

static int open_kqueue(struct rx *rx) {
    errno = ENOMEM; /* libkqueue does not say it */
    rx->kqueue_fd = kqueue();
    if (rx->kqueue_fd < 0) {
        return -errno;
    }
    struct kevent wake = {.ident = WAKE_IDENT, .filter = EVFILT_USER, .flags = EV_ADD | EV_CLEAR};
    if (kevent(rx->kqueue_fd, &wake, 1, NULL, 0, &no_time) < 0) {
        return errno == EBADF ? -EMFILE : -errno; /* libkqueue closes -1 where it got no descriptor */
    }
    return fcntl(rx->kqueue_fd, F_SETFD, FD_CLOEXEC) ? -errno : 0;
}

static int rx_kqueue_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->slots == 0 || config->batch > MAX_EVENTS) {
        return -EINVAL;
    }
#ifdef LIBKQUEUE
    int room = 512;
#else
    int room = (int)config->batch;
#endif
    size_t size = sizeof(struct rx) + (size_t)room * sizeof(struct kevent);
    size_t lines = (size + SY_CACHE_LINE - 1) / SY_CACHE_LINE;
    struct rx *rx = aligned_alloc(SY_CACHE_LINE, lines * SY_CACHE_LINE);
    if (!rx) {
        return -ENOMEM;
    }
    *rx = (struct rx){.kqueue_fd = -1, .batch = (int)config->batch, .room = room, .speculative = config->speculative};
    rx_slab_init(&rx->sources, sizeof(struct kqueue_source));
    int error = open_kqueue(rx);
    if (error) {
        rx_kqueue_destroy(rx);
        return error;
    }
    *out = rx;
    return 0;
}

#else
#include "reactor/rx_missing.h"
#endif

const struct rx_ops rx_kqueue_ops = {
    .name = "rx_kqueue",
    .summary = "kqueue, edge-triggered (EV_CLEAR), each descriptor registered once",
    .source = "kqueue(2); Lemon, USENIX 2001",
    .cost = "receive that waits 2 calls, send 1; wait 1 for a batch; 80 bytes a source, 48 more once "
            "it has sent, in libkqueue 360 more",
    .caveat = "urgent data is no event; libkqueue makes two events of one, and may show a reset as the stream's end",
    .completion = false,
    .stealable = true,
#if SY_HAVE_KQUEUE
    .create = rx_kqueue_create,
    .destroy = rx_kqueue_destroy,
    .register_fd = rx_kqueue_register,
    .deregister = rx_kqueue_deregister,
    .close = rx_kqueue_close,
    .poll = rx_kqueue_poll,
    .cancel = rx_kqueue_cancel,
    .wait = rx_kqueue_wait,
    .wake = rx_kqueue_wake,
#else
    .create = rx_missing_create,
    .missing = "built without libkqueue 2.7 (https://github.com/mheily/libkqueue; macOS and the BSDs have kqueue)",
#endif
};
