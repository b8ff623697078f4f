/*
 * Closing sockets that other tasks use, with every reactor: what they get, when the peer sees the end and when the
 * descriptor's number is free; and tasks that are dropped with operations in flight.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "stress/net_fixture.h"

/* ---- one operation, polled by hand ---- */

static bool at_end(int peer, int timeout_ms) {
    struct pollfd entry = {.fd = peer, .events = POLLIN};
    char byte;
    return poll(&entry, 1, timeout_ms) == 1 && recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

/* The number of a descriptor that is closed is free, and the lowest free one is taken first. */
static bool number_is_used(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_receive_in_flight_ends_and_then_the_peer_sees_it(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    struct sy_socket ours;
    struct sy_recv recv;
    char buffer[16];
    hand_init(&hand, runtime);
    for (int dropped = 0; dropped < 2; dropped++) {
        int theirs = make_pair(runtime, &ours), fd = ours.fd;
        sy_recv_init(&recv, &ours, buffer, sizeof buffer);
        CHECK_EQ(hand_poll(&hand, &sy_recv_type, &recv), SY_PENDING);
        sy_socket_close(&ours);
        CHECK_EQ(ours.fd, -1);
        sy_socket_close(&ours); /* harmless */
        CHECK(number_is_used(fd));
        CHECK(!at_end(theirs, 0));
        if (dropped) {
            sy_recv_drop(&recv);
        } else {
            hand_finish(&hand, &sy_recv_type, &recv); /* it was woken: there is nobody else to ask for the poll */
        }
        CHECK_EQ(recv.result, -ECANCELED);
        CHECK(at_end(theirs, 5000));
        close(theirs);
    }
    sy_runtime_destroy(runtime);
}

static void both_directions_end_before_the_peer_sees_it(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand in, out;
    struct sy_socket ours;
    struct sy_recv recv;
    struct sy_send_all send;
    char buffer[16], *data = calloc(1, 4 << 20);
    CHECK(data);
    hand_init(&in, runtime);
    hand_init(&out, runtime);
    int theirs = make_pair(runtime, &ours), fd = ours.fd;
    sy_recv_init(&recv, &ours, buffer, sizeof buffer);
    sy_send_all_init(&send, &ours, data, 4 << 20);
    CHECK_EQ(hand_poll(&in, &sy_recv_type, &recv), SY_PENDING);
    CHECK_EQ(hand_poll(&out, &sy_send_all_type, &send), SY_PENDING);
    sy_socket_close(&ours);
    hand_finish(&in, &sy_recv_type, &recv);
    CHECK_EQ(recv.result, -ECANCELED);
    CHECK(number_is_used(fd)); /* the send is still there */
    hand_finish(&out, &sy_send_all_type, &send);
    CHECK_EQ(send.result, -ECANCELED);

    size_t got = 0;
    static char sink[65536];
    for (ssize_t n; (n = read(theirs, sink, sizeof sink)) > 0;) {
        got += (size_t)n;
    }
    CHECK_EQ(got, send.sent); /* what it says it sent, and the end behind it */
    close(theirs);
    free(data);
    sy_runtime_destroy(runtime);
}

/* An outcome that came before the close is told, or its bytes are still unread when the peer is reset. */
static void what_came_first_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    struct sy_socket ours;
    struct sy_recv recv;
    char buffer[16];
    hand_init(&hand, runtime);
    int theirs = make_pair(runtime, &ours);
    sy_recv_init(&recv, &ours, buffer, sizeof buffer);
    CHECK_EQ(hand_poll(&hand, &sy_recv_type, &recv), SY_PENDING);
    write_fully(theirs, "abc", 3);
    sy_socket_close(&ours);
    hand_finish(&hand, &sy_recv_type, &recv);
    CHECK(recv.result == -ECANCELED || (recv.result == 3 && memcmp(buffer, "abc", 3) == 0));
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* Pending without being in flight: the reactor does not know of it. */
static void what_waits_for_its_budget_ends_too(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    struct sy_socket ours, others;
    struct sy_recv recv, later;
    char buffer[16];
    hand_init(&hand, runtime);
    int theirs = make_pair(runtime, &ours);
    sy_recv_init(&later, &ours, buffer, sizeof buffer);
    sy_recv_init(&recv, &ours, buffer, sizeof buffer);
    hand.cx.budget = 0;
    CHECK_EQ(sy_recv_poll(&recv, &hand.cx), SY_PENDING);
    sy_socket_close(&ours);
    CHECK(at_end(theirs, 5000)); /* it holds nothing up */
    close(theirs);
    theirs = make_pair(runtime, &others); /* most likely where the closed one was, in every respect */
    write_fully(theirs, "not yours", 9);
    CHECK_EQ(hand_poll(&hand, &sy_recv_type, &recv), SY_READY);
    CHECK_EQ(recv.result, -ECANCELED);
    CHECK_EQ(hand_poll(&hand, &sy_recv_type, &later), SY_READY);
    CHECK_EQ(later.result, -ECANCELED);
    sy_socket_close(&others);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static void an_accept_that_pauses_ends_too(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    struct sy_accept accept;
    struct hand hand;
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    hand_init(&hand, runtime);
    listen_at_loopback(runtime, &listener, &address);
    int lowest_free = dup(0);
    close(lowest_free);
    int peer = connect_plainly(&address);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)lowest_free, before.rlim_max}), 0);
    sy_accept_init(&accept, &listener);
    while (hand_poll(&hand, &sy_accept_type, &accept) == SY_PENDING && !accept.pausing) {
        sched_yield();
    }
    CHECK(accept.pausing);
    sy_socket_close(&listener);
    hand_finish(&hand, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, -ECANCELED);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(peer);
    sy_runtime_destroy(runtime);
}

/* ---- many, in tasks ---- */

/* Receives until that ends, and is sure that it hears its own peer alone. */
struct listener_in {
    struct sy_socket *socket;
    struct sy_recv recv;
    bool begun;
    char tag;
    char buffer[64];
};

static enum sy_poll listener_in_poll(void *future, struct sy_context *cx) {
    struct listener_in *f = future;
    for (;;) {
        if (!f->begun) {
            sy_recv_init(&f->recv, f->socket, f->buffer, sizeof f->buffer);
            f->begun = true;
        }
        if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->begun = false;
        if (f->recv.result <= 0) {
            return SY_READY;
        }
        for (int64_t i = 0; i < f->recv.result; i++) {
            CHECK_EQ(f->buffer[i], f->tag);
        }
    }
}

static void listener_in_drop(void *future) {
    struct listener_in *f = future;
    if (f->begun) {
        sy_recv_drop(&f->recv);
    }
}

static const struct sy_future_type listener_in_type = {"listener_in", sizeof(struct listener_in), listener_in_poll,
                                                       listener_in_drop};

struct talker {
    int fd;
    char tag;
};

/* Sends until the other side is gone. */
static void *talk(void *argument) {
    struct talker *talker = argument;
    char block[64];
    memset(block, talker->tag, sizeof block);
    while (send(talker->fd, block, sizeof block, MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

/* The close comes at any moment of a loop of receives: before one, within one, between two. */
static void a_close_ends_a_loop_at_any_moment(size_t variant) {
    enum { ROUNDS = 100 };
    struct sy_runtime *runtime = start(variant);
    uint64_t random = check_seed();
    unsigned descriptors = count_descriptors();
    for (int round = 0; round < ROUNDS; round++) {
        struct sy_socket ours;
        struct sy_join join;
        struct sy_outcome outcome;
        pthread_t thread;
        struct talker talker = {.fd = make_pair(runtime, &ours), .tag = (char)('a' + round % 26)};
        struct listener_in in = {.socket = &ours, .tag = talker.tag};
        CHECK_EQ(pthread_create(&thread, NULL, talk, &talker), 0);
        CHECK_EQ(sy_spawn(runtime, &listener_in_type, &in, &join), 0);
        for (uint64_t spin = check_random(&random) % 30000; spin > 0; spin--) {
            __asm__ volatile("" ::: "memory");
        }
        if (round % 2) {
            sy_join_abort(&join); /* beside the close */
        }
        sy_socket_close(&ours);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        const struct listener_in *ended = outcome.future;
        CHECK(outcome.cancelled || ended->recv.result == -ECANCELED);
        sy_join_drop(&join);
        pthread_join(thread, NULL); /* its send failed: the peer saw the end */
        close(talker.fd);
    }
    await_descriptors(descriptors);
    sy_runtime_destroy(runtime);
}

static void *close_too(void *argument) {
    sy_socket_close(argument);
    return NULL;
}

static void of_two_that_close_one_does(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    unsigned descriptors = count_descriptors();
    for (int round = 0; round < 50; round++) {
        struct sy_socket ours;
        pthread_t thread;
        int theirs = make_pair(runtime, &ours);
        CHECK_EQ(pthread_create(&thread, NULL, close_too, &ours), 0);
        sy_socket_close(&ours);
        pthread_join(thread, NULL);
        CHECK(at_end(theirs, 5000));
        close(theirs);
    }
    await_descriptors(descriptors);
    sy_runtime_destroy(runtime);
}

/* Who is inside the gate (executor/net/gate.h) polls the source for the first time: the close comes after that. */
static void a_close_waits_for_who_begins(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    for (unsigned direction = 0; direction < 2; direction++) {
        struct sy_socket ours;
        pthread_t thread;
        int theirs = make_pair(runtime, &ours);
        au32_store_release(&ours.inside[direction], 1);
        CHECK_EQ(pthread_create(&thread, NULL, close_too, &ours), 0);
        CHECK(!at_end(theirs, 20));
        au32_store_release(&ours.inside[direction], 0);
        pthread_join(thread, NULL);
        CHECK(at_end(theirs, 5000));
        close(theirs);
    }
    sy_runtime_destroy(runtime);
}

/* Owns a connection on which it receives and sends for ever. */
struct owner {
    struct sy_socket socket;
    struct sy_recv recv;
    struct sy_send_all send;
    struct au32 *begun;
    bool initialised;
    const char *data;
    size_t length;
    char buffer[16];
};

static enum sy_poll owner_poll(void *future, struct sy_context *cx) {
    struct owner *f = future;
    if (!f->initialised) {
        f->initialised = true;
        sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
        sy_send_all_init(&f->send, &f->socket, f->data, f->length);
        CHECK_EQ(sy_recv_poll(&f->recv, cx), SY_PENDING);
        CHECK_EQ(sy_send_all_poll(&f->send, cx), SY_PENDING);
        au32_fetch_add_release(f->begun, 1);
        return SY_PENDING;
    }
    bool received = sy_recv_poll(&f->recv, cx) == SY_READY, sent = sy_send_all_poll(&f->send, cx) == SY_READY;
    CHECK(!received && !sent); /* nothing comes, and there is no room */
    return SY_PENDING;
}

static void owner_drop(void *future) {
    struct owner *f = future;
    if (f->initialised) {
        sy_recv_drop(&f->recv);
        sy_send_all_drop(&f->send);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type owner_type = {"owner", sizeof(struct owner), owner_poll, owner_drop};

/* By abort, or with the runtime's end. The peers see every byte that was sent, and then the end. */
static void dropped_tasks_leave_nothing_behind(size_t variant) {
    enum { TASKS = 20, LENGTH = 1 << 20 };
    unsigned descriptors = count_descriptors();
    char *data = calloc(1, LENGTH);
    CHECK(data);
    for (int by_shutdown = 0; by_shutdown < 2; by_shutdown++) {
        struct sy_runtime *runtime = start(variant);
        struct au32 begun = {0};
        struct sy_join joins[TASKS];
        struct sy_outcome outcome;
        int peers[TASKS];
        for (int i = 0; i < TASKS; i++) {
            struct owner owner = {.begun = &begun, .data = data, .length = LENGTH};
            peers[i] = make_pair(runtime, &owner.socket);
            CHECK_EQ(sy_spawn(runtime, &owner_type, &owner, &joins[i]), 0);
        }
        while (au32_load_acquire(&begun) < TASKS) {
            sched_yield();
        }
        if (by_shutdown) {
            CHECK_EQ(sy_runtime_shutdown(runtime), 0);
        }
        for (int i = 0; i < TASKS; i++) {
            static char sink[65536];
            size_t got = 0;
            sy_join_abort(&joins[i]);
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            CHECK(outcome.cancelled);
            const struct owner *dropped = outcome.future;
            CHECK_EQ(dropped->recv.result, -ECANCELED);
            for (ssize_t n; (n = read(peers[i], sink, sizeof sink)) > 0;) {
                got += (size_t)n;
            }
            CHECK_EQ(got, dropped->send.sent);
            sy_join_drop(&joins[i]);
            close(peers[i]);
        }
        sy_runtime_destroy(runtime);
    }
    free(data);
    await_descriptors(descriptors);
}

/* ---- a busy worker ---- */

/* Waits for what never comes. */
struct waiting {
    struct sy_socket *socket;
    struct sy_async async;
    struct sy_recv recv;
    struct au32 *state; /* 1: it waits, 2: it has ended */
    char byte;
};

static enum sy_poll waiting_poll(void *future, struct sy_context *cx) {
    struct waiting *f = future;
    sy_async_begin(&f->async);
    sy_recv_init(&f->recv, f->socket, &f->byte, 1);
    au32_store_release(f->state, 1);
    sy_await(&f->async, sy_recv_poll(&f->recv, cx));
    CHECK_EQ(f->recv.result, -ECANCELED);
    au32_store_release(f->state, 2);
    sy_async_end(&f->async);
}

static const struct sy_future_type waiting_type = {"waiting", sizeof(struct waiting), waiting_poll, NULL};

/* Closes that socket, and keeps the worker busy until the other has ended. */
struct closing {
    struct sy_socket *socket;
    struct au32 *state;
};

static enum sy_poll closing_poll(void *future, struct sy_context *cx) {
    struct closing *f = future;
    uint32_t state = au32_load_acquire(f->state);
    if (state == 1) {
        sy_socket_close(f->socket); /* harmless the second time */
    } else if (state == 2) {
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type closing_type = {"closing", sizeof(struct closing), closing_poll, NULL};

/* The only socket is closed, and the only worker never idle: the operation ends all the same. */
static void operations_end_beside_endless_work(size_t variant) {
    struct sy_runtime *runtime = start_with(variant, 1);
    for (int round = 0; round < 5; round++) {
        struct sy_socket socket;
        struct au32 state = {0};
        struct sy_join joins[2];
        struct sy_outcome outcome;
        int peer = make_pair(runtime, &socket);
        struct waiting waiting = {.socket = &socket, .state = &state};
        struct closing closing = {.socket = &socket, .state = &state};
        CHECK_EQ(sy_spawn(runtime, &waiting_type, &waiting, &joins[0]), 0);
        CHECK_EQ(sy_spawn(runtime, &closing_type, &closing, &joins[1]), 0);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            sy_join_drop(&joins[i]);
        }
        close(peer);
    }
    sy_runtime_destroy(runtime);
}

/* ---- release ---- */

/* What was received beyond what was asked for is still to be had; the rest waits in the socket. */
static void release_loses_no_byte(size_t variant) {
    enum { LENGTH = 20000 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    char sent[LENGTH], got[LENGTH];
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    run(runtime, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);
    int fd = accept.connection.fd;
    for (int i = 0; i < LENGTH; i++) {
        sent[i] = (char)(i * 31 + i / 256);
    }
    write_fully(peer, sent, LENGTH);
    size_t done = 0;
    do {
        struct sy_recv recv;
        sy_recv_init(&recv, &accept.connection, got + done, 100 < LENGTH - done ? 100 : LENGTH - done);
        run(runtime, &sy_recv_type, &recv);
        CHECK(recv.result > 0);
        done += (size_t)recv.result;
    } while (sy_socket_release(&accept.connection) == -EAGAIN);
    CHECK_EQ(sy_socket_release(&accept.connection), -EBADF);
    shutdown(peer, SHUT_WR);
    fcntl(fd, F_SETFL, 0);
    for (ssize_t n; (n = recv(fd, got + done, LENGTH - done, 0)) > 0;) {
        done += (size_t)n;
    }
    CHECK_EQ(done, LENGTH);
    CHECK_EQ(memcmp(sent, got, LENGTH), 0);
    close(fd);
    close(peer);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"a_receive_in_flight_ends_and_then_the_peer_sees_it", a_receive_in_flight_ends_and_then_the_peer_sees_it},
    {"both_directions_end_before_the_peer_sees_it", both_directions_end_before_the_peer_sees_it},
    {"what_came_first_is_told", what_came_first_is_told},
    {"what_waits_for_its_budget_ends_too", what_waits_for_its_budget_ends_too},
    {"an_accept_that_pauses_ends_too", an_accept_that_pauses_ends_too},
    {"a_close_ends_a_loop_at_any_moment", a_close_ends_a_loop_at_any_moment},
    {"of_two_that_close_one_does", of_two_that_close_one_does},
    {"a_close_waits_for_who_begins", a_close_waits_for_who_begins},
    {"dropped_tasks_leave_nothing_behind", dropped_tasks_leave_nothing_behind},
    {"operations_end_beside_endless_work", operations_end_beside_endless_work},
    {"release_loses_no_byte", release_loses_no_byte},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_close", tests, sizeof tests / sizeof tests[0], argc, argv);
}
