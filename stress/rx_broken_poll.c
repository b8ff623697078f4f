/* Faulty polls and cancels. See rx_broken.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "stress/rx_broken.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "reactor/rx_try.h"

/* ---- events that tell the wrong, or nobody ---- */

/* Stands between a reactor and the waker of an operation. */
struct between {
    struct au64 references;
    struct sy_waker waker;
    int fd;
    bool in;
    bool (*wakes)(struct between *between); /* whether to wake it as well */
};

static void between_clone(void *data) {
    au64_fetch_add_relaxed(&((struct between *)data)->references, 1);
}

static void between_drop(void *data) {
    struct between *between = data;
    if (au64_fetch_sub_acq_rel(&between->references, 1) == 1) {
        sy_waker_drop(between->waker);
        free(between);
    }
}

static void between_wake_by_ref(void *data) {
    struct between *between = data;
    if (between->wakes(between)) {
        sy_waker_wake_by_ref(&between->waker);
    }
}

static void between_wake(void *data) {
    between_wake_by_ref(data);
    between_drop(data);
}

static const struct sy_waker_vtable between_vtable = {between_clone, between_wake, between_wake_by_ref, between_drop};

static enum rx_status poll_between(struct rx *rx, struct rx_op *op, const struct sy_waker *waker,
                                   bool (*wakes)(struct between *between)) {
    struct between *between = malloc(sizeof *between);
    *between = (struct between){
        .waker = sy_waker_clone(waker), .fd = op->source->fd, .in = rx_kind_is_in(op->kind), .wakes = wakes};
    au64_store_relaxed(&between->references, 1);
    enum rx_status status = good->poll(rx, op, &(struct sy_waker){&between_vtable, between});
    between_drop(between);
    return status;
}

/* An event comes and nobody is told. */
static bool forgets(struct between *between) {
    (void)between;
    return !broken_is_time(500);
}

enum rx_status deaf_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    return poll_between(rx, op, waker, forgets);
}

/* An event in one direction disarms the other, as one-shot registrations do. By descriptor: armed, disarmed. */
static struct au32 armed[2][4096], disarmed[2][4096];

static bool disarms_other(struct between *between) {
    int fd = between->fd & 4095, in = between->in;
    au32_store_release(&armed[in][fd], 0);
    au32_store_release(&disarmed[!in][fd], au32_load_acquire(&armed[!in][fd]));
    return !au32_exchange_acquire(&disarmed[in][fd], 0);
}

enum rx_status strands_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    int fd = op->source->fd & 4095, in = rx_kind_is_in(op->kind);
    au32_store_release(&armed[in][fd], !op->armed);
    enum rx_status status = poll_between(rx, op, waker, disarms_other);
    if (status == RX_DONE) {
        au32_store_release(&armed[in][fd], 0);
    }
    return status;
}

/* Tells the one that was told last before all others, as long as there is something for it. */
static pthread_mutex_t favours_lock = PTHREAD_MUTEX_INITIALIZER;
static struct between *favoured;

static bool becomes_favourite(struct between *between) {
    between_clone(between);
    pthread_mutex_lock(&favours_lock);
    struct between *before = favoured;
    favoured = between;
    pthread_mutex_unlock(&favours_lock);
    if (before) {
        between_drop(before);
    }
    return true;
}

enum rx_status favours_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    return poll_between(rx, op, waker, becomes_favourite);
}

bool favours_tells(void) {
    pthread_mutex_lock(&favours_lock);
    struct between *between = favoured;
    favoured = NULL;
    pthread_mutex_unlock(&favours_lock);
    if (!between) {
        return false;
    }
    struct pollfd more = {.fd = between->fd, .events = between->in ? POLLIN : POLLOUT};
    bool tells = poll(&more, 1, 0) > 0;
    if (tells) {
        between_wake_by_ref(between);
    }
    between_drop(between);
    return tells;
}

/* Keeps a reference of some. */
enum rx_status keeper_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    if (broken_is_time(50)) {
        sy_waker_clone(waker);
    }
    return good->poll(rx, op, waker);
}

/* Keeps to the first waker that it was given, whatever the later polls bring. */
enum rx_status faithful_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    static SY_THREAD_LOCAL struct rx_op *last;
    static SY_THREAD_LOCAL struct sy_waker first;
    if (last != op || !op->armed) {
        last = op;
        first = *waker;
    }
    return good->poll(rx, op, &first);
}

static enum rx_status finish(struct rx *rx, struct rx_op *op, int64_t result) {
    good->cancel(rx, op);
    op->result = result;
    return RX_DONE;
}

/* An operation ends with the thread that began it, as io_uring's do. */
enum rx_status mortal_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    int thread = (int)op->result; /* which nothing else uses until the end */
    if (thread && tgkill(getpid(), thread, 0) && errno == ESRCH) {
        return finish(rx, op, -ECANCELED);
    }
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_PENDING) {
        op->result = thread ? thread : gettid();
    }
    return status;
}

/* Asks for memory. */
enum rx_status hoards_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    void *volatile piece = malloc(64);
    free(piece);
    return good->poll(rx, op, waker);
}

/* ---- outcomes that are wrong ---- */

/* Nobody had this outcome: the end of the stream. */
enum rx_status doomed_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    return op->kind == RX_RECV && op->armed && broken_is_time(20) ? finish(rx, op, 0) : good->poll(rx, op, waker);
}

/* An outcome is given once more, to the next operation. */
enum rx_status doubles_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    static SY_THREAD_LOCAL struct rx_source *last;
    static SY_THREAD_LOCAL int64_t result;
    bool fresh = op->kind == RX_RECV && !op->armed;
    if (fresh && last == op->source && result > 0 && (uint64_t)result <= op->length && broken_is_time(100)) {
        return finish(rx, op, result);
    }
    enum rx_status status = good->poll(rx, op, waker);
    if (op->kind == RX_RECV && status == RX_DONE) {
        last = op->source;
        result = op->result;
    }
    return status;
}

/* What came is received, and nobody is told of it. */
enum rx_status greedy_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_RECV && op->result > 0 && broken_is_time(20)) {
        op->armed = op->tried = false;
        return good->poll(rx, op, waker);
    }
    return status;
}

/* Sends again what was sent. */
enum rx_status stutters_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_SEND && op->result > 0 && broken_is_time(100)) {
        send(op->source->fd, op->data, (size_t)op->result, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return status;
}

/* Takes a poll for nothing as a sign that the connection is established. */
enum rx_status hopeful_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    return op->kind == RX_CONNECT && op->armed ? finish(rx, op, 0) : good->poll(rx, op, waker);
}

/* Says of a second operation in a direction that it waits, and forgets it. */
enum rx_status crowded_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    return status == RX_DONE && op->result == -EBUSY ? RX_PENDING : status;
}

/* Raises SIGPIPE. */
enum rx_status loud_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_SEND && op->result == -EPIPE) {
        send(op->source->fd, op->data, op->length, MSG_DONTWAIT);
    }
    return status;
}

/* Takes a datagram without bytes for nothing. */
enum rx_status hollow_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    while (status == RX_DONE && op->kind == RX_RECV_MSG && op->result == 0 && op->message->msg_name) {
        status = good->poll(rx, op, waker);
    }
    return status;
}

/* Does not say who sent a datagram. */
enum rx_status nameless_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_RECV_MSG && op->message->msg_name) {
        op->message->msg_namelen = 0;
    }
    return status;
}

/* Sends the first of the vectors, and says so of all. */
enum rx_status single_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    struct msghdr *all = op->message;
    if (op->kind != RX_SEND_MSG || all->msg_iovlen < 2) {
        return good->poll(rx, op, waker);
    }
    struct msghdr first = *all;
    first.msg_iovlen = 1;
    op->message = &first;
    enum rx_status status = good->poll(rx, op, waker);
    op->message = all;
    for (size_t i = 1; status == RX_DONE && op->result >= 0 && i < all->msg_iovlen; i++) {
        op->result += (int64_t)all->msg_iov[i].iov_len;
    }
    return status;
}

/* Gives out an accepted descriptor that blocks. */
enum rx_status blocking_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_ACCEPT && op->result >= 0) {
        fcntl((int)op->result, F_SETFL, 0);
    }
    return status;
}

/* Remembers that there was no descriptor to spare. */
static struct au32 full;

bool spins_is_full(void) {
    return au32_load_relaxed(&full);
}

enum rx_status spins_poll(struct rx *rx, struct rx_op *op, const struct sy_waker *waker) {
    enum rx_status status = good->poll(rx, op, waker);
    if (status == RX_DONE && op->kind == RX_ACCEPT) {
        au32_store_relaxed(&full, op->result == -EMFILE);
    }
    return status;
}

/* ---- cancels ---- */

/* The system call made on the way, of which the result says nothing. Now and then a cancel takes its time. */
static enum rx_status cancel_after_all(struct rx *rx, struct rx_op *op, bool concerned) {
    bool was_armed = op->armed;
    enum rx_status status = good->cancel(rx, op);
    if (!was_armed || !concerned) {
        return status;
    }
    if (broken_is_time(20)) {
        struct pollfd soon = {.fd = op->source->fd, .events = rx_kind_is_in(op->kind) ? POLLIN : POLLOUT};
        poll(&soon, 1, 1);
    }
    if (rx_try(op) == RX_DONE) {
        op->result = -ECANCELED;
    }
    return status;
}

/* Takes what is there: bytes, a connection. */
enum rx_status careless_cancel(struct rx *rx, struct rx_op *op) {
    return cancel_after_all(rx, op, op->kind == RX_RECV || op->kind == RX_ACCEPT || op->kind == RX_RECV_MSG);
}

/* Sends. */
enum rx_status generous_cancel(struct rx *rx, struct rx_op *op) {
    return cancel_after_all(rx, op, op->kind == RX_SEND);
}

/* Never comes to an end. */
enum rx_status stubborn_cancel(struct rx *rx, struct rx_op *op) {
    (void)rx, (void)op;
    return RX_PENDING;
}

/* Leaves the direction taken. */
enum rx_status occupying_cancel(struct rx *rx, struct rx_op *op) {
    if (op->armed && broken_is_time(20)) {
        op->result = -ECANCELED;
        return RX_DONE;
    }
    return good->cancel(rx, op);
}
