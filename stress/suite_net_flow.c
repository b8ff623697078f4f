/*
 * Operations under way, with every reactor: sending more than there is room for, readiness, pipes, fairness.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "stress/net_fixture.h"
#include "stress/support.h"

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

/* The writer waits while the reader is slow: what is under way is what the kernel's buffers hold, never more. */
static void a_slow_reader_holds_the_writer_up(size_t variant) {
    enum { LENGTH = 1 << 20, SLICE = 4096 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct hand hand;
    int room = 32768;
    int theirs = make_pair(runtime, &ours);
    CHECK_EQ(setsockopt(ours.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    char *data = calloc(1, LENGTH), slice[SLICE];
    CHECK(data);
    struct sy_send_all send;
    hand_init(&hand, runtime);
    sy_send_all_init(&send, &ours, data, LENGTH);
    size_t read_so_far = 0;
    unsigned waits = 0;
    while (hand_poll(&hand, &sy_send_all_type, &send) == SY_PENDING) {
        CHECK(send.sent <= read_so_far + 4 * (size_t)room);   /* twice that is the kernel's own doubling */
        ssize_t n = recv(theirs, slice, SLICE, MSG_DONTWAIT); /* nothing: the send's wake is on its way */
        CHECK(n > 0 || errno == EAGAIN);
        read_so_far += n > 0 ? (size_t)n : 0;
        waits += n > 0;
    }
    CHECK_EQ(send.result, LENGTH);
    CHECK(waits > (LENGTH - 4 * (unsigned)room) / SLICE / 2);
    free(data);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* ---- both directions ---- */

struct other_direction {
    struct sy_runtime *runtime;
    struct sy_socket *socket;
    struct au32 stop;
};

/* Begins receives, for which nothing ever comes, and gives them up. */
static void *begin_receives(void *argument) {
    struct other_direction *other = argument;
    struct hand hand;
    char byte;
    hand_init(&hand, other->runtime);
    while (!au32_load_relaxed(&other->stop)) { /* only says stop */
        struct sy_recv recv;
        sy_recv_init(&recv, other->socket, &byte, 1);
        CHECK_EQ(hand_poll(&hand, &sy_recv_type, &recv), SY_PENDING);
        sy_recv_drop(&recv);
        CHECK_EQ(recv.result, -ECANCELED);
    }
    return NULL;
}

/* Of two that begin at the same moment, in different directions, neither is the second. */
static void what_sends_begins_beside_a_receive(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct hand hand;
    pthread_t thread;
    struct iovec piece = {"v", 1};
    char bytes[4];
    int theirs = make_pair(runtime, &ours);
    struct other_direction other = {.runtime = runtime, .socket = &ours};
    hand_init(&hand, runtime);
    CHECK_EQ(pthread_create(&thread, NULL, begin_receives, &other), 0);
    for (unsigned round = 0; round < support_rounds(5000); round++) {
        struct sy_send send;
        struct sy_send_vectors vectors;
        struct sy_write write;
        struct sy_ready ready;
        sy_send_init(&send, &ours, "s", 1);
        sy_send_vectors_init(&vectors, &ours, &piece, 1);
        sy_write_init(&write, &ours, "w", 1);
        sy_ready_init(&ready, &ours, SY_WRITABLE);
        hand_finish(&hand, &sy_send_type, &send);
        hand_finish(&hand, &sy_send_vectors_type, &vectors);
        hand_finish(&hand, &sy_write_type, &write);
        hand_finish(&hand, &sy_ready_type, &ready);
        CHECK(send.result == 1 && vectors.result == 1 && write.result == 1);
        CHECK(ready.result & POLLOUT);
        CHECK_EQ(recv(theirs, bytes, 3, MSG_WAITALL), 3);
        CHECK(memcmp(bytes, "svw", 3) == 0);
    }
    au32_store_relaxed(&other.stop, 1);
    pthread_join(thread, NULL);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* ---- half-close ---- */

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

/* ---- pipes ---- */

/* A pipe on the runtime at both ends, of the least size. */
static void make_pipe(struct sy_runtime *runtime, struct sy_socket *reader, struct sy_socket *writer) {
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(sy_socket_from_fd(reader, runtime, fds[0]), 0);
    CHECK_EQ(sy_socket_from_fd(writer, runtime, fds[1]), 0);
    CHECK(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0);
}

/* Writes a stream into a pipe, in blocks larger than the pipe. */
struct pipe_writer {
    struct sy_socket *pipe;
    struct sy_async async;
    struct sy_write write;
    size_t sent;
    unsigned char data[50000];
};

static enum sy_poll pipe_writer_poll(void *future, struct sy_context *cx) {
    struct pipe_writer *f = future;
    sy_async_begin(&f->async);
    for (f->sent = 0; f->sent < sizeof f->data; f->sent += (size_t)f->write.result) {
        sy_write_init(&f->write, f->pipe, f->data + f->sent, sizeof f->data - f->sent);
        sy_await(&f->async, sy_write_poll(&f->write, cx));
        CHECK(f->write.result > 0);
    }
    sy_socket_close(f->pipe);
    sy_async_end(&f->async);
}

static void pipe_writer_drop(void *future) {
    struct pipe_writer *f = future;
    if (f->async.line > 0) {
        sy_write_drop(&f->write);
    }
}

static const struct sy_future_type pipe_writer_type = {"pipe_writer", sizeof(struct pipe_writer), pipe_writer_poll,
                                                       pipe_writer_drop};

static void pipes_are_read_and_written(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket reader, writer;
    struct sy_join join;
    struct sy_outcome outcome;
    make_pipe(runtime, &reader, &writer);
    static struct pipe_writer task;
    task = (struct pipe_writer){.pipe = &writer};
    for (size_t i = 0; i < sizeof task.data; i++) {
        task.data[i] = stream_byte(i);
    }
    CHECK_EQ(sy_spawn(runtime, &pipe_writer_type, &task, &join), 0);
    size_t done = 0;
    for (;;) {
        unsigned char got[3000];
        struct sy_read read;
        sy_read_init(&read, &reader, got, sizeof got);
        run(runtime, &sy_read_type, &read);
        CHECK(read.result >= 0);
        if (read.result == 0) {
            break;
        }
        for (int64_t i = 0; i < read.result; i++) {
            CHECK_EQ(got[i], stream_byte(done + (size_t)i));
        }
        done += (size_t)read.result;
    }
    CHECK_EQ(done, sizeof task.data);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    sy_join_drop(&join);
    sy_socket_close(&reader);
    sy_runtime_destroy(runtime);
}

static void a_pipe_without_reader_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket reader, writer;
    struct sy_write write;
    signal(SIGPIPE, SIG_IGN);
    make_pipe(runtime, &reader, &writer);
    int fd = reader.fd;
    CHECK_EQ(sy_socket_release(&reader), 0);
    sy_write_init(&write, &writer, "x", 1);
    run(runtime, &sy_write_type, &write);
    CHECK_EQ(write.result, 1); /* release left the other end open */
    CHECK_EQ(close(fd), 0);
    sy_write_init(&write, &writer, "x", 1);
    run(runtime, &sy_write_type, &write);
    CHECK_EQ(write.result, -EPIPE);
    sy_socket_close(&writer);
    sy_runtime_destroy(runtime);
    signal(SIGPIPE, SIG_DFL);
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
    CHECK_EQ(sy_socket_release(&writer), 0);
    CHECK_EQ(close(fds[1]), 0);
    CHECK(wait_ready(runtime, &reader, SY_READABLE) & POLLHUP);
    CHECK_EQ(sy_socket_release(&reader), 0);
    CHECK_EQ(close(fds[0]), 0); /* release left it open */
    sy_runtime_destroy(runtime);
}

/* Whatever can be polled: a counter, a timer; with waits that are given up between. */
static void any_descriptor_tells_its_readiness(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket event, timer;
    struct sy_ready ready;
    int events = eventfd(0, EFD_CLOEXEC), timers = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    CHECK_EQ(sy_socket_from_fd(&event, runtime, events), 0);
    CHECK_EQ(sy_socket_from_fd(&timer, runtime, timers), 0);
    CHECK(wait_ready(runtime, &event, SY_WRITABLE) & POLLOUT);
    for (int round = 0; round < 2; round++) {
        sy_ready_init(&ready, &event, SY_READABLE);
        struct timed waiting = {.type = &sy_ready_type, .operation = &ready};
        run(runtime, &timed_type, &waiting);
        CHECK_EQ(ready.result, -ECANCELED);
        uint64_t count = 3;
        CHECK_EQ(write(events, &count, sizeof count), sizeof count);
        CHECK_EQ(wait_ready(runtime, &event, SY_READABLE) & POLLIN, POLLIN);
        CHECK_EQ(read(events, &count, sizeof count), sizeof count);
        CHECK_EQ(count, 3);
    }
    const struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    uint64_t expirations = 0;
    CHECK_EQ(timerfd_settime(timers, 0, &soon, NULL), 0);
    CHECK_EQ(wait_ready(runtime, &timer, SY_READABLE) & POLLIN, POLLIN);
    CHECK_EQ(read(timers, &expirations, sizeof expirations), sizeof expirations);
    CHECK_EQ(expirations, 1);
    sy_socket_close(&event);
    sy_socket_close(&timer);
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
    {"send_all_waits_for_room", send_all_waits_for_room},
    {"a_slow_reader_holds_the_writer_up", a_slow_reader_holds_the_writer_up},
    {"what_sends_begins_beside_a_receive", what_sends_begins_beside_a_receive},
    {"a_half_closed_peer_still_gets_its_answer", a_half_closed_peer_still_gets_its_answer},
    {"pipes_are_read_and_written", pipes_are_read_and_written},
    {"a_pipe_without_reader_is_told", a_pipe_without_reader_is_told},
    {"pipes_tell_their_readiness", pipes_tell_their_readiness},
    {"any_descriptor_tells_its_readiness", any_descriptor_tells_its_readiness},
    {"a_flooded_socket_starves_no_timer", a_flooded_socket_starves_no_timer},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_flow", tests, sizeof tests / sizeof tests[0], argc, argv);
}
