/* Sockets: opening, registering, closing. See socket.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#endif

#include "executor/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "executor/runtime.h"
#include "reactor/reactor.h"

static int set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK))) {
        return -errno;
    }
    return 0;
}

int sy_socket_from_fd(struct sy_socket *socket, struct sy_runtime *runtime, int fd) {
    int error = set_nonblocking(fd);
    if (error) {
        return error;
    }
    struct rx_source *source;
    error = driver_register(&runtime->driver, fd, &source);
    if (error) {
        return error;
    }
    *socket = (struct sy_socket){.runtime = runtime, .source = source, .fd = fd};
    return 0;
}

void sy_socket_release(struct sy_socket *socket) {
    driver_deregister(&socket->runtime->driver, socket->source);
    socket->source = NULL;
    socket->fd = -1;
}

static int bind_and_listen(int fd, const struct sy_address *address, int backlog) {
    int on = 1;
    if (address->any.sa_family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) {
        return -errno;
    }
    if (bind(fd, &address->any, address->length) || listen(fd, backlog)) {
        return -errno;
    }
    return 0;
}

int sy_listen(struct sy_socket *listener, struct sy_runtime *runtime, const struct sy_address *address, int backlog) {
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = bind_and_listen(fd, address, backlog);
    if (!error) {
        error = sy_socket_from_fd(listener, runtime, fd);
    }
    if (error) {
        close(fd);
    }
    return error;
}

int sy_socket_local_address(const struct sy_socket *socket, struct sy_address *address) {
    *address = (struct sy_address){.length = sizeof address->local};
    return getsockname(socket->fd, &address->any, &address->length) ? -errno : 0;
}

int sy_socket_shutdown(const struct sy_socket *socket, int how) {
    return shutdown(socket->fd, how) ? -errno : 0;
}

void sy_socket_close(struct sy_socket *socket) {
    if (socket->fd >= 0) {
        driver_close(&socket->runtime->driver, socket->source);
        socket->source = NULL;
        socket->fd = -1;
    }
}
