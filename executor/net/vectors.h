/*
 * Receiving into and sending from several pieces of memory at once (readv(2) and writev(2) for sockets), as futures.
 * Memory and drop are as in io.h; the array of pieces stays where it is as long as the pieces themselves.
 */
#ifndef STEALYARD_EXECUTOR_NET_VECTORS_H
#define STEALYARD_EXECUTOR_NET_VECTORS_H

#include "executor/net/io.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Receives what is there, filling one piece after the other. At most IOV_MAX pieces, or -EMSGSIZE; some may be empty,
 * but not all of them (-EINVAL): that would look like the end.
 */
struct sy_recv_vectors {
    struct sy_io io;
    struct msghdr message;
    int64_t result; /* bytes, 0 at the end of the stream, or -errno */
};

void sy_recv_vectors_init(struct sy_recv_vectors *f, struct sy_socket *socket, const struct iovec *vectors,
                          size_t count);
enum sy_poll sy_recv_vectors_poll(struct sy_recv_vectors *f, struct sy_context *cx);
void sy_recv_vectors_drop(struct sy_recv_vectors *f);
extern const struct sy_future_type sy_recv_vectors_type;

/* Sends once; to a datagram socket that is connected, one datagram. At most IOV_MAX pieces, or -EMSGSIZE. */
struct sy_send_vectors {
    struct sy_io io;
    struct msghdr message;
    int64_t result; /* bytes, perhaps fewer than asked for, or -errno */
};

void sy_send_vectors_init(struct sy_send_vectors *f, struct sy_socket *socket, const struct iovec *vectors,
                          size_t count);
enum sy_poll sy_send_vectors_poll(struct sy_send_vectors *f, struct sy_context *cx);
void sy_send_vectors_drop(struct sy_send_vectors *f);
extern const struct sy_future_type sy_send_vectors_type;

/* Sends until all is sent or an error comes; any number of pieces. */
struct sy_send_all_vectors {
    struct sy_send_vectors send; /* of what is left */
    struct iovec *vectors;       /* what is left; the caller's array is used up on the way */
    size_t count;
    size_t sent;    /* bytes so far; after a drop too */
    int64_t result; /* all bytes, or -errno */
};

void sy_send_all_vectors_init(struct sy_send_all_vectors *f, struct sy_socket *socket, struct iovec *vectors,
                              size_t count);
enum sy_poll sy_send_all_vectors_poll(struct sy_send_all_vectors *f, struct sy_context *cx);
void sy_send_all_vectors_drop(struct sy_send_all_vectors *f);
extern const struct sy_future_type sy_send_all_vectors_type;

#ifdef __cplusplus
}
#endif

#endif
