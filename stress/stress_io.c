/*
 * Tasks with sockets: one side sends messages and checks what comes back, the other (KIND_ECHOES) sends back what it
 * gets. Either may be dropped at any moment; then the other sees the end of the stream or an error, and ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stress.h"

enum io_step { IO_BEGIN, IO_ACCEPT, IO_CONNECT, IO_SEND, IO_RECV };

static unsigned char pattern(const struct unit_future *f, size_t i) {
    return (unsigned char)(f->payload + i * 7);
}

static bool borrow(struct ai64 *budget) {
    if (ai64_fetch_sub_relaxed(budget, 1) > 0) {
        return true;
    }
    ai64_fetch_add_relaxed(budget, 1);
    return false;
}

static void count_operation(struct unit_future *f) {
    au64_fetch_add_relaxed(&f->episode->io_operations, 1);
}

/* The memory and the budget that either side needs. */
static void io_begin(struct unit_future *f) {
    f->io.socket.fd = f->io.listener.fd = -1;
    f->io.buffer = malloc(STRESS_MESSAGE);
    SUPPORT_REQUIRE(f->io.buffer);
}

static void begin_send(struct unit_future *f, size_t length) {
    f->io.length = length;
    sy_send_all_init(&f->io.send, &f->io.socket, f->io.buffer, length);
    f->step = IO_SEND;
}

static void begin_recv(struct unit_future *f, size_t received) {
    f->io.received = received;
    sy_recv_init(&f->io.recv, &f->io.socket, f->io.buffer + received, STRESS_MESSAGE - received);
    f->step = IO_RECV;
}

static void begin_message(struct unit_future *f) {
    size_t length = 1 + plan_below(&f->random, STRESS_MESSAGE);
    for (size_t i = 0; i < length; i++) {
        f->io.buffer[i] = pattern(f, i);
    }
    begin_send(f, length);
}

static void check_message(struct unit_future *f) {
    for (size_t i = 0; i < f->io.length; i++) {
        STRESS_CHECK(f->io.buffer[i] == pattern(f, i), "unit %u got back another byte at %zu", f->id, i);
    }
}

/* What may come when the other side was dropped. */
static bool peer_is_gone(int64_t result) {
    return result == 0 || result == -EPIPE || result == -ECONNRESET;
}

/* The side that sends first, once it is connected. */
static enum sy_poll talk(struct unit_future *f, struct sy_context *cx) {
    for (;;) {
        if (f->step == IO_SEND) {
            if (sy_send_all_poll(&f->io.send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            count_operation(f);
            if (peer_is_gone(f->io.send.result)) {
                return SY_READY;
            }
            STRESS_CHECK(f->io.send.result == (int64_t)f->io.length, "sending said %lld", (long long)f->io.send.result);
            begin_recv(f, 0);
        }
        if (sy_recv_poll(&f->io.recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        count_operation(f);
        if (peer_is_gone(f->io.recv.result)) {
            return SY_READY;
        }
        STRESS_CHECK(f->io.recv.result > 0, "receiving said %lld", (long long)f->io.recv.result);
        begin_recv(f, f->io.received + (size_t)f->io.recv.result);
        if (f->io.received < f->io.length) {
            continue;
        }
        STRESS_CHECK(f->io.received == f->io.length, "unit %u got back more than it sent", f->id);
        check_message(f);
        if (f->io.rounds-- == 0) {
            return SY_READY;
        }
        begin_message(f);
    }
}

static enum sy_poll echo(struct unit_future *f, struct sy_context *cx) {
    for (;;) {
        if (f->step == IO_RECV) {
            if (sy_recv_poll(&f->io.recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            count_operation(f);
            if (peer_is_gone(f->io.recv.result)) {
                return SY_READY;
            }
            STRESS_CHECK(f->io.recv.result > 0, "receiving said %lld", (long long)f->io.recv.result);
            begin_send(f, (size_t)f->io.recv.result);
        }
        if (sy_send_all_poll(&f->io.send, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        count_operation(f);
        if (peer_is_gone(f->io.send.result)) {
            return SY_READY;
        }
        begin_recv(f, 0);
    }
}

/* ---- a socket pair ---- */

static void register_fd(struct sy_socket *socket, struct sy_context *cx, int fd) {
    int error = sy_socket_from_fd(socket, cx->runtime, fd);
    STRESS_CHECK(error == 0, "sy_socket_from_fd: %s", strerror(-error));
}

enum sy_poll pair_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == IO_BEGIN) {
        int fds[2];
        io_begin(f);
        f->io.borrowed = borrow(&f->episode->sockets_left);
        if (!f->io.borrowed || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds)) {
            return SY_READY;
        }
        register_fd(&f->io.socket, cx, fds[0]);
        struct unit_future other = unit_make(f->episode, KIND_ECHOES, 0, plan_random(&f->random));
        other.io.peer_fd = fds[1];
        if (unit_spawn(&other, SPAWN_PLAIN, NULL, NULL)) {
            close(fds[1]);
            return SY_READY;
        }
        f->io.rounds = plan_below(&f->random, 4);
        begin_message(f);
    }
    return talk(f, cx);
}

/* ---- TCP ---- */

/*
 * Each process and unit has a loopback address of its own (127.0.0.0/8): the kernel may give the port of a listener
 * that was just dropped to another one at once, and the echo would connect to a stranger, who may keep it for ever.
 */
static bool listen_on_loopback(struct unit_future *f, struct sy_context *cx, struct sy_address *address) {
    uint32_t own = ((uint32_t)getpid() * UNITS + f->id) % 0xfffffe + 1; /* not the net's first and last */
    char text[32];
    snprintf(text, sizeof text, "127.%u.%u.%u:0", own >> 16, own >> 8 & 255, own & 255);
    SUPPORT_REQUIRE(sy_address_parse(text, address, NULL, 0) == 0);
    int error = sy_listen(&f->io.listener, cx->runtime, address, 4);
    if (error) {
        f->io.listener.fd = -1;
        STRESS_CHECK(error == -EADDRINUSE || error == -EMFILE, "sy_listen: %s", strerror(-error));
        return false;
    }
    SUPPORT_REQUIRE(sy_socket_local_address(&f->io.listener, address) == 0);
    return true;
}

/* Reset at close, so that thousands of episodes leave no ports in TIME_WAIT. */
static void leave_no_trace(int fd) {
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/*
 * Linux (seen with 6.18) loses the reset if a listener is closed in the midst of a connection's handshake: now and then
 * connect succeeds, and nothing ever comes. Whoever only receives must ask whether the other side is still there.
 */
static void ask_for_life(int fd) {
    int on = 1, seconds = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
}

enum sy_poll tcp_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == IO_BEGIN) {
        io_begin(f);
        f->io.borrowed = borrow(&f->episode->sockets_left);
        struct unit_future other = unit_make(f->episode, KIND_ECHOES, 0, plan_random(&f->random));
        other.io.peer_fd = -1;
        if (!f->io.borrowed || !borrow(&f->episode->ports_left) || !listen_on_loopback(f, cx, &other.io.address) ||
            unit_spawn(&other, SPAWN_PLAIN, NULL, NULL)) {
            return SY_READY;
        }
        sy_accept_init(&f->io.accept, &f->io.listener);
        f->step = IO_ACCEPT;
    }
    if (f->step == IO_ACCEPT) {
        if (sy_accept_poll(&f->io.accept, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        count_operation(f);
        STRESS_CHECK(f->io.accept.result == 0, "accepting said %d", f->io.accept.result);
        f->io.socket = f->io.accept.connection;
        leave_no_trace(f->io.socket.fd);
        f->io.rounds = plan_below(&f->random, 4);
        begin_message(f);
    }
    return talk(f, cx);
}

/* ---- the echo ---- */

enum sy_poll echo_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == IO_BEGIN) {
        io_begin(f);
        if (f->io.peer_fd >= 0) {
            register_fd(&f->io.socket, cx, f->io.peer_fd);
            begin_recv(f, 0);
        } else {
            struct sy_address address = f->io.address;
            sy_connect_init(&f->io.connect, cx->runtime, &address);
            f->step = IO_CONNECT;
        }
    }
    if (f->step == IO_CONNECT) {
        if (sy_connect_poll(&f->io.connect, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        count_operation(f);
        if (f->io.connect.result == -ECONNREFUSED || f->io.connect.result == -ECONNRESET) {
            return SY_READY; /* the listener was dropped */
        }
        STRESS_CHECK(f->io.connect.result == 0, "connecting said %s", strerror(-f->io.connect.result));
        f->io.socket = f->io.connect.connection;
        leave_no_trace(f->io.socket.fd);
        ask_for_life(f->io.socket.fd);
        begin_recv(f, 0);
    }
    return echo(f, cx);
}

/* ---- the end, at any step ---- */

static void drop_operation(struct unit_future *f) {
    switch ((enum io_step)f->step) {
    case IO_BEGIN:
        break;
    case IO_ACCEPT:
        sy_accept_drop(&f->io.accept);
        break;
    case IO_CONNECT:
        sy_connect_drop(&f->io.connect);
        break;
    case IO_SEND:
        sy_send_all_drop(&f->io.send);
        break;
    case IO_RECV:
        sy_recv_drop(&f->io.recv);
        break;
    }
}

void io_drop(struct unit_future *f) {
    if (f->polls == 0) {
        if (f->kind == KIND_ECHOES && f->io.peer_fd >= 0) {
            close(f->io.peer_fd);
        }
        return;
    }
    drop_operation(f);
    if (f->io.socket.fd >= 0) {
        sy_socket_close(&f->io.socket);
    }
    if (f->io.listener.fd >= 0) {
        sy_socket_close(&f->io.listener);
    }
    free(f->io.buffer);
    if (f->io.borrowed) {
        ai64_fetch_add_relaxed(&f->episode->sockets_left, 1);
    }
}
