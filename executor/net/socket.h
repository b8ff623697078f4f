/*
 * A descriptor that a runtime's reactor watches: a socket, or anything else that can be waited for.
 *
 * The struct is the caller's. It stays where it is from the first operation's init until the last has ended or is
 * dropped; in between it may be moved. Operations (io.h, vectors.h, datagram.h, accept.h, connect.h) are futures of
 * their own; at most one that reads and one that writes may be in flight at once, on any threads.
 *
 * Closing does not wait for them. Whatever any task does with the socket at that moment or later ends soon, with its
 * outcome if that came first and with -ECANCELED otherwise. The descriptor is closed, and the peer sees the end of the
 * stream, when the last of them has ended or is dropped: until then its number belongs to no other file.
 */
#ifndef STEALYARD_EXECUTOR_NET_SOCKET_H
#define STEALYARD_EXECUTOR_NET_SOCKET_H

#include <stdbool.h>

#include "executor/net/address.h"
#include "queues/atomics.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_runtime;
struct rx_source;

struct sy_socket {
    struct sy_runtime *runtime; /* outlives the socket */
    struct rx_source *source;   /* the registration */
    int fd;                     /* non-blocking; for setsockopt(2) and the like; -1 when closed */
    struct au32 open;           /* the library's: 1 from opening until release or close; */
    struct au32 inside[2];      /* and who begins an operation now, reading and writing */
};

/*
 * Registers a descriptor of the caller's, which becomes non-blocking. It is to be registered once at a time.
 * 0; -EPERM: this kind of file cannot be waited for (a regular file: see file.h); -EBADF, -EEXIST, -ENOMEM, -ENOSPC.
 */
int sy_socket_from_fd(struct sy_socket *socket, struct sy_runtime *runtime, int fd);

/*
 * Ends the registration and gives the descriptor back to the caller. Operations have ended or are dropped before.
 * 0; -EBADF: it is closed; -EAGAIN: the reactor has received more than was asked for. Then the socket is as before:
 * receive (or, on a listener, accept) once for each time that it says so, and release again. Only reactors that read
 * ahead (rx_ops.reads_ahead) say it.
 */
int sy_socket_release(struct sy_socket *socket);

/* The address that the socket is bound to: tells the port after port 0. 0 or -errno. */
int sy_socket_local_address(const struct sy_socket *socket, struct sy_address *address);

/*
 * shutdown(2): how is SHUT_RD, SHUT_WR or SHUT_RDWR. At once, and while operations are in flight too: what waits to
 * receive comes to the end of the stream, what waits to send gets -EPIPE, and so does all that comes later (an accept
 * gets -EINVAL on Linux); the socket is still to be closed. SHUT_WR tells the peer that no more comes, behind all that
 * was sent. Not beside a close, for it uses the descriptor; nor are the functions below. 0 or -errno; -EBADF: closed.
 */
int sy_socket_shutdown(const struct sy_socket *socket, int how);

/* Ends the registration and closes the descriptor. Any thread, at any time; harmless the second time. */
void sy_socket_close(struct sy_socket *socket);

/* ---- opening ---- */

struct sy_bind_options {
    int backlog;     /* of a listener: connections that may wait to be accepted; 0: 1024; negative: -EINVAL */
    bool reuse_port; /* SO_REUSEPORT: several sockets on one port, among which the kernel shares out what comes */
};

/*
 * Opens a listening socket. TCP addresses may be reused at once (SO_REUSEADDR); the path of a Unix socket must be free,
 * and is left behind when the socket is closed. 0 or what socket(2), bind(2), listen(2) and sy_socket_from_fd say;
 * -ENOTSUP: reuse_port on a Unix socket. `options` may be NULL for the defaults.
 */
int sy_listen_with(struct sy_socket *socket, struct sy_runtime *runtime, const struct sy_address *address,
                   const struct sy_bind_options *options);

/* The same with a backlog alone, 0 for the default's. */
int sy_listen(struct sy_socket *socket, struct sy_runtime *runtime, const struct sy_address *address, int backlog);

/*
 * Opens a datagram socket, UDP or Unix, bound to the address; port 0 (or "unix:@") for one that only asks others.
 * Errors and `options` as above; a bound UDP port is not reused unless reuse_port says so.
 */
int sy_datagram_bind(struct sy_socket *socket, struct sy_runtime *runtime, const struct sy_address *address,
                     const struct sy_bind_options *options);

/*
 * Connects a datagram socket, again if it was before: sy_send goes to this peer, only its datagrams come in, and that
 * nobody listens there is told (-ECONNREFUSED). Nothing is sent and nothing waited for. 0 or -errno.
 */
int sy_datagram_connect(const struct sy_socket *socket, const struct sy_address *peer);

/* ---- options of TCP; on other sockets -errno ---- */

/* TCP_NODELAY: small blocks are sent at once instead of when the ones before are acknowledged. */
int sy_socket_set_no_delay(const struct sy_socket *socket, bool on);

struct sy_keep_alive {
    int idle_s;     /* without a word from the peer, until it is asked; at least 1, on Linux at most 32767 */
    int interval_s; /* between two such questions; likewise */
    int count;      /* unanswered ones until the connection counts as lost (-ETIMEDOUT); at least 1, at most 127 */
};

/*
 * SO_KEEPALIVE and its times: finds out a peer that vanished without a word. NULL: off. -EINVAL: one of the times is
 * out of bounds; then it is not turned on.
 */
int sy_socket_set_keep_alive(const struct sy_socket *socket, const struct sy_keep_alive *times);

#ifdef __cplusplus
}
#endif

#endif
