/*
 * A descriptor that a runtime's reactor watches: a stream socket, or anything else that can be waited for.
 *
 * The struct is the caller's and may be moved while no operation is in flight on it. Operations (io.h, accept.h,
 * connect.h) are futures of their own; at most one that reads and one that writes may be in flight at once, on any
 * threads. Before release or close they have ended or are dropped.
 */
#ifndef STEALYARD_EXECUTOR_NET_SOCKET_H
#define STEALYARD_EXECUTOR_NET_SOCKET_H

#include "executor/net/address.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_runtime;
struct rx_source;

struct sy_socket {
    struct sy_runtime *runtime; /* outlives the socket */
    struct rx_source *source;   /* the registration */
    int fd;                     /* non-blocking; for setsockopt(2) and the like; -1 when closed */
};

/*
 * Registers a descriptor of the caller's, which becomes non-blocking. It is to be registered once at a time.
 * 0; -EPERM: this kind of file cannot be waited for (a regular file); -EBADF, -EEXIST, -ENOMEM, -ENOSPC.
 */
int sy_socket_from_fd(struct sy_socket *socket, struct sy_runtime *runtime, int fd);

/* Ends the registration and gives the descriptor back to the caller. */
void sy_socket_release(struct sy_socket *socket);

/*
 * Opens a listening socket. TCP addresses may be reused at once (SO_REUSEADDR); the path of a Unix socket must be free,
 * and is left behind when the socket is closed. 0 or what socket(2), bind(2), listen(2) and sy_socket_from_fd say.
 */
int sy_listen(struct sy_socket *socket, struct sy_runtime *runtime, const struct sy_address *address, int backlog);

/* The address that the socket is bound to: tells the port after port 0. 0 or -errno. */
int sy_socket_local_address(const struct sy_socket *socket, struct sy_address *address);

/* shutdown(2): how is SHUT_RD, SHUT_WR or SHUT_RDWR. It may be called while operations are in flight and ends them. */
int sy_socket_shutdown(const struct sy_socket *socket, int how);

/* Ends the registration and closes the descriptor. Harmless the second time. */
void sy_socket_close(struct sy_socket *socket);

#ifdef __cplusplus
}
#endif

#endif
