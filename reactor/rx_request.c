/* An operation as a request to io_uring. See rx_request.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#endif

#include "reactor/rx_request.h"

#if SY_HAVE_LIBURING

#include <errno.h>

#include "reactor/rx_readiness.h"

#define MOST_BYTES UINT32_C(0x7ffff000) /* what the kernel moves in one call at most */

static void prepare(struct io_uring_sqe *sqe, const struct rx_op *op) {
    int fd = op->source->fd;
    unsigned length = op->length < MOST_BYTES ? (unsigned)op->length : MOST_BYTES;
    switch (op->kind) {
    case RX_RECV:
        io_uring_prep_recv(sqe, fd, op->buffer, length, 0);
        break;
    case RX_SEND:
        io_uring_prep_send(sqe, fd, op->data, length, MSG_NOSIGNAL);
        break;
    case RX_READ:
        io_uring_prep_read(sqe, fd, op->buffer, length, UINT64_MAX); /* at the file's own position, if it has one */
        break;
    case RX_WRITE:
        io_uring_prep_write(sqe, fd, op->data, length, UINT64_MAX);
        break;
    case RX_RECV_MSG:
        io_uring_prep_recvmsg(sqe, fd, op->message, MSG_CMSG_CLOEXEC);
        break;
    case RX_SEND_MSG:
        io_uring_prep_sendmsg(sqe, fd, op->message, MSG_NOSIGNAL);
        break;
    case RX_READ_AT:
        io_uring_prep_readv(sqe, fd, op->at->vectors, length, (uint64_t)op->at->offset);
        break;
    case RX_WRITE_AT:
        io_uring_prep_writev(sqe, fd, op->at->vectors, length, (uint64_t)op->at->offset);
        break;
    case RX_ACCEPT:
        io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        break;
    case RX_CONNECT:
        io_uring_prep_connect(sqe, fd, op->address, (socklen_t)op->length);
        break;
    case RX_READY_IN:
    case RX_READY_OUT:
        io_uring_prep_poll_add(sqe, fd, rx_readiness_wanted(op->kind));
        break;
    }
}

static bool moves_messages(const struct rx_op *op) {
    return op->kind == RX_RECV || op->kind == RX_RECV_MSG || op->kind == RX_SEND || op->kind == RX_SEND_MSG;
}

void rx_request_prepare(struct io_uring_sqe *sqe, const struct rx_op *op, bool wait_first) {
    if (op->tried && !rx_request_is_at_offset(op)) {
        io_uring_prep_poll_add(sqe, op->source->fd, rx_readiness_wanted(op->kind));
        return;
    }
    prepare(sqe, op);
    if (wait_first && moves_messages(op)) {
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
    if (op->tried) {
        sqe->flags |= IOSQE_ASYNC;
    }
}

bool rx_request_has_outcome(struct rx_op *op) {
    if (op->tried && op->result >= 0 && !rx_request_is_at_offset(op)) {
        return rx_try(op) == RX_DONE;
    }
    int64_t no_answer = op->kind == RX_CONNECT ? -EALREADY : -EAGAIN;
    if (op->result != no_answer && op->result != -EINTR && op->result != -ECANCELED) {
        return true;
    }
    op->tried = true;
    return false;
}

bool rx_request_begins_by_readiness(const struct rx_op *op) {
    return op->kind == RX_READY_IN || op->kind == RX_READY_OUT;
}

#endif
