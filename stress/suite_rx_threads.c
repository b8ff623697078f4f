/*
 * The reactor under several threads, over every back end: wakes, operations polled beside the wait, cancel against
 * readiness. Nothing sleeps; what is lost shows as a hang, which the watchdog ends.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <sched.h>

#include "stress/support.h"
#include "stress/support_rx.h"
#include "stress/threads.h"

/* ---- wakes ---- */

struct wake_test {
    struct rig rig;
    struct ai64 sent, seen;
    struct au32 running;
    int64_t each;
};

/* A wake's effect is awaited every time: one that is lost leaves both sides waiting. */
static void *wake_in_turn(void *argument) {
    struct wake_test *test = argument;
    for (int64_t i = 0; i < test->each; i++) {
        int64_t mine = ai64_fetch_add_relaxed(&test->sent, 1) + 1;
        test->rig.ops->wake(test->rig.rx, 0);
        while (ai64_load_acquire(&test->seen) < mine) {
            sched_yield();
        }
    }
    au32_fetch_sub_release(&test->running, 1);
    test->rig.ops->wake(test->rig.rx, 0);
    return NULL;
}

/* 20,000 wakes by 1 and by 4 threads; after each return of the wait everything sent before its wake is seen. */
static void wakes_from_threads(size_t variant) {
    for (uint32_t threads = 1; threads <= 4; threads += 3) {
        struct wake_test test = {.each = support_rounds(20000) / threads};
        rig_init(&test.rig, variant);
        au32_store_relaxed(&test.running, threads);
        pthread_t ids[4];
        for (uint32_t i = 0; i < threads; i++) {
            CHECK_EQ(pthread_create(&ids[i], NULL, wake_in_turn, &test), 0);
        }
        while (au32_load_acquire(&test.running)) {
            CHECK_EQ(test.rig.ops->wait(test.rig.rx, -1), 0);
            ai64_store_release(&test.seen, ai64_load_relaxed(&test.sent));
        }
        for (uint32_t i = 0; i < threads; i++) {
            CHECK_EQ(pthread_join(ids[i], NULL), 0);
        }
        CHECK_EQ(ai64_load_relaxed(&test.seen), test.each * threads);
        rig_close(&test.rig);
    }
}

/* What a thread wrote before its wake is plain memory that the wait's return makes visible: ThreadSanitizer judges. */
struct letter {
    struct rig *rig;
    int64_t text;
    struct ai64 read;
    int64_t rounds;
};

static void *write_letters(void *argument) {
    struct letter *letter = argument;
    for (int64_t i = 1; i <= letter->rounds; i++) {
        letter->text = i;
        letter->rig->ops->wake(letter->rig->rx, 0);
        while (ai64_load_acquire(&letter->read) < i) {
            sched_yield();
        }
    }
    return NULL;
}

static void wake_publishes(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct letter letter = {.rig = &rig, .rounds = support_rounds(20000)};
    pthread_t writer;
    CHECK_EQ(pthread_create(&writer, NULL, write_letters, &letter), 0);
    for (int64_t i = 1; i <= letter.rounds; i++) {
        CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
        CHECK_EQ(letter.text, i);
        ai64_store_release(&letter.read, i);
    }
    CHECK_EQ(pthread_join(writer, NULL), 0);
    rig_close(&rig);
}

/* ---- operations beside the wait ---- */

struct stream {
    struct rig *rig;
    struct rx_source *source;
    uint64_t seed;
    int64_t total;
};

static void *stream_send(void *argument) {
    struct stream *stream = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    uint8_t block[4096];
    int64_t sent = 0;
    while (sent < stream->total) {
        int64_t left = stream->total - sent, length = 1 + (int64_t)(check_random(&stream->seed) % sizeof block);
        length = length < left ? length : left;
        for (int64_t i = 0; i < length; i++) {
            block[i] = (uint8_t)((sent + i) * 31 >> 3);
        }
        struct rx_op op;
        rx_op_init(&op, RX_SEND, stream->source, block, (size_t)length);
        int64_t n = rig_finish_asleep(stream->rig, &op, &probe);
        CHECK(n > 0);
        sent += n;
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

static void *stream_receive(void *argument) {
    struct stream *stream = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    uint8_t block[4096];
    int64_t received = 0;
    while (received < stream->total) {
        struct rx_op op;
        rx_op_init(&op, RX_RECV, stream->source, block, 1 + check_random(&stream->seed) % sizeof block);
        int64_t n = rig_finish_asleep(stream->rig, &op, &probe);
        CHECK(n > 0);
        for (int64_t i = 0; i < n; i++) {
            CHECK_EQ(block[i], (uint8_t)((received + i) * 31 >> 3));
        }
        received += n;
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

/* Both directions of a connection at once, each end in two threads, while a fifth waits: every byte, in order. */
static void polled_beside_the_wait(size_t variant) {
    static const int families[] = {AF_UNIX, AF_INET};
    for (size_t family = 0; family < 2; family++) {
        struct rig rig;
        struct rig_waiter waiter;
        int fds[2];
        rig_init(&rig, variant);
        rig_socket_pair(families[family], fds);
        rig_waiter_start(&waiter, &rig);
        struct rx_source *ends[2] = {rig_register(&rig, fds[0]), rig_register(&rig, fds[1])};
        struct stream streams[4];
        pthread_t threads[4];
        for (size_t i = 0; i < 4; i++) {
            int64_t total = (int64_t)support_rounds(16 << 20);
            streams[i] = (struct stream){&rig, ends[i % 2], check_seed() + i, total};
            void *(*run)(void *) = i < 2 ? stream_send : stream_receive;
            CHECK_EQ(pthread_create(&threads[i], NULL, run, &streams[i]), 0);
        }
        for (size_t i = 0; i < 4; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        }
        rig_deregister_and_close(&rig, ends[0]);
        rig_deregister_and_close(&rig, ends[1]);
        rig_waiter_stop(&waiter);
        rig_close(&rig);
    }
}

/* One byte to and fro: each poll finds nothing and races with the event of the answer. */
struct player {
    struct rig *rig;
    struct rx_source *source;
    int rounds;
    bool serves;
};

static void *play(void *argument) {
    struct player *player = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    char byte = 'x';
    for (int i = 0; i < 2 * player->rounds; i++) {
        bool sends = (i % 2 == 0) == player->serves;
        struct rx_op op;
        rx_op_init(&op, sends ? RX_SEND : RX_RECV, player->source, &byte, sends ? 1 : 2);
        CHECK_EQ(rig_finish_asleep(player->rig, &op, &probe), 1);
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

static void ping_pong(size_t variant) {
    static const int families[] = {AF_UNIX, AF_INET};
    for (size_t family = 0; family < 2; family++) {
        struct rig rig;
        struct rig_waiter waiter;
        int fds[2];
        rig_init(&rig, variant);
        rig_socket_pair(families[family], fds);
        rig_waiter_start(&waiter, &rig);
        struct player players[2];
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            players[i] = (struct player){&rig, rig_register(&rig, fds[i]), (int)support_rounds(3000), i == 0};
            CHECK_EQ(pthread_create(&threads[i], NULL, play, &players[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
            rig_deregister_and_close(&rig, players[i].source);
        }
        rig_waiter_stop(&waiter);
        rig_close(&rig);
    }
}

/* A receive and a send that find nothing and no room, asked for by two threads at the same moment. */
struct duet {
    struct rig rig;
    struct rig_waiter waiter;
    struct rig_link link;
    struct rx_probe probes[2];
    struct threads_rounds rounds;
};

static void duet_end(struct duet *duet, size_t member, struct rx_op *op) {
    static char room[65536];
    if (member == 0) {
        CHECK_EQ(send(duet->link.peer, "abc", 3, 0), 3);
    } else {
        while (recv(duet->link.peer, room, sizeof room, MSG_DONTWAIT) > 0) {
        }
    }
    CHECK_EQ(rig_finish_asleep(&duet->rig, op, &duet->probes[member]), member ? (int64_t)op->length : 3);
}

static void duet_run(size_t member, void *shared) {
    struct duet *duet = shared;
    struct sy_waker waker = rx_probe_waker(&duet->probes[member]);
    uint64_t meetings = 0;
    char bytes[64] = {0};
    for (size_t i = 0; threads_round(&duet->rounds, &meetings, member, i); i++) {
        if (member == 1) {
            rig_fill(rx_source_fd(duet->link.source));
        }
        threads_meet(&duet->rounds, &meetings);
        struct rx_op op;
        rx_op_init(&op, member ? RX_SEND : RX_RECV, duet->link.source, bytes, sizeof bytes);
        CHECK_EQ(duet->rig.ops->poll(duet->rig.rx, &op, &waker), RX_PENDING);
        rig_flush(&duet->rig);
        threads_meet(&duet->rounds, &meetings);
        if (i % 2 == member) { /* one ends while nothing happens to the other */
            duet_end(duet, member, &op);
        }
        threads_meet(&duet->rounds, &meetings);
        if (i % 2 != member) {
            duet_end(duet, member, &op);
        }
    }
}

static void both_directions_at_once(size_t variant) {
    static struct duet duet;
    duet = (struct duet){.rounds = threads_rounds_of(2, support_rounds(4000))};
    rig_init(&duet.rig, variant);
    rx_probe_init(&duet.probes[0]);
    rx_probe_init(&duet.probes[1]);
    duet.link = rig_link(&duet.rig, AF_UNIX);
    rig_waiter_start(&duet.waiter, &duet.rig);
    threads_run(2, duet_run, &duet);
    rig_waiter_stop(&duet.waiter);
    rig_unlink(&duet.rig, duet.link);
    rx_probe_close_shared(&duet.probes[0]);
    rx_probe_close_shared(&duet.probes[1]);
    rig_close(&duet.rig);
}

/* ---- cancel against readiness ---- */

/* Sequence numbers as bytes, as long as there is room. */
static void *feed(void *argument) {
    struct stream *stream = argument;
    int fd = rx_source_fd(stream->source);
    for (int64_t sent = 0; sent < stream->total;) {
        uint8_t bytes[3];
        uint64_t left = (uint64_t)(stream->total - sent), length = 1 + check_random(&stream->seed) % sizeof bytes;
        length = length < left ? length : left;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)(sent + (int64_t)i);
        }
        ssize_t n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        CHECK(n > 0 || errno == EAGAIN);
        sent += n > 0 ? n : 0;
        for (uint64_t spin = check_random(&stream->seed) % 512; spin > 0; spin--) {
            cpu_relax();
        }
        if (n < 0 || check_random(&stream->seed) % 32 == 0) {
            sched_yield();
        }
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

/* A third of the polls is cancelled at some moment, another third finished by another waker. */
static void case_09_cancel_against_readiness(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    int fds[2];
    rig_init(&rig, variant);
    rig_socket_pair(AF_UNIX, fds);
    rig_waiter_start(&waiter, &rig);
    struct rx_source *ends[2] = {rig_register(&rig, fds[0]), rig_register(&rig, fds[1])};
    struct stream feeder = {&rig, ends[1], check_seed(), (int64_t)support_rounds(30000)};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, feed, &feeder), 0);
    struct rx_probe probes[2];
    rx_probe_init(&probes[0]);
    rx_probe_init(&probes[1]);
    uint64_t random = ~check_seed();
    int64_t result = 1, received = 0;
    while (result != 0) {
        uint8_t bytes[4];
        struct rx_op op;
        struct sy_waker waker = rx_probe_waker(&probes[0]);
        rx_op_init(&op, RX_RECV, ends[0], bytes, sizeof bytes);
        uint64_t way = check_random(&random) % 3;
        if (way > 0 && rig.ops->poll(rig.rx, &op, &waker) == RX_DONE) {
            result = op.result;
        } else if (way == 2) {
            for (uint64_t spin = check_random(&random) % 256; spin > 0; spin--) {
                cpu_relax();
            }
            bool done = rig.ops->cancel(rig.rx, &op) == RX_DONE;
            result = done ? op.result : rig_finish_asleep(&rig, &op, &probes[1]);
        } else {
            result = rig_finish_asleep(&rig, &op, &probes[1]);
        }
        CHECK(result >= 0 || result == -ECANCELED);
        for (int64_t i = 0; i < result; i++) {
            CHECK_EQ(bytes[i], (uint8_t)received++);
        }
    }
    CHECK_EQ(received, feeder.total);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    rig_deregister_and_close(&rig, ends[0]);
    rig_deregister_and_close(&rig, ends[1]);
    rig_waiter_stop(&waiter);
    rx_probe_close(&probes[0]);
    rx_probe_close(&probes[1]);
    rig_close(&rig);
}

/* ---- the waiter changes ---- */

struct shared_wait {
    struct rig *rig;
    pthread_mutex_t lock;
    struct au32 stop;
};

static void *wait_in_turn(void *argument) {
    struct shared_wait *shared = argument;
    while (!au32_load_acquire(&shared->stop)) {
        pthread_mutex_lock(&shared->lock);
        CHECK(shared->rig->ops->wait(shared->rig->rx, 200000) >= 0);
        pthread_mutex_unlock(&shared->lock);
        sched_yield();
    }
    return NULL;
}

static void waiter_changes(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (!rig.ops->stealable) {
        check_skip("%s cannot be stolen: a thread waits in its own slot, as in suite_rx_slots", rig.ops->name);
        rig_close(&rig);
        return;
    }
    struct shared_wait shared = {.rig = &rig, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t waiters[3], threads[2];
    int fds[2];
    rig_socket_pair(AF_UNIX, fds);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&waiters[i], NULL, wait_in_turn, &shared), 0);
    }
    struct player players[2];
    for (int i = 0; i < 2; i++) {
        players[i] = (struct player){&rig, rig_register(&rig, fds[i]), (int)support_rounds(5000), i == 0};
        CHECK_EQ(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        rig_deregister_and_close(&rig, players[i].source);
    }
    au32_store_release(&shared.stop, 1);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_join(waiters[i], NULL), 0);
    }
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"wakes_from_threads", wakes_from_threads},
        {"wake_publishes", wake_publishes},
        {"polled_beside_the_wait", polled_beside_the_wait},
        {"ping_pong", ping_pong},
        {"both_directions_at_once", both_directions_at_once},
        {"case_09_cancel_against_readiness", case_09_cancel_against_readiness},
        {"waiter_changes", waiter_changes},
    };
    return rx_run_suite("suite_rx_threads", tests, sizeof tests / sizeof tests[0], argc, argv);
}
