/*
 * The slots of rx_uring_local. See rx_slot.h.
 *
 * A ring with SINGLE_ISSUER and DEFER_TASKRUN is entered by one thread only, and its requests end with that thread. So
 * all that is asked of a ring is asked by the slot's thread; others leave mail. And a slot without a thread has nothing
 * in the kernel: detaching cancels every request and takes every completion, after which the operations concerned are
 * woken, polled again by whoever runs them, and asked for anew, in a slot that has a thread.
 *
 * Mail. A source is in one mailbox at most: who turns QUEUED on puts it there, and whoever takes it out turns QUEUED
 * off before reading what is wanted. `home` changes only between those two, so the one who puts need not fear that it
 * moves.
 *
 * Ending. A source that nothing is asked for is ended by who closes it. Otherwise CLOSE or RELEASE is posted when
 * nobody is left to poll an operation of the source. The home cancels what is armed; with the last completion the
 * source is given back. Memory of a source stays a source (rx_slab.h), and by then nobody can post for it: it is in no
 * mailbox, for it was just taken out of one.
 *
 * Pausing. STOP is posted while no operation of the source is in flight, and none begins before it is answered. What is
 * armed inwards is cancelled, and its last completion answers.
 *
 * Accesses, numbered. (`thread` changes only under the reactor's lock.)
 *
 *  (1) post: or acq_rel on `mail`. Release: partner (3), for what the sender did before. Acquire: partner (3), for the
 *      home that an earlier taker may have set.
 *  (2) post: CAS acq_rel onto `mailbox`, then a full fence, then load relaxed of `thread` and `sleeping`.
 *      (4) store of `thread` or `sleeping`, then a full fence, then a look into `mailbox`. Of the two fences one comes
 *      first: so either the sender sees that the thread sleeps (and wakes it) or is gone (and delivers elsewhere), or
 *      the thread sees the mail.
 *  (3) taker: exchange acquire of `mailbox`, and exchange acq_rel of `mail`. Partners (1) and (2).
 *  (5) wanted: the poller's or acq_rel (rx_uring_local.c), the home's exchange acq_rel at a last completion. Suppose
 *      the poller finds a request under way and leaves its waker to it. The home's exchange comes later in the word's
 *      order and reads the poller's or: so the edge after it sees the waker.
 *  (6) home: load relaxed; see Mail. Stored relaxed by who has taken the source out of a mailbox, ordered by (2), (3).
 *  (7) let_go: store release, load acquire: the source, and what was read ahead for it, is the caller's again.
 *  (8) woken: as (1) and (2) of rx_epoll_set.c. A wake is noticed once, by a wait or before the next one, and stays for
 *      the next thread if this one is leaving.
 *  (9) telling: and release. Partner: the ender's load acquire of wanted, which finds nothing under way only behind it.
 *      Without TELLING the source could be ended and be used again, in another slot, between an edge and the reading of
 *      the waker that it took, and two threads would be at one direction's wakers (rx_ready.c (4) allows one).
 *
 * A stalled slot's thread holds up what lives there, which is what "cannot be stolen" means.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#if SY_HAVE_LIBURING

#include "reactor/rx_slot.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "reactor/rx_ring.h"

#define ENTRIES 256       /* requests handed over at once */
#define COMPLETIONS 4096  /* at once, before the kernel keeps them in a list of its own */
#define AHEAD_MOST 8      /* notes that a source may have waiting before the kernel is told to stop receiving for it */
#define ACCEPTED_MOST 256 /* or accepting */

enum tag { TAG_IN, TAG_OUT, TAG_CANCEL, TAG_WAKE };

static SY_THREAD_LOCAL struct rx_slot *attached_here;

struct rx_slot *rx_slot_here(const struct rx *rx) {
    struct rx_slot *slot = attached_here;
    while (slot && slot->rx != rx) {
        slot = slot->outer;
    }
    return slot;
}

/* ---- requests ---- */

static uint64_t data_of(const struct rx_local_source *source, enum tag tag) {
    return (uint64_t)rx_slab_index(&source->slab) << 2 | tag;
}

/* Room for one request more, counted as in the kernel; NULL: the kernel takes none before completions are reaped. */
static struct io_uring_sqe *next_request(struct rx_slot *slot, uint64_t data) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&slot->ring);
    if (!sqe) {
        io_uring_submit(&slot->ring);
        sqe = io_uring_get_sqe(&slot->ring);
    }
    if (sqe) {
        memset(sqe, 0, sizeof *sqe);
        slot->in_kernel++;
        sqe->user_data = data; /* the prep functions of this version set all but that */
    }
    return sqe;
}

/* Where there is no room, `wake_armed` stays off, and nobody blocks until it is on. */
static void arm_wake(struct rx_slot *slot) {
    struct io_uring_sqe *sqe = next_request(slot, TAG_WAKE);
    if (sqe) {
        io_uring_prep_poll_multishot(sqe, slot->event_fd, POLLIN);
        sqe->user_data = TAG_WAKE;
        slot->wake_armed = true;
    }
}

static void prepare_in(struct rx_local_source *source, struct io_uring_sqe *sqe, uint32_t wanted) {
    int fd = source->slab.base.fd;
    if (wanted & RX_LOCAL_ACCEPT) {
        source->armed_in = RX_LOCAL_ACCEPT;
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } else if (wanted & RX_LOCAL_RECEIVE && !source->starved) {
        source->armed_in = RX_LOCAL_RECEIVE;
        io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = RX_POOL_GROUP;
    } else {
        source->armed_in = RX_LOCAL_POLL;
        io_uring_prep_poll_add(sqe, fd, POLLIN | POLLPRI | POLLRDHUP);
    }
    sqe->user_data = data_of(source, TAG_IN);
}

static void arm_in(struct rx_slot *slot, struct rx_local_source *source) {
    uint32_t wanted = au32_load_acquire(&source->wanted_in) & ~RX_LOCAL_TELLING; /* (5) */
    if (wanted && !source->armed_in && !source->ending) {
        struct io_uring_sqe *sqe = next_request(slot, 0);
        if (!sqe) {
            rx_slot_post(slot->rx, source, RX_MAIL_IN);
            return;
        }
        prepare_in(source, sqe, wanted);
    }
}

static void arm_out(struct rx_slot *slot, struct rx_local_source *source) {
    uint32_t wanted = au32_load_acquire(&source->wanted_out) & ~RX_LOCAL_TELLING; /* (5) */
    if (wanted && !source->armed_out && !source->ending) {
        struct io_uring_sqe *sqe = next_request(slot, 0);
        if (!sqe) {
            rx_slot_post(slot->rx, source, RX_MAIL_OUT);
            return;
        }
        io_uring_prep_poll_add(sqe, source->slab.base.fd, POLLOUT);
        sqe->user_data = data_of(source, TAG_OUT);
        source->armed_out = true;
    }
}

/* False: no room. */
static bool cancel_request(struct rx_slot *slot, struct rx_local_source *source, enum tag tag) {
    struct io_uring_sqe *sqe = next_request(slot, 0);
    if (sqe) {
        io_uring_prep_cancel64(sqe, data_of(source, tag), 0);
        sqe->user_data = TAG_CANCEL;
    }
    return sqe;
}

/* ---- the end of a source ---- */

static void empty_inbox(struct rx_local_source *source) {
    struct rx_note *note;
    while ((note = rx_inbox_first(&source->inbox))) {
        if (!note->data) {
            close(note->value);
        }
        rx_inbox_drop_first(&source->inbox);
    }
}

/* With nothing of it in the kernel and nobody left but a caller of deregister. */
static void end_source(struct rx *rx, struct rx_local_source *source, uint32_t how) {
    int fd = source->slab.base.fd;
    empty_inbox(source);
    au32_store_relaxed(&source->wanted_in, 0);
    au32_store_relaxed(&source->wanted_out, 0);
    source->ending = 0;
    if (how & RX_MAIL_CLOSE) {
        rx_slab_give_back(&rx->sources, &source->slab);
        close(fd);
    } else {
        au32_store_release(&source->let_go, 1); /* (7) */
    }
}

bool rx_slot_end_now(struct rx *rx, struct rx_local_source *source, uint32_t how) {
    /* (5), (3): the home is done with it */
    if (au32_load_acquire(&source->wanted_in) || au32_load_acquire(&source->wanted_out) ||
        au32_load_acquire(&source->mail)) {
        return false;
    }
    end_source(rx, source, how);
    return true;
}

static void end_if_quiet(struct rx_slot *slot, struct rx_local_source *source) {
    if (source->ending && !source->armed_in && !source->armed_out) {
        end_source(slot->rx, source, source->ending);
    }
}

static void begin_end(struct rx_slot *slot, struct rx_local_source *source, uint32_t how) {
    if ((source->armed_in && !source->stopping && !cancel_request(slot, source, TAG_IN)) ||
        (source->armed_out && !cancel_request(slot, source, TAG_OUT))) {
        rx_slot_post(slot->rx, source, how); /* again, when completions were reaped */
        return;
    }
    source->ending = how;
    end_if_quiet(slot, source);
}

/* ---- pausing ---- */

/* Nothing is in the kernel inwards. What was put before has had its edge, and so has what is wanted of nobody. */
static void end_pause(struct rx_local_source *source) {
    source->pausing = false;
    au32_exchange_acq_rel(&source->wanted_in, 0); /* (5) */
    au32_store_release(&source->let_go, 1);       /* (7) */
}

static void begin_pause(struct rx_slot *slot, struct rx_local_source *source) {
    if (source->armed_in && !source->stopping && !cancel_request(slot, source, TAG_IN)) {
        rx_slot_post(slot->rx, source, RX_MAIL_STOP); /* again, when completions were reaped */
    } else if (source->armed_in) {
        source->stopping = true;
        source->pausing = true;
    } else {
        end_pause(source);
    }
}

/* ---- mail ---- */

static void put_in_mailbox(struct rx_slot *slot, struct rx_local_source *source) {
    void *top = aptr_load_relaxed(&slot->mailbox);
    do {
        source->next_mail = top;
    } while (!aptr_cas_acq_rel(&slot->mailbox, &top, source)); /* (2) */
}

static void read_mail(struct rx_slot *slot) {
    if (!aptr_load_relaxed(&slot->mailbox) || au32_load_relaxed(&slot->thread) != RX_SLOT_ATTACHED) {
        return;
    }
    struct rx_local_source *source = aptr_exchange_acquire(&slot->mailbox, NULL); /* (3) */
    while (source) {
        struct rx_local_source *next = source->next_mail;
        uint32_t mail = au32_exchange_acq_rel(&source->mail, 0); /* (3) */
        if (mail & (RX_MAIL_CLOSE | RX_MAIL_RELEASE)) {
            begin_end(slot, source, mail & (RX_MAIL_CLOSE | RX_MAIL_RELEASE));
        } else {
            if (mail & RX_MAIL_OUT) {
                arm_out(slot, source);
            }
            if (mail & RX_MAIL_STOP) { /* an IN beside it is of an operation that has ended. Last: the source may be */
                begin_pause(slot, source); /* another's from its answer on */
            } else if (mail & RX_MAIL_IN) {
                arm_in(slot, source);
            }
        }
        source = next;
    }
}

static struct rx_slot *slot_with_thread(struct rx *rx, unsigned from) {
    for (unsigned i = 0; i < rx->slot_count; i++) {
        struct rx_slot *slot = &rx->slots[(from + i) % rx->slot_count];
        if (au32_load_relaxed(&slot->thread) == RX_SLOT_ATTACHED) {
            return slot;
        }
    }
    return NULL;
}

/* Under the lock, a source out of a mailbox: to a slot that has a thread; where none has, it ends or waits for one. */
static void deliver(struct rx *rx, struct rx_local_source *source) {
    struct rx_slot *slot = slot_with_thread(rx, au32_fetch_add_relaxed(&rx->next_home, 1)); /* a hint: balance */
    uint32_t end = au32_load_acquire(&source->mail) & (RX_MAIL_CLOSE | RX_MAIL_RELEASE);    /* (1) */
    if (slot) {
        au32_store_relaxed(&source->home, slot->index); /* (6) */
        put_in_mailbox(slot, source);
        rx_slot_wake(slot);
    } else if (end) {
        au32_exchange_acq_rel(&source->mail, 0); /* (3) */
        end_source(rx, source, end);
    } else {
        if (au32_load_acquire(&source->mail) & RX_MAIL_STOP) { /* (1); nobody else takes it away */
            au32_fetch_and_acq_rel(&source->mail, ~(RX_MAIL_STOP | RX_MAIL_IN)); /* (3) */
            end_pause(source);
        }
        source->next_mail = rx->orphans;
        rx->orphans = source;
    }
}

static void deliver_all(struct rx *rx, struct rx_local_source *source) {
    while (source) {
        struct rx_local_source *next = source->next_mail;
        deliver(rx, source);
        source = next;
    }
}

static void deliver_orphans(struct rx *rx) {
    struct rx_local_source *orphans = rx->orphans;
    rx->orphans = NULL;
    deliver_all(rx, orphans);
}

/* What lies in the mailboxes of slots that have no thread, and what waits for one. */
static void deliver_stranded(struct rx *rx) {
    pthread_mutex_lock(&rx->lock);
    deliver_orphans(rx);
    for (unsigned i = 0; i < rx->slot_count; i++) {
        if (au32_load_relaxed(&rx->slots[i].thread) == RX_SLOT_EMPTY) {
            deliver_all(rx, aptr_exchange_acquire(&rx->slots[i].mailbox, NULL)); /* (3) */
        }
    }
    pthread_mutex_unlock(&rx->lock);
}

void rx_slot_post(struct rx *rx, struct rx_local_source *source, uint32_t mail) {
    uint32_t before = au32_fetch_or_acq_rel(&source->mail, mail | RX_MAIL_QUEUED); /* (1) */
    struct rx_slot *home = &rx->slots[au32_load_relaxed(&source->home)];           /* (6) */
    if (!(before & RX_MAIL_QUEUED)) {
        put_in_mailbox(home, source);
    }
    fence_seq_cst(); /* (2) */
    if (au32_load_relaxed(&home->thread) == RX_SLOT_EMPTY) {
        deliver_stranded(rx);
    } else if (au32_load_relaxed(&home->sleeping)) {
        rx_slot_wake(home);
    }
}

void rx_slot_post_and_await(struct rx *rx, struct rx_local_source *source, uint32_t mail) {
    struct rx_slot *here = rx_slot_here(rx);
    au32_store_relaxed(&source->let_go, 0); /* before (1) */
    rx_slot_post(rx, source, mail);
    while (!au32_load_acquire(&source->let_go)) { /* (7) */
        if (here) {
            rx_slot_pump(here);
        } else {
            sched_yield();
        }
    }
}

void rx_slot_wake(struct rx_slot *slot) {
    if (au32_exchange_acq_rel(&slot->woken, 1) == 0) { /* (8) */
        uint64_t one = 1;
        ssize_t written = write(slot->event_fd, &one, sizeof one);
        assert(written == sizeof one);
        (void)written;
    }
}

/* ---- completions ---- */

static void put_note(struct rx_local_source *source, struct rx_note *note, int32_t value) {
    note->value = value;
    note->used = 0;
    note->lent = true;
    rx_inbox_put(&source->inbox, note);
}

static void take_in(struct rx_slot *slot, struct rx_local_source *source, int32_t result, uint32_t flags) {
    if (flags & IORING_CQE_F_BUFFER) {
        put_note(source, rx_pool_filled(&slot->pool, flags), result > 0 ? result : 0);
    } else if (source->armed_in == RX_LOCAL_ACCEPT && result >= 0) {
        struct rx_note *note = rx_pool_spare(&slot->pool);
        if (note) {
            put_note(source, note, result);
        } else {
            close(result);
            source->error = -ENOMEM;
        }
    } else if (result == -ENOBUFS) {
        source->starved = true;
    } else if (result >= 0) {
        source->starved = false; /* it was readiness, or the stream's end, which the next call finds again */
    } else if (result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
        source->error = result;
    }
}

static void stop_if_full(struct rx_slot *slot, struct rx_local_source *source) {
    uint32_t most = source->armed_in == RX_LOCAL_ACCEPT ? ACCEPTED_MOST : AHEAD_MOST;
    if (!source->stopping && rx_inbox_waiting(&source->inbox) >= most) {
        source->stopping = cancel_request(slot, source, TAG_IN); /* no room: at the next note */
    }
}

/* By a last completion: nothing is under way any more, and who waits is told. */
static bool tell_last(struct au32 *wanted, struct rx_ready *ready, uint16_t generation) {
    struct sy_waker waker;
    au32_exchange_acq_rel(wanted, RX_LOCAL_TELLING); /* (5) */
    bool edge = rx_ready_take_edge(ready, generation, false, &waker);
    au32_fetch_and_release(wanted, ~RX_LOCAL_TELLING); /* (9): from here on it may end elsewhere */
    if (waker.vtable) {
        sy_waker_wake(waker);
    }
    return edge;
}

/* How many events it was. */
static int on_in(struct rx_slot *slot, struct rx_local_source *source, int32_t result, uint32_t flags) {
    uint16_t generation = rx_ready_generation(&source->slab.in.ready);
    take_in(slot, source, result, flags);
    if (flags & IORING_CQE_F_MORE) {
        stop_if_full(slot, source);
    } else {
        source->armed_in = 0;
        source->stopping = false;
    }
    if (source->ending) {
        end_if_quiet(slot, source);
        return 0;
    }
    if (source->pausing) {
        bool edge = rx_ready_edge(&source->slab.in.ready, generation, false);
        if (!source->armed_in) {
            end_pause(source);
        }
        return edge;
    }
    return flags & IORING_CQE_F_MORE ? rx_ready_edge(&source->slab.in.ready, generation, false)
                                     : tell_last(&source->wanted_in, &source->slab.in.ready, generation);
}

static int on_out(struct rx_slot *slot, struct rx_local_source *source) {
    uint16_t generation = rx_ready_generation(&source->slab.out.ready);
    source->armed_out = false;
    if (source->ending) {
        end_if_quiet(slot, source);
        return 0;
    }
    return tell_last(&source->wanted_out, &source->slab.out.ready, generation);
}

/* While the thread leaves, a wake is left to the next one: begin_waking. */
static void on_wake(struct rx_slot *slot, uint32_t flags) {
    slot->wake_armed = flags & IORING_CQE_F_MORE;
    if (au32_load_relaxed(&slot->thread) == RX_SLOT_ATTACHED) {
        au32_exchange_acquire(&slot->woken, 0); /* (8) */
        slot->noticed = true;
    }
}

/* Each is off the ring before it is handled: a waker may come back here. */
static int reap(struct rx_slot *slot) {
    int events = 0;
    struct io_uring_cqe *cqe;
    for (unsigned n = 0; n < slot->rx->batch && io_uring_peek_cqe(&slot->ring, &cqe) == 0; n++) {
        struct io_uring_cqe copy = *cqe;
        io_uring_cqe_seen(&slot->ring, cqe);
        slot->in_kernel -= !(copy.flags & IORING_CQE_F_MORE);
        enum tag tag = copy.user_data & 3;
        struct rx_local_source *source =
            tag <= TAG_OUT ? (struct rx_local_source *)rx_slab_at(&slot->rx->sources, (uint32_t)(copy.user_data >> 2))
                           : NULL;
        if (tag == TAG_IN) {
            events += on_in(slot, source, copy.res, copy.flags);
        } else if (tag == TAG_OUT) {
            events += on_out(slot, source);
        } else if (tag == TAG_WAKE) {
            on_wake(slot, copy.flags);
        }
    }
    return events;
}

/* ---- waiting ---- */

/* Whether entering the ring would bring anything without waiting. */
static bool has_work(struct rx_slot *slot) {
    unsigned flags = IO_URING_READ_ONCE(*slot->ring.sq.kflags);
    return io_uring_sq_ready(&slot->ring) > 0 || flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static int enter_blocking(struct rx_slot *slot, int64_t timeout_ns) {
    struct __kernel_timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    struct io_uring_cqe *cqe;
    return io_uring_submit_and_wait_timeout(&slot->ring, &cqe, 1, timeout_ns < 0 ? NULL : &limit, NULL);
}

static int enter(struct rx_slot *slot, int64_t timeout_ns) {
    int error = 0;
    au32_store_relaxed(&slot->sleeping, timeout_ns != 0);
    if (timeout_ns != 0) {
        fence_seq_cst(); /* (4) */
    }
    if (timeout_ns != 0 && slot->wake_armed && !aptr_load_relaxed(&slot->mailbox)) {
        error = enter_blocking(slot, timeout_ns);
    } else if (has_work(slot)) {
        error = io_uring_submit_and_get_events(&slot->ring);
    }
    au32_store_relaxed(&slot->sleeping, 0);
    return error;
}

static bool is_harmless(int error) {
    return error >= 0 || error == -ETIME || error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

static int look(struct rx_slot *slot, int64_t timeout_ns) {
    read_mail(slot);
    rx_pool_lend_returned(&slot->pool);
    if (!slot->wake_armed) {
        arm_wake(slot);
    }
    int error = io_uring_cq_ready(&slot->ring) > 0 ? 0 : enter(slot, timeout_ns);
    int events = reap(slot);
    return events > 0 || is_harmless(error) ? events : error;
}

int rx_slot_wait(struct rx_slot *slot, int64_t timeout_ns) {
    int events = look(slot, slot->noticed ? 0 : timeout_ns);
    slot->noticed = false;
    return events;
}

void rx_slot_pump(struct rx_slot *slot) {
    look(slot, 0);
}

/* ---- life ---- */

static int open_ring(struct io_uring *ring) {
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = COMPLETIONS};
    return rx_ring_map(ring, ENTRIES, &params); /* -ENOTSUP also from a kernel before 6.1, which knows not all flags */
}

int rx_slot_probe(void) {
    struct io_uring ring;
    int error = open_ring(&ring);
    if (!error) {
        rx_ring_unmap(&ring);
    }
    return error;
}

int rx_slot_create(struct rx_slot *slot) {
    slot->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (slot->event_fd < 0) {
        return -errno;
    }
    return rx_pool_create(&slot->pool);
}

void rx_slot_destroy(struct rx_slot *slot) {
    rx_pool_destroy(&slot->pool);
    if (slot->event_fd >= 0) {
        close(slot->event_fd);
    }
}

/* The eventfd counts what an earlier thread was told; only a wake that no wait has noticed is told again. */
static void begin_waking(struct rx_slot *slot) {
    uint64_t told;
    ssize_t got = read(slot->event_fd, &told, sizeof told);
    (void)got; /* nothing to read is as good */
    slot->wake_armed = false;
    arm_wake(slot);
    if (au32_exchange_acq_rel(&slot->woken, 0)) { /* (8) */
        rx_slot_wake(slot);
    }
}

int rx_slot_attach(struct rx_slot *slot) {
    int error = open_ring(&slot->ring);
    if (error) {
        return error;
    }
    error = rx_pool_lend(&slot->pool, &slot->ring);
    if (error) {
        rx_ring_unmap(&slot->ring);
        return error;
    }
    slot->in_kernel = 0;
    begin_waking(slot);
    slot->outer = attached_here;
    attached_here = slot;
    pthread_mutex_lock(&slot->rx->lock);
    au32_store_relaxed(&slot->thread, RX_SLOT_ATTACHED);
    deliver_orphans(slot->rx);
    pthread_mutex_unlock(&slot->rx->lock);
    return 0;
}

static void set_thread(struct rx_slot *slot, uint32_t state) {
    pthread_mutex_lock(&slot->rx->lock);
    au32_store_relaxed(&slot->thread, state);
    pthread_mutex_unlock(&slot->rx->lock);
}

void rx_slot_detach(struct rx_slot *slot) {
    assert(attached_here == slot && "detach in the reverse order");
    set_thread(slot, RX_SLOT_LEAVING); /* gets no more sources, and keeps its mail until the kernel is done */
    bool cancelled = false;
    while (!cancelled || slot->in_kernel > 0) {
        struct io_uring_sqe *sqe = cancelled ? NULL : next_request(slot, TAG_CANCEL);
        if (sqe) {
            io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            sqe->user_data = TAG_CANCEL;
            cancelled = true;
        }
        io_uring_submit_and_get_events(&slot->ring);
        reap(slot);
    }
    attached_here = slot->outer;
    rx_ring_unmap(&slot->ring);
    set_thread(slot, RX_SLOT_EMPTY);
    fence_seq_cst(); /* (4) */
    deliver_stranded(slot->rx);
}

#endif
