/*
 * Many connections at once on one worker, all of them always with a message to be answered: none waits for ever.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sys/epoll.h>

#include "stress/net_fixture.h"

enum { CONNECTIONS = 400, ANSWERS_MOST = 25 * CONNECTIONS, WORK_NS = 5000 };

/* Sends back each byte, after some work: so the client is the faster one, and the worker has always more to do. */
struct slow_echo {
    struct sy_socket *socket;
    struct sy_async async;
    struct sy_recv recv;
    struct sy_send_all send;
    char byte;
};

static void work(void) {
    uint64_t until_ns = sy_now_ns() + WORK_NS;
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

/* Sends and receives by turns on each connection until all were answered once; how many answers that took. */
static unsigned load_until_all_are_answered(int epoll_fd, const int *peers) {
    struct epoll_event events[64];
    bool answered[CONNECTIONS] = {false};
    unsigned waiting = CONNECTIONS, answers = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        write_fully(peers[i], "x", 1);
    }
    while (waiting > 0 && answers <= ANSWERS_MOST) {
        int count = epoll_wait(epoll_fd, events, 64, -1);
        CHECK(count > 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            unsigned which = events[i].data.u32;
            char byte;
            CHECK_EQ(recv(peers[which], &byte, 1, 0), 1);
            answers++;
            waiting -= !answered[which];
            answered[which] = true;
            write_fully(peers[which], "x", 1);
        }
    }
    return answers;
}

static void no_connection_starves(size_t variant) {
    static struct sy_socket sockets[CONNECTIONS];
    static struct sy_join joins[CONNECTIONS];
    int peers[CONNECTIONS], epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct sy_runtime *runtime = start_with(variant, 1);
    CHECK(epoll_fd >= 0);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct slow_echo echo = {.socket = &sockets[i]};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        peers[i] = make_pair(runtime, &sockets[i]);
        CHECK_EQ(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peers[i], &event), 0);
        CHECK_EQ(sy_spawn(runtime, &slow_echo_type, &echo, &joins[i]), 0);
    }
    unsigned answers = load_until_all_are_answered(epoll_fd, peers);
    printf("     %u answers until each of %d connections had one\n", answers, CONNECTIONS);
    CHECK(answers <= ANSWERS_MOST);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct sy_outcome outcome;
        close(peers[i]);
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        sy_join_drop(&joins[i]);
    }
    close(epoll_fd);
    sy_runtime_destroy(runtime);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {{"no_connection_starves", no_connection_starves}};
    return run_suite("suite_net_fair", tests, sizeof tests / sizeof tests[0], argc, argv);
}
