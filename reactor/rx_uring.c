/*
 * Reactor back end: io_uring as it is meant, one ring for all threads. The kernel carries the operations out; any
 * thread asks for them, and any thread waits.
 *
 * Source: io_uring(7), io_uring_enter(2). The ring: rx_ring.h. Wakers, and who owns a direction: rx_ready.h.
 *
 * Nothing is registered with the kernel. The first poll of an operation fills in a request that names the operation by
 * its address, and whoever next flushes or waits hands it over with all others. The completion brings the address
 * back; op->result is written, the waker woken, and the next poll is terminal. A request has exactly one completion and
 * the operation is not terminal before, so no completion comes late: no generation is needed. Only a cancel may come
 * late and find a new operation at the same address; that then ends with -ECANCELED without having been cancelled, and
 * such an answer is no outcome.
 *
 * No outcome. A request also ends with -ECANCELED when the thread that handed it over exits (one that wakes hands over
 * too), or when another source of the same file is closed. Then, and where the kernel says -EINTR or -EAGAIN (a
 * descriptor that it cannot try without blocking), the waker is woken, and the next poll goes on by readiness: it asks
 * for POLL_ADD, and makes the call itself (rx_try) when that is answered. At an offset there is no readiness: the
 * request is made again, by a thread of the kernel's. A connection is under way already then, and only its end is
 * awaited.
 *
 * Linux 6.18 lets the requests of a thread that has exited be until what they wait for comes or they are cancelled, and
 * answers then, by a work queue, one or two ticks later: 5 to 15 ms at 250 Hz. So a thread that comes to its end beside
 * the reactor costs its operations that much once, and whoever cancels n of them one after the other waits n times.
 *
 * Waiting for readiness goes that way at once, for the kernel answers a poll with the events of the wake-up, among them
 * some (POLLPRI beside POLLIN) that do not hold.
 *
 * Receiving. A request that is tried at once and finds nothing has cost the kernel a try for nothing, so the kernel is
 * told to wait first (POLL_FIRST), unless the completion before said that more was there, as it does for TCP. After our
 * own speculative try it waits first in any case. A send is tried at once.
 *
 * Cancel hands over a request to cancel at once, behind the operation's own if that was not handed over yet, and takes
 * completions itself, those of others too; so calling it again makes progress with nobody in wait. A wake that it takes
 * is made once more, as a wait is to see it.
 *
 * Close marks the directions (SHUT) and has the kernel cancel all requests of the descriptor. A poll that is about to
 * ask again either fills its request in first, then that is cancelled too; or finds SHUT after it, and cancels its own:
 * filling is one after the other. The last to leave closes the descriptor; the kernel has answered by then and needs
 * only its own reference to the file, which it drops at once, so the peer sees the end.
 *
 * Progress: who fills waits for who fills, who reaps for who reaps; neither lock is held in the kernel (but when the
 * submission queue is full) nor while a waker runs. Without task-run flags the kernel finishes a request in the thread
 * that handed it over, which it interrupts for that: a worker that runs a long task holds up nobody's completions.
 *
 * Atomic accesses: those of rx_ring.c, rx_ready.c and rx_slab.c, whose count of those who have to leave is ordered by
 * (13) of rx_ready.c here.
 *
 * System calls (counted by strace): a receive or a send 0 of its own; `speculative`: 1 for each try. A wait 1, which
 * hands over what all have filled, 16 receives as well as one, and 0 where there is nothing to hand over and there are
 * completions. A flush 1, or 0 with nothing to hand over. A wake 1, or 0 while one is under way, and the wait that it
 * ends 0. A cancel 1, which hands over the operation's own request as well if need be. A close 1 with operations in
 * flight, besides close(2).
 *
 * Memory: a source has no more than rx_slab's part, and the wakers' room if it has sent; the kernel keeps a request of
 * some 800 bytes, with the state of its poll, for each operation in flight.
 *
 * Rejected: COOP_TASKRUN, with which a completion waits for the submitting thread to enter the kernel by itself, and
 * that may be busy for long; SQPOLL, a thread that spins; SINGLE_ISSUER and DEFER_TASKRUN, which refuse another thread
 * (rx_uring_local); IORING_OP_CONNECT for Unix sockets, where connect(2) never waits, so nothing is to be gained; a
 * linked time-out for each operation, as timers are the runtime's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/rx_readiness.h"
#include "reactor/rx_request.h"
#include "reactor/rx_ring.h"

#if SY_HAVE_LIBURING

#define AT_ONCE 64 /* completions taken under the lock before their wakers are woken */

struct rx {
    struct rx_ring ring;
    unsigned batch;
    bool speculative;
    struct rx_slab sources;
    SY_ALIGNAS(SY_CACHE_LINE) pthread_mutex_t reaping;
};

static struct rx_ready *direction_of(const struct rx_op *op) {
    struct rx_slab_source *source = rx_readiness_source(op);
    return rx_kind_is_in(op->kind) ? &source->in.ready : &source->out.ready;
}

/* ---- requests ---- */

/* The operation's request, its waker being stored. */
static void ask(struct rx *rx, struct rx_op *op, bool wait_first) {
    struct io_uring_sqe *sqe = rx_ring_fill_begin(&rx->ring);
    rx_request_prepare(sqe, op, wait_first);
    sqe->user_data = (uintptr_t)op;
    rx_ring_fill_end(&rx->ring);
}

static void ask_to_cancel(struct rx *rx, const struct rx_op *op) {
    struct io_uring_sqe *sqe = rx_ring_fill_begin(&rx->ring);
    io_uring_prep_cancel64(sqe, (uintptr_t)op, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = RX_RING_NOBODY;
    rx_ring_fill_end(&rx->ring);
}

static void ask_to_cancel_all(struct rx *rx, int fd) {
    struct io_uring_sqe *sqe = rx_ring_fill_begin(&rx->ring);
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = RX_RING_NOBODY;
    rx_ring_fill_end(&rx->ring);
}

/* ---- completions ---- */

/* The waker to be woken; the operation is its poller's then. */
static struct sy_waker complete(const struct rx_ring_event *event) {
    struct rx_op *op = (struct rx_op *)(uintptr_t)event->data;
    op->result = event->result;
    return rx_ready_answer(direction_of(op), event->flags & IORING_CQE_F_SOCK_NONEMPTY);
}

static struct rx_ring_reaped reap(struct rx *rx, unsigned most) {
    struct rx_ring_event events[AT_ONCE];
    struct sy_waker wakers[AT_ONCE];
    struct rx_ring_reaped got = {.taken = 0};
    pthread_mutex_lock(&rx->reaping);
    got.taken = rx_ring_take(&rx->ring, events, most < AT_ONCE ? most : AT_ONCE);
    for (unsigned i = 0; i < got.taken; i++) {
        if (events[i].data == RX_RING_WAKE) {
            got.woke = true;
        } else if (events[i].data != RX_RING_NOBODY) {
            wakers[got.events++] = complete(&events[i]);
        }
    }
    pthread_mutex_unlock(&rx->reaping);
    for (unsigned i = 0; i < got.events; i++) {
        if (wakers[i].vtable) {
            sy_waker_wake(wakers[i]);
        }
    }
    return got;
}

/* ---- operations ---- */

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct rx_slab_source *source) {
    int fd = source->base.fd;
    rx_slab_give_back(&rx->sources, source);
    close(fd);
}

static enum rx_status finish(struct rx *rx, struct rx_op *op) {
    rx_ready_end(direction_of(op), op);
    if (rx_readiness_ends_source(op)) {
        close_source(rx, rx_readiness_source(op));
    }
    return RX_DONE;
}

static bool is_tried_here(const struct rx *rx, const struct rx_op *op) {
    if (op->kind == RX_CONNECT) {
        return op->address->sa_family == AF_UNIX;
    }
    return rx->speculative && !rx_request_is_at_offset(op);
}

static enum rx_status begin(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct rx_ready *direction = direction_of(op);
    if (rx_request_is_at_offset(op) && op->at->offset < 0) {
        op->result = -EINVAL; /* -1 would be the file's own position */
        return RX_DONE;
    }
    bool tried = is_tried_here(rx, op) && !rx_ready_is_owned(direction);
    if (tried && rx_try(op) == RX_DONE) {
        return RX_DONE;
    }
    op->tried = rx_request_begins_by_readiness(op);
    if (!rx_ready_begin(direction, op, waker)) {
        return RX_DONE;
    }
    ask(rx, op, tried || (rx_kind_is_in(op->kind) && !rx_ready_has_more(direction)));
    return RX_PENDING;
}

static enum rx_status rx_uring_poll_op(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct rx_ready *direction = direction_of(op);
    if (!op->armed) {
        return begin(rx, op, waker);
    }
    if (!rx_ready_answered(direction, op, waker)) {
        return RX_PENDING;
    }
    if (rx_request_has_outcome(op)) {
        return finish(rx, op);
    }
    if (!rx_ready_again(direction, op, waker)) {
        op->result = -ECANCELED;
        return finish(rx, op);
    }
    ask(rx, op, true);
    if (rx_ready_is_shut(direction)) {
        ask_to_cancel(rx, op);
        rx_ring_flush(&rx->ring);
    }
    return RX_PENDING;
}

static void rx_uring_flush(struct rx *rx) {
    rx_ring_flush(&rx->ring);
}

/* What is there, wherever the kernel keeps it. */
static void take_some(struct rx *rx) {
    rx_ring_wait(&rx->ring, 0);
    if (reap(rx, AT_ONCE).woke) {
        rx_ring_pass_wake_on(&rx->ring);
    }
}

static enum rx_status rx_uring_cancel(struct rx *rx, struct rx_op *op) {
    struct rx_ready *direction = direction_of(op);
    if (!op->armed) {
        op->result = -ECANCELED;
        return RX_DONE;
    }
    if (!rx_ready_answered(direction, op, NULL)) {
        rx_ready_give_up(direction);
        ask_to_cancel(rx, op);
        take_some(rx);
        if (!rx_ready_answered(direction, op, NULL)) {
            return RX_PENDING;
        }
    }
    if (!rx_request_has_outcome(op)) {
        op->result = -ECANCELED;
    }
    return finish(rx, op);
}

/* ---- registration ---- */

static int rx_uring_register(struct rx *rx, int fd, struct rx_source **out) {
    struct stat status;
    if (fstat(fd, &status)) {
        return -errno;
    }
    struct rx_slab_source *source = rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->base.fd = fd;
    *out = &source->base;
    return 0;
}

static void rx_uring_deregister(struct rx *rx, struct rx_source *source) {
    rx_slab_give_back(&rx->sources, (struct rx_slab_source *)source);
}

static void rx_uring_close(struct rx *rx, struct rx_source *base) {
    struct rx_slab_source *source = (struct rx_slab_source *)base;
    struct rx_ready *directions[] = {&source->in.ready, &source->out.ready};
    unsigned in_flight = 0;
    rx_slab_expect_all(source);
    for (int i = 0; i < 2; i++) {
        if (!rx_ready_shut_silently(directions[i])) {
            in_flight++;
        } else {
            rx_slab_leave(source);
        }
    }
    if (in_flight > 0) {
        ask_to_cancel_all(rx, base->fd);
        rx_ring_flush(&rx->ring);
    }
    if (rx_slab_leave(source)) {
        close_source(rx, source);
    }
}

/* ---- waiting ---- */

static struct rx_ring_reaped reap_batch(struct rx *rx) {
    struct rx_ring_reaped all = {.taken = 0}, got;
    do {
        got = reap(rx, rx->batch - all.events);
        all.taken += got.taken;
        all.events += got.events;
        all.woke |= got.woke;
    } while (got.taken > 0 && all.events < rx->batch);
    return all;
}

static int rx_uring_wait(struct rx *rx, int64_t timeout_ns) {
    return rx_ring_wait_for(&rx->ring, timeout_ns, reap_batch, rx);
}

static void rx_uring_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_ring_wake(&rx->ring);
}

/* ---- life ---- */

static int rx_uring_create(struct rx **out, const struct rx_config *config) {
    static const uint8_t opcodes[] = {
        IORING_OP_RECV,   IORING_OP_SEND,    IORING_OP_RECVMSG,  IORING_OP_SENDMSG,
        IORING_OP_READ,   IORING_OP_WRITE,   IORING_OP_READV,    IORING_OP_WRITEV,
        IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
    };
    if (config->batch == 0 || config->slots == 0 || config->batch > INT_MAX) {
        return -EINVAL;
    }
    struct rx *rx = aligned_alloc(SY_CACHE_LINE, sizeof *rx);
    if (!rx) {
        return -ENOMEM;
    }
    int error = rx_ring_open(&rx->ring, opcodes, sizeof opcodes);
    if (error) {
        free(rx);
        return error;
    }
    rx->batch = config->batch;
    rx->speculative = config->speculative;
    rx_slab_init(&rx->sources, sizeof(struct rx_slab_source));
    pthread_mutex_init(&rx->reaping, NULL);
    *out = rx;
    return 0;
}

static void rx_uring_destroy(struct rx *rx) {
    rx_ring_close(&rx->ring);
    rx_slab_destroy(&rx->sources);
    pthread_mutex_destroy(&rx->reaping);
    free(rx);
}

#else
#include "reactor/rx_missing.h"
#endif

const struct rx_ops rx_uring_ops = {
    .name = "rx_uring",
    .summary = "io_uring completions on one ring that all threads share",
    .source = "io_uring(7)",
    .cost =
        "receive and send 0 calls of their own, 1 for each try with `speculative`; wait 1 for a batch, which hands "
        "over all requests, or 0 if completions are there; per source 64 bytes, 48 more once "
        "it has sent, and in the kernel some 800 for each "
        "operation in flight",
    .caveat =
        "Linux 5.19 or later, and not where a container or a sysctl forbids io_uring; the kernel finishes a request in "
        "the thread that handed it over, and interrupts it for that: that thread's own blocking calls with a time "
        "limit may fail with EINTR; what a thread handed over that has exited is answered some 10 ms late",
    .io_uring = "5.19",
    .completion = true,
    .stealable = true,
    .files = true,
#if SY_HAVE_LIBURING
    .create = rx_uring_create,
    .destroy = rx_uring_destroy,
    .register_fd = rx_uring_register,
    .deregister = rx_uring_deregister,
    .close = rx_uring_close,
    .poll = rx_uring_poll_op,
    .cancel = rx_uring_cancel,
    .flush = rx_uring_flush,
    .wait = rx_uring_wait,
    .wake = rx_uring_wake,
#else
    .create = rx_missing_create,
    .missing = "built without liburing 2.3 (Debian: apt-get install liburing-dev)",
#endif
};
