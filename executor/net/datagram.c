/*
 * Datagrams with addresses. See datagram.h.
 *
 * The message header lives in the future and points into it. So it is written when the operation begins: between its
 * init and its first poll the future may move, into a task for example.
 */
#include "executor/net/datagram.h"

#include <errno.h>

#include "executor/net/future_type.h"

/* `address` may be NULL. */
static void point_at(struct sy_io *io, struct msghdr *message, struct iovec *vector, struct sy_address *address,
                     socklen_t length) {
    *message = (struct msghdr){
        .msg_name = address ? &address->any : NULL, .msg_namelen = length, .msg_iov = vector, .msg_iovlen = 1};
    io->op.message = message;
}

/* ---- receive ---- */

void sy_recv_from_init(struct sy_recv_from *f, struct sy_socket *socket, void *buffer, size_t length) {
    sy_io_init(&f->io, socket, RX_RECV_MSG, NULL, 0);
    f->vector = (struct iovec){.iov_base = buffer, .iov_len = length};
    f->from = (struct sy_address){.length = 0};
    f->truncated = false;
    f->result = -ECANCELED;
}

static void take_header(struct sy_recv_from *f) {
    if (f->result >= 0) {
        socklen_t length = f->message.msg_namelen; /* one too much for a path as long as there is room */
        f->from.length = length < sizeof f->from.local ? length : sizeof f->from.local;
        f->truncated = f->message.msg_flags & MSG_TRUNC;
    }
}

enum sy_poll sy_recv_from_poll(struct sy_recv_from *f, struct sy_context *cx) {
    if (!sy_io_in_flight(&f->io)) {
        point_at(&f->io, &f->message, &f->vector, &f->from, sizeof f->from.local);
    }
    if (sy_io_poll(&f->io, cx, &f->result) == SY_PENDING) {
        return SY_PENDING;
    }
    take_header(f);
    return SY_READY;
}

void sy_recv_from_drop(struct sy_recv_from *f) {
    if (sy_io_in_flight(&f->io)) {
        sy_io_drop(&f->io, &f->result);
        take_header(f);
    }
}

NET_FUTURE_TYPE(recv_from);

/* ---- send ---- */

void sy_send_to_init(struct sy_send_to *f, struct sy_socket *socket, const void *data, size_t length,
                     const struct sy_address *to) {
    sy_io_init(&f->io, socket, RX_SEND_MSG, NULL, 0);
    f->vector = (struct iovec){.iov_base = (void *)data, .iov_len = length};
    f->to = to ? *to : (struct sy_address){.length = 0};
    f->result = -ECANCELED;
}

enum sy_poll sy_send_to_poll(struct sy_send_to *f, struct sy_context *cx) {
    if (!sy_io_in_flight(&f->io)) {
        point_at(&f->io, &f->message, &f->vector, f->to.length ? &f->to : NULL, f->to.length);
    }
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_send_to_drop(struct sy_send_to *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(send_to);
