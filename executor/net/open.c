/* Opening listeners and datagram sockets, and the options of sockets. See socket.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#endif

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "executor/net/socket.h"
#include "reactor/rx_connect.h"

#define BACKLOG_DEFAULT 1024

#if defined(__APPLE__)
#define TCP_KEEPIDLE TCP_KEEPALIVE /* the same under another name */
#endif

static int set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

/* A socket with its options, bound; the descriptor or -errno. */
static int open_bound(const struct sy_address *address, int type, bool reuse_address, bool reuse_port) {
    if (reuse_port && address->any.sa_family == AF_UNIX) {
        return -ENOTSUP; /* some kernels take the option there, and do nothing */
    }
    int fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = reuse_address ? set(fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
    if (!error && reuse_port) {
        error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (!error && bind(fd, &address->any, address->length)) {
        error = -errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

static int adopt(struct sy_socket *socket, struct sy_runtime *runtime, int fd) {
    int error = sy_socket_from_fd(socket, runtime, fd);
    if (error) {
        close(fd);
    }
    return error;
}

int sy_listen_with(struct sy_socket *listener, struct sy_runtime *runtime, const struct sy_address *address,
                   const struct sy_bind_options *options) {
    bool reuse_port = options && options->reuse_port;
    int backlog = options && options->backlog ? options->backlog : BACKLOG_DEFAULT;
    if (backlog < 0) {
        return -EINVAL; /* which the kernel would take for a very large one */
    }
    int fd = open_bound(address, SOCK_STREAM, address->any.sa_family != AF_UNIX, reuse_port);
    if (fd < 0) {
        return fd;
    }
    if (listen(fd, backlog)) {
        int error = -errno;
        close(fd);
        return error;
    }
    return adopt(listener, runtime, fd);
}

int sy_listen(struct sy_socket *listener, struct sy_runtime *runtime, const struct sy_address *address, int backlog) {
    struct sy_bind_options options = {.backlog = backlog};
    return sy_listen_with(listener, runtime, address, &options);
}

int sy_datagram_bind(struct sy_socket *socket, struct sy_runtime *runtime, const struct sy_address *address,
                     const struct sy_bind_options *options) {
    int fd = open_bound(address, SOCK_DGRAM, false, options && options->reuse_port);
    return fd < 0 ? fd : adopt(socket, runtime, fd);
}

int sy_datagram_connect(const struct sy_socket *socket, const struct sy_address *peer) {
    return rx_connect(socket->fd, &peer->any, peer->length) ? -errno : 0;
}

int sy_socket_set_no_delay(const struct sy_socket *socket, bool on) {
    return set(socket->fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int sy_socket_set_keep_alive(const struct sy_socket *socket, const struct sy_keep_alive *times) {
    int error = 0;
    if (times) { /* first, so that nobody is asked at times that were not meant */
        error = set(socket->fd, IPPROTO_TCP, TCP_KEEPIDLE, times->idle_s);
        error = error ? error : set(socket->fd, IPPROTO_TCP, TCP_KEEPINTVL, times->interval_s);
        error = error ? error : set(socket->fd, IPPROTO_TCP, TCP_KEEPCNT, times->count);
    }
    return error ? error : set(socket->fd, SOL_SOCKET, SO_KEEPALIVE, times != NULL);
}
