/*
 * The limit over io_uring, a receive and a send by turns, each its own request and completion. Nothing is received
 * before the send has ended, so a connection has one buffer, for as long as it lives. A receive first waits for data
 * (IORING_RECVSEND_POLL_FIRST): it is asked for just after an answer was sent, when nothing can be there yet.
 *
 * Rejected: linking the next receive to the send. It saves no system call, and the buffer is in use until the send has
 * ended anyway.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/limit/ring.h"

struct connection {
    int fd;
    bool sends;
    char buffer[LIMIT_BUFFER];
};

static struct { char signals, accepted; /* their addresses are user data */ } tags;

static void receive(struct io_uring *ring, struct connection *connection) {
    struct io_uring_sqe *sqe = limit_sqe(ring);
    connection->sends = false;
    io_uring_prep_recv(sqe, connection->fd, connection->buffer, sizeof connection->buffer, 0);
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data(sqe, connection);
}

/* MSG_WAITALL: all of it, or an error. */
static void send_back(struct io_uring *ring, struct connection *connection, size_t length) {
    struct io_uring_sqe *sqe = limit_sqe(ring);
    connection->sends = true;
    io_uring_prep_send(sqe, connection->fd, connection->buffer, length, MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data(sqe, connection);
}

static void begin(struct io_uring *ring, int fd) {
    struct connection *connection = peer_need(malloc(sizeof *connection), "no memory for a connection");
    connection->fd = fd;
    limit_no_delay(fd);
    receive(ring, connection);
}

static bool take(struct io_uring *ring, const struct io_uring_cqe *cqe) {
    struct connection *connection = io_uring_cqe_get_data(cqe);
    if ((void *)connection == &tags.signals) {
        return false;
    }
    if ((void *)connection == &tags.accepted) {
        if (cqe->res < 0) {
            peer_die("cannot accept", -cqe->res);
        }
        begin(ring, cqe->res);
    } else if (cqe->res <= 0) {
        close(connection->fd);
        free(connection);
    } else if (connection->sends) {
        receive(ring, connection);
    } else {
        send_back(ring, connection, (size_t)cqe->res);
    }
    return true;
}

static void serve(unsigned workers, int listener) {
    struct io_uring ring;
    int signals = limit_signals();
    (void)workers;
    limit_open_ring(&ring);
    limit_begin(&ring, signals, &tags.signals, listener, &tags.accepted);
    peer_listening(listener);
    limit_run(&ring, take);
    io_uring_queue_exit(&ring); /* the connections end with the process */
    close(signals);
}

int main(int argc, char **argv) {
    return limit_main("limit-uring-peer", "io_uring, a receive and a send by turns", limit_need_ring, serve, argc,
                      argv);
}
