/*
 * Reactor back end: readiness told by io_uring. The kernel polls for us and puts what it sees into the ring; nothing is
 * registered, and to ask costs no call of its own.
 *
 * Source: io_uring_prep_poll_multishot(3), io_uring_prep_cancel(3). The ring: rx_ring.h. Readiness and wakers:
 * rx_ready.c.
 *
 * An operation that has to wait asks for its direction to be polled, unless it is already. `in` is polled by one
 * request for as long as the source lives (multishot): it tells every edge. `out` is polled once for each operation
 * that waits, as few do; a lasting request would tell each time that the peer of a Unix socket has taken something.
 * Both look at the level when they begin, so what came before is told.
 *
 * A request is over with the completion that does not say that more will come (F_MORE): the one that was to be alone,
 * or one of a lasting request that the completion queue had no room for, or that ended because the thread which handed
 * it over has exited (-ECANCELED). All are handled alike: the direction is not polled, and it may be ready. An
 * operation that finds otherwise asks again. So only operations ask, which are in flight, and no source leaves
 * meanwhile.
 *
 * A source has a word:
 *
 *     ASKED_IN, ASKED_OUT   a request is with the kernel, or filled in
 *     QUEUED                the waiter has it in its queue
 *     LEFT                  deregistered or closed
 *
 * A source that leaves has its requests cancelled and handed over before that returns, so that no request names its
 * descriptor from then on. The kernel's answers may still come: the memory is given back when the last has come and has
 * been dequeued, by the waiter, or at once if there is none. So a completion's data may be the source's address, and no
 * answer to one source reaches another. A cancel that finds its request answered may find one of the memory's next
 * source instead; that is asked again, as if a thread had exited.
 *
 * The kernel holds the file, not the number, until a cancelled request is over. That is as soon as the thread which
 * handed the request over has run for it, which the kernel interrupts; then a file that was closed is, for its peer
 * too.
 *
 * Fairness: the kernel tells a lasting request's edges one by one, so a source that is written to without end would
 * have most of the queue. The waiter therefore takes all that is there and keeps it by source, each once in a queue
 * with what was told of it; a wait takes from the front, and who is told anew goes to the end.
 *
 * An event that comes by the wake-up is what the waking one claims, and for a socket with data that is POLLPRI too,
 * whether there is urgent data or not. So a short count never proves a socket empty here; a receive that has to wait
 * finds that out by a call.
 *
 * Progress: who asks waits for who fills (rx_ring.c), never for who waits for events. The waiter waits for nobody.
 *
 * Accesses of a source's word, besides those of rx_ready.c and rx_ring.c. `told` and the queue are the waiter's, one
 * after the other.
 *
 * (1) want: load relaxed, after the waker was stored (rx_ready.c (3)); or relaxed. Partner (3), which comes before the
 *     edge. If the edge comes after the waker was stored, it wakes, and the operation is here again. If before, then
 *     rx_ready.c (1) has acquired it, since (3) there would have failed otherwise; so (3) happens before, and this
 *     reads it. Only one operation is in flight in a direction, and the waiter takes away only what is set: no two ask.
 * (2) note: or relaxed, QUEUED, while the request is not over or has just come to be, by the same thread.
 * (3) complete: and acq_rel, a request is over. Release: partner (1), and (5), for its end.
 * (4) deliver: load relaxed of LEFT: a hint, whether to count the event. And acq_rel, QUEUED off. If only LEFT is left,
 *     the source is the waiter's to give back. Acquire: partner (5).
 * (5) leave: or acq_rel, LEFT. If nothing was set, the source is the leaver's. Exactly one of (4) and (5) finds the
 *     other's work done. Release: partner (4). Acquire: partners (3) and (4).
 *
 * System calls: a receive that waits 2, with `speculative` off too, a send 1; a wait 1 for a batch, which hands over
 * all requests. Leaving 1 if something was asked for.
 *
 * Memory: a source 80 bytes, and 48 once it has sent; in the kernel about 270 (measured) for each direction that is
 * polled.
 *
 * Rejected: POLL_REMOVE, which finds a request busy while the kernel tells an event and then leaves it there. A lasting
 * request for both directions, see above. To ask when a source is registered: a listener's or a datagram's `out` is
 * never waited for, and a connection is told a hang-up before it begins.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/rx_readiness.h"
#include "reactor/rx_ring.h"

#if SY_HAVE_LIBURING

#define AT_ONCE 64 /* completions taken at a time */
#define ROUNDS 64  /* a wait takes so many times: the completion queue's size */

#define ASKED_IN UINT32_C(1)
#define ASKED_OUT UINT32_C(2)
#define QUEUED UINT32_C(4)
#define LEFT UINT32_C(8)

struct poll_source {
    struct rx_slab_source slab; /* first */
    struct au32 word;
    uint32_t told;            /* events to be delivered; 0: it is not in the queue */
    struct poll_source *next; /* in the queue */
};

struct rx {
    struct rx_ring ring;
    unsigned batch;
    bool speculative;
    struct rx_slab sources;
    struct poll_source *first, *last; /* of the queue; last is of no meaning while it is empty */
};

/* ---- requests ---- */

static uint64_t name_of(const struct poll_source *source, uint32_t direction) {
    return (uintptr_t)source | (direction == ASKED_OUT);
}

static void ask(struct rx *rx, const struct poll_source *source, uint32_t direction) {
    int fd = source->slab.base.fd;
    struct io_uring_sqe *sqe = rx_ring_fill_begin(&rx->ring);
    if (direction == ASKED_IN) {
        io_uring_prep_poll_multishot(sqe, fd, RX_EVENTS_IN);
    } else {
        io_uring_prep_poll_add(sqe, fd, RX_EVENTS_OUT);
    }
    sqe->user_data = name_of(source, direction);
    rx_ring_fill_end(&rx->ring);
}

static void ask_to_cancel(struct rx *rx, uint64_t name) {
    struct io_uring_sqe *sqe = rx_ring_fill_begin(&rx->ring);
    io_uring_prep_cancel64(sqe, name, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = RX_RING_NOBODY;
    rx_ring_fill_end(&rx->ring);
}

/* The operation's waker is stored. */
static void want(struct rx *rx, const struct rx_op *op) {
    struct poll_source *source = (struct poll_source *)op->source;
    uint32_t direction = rx_kind_is_in(op->kind) ? ASKED_IN : ASKED_OUT;
    if (!(au32_load_relaxed(&source->word) & direction)) { /* (1) */
        au32_fetch_or_relaxed(&source->word, direction);   /* (1) */
        ask(rx, source, direction);
    }
}

/* ---- leaving ---- */

static void give_back(struct rx *rx, struct poll_source *source) {
    au32_store_relaxed(&source->word, 0); /* nobody else has it, and the slab's lock hands it on */
    rx_slab_give_back(&rx->sources, &source->slab);
}

/* The source may be another's when this returns. */
static void leave(struct rx *rx, struct poll_source *source) {
    uint32_t word = au32_fetch_or_acq_rel(&source->word, LEFT); /* (5) */
    for (uint32_t direction = ASKED_IN; direction <= ASKED_OUT; direction <<= 1) {
        if (word & direction) {
            ask_to_cancel(rx, name_of(source, direction));
        }
    }
    if (word & (ASKED_IN | ASKED_OUT)) {
        rx_ring_flush(&rx->ring);
    }
    if (word == 0) {
        give_back(rx, source);
    }
}

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct rx_source *base) {
    int fd = base->fd;
    leave(rx, (struct poll_source *)base);
    close(fd);
}

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        close_source(rx, op->source);
    }
}

/* ---- operations ---- */

static enum rx_status rx_uring_poll_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    if (status == RX_PENDING) {
        want(rx, op);
    } else {
        close_if_last(rx, op);
    }
    return status;
}

/* Who polls and cancels by turns does not sleep, and flushes nothing. */
static enum rx_status rx_uring_poll_cancel(struct rx *rx, struct rx_op *op) {
    rx_ring_flush(&rx->ring);
    rx_readiness_cancel(op);
    close_if_last(rx, op);
    return RX_DONE;
}

static void rx_uring_poll_flush(struct rx *rx) {
    rx_ring_flush(&rx->ring);
}

static int rx_uring_poll_register(struct rx *rx, int fd, struct rx_source **out) {
    int error = rx_readiness_admits(fd);
    if (error) {
        return error;
    }
    struct rx_slab_source *source = rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->base.fd = fd;
    rx_slab_set_drains(source, false);
    *out = &source->base;
    return 0;
}

static void rx_uring_poll_deregister(struct rx *rx, struct rx_source *base) {
    leave(rx, (struct poll_source *)base);
}

static void rx_uring_poll_close(struct rx *rx, struct rx_source *base) {
    if (rx_slab_shut((struct rx_slab_source *)base)) {
        close_source(rx, base);
    }
}

/* ---- waiting ---- */

static void note(struct rx *rx, struct poll_source *source, uint32_t events) {
    if (!source->told) {
        au32_fetch_or_relaxed(&source->word, QUEUED); /* (2) */
        *(rx->first ? &rx->last->next : &rx->first) = source;
        rx->last = source;
        source->next = NULL;
    }
    source->told |= events;
}

/* An error, too, says no more than that the operation is to look for itself. */
static void complete(struct rx *rx, const struct rx_ring_event *event) {
    struct poll_source *source = (struct poll_source *)(uintptr_t)(event->data & ~UINT64_C(1));
    bool out = event->data & 1;
    uint32_t perhaps = out ? POLLOUT : POLLIN;
    note(rx, source, event->result > 0 ? (uint32_t)event->result : perhaps);
    if (!(event->flags & IORING_CQE_F_MORE)) {
        au32_fetch_and_acq_rel(&source->word, ~(out ? ASKED_OUT : ASKED_IN)); /* (3) */
    }
}

/* From the front of the queue; how many events. */
static unsigned deliver(struct rx *rx) {
    unsigned delivered = 0;
    while (rx->first && delivered < rx->batch) {
        struct poll_source *source = rx->first;
        uint32_t events = source->told;
        rx->first = source->next;
        source->told = 0;
        if (!(au32_load_relaxed(&source->word) & LEFT)) { /* (4) */
            delivered += rx_readiness_tell(&source->slab, rx_ready_generation(&source->slab.in.ready), events);
        }
        if (au32_fetch_and_acq_rel(&source->word, ~QUEUED) == (LEFT | QUEUED)) { /* (4) */
            give_back(rx, source);
        }
    }
    return delivered;
}

static struct rx_ring_reaped reap(struct rx *rx) {
    struct rx_ring_event events[AT_ONCE];
    struct rx_ring_reaped got = {.taken = 0};
    unsigned count = AT_ONCE;
    for (int round = 0; round < ROUNDS && count == AT_ONCE; round++) {
        count = rx_ring_take(&rx->ring, events, AT_ONCE);
        got.taken += count;
        for (unsigned i = 0; i < count; i++) {
            if (events[i].data == RX_RING_WAKE) {
                got.woke = true;
            } else if (events[i].data != RX_RING_NOBODY) {
                complete(rx, &events[i]);
            }
        }
    }
    got.events = deliver(rx);
    return got;
}

/* What the last wait had no room for comes first. What is filled in meanwhile can wait for the wait that looks. */
static int rx_uring_poll_wait(struct rx *rx, int64_t timeout_ns) {
    unsigned delivered = deliver(rx);
    return delivered > 0 ? (int)delivered : rx_ring_wait_for(&rx->ring, timeout_ns, reap, rx);
}

static void rx_uring_poll_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_ring_wake(&rx->ring);
}

/* ---- life ---- */

static int rx_uring_poll_create(struct rx **out, const struct rx_config *config) {
    static const uint8_t opcodes[] = {IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};
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
    rx->first = rx->last = NULL;
    rx_slab_init(&rx->sources, sizeof(struct poll_source));
    *out = rx;
    return 0;
}

static void rx_uring_poll_destroy(struct rx *rx) {
    rx_ring_close(&rx->ring);
    rx_slab_destroy(&rx->sources);
    free(rx);
}

#else
#include "reactor/rx_missing.h"
#endif

const struct rx_ops rx_uring_poll_ops = {
    .name = "rx_uring_poll",
    .summary = "io_uring readiness: a lasting poll of each source, on one ring that all threads share",
    .source = "io_uring(7), IORING_POLL_ADD_MULTI",
    .cost = "receive that waits 2 calls; send 1, that waits 2; wait 1 for a batch, which hands over all requests; "
            "leaving 1; per source 80 bytes, 48 more once it has sent, and about 270 "
            "in the kernel once it was waited for",
    .caveat =
        "Linux 5.19 or later, and not where a container or a sysctl forbids io_uring; the kernel tells an event in "
        "the thread that handed the request over, and interrupts it for that; a file that is closed ends when "
        "that thread has run",
    .io_uring = "5.19",
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
#if SY_HAVE_LIBURING
    .create = rx_uring_poll_create,
    .destroy = rx_uring_poll_destroy,
    .register_fd = rx_uring_poll_register,
    .deregister = rx_uring_poll_deregister,
    .close = rx_uring_poll_close,
    .poll = rx_uring_poll_poll,
    .cancel = rx_uring_poll_cancel,
    .flush = rx_uring_poll_flush,
    .wait = rx_uring_poll_wait,
    .wake = rx_uring_poll_wake,
#else
    .create = rx_missing_create,
    .missing = "built without liburing 2.3 (Debian: apt-get install liburing-dev)",
#endif
};
