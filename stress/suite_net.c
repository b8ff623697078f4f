/*
 * Sockets over the runtime, with every reactor: opening, options, echo, and what goes wrong.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

#include "stress/net_fixture.h"
#include "stress/support.h"

/* ---- echo ---- */

/* Accepts `count` connections and spawns an echo for each. */
struct acceptor {
    struct sy_socket *listener;
    struct sy_accept accept;
    unsigned count;
    bool begun;
};

static enum sy_poll acceptor_poll(void *future, struct sy_context *cx) {
    struct acceptor *f = future;
    while (f->count > 0) {
        if (!f->begun) {
            sy_accept_init(&f->accept, f->listener);
            f->begun = true;
        }
        if (sy_accept_poll(&f->accept, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        CHECK_EQ(f->accept.result, 0);
        struct echo echo = {.socket = f->accept.connection};
        send_at_once(&echo.socket);
        CHECK_EQ(sy_spawn(cx->runtime, &echo_type, &echo, NULL), 0);
        f->begun = false;
        f->count--;
    }
    return SY_READY;
}

static void acceptor_drop(void *future) {
    struct acceptor *f = future;
    if (f->begun) {
        sy_accept_drop(&f->accept);
    }
}

static const struct sy_future_type acceptor_type = {"acceptor", sizeof(struct acceptor), acceptor_poll, acceptor_drop};

/* Connects, sends `rounds` blocks of random length and content, and compares what comes back. On the runtime. */
struct client {
    struct sy_address address;
    struct sy_async async;
    struct sy_connect connect;
    struct sy_send_all send;
    struct sy_recv recv;
    uint64_t random;
    unsigned rounds;
    size_t length, received;
    char sent[5000], got[5000];
};

static enum sy_poll client_poll(void *future, struct sy_context *cx) {
    struct client *f = future;
    sy_async_begin(&f->async);
    sy_connect_init(&f->connect, cx->runtime, &f->address);
    sy_await(&f->async, sy_connect_poll(&f->connect, cx));
    CHECK_EQ(f->connect.result, 0);
    send_at_once(&f->connect.connection);
    for (; f->rounds > 0; f->rounds--) {
        f->length = 1 + check_random(&f->random) % sizeof f->sent;
        memset(f->sent, (int)check_random(&f->random) & 0xff, f->length);
        sy_send_all_init(&f->send, &f->connect.connection, f->sent, f->length);
        sy_await(&f->async, sy_send_all_poll(&f->send, cx));
        CHECK_EQ(f->send.result, f->length);
        for (f->received = 0; f->received < f->length; f->received += (size_t)f->recv.result) {
            sy_recv_init(&f->recv, &f->connect.connection, f->got + f->received, f->length - f->received);
            sy_await(&f->async, sy_recv_poll(&f->recv, cx));
            CHECK(f->recv.result > 0);
        }
        CHECK_EQ(memcmp(f->sent, f->got, f->length), 0);
    }
    sy_async_end(&f->async);
}

static void client_drop(void *future) {
    struct client *f = future;
    sy_send_all_drop(&f->send);
    sy_recv_drop(&f->recv);
    if (f->async.line) {
        sy_connect_drop(&f->connect);
        sy_socket_close(&f->connect.connection);
    }
}

static const struct sy_future_type client_type = {"client", sizeof(struct client), client_poll, client_drop};

enum { CLIENTS = 16, ROUNDS = 50 };

/* Both sides on one runtime. */
static void echo_at(struct sy_runtime *runtime, struct sy_socket *listener, const struct sy_address *address) {
    struct acceptor acceptor = {.listener = listener, .count = CLIENTS};
    struct sy_join server, clients[CLIENTS];
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn(runtime, &acceptor_type, &acceptor, &server), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client client = {.address = *address, .random = check_seed() + i, .rounds = ROUNDS};
        CHECK_EQ(sy_spawn(runtime, &client_type, &client, &clients[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        CHECK_EQ(sy_join_wait(&clients[i], &outcome), 0);
        CHECK(!outcome.cancelled);
        CHECK_EQ(((const struct client *)outcome.future)->rounds, 0);
        sy_join_drop(&clients[i]);
    }
    CHECK_EQ(sy_join_wait(&server, &outcome), 0);
    sy_join_drop(&server);
    sy_socket_close(listener);
}

static void tcp_echo_returns_every_byte(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    echo_at(runtime, &listener, &address);
    sy_runtime_destroy(runtime);
}

static void unix_echo_returns_every_byte(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    char text[64];
    snprintf(text, sizeof text, "unix:/tmp/suite_net.%d.sock", (int)getpid());
    CHECK_EQ(sy_address_parse(text, &address, NULL, 0), 0);
    unlink(text + 5);
    CHECK_EQ(sy_listen(&listener, runtime, &address, 64), 0);
    echo_at(runtime, &listener, &address);
    unlink(text + 5);
    sy_runtime_destroy(runtime);
}

static void abstract_names_work(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address, bound;
    char text[64], got[SY_ADDRESS_TEXT_SIZE];
    snprintf(text, sizeof text, "unix:@suite_net.%d", (int)getpid());
    CHECK_EQ(sy_address_parse(text, &address, NULL, 0), 0);
    CHECK_EQ(sy_listen(&listener, runtime, &address, 64), 0);
    CHECK_EQ(sy_socket_local_address(&listener, &bound), 0);
    sy_address_format(&bound, got, sizeof got);
    CHECK_EQ(strcmp(got, text), 0);
    echo_at(runtime, &listener, &address);
    sy_runtime_destroy(runtime);
}

static void ipv6_connections_work(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    CHECK_EQ(sy_address_parse("[::1]:0", &address, NULL, 0), 0);
    int error = sy_listen(&listener, runtime, &address, 64);
    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT) {
        check_skip("this machine has no IPv6 loopback");
    } else {
        CHECK_EQ(error, 0);
        CHECK_EQ(sy_socket_local_address(&listener, &address), 0);
        echo_at(runtime, &listener, &address);
    }
    sy_runtime_destroy(runtime);
}

static void sockets_are_nonblocking_and_close_on_exec(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    struct sy_connect connect;
    struct sy_accept accept;
    sy_connect_init(&connect, runtime, &address);
    run(runtime, &sy_connect_type, &connect);
    CHECK_EQ(connect.result, 0);
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    struct sy_socket *sockets[] = {&listener, &connect.connection, &accept.connection};
    for (int i = 0; i < 3; i++) {
        CHECK(fcntl(sockets[i]->fd, F_GETFL) & O_NONBLOCK);
        CHECK(fcntl(sockets[i]->fd, F_GETFD) & FD_CLOEXEC);
        sy_socket_close(sockets[i]);
        sy_socket_close(sockets[i]); /* harmless */
    }
    sy_runtime_destroy(runtime);
}

/* ---- options ---- */

static int option_of(const struct sy_socket *socket, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK_EQ(getsockopt(socket->fd, level, option, &value, &size), 0);
    return value;
}

static void options_of_tcp_are_set(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener, pair;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, &address);
    run(runtime, &sy_connect_type, &connect);
    CHECK_EQ(connect.result, 0);
    const struct sy_socket *tcp = &connect.connection;

    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_NODELAY), 0);
    CHECK_EQ(sy_socket_set_no_delay(tcp, true), 0);
    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(sy_socket_set_no_delay(tcp, false), 0);
    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_NODELAY), 0);

    CHECK_EQ(sy_socket_set_keep_alive(tcp, &(struct sy_keep_alive){.idle_s = 0, .interval_s = 2, .count = 3}), -EINVAL);
    CHECK_EQ(option_of(tcp, SOL_SOCKET, SO_KEEPALIVE), 0);
    CHECK_EQ(sy_socket_set_keep_alive(tcp, &(struct sy_keep_alive){.idle_s = 70, .interval_s = 2, .count = 3}), 0);
    CHECK_EQ(option_of(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_KEEPIDLE), 70);
    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_KEEPINTVL), 2);
    CHECK_EQ(option_of(tcp, IPPROTO_TCP, TCP_KEEPCNT), 3);
    CHECK_EQ(sy_socket_set_keep_alive(tcp, NULL), 0);
    CHECK_EQ(option_of(tcp, SOL_SOCKET, SO_KEEPALIVE), 0);

    int theirs = make_pair(runtime, &pair);
    CHECK(sy_socket_set_no_delay(&pair, true) < 0);
    close(theirs);
    sy_socket_close(&pair);
    sy_socket_close(&connect.connection);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

/* Accepts until it is dropped, and counts. */
struct counting_acceptor {
    struct sy_socket *listener;
    struct au32 *accepted;
    struct sy_accept accept;
    bool begun;
};

static enum sy_poll counting_acceptor_poll(void *future, struct sy_context *cx) {
    struct counting_acceptor *f = future;
    for (;;) {
        if (!f->begun) {
            sy_accept_init(&f->accept, f->listener);
            f->begun = true;
        }
        if (sy_accept_poll(&f->accept, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        CHECK_EQ(f->accept.result, 0);
        sy_socket_close(&f->accept.connection);
        au32_fetch_add_release(f->accepted, 1);
        f->begun = false;
    }
}

static void counting_acceptor_drop(void *future) {
    struct counting_acceptor *f = future;
    if (f->begun) {
        sy_accept_drop(&f->accept);
    }
}

static const struct sy_future_type counting_acceptor_type = {"counting_acceptor", sizeof(struct counting_acceptor),
                                                             counting_acceptor_poll, counting_acceptor_drop};

/* The kernel chooses by the connection's addresses: of 200, neither gets less than 30 but once in 10^24 runs. */
static void listeners_on_one_port_share_its_connections(size_t variant) {
    enum { CONNECTIONS = 200 };
    struct sy_runtime *runtime = start(variant);
    const struct sy_bind_options options = {.reuse_port = true};
    struct sy_socket listeners[2], third;
    struct sy_join joins[2];
    struct sy_address address;
    struct sy_outcome outcome;
    struct au32 accepted[2] = {{0}, {0}};
    CHECK_EQ(sy_address_parse("127.0.0.1:0", &address, NULL, 0), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(sy_listen_with(&listeners[i], runtime, &address, &options), 0);
        CHECK_EQ(sy_socket_local_address(&listeners[i], &address), 0); /* the second's is the first's */
        struct counting_acceptor acceptor = {.listener = &listeners[i], .accepted = &accepted[i]};
        CHECK_EQ(sy_spawn(runtime, &counting_acceptor_type, &acceptor, &joins[i]), 0);
    }
    CHECK_EQ(sy_listen(&third, runtime, &address, 64), -EADDRINUSE); /* it does not say reuse_port */
    for (int i = 0; i < CONNECTIONS; i++) {
        int peer = connect_plainly(&address);
        char byte;
        CHECK_EQ(recv(peer, &byte, 1, 0), 0);
        close(peer);
    }
    for (int i = 0; i < 2; i++) {
        sy_join_abort(&joins[i]);
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        sy_join_drop(&joins[i]);
        sy_socket_close(&listeners[i]);
    }
    CHECK_EQ(au32_load_acquire(&accepted[0]) + au32_load_acquire(&accepted[1]), CONNECTIONS);
    CHECK(au32_load_acquire(&accepted[0]) > 30 && au32_load_acquire(&accepted[1]) > 30);
    CHECK_EQ(sy_address_parse("unix:@suite_net", &address, NULL, 0), 0);
    CHECK_EQ(sy_listen_with(&third, runtime, &address, &options), -ENOTSUP);
    sy_runtime_destroy(runtime);
}

/* ---- what goes wrong ---- */

/* The side that closes first keeps the port in TIME_WAIT, which must not keep a server from starting again. */
static void a_port_may_be_used_again_at_once(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    sy_socket_close(&accept.connection);
    char byte;
    CHECK_EQ(recv(peer, &byte, 1, 0), 0);
    close(peer);
    sy_socket_close(&listener);
    int64_t until = check_now_ns() + 5 * (int64_t)SECOND; /* a reactor may let go of the old one a moment later */
    int error;
    do {
        error = sy_listen(&listener, runtime, &address, 64);
    } while (error == -EADDRINUSE && check_now_ns() < until);
    CHECK_EQ(error, 0);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

static void a_reset_by_the_peer_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    struct linger at_once = {.l_onoff = 1};
    CHECK_EQ(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(peer); /* a reset, not an end */
    char buffer[10];
    struct sy_recv recv;
    sy_recv_init(&recv, &accept.connection, buffer, sizeof buffer);
    run(runtime, &sy_recv_type, &recv);
    CHECK_EQ(recv.result, -ECONNRESET);
    struct sy_send send;
    sy_send_init(&send, &accept.connection, "x", 1);
    run(runtime, &sy_send_type, &send);
    CHECK_EQ(send.result, -EPIPE); /* and no SIGPIPE */
    sy_socket_close(&accept.connection);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

static double processor_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Leaves no descriptor free; returns the limit that was. */
static struct rlimit exhaust_descriptors(void) {
    struct rlimit before, none;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest_free = dup(0);
    CHECK(lowest_free >= 0);
    close(lowest_free);
    none = (struct rlimit){(rlim_t)lowest_free, before.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static void accept_waits_while_descriptors_lack(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    struct rlimit before = exhaust_descriptors();

    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    struct timed waiting = {.type = &sy_accept_type, .operation = &accept};
    double used = processor_seconds();
    run(runtime, &timed_type, &waiting);
    used = processor_seconds() - used;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK(waiting.timeout.elapsed);
    CHECK(used < 0.03); /* of 0.2 s: it did not spin */

    sy_accept_init(&accept, &listener); /* the connection has waited in the backlog */
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    sy_socket_close(&accept.connection);
    close(peer);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

struct relief {
    struct rlimit before;
};

static void *relieve(void *argument) {
    struct relief *relief = argument;
    struct timespec pause = {.tv_nsec = 60000000};
    nanosleep(&pause, NULL); /* several tries of the accept fail meanwhile; the result does not depend on how many */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &relief->before), 0);
    return NULL;
}

static void accept_goes_on_when_descriptors_are_back(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    struct relief relief = {.before = exhaust_descriptors()};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, relieve, &relief), 0);
    struct sy_accept accept; /* no new connection comes: only the pause's end makes it look again */
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    pthread_join(thread, NULL);
    sy_socket_close(&accept.connection);
    close(peer);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

/* poll(2) takes no more descriptors than may be open: the limit comes down on receives that wait. */
static void a_wait_that_fails_is_tried_now_and_then(size_t variant) {
    enum { SOCKETS = 20 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours[SOCKETS];
    struct sy_recv recv[SOCKETS];
    struct hand hand;
    int theirs[SOCKETS];
    char bytes[SOCKETS];
    hand_init(&hand, runtime);
    for (int i = 0; i < SOCKETS; i++) {
        theirs[i] = make_pair(runtime, &ours[i]);
        sy_recv_init(&recv[i], &ours[i], &bytes[i], 1);
        CHECK_EQ(hand_poll(&hand, &sy_recv_type, &recv[i]), SY_PENDING);
    }
    struct sy_socket silent;
    int peer = make_pair(runtime, &silent);
    struct sy_recv never;
    sy_recv_init(&never, &silent, bytes, 1);
    struct timed waiting = {.type = &sy_recv_type, .operation = &never};
    struct rlimit before, low;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){SOCKETS / 2, before.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint64_t polls = support_metric(runtime, offsetof(struct sy_worker_metrics, reactor_polls));
    int64_t began_ns = check_now_ns();
    run(runtime, &timed_type, &waiting);
    CHECK(waiting.timeout.elapsed);
    uint64_t took_ms = (uint64_t)(check_now_ns() - began_ns) / 1000000;
    polls = support_metric(runtime, offsetof(struct sy_worker_metrics, reactor_polls)) - polls;
    CHECK(polls < 2 * took_ms + 100);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < SOCKETS; i++) {
        write_fully(theirs[i], "x", 1);
        hand_finish(&hand, &sy_recv_type, &recv[i]);
        CHECK_EQ(recv[i].result, 1);
        sy_socket_close(&ours[i]);
        close(theirs[i]);
    }
    sy_socket_close(&silent);
    close(peer);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"tcp_echo_returns_every_byte", tcp_echo_returns_every_byte},
    {"unix_echo_returns_every_byte", unix_echo_returns_every_byte},
    {"abstract_names_work", abstract_names_work},
    {"ipv6_connections_work", ipv6_connections_work},
    {"sockets_are_nonblocking_and_close_on_exec", sockets_are_nonblocking_and_close_on_exec},
    {"options_of_tcp_are_set", options_of_tcp_are_set},
    {"listeners_on_one_port_share_its_connections", listeners_on_one_port_share_its_connections},
    {"a_port_may_be_used_again_at_once", a_port_may_be_used_again_at_once},
    {"a_reset_by_the_peer_is_told", a_reset_by_the_peer_is_told},
    {"accept_waits_while_descriptors_lack", accept_waits_while_descriptors_lack},
    {"accept_goes_on_when_descriptors_are_back", accept_goes_on_when_descriptors_are_back},
    {"a_wait_that_fails_is_tried_now_and_then", a_wait_that_fails_is_tried_now_and_then},
};

int main(int argc, char **argv) {
    return run_suite("suite_net", tests, sizeof tests / sizeof tests[0], argc, argv);
}
