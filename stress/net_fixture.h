/*
 * What the suites of the socket layer share: variants, a runtime, peers.
 *
 * A variant is a reactor with or without the speculative first try (rx_epoll, rx_epoll+try). Peers are plain blocking
 * sockets of the test's own thread, so that only one side is under test; where both sides run on the runtime the test
 * says so.
 */
#ifndef STEALYARD_STRESS_NET_FIXTURE_H
#define STEALYARD_STRESS_NET_FIXTURE_H

#include <dirent.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include "executor/async.h"
#include "executor/executor.h"
#include "executor/runtime.h"
#include "reactor/reactor.h"
#include "stress/check.h"

#ifdef CTEST_ENTRIES
#include "reactor/rx_list.h"

#define RX_COUNT(stem) +1
_Static_assert((0 RX_LIST(RX_COUNT)) == CTEST_ENTRIES, "rx_list.h: one entry a line, or some are no tests of CTest's");
#endif

#define SECOND UINT64_C(1000000000)

static inline const struct rx_ops *reactor_of(size_t variant) {
    return rx_all[variant / 2];
}

static inline const char *variant_name(size_t variant) {
    static char name[64];
    snprintf(name, sizeof name, "%s%s", reactor_of(variant)->name, variant % 2 ? "+try" : "");
    return name;
}

/* False, after a check_skip: not built, or refused here. */
static inline bool variant_runs(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    int error = sy_part_probe(SY_REACTOR, ops->name);
    if (!error) {
        return true;
    }
    CHECK_EQ(error, -ENOTSUP);
    char why[256];
    sy_part_explain(SY_REACTOR, ops->name, why, sizeof why);
    check_skip("%s: %s", ops->name, why);
    return false;
}

static inline void configure(struct sy_config *config, size_t variant, unsigned workers) {
    sy_config_init(config);
    config->reactor = reactor_of(variant)->name;
    config->speculative_io = variant % 2;
    config->workers = workers;
    config->seed = check_seed();
}

static inline struct sy_runtime *start_with(size_t variant, unsigned workers) {
    struct sy_config config;
    struct sy_runtime *runtime;
    configure(&config, variant, workers);
    CHECK_EQ(sy_runtime_create(&runtime, &config), 0);
    return runtime;
}

static inline struct sy_runtime *start(size_t variant) {
    return start_with(variant, 2);
}

static inline void run(struct sy_runtime *runtime, const struct sy_future_type *type, void *future) {
    CHECK_EQ(sy_block_on(runtime, type, future), 0);
}

/* Listens at a free port of the loopback interface and tells the address. */
static inline void listen_at_loopback(struct sy_runtime *runtime, struct sy_socket *listener,
                                      struct sy_address *address) {
    CHECK_EQ(sy_address_parse("127.0.0.1:0", address, NULL, 0), 0);
    CHECK_EQ(sy_listen(listener, runtime, address, 64), 0);
    CHECK_EQ(sy_socket_local_address(listener, address), 0);
}

/* A blocking socket of the test's own, connected. */
static inline int connect_plainly(const struct sy_address *address) {
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, &address->any, address->length), 0);
    return fd;
}

/* A pair of connected sockets: one on the runtime, the other plain. */
static inline int make_pair(struct sy_runtime *runtime, struct sy_socket *ours) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(sy_socket_from_fd(ours, runtime, fds[0]), 0);
    return fds[1];
}

/* A stream whose byte i is a known function of i. */
static inline unsigned char stream_byte(uint64_t i) {
    return (unsigned char)(i * 131 + (i >> 8) * 7);
}

static inline void write_fully(int fd, const char *data, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t n = send(fd, data + done, length - done, MSG_NOSIGNAL);
        CHECK(n > 0);
        done += (size_t)n;
    }
}

/* Without it, a small block waits until the one before is acknowledged, and an acknowledgement takes its time. */
static inline void send_at_once(const struct sy_socket *socket) {
    int on = 1;
    setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on Unix sockets, which do not wait */
}

/* The same over TCP. */
static inline int make_tcp_pair(struct sy_runtime *runtime, struct sy_socket *ours) {
    struct sy_socket listener;
    struct sy_address address;
    struct sy_accept accept;
    listen_at_loopback(runtime, &listener, &address);
    int theirs = connect_plainly(&address);
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    *ours = accept.connection;
    send_at_once(ours);
    sy_socket_close(&listener);
    return theirs;
}

/* A connection that sends back what comes. */
struct echo {
    struct sy_socket socket;
    struct sy_async async;
    struct sy_recv recv;
    struct sy_send_all send;
    char buffer[1000];
};

static inline enum sy_poll echo_poll(void *future, struct sy_context *cx) {
    struct echo *f = future;
    sy_async_begin(&f->async);
    do {
        sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
        sy_await(&f->async, sy_recv_poll(&f->recv, cx));
        if (f->recv.result <= 0) {
            break;
        }
        sy_send_all_init(&f->send, &f->socket, f->buffer, (size_t)f->recv.result);
        sy_await(&f->async, sy_send_all_poll(&f->send, cx));
    } while (f->send.result >= 0);
    sy_async_end(&f->async);
}

static inline void echo_drop(void *future) {
    struct echo *f = future;
    sy_recv_drop(&f->recv);
    sy_send_all_drop(&f->send);
    sy_socket_close(&f->socket);
}

static const struct sy_future_type echo_type = {"echo", sizeof(struct echo), echo_poll, echo_drop};

/* An operation that is given up after a fifth of a second. */
struct timed {
    struct sy_timeout timeout;
    const struct sy_future_type *type;
    void *operation; /* initialised */
    bool begun;
};

static inline enum sy_poll timed_poll(void *future, struct sy_context *cx) {
    struct timed *f = future;
    if (!f->begun) {
        sy_timeout_init(&f->timeout, cx->runtime, SECOND / 5, f->type, f->operation);
        f->begun = true;
    }
    return sy_timeout_poll(&f->timeout, cx);
}

static inline void timed_drop(void *future) {
    struct timed *f = future;
    if (f->begun) {
        sy_timeout_drop(&f->timeout);
    }
}

static const struct sy_future_type timed_type = {"timed", sizeof(struct timed), timed_poll, timed_drop};

/* A context of the test's own, to poll by hand: `wakes` counts how often that was asked for. */
struct hand {
    struct au32 wakes;
    struct sy_context cx;
};

static inline void hand_wake(void *data) {
    au32_fetch_add_release(&((struct hand *)data)->wakes, 1);
}

static inline void hand_nothing(void *data) {
    (void)data;
}

static const struct sy_waker_vtable hand_vtable = {hand_nothing, hand_wake, hand_wake, hand_nothing};

static inline void hand_init(struct hand *hand, struct sy_runtime *runtime) {
    *hand = (struct hand){.cx = {.waker = {&hand_vtable, hand}, .runtime = runtime}};
}

/* Nobody but the poller sends off what the reactor put by at a poll: as before a sleep (executor/block_on.c). */
static inline enum sy_poll hand_poll(struct hand *hand, const struct sy_future_type *type, void *future) {
    hand->cx.budget = 128;
    enum sy_poll poll = type->poll(future, &hand->cx);
    driver_flush(&hand->cx.runtime->driver);
    return poll;
}

/* Polls whenever that is asked for, until it is ready. */
static inline void hand_finish(struct hand *hand, const struct sy_future_type *type, void *future) {
    for (;;) {
        uint32_t wakes = au32_load_acquire(&hand->wakes);
        if (hand_poll(hand, type, future) == SY_READY) {
            return;
        }
        while (au32_load_acquire(&hand->wakes) == wakes) {
            sched_yield();
        }
    }
}

/* Descriptors that the process has open. */
static inline unsigned count_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;
    CHECK(directory);
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

/* Waits until that many are left: a reactor may let go of one that was closed a moment later. */
static inline void await_descriptors(unsigned count) {
    int64_t until = check_now_ns() + 5 * (int64_t)SECOND;
    while (count_descriptors() > count && check_now_ns() < until) {
        sched_yield();
    }
    CHECK_EQ(count_descriptors(), count);
}

/* Runs a suite's tests over the reactors. */
static inline int run_suite(const char *title, const struct check_test *tests, size_t count, int argc, char **argv) {
    const struct check_suite suite = {.title = title,
                                      .tests = tests,
                                      .test_count = count,
                                      .variant_count = 2 * rx_count,
                                      .variant_name = variant_name,
                                      .variant_runs = variant_runs};
    return check_main(&suite, argc, argv);
}

#endif
