/*
 * The reactor's contract, over every back end and with both policies of the first try: operations and wakers.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- operations ---- */

static void recv_and_send_on(struct rig *rig, struct rig_link link) {
    static char block[65536];
    struct rx_op op;
    char bytes[8];
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(rig_finish(rig, &op), 3);
    CHECK(memcmp(bytes, "abc", 3) == 0);

    int64_t sent = 0;
    for (;;) { /* until the buffers are full */
        rx_op_init(&op, RX_SEND, link.source, block, sizeof block);
        uint32_t wakes = rx_probe_wakes(&rig->probe);
        if (rig->ops->poll(rig->rx, &op, &rig->waker) == RX_PENDING) {
            rig_settle(rig);
            if (rx_probe_wakes(&rig->probe) == wakes) {
                break;
            }
            rig_finish(rig, &op);
        }
        CHECK(op.result > 0);
        sent += op.result;
    }
    int64_t received = 0;
    while (received < sent) {
        ssize_t n = recv(link.peer, block, sizeof block, MSG_DONTWAIT);
        CHECK(n > 0 || (n < 0 && errno == EAGAIN));
        received += n > 0 ? n : 0;
    }
    CHECK(rig_finish(rig, &op) > 0);
}

static void recv_and_send(size_t variant) {
    rig_over_families(variant, recv_and_send_on);
}

static void pipes(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    int fds[2];
    CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    struct rx_source *in = rig_register(&rig, fds[0]), *out = rig_register(&rig, fds[1]);
    struct rx_op op;
    char bytes[4] = "";
    rig_start(&rig, &op, RX_READ, in, bytes, sizeof bytes);
    CHECK_EQ(rig_do(&rig, RX_WRITE, out, "pipe", 4), 4);
    CHECK_EQ(rig_finish(&rig, &op), 4);
    CHECK(memcmp(bytes, "pipe", 4) == 0);
    rig_deregister_and_close(&rig, in);
    rig_deregister_and_close(&rig, out);
    rig_close(&rig);
}

static void readiness_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[8];
    for (int round = 0; round < 3; round++) {
        rig_start(rig, &op, RX_READY_IN, link.source, NULL, 0);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_finish(rig, &op), POLLIN);
        CHECK_EQ(rig_do(rig, RX_READY_IN, link.source, NULL, 0), POLLIN); /* nothing was read: it still holds */
        CHECK_EQ(rig_do(rig, RX_READY_OUT, link.source, NULL, 0), POLLOUT);
        CHECK_EQ(recv(rx_source_fd(link.source), bytes, sizeof bytes, 0), 3); /* behind the reactor's back */
    }
}

static void readiness(size_t variant) {
    rig_over_families(variant, readiness_on);
}

static void directions_are_independent_on(struct rig *rig, struct rig_link link) {
    static char block[65536];
    char bytes[8];
    while (send(rx_source_fd(link.source), block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    struct rx_op in, out, second;
    struct rx_probe out_probe;
    rx_probe_init(&out_probe);
    struct sy_waker out_waker = rx_probe_waker(&out_probe);
    rig_start(rig, &in, RX_RECV, link.source, bytes, sizeof bytes);
    for (;;) { /* TCP moves on when it was acknowledged */
        rx_op_init(&out, RX_SEND, link.source, block, sizeof block);
        if (rig->ops->poll(rig->rx, &out, &out_waker) == RX_PENDING) {
            break;
        }
        CHECK(out.result > 0);
    }
    rig_settle(rig);
    uint32_t in_wakes = rx_probe_wakes(&rig->probe), out_wakes = rx_probe_wakes(&out_probe);

    rx_op_init(&second, RX_READY_IN, link.source, NULL, 0);
    CHECK_EQ(rig->ops->poll(rig->rx, &second, &rig->waker), RX_DONE);
    CHECK_EQ(second.result, -EBUSY);
    rx_op_init(&second, RX_SEND, link.source, block, 1);
    CHECK_EQ(rig->ops->poll(rig->rx, &second, &rig->waker), RX_DONE);
    CHECK_EQ(second.result, -EBUSY);

    CHECK_EQ(send(link.peer, "abc", 3, 0), 3); /* only in */
    rig_wait_for_wake(rig, in_wakes);
    CHECK_EQ(rx_probe_wakes(&out_probe), out_wakes);
    CHECK_EQ(rig_finish(rig, &in), 3);
    in_wakes = rx_probe_wakes(&rig->probe);
    rig_start(rig, &in, RX_RECV, link.source, bytes, sizeof bytes);
    while (rx_probe_wakes(&out_probe) == out_wakes) { /* only out */
        while (recv(link.peer, block, sizeof block, MSG_DONTWAIT) > 0) {
        }
        CHECK(rig->ops->wait(rig->rx, 1000000) >= 0);
    }
    CHECK_EQ(rig->ops->poll(rig->rx, &out, &out_waker), RX_DONE);
    CHECK(out.result > 0);
    CHECK_EQ(rx_probe_wakes(&rig->probe), in_wakes);
    CHECK_EQ(rig_cancel(rig, &in), -ECANCELED);
    rx_probe_close(&out_probe);
}

static void directions_are_independent(size_t variant) {
    rig_over_families(variant, directions_are_independent_on);
}

/* Writes of random sizes, reads of random sizes, in both orders against the events: all arrives, then the end. */
static void short_counts_lose_nothing_on(struct rig *rig, struct rig_link link) {
    uint64_t random = check_seed();
    uint8_t bytes[64], next_sent = 0, next_received = 0;
    for (int round = 0; round < 2000; round++) {
        size_t length = 1 + check_random(&random) % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = next_sent++;
        }
        CHECK_EQ(send(link.peer, bytes, length, 0), length);
        if (round == 1999) {
            CHECK_EQ(shutdown(link.peer, SHUT_WR), 0);
        }
        if (check_random(&random) % 2) {
            rig_settle(rig);
        }
        for (size_t got = 0; got < length;) {
            int64_t n = rig_do(rig, RX_RECV, link.source, bytes, 1 + check_random(&random) % (2 * sizeof bytes) / 2);
            CHECK(n > 0);
            for (int64_t i = 0; i < n; i++) {
                CHECK_EQ(bytes[i], next_received++);
            }
            got += (size_t)n;
        }
    }
    CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 0);
}

static void short_counts_lose_nothing(size_t variant) {
    rig_over_families(variant, short_counts_lose_nothing_on);
}

/* The end of the stream, told by the same event as the bytes, is seen after a short count too. */
static void end_after_short_count_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[100];
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(send(link.peer, "0123456789", 10, 0), 10);
    CHECK_EQ(shutdown(link.peer, SHUT_WR), 0);
    struct pollfd end = {.fd = rx_source_fd(link.source), .events = POLLRDHUP};
    CHECK_EQ(poll(&end, 1, -1), 1);
    CHECK_EQ(rig_finish(rig, &op), 10);
    CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 0);
    CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 0);
}

static void end_after_short_count(size_t variant) {
    rig_over_families(variant, end_after_short_count_on);
}

/* A read stops at the urgent mark although bytes follow it: a short count there does not mean empty. */
static void urgent_mark(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    struct rx_op op;
    char bytes[100];
    rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(send(link.peer, "before", 6, 0), 6);
    CHECK_EQ(send(link.peer, "!", 1, MSG_OOB), 1);
    CHECK_EQ(send(link.peer, "after", 5, 0), 5);
    struct pollfd urgent = {.fd = rx_source_fd(link.source), .events = POLLPRI};
    CHECK_EQ(poll(&urgent, 1, -1), 1);
    int64_t got = 0;
    while (got < 11) {
        int64_t n = rig_finish(&rig, &op);
        CHECK(n > 0);
        got += n;
        rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
    }
    CHECK_EQ(got, 11);
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* Urgent data alone, there before the source is: readable, as poll(2) says by POLLPRI only. */
static void urgent_data_is_readiness(size_t variant) {
    struct rig rig;
    int fds[2];
    rig_init(&rig, variant);
    rig_socket_pair(AF_INET, fds);
    CHECK_EQ(send(fds[1], "!", 1, MSG_OOB), 1);
    struct pollfd urgent = {.fd = fds[0], .events = POLLPRI};
    CHECK_EQ(poll(&urgent, 1, -1), 1);
    struct rig_link link = {rig_register(&rig, fds[0]), fds[1]};
    CHECK_EQ(rig_do(&rig, RX_READY_IN, link.source, NULL, 0), POLLPRI);
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* A short read at a passed descriptor on a Unix socket: more follows. Unlike a TCP socket, whose place this one has. */
static void passed_descriptor(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    rig_unlink(&rig, rig_link(&rig, AF_INET));
    struct rig_link link = rig_link(&rig, AF_UNIX);
    char control[CMSG_SPACE(sizeof(int))] = "", bytes[100];
    struct iovec part = {"fd", 2};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &link.peer, sizeof(int));
    CHECK_EQ(sendmsg(link.peer, &message, 0), 2);
    CHECK_EQ(send(link.peer, "more", 4, 0), 4);
    rig_settle(&rig);
    int64_t got = 0;
    while (got < 6) {
        int64_t n = rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK(n > 0);
        got += n;
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* ---- wakers ---- */

static void case_07_spurious_polls_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[8];
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(rig->ops->poll(rig->rx, &op, &rig->waker), RX_PENDING);
        CHECK(ai64_load_relaxed(&rig->probe.references) <= 1);
    }
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(rig_finish(rig, &op), 3);
}

static void case_07_spurious_polls(size_t variant) {
    rig_over_families(variant, case_07_spurious_polls_on);
}

static void later_poll_replaces_waker_on(struct rig *rig, struct rig_link link) {
    struct rx_probe other;
    rx_probe_init(&other);
    struct sy_waker other_waker = rx_probe_waker(&other);
    struct rx_op op;
    char bytes[8];
    for (int round = 0; round < 4; round++) {
        rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        uint32_t wakes = rx_probe_wakes(&rig->probe), other_wakes = rx_probe_wakes(&other);
        CHECK_EQ(rig->ops->poll(rig->rx, &op, &other_waker), RX_PENDING);
        CHECK_EQ(ai64_load_relaxed(&rig->probe.references), 0);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        while (rx_probe_wakes(&other) == other_wakes) {
            CHECK(rig->ops->wait(rig->rx, -1) >= 0);
        }
        CHECK_EQ(rx_probe_wakes(&rig->probe), wakes);
        CHECK_EQ(rig_finish(rig, &op), 3);
    }
    rx_probe_close(&other);
}

static void later_poll_replaces_waker(size_t variant) {
    rig_over_families(variant, later_poll_replaces_waker_on);
}

static void cancel_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[8];
    rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(rig_cancel(rig, &op), -ECANCELED); /* never polled */
    for (int round = 0; round < 10; round++) {
        rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(rig_cancel(rig, &op), -ECANCELED);
        CHECK_EQ(ai64_load_relaxed(&rig->probe.references), 0);
        rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        int64_t result = rig_cancel(rig, &op);
        CHECK(result == -ECANCELED || result == 3);
        if (result < 0) {
            CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 3);
        }
    }
}

static void cancel(size_t variant) {
    rig_over_families(variant, cancel_on);
}

/* ---- two threads, one direction ---- */

struct rival {
    struct rig *rig;
    struct rx_source *source;
    int rounds;
};

static void *poll_and_cancel(void *argument) {
    struct rival *rival = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    struct sy_waker waker = rx_probe_waker(&probe);
    char bytes[8];
    for (int armed = 0; armed < rival->rounds;) {
        struct rx_op op;
        rx_op_init(&op, RX_RECV, rival->source, bytes, sizeof bytes);
        if (rival->rig->ops->poll(rival->rig->rx, &op, &waker) == RX_DONE) {
            CHECK_EQ(op.result, -EBUSY);
            sched_yield();
            continue;
        }
        armed++;
        bool done = rival->rig->ops->cancel(rival->rig->rx, &op) == RX_DONE;
        CHECK_EQ(done ? op.result : rig_finish_asleep(rival->rig, &op, &probe), -ECANCELED);
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

/* The direction is one thread's or the other's, with nothing but the reactor between them. */
static void rivals_for_a_direction(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    rig_init(&rig, variant);
    rig_waiter_start(&waiter, &rig);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    struct rival rivals[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        rivals[i] = (struct rival){.rig = &rig, .source = link.source, .rounds = (int)support_rounds(100000)};
        CHECK_EQ(pthread_create(&threads[i], NULL, poll_and_cancel, &rivals[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    rig_unlink(&rig, link);
    rig_waiter_stop(&waiter);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"recv_and_send", recv_and_send},
        {"pipes", pipes},
        {"readiness", readiness},
        {"directions_are_independent", directions_are_independent},
        {"short_counts_lose_nothing", short_counts_lose_nothing},
        {"end_after_short_count", end_after_short_count},
        {"urgent_mark", urgent_mark},
        {"urgent_data_is_readiness", urgent_data_is_readiness},
        {"passed_descriptor", passed_descriptor},
        {"case_07_spurious_polls", case_07_spurious_polls},
        {"later_poll_replaces_waker", later_poll_replaces_waker},
        {"cancel", cancel},
        {"rivals_for_a_direction", rivals_for_a_direction},
    };
    return rx_run_suite("suite_rx", tests, sizeof tests / sizeof tests[0], argc, argv);
}
