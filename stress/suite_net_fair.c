/*
 * Many connections at once on one worker, all of them always with a message to be answered: none waits for ever.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>

#include "stress/net_fixture.h"

enum { CONNECTIONS = 400, POLLS_MOST = 60 * CONNECTIONS };

/*
 * Sends back each byte, after some work: so the client is the faster one, and the worker has always more to do. Of one
 * that is answered at once it may send back more in one poll, as its budget allows; polls are what is to be fair.
 */
struct slow_echo {
    struct sy_socket *socket;
    struct sy_async async;
    struct sy_recv recv;
    struct sy_send_all send;
    char byte;
};

static uint64_t work_ns;

static void work(void) {
    uint64_t until_ns = sy_now_ns() + work_ns;
    while (sy_now_ns() < until_ns) {
    }
}

static enum sy_poll slow_echo_poll(void *future, struct sy_context *cx) {
    struct slow_echo *f = future;
    sy_async_begin(&f->async);
    for (;;) {
        sy_recv_init(&f->recv, f->socket, &f->byte, 1);
        sy_await(&f->async, sy_recv_poll(&f->recv, cx));
        if (f->recv.result <= 0) {
            break;
        }
        work();
        sy_send_all_init(&f->send, f->socket, &f->byte, 1);
        sy_await(&f->async, sy_send_all_poll(&f->send, cx));
    }
    sy_socket_close(f->socket);
    sy_async_end(&f->async);
}

static const struct sy_future_type slow_echo_type = {
    .name = "slow_echo", .size = sizeof(struct slow_echo), .poll = slow_echo_poll};

static uint64_t polls_of(struct sy_runtime *runtime) {
    struct sy_worker_metrics metrics;
    CHECK_EQ(sy_worker_metrics(runtime, 0, &metrics), 0);
    return metrics.polls;
}

/* Sends and receives by turns on each connection until all were answered once, or too many were polled. */
static void load_until_all_are_answered(struct sy_runtime *runtime, int epoll_fd, const int *peers) {
    struct epoll_event events[64];
    bool answered[CONNECTIONS] = {false};
    unsigned waiting = CONNECTIONS;
    uint64_t begun = polls_of(runtime);
    for (int i = 0; i < CONNECTIONS; i++) {
        write_fully(peers[i], "x", 1);
    }
    while (waiting > 0 && polls_of(runtime) - begun <= POLLS_MOST) {
        int count = epoll_wait(epoll_fd, events, 64, -1);
        CHECK(count > 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            unsigned which = events[i].data.u32;
            char byte;
            CHECK_EQ(recv(peers[which], &byte, 1, 0), 1);
            waiting -= !answered[which];
            answered[which] = true;
            write_fully(peers[which], "x", 1);
        }
    }
    printf("     %" PRIu64 " polls of %" PRIu64 " ns until each of %d connections had an answer, but %u\n",
           polls_of(runtime) - begun, work_ns, CONNECTIONS, waiting);
    CHECK_EQ(waiting, 0);
}

/* Polls so short that many come between two looks at the reactor, or one. */
static void no_connection_starves_of(size_t variant, uint64_t ns) {
    static struct sy_socket sockets[CONNECTIONS];
    static struct sy_join joins[CONNECTIONS];
    int peers[CONNECTIONS], epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct sy_runtime *runtime = start_with(variant, 1);
    CHECK(epoll_fd >= 0);
    work_ns = ns;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct slow_echo echo = {.socket = &sockets[i]};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        peers[i] = make_pair(runtime, &sockets[i]);
        CHECK_EQ(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peers[i], &event), 0);
        CHECK_EQ(sy_spawn(runtime, &slow_echo_type, &echo, &joins[i]), 0);
    }
    load_until_all_are_answered(runtime, epoll_fd, peers);
    for (int i = 0; i < CONNECTIONS; i++) {
        close(peers[i]);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        sy_join_drop(&joins[i]);
    }
    close(epoll_fd);
    sy_runtime_destroy(runtime);
}

static void no_connection_starves(size_t variant) {
    no_connection_starves_of(variant, 5000);
}

static void no_connection_starves_of_long_polls(size_t variant) {
    no_connection_starves_of(variant, 60000);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"no_connection_starves", no_connection_starves},
        {"no_connection_starves_of_long_polls", no_connection_starves_of_long_polls},
    };
    return run_suite("suite_net_fair", tests, sizeof tests / sizeof tests[0], argc, argv);
}
