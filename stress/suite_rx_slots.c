/*
 * Who waits where, over every back end: threads that wait one after the other, or each in a slot of its own where the
 * back end cannot be stolen; operations polled by threads that wait nowhere, and what they leave to a flush.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sched.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* Slots to wait in: where a back end has one place for all, that one. */
static unsigned slots_of(const struct rig *rig, unsigned most) {
    return rig->ops->stealable ? 1 : most;
}

/* Nobody is attached any more. */
static void rig_destroy(struct rig *rig) {
    rig->ops->destroy(rig->rx);
    rx_probe_close(&rig->probe);
}

static void table_is_filled(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    const struct rx_ops *ops = rig.ops;
    CHECK(strncmp(ops->name, "rx_", 3) == 0 && ops->summary && ops->source && ops->cost && !ops->missing);
    CHECK(ops->register_fd && ops->deregister && ops->close && ops->poll && ops->cancel && ops->wait && ops->wake);
    CHECK_EQ(ops->stealable, !ops->attach);
    CHECK_EQ(ops->stealable, !ops->detach);
    CHECK_EQ(ops->reads_ahead, !!ops->unread);
    rig_flush(&rig); /* of nothing */
    rig_close(&rig);
}

/* ---- operations by threads that wait nowhere ---- */

struct player {
    struct rig *rig;
    struct rx_source *source;
    unsigned rounds;
    bool serves;
    pthread_t thread;
};

static void *play(void *argument) {
    struct player *player = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    char byte = 'x';
    for (unsigned i = 0; i < 2 * player->rounds; i++) {
        bool sends = (i % 2 == 0) == player->serves;
        struct rx_op op;
        rx_op_init(&op, sends ? RX_SEND : RX_RECV, player->source, &byte, sends ? 1 : 2);
        CHECK_EQ(rig_finish_asleep(player->rig, &op, &probe), 1);
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

/* Four pairs play over as many slots as there are; each pair's two ends may live in different ones. */
static void several_slots(size_t variant) {
    enum { SLOTS = 3, PLAYERS = 8 };
    struct rig rig;
    struct rig_waiter waiters[SLOTS];
    struct player players[PLAYERS];
    rig_init_slots(&rig, variant, 16, SLOTS);
    rig_detach(&rig);
    unsigned slots = slots_of(&rig, SLOTS);
    for (unsigned i = 0; i < slots; i++) {
        rig_waiter_start_in(&waiters[i], &rig, i);
    }
    for (size_t i = 0; i < PLAYERS; i += 2) {
        int fds[2];
        rig_socket_pair(AF_UNIX, fds);
        for (size_t k = 0; k < 2; k++) {
            players[i + k] = (struct player){&rig, rig_register(&rig, fds[k]), support_rounds(1000), k == 0, 0};
        }
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        CHECK_EQ(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        CHECK_EQ(pthread_join(players[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        rig_deregister_and_close(&rig, players[i].source);
    }
    for (unsigned i = 0; i < slots; i++) {
        rig_waiter_end(&waiters[i]);
    }
    rig_destroy(&rig);
}

/* An operation's first poll here, the others elsewhere: by threads that have ended when it completes. */
struct first_poll {
    struct rig *rig;
    struct rx_op *op;
    bool waits; /* attached meanwhile */
};

static void *poll_once(void *argument) {
    struct first_poll *first = argument;
    if (first->waits) {
        rig_attach(first->rig);
    }
    CHECK_EQ(first->rig->ops->poll(first->rig->rx, first->op, &first->rig->waker), RX_PENDING);
    rig_flush(first->rig);
    if (first->waits) {
        CHECK(first->rig->ops->wait(first->rig->rx, 0) >= 0);
        rig_detach(first->rig);
    }
    return NULL;
}

static void poll_in_a_thread(struct first_poll *first) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, poll_once, first), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/*
 * The thread that polled an operation has ended, and where there are slots the one that was attached, before the event:
 * the operation goes on under the next, and is told neither too early nor never.
 */
static void case_10_thread_exits_with_operations_in_flight(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (unsigned round = 0; round < support_rounds(100) + 8; round++) {
        struct rig_link link = rig_link(&rig, round & 1 ? AF_UNIX : AF_INET);
        struct rx_op op;
        char bytes[8];
        struct first_poll first = {&rig, &op, round & 2};
        rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
        if (first.waits) {
            rig_detach(&rig);
        }
        poll_in_a_thread(&first);
        if (round & 4) {
            CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        }
        if (first.waits) {
            rig_attach(&rig);
        }
        if (!(round & 4)) {
            rig_settle(&rig);
            CHECK_EQ(rig.ops->poll(rig.rx, &op, &rig.waker), RX_PENDING);
            CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        }
        CHECK_EQ(rig_finish(&rig, &op), 3);
        rig_unlink(&rig, link);
    }
    rig_close(&rig);
}

/* Operations in flight while waiters come and go: who polls sleeps, and never for good. */
struct coming {
    struct rig *rig;
    struct au32 stop;
    unsigned slot;
    uint64_t seed;
};

static void *come_and_go(void *argument) {
    struct coming *coming = argument;
    struct rig *rig = coming->rig;
    bool last = false;
    while (!last) {
        last = au32_load_acquire(&coming->stop);
        struct rig_waiter waiter;
        rig_waiter_start_in(&waiter, rig, coming->slot);
        uint64_t waits = check_random(&coming->seed) % 16;
        while (au64_load_relaxed(&waiter.waits) < waits && !au32_load_acquire(&coming->stop)) {
            sched_yield();
        }
        rig_waiter_end(&waiter);
    }
    return NULL;
}

static void waiters_come_and_go(size_t variant) {
    enum { SLOTS = 2 };
    struct rig rig;
    rig_init_slots(&rig, variant, 16, SLOTS);
    rig_detach(&rig);
    struct coming coming[SLOTS];
    pthread_t threads[SLOTS];
    unsigned slots = slots_of(&rig, SLOTS);
    for (unsigned i = 0; i < slots; i++) {
        coming[i] = (struct coming){.rig = &rig, .slot = i, .seed = check_seed() + i};
        CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, &coming[i]), 0);
    }
    struct player players[2];
    int fds[2];
    rig_socket_pair(AF_UNIX, fds);
    for (int i = 0; i < 2; i++) {
        players[i] = (struct player){&rig, rig_register(&rig, fds[i]), support_rounds(2000), i == 0, 0};
        CHECK_EQ(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(players[i].thread, NULL), 0);
        rig_deregister_and_close(&rig, players[i].source);
    }
    for (unsigned i = 0; i < slots; i++) {
        au32_store_release(&coming[i].stop, 1);
        rig.ops->wake(rig.rx, i);
    }
    for (unsigned i = 0; i < slots; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    rig_destroy(&rig);
}

/* ---- wakes and slots ---- */

/* A wake is for its slot alone; without slots there is one place. */
static void wake_of_a_slot(size_t variant) {
    enum { SLOTS = 3 };
    struct rig rig;
    struct rig_waiter waiters[SLOTS];
    rig_init_slots(&rig, variant, 16, SLOTS);
    rig_detach(&rig);
    unsigned slots = slots_of(&rig, SLOTS);
    for (unsigned i = 0; i < slots; i++) {
        rig_waiter_start_in(&waiters[i], &rig, i);
    }
    for (unsigned round = 0; round < support_rounds(1000); round++) {
        unsigned chosen = round % slots;
        uint64_t before[SLOTS];
        for (unsigned i = 0; i < slots; i++) {
            before[i] = au64_load_relaxed(&waiters[i].waits);
        }
        rig.ops->wake(rig.rx, chosen);
        while (au64_load_relaxed(&waiters[chosen].waits) == before[chosen]) {
            sched_yield();
        }
        for (unsigned i = 0; i < slots; i++) {
            CHECK(i == chosen || au64_load_relaxed(&waiters[i].waits) == before[i]);
        }
    }
    for (unsigned i = 0; i < slots; i++) {
        rig_waiter_end(&waiters[i]);
    }
    rig_destroy(&rig);
}

/* A wake finds its slot empty: the next thread there does not wait. */
static void wake_before_attach(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int round = 0; round < 20; round++) {
        rig_detach(&rig);
        rig.ops->wake(rig.rx, 0);
        rig_attach(&rig);
        CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
    }
    rig_close(&rig);
}

/* Nor does one get lost whose thread leaves without having waited. */
static void wake_outlasts_a_detach(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int round = 0; round < 20; round++) {
        rig.ops->wake(rig.rx, 0);
        rig_detach(&rig);
        rig_attach(&rig);
        CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
    }
    rig_close(&rig);
}

/* Nor if it is seen while a source ends, for which completions may be taken. */
static void wake_outlasts_the_end_of_a_source(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int round = 0; round < 40; round++) {
        struct rig_link link = rig_link(&rig, round & 1 ? AF_UNIX : AF_INET);
        struct rx_op op;
        char byte;
        rig_start(&rig, &op, RX_RECV, link.source, &byte, 1);
        CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
        rig_settle(&rig);
        rig.ops->wake(rig.rx, 0);
        if (round & 2) {
            rig_unlink(&rig, link);
        } else {
            rig.ops->close(rig.rx, link.source);
            close(link.peer);
        }
        CHECK(rig.ops->wait(rig.rx, -1) >= 0);
    }
    rig_close(&rig);
}

/* ---- cancel with nobody to wait ---- */

static void cancel_until_done(struct rig *rig, struct rx_op *op) {
    while (rig->ops->cancel(rig->rx, op) == RX_PENDING) {
        sched_yield();
    }
    CHECK_EQ(op->result, -ECANCELED);
}

struct canceller {
    struct rig *rig;
    struct rx_op *op;
};

static void *cancel_elsewhere(void *argument) {
    struct canceller *canceller = argument;
    cancel_until_done(canceller->rig, canceller->op);
    return NULL;
}

/* By the thread that waits otherwise, by another one beside it, and by another one while nobody is attached. */
static void cancel_makes_progress_without_a_wait(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    for (int round = 0; round < 60; round++) {
        struct rx_op op;
        char bytes[8];
        struct canceller canceller = {&rig, &op};
        pthread_t thread;
        rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        if (round % 3 == 0) {
            cancel_until_done(&rig, &op);
            continue;
        }
        if (round % 3 == 2) {
            rig_detach(&rig);
        }
        CHECK_EQ(pthread_create(&thread, NULL, cancel_elsewhere, &canceller), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        if (round % 3 == 2) {
            rig_attach(&rig);
        }
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"table_is_filled", table_is_filled},
        {"several_slots", several_slots},
        {"case_10_thread_exits_with_operations_in_flight", case_10_thread_exits_with_operations_in_flight},
        {"waiters_come_and_go", waiters_come_and_go},
        {"wake_of_a_slot", wake_of_a_slot},
        {"wake_before_attach", wake_before_attach},
        {"wake_outlasts_a_detach", wake_outlasts_a_detach},
        {"wake_outlasts_the_end_of_a_source", wake_outlasts_the_end_of_a_source},
        {"cancel_makes_progress_without_a_wait", cancel_makes_progress_without_a_wait},
    };
    return rx_run_suite("suite_rx_slots", tests, sizeof tests / sizeof tests[0], argc, argv);
}
