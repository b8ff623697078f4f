/*
 * The limit over epoll, edge-triggered, each socket registered once for both directions, as rx_epoll does. A message
 * takes a recv and a send, and a share of an epoll_wait: one that brought less than was asked for was the last there
 * (epoll(7)), so nobody asks again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/limit/limit.h"

struct connection {
    int fd;
    char *rest; /* what the kernel did not take yet; NULL: nothing, so it may read */
    size_t rest_used, rest_length;
};

struct loop {
    int epoll_fd;
    struct connection listener, signals; /* told by their addresses */
    char buffer[LIMIT_BUFFER];
};

static void watch(const struct loop *loop, struct connection *connection, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        peer_die("a socket cannot be watched", errno);
    }
}

static void end(struct connection *connection) {
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

/* Bytes that the kernel took, or -1 if the connection is gone. */
static ssize_t send_some(const struct connection *connection, const char *bytes, size_t length) {
    ssize_t n = send(connection->fd, bytes, length, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void keep_rest(struct connection *connection, const char *bytes, size_t length) {
    connection->rest = peer_need(malloc(length), "no memory for what waits to be sent");
    memcpy(connection->rest, bytes, length);
    connection->rest_used = 0;
    connection->rest_length = length;
}

/* False: the connection is gone. After it there is nothing left, or the next edge tells of room. */
static bool send_rest(struct connection *connection) {
    while (connection->rest) {
        size_t left = connection->rest_length - connection->rest_used;
        ssize_t n = send_some(connection, connection->rest + connection->rest_used, left);
        if (n <= 0) {
            return n == 0;
        }
        connection->rest_used += (size_t)n;
        if (connection->rest_used == connection->rest_length) {
            free(connection->rest);
            connection->rest = NULL;
        }
    }
    return true;
}

/* False: the connection is gone. */
static bool send_all(struct connection *connection, const char *bytes, size_t length) {
    ssize_t n = send_some(connection, bytes, length);
    if (n < 0 || (size_t)n == length) {
        return n >= 0;
    }
    keep_rest(connection, bytes + n, length - (size_t)n);
    return send_rest(connection);
}

/* False: the connection has ended. */
static bool echo(struct loop *loop, struct connection *connection) {
    if (!send_rest(connection)) {
        return false;
    }
    while (!connection->rest) {
        ssize_t n = recv(connection->fd, loop->buffer, sizeof loop->buffer, 0);
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        if (!send_all(connection, loop->buffer, (size_t)n)) {
            return false;
        }
        if ((size_t)n < sizeof loop->buffer) {
            return true;
        }
    }
    return true;
}

static void accept_all(struct loop *loop) {
    int fd;
    while ((fd = limit_accept(loop->listener.fd)) >= 0) {
        struct connection *connection = peer_need(calloc(1, sizeof *connection), "no memory for a connection");
        connection->fd = fd;
        watch(loop, connection, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    }
    if (errno != EAGAIN) {
        peer_die("cannot accept", errno);
    }
}

/* False: a signal came. */
static bool take(struct loop *loop, const struct epoll_event *event) {
    struct connection *connection = event->data.ptr;
    if (connection == &loop->signals) {
        return false;
    }
    if (connection == &loop->listener) {
        accept_all(loop);
    } else if (!echo(loop, connection) ||
               (!connection->rest && event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && !echo(loop, connection))) {
        end(connection); /* an edge that tells of the end comes once: then it is read up to it */
    }
    return true;
}

static void serve(unsigned workers, int listener) {
    static struct loop loop;
    struct epoll_event events[LIMIT_BATCH];
    (void)workers;
    loop.signals.fd = limit_signals();
    loop.listener.fd = listener;
    if ((loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) {
        peer_die("epoll_create1", errno);
    }
    watch(&loop, &loop.signals, EPOLLIN);
    watch(&loop, &loop.listener, EPOLLIN);
    peer_listening(listener);
    for (bool going = true; going;) {
        int count = epoll_wait(loop.epoll_fd, events, LIMIT_BATCH, -1);
        if (count < 0 && errno != EINTR) {
            peer_die("epoll_wait", errno);
        }
        for (int i = 0; i < count && going; i++) {
            going = take(&loop, &events[i]);
        }
    }
    close(loop.epoll_fd); /* the connections end with the process */
    close(loop.signals.fd);
}

int main(int argc, char **argv) {
    return limit_main("limit-epoll-peer", "epoll, edge-triggered", NULL, serve, argc, argv);
}
