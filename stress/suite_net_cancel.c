/*
 * Operations that are given up, with every reactor: by their task's abort, by a time-out, by a drop; and polls that
 * nothing was the reason for.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <poll.h>
#include <pthread.h>

#include "stress/net_fixture.h"

/* ---- cancelling ---- */

/* Receives on a socket that it does not own. */
struct receiver {
    struct sy_socket *socket;
    struct sy_recv recv;
    struct sy_oneshot *begun;
    bool initialised;
    char buffer[16];
};

static enum sy_poll receiver_poll(void *future, struct sy_context *cx) {
    struct receiver *f = future;
    if (!f->initialised) {
        f->initialised = true;
        sy_recv_init(&f->recv, f->socket, f->buffer, sizeof f->buffer);
    }
    unsigned budget = cx->budget;
    enum sy_poll poll = sy_recv_poll(&f->recv, cx);
    CHECK_EQ(cx->budget, poll == SY_READY ? budget - 1 : budget); /* waiting costs nothing */
    if (f->begun) {
        sy_oneshot_send(f->begun, f);
        f->begun = NULL;
    }
    return poll;
}

static void receiver_drop(void *future) {
    struct receiver *f = future;
    if (f->initialised) {
        sy_recv_drop(&f->recv);
    }
}

static const struct sy_future_type receiver_type = {"receiver", sizeof(struct receiver), receiver_poll, receiver_drop};

struct oneshot_wait {
    struct sy_oneshot *channel;
};

static enum sy_poll oneshot_wait_poll(void *future, struct sy_context *cx) {
    enum sy_oneshot_result result;
    void *value;
    return sy_oneshot_poll(((struct oneshot_wait *)future)->channel, cx, &result, &value);
}

static const struct sy_future_type oneshot_wait_type = {"oneshot_wait", sizeof(struct oneshot_wait), oneshot_wait_poll,
                                                        NULL};

static void an_aborted_receive_loses_nothing(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    int theirs = make_pair(runtime, &ours);
    struct sy_oneshot begun;
    sy_oneshot_init(&begun);
    struct receiver receiver = {.socket = &ours, .begun = &begun};
    struct sy_join join;
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn(runtime, &receiver_type, &receiver, &join), 0);
    struct oneshot_wait wait = {&begun};
    run(runtime, &oneshot_wait_type, &wait); /* the receive is under way */
    sy_join_abort(&join);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK(outcome.cancelled);
    CHECK_EQ(((const struct receiver *)outcome.future)->recv.result, -ECANCELED);
    sy_join_drop(&join);

    write_fully(theirs, "later", 5); /* for the next receive, on the same registration */
    struct receiver next = {.socket = &ours};
    run(runtime, &receiver_type, &next);
    CHECK_EQ(next.recv.result, 5);
    CHECK_EQ(memcmp(next.buffer, "later", 5), 0);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static void a_second_receive_at_once_is_refused(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    int theirs = make_pair(runtime, &ours);
    struct sy_oneshot begun;
    sy_oneshot_init(&begun);
    struct receiver first = {.socket = &ours, .begun = &begun}, second = {.socket = &ours};
    struct sy_join join;
    struct sy_outcome outcome;
    CHECK_EQ(sy_spawn(runtime, &receiver_type, &first, &join), 0);
    struct oneshot_wait wait = {&begun};
    run(runtime, &oneshot_wait_type, &wait);
    run(runtime, &receiver_type, &second);
    CHECK_EQ(second.recv.result, -EBUSY);
    struct sy_send send; /* the other direction is independent */
    sy_send_init(&send, &ours, "x", 1);
    run(runtime, &sy_send_type, &send);
    CHECK_EQ(send.result, 1);
    CHECK_EQ(sy_socket_shutdown(&ours, SHUT_RD), 0); /* ends the first */
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK_EQ(((const struct receiver *)outcome.future)->recv.result, 0);
    sy_join_drop(&join);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* ---- time-outs ---- */

/*
 * Receives a stream of which byte i is a known function of i, each time with a limit so short that it comes before,
 * within and after the receive; and sends it on in the same manner.
 */
struct relay {
    struct sy_socket *from, *to;
    struct sy_async async;
    struct sy_timeout timeout;
    struct sy_recv recv;
    struct sy_send_all send;
    uint64_t random;
    uint64_t received, sent;
    struct au32 *cancelled; /* how often the time was up */
    size_t length;
    bool timing;
    unsigned char buffer[512];
};

static enum sy_poll relay_wait(struct relay *f, struct sy_context *cx) {
    f->timing = true;
    if (sy_timeout_poll(&f->timeout, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    f->timing = false;
    if (f->timeout.elapsed) {
        au32_fetch_add_relaxed(f->cancelled, 1); /* only counts */
    }
    return SY_READY;
}

static uint64_t relay_limit(struct relay *f) {
    return check_random(&f->random) % 64 == 0 ? SECOND / 200 : check_random(&f->random) % 60000;
}

static enum sy_poll relay_poll(void *future, struct sy_context *cx) {
    struct relay *f = future;
    sy_async_begin(&f->async);
    for (;;) {
        sy_recv_init(&f->recv, f->from, f->buffer, 1 + check_random(&f->random) % sizeof f->buffer);
        sy_timeout_init(&f->timeout, cx->runtime, relay_limit(f), &sy_recv_type, &f->recv);
        sy_await(&f->async, relay_wait(f, cx));
        if (f->recv.result == 0) {
            break;
        }
        CHECK(f->recv.result > 0 || (f->recv.result == -ECANCELED && f->timeout.elapsed));
        f->length = f->recv.result > 0 ? (size_t)f->recv.result : 0;
        for (size_t i = 0; i < f->length; i++) {
            CHECK_EQ(f->buffer[i], stream_byte(f->received + i));
        }
        f->received += f->length;
        while (f->length > 0) {
            sy_send_all_init(&f->send, f->to, f->buffer, f->length);
            sy_timeout_init(&f->timeout, cx->runtime, relay_limit(f), &sy_send_all_type, &f->send);
            sy_await(&f->async, relay_wait(f, cx));
            CHECK(f->timeout.elapsed ? f->send.sent <= f->length : f->send.sent == f->length);
            memmove(f->buffer, f->buffer + f->send.sent, f->length - f->send.sent);
            f->sent += f->send.sent;
            f->length -= f->send.sent;
        }
    }
    sy_async_end(&f->async);
}

static void relay_drop(void *future) {
    struct relay *f = future;
    if (f->timing) {
        sy_timeout_drop(&f->timeout);
    }
}

static const struct sy_future_type relay_type = {"relay", sizeof(struct relay), relay_poll, relay_drop};

enum { STREAM = 300000 };

struct stream {
    int fd;
    struct au32 *cancelled;
};

/* Writes, and stops now and then until the relay has waited in vain: to receive, for there is nothing more then. */
static void *write_stream(void *argument) {
    const struct stream *stream = argument;
    uint64_t random = check_seed() + 1;
    unsigned char block[700];
    for (size_t done = 0; done < STREAM;) {
        size_t length = 1 + check_random(&random) % sizeof block;
        length = length < STREAM - done ? length : STREAM - done;
        for (size_t i = 0; i < length; i++) {
            block[i] = stream_byte(done + i);
        }
        write_fully(stream->fd, (char *)block, length);
        done += length;
        uint32_t cancelled = au32_load_relaxed(stream->cancelled);
        bool stops = check_random(&random) % 16 == 0;
        while (stops && au32_load_relaxed(stream->cancelled) == cancelled) {
            sched_yield();
        }
    }
    CHECK_EQ(shutdown(stream->fd, SHUT_WR), 0);
    return NULL;
}

/*
 * Reads what the relay sends, and stops as well: the sender's buffer is small, so that the relay waits in vain to send.
 * (The receiver's is not: of a window that has closed TCP asks only every 200 ms or more whether it is open again.)
 */
static void read_stream(int fd, const struct au32 *cancelled, const struct sy_join *relay) {
    uint64_t random = check_seed() + 2;
    unsigned char got[4096];
    for (size_t done = 0; done < STREAM;) {
        ssize_t n = recv(fd, got, sizeof got, 0);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            CHECK_EQ(got[i], stream_byte(done + (size_t)i));
        }
        done += (size_t)n;
        uint32_t before = au32_load_relaxed(cancelled);
        bool stops = check_random(&random) % 8 == 0;
        while (stops && au32_load_relaxed(cancelled) == before && !sy_join_is_finished(relay)) {
            sched_yield();
        }
    }
}

static void relay_over(struct sy_runtime *runtime, int (*pair)(struct sy_runtime *, struct sy_socket *)) {
    struct sy_socket from, to;
    struct sy_join join;
    struct sy_outcome outcome;
    pthread_t writer;
    struct au32 cancelled = {0};
    struct stream source = {.fd = pair(runtime, &from), .cancelled = &cancelled};
    int sink = pair(runtime, &to), least = 1;
    CHECK_EQ(setsockopt(to.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    struct relay relay = {.from = &from, .to = &to, .random = check_seed(), .cancelled = &cancelled};
    CHECK_EQ(pthread_create(&writer, NULL, write_stream, &source), 0);
    CHECK_EQ(sy_spawn(runtime, &relay_type, &relay, &join), 0);
    read_stream(sink, &cancelled, &join);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    const struct relay *ended = outcome.future;
    CHECK_EQ(ended->received, STREAM);
    CHECK_EQ(ended->sent, STREAM);
    sy_join_drop(&join);
    pthread_join(writer, NULL);
    sy_socket_close(&from);
    sy_socket_close(&to);
    close(source.fd);
    close(sink);
}

static void timeouts_at_random_lose_no_byte(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    relay_over(runtime, make_pair);
    relay_over(runtime, make_tcp_pair);
    sy_runtime_destroy(runtime);
}

/* ---- drops ---- */

static void give_up(struct sy_runtime *runtime, const struct sy_future_type *type, void *operation) {
    struct timed waiting = {.type = type, .operation = operation};
    run(runtime, &timed_type, &waiting);
    CHECK(waiting.timeout.elapsed);
}

static void a_dropped_accept_leaks_nothing(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    listen_at_loopback(runtime, &listener, &address);
    unsigned descriptors = count_descriptors();
    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    sy_accept_drop(&accept); /* never polled */
    give_up(runtime, &sy_accept_type, &accept);
    sy_accept_drop(&accept); /* the second time */
    CHECK_EQ(accept.result, -ECANCELED);
    await_descriptors(descriptors);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

/* Fills the listener's backlog: who connects now hears nothing. Returns how many sockets `fds` holds. */
static int fill_backlog(const struct sy_socket *listener, const struct sy_address *address, int *fds, int most) {
    CHECK_EQ(listen(listener->fd, 0), 0);
    for (int i = 0; i < most; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        CHECK(fds[i] >= 0);
        connect(fds[i], &address->any, address->length);
        struct pollfd entry = {.fd = fds[i], .events = POLLOUT};
        if (poll(&entry, 1, 100) == 0) {
            return i + 1;
        }
    }
    return most;
}

static void a_dropped_connect_leaks_nothing(size_t variant) {
    enum { MOST = 16 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener;
    struct sy_address address;
    int fds[MOST];
    listen_at_loopback(runtime, &listener, &address);
    int filled = fill_backlog(&listener, &address, fds, MOST);
    unsigned descriptors = count_descriptors();
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, &address);
    sy_connect_drop(&connect); /* never polled */
    give_up(runtime, &sy_connect_type, &connect);
    sy_connect_drop(&connect); /* the second time */
    CHECK_EQ(connect.result, -ECANCELED);
    await_descriptors(descriptors);
    for (int i = 0; i < filled; i++) {
        close(fds[i]);
    }
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

/* ---- spurious wakes ---- */

/* Seven polls that nothing was the reason for; whoever wakes a task need not know what it waits for. */
static void poll_for_nothing(struct hand *hand, const struct sy_future_type *type, void *operation) {
    for (int i = 0; i < 7; i++) {
        CHECK_EQ(hand_poll(hand, type, operation), SY_PENDING);
    }
}

static void spurious_wakes_change_nothing(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    struct sy_socket ours, listener;
    struct sy_address address;
    char buffer[16];
    hand_init(&hand, runtime);
    int theirs = make_pair(runtime, &ours);

    struct sy_recv recv;
    sy_recv_init(&recv, &ours, buffer, sizeof buffer);
    poll_for_nothing(&hand, &sy_recv_type, &recv);
    write_fully(theirs, "abc", 3);
    hand_finish(&hand, &sy_recv_type, &recv);
    CHECK_EQ(recv.result, 3);

    struct sy_ready ready;
    sy_ready_init(&ready, &ours, SY_READABLE);
    poll_for_nothing(&hand, &sy_ready_type, &ready);
    write_fully(theirs, "d", 1);
    hand_finish(&hand, &sy_ready_type, &ready);
    CHECK(ready.result & POLLIN);

    struct sy_accept accept;
    listen_at_loopback(runtime, &listener, &address);
    sy_accept_init(&accept, &listener);
    poll_for_nothing(&hand, &sy_accept_type, &accept);
    int peer = connect_plainly(&address);
    hand_finish(&hand, &sy_accept_type, &accept);
    CHECK_EQ(accept.result, 0);

    close(peer);
    sy_socket_close(&accept.connection);
    sy_socket_close(&listener);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static void spurious_wakes_do_not_end_a_send_or_a_connect(size_t variant) {
    enum { MOST = 16, LENGTH = 4 << 20 };
    struct sy_runtime *runtime = start(variant);
    struct hand hand;
    struct sy_socket ours, listener;
    struct sy_address address;
    int fds[MOST];
    hand_init(&hand, runtime);
    int theirs = make_pair(runtime, &ours);

    char *data = calloc(1, LENGTH);
    CHECK(data);
    struct sy_send_all send;
    sy_send_all_init(&send, &ours, data, LENGTH);
    poll_for_nothing(&hand, &sy_send_all_type, &send);
    sy_send_all_drop(&send);
    CHECK(send.sent < LENGTH);
    free(data);

    listen_at_loopback(runtime, &listener, &address);
    int filled = fill_backlog(&listener, &address, fds, MOST);
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, &address);
    poll_for_nothing(&hand, &sy_connect_type, &connect);
    CHECK_EQ(connect.state, SY_CONNECT_UNDER_WAY);
    sy_connect_drop(&connect);

    for (int i = 0; i < filled; i++) {
        close(fds[i]);
    }
    sy_socket_close(&listener);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"an_aborted_receive_loses_nothing", an_aborted_receive_loses_nothing},
    {"a_second_receive_at_once_is_refused", a_second_receive_at_once_is_refused},
    {"timeouts_at_random_lose_no_byte", timeouts_at_random_lose_no_byte},
    {"a_dropped_accept_leaks_nothing", a_dropped_accept_leaks_nothing},
    {"a_dropped_connect_leaks_nothing", a_dropped_connect_leaks_nothing},
    {"spurious_wakes_change_nothing", spurious_wakes_change_nothing},
    {"spurious_wakes_do_not_end_a_send_or_a_connect", spurious_wakes_do_not_end_a_send_or_a_connect},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_cancel", tests, sizeof tests / sizeof tests[0], argc, argv);
}
