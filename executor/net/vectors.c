/* Receiving into and sending from several pieces at once. See vectors.h. */
#include "executor/net/vectors.h"

#include <errno.h>
#include <limits.h>

#include "executor/net/future_type.h"

#ifndef IOV_MAX
#define IOV_MAX 1024 /* Linux: not told in strict modes of the C library */
#endif

/* The message of an operation that is about to begin: the future may have moved since its init. */
static void point_at(struct sy_io *io, struct msghdr *message) {
    if (!sy_io_in_flight(io)) {
        io->op.message = message;
    }
}

/* ---- receive ---- */

/* As in io.c: to receive nothing would end like a stream does. */
static bool has_room(const struct msghdr *message) {
    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++) {
        if (message->msg_iov[i].iov_len > 0) {
            return true;
        }
    }
    return false;
}

void sy_recv_vectors_init(struct sy_recv_vectors *f, struct sy_socket *socket, const struct iovec *vectors,
                          size_t count) {
    sy_io_init(&f->io, socket, RX_RECV_MSG, NULL, 0);
    f->message = (struct msghdr){.msg_iov = (struct iovec *)vectors, .msg_iovlen = count};
    f->result = -ECANCELED;
}

enum sy_poll sy_recv_vectors_poll(struct sy_recv_vectors *f, struct sy_context *cx) {
    if (!sy_io_in_flight(&f->io) && !has_room(&f->message)) {
        f->result = -EINVAL;
        return SY_READY;
    }
    point_at(&f->io, &f->message);
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_recv_vectors_drop(struct sy_recv_vectors *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(recv_vectors);

/* ---- send ---- */

void sy_send_vectors_init(struct sy_send_vectors *f, struct sy_socket *socket, const struct iovec *vectors,
                          size_t count) {
    sy_io_init(&f->io, socket, RX_SEND_MSG, NULL, 0);
    f->message = (struct msghdr){.msg_iov = (struct iovec *)vectors, .msg_iovlen = count};
    f->result = -ECANCELED;
}

enum sy_poll sy_send_vectors_poll(struct sy_send_vectors *f, struct sy_context *cx) {
    point_at(&f->io, &f->message);
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_send_vectors_drop(struct sy_send_vectors *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(send_vectors);

/* ---- send all ---- */

static void send_rest(struct sy_send_all_vectors *f) {
    size_t count = f->count < IOV_MAX ? f->count : IOV_MAX;
    sy_send_vectors_init(&f->send, f->send.io.socket, f->vectors, count);
}

/* Goes past what was sent, and past empty pieces. */
static void advance(struct sy_send_all_vectors *f, size_t sent) {
    f->sent += sent;
    while (f->count > 0 && sent >= f->vectors->iov_len) {
        sent -= f->vectors->iov_len;
        f->vectors++;
        f->count--;
    }
    if (sent > 0) {
        f->vectors->iov_base = (char *)f->vectors->iov_base + sent;
        f->vectors->iov_len -= sent;
    }
}

void sy_send_all_vectors_init(struct sy_send_all_vectors *f, struct sy_socket *socket, struct iovec *vectors,
                              size_t count) {
    f->send.io.socket = socket;
    f->vectors = vectors;
    f->count = count;
    f->sent = 0;
    f->result = -ECANCELED;
    advance(f, 0);
    send_rest(f);
}

enum sy_poll sy_send_all_vectors_poll(struct sy_send_all_vectors *f, struct sy_context *cx) {
    while (f->count > 0) {
        if (sy_send_vectors_poll(&f->send, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (f->send.result < 0) {
            f->result = f->send.result;
            return SY_READY;
        }
        advance(f, (size_t)f->send.result);
        send_rest(f);
    }
    f->result = (int64_t)f->sent;
    return SY_READY;
}

void sy_send_all_vectors_drop(struct sy_send_all_vectors *f) {
    bool in_flight = sy_io_in_flight(&f->send.io);
    sy_send_vectors_drop(&f->send);
    if (in_flight && f->send.result > 0) {
        advance(f, (size_t)f->send.result);
    }
}

NET_FUTURE_TYPE(send_all_vectors);
