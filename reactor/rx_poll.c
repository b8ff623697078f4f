/*
 * Reactor back end: poll(2), the portable floor. The set of descriptors is handed to the kernel for each wait anew, and
 * the kernel looks at every one of them; so it costs nothing to register, and the more to wait the more wait.
 *
 * Source: poll(2), POSIX. The set, and its changes while a thread is in poll: rx_poll_set.c. Readiness and wakers:
 * rx_ready.c. Late events: the generation taken with the event, under the lock that deregister takes too.
 *
 * An operation that has to wait has its direction put into the set, and the event that ends the wait takes it out.
 * Whoever cancels leaves it there: at most one event comes for nothing. The level counts, so a short count may always
 * clear READY, whatever the kind of socket.
 *
 * A wake, or an operation that begins to wait, makes a system call only while another thread is in poll: one for all of
 * them until that thread is back. Progress: rx_poll_set.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "reactor/rx_poll_set.h"

#define MAX_EVENTS (INT_MAX / sizeof(struct rx_poll_event))

struct rx {
    bool speculative;
    int batch;
    struct rx_poll_set set;
    struct rx_poll_event events[]; /* the waiter's */
};

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        rx_poll_set_part(&rx->set, (struct rx_poll_source *)op->source, RX_POLL_IS_CLOSED);
    }
}

static enum rx_status rx_poll_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    if (status == RX_PENDING) {
        rx_poll_set_want(&rx->set, (struct rx_poll_source *)op->source, rx_readiness_wanted(op->kind));
    } else {
        close_if_last(rx, op);
    }
    return status;
}

static enum rx_status rx_poll_cancel(struct rx *rx, struct rx_op *op) {
    rx_readiness_cancel(op);
    close_if_last(rx, op);
    return RX_DONE;
}

static int rx_poll_register(struct rx *rx, int fd, struct rx_source **out) {
    int error = rx_readiness_admits(fd);
    if (error) {
        return error;
    }
    struct rx_poll_source *source = rx_poll_set_admit(&rx->set, fd);
    if (!source) {
        return -ENOMEM;
    }
    rx_slab_set_drains(&source->slab, !rx->speculative); /* who tries first does not ask */
    *out = &source->slab.base;
    return 0;
}

static void rx_poll_deregister(struct rx *rx, struct rx_source *source) {
    rx_poll_set_part(&rx->set, (struct rx_poll_source *)source, RX_POLL_LEAVES);
}

static void rx_poll_close(struct rx *rx, struct rx_source *base) {
    struct rx_poll_source *source = (struct rx_poll_source *)base;
    if (rx_slab_shut(&source->slab)) {
        rx_poll_set_part(&rx->set, source, RX_POLL_IS_CLOSED);
    }
}

static int rx_poll_wait(struct rx *rx, int64_t timeout_ns) {
    int count = rx_poll_set_wait(&rx->set, timeout_ns, rx->events, rx->batch), handled = 0;
    for (int i = 0; i < count; i++) {
        const struct rx_poll_event *event = &rx->events[i];
        handled += rx_readiness_tell(&event->source->slab, event->generation, event->events);
    }
    return count < 0 ? count : handled;
}

static void rx_poll_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_poll_set_wake(&rx->set);
}

static void rx_poll_destroy(struct rx *rx) {
    rx_poll_set_close(&rx->set);
    free(rx);
}

static int rx_poll_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->slots == 0 || config->batch > MAX_EVENTS) {
        return -EINVAL;
    }
    struct rx *rx = malloc(sizeof *rx + config->batch * sizeof *rx->events);
    if (!rx) {
        return -ENOMEM;
    }
    int error = rx_poll_set_open(&rx->set);
    if (error) {
        free(rx);
        return error;
    }
    rx->speculative = config->speculative;
    rx->batch = (int)config->batch;
    *out = rx;
    return 0;
}

const struct rx_ops rx_poll_ops = {
    .name = "rx_poll",
    .summary = "poll(2): the portable floor",
    .source = "poll(2)",
    .cost =
        "receive that waits 1 call with `speculative` off, 2 on; send 1, that waits 2; wait 1 for a batch, in which "
        "the kernel looks at every descriptor that is waited for; all under one mutex, and if another thread is in "
        "poll, 2 to have it look again; per source 96 bytes, 48 more once it has sent, none in the kernel",
    .caveat =
        "a wait is refused (EINVAL) if more descriptors are waited for than RLIMIT_NOFILE allows by then; a socket "
        "with errors queued (MSG_ERRQUEUE) that nobody takes wakes its operations again and again",
    .missing = NULL,
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
    .create = rx_poll_create,
    .destroy = rx_poll_destroy,
    .register_fd = rx_poll_register,
    .deregister = rx_poll_deregister,
    .close = rx_poll_close,
    .unread = NULL,
    .poll = rx_poll_poll,
    .cancel = rx_poll_cancel,
    .flush = NULL,
    .attach = NULL,
    .detach = NULL,
    .wait = rx_poll_wait,
    .wake = rx_poll_wake,
};
