/*
 * Descriptors that come and go, over every back end: late events, duplicates, and registration beside everything.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- late events, reused descriptors ---- */

/* Two links become ready in one batch; whichever is woken first replaces the other by a new link on its descriptor. */
struct pair_member {
    struct rx_probe probe; /* first, so that the hook finds the rest */
    struct rig *rig;
    struct rig_link link;
    struct rx_op op;
    struct pair_member *other;
    char bytes[8];
};

static void member_start(struct pair_member *member) {
    struct sy_waker waker = rx_probe_waker(&member->probe);
    rx_op_init(&member->op, RX_RECV, member->link.source, member->bytes, sizeof member->bytes);
    CHECK_EQ(member->rig->ops->poll(member->rig->rx, &member->op, &waker), RX_PENDING);
}

static void replace_other(struct rx_probe *probe) {
    struct pair_member *other = ((struct pair_member *)probe)->other;
    struct rig *rig = other->rig;
    int old_fd = rx_source_fd(other->link.source), fds[2];
    probe->hook = other->probe.hook = NULL;
    CHECK_EQ(rig_cancel(rig, &other->op), -ECANCELED);
    rig->ops->deregister(rig->rx, other->link.source);
    close(other->link.peer);
    rig_socket_pair(AF_UNIX, fds);
    CHECK_EQ(dup3(fds[0], old_fd, O_CLOEXEC), old_fd); /* closes the old one */
    close(fds[0]);
    other->link = (struct rig_link){rig_register(rig, old_fd), fds[1]};
    member_start(other);
}

static void case_01_stale_event(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (rig.ops->completion) {
        check_skip("a completion back end has no batch of readiness events");
        rig_close(&rig);
        return;
    }
    struct pair_member members[2];
    for (int i = 0; i < 2; i++) {
        rx_probe_init(&members[i].probe);
        members[i].rig = &rig;
        members[i].other = &members[1 - i];
        members[i].link = rig_link(&rig, AF_UNIX);
        member_start(&members[i]);
    }
    rig_settle(&rig);
    for (int i = 0; i < 2; i++) {
        members[i].probe.hook = replace_other;
        CHECK_EQ(send(members[i].link.peer, "abc", 3, 0), 3);
    }
    CHECK_EQ(rig.ops->wait(rig.rx, -1), 1); /* the other's event is nobody's any more */
    CHECK_EQ(rx_probe_wakes(&members[0].probe) + rx_probe_wakes(&members[1].probe), 1);
    for (int i = 0; i < 2; i++) {
        struct sy_waker waker = rx_probe_waker(&members[i].probe);
        if (rx_probe_wakes(&members[i].probe) == 0) { /* the new link works */
            CHECK_EQ(rig.ops->poll(rig.rx, &members[i].op, &waker), RX_PENDING);
            CHECK_EQ(send(members[i].link.peer, "def", 3, 0), 3);
            CHECK(rig.ops->wait(rig.rx, -1) > 0);
        }
        CHECK_EQ(rig.ops->poll(rig.rx, &members[i].op, &waker), RX_DONE);
        CHECK_EQ(members[i].op.result, 3);
        rig_unlink(&rig, members[i].link);
        rx_probe_close(&members[i].probe);
    }
    rig_close(&rig);
}

/* A send that finds no room. */
struct sender {
    struct rx_probe probe;
    struct rig_link link;
    struct rx_op op;
};

static char block[65536];

static void sender_start(struct sender *sender, struct rig *rig) {
    rx_probe_init(&sender->probe);
    struct sy_waker waker = rx_probe_waker(&sender->probe);
    sender->link = rig_link(rig, AF_UNIX);
    rig_fill(rx_source_fd(sender->link.source));
    rx_op_init(&sender->op, RX_SEND, sender->link.source, block, sizeof block);
    CHECK_EQ(rig->ops->poll(rig->rx, &sender->op, &waker), RX_PENDING);
}

static void sender_make_room(struct sender *sender) {
    while (recv(sender->link.peer, block, sizeof block, MSG_DONTWAIT) > 0) {
    }
}

static void sender_end(struct sender *sender, struct rig *rig) {
    CHECK_EQ(rig_cancel(rig, &sender->op), -ECANCELED);
    rig_unlink(rig, sender->link);
    rx_probe_close(&sender->probe);
}

/* Two have room, of which a wait may tell one; the other goes, and what is still to be told is nothing to the next. */
static void case_01_stale_room(size_t variant) {
    struct rig rig;
    struct sender senders[2];
    rig_init_batch(&rig, variant, 1);
    if (rig.ops->completion) {
        check_skip("a completion back end has no batch of readiness events");
        rig_close(&rig);
        return;
    }
    sender_start(&senders[0], &rig);
    sender_start(&senders[1], &rig);
    rig_settle(&rig);
    sender_make_room(&senders[0]);
    sender_make_room(&senders[1]);
    CHECK(rig.ops->wait(rig.rx, -1) >= 0);
    int told = rx_probe_wakes(&senders[0].probe) ? 0 : 1;
    CHECK_EQ(rx_probe_wakes(&senders[!told].probe), 0);
    sender_end(&senders[!told], &rig);
    sender_start(&senders[!told], &rig);
    for (int i = 0; i < 4; i++) {
        CHECK(rig.ops->wait(rig.rx, 0) >= 0);
    }
    CHECK_EQ(rx_probe_wakes(&senders[!told].probe), 0);
    sender_end(&senders[0], &rig);
    sender_end(&senders[1], &rig);
    rig_close(&rig);
}

/* The same descriptor, still open, once more, with what had come before. */
static void registered_again(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    for (int round = 0; round < 200; round++) {
        struct rx_op op;
        char bytes[8];
        rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        int fd = rx_source_fd(link.source);
        rig.ops->deregister(rig.rx, link.source);
        link.source = rig_register(&rig, fd);
        CHECK_EQ(rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes), 3);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* A duplicate keeps the connection open after deregister and close: its bytes are no event any more. */
static void case_02_duplicate_after_close(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    struct rx_op op;
    char bytes[8];
    int duplicate = dup(rx_source_fd(link.source)), same_fd = rx_source_fd(link.source);
    rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
    CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
    rig_deregister_and_close(&rig, link.source);
    struct rig_link next = rig_link(&rig, AF_UNIX);
    CHECK_EQ(rx_source_fd(next.source), same_fd);
    rig_start(&rig, &op, RX_RECV, next.source, bytes, sizeof bytes);
    uint32_t wakes = rx_probe_wakes(&rig.probe);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    int64_t start_ns = check_now_ns();
    CHECK_EQ(rig.ops->wait(rig.rx, 1000000), 0);
    CHECK(check_now_ns() - start_ns >= 1000000); /* nor does it end a wait */
    CHECK_EQ(rx_probe_wakes(&rig.probe), wakes);
    struct rx_source *again = rig_register(&rig, duplicate);
    CHECK_EQ(rig_do(&rig, RX_RECV, again, bytes, sizeof bytes), 3);
    CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
    rig_deregister_and_close(&rig, again);
    close(link.peer);
    rig_unlink(&rig, next);
    rig_close(&rig);
}

/* ---- registration beside everything ---- */

struct talker {
    struct rig *rig;
    uint64_t seed;
    int64_t rounds;
};

static void *register_and_talk(void *argument) {
    struct talker *talker = argument;
    struct rig *rig = talker->rig;
    struct rx_probe probe;
    rx_probe_init(&probe);
    struct sy_waker waker = rx_probe_waker(&probe);
    for (int64_t round = 0; round < talker->rounds; round++) {
        struct rig_link link = rig_link(rig, AF_UNIX);
        uint64_t chosen = check_random(&talker->seed);
        struct rx_op op;
        uint64_t bytes;
        rx_op_init(&op, RX_RECV, link.source, &bytes, sizeof bytes);
        bool done = chosen & 1 && rig->ops->poll(rig->rx, &op, &waker) == RX_DONE;
        CHECK(!done);
        CHECK_EQ(send(link.peer, &chosen, sizeof chosen, 0), sizeof chosen);
        if (chosen & 2) {
            CHECK_EQ(rig_finish_asleep(rig, &op, &probe), sizeof bytes);
            CHECK(bytes == chosen); /* this connection's, not another's */
        } else if (rig->ops->cancel(rig->rx, &op) == RX_PENDING) {
            rig_finish_asleep(rig, &op, &probe);
        }
        rig_unlink(rig, link); /* perhaps with its event under way */
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

static void registered_by_four(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    rig_init(&rig, variant);
    rig_waiter_start(&waiter, &rig);
    struct talker talkers[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        talkers[i] = (struct talker){&rig, check_seed() + i, (int64_t)support_rounds(4000)};
        CHECK_EQ(pthread_create(&threads[i], NULL, register_and_talk, &talkers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    rig_waiter_stop(&waiter);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"case_01_stale_event", case_01_stale_event},
        {"case_01_stale_room", case_01_stale_room},
        {"case_02_duplicate_after_close", case_02_duplicate_after_close},
        {"registered_again", registered_again},
        {"registered_by_four", registered_by_four},
    };
    return rx_run_suite("suite_rx_sources", tests, sizeof tests / sizeof tests[0], argc, argv);
}
