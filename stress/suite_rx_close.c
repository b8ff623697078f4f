/*
 * Closing a source with operations in flight, over every back end: each operation ends, by whoever it is ended; the
 * descriptor stays open until the last of them has ended, and then the peer sees the end of the stream.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include "stress/support.h"
#include "stress/support_rx.h"
#include "stress/threads.h"

/* ---- what both tests of two directions share ---- */

/* A receive that finds nothing and a send that finds no room, each with a probe of its own. */
struct both {
    struct rx_op ops[2];
    struct rx_probe probes[2];
    char bytes[8];
    int64_t sent; /* what the peer has to get */
};

static char block[65536];

static enum rx_status poll_one(struct rig *rig, struct both *both, int i) {
    struct sy_waker waker = rx_probe_waker(&both->probes[i]);
    return rig->ops->poll(rig->rx, &both->ops[i], &waker);
}

static void both_start(struct rig *rig, struct both *both, struct rig_link link) {
    both->sent = rig_fill(rx_source_fd(link.source));
    for (int i = 0; i < 2; i++) {
        rx_probe_init(&both->probes[i]);
    }
    rx_op_init(&both->ops[0], RX_RECV, link.source, both->bytes, sizeof both->bytes);
    CHECK_EQ(poll_one(rig, both, 0), RX_PENDING);
    for (;;) { /* TCP moves on when it was acknowledged */
        rx_op_init(&both->ops[1], RX_SEND, link.source, block, sizeof block);
        if (poll_one(rig, both, 1) == RX_PENDING) {
            break;
        }
        CHECK(both->ops[1].result > 0);
        both->sent += both->ops[1].result;
    }
}

/* Ends one of them, by a cancel or by polling it. */
static void end_one(struct rig *rig, struct both *both, int i, bool by_cancel) {
    struct rx_op *op = &both->ops[i];
    bool done = by_cancel && rig->ops->cancel(rig->rx, op) == RX_DONE;
    while (!done) {
        uint32_t wakes = rx_probe_wakes(&both->probes[i]);
        done = poll_one(rig, both, i) == RX_DONE;
        while (!done && rx_probe_wakes(&both->probes[i]) == wakes) {
            CHECK(rig->ops->wait(rig->rx, -1) >= 0);
        }
    }
    CHECK(op->result == -ECANCELED || (i == 1 && op->result > 0)); /* nothing was there to receive */
    both->sent += op->result > 0 ? op->result : 0;
}

/* ---- one after the other ---- */

static void close_idle_on(struct rig *rig, struct rig_link link) {
    struct stat was;
    int fd = rx_source_fd(link.source);
    CHECK_EQ(fstat(fd, &was), 0);
    rig->ops->close(rig->rx, link.source);
    CHECK_EQ(rig_read_to_end(rig, link.peer), 0);
    CHECK(!rig_is_open(fd, &was));
}

static void close_idle(size_t variant) {
    rig_over_families_closing(variant, close_idle_on);
}

/* Both wakers are woken, by the close or what follows from it, before anybody looks at the operations. */
static void wait_for_wakes(struct rig *rig, struct both *both, const uint32_t before[2]) {
    while (rx_probe_wakes(&both->probes[0]) == before[0] || rx_probe_wakes(&both->probes[1]) == before[1]) {
        CHECK(rig->ops->wait(rig->rx, -1) >= 0);
    }
}

static void close_both_directions(struct rig *rig, struct rig_link link, int way) {
    struct both both;
    struct stat was;
    int fd = rx_source_fd(link.source), first = way & 1;
    CHECK_EQ(fstat(fd, &was), 0);
    both_start(rig, &both, link);
    rig_settle(rig);
    CHECK_EQ(poll_one(rig, &both, 0), RX_PENDING);
    uint32_t before[2] = {rx_probe_wakes(&both.probes[0]), rx_probe_wakes(&both.probes[1])};
    rig->ops->close(rig->rx, link.source);
    CHECK(rig_is_open(fd, &was));
    if (way & 8) {
        wait_for_wakes(rig, &both, before);
        CHECK(rig_is_open(fd, &was));
    }
    end_one(rig, &both, first, way & 2);
    CHECK(rig_is_open(fd, &was)); /* for the other's sake */
    end_one(rig, &both, !first, way & 4);
    CHECK_EQ(rig_read_to_end(rig, link.peer), both.sent);
    CHECK(!rig_is_open(fd, &was));
    rx_probe_close(&both.probes[0]);
    rx_probe_close(&both.probes[1]);
}

static void case_11_close_with_operations_pending(size_t variant) {
    static const int families[] = {AF_UNIX, AF_INET};
    struct rig rig;
    rig_init(&rig, variant);
    for (int way = 0; way < 32; way++) {
        struct rig_link link = rig_link(&rig, families[way & 1 ? way >> 4 : !(way >> 4)]);
        close_both_directions(&rig, link, way & 15);
        close(link.peer);
    }
    rig_close(&rig);
}

/* The end reaches the peer although it takes nothing of what fills the buffers, for which a send was waiting. */
static void peer_sees_the_end_unread(size_t variant) {
    struct rig rig;
    struct both both;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    both_start(&rig, &both, link);
    rig_settle(&rig);
    rig.ops->close(rig.rx, link.source);
    end_one(&rig, &both, 0, false);
    end_one(&rig, &both, 1, true);
    struct pollfd end = {.fd = link.peer, .events = POLLRDHUP};
    while (poll(&end, 1, 0) == 0) {
        CHECK(rig.ops->wait(rig.rx, 1000000) >= 0);
    }
    CHECK(end.revents & POLLRDHUP);
    CHECK_EQ(rig_read_to_end(&rig, link.peer), both.sent);
    rx_probe_close(&both.probes[0]);
    rx_probe_close(&both.probes[1]);
    close(link.peer);
    rig_close(&rig);
}

/* What was there before the close is the outcome or is given up with the connection: never another answer. */
static void close_after_arrival_on(struct rig *rig, struct rig_link link) {
    struct rx_op op;
    char bytes[8];
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    rig->ops->close(rig->rx, link.source);
    int64_t result = rig_finish(rig, &op);
    CHECK(result == -ECANCELED || (result == 3 && memcmp(bytes, "abc", 3) == 0));
    CHECK_EQ(rig_read_to_end(rig, link.peer), 0);
}

static void close_after_arrival(size_t variant) {
    rig_over_families_closing(variant, close_after_arrival_on);
}

/* The next connection gets the number, and nothing of the one before. */
static void number_is_used_again(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    int fd = -1;
    for (unsigned round = 0; round < support_rounds(500) + 50; round++) {
        struct rig_link link = rig_link(&rig, AF_UNIX);
        struct rx_op op;
        char bytes[8];
        CHECK(fd < 0 || rx_source_fd(link.source) == fd);
        fd = rx_source_fd(link.source);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes), 3);
        rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(rig.ops->poll(rig.rx, &op, &rig.waker), RX_PENDING);
        CHECK_EQ(send(link.peer, "def", round % 3, 0), round % 3);
        rig.ops->close(rig.rx, link.source);
        int64_t result = rig_cancel(&rig, &op);
        CHECK(result == -ECANCELED || result == round % 3);
        rig_read_to_end(&rig, link.peer);
        close(link.peer);
    }
    rig_close(&rig);
}

/* Accepting ends too; a connection that it had taken is the outcome, and not lost. */
static void close_a_listener(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    unsigned before = support_fd_count();
    for (int round = 0; round < 40; round++) {
        struct sockaddr_in address;
        struct rx_source *listener = rig_register(&rig, rig_tcp_listen(4, &address));
        struct rx_op op;
        rig_start(&rig, &op, RX_ACCEPT, listener, NULL, 0);
        int client = round % 2 ? rig_tcp_socket() : -1;
        if (client >= 0) {
            connect(client, (struct sockaddr *)&address, sizeof address);
        }
        rig.ops->close(rig.rx, listener);
        int64_t result = round % 4 < 2 ? rig_finish(&rig, &op) : rig_cancel(&rig, &op);
        CHECK(result == -ECANCELED || (result >= 0 && client >= 0));
        if (result >= 0) {
            close((int)result);
        }
        if (client >= 0) {
            CHECK(rig_read_to_end(&rig, client) == 0);
            close(client);
        }
    }
    rig_wait_for_descriptors(&rig, before);
    rig_close(&rig);
}

/* shutdown(2) is the caller's, and ends what is in flight. */
static void shutdown_ends_operations_on(struct rig *rig, struct rig_link link) {
    struct both both;
    both_start(rig, &both, link);
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_RDWR), 0);
    for (int i = 0; i < 2; i++) {
        while (poll_one(rig, &both, i) == RX_PENDING) {
            CHECK(rig->ops->wait(rig->rx, 1000000) >= 0);
        }
    }
    CHECK_EQ(both.ops[0].result, 0);
    CHECK(both.ops[1].result == -EPIPE || both.ops[1].result > 0);
    rig->ops->close(rig->rx, link.source);
    both.sent += both.ops[1].result > 0 ? both.ops[1].result : 0;
    CHECK_EQ(rig_read_to_end(rig, link.peer), both.sent);
    rx_probe_close(&both.probes[0]);
    rx_probe_close(&both.probes[1]);
}

static void shutdown_ends_operations(size_t variant) {
    rig_over_families_closing(variant, shutdown_ends_operations_on);
}

/* ---- by a waker ---- */

/* Two links become ready together; the waker of the first to be woken closes both. */
struct closer {
    struct rx_probe probe; /* first, so that the hook finds the rest */
    struct rig *rig;
    struct rig_link link;
    struct rx_op op;
    struct closer *other;
    char bytes[8];
};

static void close_both(struct rx_probe *probe) {
    struct closer *closer = (struct closer *)probe;
    probe->hook = closer->other->probe.hook = NULL;
    closer->rig->ops->close(closer->rig->rx, closer->link.source);
    closer->rig->ops->close(closer->rig->rx, closer->other->link.source);
}

static void close_by_a_waker(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int round = 0; round < 50; round++) {
        struct closer closers[2];
        for (int i = 0; i < 2; i++) {
            struct closer *closer = &closers[i];
            *closer = (struct closer){.rig = &rig, .link = rig_link(&rig, AF_UNIX), .other = &closers[1 - i]};
            rx_probe_init(&closer->probe);
            struct sy_waker waker = rx_probe_waker(&closer->probe);
            rx_op_init(&closer->op, RX_RECV, closer->link.source, closer->bytes, sizeof closer->bytes);
            CHECK_EQ(rig.ops->poll(rig.rx, &closer->op, &waker), RX_PENDING);
        }
        rig_settle(&rig);
        for (int i = 0; i < 2; i++) {
            closers[i].probe.hook = close_both;
            CHECK_EQ(send(closers[i].link.peer, "abc", 3, 0), 3);
        }
        for (int i = 0; i < 2; i++) {
            struct sy_waker waker = rx_probe_waker(&closers[i].probe);
            while (closers[i].probe.hook || rig.ops->poll(rig.rx, &closers[i].op, &waker) == RX_PENDING) {
                CHECK(rig.ops->wait(rig.rx, -1) >= 0);
            }
            CHECK(closers[i].op.result == -ECANCELED || closers[i].op.result == 3);
            rig_read_to_end(&rig, closers[i].link.peer);
            close(closers[i].link.peer);
            rx_probe_close(&closers[i].probe);
        }
    }
    rig_close(&rig);
}

/* ---- against everything ---- */

struct race {
    struct rig rig;
    struct rig_waiter waiter;
    struct rig_link link;
    struct both both;
    struct stat was;
    struct threads_rounds rounds;
    struct ai64 sent, received; /* by the peer: bytes */
    uint64_t seed;
    bool by_cancel[2];
};

static void rest(uint64_t *random) {
    for (uint64_t spin = check_random(random) % 512; spin > 0; spin--) {
        cpu_relax();
    }
}

/* Member 0 and 1 end an operation each, 2 closes, 3 is the peer. */
static void race_end(struct race *race, int i, uint64_t *random) {
    struct rx_op *op = &race->both.ops[i];
    struct rx_probe *probe = &race->both.probes[i];
    struct sy_waker waker = rx_probe_waker(probe);
    int fd = rx_source_fd(race->link.source);
    bool done = false;
    for (uint64_t polls = check_random(random) % 4; polls > 0 && !done; polls--) {
        rest(random);
        done = race->rig.ops->poll(race->rig.rx, op, &waker) == RX_DONE;
    }
    CHECK(done || rig_is_open(fd, &race->was));
    if (!done && race->by_cancel[i]) {
        rest(random);
        done = race->rig.ops->cancel(race->rig.rx, op) == RX_DONE;
    }
    if (!done) {
        rig_finish_asleep(&race->rig, op, probe);
    }
    CHECK(op->result > 0 || op->result == -ECANCELED);
}

static void race_peer(struct race *race, uint64_t *random) {
    char bytes[4096];
    int64_t received = 0;
    bool tell = check_random(random) % 2;
    rest(random);
    if (tell) {
        ssize_t sent = send(race->link.peer, "abc", 3, MSG_DONTWAIT | MSG_NOSIGNAL);
        CHECK(sent == 3 || errno == EPIPE || errno == ECONNRESET);
    }
    for (;;) {
        ssize_t n = recv(race->link.peer, bytes, sizeof bytes, 0);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd more = {.fd = race->link.peer, .events = POLLIN};
            poll(&more, 1, -1);
            continue;
        }
        CHECK(n >= 0 || (tell && errno == ECONNRESET));
        if (n <= 0) {
            break;
        }
        received += n;
    }
    ai64_store_relaxed(&race->received, received);
}

static void race_begin(struct race *race, uint64_t *random) {
    race->link = rig_link(&race->rig, check_random(random) % 4 ? AF_UNIX : AF_INET);
    CHECK_EQ(fstat(rx_source_fd(race->link.source), &race->was), 0);
    both_start(&race->rig, &race->both, race->link);
    rig_flush(&race->rig);
    race->by_cancel[0] = check_random(random) % 2;
    race->by_cancel[1] = check_random(random) % 2;
}

static void race_check(struct race *race) {
    int64_t sent = race->both.sent + (race->both.ops[1].result > 0 ? race->both.ops[1].result : 0);
    int64_t received = ai64_load_relaxed(&race->received);
    CHECK(received == sent || (received <= sent && race->both.ops[0].result < 0)); /* a reset drops what is unread */
    close(race->link.peer);
    rx_probe_close_shared(&race->both.probes[0]);
    rx_probe_close_shared(&race->both.probes[1]);
}

static void race_run(size_t member, void *shared) {
    struct race *race = shared;
    uint64_t meetings = 0, random = race->seed + member;
    for (size_t i = 0; threads_round(&race->rounds, &meetings, member, i); i++) {
        if (member == 2) {
            race_begin(race, &random);
        }
        threads_meet(&race->rounds, &meetings);
        if (member == 2) {
            rest(&random);
            race->rig.ops->close(race->rig.rx, race->link.source);
        } else if (member == 3) {
            race_peer(race, &random);
        } else {
            race_end(race, (int)member, &random);
        }
        threads_meet(&race->rounds, &meetings);
        if (member == 2) {
            race_check(race);
        }
    }
}

static void close_against_everything(size_t variant) {
    unsigned before = support_fd_count();
    static struct race race;
    race = (struct race){.seed = check_seed(), .rounds = threads_rounds_of(4, support_rounds(2000))};
    rig_init(&race.rig, variant);
    rig_waiter_start(&race.waiter, &race.rig);
    threads_run(4, race_run, &race);
    rig_waiter_stop(&race.waiter);
    rig_close(&race.rig);
    CHECK_EQ(support_fd_count(), before);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"close_idle", close_idle},
        {"case_11_close_with_operations_pending", case_11_close_with_operations_pending},
        {"peer_sees_the_end_unread", peer_sees_the_end_unread},
        {"close_after_arrival", close_after_arrival},
        {"number_is_used_again", number_is_used_again},
        {"close_a_listener", close_a_listener},
        {"shutdown_ends_operations", shutdown_ends_operations},
        {"close_by_a_waker", close_by_a_waker},
        {"close_against_everything", close_against_everything},
    };
    return rx_run_suite("suite_rx_close", tests, sizeof tests / sizeof tests[0], argc, argv);
}
