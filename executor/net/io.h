/*
 * Operations on a socket as futures: receive, send, send all, read, write, wait for readiness.
 *
 *     sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
 *     …
 *     if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
 *         return SY_PENDING;
 *     }
 *     … f->recv.result …
 *
 * An operation is the caller's memory and allocates nothing (but for what reactor.h says of direction out). It stays
 * where it is from its first poll until it is ready or dropped, and so do its buffer and, from its init, its socket.
 * Once ready it may be initialised and polled anew. One that succeeds takes one from the poll's budget, so a flooded
 * socket starves nobody. Of two at once in one direction the second gets -EBUSY; -ECANCELED: the socket was closed
 * meanwhile. What a descriptor cannot do at all, such as receiving on a listener, is told when the kernel is asked: a
 * readiness back end may wait for that until it is ready.
 *
 * Drop cancels. It returns when the kernel uses the buffer no more, so the buffer may be freed after it: at once with a
 * readiness back end; a completion back end asks the kernel to cancel, which takes it some microseconds, and drop waits
 * for them. A drop is harmless before the first poll, when ready, and the second time. It loses nothing: `result`
 * is then -ECANCELED, or the outcome if that came first (bytes received may be used).
 */
#ifndef STEALYARD_EXECUTOR_NET_IO_H
#define STEALYARD_EXECUTOR_NET_IO_H

#include "executor/future.h"
#include "executor/net/socket.h"
#include "reactor/reactor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What all operations share. Its fields are the library's. */
struct sy_io {
    struct sy_socket *socket;
    struct sy_runtime *runtime; /* the socket's, which may be gone before the operation in flight */
    struct rx_op op;            /* its source: NULL, unless the operation is in flight */
};

/* Polled, and not terminal. */
static inline bool sy_io_in_flight(const struct sy_io *io) {
    return io->op.source != NULL;
}

void sy_io_init(struct sy_io *io, struct sy_socket *socket, enum rx_kind kind, void *buffer, size_t length);
enum sy_poll sy_io_poll(struct sy_io *io, struct sy_context *cx, int64_t *result);
void sy_io_drop(struct sy_io *io, int64_t *result);

/* Receives what is there, at most `length` bytes, which is at least 1 (-EINVAL): 0 would look like the end. */
struct sy_recv {
    struct sy_io io;
    int64_t result; /* bytes, 0 at the end of the stream, or -errno */
};

void sy_recv_init(struct sy_recv *f, struct sy_socket *socket, void *buffer, size_t length);
enum sy_poll sy_recv_poll(struct sy_recv *f, struct sy_context *cx);
void sy_recv_drop(struct sy_recv *f);
extern const struct sy_future_type sy_recv_type;

/* Sends once; no bytes: nothing, or an empty datagram. A peer that is gone is -EPIPE or -ECONNRESET, never a signal. */
struct sy_send {
    struct sy_io io;
    int64_t result; /* bytes, perhaps fewer than asked for, or -errno */
};

void sy_send_init(struct sy_send *f, struct sy_socket *socket, const void *data, size_t length);
enum sy_poll sy_send_poll(struct sy_send *f, struct sy_context *cx);
void sy_send_drop(struct sy_send *f);
extern const struct sy_future_type sy_send_type;

/* Sends until all is sent or an error comes. */
struct sy_send_all {
    struct sy_send send; /* of what is left */
    size_t length;
    size_t sent;    /* how far it came; after a drop too */
    int64_t result; /* `length` or -errno */
};

void sy_send_all_init(struct sy_send_all *f, struct sy_socket *socket, const void *data, size_t length);
enum sy_poll sy_send_all_poll(struct sy_send_all *f, struct sy_context *cx);
void sy_send_all_drop(struct sy_send_all *f);
extern const struct sy_future_type sy_send_all_type;

/* Reads what is there from a pipe, a terminal or whatever else is no socket, as read(2) does; `length` as above. */
struct sy_read {
    struct sy_io io;
    int64_t result; /* bytes, 0 at the end, or -errno */
};

void sy_read_init(struct sy_read *f, struct sy_socket *pipe, void *buffer, size_t length);
enum sy_poll sy_read_poll(struct sy_read *f, struct sy_context *cx);
void sy_read_drop(struct sy_read *f);
extern const struct sy_future_type sy_read_type;

/*
 * Writes once, as write(2) does. To a pipe without a reader that is -EPIPE and a SIGPIPE, which ends a program that
 * does not ignore it.
 */
struct sy_write {
    struct sy_io io;
    int64_t result; /* bytes, perhaps fewer than asked for, or -errno */
};

void sy_write_init(struct sy_write *f, struct sy_socket *pipe, const void *data, size_t length);
enum sy_poll sy_write_poll(struct sy_write *f, struct sy_context *cx);
void sy_write_drop(struct sy_write *f);
extern const struct sy_future_type sy_write_type;

/* Waits until the descriptor is readable or writable, at its end, or in error: for libraries that read themselves. */
enum sy_interest { SY_READABLE, SY_WRITABLE };

struct sy_ready {
    struct sy_io io;
    int64_t result; /* the events that poll(2) would tell (POLLIN, POLLOUT, POLLHUP, POLLERR, …), or -errno */
};

void sy_ready_init(struct sy_ready *f, struct sy_socket *socket, enum sy_interest interest);
enum sy_poll sy_ready_poll(struct sy_ready *f, struct sy_context *cx);
void sy_ready_drop(struct sy_ready *f);
extern const struct sy_future_type sy_ready_type;

#ifdef __cplusplus
}
#endif

#endif
