/* Sockets: registering, closing, what they are bound to. See socket.h; opening: open.c; closing: gate.h. */
#include "executor/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "executor/net/gate.h"
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
    *socket = (struct sy_socket){.runtime = runtime, .source = source, .fd = fd, .open = {1}};
    return 0;
}

int sy_socket_release(struct sy_socket *socket) {
    if (!au32_load_relaxed(&socket->open)) { /* only a closer changes it, and nobody closes at the same time */
        return -EBADF;
    }
    struct driver *driver = &socket->runtime->driver;
    if (driver->ops->unread && driver->ops->unread(driver->rx, socket->source) > 0) {
        return -EAGAIN;
    }
    net_gate_shut(socket);
    driver_deregister(driver, socket->source);
    socket->source = NULL;
    socket->fd = -1;
    return 0;
}

int sy_socket_local_address(const struct sy_socket *socket, struct sy_address *address) {
    *address = (struct sy_address){.length = sizeof address->local};
    if (getsockname(socket->fd, &address->any, &address->length)) {
        return -errno;
    }
    if (address->length > sizeof address->local) { /* a path as long as there is room, whose end does not fit */
        address->length = sizeof address->local;
    }
    return 0;
}

int sy_socket_shutdown(const struct sy_socket *socket, int how) {
    return shutdown(socket->fd, how) ? -errno : 0;
}

void sy_socket_close(struct sy_socket *socket) {
    if (net_gate_shut(socket)) {
        driver_close(&socket->runtime->driver, socket->source);
        socket->source = NULL;
        socket->fd = -1;
    }
}
