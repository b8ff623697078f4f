/*
 * Datagrams with addresses, UDP and Unix, as futures. Memory and drop are as in io.h. On a connected datagram socket
 * (sy_datagram_connect) sy_recv and sy_send do as well, but sy_recv does not tell that a datagram was cut.
 */
#ifndef STEALYARD_EXECUTOR_NET_DATAGRAM_H
#define STEALYARD_EXECUTOR_NET_DATAGRAM_H

#include "executor/net/io.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Receives one datagram. */
struct sy_recv_from {
    struct sy_io io;
    struct msghdr message;
    struct iovec vector;
    struct sy_address from; /* the sender, if the result is not negative; family AF_UNSPEC: it has no address */
    bool truncated;         /* the datagram was longer than the buffer, and the rest of it is lost */
    int64_t result;         /* bytes, 0 for an empty datagram, or -errno */
};

void sy_recv_from_init(struct sy_recv_from *f, struct sy_socket *socket, void *buffer, size_t length);
enum sy_poll sy_recv_from_poll(struct sy_recv_from *f, struct sy_context *cx);
void sy_recv_from_drop(struct sy_recv_from *f);
extern const struct sy_future_type sy_recv_from_type;

/* Sends one datagram, whole or not at all. */
struct sy_send_to {
    struct sy_io io;
    struct msghdr message;
    struct iovec vector;
    struct sy_address to;
    int64_t result; /* bytes, or -errno; -EMSGSIZE: longer than a datagram can be */
};

/* `to` is copied. NULL: to whom the socket is connected. */
void sy_send_to_init(struct sy_send_to *f, struct sy_socket *socket, const void *data, size_t length,
                     const struct sy_address *to);
enum sy_poll sy_send_to_poll(struct sy_send_to *f, struct sy_context *cx);
void sy_send_to_drop(struct sy_send_to *f);
extern const struct sy_future_type sy_send_to_type;

#ifdef __cplusplus
}
#endif

#endif
