/* Operations on a socket as futures. See io.h. */
#include "executor/net/io.h"

#include <errno.h>
#include <sched.h>

#include "executor/net/future_type.h"
#include "executor/net/gate.h"
#include "executor/runtime.h"

/* ---- what all share ---- */

void sy_io_init(struct sy_io *io, struct sy_socket *socket, enum rx_kind kind, void *buffer, size_t length) {
    io->socket = socket;
    io->runtime = socket->runtime;
    rx_op_init(&io->op, kind, NULL, buffer, length);
}

static enum rx_status refuse(struct rx_op *op, int error) {
    op->result = error;
    return RX_DONE;
}

static enum rx_status go_on(struct sy_io *io, struct sy_context *cx) {
    return sy_runtime_rx_ops(io->runtime)->poll(sy_runtime_rx(io->runtime), &io->op, &cx->waker);
}

/* To receive nothing would end like a stream does. */
static bool receives_nothing(const struct rx_op *op) {
    return (op->kind == RX_RECV || op->kind == RX_READ) && op->length == 0;
}

/* The first poll, by which the socket must still be open. */
static enum rx_status begin(struct sy_io *io, struct sy_context *cx) {
    if (receives_nothing(&io->op)) {
        return refuse(&io->op, -EINVAL);
    }
    unsigned direction = rx_kind_is_in(io->op.kind) ? 0 : 1;
    enum net_gate gate = net_gate_enter(io->socket, direction);
    if (gate != NET_GATE_ENTERED) {
        return refuse(&io->op, gate == NET_GATE_BUSY ? -EBUSY : -ECANCELED);
    }
    io->op.source = io->socket->source;
    enum rx_status status = go_on(io, cx);
    net_gate_leave(io->socket, direction);
    return status;
}

enum sy_poll sy_io_poll(struct sy_io *io, struct sy_context *cx, int64_t *result) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    enum rx_status status = sy_io_in_flight(io) ? go_on(io, cx) : begin(io, cx);
    if (status == RX_PENDING) {
        cx->budget++; /* only success costs */
        return SY_PENDING;
    }
    io->op.source = NULL;
    *result = io->op.result;
    return SY_READY;
}

/*
 * While a cancel is under way the kernel may still use the buffer, so there is nothing for it but to wait. A completion
 * back end's cancel makes progress when it is called again, so this waits for the kernel alone and not for whoever
 * waits in the reactor.
 */
void sy_io_drop(struct sy_io *io, int64_t *result) {
    if (!sy_io_in_flight(io)) {
        return;
    }
    while (sy_runtime_rx_ops(io->runtime)->cancel(sy_runtime_rx(io->runtime), &io->op) == RX_PENDING) {
        sched_yield();
    }
    io->op.source = NULL;
    *result = io->op.result;
}

/* ---- receive ---- */

void sy_recv_init(struct sy_recv *f, struct sy_socket *socket, void *buffer, size_t length) {
    sy_io_init(&f->io, socket, RX_RECV, buffer, length);
    f->result = -ECANCELED;
}

enum sy_poll sy_recv_poll(struct sy_recv *f, struct sy_context *cx) {
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_recv_drop(struct sy_recv *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(recv);

/* ---- send ---- */

void sy_send_init(struct sy_send *f, struct sy_socket *socket, const void *data, size_t length) {
    sy_io_init(&f->io, socket, RX_SEND, NULL, length);
    f->io.op.data = data;
    f->result = -ECANCELED;
}

enum sy_poll sy_send_poll(struct sy_send *f, struct sy_context *cx) {
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_send_drop(struct sy_send *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(send);

/* ---- send all ---- */

void sy_send_all_init(struct sy_send_all *f, struct sy_socket *socket, const void *data, size_t length) {
    sy_send_init(&f->send, socket, data, length);
    f->length = length;
    f->sent = 0;
    f->result = -ECANCELED;
}

/* The same operation again, for what is left. */
static void send_rest(struct sy_send_all *f, size_t sent) {
    struct rx_op *op = &f->send.io.op;
    const char *rest = (const char *)op->data + sent;
    f->sent += sent;
    rx_op_init(op, RX_SEND, NULL, NULL, f->length - f->sent);
    op->data = rest;
}

enum sy_poll sy_send_all_poll(struct sy_send_all *f, struct sy_context *cx) {
    while (f->sent < f->length) {
        if (sy_send_poll(&f->send, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (f->send.result < 0) {
            f->result = f->send.result;
            return SY_READY;
        }
        send_rest(f, (size_t)f->send.result);
    }
    f->result = (int64_t)f->length;
    return SY_READY;
}

void sy_send_all_drop(struct sy_send_all *f) {
    bool in_flight = sy_io_in_flight(&f->send.io);
    sy_send_drop(&f->send);
    if (in_flight && f->send.result > 0) {
        f->sent += (size_t)f->send.result;
    }
}

NET_FUTURE_TYPE(send_all);

/* ---- read and write ---- */

void sy_read_init(struct sy_read *f, struct sy_socket *pipe, void *buffer, size_t length) {
    sy_io_init(&f->io, pipe, RX_READ, buffer, length);
    f->result = -ECANCELED;
}

enum sy_poll sy_read_poll(struct sy_read *f, struct sy_context *cx) {
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_read_drop(struct sy_read *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(read);

void sy_write_init(struct sy_write *f, struct sy_socket *pipe, const void *data, size_t length) {
    sy_io_init(&f->io, pipe, RX_WRITE, NULL, length);
    f->io.op.data = data;
    f->result = -ECANCELED;
}

enum sy_poll sy_write_poll(struct sy_write *f, struct sy_context *cx) {
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_write_drop(struct sy_write *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(write);

/* ---- readiness ---- */

void sy_ready_init(struct sy_ready *f, struct sy_socket *socket, enum sy_interest interest) {
    sy_io_init(&f->io, socket, interest == SY_READABLE ? RX_READY_IN : RX_READY_OUT, NULL, 0);
    f->result = -ECANCELED;
}

enum sy_poll sy_ready_poll(struct sy_ready *f, struct sy_context *cx) {
    return sy_io_poll(&f->io, cx, &f->result);
}

void sy_ready_drop(struct sy_ready *f) {
    sy_io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(ready);
