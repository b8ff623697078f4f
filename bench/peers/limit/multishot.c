/*
 * The limit over io_uring with multishot receives and buffers that the kernel picks from a ring of them: a connection
 * is asked for once, a message is a completion, its answer a request and a completion. An idle connection holds no
 * buffer. Who has taken all of them stops receiving until one comes back.
 *
 * liburing 2.3 has no call that sets up a ring of buffers, so its memory is mapped here.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/limit/ring.h"

enum { BUFFERS = 1024, GROUP = 0, NO_BUFFER = -1 };

struct connection {
    int fd;
    bool receives, sends; /* a request is under way */
    bool ended;           /* nothing will be received any more */
    bool starved;         /* in the list of those that wait for a buffer */
    int first, last;      /* buffers to be sent back, the first of them under way; NO_BUFFER: none */
    struct connection *next_starved;
};

/* User data tells by its lowest bit which request of a connection has ended. */
enum { IS_SEND = 1 };

static struct {
    char signals, accepted; /* their addresses are user data */
    struct io_uring_buf_ring *buffers;
    char *bytes;
    int next[BUFFERS]; /* of the same connection */
    unsigned lengths[BUFFERS];
    unsigned lent; /* buffers that completions brought and that were not given back */
    struct connection *starved;
} server __attribute__((aligned(8)));

static char *buffer_at(int number) {
    return server.bytes + (size_t)number * LIMIT_BUFFER;
}

static void receive(struct io_uring *ring, struct connection *connection) {
    struct io_uring_sqe *sqe = limit_sqe(ring);
    io_uring_prep_recv_multishot(sqe, connection->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data(sqe, connection);
    connection->receives = true;
}

static void lend_to_kernel(int number) {
    io_uring_buf_ring_add(server.buffers, buffer_at(number), LIMIT_BUFFER, (unsigned short)number,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(server.buffers, 1);
}

/* All that starve try again: the first of them may have nothing to receive. */
static void give_back(struct io_uring *ring, int number) {
    lend_to_kernel(number);
    server.lent--;
    for (struct connection *starved; (starved = server.starved);) {
        server.starved = starved->next_starved;
        starved->starved = false;
        receive(ring, starved);
    }
}

static void starve(struct connection *connection) {
    connection->starved = true;
    connection->next_starved = server.starved;
    server.starved = connection;
}

/* MSG_WAITALL: all of it, or an error. */
static void send_first(struct io_uring *ring, struct connection *connection) {
    struct io_uring_sqe *sqe = limit_sqe(ring);
    io_uring_prep_send(sqe, connection->fd, buffer_at(connection->first), server.lengths[connection->first],
                       MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)connection | IS_SEND);
    connection->sends = true;
}

static void append(struct io_uring *ring, struct connection *connection, int number, unsigned length) {
    server.lent++;
    server.lengths[number] = length;
    server.next[number] = NO_BUFFER;
    if (connection->first == NO_BUFFER) {
        connection->first = number;
        send_first(ring, connection);
    } else {
        server.next[connection->last] = number;
    }
    connection->last = number;
}

/* Takes the first out; it was sent, or never will be. */
static void remove_first(struct io_uring *ring, struct connection *connection) {
    int number = connection->first;
    connection->first = server.next[number];
    give_back(ring, number);
}

static void end_if_idle(struct connection *connection) {
    if (connection->ended && !connection->receives && !connection->sends && !connection->starved) {
        close(connection->fd);
        free(connection);
    }
}

static void received(struct io_uring *ring, struct connection *connection, const struct io_uring_cqe *cqe) {
    connection->receives = cqe->flags & IORING_CQE_F_MORE;
    if (cqe->res > 0) {
        append(ring, connection, (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT), (unsigned)cqe->res);
    } else if (cqe->res != -ENOBUFS) {
        connection->ended = true;
    }
    if (!connection->receives && !connection->ended) {
        if (cqe->res == -ENOBUFS && server.lent > 0) {
            starve(connection);
        } else {
            receive(ring, connection); /* or they have all come back meanwhile */
        }
    }
    end_if_idle(connection);
}

static void sent(struct io_uring *ring, struct connection *connection, const struct io_uring_cqe *cqe) {
    connection->sends = false;
    remove_first(ring, connection);
    if (cqe->res <= 0) {
        while (connection->first != NO_BUFFER) {
            remove_first(ring, connection);
        }
        shutdown(connection->fd, SHUT_RDWR); /* the receive ends by it */
    } else if (connection->first != NO_BUFFER) {
        send_first(ring, connection);
    }
    end_if_idle(connection);
}

static void begin(struct io_uring *ring, int fd) {
    struct connection *connection = peer_need(calloc(1, sizeof *connection), "no memory for a connection");
    connection->fd = fd;
    connection->first = NO_BUFFER;
    limit_no_delay(fd);
    receive(ring, connection);
}

static bool take(struct io_uring *ring, const struct io_uring_cqe *cqe) {
    uint64_t data = io_uring_cqe_get_data64(cqe);
    struct connection *connection = (struct connection *)(uintptr_t)(data & ~(uint64_t)IS_SEND);
    if (data == (uintptr_t)&server.signals) {
        return false;
    }
    if (data == (uintptr_t)&server.accepted) {
        if (cqe->res < 0) {
            peer_die("cannot accept", -cqe->res);
        }
        begin(ring, cqe->res);
    } else if (data & IS_SEND) {
        sent(ring, connection, cqe);
    } else {
        received(ring, connection, cqe);
    }
    return true;
}

static void *map(size_t length) {
    void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) {
        peer_die("no memory for the buffers", errno);
    }
    return mapped;
}

static void register_buffers(struct io_uring *ring) {
    server.buffers = map(BUFFERS * sizeof(struct io_uring_buf));
    server.bytes = map((size_t)BUFFERS * LIMIT_BUFFER);
    struct io_uring_buf_reg registered = {
        .ring_addr = (uintptr_t)server.buffers, .ring_entries = BUFFERS, .bgid = GROUP};
    int error = io_uring_register_buf_ring(ring, &registered, 0);
    if (error) {
        peer_die("a ring of buffers cannot be registered", -error);
    }
    io_uring_buf_ring_init(server.buffers);
    for (int i = 0; i < BUFFERS; i++) {
        lend_to_kernel(i);
    }
}

static void serve(unsigned workers, int listener) {
    struct io_uring ring;
    int signals = limit_signals();
    (void)workers;
    limit_open_ring(&ring);
    register_buffers(&ring);
    limit_begin(&ring, signals, &server.signals, listener, &server.accepted);
    peer_listening(listener);
    limit_run(&ring, take);
    io_uring_queue_exit(&ring); /* the connections end with the process */
    close(signals);
}

int main(int argc, char **argv) {
    return limit_main("limit-multishot-peer", "io_uring, multishot receives and a ring of buffers", limit_need_ring,
                      serve, argc, argv);
}
