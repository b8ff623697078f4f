/*
 * Operations under way, with every reactor: cancelling, sending more than there is room for, readiness, spurious wakes,
 * fairness.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
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

static int lowest_free_descriptor(void) {
    int fd = dup(0);
    CHECK(fd >= 0);
    close(fd);
    return fd;
}

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
    int free_before = lowest_free_descriptor();
    struct sy_accept accept;
    sy_accept_init(&accept, &listener);
    sy_accept_drop(&accept); /* never polled */
    give_up(runtime, &sy_accept_type, &accept);
    sy_accept_drop(&accept); /* the second time */
    CHECK_EQ(accept.result, -ECANCELED);
    CHECK_EQ(lowest_free_descriptor(), free_before);
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
    int free_before = lowest_free_descriptor();
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, &address);
    sy_connect_drop(&connect); /* never polled */
    give_up(runtime, &sy_connect_type, &connect);
    sy_connect_drop(&connect); /* the second time */
    CHECK_EQ(connect.result, -ECANCELED);
    CHECK_EQ(lowest_free_descriptor(), free_before);
    for (int i = 0; i < filled; i++) {
        close(fds[i]);
    }
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

/* ---- sending ---- */

static void send_all_waits_for_room(size_t variant) {
    enum { LENGTH = 8 << 20 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    int theirs = make_pair(runtime, &ours);
    char *data = malloc(LENGTH), *got = malloc(LENGTH);
    CHECK(data && got);
    for (size_t i = 0; i < LENGTH; i++) {
        data[i] = (char)(i * 7 + i / 4096);
    }
    struct sy_send_all send;
    struct sy_join join;
    struct sy_outcome outcome;
    sy_send_all_init(&send, &ours, data, LENGTH);
    CHECK_EQ(sy_spawn(runtime, &sy_send_all_type, &send, &join), 0);
    for (size_t done = 0; done < LENGTH;) {
        ssize_t n = recv(theirs, got + done, LENGTH - done, 0);
        CHECK(n > 0);
        done += (size_t)n;
    }
    CHECK_EQ(memcmp(data, got, LENGTH), 0);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK_EQ(((const struct sy_send_all *)outcome.future)->result, LENGTH);
    CHECK_EQ(((const struct sy_send_all *)outcome.future)->sent, LENGTH);
    sy_join_drop(&join);
    free(data);
    free(got);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static void a_half_closed_peer_still_gets_its_answer(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    int theirs = make_pair(runtime, &ours);
    struct echo echo = {.socket = ours};
    struct sy_join join;
    struct sy_outcome outcome;
    char got[5000], data[5000];
    memset(data, 'd', sizeof data);
    write_fully(theirs, data, sizeof data);
    CHECK_EQ(shutdown(theirs, SHUT_WR), 0);
    CHECK_EQ(sy_spawn(runtime, &echo_type, &echo, &join), 0);
    size_t done = 0;
    for (ssize_t n; (n = recv(theirs, got + done, sizeof got - done, 0)) > 0;) {
        done += (size_t)n;
    }
    CHECK_EQ(done, sizeof data);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK_EQ(((const struct echo *)outcome.future)->recv.result, 0);
    sy_join_drop(&join);
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* ---- readiness ---- */

/* Waits for a descriptor that is not its own. */
static int64_t wait_ready(struct sy_runtime *runtime, struct sy_socket *socket, enum sy_interest interest) {
    struct sy_ready ready;
    sy_ready_init(&ready, socket, interest);
    run(runtime, &sy_ready_type, &ready);
    return ready.result;
}

static void *write_later(void *argument) {
    int fd = *(int *)argument;
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL); /* most likely after the wait began; both orders are right */
    CHECK_EQ(write(fd, "x", 1), 1);
    return NULL;
}

static void pipes_tell_their_readiness(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket reader, writer;
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(sy_socket_from_fd(&reader, runtime, fds[0]), 0);
    CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    CHECK_EQ(sy_socket_from_fd(&writer, runtime, fds[1]), 0);
    CHECK(wait_ready(runtime, &writer, SY_WRITABLE) & POLLOUT);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
    CHECK(wait_ready(runtime, &reader, SY_READABLE) & POLLIN);
    CHECK(wait_ready(runtime, &reader, SY_READABLE) & POLLIN); /* still: it was not read */
    pthread_join(thread, NULL);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    sy_socket_release(&writer);
    CHECK_EQ(close(fds[1]), 0);
    CHECK(wait_ready(runtime, &reader, SY_READABLE) & POLLHUP);
    sy_socket_release(&reader);
    CHECK_EQ(close(fds[0]), 0); /* release left it open */
    sy_runtime_destroy(runtime);
}

/* ---- fairness ---- */

/* Receives from a flooded socket until the sleep beside it, on the same worker, is over. */
struct glutton {
    struct sy_socket *socket;
    struct sy_recv recv;
    bool initialised;
    uint64_t received, longest_run;
    char buffer[64];
};

static enum sy_poll glutton_poll(void *future, struct sy_context *cx) {
    struct glutton *f = future;
    for (uint64_t run = 1;; run++) {
        if (!f->initialised) {
            sy_recv_init(&f->recv, f->socket, f->buffer, sizeof f->buffer);
            f->initialised = true;
        }
        if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->initialised = false;
        f->received += (uint64_t)f->recv.result;
        f->longest_run = run > f->longest_run ? run : f->longest_run;
        if (f->recv.result <= 0) {
            return SY_READY;
        }
    }
}

static void glutton_drop(void *future) {
    struct glutton *f = future;
    if (f->initialised) {
        sy_recv_drop(&f->recv);
    }
}

static const struct sy_future_type glutton_type = {"glutton", sizeof(struct glutton), glutton_poll, glutton_drop};

/* Ends the flood when its time has come. */
struct alarm {
    struct sy_sleep sleep;
    struct au32 *stop;
    bool begun;
};

static enum sy_poll alarm_poll(void *future, struct sy_context *cx) {
    struct alarm *f = future;
    if (!f->begun) {
        f->begun = true;
        sy_sleep_init_after(&f->sleep, cx->runtime, SECOND / 20);
    }
    if (sy_sleep_poll(&f->sleep, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    au32_store_relaxed(f->stop, 1); /* only says stop */
    return SY_READY;
}

static void alarm_drop(void *future) {
    struct alarm *f = future;
    if (f->begun) {
        sy_sleep_drop(&f->sleep);
    }
}

static const struct sy_future_type alarm_type = {"alarm", sizeof(struct alarm), alarm_poll, alarm_drop};

struct flood {
    int fd;
    struct au32 *stop;
};

/* Keeps the socket full until it is told to stop; then the stream ends. */
static void *flood_socket(void *argument) {
    struct flood *flood = argument;
    static const char data[65536];
    while (!au32_load_relaxed(flood->stop)) {
        CHECK(send(flood->fd, data, sizeof data, MSG_NOSIGNAL) > 0);
    }
    CHECK_EQ(shutdown(flood->fd, SHUT_WR), 0);
    return NULL;
}

static void a_flooded_socket_starves_no_timer(size_t variant) {
    struct sy_runtime *runtime = start_with(variant, 1);
    struct sy_socket ours;
    struct au32 stop = {0};
    struct flood flood = {.fd = make_pair(runtime, &ours), .stop = &stop};
    pthread_t thread;
    struct sy_join joins[2];
    struct sy_outcome outcome;
    struct glutton glutton = {.socket = &ours};
    struct alarm alarm = {.stop = &stop};
    CHECK_EQ(pthread_create(&thread, NULL, flood_socket, &flood), 0);
    CHECK_EQ(sy_spawn(runtime, &glutton_type, &glutton, &joins[0]), 0);
    CHECK_EQ(sy_spawn(runtime, &alarm_type, &alarm, &joins[1]), 0);
    CHECK_EQ(sy_join_wait(&joins[1], &outcome), 0); /* starved, it would never come: the flood ends by it */
    CHECK_EQ(sy_join_wait(&joins[0], &outcome), 0);
    const struct glutton *done = outcome.future;
    CHECK(done->received > 0);
    CHECK(done->longest_run <= sy_runtime_config(runtime)->budget);
    sy_join_drop(&joins[0]);
    sy_join_drop(&joins[1]);
    pthread_join(thread, NULL);
    sy_socket_close(&ours);
    close(flood.fd);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"an_aborted_receive_loses_nothing", an_aborted_receive_loses_nothing},
    {"a_second_receive_at_once_is_refused", a_second_receive_at_once_is_refused},
    {"a_dropped_accept_leaks_nothing", a_dropped_accept_leaks_nothing},
    {"a_dropped_connect_leaks_nothing", a_dropped_connect_leaks_nothing},
    {"send_all_waits_for_room", send_all_waits_for_room},
    {"a_half_closed_peer_still_gets_its_answer", a_half_closed_peer_still_gets_its_answer},
    {"pipes_tell_their_readiness", pipes_tell_their_readiness},
    {"a_flooded_socket_starves_no_timer", a_flooded_socket_starves_no_timer},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_flow", tests, sizeof tests / sizeof tests[0], argc, argv);
}
