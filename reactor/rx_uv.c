/*
 * Reactor back end: libuv. Each descriptor is a uv_poll_t of one loop, which whoever waits runs.
 *
 * Source: libuv's documentation (uv_poll_t, uv_async_t, uv_run) and its version 1.44.2, src/unix/poll.c, epoll.c.
 * Readiness and wakers: rx_ready.c.
 *
 * Nothing of libuv's but uv_async_send is thread-safe; but a loop does not mind who runs it, one thread at a time. So
 * the loop belongs to the one who waits while `running`, and at other times to whoever has the mutex. A change that
 * comes while it runs is listed, and the async handle is sent for, once: uv_run returns, the changes are made under the
 * mutex, and it runs on for the rest of the time. What a source is to become is listed and not the step to it, so a
 * source is there once, and the list needs no memory.
 *
 * libuv is level-triggered, and makes two system calls of each change of what a handle is started for. So a direction
 * stays started after its event: an operation that waits again, having taken all there was, costs nothing. What comes in
 * a direction that nobody has waited in since its last event is started for no longer. `asked` is what the handle is
 * started for, `wanted` what operations have waited for since; an event counts if it was wanted.
 *
 * After an error (POLLERR) libuv stops the handle and tells nothing else: both directions are told, and the call says
 * what it is. It never tells POLLHUP, but all that the handle is started for. The level counts, so a short count may
 * always clear READY, whatever the kind of socket.
 *
 * Parting. uv_close takes the descriptor from the kernel's set at once; the handle's memory is the loop's until it calls
 * on_closed, in the next run. deregister must not return before the descriptor is out: if the loop is running, it
 * waits until it has stopped for that. It can, as no waker is called in the run. A closed descriptor is closed by who
 * makes the change, and so nobody waits for that. If sources come and go without anybody in wait, register has the loop
 * run when enough are to be given back.
 *
 * Batch and fairness: callbacks only put the source into a list, `told`, first come first served; wait takes a batch of
 * it, and runs the loop when all is taken. on_closed finds no source in that list, for a handle that is closed is told
 * nothing, and the list is empty when the loop runs.
 *
 * Time limits: uv_timer counts whole milliseconds since some moment in the past; the limit is rounded up to one of
 * these. The loop's own clock is not believed: wait returns when the time is over by the system's.
 *
 * Progress: all take the mutex, for a few instructions and for libuv's calls in epoll_ctl. deregister waits for whoever
 * runs the loop to leave it. If a thread stalls between its change and sending, the wait lasts until it goes on or an
 * event comes. A worker that exits leaves nothing behind.
 *
 * There is no atomic access besides those of rx_ready.c and rx_slab.c. The mutex orders what was done before a wake
 * before the return of the wait that clears `woken`, and one thread's use of the loop before the next one's.
 *
 * Memory: libuv aborts where it finds none while the loop runs. Rejected: a uv_poll_t for each direction (libuv takes one
 * for a descriptor); starting anew for each operation, four system calls for a receive that waits.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include "reactor/rx_readiness.h"

#include <errno.h>

#if SY_HAVE_LIBUV

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define CLOSING_MOST 64 /* handles that the loop holds for want of a run, before register makes one */

enum parting { STAYS, LEAVES, IS_CLOSED };

struct uv_source {
    struct rx_slab_source slab; /* first */
    uv_poll_t handle;           /* the loop's, if `open` */
    struct uv_source *next_changed, *next_told;
    uint16_t wanted;
    uint16_t asked;
    uint16_t events; /* told by the loop and not taken */
    bool open;       /* the handle is initialised */
    bool stopped;    /* by libuv, after an error */
    bool is_told;    /* it is in the list of told */
    bool is_changed; /* it is in the list of changes */
    uint8_t parting; /* enum parting */
};

struct rx {
    bool speculative;
    unsigned batch;
    struct rx_slab slab;
    pthread_mutex_t lock;
    pthread_cond_t changes_made;
    /* Under the lock. */
    bool running;              /* a thread is in uv_run, or about to be */
    bool rung;                 /* the async handle was sent for, or its sender is on the way */
    bool woken;                /* by rx_ops.wake, since the last wait returned */
    uint64_t turns;            /* of making changes */
    struct uv_source *changes; /* made since the loop runs */
    /* The loop's: of who runs it, or of who has the lock. */
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    bool heard; /* the async handle */
    unsigned closing;
    struct uv_source *told_first, **told_last;
    /* The waiter's. */
    struct taken {
        struct uv_source *source;
        uint16_t generation;
        uint16_t events;
    } taken[];
};

/* ---- handles: by who has the loop ---- */

static int to_uv(unsigned events) {
    return (events & POLLIN ? UV_READABLE : 0) | (events & POLLPRI ? UV_PRIORITIZED : 0) |
           (events & POLLRDHUP ? UV_DISCONNECT : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
}

static unsigned from_uv(int events) {
    return (unsigned)((events & UV_READABLE ? POLLIN : 0) | (events & UV_PRIORITIZED ? POLLPRI : 0) |
                      (events & UV_DISCONNECT ? POLLRDHUP : 0) | (events & UV_WRITABLE ? POLLOUT : 0));
}

static void put_told(struct rx *rx, struct uv_source *source, unsigned events) {
    source->events |= (uint16_t)events;
    if (!source->is_told) {
        source->is_told = true;
        source->next_told = NULL;
        *rx->told_last = source;
        rx->told_last = &source->next_told;
    }
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    struct uv_source *source = handle->data;
    source->stopped |= status < 0;
    put_told(handle->loop->data, source, status < 0 ? POLLERR : from_uv(events));
}

static void on_async(uv_async_t *async) {
    ((struct rx *)async->loop->data)->heard = true;
}

static void on_time(uv_timer_t *timer) {
    (void)timer; /* uv_run returns */
}

static void give_back(struct rx *rx, struct uv_source *source) {
    source->parting = STAYS; /* whoever is the memory's next */
    source->open = false;
    rx_slab_give_back(&rx->slab, &source->slab);
}

static void on_closed(uv_handle_t *handle) {
    struct rx *rx = handle->loop->data;
    rx->closing--;
    give_back(rx, handle->data);
}

static bool open_handle(struct rx *rx, struct uv_source *source) {
    if (!source->open) {
        source->open = uv_poll_init(&rx->loop, &source->handle, source->slab.base.fd) == 0;
        source->handle.data = source;
    }
    return source->open;
}

static void ask(struct rx *rx, struct uv_source *source, unsigned events) {
    if (events == source->asked) {
        return;
    }
    source->asked = 0;
    source->stopped = false;
    if (events == 0) {
        uv_poll_stop(&source->handle);
    } else if (open_handle(rx, source) && uv_poll_start(&source->handle, to_uv(events), on_poll) == 0) {
        source->asked = (uint16_t)events;
    } else { /* such as /dev/null: it never has anybody wait */
        put_told(rx, source, POLLERR);
    }
}

/* The source leaves: the handle, if there is one, is given back in the next run. */
static void part(struct rx *rx, struct uv_source *source) {
    source->asked = source->wanted = 0;
    source->stopped = false;
    if (source->open) {
        rx->closing++;
        uv_close((uv_handle_t *)&source->handle, on_closed);
    } else if (!source->is_told) {
        give_back(rx, source);
    }
}

/* Makes of the source what it is to be. The descriptor that is to be closed then, or -1. */
static int apply(struct rx *rx, struct uv_source *source) {
    if (source->parting == STAYS) {
        ask(rx, source, source->asked | source->wanted);
        return -1;
    }
    int fd = source->parting == IS_CLOSED ? source->slab.base.fd : -1;
    part(rx, source);
    return fd;
}

/* ---- changes ---- */

/* Under the lock, while the loop runs. True: who runs it is to be rung for, without the lock. */
static bool list_change(struct rx *rx, struct uv_source *source) {
    if (!source->is_changed) {
        source->is_changed = true;
        source->next_changed = rx->changes;
        rx->changes = source;
    }
    bool ring = !rx->rung;
    rx->rung = true;
    return ring;
}

static void unlock_and_ring(struct rx *rx, bool ring) {
    pthread_mutex_unlock(&rx->lock);
    if (ring) {
        uv_async_send(&rx->async);
    }
}

static void want(struct rx *rx, struct uv_source *source, unsigned events) {
    bool ring = false;
    pthread_mutex_lock(&rx->lock);
    source->wanted |= (uint16_t)events;
    if (events & ~(unsigned)source->asked) {
        if (rx->running) {
            ring = list_change(rx, source);
        } else {
            apply(rx, source);
        }
    }
    unlock_and_ring(rx, ring);
}

static void leave(struct rx *rx, struct uv_source *source, enum parting parting) {
    bool ring = false, listed;
    int fd = -1;
    pthread_mutex_lock(&rx->lock);
    source->parting = (uint8_t)parting;
    listed = rx->running && (source->open || source->is_changed || source->is_told);
    if (listed) {
        ring = list_change(rx, source);
    } else {
        fd = apply(rx, source);
    }
    uint64_t turn = rx->turns;
    unlock_and_ring(rx, ring);
    if (listed && parting == LEAVES) {
        pthread_mutex_lock(&rx->lock);
        while (rx->turns == turn) {
            pthread_cond_wait(&rx->changes_made, &rx->lock);
        }
        pthread_mutex_unlock(&rx->lock);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void make_changes(struct rx *rx) {
    struct uv_source *changed = rx->changes;
    rx->changes = NULL;
    rx->turns++;
    while (changed) {
        struct uv_source *source = changed;
        changed = source->next_changed;
        source->is_changed = false;
        int fd = apply(rx, source);
        if (fd >= 0) {
            close(fd);
        }
    }
    pthread_cond_broadcast(&rx->changes_made);
}

/* ---- operations ---- */

static void close_if_last(struct rx *rx, const struct rx_op *op) {
    if (rx_readiness_ends_source(op)) {
        leave(rx, (struct uv_source *)op->source, IS_CLOSED);
    }
}

static enum rx_status rx_uv_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = rx_readiness_poll(op, waker, rx->speculative);
    if (status == RX_PENDING) {
        want(rx, (struct uv_source *)op->source, rx_readiness_wanted(op->kind));
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

/* After a run, under the lock. */
static void note_ring(struct rx *rx) {
    rx->rung &= !rx->heard;
    rx->heard = false;
}

static void collect_closed(struct rx *rx) {
    pthread_mutex_lock(&rx->lock);
    if (!rx->running && rx->closing >= CLOSING_MOST && !rx->told_first) {
        uv_run(&rx->loop, UV_RUN_NOWAIT);
        note_ring(rx);
    }
    pthread_mutex_unlock(&rx->lock);
}

static int rx_uv_register(struct rx *rx, int fd, struct rx_source **out) {
    struct stat status;
    if (fstat(fd, &status)) {
        return -errno;
    }
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        return -EPERM;
    }
    collect_closed(rx);
    struct uv_source *source = (struct uv_source *)rx_slab_take(&rx->slab);
    if (!source) {
        return -ENOMEM;
    }
    source->slab.base.fd = fd;
    source->slab.drains = !rx->speculative; /* who tries first does not ask */
    *out = &source->slab.base;
    return 0;
}

static void rx_uv_deregister(struct rx *rx, struct rx_source *source) {
    leave(rx, (struct uv_source *)source, LEAVES);
}

static void rx_uv_close(struct rx *rx, struct rx_source *base) {
    struct uv_source *source = (struct uv_source *)base;
    if (rx_slab_shut(&source->slab)) {
        leave(rx, source, IS_CLOSED);
    }
}

/* ---- waiting ---- */

static void start_timer(struct rx *rx, int64_t end_ns) {
    uv_update_time(&rx->loop);
    uint64_t end_ms = (uint64_t)end_ns / 1000000 + (end_ns % 1000000 != 0), now_ms = uv_now(&rx->loop);
    uv_timer_start(&rx->timer, on_time, end_ms > now_ms ? end_ms - now_ms : 0, 0);
}

/* Under the lock, which it gives up meanwhile; nothing is told that was not taken. end_ns: 0: look, negative: no limit. */
static void run_once(struct rx *rx, int64_t end_ns) {
    if (end_ns > 0) {
        start_timer(rx, end_ns);
    }
    rx->running = true;
    pthread_mutex_unlock(&rx->lock);
    uv_run(&rx->loop, end_ns ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    pthread_mutex_lock(&rx->lock);
    rx->running = false;
    note_ring(rx);
    uv_timer_stop(&rx->timer);
    make_changes(rx);
}

/* Of what the source was told, what was wanted; the rest is asked for no longer. */
static unsigned take_events(struct rx *rx, struct uv_source *source) {
    unsigned events = source->events, wanted = source->wanted;
    source->events = 0;
    if (source->stopped) {
        source->stopped = false;
        source->asked = 0;
    }
    unsigned fresh = wanted ? events & (wanted | POLLERR) : 0;
    source->wanted &= (uint16_t)~rx_readiness_concerned(fresh);
    ask(rx, source, source->wanted | (source->asked & ~(events & ~wanted)));
    return fresh;
}

/* Under the lock: up to a batch of what was told and wanted. */
static unsigned take(struct rx *rx) {
    unsigned count = 0;
    while (rx->told_first && count < rx->batch) {
        struct uv_source *source = rx->told_first;
        rx->told_first = source->next_told;
        if (!rx->told_first) {
            rx->told_last = &rx->told_first;
        }
        source->is_told = false;
        if (source->parting) {
            source->events = 0;
            if (!source->open) {
                give_back(rx, source);
            }
            continue;
        }
        unsigned events = take_events(rx, source);
        if (events) {
            uint16_t generation = rx_ready_generation(&source->slab.in);
            rx->taken[count++] = (struct taken){source, generation, (uint16_t)events};
        }
    }
    return count;
}

static int64_t now_ns(void) {
    return (int64_t)uv_hrtime();
}

static int64_t end_of(int64_t timeout_ns) {
    int64_t now = timeout_ns > 0 ? now_ns() : 0;
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

static int rx_uv_wait(struct rx *rx, int64_t timeout_ns) {
    int64_t end_ns = timeout_ns < 0 ? -1 : end_of(timeout_ns);
    int handled = 0;
    pthread_mutex_lock(&rx->lock);
    unsigned count = take(rx);
    for (bool over = count > 0; !over;) {
        run_once(rx, rx->woken ? 0 : end_ns);
        count = take(rx);
        over = count > 0 || rx->woken || timeout_ns == 0 || (timeout_ns > 0 && now_ns() >= end_ns);
    }
    rx->woken = false;
    pthread_mutex_unlock(&rx->lock);
    for (unsigned i = 0; i < count; i++) {
        const struct taken *taken = &rx->taken[i];
        handled += rx_readiness_tell(&taken->source->slab, taken->generation, taken->events);
    }
    return handled;
}

static void rx_uv_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    pthread_mutex_lock(&rx->lock);
    rx->woken = true;
    bool ring = rx->running && !rx->rung;
    rx->rung |= ring;
    unlock_and_ring(rx, ring);
}

/* ---- life ---- */

static void close_loop(struct rx *rx) {
    int error;
    while ((error = uv_loop_close(&rx->loop)) == UV_EBUSY) { /* until all that was closed has been told */
        assert(rx->loop.closing_handles && "destroyed with a source registered");
        uv_run(&rx->loop, UV_RUN_NOWAIT);
    }
    assert(error == 0);
}

static void rx_uv_destroy(struct rx *rx) {
    uv_close((uv_handle_t *)&rx->async, NULL);
    uv_close((uv_handle_t *)&rx->timer, NULL);
    close_loop(rx);
    rx_slab_destroy(&rx->slab);
    pthread_cond_destroy(&rx->changes_made);
    pthread_mutex_destroy(&rx->lock);
    free(rx);
}

static int open_loop(struct rx *rx) {
    int error = uv_loop_init(&rx->loop);
    if (error) {
        return error;
    }
    rx->loop.data = rx;
    uv_timer_init(&rx->loop, &rx->timer);
    error = uv_async_init(&rx->loop, &rx->async, on_async);
    if (error) {
        uv_close((uv_handle_t *)&rx->timer, NULL);
        close_loop(rx);
    }
    return error;
}

static int rx_uv_create(struct rx **out, const struct rx_config *config) {
    if (config->batch == 0 || config->slots == 0) {
        return -EINVAL;
    }
    struct rx *rx = calloc(1, sizeof *rx + config->batch * sizeof *rx->taken);
    if (!rx) {
        return -ENOMEM;
    }
    int error = open_loop(rx);
    if (error) {
        free(rx);
        return error;
    }
    rx->speculative = config->speculative;
    rx->batch = config->batch;
    rx->told_last = &rx->told_first;
    rx_slab_init(&rx->slab, sizeof(struct uv_source));
    pthread_mutex_init(&rx->lock, NULL);
    pthread_cond_init(&rx->changes_made, NULL);
    *out = rx;
    return 0;
}

#else

static int rx_uv_create(struct rx **out, const struct rx_config *config) {
    (void)out;
    (void)config;
    return -ENOTSUP;
}

#endif

const struct rx_ops rx_uv_ops = {
    .name = "rx_uv",
    .summary = "libuv: a uv_poll handle for each descriptor, on one loop that any thread runs",
    .source = "libuv, docs.libuv.org: uv_poll_t",
    .cost =
        "receive that waits 1 call with `speculative` off, 2 on; send 1; wait 1 for a batch; 7 more when a source is "
        "first waited for, 2 when something comes that nobody waits for; all under one mutex, and if another thread "
        "is in the loop, 2 to have it look again where more is to be asked for; per source 312 bytes, and about 200 "
        "in the kernel",
    .caveat =
        "libuv is for one thread: deregistering waits until the thread that waits has left the loop for it; time "
        "limits are whole milliseconds; libuv ends the process where its loop finds no memory; a socket with errors "
        "queued (MSG_ERRQUEUE) that nobody takes wakes its operations again and again",
    .completion = false,
    .stealable = true,
    .files = false,
    .reads_ahead = false,
    .create = rx_uv_create,
#if SY_HAVE_LIBUV
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
    .missing = "built without libuv 1.44 (Debian: apt-get install libuv1-dev)",
#endif
};
