/*
 * Reactor back end: io_uring with a ring for each worker, which is why it cannot be stolen. What comes in over TCP is
 * received ahead: one multishot request for each connection fills buffers that the kernel was lent, and a receive takes
 * from them without a system call; listeners likewise have their connections accepted ahead. What goes out, and all
 * other kinds of descriptors, are told by one-shot polls, and the call is made by who polls the operation.
 *
 * Source: Axboe, Efficient IO with io_uring, 2019; io_uring_setup(2) for SINGLE_ISSUER and DEFER_TASKRUN (6.1); a
 * core's own ring with registered buffers is monoio's and glommio's form, while here tasks move between workers.
 *
 * The kernel never uses an operation's memory: not a buffer, an address or a message. So cancelling is only to take the
 * waker back, at once and by any thread, though the ring is another's; a byte that came stays in the source for the
 * next receive.
 *
 * Ahead, but not without end: a source that has 8 notes waiting is not received for until they are taken, so a slow
 * reader's peer is stopped by TCP. Of a peer that sends much at once the kernel may have filled all buffers before it
 * hears of that. A source for which there is no buffer is waited for by readiness. Then, and after a stop, the
 * operation makes the call itself as long as that finds something. Why TCP alone: descriptors passed over a Unix
 * socket, and a datagram's sender, would be lost.
 *
 * Sources live in the slots in turn, whoever registers them. What a thread that is not the home's asks of a ring goes
 * by mail (rx_slot.c). A worker that stays in one task for long leaves the sources of its slot dead meanwhile.
 *
 * System calls: receive none where data is there, one more enter for the first and after a stop; send 1; accept none;
 * wait 1 for a batch, none where nothing is to be had (the kernel flags what is).
 * Memory: see struct rx_local_source; for each slot 1,024 buffers of 4 KiB, of which pages are touched as they are
 * used.
 *
 * Accesses: wanted_in, wanted_out by fetch_or acq_rel, partner (5) of rx_slot.c; the read ahead by attempt_in: acquire,
 * so that who finds no request under way sees every note that the last one put and the error that it left.
 *
 * Rejected: sends as requests. Their memory would be the kernel's until the home's thread asks for it, so dropping a
 * task on another thread would wait for that thread; and one send that does not fit costs two completions.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

#include "reactor/reactor.h"

#if SY_HAVE_LIBURING

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/rx_readiness.h"
#include "reactor/rx_slot.h"

static struct rx_local_source *source_of(const struct rx_op *op) {
    return (struct rx_local_source *)op->source;
}

/* ---- the end of sources ---- */

/* By the last to leave a source that is closed. Where it is at home here, the kernel is asked at once. */
static void close_source(struct rx *rx, struct rx_local_source *source) {
    if (rx_slot_end_now(rx, source, RX_MAIL_CLOSE)) {
        return;
    }
    struct rx_slot *here = rx_slot_here(rx);
    rx_slot_post(rx, source, RX_MAIL_CLOSE);
    if (here) {
        rx_slot_pump(here);
    }
}

static void leave_if_orphaned(struct rx *rx, const struct rx_op *op) {
    if (op->orphaned && rx_slab_leave(&source_of(op)->slab)) {
        close_source(rx, source_of(op));
    }
}

static void local_close(struct rx *rx, struct rx_source *base) {
    struct rx_local_source *source = (struct rx_local_source *)base;
    if (rx_slab_shut(&source->slab)) {
        close_source(rx, source);
    }
}

/* Returns when the kernel has let go of the descriptor, for which its home has to look. */
static void local_deregister(struct rx *rx, struct rx_source *base) {
    struct rx_local_source *source = (struct rx_local_source *)base;
    if (!rx_slot_end_now(rx, source, RX_MAIL_RELEASE)) {
        rx_slot_post_and_await(rx, source, RX_MAIL_RELEASE);
    }
    rx_slab_give_back(&rx->sources, &source->slab);
}

/* Returns when nothing more is read ahead, for which the source's home has to look. */
static size_t local_unread(struct rx *rx, struct rx_source *base) {
    struct rx_local_source *source = (struct rx_local_source *)base;
    if (au32_load_acquire(&source->wanted_in)) { /* (5) of rx_slot.c: nothing is put after it was 0 */
        rx_slot_post_and_await(rx, source, RX_MAIL_STOP);
    }
    return rx_inbox_left(&source->inbox) + (source->error != 0);
}

/* ---- operations ---- */

/* Copies from the inbox as much as there is and fits. */
static size_t copy_out(struct rx_inbox *inbox, unsigned char *to, size_t length) {
    size_t copied = 0;
    struct rx_note *note;
    while (copied < length && (note = rx_inbox_first(inbox))) {
        size_t left = (size_t)(note->value - note->used), n = left < length - copied ? left : length - copied;
        memcpy(to + copied, note->data + note->used, n);
        note->used += (int32_t)n;
        copied += n;
        if (note->used == note->value) {
            rx_inbox_drop_first(inbox);
        }
    }
    return copied;
}

static size_t copy_out_vectors(struct rx_inbox *inbox, struct msghdr *message) {
    size_t copied = 0;
    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++) {
        size_t n = copy_out(inbox, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
        copied += n;
        if (n < message->msg_iov[i].iov_len) {
            break;
        }
    }
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return copied;
}

/* What the inbox has for the operation. True: that is its outcome. */
static bool take_from_inbox(struct rx_op *op) {
    struct rx_inbox *inbox = &source_of(op)->inbox;
    struct rx_note *note = rx_inbox_first(inbox);
    if (!note) {
        return false;
    }
    if (op->kind == RX_READY_IN) {
        op->result = POLLIN;
    } else if (op->kind == RX_ACCEPT) {
        op->result = note->value;
        rx_inbox_drop_first(inbox);
    } else if (op->kind == RX_RECV_MSG) {
        op->result = (int64_t)copy_out_vectors(inbox, op->message);
    } else {
        op->result = (int64_t)copy_out(inbox, op->buffer, op->length);
    }
    return true;
}

/* In place of rx_try, for what comes in. */
static enum rx_status attempt_in(struct rx_op *op) {
    struct rx_local_source *source = source_of(op);
    op->tried = true;
    if (take_from_inbox(op)) {
        return RX_DONE;
    }
    uint32_t ahead = RX_LOCAL_RECEIVE | RX_LOCAL_ACCEPT;
    if (au32_load_acquire(&source->wanted_in) & ahead && op->kind != RX_READY_IN) {
        return RX_PENDING;
    }
    if (take_from_inbox(op)) {
        return RX_DONE;
    }
    if (source->error && op->kind != RX_READY_IN) {
        op->result = source->error;
        source->error = 0;
        return RX_DONE;
    }
    return rx_try(op);
}

static uint32_t request_for(const struct rx_op *op) {
    switch (op->kind) {
    case RX_ACCEPT:
        return RX_LOCAL_ACCEPT;
    case RX_RECV:
    case RX_RECV_MSG:
    case RX_READ:
        return source_of(op)->tcp ? RX_LOCAL_RECEIVE : RX_LOCAL_POLL;
    default:
        return RX_LOCAL_POLL;
    }
}

/* A waker is stored: what it waits for is asked of the kernel, unless something is under way. */
static void want(struct rx *rx, struct rx_local_source *source, struct au32 *wanted, uint32_t request, uint32_t mail) {
    if ((au32_fetch_or_acq_rel(wanted, request) & ~RX_LOCAL_TELLING) == 0) {
        rx_slot_post(rx, source, mail);
    }
}

static enum rx_status local_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct rx_local_source *source = source_of(op);
    bool in = rx_kind_is_in(op->kind);
    bool unasked = (op->kind == RX_CONNECT && !op->tried) || (rx->speculative && !op->armed);
    struct rx_ready *direction = in ? &source->slab.in.ready : &source->slab.out.ready;
    enum rx_status status = rx_ready_poll_by(in ? attempt_in : rx_try, direction, op, waker, unasked, false);
    if (status == RX_PENDING && in) {
        want(rx, source, &source->wanted_in, request_for(op), RX_MAIL_IN);
    } else if (status == RX_PENDING) {
        want(rx, source, &source->wanted_out, RX_LOCAL_POLL, RX_MAIL_OUT);
    }
    leave_if_orphaned(rx, op);
    return status;
}

static enum rx_status local_cancel(struct rx *rx, struct rx_op *op) {
    struct rx_local_source *source = source_of(op);
    rx_ready_cancel(rx_kind_is_in(op->kind) ? &source->slab.in.ready : &source->slab.out.ready, op);
    leave_if_orphaned(rx, op);
    return RX_DONE;
}

/* ---- registration ---- */

static int local_register(struct rx *rx, int fd, struct rx_source **out) {
    int error = rx_readiness_admits(fd);
    if (error) {
        return error;
    }
    struct rx_local_source *source = (struct rx_local_source *)rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->slab.base.fd = fd;
    source->tcp = rx_readiness_drains(fd);
    source->error = 0;
    source->starved = false;
    /* relaxed: a hint, for balance */
    au32_store_relaxed(&source->home, au32_fetch_add_relaxed(&rx->next_home, 1) % rx->slot_count);
    *out = &source->slab.base;
    return 0;
}

/* ---- waiting ---- */

static int local_attach(struct rx *rx, unsigned slot) {
    return rx_slot_attach(&rx->slots[slot]);
}

static void local_detach(struct rx *rx) {
    rx_slot_detach(rx_slot_here(rx));
}

static int local_wait(struct rx *rx, int64_t timeout_ns) {
    return rx_slot_wait(rx_slot_here(rx), timeout_ns);
}

static void local_wake(struct rx *rx, unsigned slot) {
    rx_slot_wake(&rx->slots[slot]);
}

/* ---- life ---- */

static void local_destroy(struct rx *rx) {
    for (unsigned i = 0; i < rx->slot_count; i++) {
        rx_slot_destroy(&rx->slots[i]);
    }
    rx_slab_destroy(&rx->sources);
    pthread_mutex_destroy(&rx->lock);
    free(rx);
}

static int create_slots(struct rx *rx) {
    int error = rx_slot_probe();
    for (unsigned i = 0; i < rx->slot_count && !error; i++) {
        error = rx_slot_create(&rx->slots[i]);
    }
    return error;
}

static int local_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->batch > INT32_MAX || config->slots == 0 || config->slots > UINT16_MAX) {
        return -EINVAL;
    }
    size_t size = sizeof(struct rx) + config->slots * sizeof(struct rx_slot);
    struct rx *rx = aligned_alloc(SY_CACHE_LINE, size);
    if (!rx) {
        return -ENOMEM;
    }
    memset(rx, 0, size);
    rx->batch = config->batch;
    rx->slot_count = config->slots;
    rx->speculative = config->speculative;
    rx_slab_init(&rx->sources, sizeof(struct rx_local_source));
    pthread_mutex_init(&rx->lock, NULL);
    for (unsigned i = 0; i < rx->slot_count; i++) {
        rx->slots[i].rx = rx;
        rx->slots[i].index = i;
        rx->slots[i].event_fd = -1;
    }
    int error = create_slots(rx);
    if (error) {
        local_destroy(rx);
        return error;
    }
    *out = rx;
    return 0;
}

#else
#include "reactor/rx_missing.h"
#endif

const struct rx_ops rx_uring_local_ops = {
    .name = "rx_uring_local",
    .summary = "io_uring, a ring for each worker: TCP received and accepted ahead into the ring's buffers",
    .source = "Axboe, Efficient IO with io_uring, 2019; io_uring_setup(2): DEFER_TASKRUN",
    .cost = "receive that waits 0 calls, send 1, accept 0; wait 1 for a batch; 4 MiB of buffers a worker as used",
    .caveat = "TCP data may wait in the reactor's buffers: such a socket cannot be released to the caller with data "
              "in them; a worker in a long poll leaves the sockets of its own ring waiting",
    .io_uring = "6.1",
    .completion = true,
    .stealable = false,
    .files = false,
    .reads_ahead = true,
#if SY_HAVE_LIBURING
    .create = local_create,
    .destroy = local_destroy,
    .register_fd = local_register,
    .deregister = local_deregister,
    .close = local_close,
    .unread = local_unread,
    .poll = local_poll,
    .cancel = local_cancel,
    .flush = NULL, /* what a slot's thread has left is told nobody before it waits there, which hands it over */
    .attach = local_attach,
    .detach = local_detach,
    .wait = local_wait,
    .wake = local_wake,
#else
    .create = rx_missing_create,
    .missing = "built without liburing 2.3 (Debian: apt-get install liburing-dev)",
#endif
};
