/*
 * Reactor back end: epoll, one-shot. A descriptor is registered once, with no interest; an operation that has to wait
 * arms it, and the event that ends the wait disarms it.
 *
 * Source: epoll(7), EPOLLONESHOT. Waiting and waking: rx_epoll_set.c. Readiness and wakers: rx_ready.c. Late events:
 * rx_slab.h, and the generation in the event's data.
 *
 * One-shot disarms the whole descriptor, while operations wait for its directions apart. So each source has a word that
 * says which events are waited for:
 *
 *     events (16 bits)       wanted: set by operations, cleared by the event that concerns their direction
 *     generation (16 bits)   of the source; an event of another one changes nothing
 *
 * and this holds: if an event is wanted, then the kernel has it armed; or it has disarmed the descriptor with an event
 * that is still to be handled; or a thread is in `arm`. Who adds to the word arms all of it, and so does who handles an
 * event while the other direction waits. An event in the kernel that nobody wants any more, after a cancel say, comes
 * once, for nothing, and disarms nothing that is not armed again when it is handled.
 *
 * Two threads may arm one descriptor at once, and the call of the one with the older word may come last. So who has
 * armed looks again, and repeats the call if more is wanted by now. Of the two the kernel serves one last, and it sees
 * what the other added before its call; thus the last call of all contains everything that is wanted.
 *
 * The level counts: what came before arming is told at once. So a short count may always clear READY, whatever the kind
 * of socket, and no edge can be overlooked between an operation's call and its arming.
 *
 * deregister advances the generation before the descriptor leaves the epoll set. A waiter that re-arms does so under
 * the mutex `departure` and with the right generation, since the descriptor's number may be another's once deregister,
 * which takes that mutex too, has returned. Operations that arm are in flight and keep the source from departing.
 *
 * Progress: arming is lock-free: a call is repeated only if another thread added to the word. If an operation's thread
 * stalls before its call, only that operation waits. register and deregister take mutexes; deregister waits for a
 * waiter that is within its call to re-arm.
 *
 * Accesses of `interest`:
 *
 * (1) poll: or acq_rel, after the waker was stored (rx_ready.c (3)). Partner (2). Found there already: then (2) is
 *     still to come, reads the release, and its edge finds the waker. Not there: then this operation arms. Acquire: so
 *     it does if (2) came before, whose edge it may have overlooked.
 * (2) handle: CAS acq_rel, takes the events of the directions concerned away, before the edge. Partner (1).
 * (3) arm: load relaxed, after the call. The kernel's lock on the set, which both calls take, orders it after the
 *     other's (1) if the other's call came first.
 * (4) rearm: load relaxed, under `departure`, which orders it after (5).
 * (5) depart: store relaxed, under `departure`: the next generation, nothing wanted. (1) is not to be expected, no
 *     operation being in flight; and if it comes between load and CAS of (2), that one fails and sees the generation.
 *
 * Rejected: to wake both directions at every event and let each arm itself, without a word for what is wanted; a
 * connection that is written while it waits to be read would wake its reader for nothing each time. A mutex for each
 * source around word and call: 40 bytes, and whoever arms would wait for a stalled thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/rx_epoll_set.h"

#define EVENTS UINT32_C(0xffff)
#define GENERATION_SHIFT 16

struct oneshot_source {
    struct rx_slab_source slab; /* first */
    struct au32 interest;
};

struct rx {
    bool speculative;
    pthread_mutex_t departure;
    struct rx_slab sources;
    struct rx_epoll_set set;
};

/* ---- arming ---- */

/* Has the kernel tell, once, what `word` wants, and what was added meanwhile. */
static void arm(struct rx *rx, struct oneshot_source *source, uint32_t word) {
    uint32_t armed;
    do {
        armed = word & EVENTS;
        rx_epoll_set_ask(&rx->set, EPOLL_CTL_MOD, &source->slab, armed | EPOLLONESHOT);
        word = au32_load_relaxed(&source->interest); /* (3) */
    } while (word & ~armed & EVENTS);
}

/* After an event, for the direction that it did not concern. */
static void rearm(struct rx *rx, struct oneshot_source *source, uint16_t generation) {
    pthread_mutex_lock(&rx->departure);
    uint32_t word = au32_load_relaxed(&source->interest); /* (4) */
    if (word >> GENERATION_SHIFT == generation) {
        arm(rx, source, word);
    }
    pthread_mutex_unlock(&rx->departure);
}

/* ---- leaving ---- */

/* From now on no event of this source is taken, nor does a waiter re-arm it. */
static void depart(struct rx *rx, struct oneshot_source *source) {
    uint16_t next = (uint16_t)(rx_ready_generation(&source->slab.in.ready) + 1);
    pthread_mutex_lock(&rx->departure);
    au32_store_relaxed(&source->interest, (uint32_t)next << GENERATION_SHIFT); /* (5) */
    pthread_mutex_unlock(&rx->departure);
}

static void leave(struct rx *rx, struct oneshot_source *source) {
    depart(rx, source);
    rx_epoll_set_remove(&rx->set, source->slab.base.fd);
    rx_slab_give_back(&rx->sources, &source->slab);
}

/* By the last to leave a source that is closed. */
static void close_source(struct rx *rx, struct oneshot_source *source) {
    int fd = source->slab.base.fd;
    leave(rx, source);
    close(fd);
}

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        close_source(rx, (struct oneshot_source *)op->source);
    }
}

/* ---- operations ---- */

static enum rx_status rx_epoll_oneshot_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct oneshot_source *source = (struct oneshot_source *)op->source;
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    if (status == RX_DONE) {
        close_if_last(rx, op);
        return RX_DONE;
    }
    uint32_t wanted = rx_readiness_wanted(op->kind);
    uint32_t before = au32_fetch_or_acq_rel(&source->interest, wanted); /* (1) */
    if (wanted & ~before) {
        arm(rx, source, before | wanted);
    }
    return RX_PENDING;
}

static enum rx_status rx_epoll_oneshot_cancel(struct rx *rx, struct rx_op *op) {
    rx_readiness_cancel(op);
    close_if_last(rx, op);
    return RX_DONE;
}

static int rx_epoll_oneshot_register(struct rx *rx, int fd, struct rx_source **out) {
    struct oneshot_source *source = (struct oneshot_source *)rx_slab_take(&rx->sources);
    if (!source) {
        return -ENOMEM;
    }
    source->slab.base.fd = fd;
    rx_slab_set_drains(&source->slab, !rx->speculative); /* who tries first does not ask */
    int error = rx_epoll_set_ask(&rx->set, EPOLL_CTL_ADD, &source->slab, EPOLLONESHOT);
    if (error) {
        depart(rx, source);
        rx_slab_give_back(&rx->sources, &source->slab);
        return error;
    }
    *out = &source->slab.base;
    return 0;
}

static void rx_epoll_oneshot_deregister(struct rx *rx, struct rx_source *source) {
    leave(rx, (struct oneshot_source *)source);
}

static void rx_epoll_oneshot_close(struct rx *rx, struct rx_source *base) {
    struct oneshot_source *source = (struct oneshot_source *)base;
    if (rx_slab_shut(&source->slab)) {
        close_source(rx, source);
    }
}

/* ---- waiting ---- */

/* False: of another generation. */
static bool handle_event(struct rx *rx, uint64_t key, uint32_t events) {
    struct oneshot_source *source = (struct oneshot_source *)rx_readiness_at(&rx->sources, key);
    uint16_t generation = rx_readiness_generation(key);
    uint32_t word = au32_load_relaxed(&source->interest), left;
    do {
        if (word >> GENERATION_SHIFT != generation) {
            return false;
        }
        left = word & ~rx_readiness_concerned(events);
    } while (!au32_cas_acq_rel(&source->interest, &word, left)); /* (2) */
    if (left & EVENTS) {
        rearm(rx, source, generation);
    }
    return rx_readiness_tell(&source->slab, generation, events);
}

static int rx_epoll_oneshot_wait(struct rx *rx, int64_t timeout_ns) {
    int count = rx_epoll_set_fetch(&rx->set, timeout_ns), handled = 0;
    for (int i = 0; i < count; i++) {
        handled += handle_event(rx, rx->set.events[i].data.u64, rx->set.events[i].events);
    }
    return count < 0 ? count : handled;
}

static void rx_epoll_oneshot_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_epoll_set_wake(&rx->set);
}

/* ---- life ---- */

static void rx_epoll_oneshot_destroy(struct rx *rx) {
    rx_epoll_set_close(&rx->set);
    rx_slab_destroy(&rx->sources);
    pthread_mutex_destroy(&rx->departure);
    free(rx);
}

static int rx_epoll_oneshot_create(struct rx **out, const struct rx_config *config) {
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
    pthread_mutex_init(&rx->departure, NULL);
    rx_slab_init(&rx->sources, sizeof(struct oneshot_source));
    *out = rx;
    return 0;
}

const struct rx_ops rx_epoll_oneshot_ops = {
    .name = "rx_epoll_oneshot",
    .summary = "epoll, one-shot: armed by each operation that has to wait",
    .source = "epoll(7), EPOLLONESHOT",
    .cost = "receive that waits 2 calls with `speculative` off, 3 on; send 1, that waits 3; wait 1 for a batch, and 1 "
            "under a mutex for each event of a source whose other direction waits; per source 72 bytes, 48 more "
            "once it has sent, and about 200 "
            "in the kernel",
    .caveat = "a socket with errors queued (MSG_ERRQUEUE) that nobody takes wakes its operations again and again; one "
              "epoll set saturates at about 192 cores (golang issue 65064)",
    .missing = NULL,
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
    .create = rx_epoll_oneshot_create,
    .destroy = rx_epoll_oneshot_destroy,
    .register_fd = rx_epoll_oneshot_register,
    .deregister = rx_epoll_oneshot_deregister,
    .close = rx_epoll_oneshot_close,
    .poll = rx_epoll_oneshot_poll,
    .cancel = rx_epoll_oneshot_cancel,
    .flush = NULL,
    .attach = NULL,
    .detach = NULL,
    .wait = rx_epoll_oneshot_wait,
    .wake = rx_epoll_oneshot_wake,
};
