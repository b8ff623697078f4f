/*
 * The reactor and its peers, over every back end: connections that come about, are refused or stay under way; ends,
 * hang-ups, errors and resets; accept without a descriptor to spare.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/un.h>

#include "stress/support_rx.h"

/* ---- accept and connect ---- */

static void connect_and_accept(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct sockaddr_in address;
    struct rx_source *listener = rig_register(&rig, rig_tcp_listen(16, &address));
    for (int round = 0; round < 50; round++) {
        struct rx_op accepting;
        rig_start(&rig, &accepting, RX_ACCEPT, listener, NULL, 0);
        struct rx_source *client = rig_register(&rig, rig_tcp_socket());
        if (round % 2) {
            rig_settle(&rig); /* the hang-up of a socket that was never connected */
        }
        CHECK_EQ(rig_do(&rig, RX_CONNECT, client, &address, sizeof address), 0);
        int64_t fd = rig_finish(&rig, &accepting);
        CHECK(fd >= 0);
        CHECK((fcntl((int)fd, F_GETFL) & O_NONBLOCK) && (fcntl((int)fd, F_GETFD) & FD_CLOEXEC));
        CHECK_EQ(rig_do(&rig, RX_SEND, client, "hello", 5), 5);
        struct rx_source *server = rig_register(&rig, (int)fd);
        char bytes[8];
        CHECK_EQ(rig_do(&rig, RX_RECV, server, bytes, sizeof bytes), 5);
        rig_deregister_and_close(&rig, server);
        rig_deregister_and_close(&rig, client);
    }
    rig_deregister_and_close(&rig, listener);
    rig_close(&rig);
}

static void connect_refused(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct sockaddr_in address;
    CHECK_EQ(close(rig_tcp_listen(1, &address)), 0);
    for (int settle = 0; settle < 2; settle++) {
        struct rx_source *client = rig_register(&rig, rig_tcp_socket());
        if (settle) {
            rig_settle(&rig);
        }
        CHECK_EQ(rig_do(&rig, RX_CONNECT, client, &address, sizeof address), -ECONNREFUSED);
        rig_deregister_and_close(&rig, client);
    }
    rig_close(&rig);
}

/* A listener whose queue is full, with one connection: the next stays under way until that one is accepted. */
struct full_listener {
    struct sockaddr_in address;
    int fd, filler;
};

static struct full_listener full_listener_open(void) {
    struct full_listener full;
    full.fd = rig_tcp_listen(0, &full.address);
    full.filler = rig_tcp_socket();
    connect(full.filler, (struct sockaddr *)&full.address, sizeof full.address);
    struct pollfd filled = {.fd = full.fd, .events = POLLIN};
    CHECK_EQ(poll(&filled, 1, -1), 1);
    return full;
}

static void full_listener_close(struct full_listener full) {
    close(full.filler);
    close(full.fd);
}

/* A wake for nothing must not make a connection established that is still under way. */
static void case_07_connect_under_way(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct full_listener full = full_listener_open();
    for (int settle = 0; settle < 2; settle++) {
        struct rx_source *client = rig_register(&rig, rig_tcp_socket());
        struct rx_op op;
        if (settle) {
            rig_settle(&rig);
        }
        rx_op_init(&op, RX_CONNECT, client, &full.address, sizeof full.address);
        for (int i = 0; i < 20; i++) {
            CHECK_EQ(rig.ops->poll(rig.rx, &op, &rig.waker), RX_PENDING);
            rig_settle(&rig);
        }
        if (settle) { /* room for the next attempt of the kernel, in about a second */
            CHECK_EQ(close(accept4(full.fd, NULL, NULL, 0)), 0);
            CHECK_EQ(rig_finish(&rig, &op), 0);
        } else {
            CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
        }
        rig_deregister_and_close(&rig, client);
    }
    full_listener_close(full);
    rig_close(&rig);
}

/* Begins to connect when it is woken, while an event from before the connection is still to be handled. */
struct late_connector {
    struct rx_probe probe; /* first, so that the hook finds the rest */
    struct rig *rig;
    struct rx_op op;
};

static void begin_to_connect(struct rx_probe *probe) {
    struct late_connector *late = (struct late_connector *)probe;
    probe->hook = NULL;
    CHECK_EQ(late->rig->ops->poll(late->rig->rx, &late->op, &late->rig->waker), RX_PENDING);
}

static void connect_against_late_event(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct full_listener full = full_listener_open();
    struct late_connector late = {.rig = &rig};
    rx_probe_init(&late.probe);
    struct sy_waker late_waker = rx_probe_waker(&late.probe);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    struct rx_op op;
    char bytes[8];
    rig_settle(&rig);
    rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(rig.ops->poll(rig.rx, &op, &late_waker), RX_PENDING);
    rig_settle(&rig);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3); /* the first event; the second: the socket is not connected */
    struct rx_source *client = rig_register(&rig, rig_tcp_socket());
    rx_op_init(&late.op, RX_CONNECT, client, &full.address, sizeof full.address);
    late.probe.hook = begin_to_connect;
    while (late.probe.hook) {
        CHECK(rig.ops->wait(rig.rx, -1) >= 0);
    }
    CHECK_EQ(rig.ops->poll(rig.rx, &late.op, &rig.waker), RX_PENDING);
    CHECK_EQ(rig_cancel(&rig, &late.op), -ECANCELED);
    CHECK_EQ(rig_finish(&rig, &op), 3);
    rig_deregister_and_close(&rig, client);
    rig_unlink(&rig, link);
    full_listener_close(full);
    rx_probe_close(&late.probe);
    rig_close(&rig);
}

static struct rx_source *unix_client(struct rig *rig) {
    return rig_register(rig, socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static void connect_unix(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "stealyard-%d-%zu", getpid(), variant);
    size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, (socklen_t)size), 0);
    struct rx_source *clients[3] = {unix_client(&rig), unix_client(&rig), unix_client(&rig)};
    CHECK_EQ(rig_do(&rig, RX_CONNECT, clients[0], &address, size), -ECONNREFUSED);
    CHECK_EQ(listen(fd, 0), 0);
    CHECK_EQ(rig_do(&rig, RX_CONNECT, clients[1], &address, size), 0);
    CHECK_EQ(rig_do(&rig, RX_CONNECT, clients[2], &address, size), -EAGAIN); /* its queue is full, no event follows */
    struct rx_source *listener = rig_register(&rig, fd);
    int64_t accepted = rig_do(&rig, RX_ACCEPT, listener, NULL, 0);
    CHECK(accepted >= 0);
    CHECK_EQ(rig_do(&rig, RX_CONNECT, clients[2], &address, size), 0);
    close((int)accepted);
    for (int i = 0; i < 3; i++) {
        rig_deregister_and_close(&rig, clients[i]);
    }
    rig_deregister_and_close(&rig, listener);
    rig_close(&rig);
}

/* ---- ends, hang-ups, errors ---- */

static void case_13_half_close_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[8];
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(shutdown(link.peer, SHUT_WR), 0);
    CHECK_EQ(rig_finish(rig, &op), 0);
    CHECK(rig_do(rig, RX_READY_IN, link.source, NULL, 0) & POLLRDHUP);
    CHECK_EQ(rig_do(rig, RX_SEND, link.source, "still", 5), 5); /* the other half works on */
    struct pollfd answer = {.fd = link.peer, .events = POLLIN};
    CHECK_EQ(poll(&answer, 1, -1), 1);
    CHECK_EQ(recv(link.peer, bytes, sizeof bytes, 0), 5);
}

static void case_13_half_close(size_t variant) {
    rig_over_families(variant, case_13_half_close_on);
}

/* A pipe's end is told as a hang-up or an error alone, without "readable" or "writable". */
static void case_13_hang_up_alone(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (enum rx_kind kind = RX_READ;; kind = RX_READY_IN) {
        int fds[2];
        char bytes[8];
        CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        struct rx_source *source = rig_register(&rig, fds[0]);
        struct rx_op op;
        rig_start(&rig, &op, kind, source, bytes, sizeof bytes);
        close(fds[1]);
        CHECK_EQ(rig_finish(&rig, &op), kind == RX_READ ? 0 : POLLHUP);
        rig_deregister_and_close(&rig, source);
        if (kind == RX_READY_IN) {
            break;
        }
    }
    int fds[2];
    char block[65536] = "";
    CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    struct rx_source *source = rig_register(&rig, fds[1]);
    while (write(fds[1], block, sizeof block) > 0) {
    }
    struct rx_op op;
    rig_start(&rig, &op, RX_READY_OUT, source, NULL, 0);
    close(fds[0]);
    CHECK(rig_finish(&rig, &op) & POLLERR);
    rig_deregister_and_close(&rig, source);
    rig_close(&rig);
}

static struct au32 broken_pipes;

static void count_broken_pipe(int signal_number) {
    (void)signal_number;
    au32_fetch_add_relaxed(&broken_pipes, 1);
}

static void broken_pipe_on(struct rig *rig, struct rig_link link) {
    char block[4096] = "";
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_WR), 0);
    CHECK_EQ(rig_do(rig, RX_SEND, link.source, block, sizeof block), -EPIPE);
}

static void case_13_broken_pipe_without_signal(size_t variant) {
    struct sigaction action = {.sa_handler = count_broken_pipe}, before;
    CHECK_EQ(sigaction(SIGPIPE, &action, &before), 0);
    rig_over_families(variant, broken_pipe_on);
    CHECK_EQ(au32_load_relaxed(&broken_pipes), 0);
    CHECK_EQ(sigaction(SIGPIPE, &before, NULL), 0);
}

/* Closed with bytes unread or with linger 0: the peer gets a reset, wherever it is. */
static void peer_reset(size_t variant) {
    static char block[65536];
    struct rig rig;
    rig_init(&rig, variant);
    struct linger at_once = {.l_onoff = 1};
    for (int full = 0; full < 2; full++) {
        struct rig_link link = rig_link(&rig, AF_INET);
        struct rx_op in, out;
        rig_start(&rig, &in, RX_RECV, link.source, block, sizeof block);
        while (full && rig_begin(&rig, &out, RX_SEND, link.source, block, sizeof block) == RX_DONE) {
        }
        CHECK_EQ(setsockopt(link.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close(link.peer);
        int64_t result = rig_finish(&rig, &in);
        CHECK_EQ(result, -ECONNRESET);
        if (full) {
            int64_t sent = rig_finish(&rig, &out);
            CHECK(sent == -EPIPE || sent == -ECONNRESET);
        }
        rig_deregister_and_close(&rig, link.source);
    }
    rig_close(&rig);
}

/* No descriptor left: the answer is -EMFILE each time, and the connection is still there when there is one again. */
static void case_04_accept_without_descriptors(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct sockaddr_in address;
    struct rx_source *listener = rig_register(&rig, rig_tcp_listen(4, &address));
    struct rx_op op;
    int client = rig_tcp_socket(), lowest_free = dup(client);
    CHECK_EQ(close(lowest_free), 0);
    struct rlimit limit, lower;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    lower = (struct rlimit){.rlim_cur = (rlim_t)lowest_free, .rlim_max = limit.rlim_max}; /* poll(2) keeps to it too */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0); /* first: io_uring's limit is that of when it was asked to accept */
    connect(client, (struct sockaddr *)&address, sizeof address);
    rx_op_init(&op, RX_ACCEPT, listener, NULL, 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(rig_finish(&rig, &op), -EMFILE);
        rx_op_init(&op, RX_ACCEPT, listener, NULL, 0);
    }
    rig_settle(&rig);
    int64_t start_ns = check_now_ns();
    CHECK_EQ(rig.ops->wait(rig.rx, 1000000), 0); /* nobody asks: the connection in the queue is no reason to spin */
    CHECK(check_now_ns() - start_ns >= 1000000);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int64_t fd = rig_finish(&rig, &op);
    CHECK(fd >= 0);
    close((int)fd);
    close(client);
    rig_deregister_and_close(&rig, listener);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"connect_and_accept", connect_and_accept},
        {"connect_refused", connect_refused},
        {"case_07_connect_under_way", case_07_connect_under_way},
        {"connect_against_late_event", connect_against_late_event},
        {"connect_unix", connect_unix},
        {"case_13_half_close", case_13_half_close},
        {"case_13_hang_up_alone", case_13_hang_up_alone},
        {"case_13_broken_pipe_without_signal", case_13_broken_pipe_without_signal},
        {"peer_reset", peer_reset},
        {"case_04_accept_without_descriptors", case_04_accept_without_descriptors},
    };
    return rx_run_suite("suite_rx_peers", tests, sizeof tests / sizeof tests[0], argc, argv);
}
