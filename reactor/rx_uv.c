/*
 * Reactor back end: libuv. Each descriptor is a uv_poll_t of one loop, which whoever waits runs.
 *
 * Source: libuv's documentation. The loop, and its changes while a thread runs it: rx_uv_loop.c. Readiness and wakers:
 * rx_ready.c. Late events: the generation taken with the event, under the lock that parting takes too.
 *
 * The handle is initialised when an operation waits for the first time, and started for what operations wait for; it
 * stays started until something comes that nobody waits for. The level counts, so a short count may always clear READY,
 * whatever the kind of socket. Whoever cancels leaves the direction started: at most one event comes for nothing.
 *
 * A wake, or an operation that begins to wait for what the handle is not started for, sends for the thread that runs
 * the loop, once for all of them until it is back. A worker that exits leaves nothing behind. Progress: rx_uv_loop.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include "reactor/rx_uv_loop.h"

#include <errno.h>

#if SY_HAVE_LIBUV

#include <limits.h>
#include <stdlib.h>

#define MAX_EVENTS (INT_MAX / sizeof(struct rx_uv_event))

struct rx {
    bool speculative;
    unsigned batch;
    struct rx_uv_loop loop;
    struct rx_uv_event events[]; /* the waiter's */
};

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        rx_uv_loop_part(&rx->loop, (struct rx_uv_source *)op->source, RX_UV_IS_CLOSED);
    }
}

static enum rx_status rx_uv_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    if (status == RX_PENDING) {
        rx_uv_loop_want(&rx->loop, (struct rx_uv_source *)op->source, rx_readiness_wanted(op->kind));
    } else {
        close_if_last(rx, op);
    }
    return status;
}

static enum rx_status rx_uv_cancel(struct rx *rx, struct rx_op *op) {
    rx_readiness_cancel(op);
    close_if_last(rx, op);
    return RX_DONE;
}

static int rx_uv_register(struct rx *rx, int fd, struct rx_source **out) {
    int error = rx_readiness_admits(fd);
    if (error) {
        return error;
    }
    struct rx_uv_source *source = rx_uv_loop_admit(&rx->loop, fd);
    if (!source) {
        return -ENOMEM;
    }
    rx_slab_set_drains(&source->slab, !rx->speculative); /* who tries first does not ask */
    *out = &source->slab.base;
    return 0;
}

static void rx_uv_deregister(struct rx *rx, struct rx_source *source) {
    rx_uv_loop_part(&rx->loop, (struct rx_uv_source *)source, RX_UV_LEAVES);
}

static void rx_uv_close(struct rx *rx, struct rx_source *base) {
    struct rx_uv_source *source = (struct rx_uv_source *)base;
    if (rx_slab_shut(&source->slab)) {
        rx_uv_loop_part(&rx->loop, source, RX_UV_IS_CLOSED);
    }
}

static int rx_uv_wait(struct rx *rx, int64_t timeout_ns) {
    unsigned count = rx_uv_loop_wait(&rx->loop, timeout_ns, rx->events, rx->batch);
    int handled = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct rx_uv_event *event = &rx->events[i];
        handled += rx_readiness_tell(&event->source->slab, event->generation, event->events);
    }
    return handled;
}

static void rx_uv_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_uv_loop_wake(&rx->loop);
}

static void rx_uv_destroy(struct rx *rx) {
    rx_uv_loop_close(&rx->loop);
    free(rx);
}

static int rx_uv_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->slots == 0 || config->batch > MAX_EVENTS) {
        return -EINVAL;
    }
    struct rx *rx = malloc(sizeof *rx + config->batch * sizeof *rx->events);
    if (!rx) {
        return -ENOMEM;
    }
    int error = rx_uv_loop_open(&rx->loop);
    if (error) {
        free(rx);
        return error;
    }
    rx->speculative = config->speculative;
    rx->batch = config->batch;
    *out = rx;
    return 0;
}

#else
#include "reactor/rx_missing.h"
#endif

const struct rx_ops rx_uv_ops = {
    .name = "rx_uv",
    .summary = "libuv: a uv_poll handle for each descriptor, on one loop that any thread runs",
    .source = "libuv, uv_poll_t",
    .cost =
        "receive that waits 1 call with `speculative` off, 2 on; send 1; wait 1 for a batch; 5 more when a source is "
        "first waited for, 2 when something comes that nobody waits for; all under one mutex, and if another thread "
        "is in the loop, 2 to have it look again where more is to be asked for; per source 256 bytes, 48 more "
        "once it has sent, and about 200 "
        "in the kernel",
    .caveat =
        "libuv is for one thread: deregistering waits until the thread that waits has left the loop for it; time "
        "limits are whole milliseconds; libuv ends the process where its loop finds no memory; a socket with errors "
        "queued (MSG_ERRQUEUE) that nobody takes wakes its operations again and again",
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
#if SY_HAVE_LIBUV
    .create = rx_uv_create,
    .missing = NULL,
    .destroy = rx_uv_destroy,
    .register_fd = rx_uv_register,
    .deregister = rx_uv_deregister,
    .close = rx_uv_close,
    .unread = NULL,
    .poll = rx_uv_poll,
    .cancel = rx_uv_cancel,
    .flush = NULL,
    .attach = NULL,
    .detach = NULL,
    .wait = rx_uv_wait,
    .wake = rx_uv_wake,
#else
    .create = rx_missing_create,
    .missing = "built without libuv 1.44 (Debian: apt-get install libuv1-dev)",
#endif
};
