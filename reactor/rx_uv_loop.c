/*
 * A libuv loop that one thread runs, one after the other, while others change what it looks at. See rx_uv_loop.h.
 *
 * Source: libuv's documentation (uv_poll_t, uv_async_t, uv_run) and its version 1.44.2, src/unix/poll.c, epoll.c.
 *
 * Nothing of libuv's but uv_async_send is thread-safe; but a loop does not mind who runs it, one thread at a time. So
 * the loop belongs to the one who waits while `running`, and at other times to whoever has the mutex. A change that
 * comes while it runs is listed, and the async handle is sent for, once: uv_run returns, the changes are made under the
 * mutex, and it runs on for the rest of the time. What a source is to become is listed and not the step to it, so a
 * source is there once, and the list needs no memory.
 *
 * libuv is level-triggered, and makes two system calls of each change of what a handle is started for. So a direction
 * stays started after its event: an operation that waits again, having taken all there was, costs nothing. A direction
 * in which something comes, and nobody has waited since the last event, is started for no longer. `asked` is what the
 * handle is started for, `wanted` what operations have waited for since; an event counts if it was wanted.
 *
 * After an error (POLLERR) libuv stops the handle and tells nothing else: both directions are told, and the call says
 * what it is. It never tells POLLHUP, but all that the handle is started for. A descriptor that libuv does not take is
 * told as an error too: whoever waits for it makes its call again, and of /dev/null nobody waits twice; where the
 * kernel had no room in its set, that goes on until it has.
 *
 * Parting. uv_close takes the descriptor from the kernel's set at once; the handle's memory is the loop's until
 * on_closed is called, in the next run. LEAVES must not return before the descriptor is out: if the loop is running, it
 * waits until that has been done. It can, as no waker is called in a run. A closed descriptor is closed by who makes
 * the change, and so nobody waits for that. If sources come and go without anybody in wait, admit has the loop run when
 * enough are to be given back.
 *
 * Batch and fairness: callbacks only put the source into a list, told_first, first come first served; wait takes a
 * batch of it, and runs the loop when all is taken. on_closed finds no source in that list, for a handle that is closed
 * is told nothing, and the list is empty when the loop runs.
 *
 * Time limits: uv_timer counts whole milliseconds since some moment in the past; the limit is rounded up to one of
 * these. The loop's own clock is not believed: wait returns when the time is over by the system's.
 *
 * Progress: all take the mutex, for a few instructions, for libuv's calls of epoll_ctl, and for close(2), which takes
 * long where a socket lingers. If a thread stalls between its change and sending, the wait lasts until it goes on or an
 * event comes.
 *
 * There is no atomic access besides those of rx_ready.c and rx_slab.c. The mutex orders what was done before a wake
 * before the return of the wait that clears `woken`, and one thread's use of the loop before the next one's.
 *
 * Rejected: a uv_poll_t for each direction (libuv takes one for a descriptor); starting anew for each operation, four
 * system calls more for a receive that waits.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* POLLRDHUP */
#endif

#include "reactor/rx_uv_loop.h"

#if SY_HAVE_LIBUV

#include <assert.h>
#include <unistd.h>

#define CLOSING_MOST 64 /* handles that the loop holds for want of a run, before admit makes one */

/* ---- handles: by who has the loop ---- */

static int to_uv(unsigned events) {
    return (events & POLLIN ? UV_READABLE : 0) | (events & POLLPRI ? UV_PRIORITIZED : 0) |
           (events & POLLRDHUP ? UV_DISCONNECT : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
}

static unsigned from_uv(int events) {
    return (unsigned)((events & UV_READABLE ? POLLIN : 0) | (events & UV_PRIORITIZED ? POLLPRI : 0) |
                      (events & UV_DISCONNECT ? POLLRDHUP : 0) | (events & UV_WRITABLE ? POLLOUT : 0));
}

static void put_told(struct rx_uv_loop *loop, struct rx_uv_source *source, unsigned events) {
    source->events |= (uint16_t)events;
    if (!source->is_told) {
        source->is_told = true;
        source->next_told = NULL;
        *loop->told_last = source;
        loop->told_last = &source->next_told;
    }
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    struct rx_uv_source *source = handle->data;
    source->stopped |= status < 0;
    put_told(handle->loop->data, source, status < 0 ? POLLERR : from_uv(events));
}

static void on_async(uv_async_t *async) {
    ((struct rx_uv_loop *)async->loop->data)->heard = true;
}

/* Where it is due before the loop polls, libuv 1.44 would go on to poll without a limit: no timer is left. */
static void on_time(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void give_back(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    source->parting = RX_UV_STAYS; /* whoever is the memory's next */
    source->open = false;
    rx_slab_give_back(&loop->slab, &source->slab);
}

static void on_closed(uv_handle_t *handle) {
    struct rx_uv_loop *loop = handle->loop->data;
    loop->closing--;
    give_back(loop, handle->data);
}

static bool open_handle(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    if (!source->open) {
        source->open = uv_poll_init(&loop->uv, &source->handle, source->slab.base.fd) == 0;
        source->handle.data = source;
    }
    return source->open;
}

static void ask(struct rx_uv_loop *loop, struct rx_uv_source *source, unsigned events) {
    if (events == source->asked) {
        return;
    }
    source->asked = 0;
    source->stopped = false;
    if (events == 0) {
        uv_poll_stop(&source->handle);
    } else if (open_handle(loop, source) && uv_poll_start(&source->handle, to_uv(events), on_poll) == 0) {
        source->asked = (uint16_t)events;
    } else { /* such as /dev/null: it never has anybody wait */
        put_told(loop, source, POLLERR);
    }
}

/* The source leaves: the handle, if there is one, is given back in the next run. */
static void take_out(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    source->asked = source->wanted = 0;
    source->stopped = false;
    if (source->open) {
        rx_ready_close(&source->slab.in.ready); /* what was taken and is not told yet is of an old generation now */
        rx_ready_close(&source->slab.out.ready);
        loop->closing++;
        uv_close((uv_handle_t *)&source->handle, on_closed);
    } else if (!source->is_told) {
        give_back(loop, source);
    }
}

/* Makes of the source what it is to be. The descriptor that is to be closed then, or -1. */
static int apply(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    if (source->parting == RX_UV_STAYS) {
        ask(loop, source, source->asked | source->wanted);
        return -1;
    }
    int fd = source->parting == RX_UV_IS_CLOSED ? source->slab.base.fd : -1;
    take_out(loop, source);
    return fd;
}

/* ---- changes ---- */

/* Under the lock, while the loop runs. True: who runs it is to be rung for, without the lock. */
static bool list_change(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    if (!source->is_changed) {
        source->is_changed = true;
        source->next_changed = loop->changes;
        loop->changes = source;
    }
    bool ring = !loop->rung;
    loop->rung = true;
    return ring;
}

static void unlock_and_ring(struct rx_uv_loop *loop, bool ring) {
    pthread_mutex_unlock(&loop->lock);
    if (ring) {
        uv_async_send(&loop->async);
    }
}

void rx_uv_loop_want(struct rx_uv_loop *loop, struct rx_uv_source *source, unsigned events) {
    bool ring = false;
    pthread_mutex_lock(&loop->lock);
    source->wanted |= (uint16_t)events;
    if (events & ~(unsigned)source->asked) {
        if (loop->running) {
            ring = list_change(loop, source);
        } else {
            apply(loop, source);
        }
    }
    unlock_and_ring(loop, ring);
}

void rx_uv_loop_part(struct rx_uv_loop *loop, struct rx_uv_source *source, enum rx_uv_parting parting) {
    bool ring = false, listed;
    int fd = -1;
    pthread_mutex_lock(&loop->lock);
    source->parting = (uint8_t)parting;
    listed = loop->running && (source->open || source->is_changed || source->is_told);
    if (listed) {
        ring = list_change(loop, source);
    } else {
        fd = apply(loop, source);
    }
    uint64_t turn = loop->turns;
    unlock_and_ring(loop, ring);
    if (listed && parting == RX_UV_LEAVES) {
        pthread_mutex_lock(&loop->lock);
        while (loop->turns == turn) {
            pthread_cond_wait(&loop->changes_made, &loop->lock);
        }
        pthread_mutex_unlock(&loop->lock);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void make_changes(struct rx_uv_loop *loop) {
    struct rx_uv_source *changed = loop->changes;
    loop->changes = NULL;
    loop->turns++;
    while (changed) {
        struct rx_uv_source *source = changed;
        changed = source->next_changed;
        source->is_changed = false;
        int fd = apply(loop, source);
        if (fd >= 0) {
            close(fd);
        }
    }
    pthread_cond_broadcast(&loop->changes_made);
}

/* ---- coming ---- */

/* After a run, under the lock. */
static void note_ring(struct rx_uv_loop *loop) {
    loop->rung &= !loop->heard;
    loop->heard = false;
}

static void collect_closed(struct rx_uv_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    if (!loop->running && loop->closing >= CLOSING_MOST && !loop->told_first) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        note_ring(loop);
    }
    pthread_mutex_unlock(&loop->lock);
}

struct rx_uv_source *rx_uv_loop_admit(struct rx_uv_loop *loop, int fd) {
    collect_closed(loop);
    struct rx_uv_source *source = (struct rx_uv_source *)rx_slab_take(&loop->slab);
    if (source) {
        source->slab.base.fd = fd;
    }
    return source;
}

/* ---- waiting ---- */

static void start_timer(struct rx_uv_loop *loop, int64_t end_ns) {
    uv_update_time(&loop->uv);
    uint64_t end_ms = (uint64_t)end_ns / 1000000 + (end_ns % 1000000 != 0), now_ms = uv_now(&loop->uv);
    uv_timer_start(&loop->timer, on_time, end_ms > now_ms ? end_ms - now_ms : 0, 0);
}

/* Under the lock, given up meanwhile; all that was told is taken. end_ns: when to return, 0: at once, -1: never. */
static void run_once(struct rx_uv_loop *loop, int64_t end_ns) {
    if (end_ns > 0) {
        start_timer(loop, end_ns);
    }
    loop->running = true;
    pthread_mutex_unlock(&loop->lock);
    uv_run(&loop->uv, end_ns ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    pthread_mutex_lock(&loop->lock);
    loop->running = false;
    note_ring(loop);
    uv_timer_stop(&loop->timer);
    make_changes(loop);
}

/* Of what the source was told, what was wanted; the rest is asked for no longer. */
static unsigned take_events(struct rx_uv_loop *loop, struct rx_uv_source *source) {
    unsigned events = source->events, wanted = source->wanted;
    source->events = 0;
    if (source->stopped) {
        source->stopped = false;
        source->asked = 0;
    }
    unsigned fresh = wanted ? events & (wanted | POLLERR) : 0;
    source->wanted &= (uint16_t)~rx_readiness_concerned(fresh);
    ask(loop, source, source->wanted | (source->asked & ~(events & ~wanted)));
    return fresh;
}

/* Under the lock: up to a batch of what was told and wanted. */
static unsigned take(struct rx_uv_loop *loop, struct rx_uv_event *out, unsigned batch) {
    unsigned count = 0;
    while (loop->told_first && count < batch) {
        struct rx_uv_source *source = loop->told_first;
        loop->told_first = source->next_told;
        if (!loop->told_first) {
            loop->told_last = &loop->told_first;
        }
        source->is_told = false;
        if (source->parting) {
            source->events = 0;
            if (!source->open) {
                give_back(loop, source);
            }
            continue;
        }
        unsigned events = take_events(loop, source);
        if (events) {
            uint16_t generation = rx_ready_generation(&source->slab.in.ready);
            out[count++] = (struct rx_uv_event){source, generation, (uint16_t)events};
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

unsigned rx_uv_loop_wait(struct rx_uv_loop *loop, int64_t timeout_ns, struct rx_uv_event *events, unsigned batch) {
    int64_t end_ns = timeout_ns < 0 ? -1 : end_of(timeout_ns);
    pthread_mutex_lock(&loop->lock);
    unsigned count = take(loop, events, batch);
    for (bool over = count > 0; !over;) {
        run_once(loop, loop->woken ? 0 : end_ns);
        count = take(loop, events, batch);
        over = count > 0 || loop->woken || timeout_ns == 0 || (timeout_ns > 0 && now_ns() >= end_ns);
    }
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    return count;
}

void rx_uv_loop_wake(struct rx_uv_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->woken = true;
    bool ring = loop->running && !loop->rung;
    loop->rung |= ring;
    unlock_and_ring(loop, ring);
}

/* ---- life ---- */

static void close_loop(struct rx_uv_loop *loop) {
    int error;
    while ((error = uv_loop_close(&loop->uv)) == UV_EBUSY) { /* until all that was closed has been told */
        assert(loop->uv.closing_handles && "destroyed with a source registered");
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    assert(error == 0);
}

/* libuv 1.44 leaves its epoll open where it gets no further descriptor. 0: it made none; -1: it closed it. */
static void close_left(struct rx_uv_loop *loop) {
    if (uv_backend_fd(&loop->uv) > 0) {
        close(uv_backend_fd(&loop->uv));
    }
}

int rx_uv_loop_open(struct rx_uv_loop *loop) {
    *loop = (struct rx_uv_loop){.running = false};
    loop->told_last = &loop->told_first;
    int error = uv_loop_init(&loop->uv);
    if (error) {
        close_left(loop);
        return error;
    }
    loop->uv.data = loop;
    uv_timer_init(&loop->uv, &loop->timer);
    error = uv_async_init(&loop->uv, &loop->async, on_async);
    if (error) {
        uv_close((uv_handle_t *)&loop->timer, NULL);
        close_loop(loop);
        return error;
    }
    rx_slab_init(&loop->slab, sizeof(struct rx_uv_source));
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->changes_made, NULL);
    return 0;
}

void rx_uv_loop_close(struct rx_uv_loop *loop) {
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    close_loop(loop);
    rx_slab_destroy(&loop->slab);
    pthread_cond_destroy(&loop->changes_made);
    pthread_mutex_destroy(&loop->lock);
}

#endif
