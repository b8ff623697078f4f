/*
 * Many connections, and long ones, over every back end: ten thousand of which a few are active, a hundred thousand that
 * come and go, a peer that reads slowly, one that has nothing more to say, and operations of which many are cancelled.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- many ---- */

struct member {
    struct rig_link link;
    struct rx_op op;
    uint64_t bytes;
};

/* Of 10,000 descriptors 100 are active, as in libevent's benchmark. The idle ones, event counters so that one
 * descriptor each will do, are never woken. */
static void ten_thousand(size_t variant) {
    enum { ALL = 10000, EVERY = 100, ROUNDS = 10, NEEDED = ALL + ALL / EVERY + 100 };
    if (!rig_raise_descriptor_limit(NEEDED)) {
        check_skip("needs %d descriptors, more than this process may raise its limit to", NEEDED);
        return;
    }
    struct rig rig;
    rig_init(&rig, variant);
    struct rx_probe idle;
    rx_probe_init(&idle);
    struct sy_waker idle_waker = rx_probe_waker(&idle);
    struct member *members = calloc(ALL, sizeof *members);
    CHECK(members != NULL);
    for (int i = 0; i < ALL; i++) {
        struct member *member = &members[i];
        if (i % EVERY == 0) {
            member->link = rig_link(&rig, AF_UNIX);
        } else {
            member->link.source = rig_register(&rig, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        }
    }
    rig_settle(&rig);
    for (int i = 0; i < ALL; i++) {
        bool active = i % EVERY == 0;
        rx_op_init(&members[i].op, RX_READ, members[i].link.source, &members[i].bytes, sizeof members[i].bytes);
        CHECK_EQ(rig.ops->poll(rig.rx, &members[i].op, active ? &rig.waker : &idle_waker), RX_PENDING);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < ALL; i += EVERY) {
            CHECK_EQ(send(members[i].link.peer, "x", 1, 0), 1);
        }
        for (int i = 0; i < ALL; i += EVERY) {
            CHECK_EQ(rig_finish(&rig, &members[i].op), 1);
            rx_op_init(&members[i].op, RX_READ, members[i].link.source, &members[i].bytes, sizeof members[i].bytes);
            CHECK_EQ(rig.ops->poll(rig.rx, &members[i].op, &rig.waker), RX_PENDING);
        }
    }
    CHECK_EQ(rx_probe_wakes(&idle), 0);
    for (int i = 0; i < ALL; i++) {
        CHECK_EQ(rig_cancel(&rig, &members[i].op), -ECANCELED);
        rig_deregister_and_close(&rig, members[i].link.source);
        if (i % EVERY == 0) {
            close(members[i].link.peer);
        }
    }
    free(members);
    rx_probe_close(&idle);
    rig_close(&rig);
}

/* ---- come and go ---- */

#define CYCLES 100000

struct door {
    union {
        struct sockaddr_in internet;
        struct sockaddr_un local;
    } address;
    size_t size;
    struct rx_source *listener;
};

static void open_local(struct rig *rig, struct door *door) {
    struct sockaddr_un *address = &door->address.local;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "stealyard-many-%d", getpid());
    door->size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)address, (socklen_t)door->size), 0);
    CHECK_EQ(listen(fd, 16), 0);
    door->listener = rig_register(rig, fd);
}

static void open_internet(struct rig *rig, struct door *door) {
    door->size = sizeof door->address.internet;
    door->listener = rig_register(rig, rig_tcp_listen(16, &door->address.internet));
}

/* One connection, both of its ends registered; every other is closed with a receive in flight. */
static void come_and_go(struct rig *rig, const struct door *door, unsigned cycle) {
    struct rx_op accepting, receiving;
    struct linger at_once = {.l_onoff = 1};
    char bytes[8];
    int family = ((const struct sockaddr *)&door->address)->sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0); /* a reset: no port stays taken */
    struct rx_source *client = rig_register(rig, fd);
    enum rx_status status = rig_begin(rig, &accepting, RX_ACCEPT, door->listener, NULL, 0);
    CHECK_EQ(rig_do(rig, RX_CONNECT, client, (void *)(uintptr_t)&door->address, door->size), 0);
    int64_t accepted = status == RX_DONE ? accepting.result : rig_finish(rig, &accepting);
    CHECK(accepted >= 0);
    struct rx_source *server = rig_register(rig, (int)accepted);
    if (cycle % 2) {
        CHECK_EQ(rig_begin(rig, &receiving, RX_RECV, server, bytes, sizeof bytes), RX_PENDING);
    } else {
        CHECK_EQ(rig_do(rig, RX_SEND, client, "hello", 5), 5);
        CHECK_EQ(rig_do(rig, RX_RECV, server, bytes, sizeof bytes), 5);
    }
    rig->ops->close(rig->rx, server);
    if (cycle % 2) {
        CHECK_EQ(rig_cancel(rig, &receiving), -ECANCELED);
    }
    rig->ops->close(rig->rx, client);
}

/*
 * A hundred thousand with STEALYARD_FULL in the environment; without, in the first variant only and a twentieth in the
 * others; fewer under a sanitizer.
 */
static unsigned cycles_of(size_t variant) {
    unsigned cycles = support_rounds(variant == 0 || getenv("STEALYARD_FULL") ? CYCLES : CYCLES / 20);
    if (cycles < CYCLES) {
        printf("     %u cycles; STEALYARD_FULL=1 without a sanitizer: %u\n", cycles, CYCLES);
    }
    return cycles;
}

/* No descriptor is left over. */
static void connect_and_close(size_t variant) {
    unsigned before = support_fd_count(), cycles = cycles_of(variant);
    struct rig rig;
    rig_init(&rig, variant);
    struct door doors[2];
    open_local(&rig, &doors[0]);
    open_internet(&rig, &doors[1]);
    for (unsigned i = 0; i < cycles; i++) {
        come_and_go(&rig, &doors[i % 8 == 7], i / 8 + i);
        if (i % 256 == 0) {
            rig_wait_for_descriptors(&rig, before + 16);
        }
    }
    rig.ops->close(rig.rx, doors[0].listener);
    rig.ops->close(rig.rx, doors[1].listener);
    rig_close(&rig);
    CHECK_EQ(support_fd_count(), before);
}

/* ---- slow and half-closed peers ---- */

/* Reads a little, and only when nothing more goes out: the sender waits for room most of the time. */
static void slow_reader_on(struct rig *rig, struct rig_link link) {
    static char data[200000];
    int64_t sent = 0, received = 0;
    for (unsigned round = 0; round < support_rounds(100) + 10; round++) {
        struct rx_op op;
        enum rx_status status = rig_begin(rig, &op, RX_SEND, link.source, data, sizeof data);
        while (status == RX_PENDING) {
            char bytes[4096];
            ssize_t n = recv(link.peer, bytes, sizeof bytes, MSG_DONTWAIT);
            CHECK(n > 0 || errno == EAGAIN);
            received += n > 0 ? n : 0;
            CHECK(rig->ops->wait(rig->rx, n > 0 ? 0 : 100000) >= 0);
            status = rig->ops->poll(rig->rx, &op, &rig->waker);
        }
        CHECK(op.result > 0);
        sent += op.result;
    }
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_WR), 0);
    CHECK_EQ(received + rig_read_to_end(rig, link.peer), sent);
}

static void slow_reader(size_t variant) {
    rig_over_families(variant, slow_reader_on);
}

/* A peer that has said all it had to say still gets its answer, however long, and its end. */
static void half_closed_peer_on(struct rig *rig, struct rig_link link) {
    static char data[200000];
    char bytes[8];
    int64_t sent = 0, received = 0;
    struct rx_op op;
    rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(shutdown(link.peer, SHUT_WR), 0);
    CHECK_EQ(rig_finish(rig, &op), 3);
    CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 0);
    while (sent < 5000000) {
        rx_op_init(&op, RX_SEND, link.source, data, sizeof data);
        while (rig->ops->poll(rig->rx, &op, &rig->waker) == RX_PENDING) {
            ssize_t n = recv(link.peer, data, sizeof data, MSG_DONTWAIT);
            CHECK(n > 0 || errno == EAGAIN);
            received += n > 0 ? n : 0;
            CHECK(rig->ops->wait(rig->rx, 0) >= 0);
        }
        CHECK(op.result > 0);
        sent += op.result;
    }
    rig->ops->close(rig->rx, link.source);
    CHECK_EQ(received + rig_read_to_end(rig, link.peer), sent);
}

static void half_closed_peer(size_t variant) {
    rig_over_families_closing(variant, half_closed_peer_on);
}

/* ---- random cancel against random completion ---- */

/* One end of a connection: what it has sent and received, each byte a function of its place in the stream. */
struct end {
    struct rx_source *source;
    struct rx_op ops[2];
    struct rx_probe probes[2];
    bool pending[2];
    uint32_t seen[2]; /* wakes when it was polled last */
    int64_t moved[2]; /* bytes */
    uint8_t bytes[2][3000];
};

static uint8_t byte_at(int64_t place) {
    return (uint8_t)((uint64_t)place * 167 >> 4);
}

static void account(struct end *end, int out) {
    struct rx_op *op = &end->ops[out];
    end->pending[out] = false;
    CHECK(op->result > 0 || op->result == -ECANCELED);
    for (int64_t i = 0; i < op->result && !out; i++) {
        CHECK_EQ(end->bytes[0][i], byte_at(end->moved[0] + i));
    }
    end->moved[out] += op->result > 0 ? op->result : 0;
}

static void poll_end(struct rig *rig, struct end *end, int out) {
    struct sy_waker waker = rx_probe_waker(&end->probes[out]);
    end->seen[out] = rx_probe_wakes(&end->probes[out]);
    end->pending[out] = true;
    if (rig->ops->poll(rig->rx, &end->ops[out], &waker) == RX_DONE) {
        account(end, out);
    }
}

static void begin_end(struct rig *rig, struct end *end, int out, uint64_t length) {
    for (uint64_t i = 0; i < length && out; i++) {
        end->bytes[1][i] = byte_at(end->moved[1] + (int64_t)i);
    }
    rx_op_init(&end->ops[out], out ? RX_SEND : RX_RECV, end->source, end->bytes[out], length);
    poll_end(rig, end, out);
}

static void cancel_end(struct rig *rig, struct end *end, int out) {
    if (rig->ops->cancel(rig->rx, &end->ops[out]) == RX_DONE) {
        account(end, out);
        return;
    }
    while (end->pending[out]) {
        CHECK(rig->ops->wait(rig->rx, 1000000) >= 0);
        poll_end(rig, end, out);
    }
}

static void do_something(struct rig *rig, struct end *end, uint64_t *random) {
    uint64_t chosen = check_random(random);
    int out = chosen & 1;
    if (!end->pending[out]) {
        begin_end(rig, end, out, 1 + (chosen >> 8) % sizeof end->bytes[0]);
    } else if ((chosen & 6) == 0) {
        cancel_end(rig, end, out);
    } else if ((chosen & 6) == 2 || rx_probe_wakes(&end->probes[out]) != end->seen[out]) {
        poll_end(rig, end, out);
    }
    if ((chosen & 56) == 0) {
        CHECK(rig->ops->wait(rig->rx, 0) >= 0);
    }
}

/* Receives until as much has come as the other end sent. */
static void drain(struct rig *rig, struct end *end, const struct end *other) {
    while (end->moved[0] < other->moved[1]) {
        if (!end->pending[0]) {
            begin_end(rig, end, 0, sizeof end->bytes[0]);
        } else if (rx_probe_wakes(&end->probes[0]) != end->seen[0]) {
            poll_end(rig, end, 0);
        } else {
            CHECK(rig->ops->wait(rig->rx, -1) >= 0);
        }
    }
    CHECK_EQ(end->moved[0], other->moved[1]);
}

static void case_09_random_cancels(size_t variant) {
    enum { PAIRS = 4 };
    static struct end ends[PAIRS][2];
    struct rig rig;
    rig_init(&rig, variant);
    uint64_t random = check_seed();
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        rig_socket_pair(i % 2 ? AF_UNIX : AF_INET, fds);
        for (int k = 0; k < 2; k++) {
            ends[i][k] = (struct end){.source = rig_register(&rig, fds[k])};
            rx_probe_init(&ends[i][k].probes[0]);
            rx_probe_init(&ends[i][k].probes[1]);
        }
    }
    for (unsigned step = 0; step < support_rounds(40000); step++) {
        uint64_t chosen = check_random(&random);
        do_something(&rig, &ends[chosen % PAIRS][chosen >> 8 & 1], &random);
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        struct end *end = &ends[i / 2][i % 2];
        if (end->pending[1]) {
            cancel_end(&rig, end, 1);
        }
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        drain(&rig, &ends[i / 2][i % 2], &ends[i / 2][!(i % 2)]);
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        struct end *end = &ends[i / 2][i % 2];
        if (end->pending[0]) {
            cancel_end(&rig, end, 0);
        }
        rx_probe_close(&end->probes[0]);
        rx_probe_close(&end->probes[1]);
        rig_deregister_and_close(&rig, end->source);
    }
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"ten_thousand", ten_thousand},
        {"connect_and_close", connect_and_close},
        {"slow_reader", slow_reader},
        {"half_closed_peer", half_closed_peer},
        {"case_09_random_cancels", case_09_random_cancels},
    };
    return rx_run_suite("suite_rx_many", tests, sizeof tests / sizeof tests[0], argc, argv);
}
