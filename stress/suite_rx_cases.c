/*
 * Cases that other reactors got wrong, over every back end: the ones that need both directions, many at once or many
 * rounds. The other suites have the rest of them, all called case_<number>_<what>.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sched.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- 1: stale events ---- */

/* What was under way for a descriptor that is closed is nothing to the next that gets its number. */
static void case_01_reused_number(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    uint64_t random = check_seed();
    struct rig_link link = rig_link(&rig, AF_UNIX);
    for (unsigned round = 0; round < support_rounds(1000); round++) {
        struct rx_op op;
        char bytes[8];
        int fd = rx_source_fd(link.source);
        rig_begin(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(send(link.peer, "old", 3, 0), 3);
        if (check_random(&random) % 2) {
            rig_settle(&rig);
        }
        int64_t result = rig_cancel(&rig, &op);
        CHECK(result == -ECANCELED || result == 3);
        rig_deregister_and_close(&rig, link.source);
        close(link.peer);
        link = rig_link(&rig, AF_UNIX);
        CHECK_EQ(rx_source_fd(link.source), fd);
        CHECK_EQ(rig_begin(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes), RX_PENDING);
        rig_settle(&rig);
        CHECK_EQ(rig.ops->poll(rig.rx, &op, &rig.waker), RX_PENDING);
        CHECK_EQ(send(link.peer, "newer", 5, 0), 5);
        CHECK_EQ(rig_finish(&rig, &op), 5);
        CHECK(memcmp(bytes, "newer", 5) == 0);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* ---- 3: a stale one-shot event strands the other direction ---- */

struct strand {
    struct rig *rig;
    struct rig_link link;
    struct rx_op ops[2];
    struct rx_probe probes[2];
    bool armed[2];
    char bytes[8];
};

static char block[65536];

static enum rx_status strand_poll(struct strand *strand, int i) {
    struct sy_waker waker = rx_probe_waker(&strand->probes[i]);
    return strand->rig->ops->poll(strand->rig->rx, &strand->ops[i], &waker);
}

/* 0: receives nothing yet. 1: has no room yet. */
static void strand_arm(struct strand *strand, int i) {
    int fd = rx_source_fd(strand->link.source);
    if (i == 1) {
        rig_fill(fd);
    }
    do { /* TCP moves on when it was acknowledged */
        rx_op_init(&strand->ops[i], i ? RX_SEND : RX_RECV, strand->link.source, i ? block : strand->bytes,
                   i ? sizeof block : sizeof strand->bytes);
    } while (strand_poll(strand, i) == RX_DONE);
    strand->armed[i] = true;
}

static void strand_fire(struct strand *strand, int i) {
    uint32_t wakes = rx_probe_wakes(&strand->probes[i]);
    if (i == 0) {
        CHECK_EQ(send(strand->link.peer, "abc", 3, 0), 3);
    }
    while (strand_poll(strand, i) == RX_PENDING) {
        while (rx_probe_wakes(&strand->probes[i]) == wakes) {
            while (i == 1 && recv(strand->link.peer, block, sizeof block, MSG_DONTWAIT) > 0) {
            }
            CHECK(strand->rig->ops->wait(strand->rig->rx, i == 1 ? 1000000 : -1) >= 0);
        }
        wakes = rx_probe_wakes(&strand->probes[i]);
    }
    CHECK(i ? strand->ops[i].result > 0 : strand->ops[i].result == 3);
    strand->armed[i] = false;
}

static void strand_cancel(struct strand *strand, int i) {
    if (strand->rig->ops->cancel(strand->rig->rx, &strand->ops[i]) == RX_PENDING) {
        uint32_t wakes = rx_probe_wakes(&strand->probes[i]);
        while (strand_poll(strand, i) == RX_PENDING) {
            CHECK(strand->rig->ops->wait(strand->rig->rx, 1000000) >= 0);
        }
        CHECK(rx_probe_wakes(&strand->probes[i]) >= wakes);
    }
    strand->armed[i] = false;
}

/* The directions are armed, fire and are cancelled in any order, with events taken in between or not. */
static void case_03_one_direction_strands_the_other_on(struct rig *rig, struct rig_link link) {
    struct strand strand = {.rig = rig, .link = link};
    uint64_t random = check_seed();
    rx_probe_init(&strand.probes[0]);
    rx_probe_init(&strand.probes[1]);
    for (unsigned step = 0; step < support_rounds(1000); step++) {
        uint64_t chosen = check_random(&random);
        int i = chosen & 1;
        if (chosen & 2) {
            rig_settle(rig);
        }
        if (!strand.armed[i]) {
            strand_arm(&strand, i);
        } else if (chosen & 12) {
            strand_fire(&strand, i);
        } else {
            strand_cancel(&strand, i);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (strand.armed[i]) {
            strand_cancel(&strand, i);
        }
        rx_probe_close(&strand.probes[i]);
    }
}

static void case_03_one_direction_strands_the_other(size_t variant) {
    rig_over_families(variant, case_03_one_direction_strands_the_other_on);
}

/* ---- 8: one hot descriptor ---- */

/* Takes what is there, and sees to it that there is more, with an operation to be told of it. */
static void keep_hot(struct rig *rig, struct rx_op *op, struct rig_link link, char *byte) {
    ssize_t sent = send(link.peer, "x", 1, MSG_DONTWAIT);
    CHECK(sent == 1 || errno == EAGAIN);
    for (int times = 0; times < 4 && rig->ops->poll(rig->rx, op, &rig->waker) == RX_DONE; times++) {
        CHECK_EQ(op->result, 1);
        rx_op_init(op, RX_RECV, link.source, byte, 1);
    }
    send(link.peer, "x", 1, MSG_DONTWAIT);
}

/* Some are ready all the time, and a wait brings one event only: the others get their turn nevertheless. */
static void case_08_one_hot_descriptor(size_t variant) {
    enum { OTHERS = 8, HOTS = 3, ALL = OTHERS + HOTS };
    struct rig rig;
    rig_init_batch(&rig, variant, 1);
    struct rig_link links[ALL];
    struct rx_op ops[ALL];
    struct rx_probe others;
    char bytes[ALL][8];
    rx_probe_init(&others);
    struct sy_waker waker = rx_probe_waker(&others);
    for (int i = 0; i < ALL; i++) { /* the hot ones first, in the middle and last */
        links[i] = rig_link(&rig, AF_UNIX);
        rx_op_init(&ops[i], RX_RECV, links[i].source, bytes[i], 1);
        CHECK_EQ(rig.ops->poll(rig.rx, &ops[i], i % 5 == 0 ? &rig.waker : &waker), RX_PENDING);
    }
    rig_settle(&rig);
    for (int round = 0; round < 20; round++) {
        uint32_t before = rx_probe_wakes(&others);
        unsigned waits = 0;
        for (int i = 0; i < ALL; i++) {
            if (i % 5) {
                CHECK_EQ(send(links[i].peer, "x", 1, 0), 1);
            }
        }
        while (rx_probe_wakes(&others) - before < OTHERS) {
            for (int i = 0; i < ALL; i += 5) {
                keep_hot(&rig, &ops[i], links[i], bytes[i]);
            }
            CHECK(rig.ops->wait(rig.rx, 0) >= 0);
            CHECK(++waits < 20 * ALL);
        }
        for (int i = 0; i < ALL; i++) {
            if (i % 5) {
                CHECK_EQ(rig.ops->poll(rig.rx, &ops[i], &waker), RX_DONE);
                CHECK_EQ(ops[i].result, 1);
                rx_op_init(&ops[i], RX_RECV, links[i].source, bytes[i], 1);
                CHECK_EQ(rig.ops->poll(rig.rx, &ops[i], &waker), RX_PENDING);
            }
        }
    }
    for (int i = 0; i < ALL; i++) {
        rig_cancel(&rig, &ops[i]);
        rig_unlink(&rig, links[i]);
    }
    rx_probe_close(&others);
    rig_close(&rig);
}

/* ---- 9: cancel races completion ---- */

/* What either side of a race has to do with the other's end, which is no descriptor of the reactor's. */
struct rival {
    int peer;
    struct sockaddr_in address;
    struct au32 over;
    int64_t received; /* read after the join */
    unsigned rounds;
};

static void *read_all(void *argument) {
    struct rival *rival = argument;
    char bytes[4096];
    for (;;) {
        ssize_t n = recv(rival->peer, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0) {
            return NULL;
        }
        CHECK(n > 0 || errno == EAGAIN);
        for (ssize_t i = 0; i < n; i++) {
            CHECK_EQ((uint8_t)bytes[i], (uint8_t)rival->received++);
        }
        if (n < 0) {
            sched_yield();
        }
    }
}

/* Ends the operation: half of those that wait are cancelled, at some moment. */
static void end_somehow(struct rig *rig, struct rx_op *op, struct rx_probe *probe, uint64_t *random) {
    struct sy_waker waker = rx_probe_waker(probe);
    bool done = rig->ops->poll(rig->rx, op, &waker) == RX_DONE;
    if (!done && check_random(random) % 2) {
        for (uint64_t spin = check_random(random) % 256; spin > 0; spin--) {
            cpu_relax();
        }
        done = rig->ops->cancel(rig->rx, op) == RX_DONE;
    }
    if (!done) {
        rig_finish_asleep(rig, op, probe);
    }
}

/* Bytes of a send that is cancelled were sent, and it says how many, or they were not. */
static void case_09_cancelled_sends_account_for_every_byte(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    struct rx_probe probe;
    rig_init(&rig, variant);
    rx_probe_init(&probe);
    rig_waiter_start(&waiter, &rig);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    struct rival rival = {.peer = link.peer};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, read_all, &rival), 0);
    uint64_t random = check_seed();
    int64_t sent = 0;
    for (unsigned round = 0; round < support_rounds(2000); round++) {
        static uint8_t bytes[100000];
        struct rx_op op;
        size_t length = 1 + check_random(&random) % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)((size_t)sent + i);
        }
        rx_op_init(&op, RX_SEND, link.source, bytes, length);
        end_somehow(&rig, &op, &probe, &random);
        CHECK(op.result > 0 || op.result == -ECANCELED);
        sent += op.result > 0 ? op.result : 0;
    }
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_WR), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(rival.received, sent);
    rig_unlink(&rig, link);
    rig_waiter_stop(&waiter);
    rx_probe_close(&probe);
    rig_close(&rig);
}

/* Connects, and waits for the end of each connection: one that was accepted and forgotten has none. */
static void *connect_often(void *argument) {
    struct rival *rival = argument;
    for (unsigned i = 0; i < rival->rounds; i++) {
        char byte;
        struct linger at_once = {.l_onoff = 1};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0); /* a reset: no port stays taken */
        CHECK_EQ(connect(fd, (struct sockaddr *)&rival->address, sizeof rival->address), 0);
        CHECK_EQ(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
    au32_store_release(&rival->over, 1);
    return NULL;
}

static void case_09_cancelled_accepts_lose_no_descriptor(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    struct rx_probe probe;
    unsigned before = support_fd_count();
    rig_init(&rig, variant);
    rx_probe_init(&probe);
    rig_waiter_start(&waiter, &rig);
    struct rival rival = {.rounds = support_rounds(1000)};
    struct rx_source *listener = rig_register(&rig, rig_tcp_listen(16, &rival.address));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, connect_often, &rival), 0);
    struct sy_waker waker = rx_probe_waker(&probe);
    uint64_t random = check_seed();
    unsigned accepted = 0;
    while (accepted < rival.rounds) {
        struct rx_op op;
        rx_op_init(&op, RX_ACCEPT, listener, NULL, 0);
        bool done = rig.ops->poll(rig.rx, &op, &waker) == RX_DONE;
        for (uint64_t spin = check_random(&random) % 4096; !done && spin > 0; spin--) {
            cpu_relax();
        }
        if (!done && rig.ops->cancel(rig.rx, &op) == RX_PENDING) {
            rig_finish_asleep(&rig, &op, &probe);
        }
        CHECK(op.result >= 0 || op.result == -ECANCELED);
        if (op.result >= 0) {
            close((int)op.result);
            accepted++;
        }
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    rig_deregister_and_close(&rig, listener);
    rig_waiter_stop(&waiter);
    rx_probe_close_shared(&probe);
    rig_close(&rig);
    CHECK_EQ(support_fd_count(), before);
}

/* ---- 12: more completions than there is room for ---- */

enum { CROWD = 1500 };

struct crowd {
    struct rig rig;
    struct rig_link links[CROWD];
    struct rx_op ops[CROWD];
    char bytes[CROWD][512];
};

static struct crowd *crowd_open(size_t variant) {
    if (!rig_raise_descriptor_limit(2 * CROWD + 100)) {
        check_skip("needs %d descriptors, more than this process may raise its limit to", 2 * CROWD + 100);
        return NULL;
    }
    struct crowd *crowd = calloc(1, sizeof *crowd);
    CHECK(crowd != NULL);
    rig_init_batch(&crowd->rig, variant, 1);
    for (int i = 0; i < CROWD; i++) {
        crowd->links[i] = rig_link(&crowd->rig, AF_UNIX);
    }
    return crowd;
}

static void crowd_close(struct crowd *crowd) {
    for (int i = 0; i < CROWD; i++) {
        rig_unlink(&crowd->rig, crowd->links[i]);
    }
    rig_close(&crowd->rig);
    free(crowd);
}

/* All complete before anybody waits, in a reactor made for one event at a time. */
static void case_12_completions_overflow(size_t variant) {
    struct crowd *crowd = crowd_open(variant);
    for (int round = 0; crowd && round < 3; round++) {
        for (int i = 0; i < CROWD; i++) {
            rig_begin(&crowd->rig, &crowd->ops[i], RX_RECV, crowd->links[i].source, crowd->bytes[i], 8);
        }
        rig_flush(&crowd->rig);
        for (int i = 0; i < CROWD; i++) {
            CHECK_EQ(send(crowd->links[i].peer, &i, sizeof i, 0), sizeof i);
        }
        for (int i = 0; i < CROWD; i++) {
            CHECK_EQ(rig_finish(&crowd->rig, &crowd->ops[i]), sizeof i);
            CHECK(memcmp(crowd->bytes[i], &i, sizeof i) == 0);
        }
    }
    if (crowd) {
        crowd_close(crowd);
    }
}

/* More data than any pool of buffers holds arrives for all of them; it is received in pieces, and none is missing. */
static void case_12_buffers_run_out(size_t variant) {
    enum { EACH = 16384 };
    struct crowd *crowd = crowd_open(variant);
    static uint8_t data[CROWD + EACH];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 31 >> 3);
    }
    for (int i = 0; crowd && i < CROWD; i++) {
        rig_begin(&crowd->rig, &crowd->ops[i], RX_RECV, crowd->links[i].source, crowd->bytes[i], 512);
    }
    for (int i = 0; crowd && i < CROWD; i++) {
        CHECK_EQ(send(crowd->links[i].peer, data + i, EACH, 0), EACH);
        CHECK_EQ(shutdown(crowd->links[i].peer, SHUT_WR), 0);
    }
    for (int i = 0; crowd && i < CROWD; i++) {
        struct rx_op *op = &crowd->ops[i];
        size_t got = 0;
        for (int64_t n = rig_finish(&crowd->rig, op); n != 0; n = rig_finish(&crowd->rig, op)) {
            CHECK(n > 0 && memcmp(crowd->bytes[i], data + i + got, (size_t)n) == 0);
            got += (size_t)n;
            rx_op_init(op, RX_RECV, crowd->links[i].source, crowd->bytes[i], 512);
        }
        CHECK_EQ(got, EACH);
    }
    if (crowd) {
        crowd_close(crowd);
    }
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"case_01_reused_number", case_01_reused_number},
        {"case_03_one_direction_strands_the_other", case_03_one_direction_strands_the_other},
        {"case_08_one_hot_descriptor", case_08_one_hot_descriptor},
        {"case_09_cancelled_sends_account_for_every_byte", case_09_cancelled_sends_account_for_every_byte},
        {"case_09_cancelled_accepts_lose_no_descriptor", case_09_cancelled_accepts_lose_no_descriptor},
        {"case_12_completions_overflow", case_12_completions_overflow},
        {"case_12_buffers_run_out", case_12_buffers_run_out},
    };
    return rx_run_suite("suite_rx_cases", tests, sizeof tests / sizeof tests[0], argc, argv);
}
