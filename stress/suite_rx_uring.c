/*
 * What a back end that gives operations to the kernel may get wrong, over every back end: more than the rings hold, who
 * hands over and then exits or never enters the kernel again, descriptors of one file, a file's own position, lengths,
 * a direction that is taken, wakes that are merged or that a cancel meets, and descriptors that the kernel cannot try
 * without blocking.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- more than the rings hold ---- */

enum { COUNTERS = 10000 };

struct counter {
    struct rx_source *source;
    struct rx_op op;
    uint64_t value;
};

/* All are told, though nobody waits for longer than it takes to look. */
static void look_for_all(struct rig *rig, uint32_t wakes) {
    while (rig->ops->wait(rig->rx, 0) > 0) {
    }
    CHECK(rx_probe_wakes(&rig->probe) - wakes >= COUNTERS);
}

/* All are asked for without a flush, and all complete before anybody waits. */
static void ten_thousand_at_once(size_t variant) {
    if (!rig_raise_descriptor_limit(COUNTERS + 100)) {
        check_skip("needs %d descriptors, more than this process may raise its limit to", COUNTERS + 100);
        return;
    }
    struct rig rig;
    rig_init(&rig, variant);
    struct counter *counters = calloc(COUNTERS, sizeof *counters);
    CHECK(counters != NULL);
    for (int i = 0; i < COUNTERS; i++) {
        counters[i].source = rig_register(&rig, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    }
    for (int round = 0; round < 2; round++) {
        uint32_t wakes = rx_probe_wakes(&rig.probe);
        for (int i = 0; i < COUNTERS; i++) {
            struct counter *counter = &counters[i];
            CHECK_EQ(rig_begin(&rig, &counter->op, RX_READ, counter->source, &counter->value, sizeof counter->value),
                     RX_PENDING);
        }
        rig_flush(&rig);
        for (uint64_t i = 0; i < COUNTERS; i++) {
            uint64_t value = i + 1;
            CHECK_EQ(write(rx_source_fd(counters[i].source), &value, sizeof value), sizeof value);
        }
        if (round > 0) {
            look_for_all(&rig, wakes);
        }
        for (int i = COUNTERS - 1; i >= 0; i--) {
            CHECK_EQ(rig_finish(&rig, &counters[i].op), sizeof(uint64_t));
            CHECK_EQ(counters[i].value, i + 1);
        }
    }
    for (int i = 0; i < COUNTERS; i++) {
        rig_deregister_and_close(&rig, counters[i].source);
    }
    free(counters);
    rig_close(&rig);
}

/* ---- who hands over ---- */

struct busy {
    struct rig *rig;
    struct rx_op *op;
    struct au32 asked, stop;
};

/* Asks, and then runs a long task that makes no system call. */
static void *ask_and_be_busy(void *argument) {
    struct busy *busy = argument;
    CHECK_EQ(busy->rig->ops->poll(busy->rig->rx, busy->op, &busy->rig->waker), RX_PENDING);
    rig_flush(busy->rig);
    au32_store_release(&busy->asked, 1);
    while (!au32_load_acquire(&busy->stop)) {
        cpu_relax();
    }
    return NULL;
}

static void asked_by_a_busy_thread_on(struct rig *rig, struct rig_link link) {
    for (int round = 0; round < 10; round++) {
        struct rx_op op;
        struct busy busy = {.rig = rig, .op = &op};
        char bytes[8];
        pthread_t thread;
        rx_op_init(&op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(pthread_create(&thread, NULL, ask_and_be_busy, &busy), 0);
        while (!au32_load_acquire(&busy.asked)) {
            sched_yield();
        }
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_finish(rig, &op), 3);
        au32_store_release(&busy.stop, 1);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

static void asked_by_a_busy_thread(size_t variant) {
    rig_over_families(variant, asked_by_a_busy_thread_on);
}

static void *poll_flush_and_exit(void *argument) {
    struct busy *busy = argument;
    CHECK_EQ(busy->rig->ops->poll(busy->rig->rx, busy->op, &busy->rig->waker), RX_PENDING);
    rig_flush(busy->rig);
    return NULL;
}

static void begin_in_a_thread_that_exits(struct rig *rig, struct rx_op *op) {
    struct busy busy = {.rig = rig, .op = op};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, poll_flush_and_exit, &busy), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Nothing comes for it, so after a first answer or two it is not polled in vain again and again. */
static void stays_pending(struct rig *rig, struct rx_op *op) {
    uint32_t before = rx_probe_wakes(&rig->probe);
    for (int i = 0; i < 20; i++) {
        rig_settle(rig);
        CHECK_EQ(rig->ops->poll(rig->rx, op, &rig->waker), RX_PENDING);
    }
    CHECK(rx_probe_wakes(&rig->probe) - before <= 3);
}

/* A listener whose queue is full: the next connection stays under way until `filler` is accepted. */
static int full_listener(struct sockaddr_in *address, int *filler) {
    int fd = rig_tcp_listen(0, address);
    *filler = rig_tcp_socket();
    connect(*filler, (struct sockaddr *)address, sizeof *address);
    struct pollfd filled = {.fd = fd, .events = POLLIN};
    CHECK_EQ(poll(&filled, 1, -1), 1);
    return fd;
}

struct connection {
    struct sockaddr_in address;
    int listener, filler;
    struct rx_source *client;
    struct rx_op op;
};

/* Asked for by a thread that ends, or by an operation that is given up. */
static void begin_connection(struct rig *rig, struct connection *c, bool exits) {
    c->listener = full_listener(&c->address, &c->filler);
    c->client = rig_register(rig, rig_tcp_socket());
    rx_op_init(&c->op, RX_CONNECT, c->client, &c->address, sizeof c->address);
    if (exits) {
        begin_in_a_thread_that_exits(rig, &c->op);
    } else {
        CHECK_EQ(rig->ops->poll(rig->rx, &c->op, &rig->waker), RX_PENDING);
        rig_flush(rig);
        CHECK_EQ(rig_cancel(rig, &c->op), -ECANCELED);
        rx_op_init(&c->op, RX_CONNECT, c->client, &c->address, sizeof c->address);
    }
    stays_pending(rig, &c->op); /* neither established nor failed */
    CHECK_EQ(close(accept4(c->listener, NULL, NULL, 0)), 0);
}

static void finish_connection(struct rig *rig, struct connection *c) {
    CHECK_EQ(rig_finish(rig, &c->op), 0);
    CHECK_EQ(rig_do(rig, RX_SEND, c->client, "hello", 5), 5);
    rig_deregister_and_close(rig, c->client);
    close(c->filler);
    close(c->listener);
}

/* The connection goes on in the kernel, whoever asked for it. Both wait for the same second to pass. */
static void connection_outlives_its_operation(size_t variant) {
    struct rig rig;
    struct connection connections[2];
    rig_init(&rig, variant);
    for (int i = 0; i < 2; i++) {
        begin_connection(&rig, &connections[i], i == 0);
    }
    for (int i = 0; i < 2; i++) {
        finish_connection(&rig, &connections[i]);
    }
    rig_close(&rig);
}

/* ---- a direction that is taken ---- */

/* What has come is for the operation that was there first, though its answer was not looked at yet. */
static void second_takes_nothing_on(struct rig *rig, struct rig_link link) {
    struct rx_op first, second;
    char bytes[8], others[8];
    CHECK_EQ(rig_begin(rig, &first, RX_RECV, link.source, bytes, sizeof bytes), RX_PENDING); /* and not handed over */
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(rig_begin(rig, &second, RX_RECV, link.source, others, sizeof others), RX_DONE);
    CHECK_EQ(second.result, -EBUSY);
    CHECK_EQ(rig_finish(rig, &first), 3);
}

static void second_takes_nothing(size_t variant) {
    rig_over_families(variant, second_takes_nothing_on);
}

/* ---- two sources of one file ---- */

/* The operations of the one that is closed end; those of the other go on. */
static void one_of_two_is_closed_on(struct rig *rig, struct rig_link link) {
    for (int round = 0; round < 20; round++) {
        struct rx_source *twin = rig_register(rig, fcntl(rx_source_fd(link.source), F_DUPFD_CLOEXEC, 0));
        struct rx_op ours, theirs;
        char bytes[8], others[8];
        rig_start(rig, &ours, RX_RECV, link.source, bytes, sizeof bytes);
        rig_start(rig, &theirs, RX_RECV, twin, others, sizeof others);
        rig->ops->close(rig->rx, twin);
        CHECK_EQ(rig_finish(rig, &theirs), -ECANCELED);
        stays_pending(rig, &ours);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_finish(rig, &ours), 3);
    }
}

static void one_of_two_is_closed(size_t variant) {
    rig_over_families(variant, one_of_two_is_closed_on);
}

/* ---- files and lengths ---- */

/* Without an offset a file is read and written at its own position, and that goes on. */
static void position_of_a_file(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (!rig.ops->files) {
        check_skip("%s takes no regular files", rig.ops->name);
        rig_close(&rig);
        return;
    }
    int fd = memfd_create("position", MFD_CLOEXEC);
    CHECK(fd >= 0);
    struct rx_source *source = rig_register(&rig, fd);
    char bytes[8];
    CHECK_EQ(rig_do(&rig, RX_WRITE, source, "abc", 3), 3);
    CHECK_EQ(rig_do(&rig, RX_WRITE, source, "defgh", 5), 5);
    CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
    CHECK_EQ(rig_do(&rig, RX_READ, source, bytes, 4), 4);
    CHECK(memcmp(bytes, "bcde", 4) == 0);
    CHECK_EQ(rig_do(&rig, RX_READ, source, bytes, 8), 3);
    CHECK(memcmp(bytes, "fgh", 3) == 0);
    CHECK_EQ(rig_do(&rig, RX_READ, source, bytes, 8), 0);
    rig_deregister_and_close(&rig, source);
    rig_close(&rig);
}

/* A length is no 32-bit number: its lower half is zero here. */
static void four_gigabytes_on(struct rig *rig, struct rig_link link) {
    size_t length = (size_t)UINT32_MAX + 1;
    void *room = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        check_skip("no %zu bytes of addresses", length);
        return;
    }
    struct rx_op op;
    rig_start(rig, &op, RX_RECV, link.source, room, length);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(rig_finish(rig, &op), 3);
    CHECK(memcmp(room, "abc", 3) == 0);
    CHECK(rig_do(rig, RX_SEND, link.source, room, length) > 0);
    munmap(room, length);
}

static void four_gigabytes(size_t variant) {
    rig_over_families(variant, four_gigabytes_on);
}

/* ---- wakes ---- */

/* However many: the next wait returns, and the one after it waits. */
static void ten_thousand_wakes(size_t variant) {
    enum { WAKES = 10000 };
    const int64_t limit_ns = 20000000;
    struct rig rig;
    rig_init(&rig, variant);
    for (int i = 0; i < WAKES; i++) {
        rig.ops->wake(rig.rx, 0);
    }
    CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
    int64_t start_ns = check_now_ns();
    CHECK_EQ(rig.ops->wait(rig.rx, limit_ns), 0);
    CHECK(check_now_ns() - start_ns >= limit_ns);
    rig_close(&rig);
}

struct wakes {
    struct rig rig;
    struct rx_source *source;
    struct ai64 sent, seen;
    struct au32 stop;
    int64_t rounds;
};

/* Each wake's effect is awaited: one that is lost leaves everybody waiting. */
static void *wake_in_turn(void *argument) {
    struct wakes *wakes = argument;
    for (int64_t i = 1; i <= wakes->rounds; i++) {
        ai64_store_relaxed(&wakes->sent, i);
        wakes->rig.ops->wake(wakes->rig.rx, 0);
        while (ai64_load_acquire(&wakes->seen) < i) {
            sched_yield();
        }
    }
    au32_store_release(&wakes->stop, 1);
    wakes->rig.ops->wake(wakes->rig.rx, 0);
    return NULL;
}

static void *cancel_all_the_time(void *argument) {
    struct wakes *wakes = argument;
    struct rx_probe probe;
    rx_probe_init(&probe);
    struct sy_waker waker = rx_probe_waker(&probe);
    while (!au32_load_acquire(&wakes->stop)) {
        struct rx_op op;
        char bytes[8];
        rx_op_init(&op, RX_RECV, wakes->source, bytes, sizeof bytes);
        CHECK_EQ(wakes->rig.ops->poll(wakes->rig.rx, &op, &waker), RX_PENDING);
        while (wakes->rig.ops->cancel(wakes->rig.rx, &op) == RX_PENDING) {
            sched_yield();
        }
        CHECK_EQ(op.result, -ECANCELED);
    }
    rx_probe_close_shared(&probe);
    return NULL;
}

/* Writes, wakes, and lets the next go on by what orders nothing. */
struct merger {
    struct rig *rig;
    struct au32 *turn;
    uint32_t mine;
    int written;
};

static void *write_and_wake(void *argument) {
    struct merger *merger = argument;
    while (au32_load_relaxed(merger->turn) != merger->mine) {
        sched_yield();
    }
    merger->written = 1;
    merger->rig->ops->wake(merger->rig->rx, 0);
    au32_store_relaxed(merger->turn, merger->mine + 1);
    return NULL;
}

/* What was written before a wake is there when the wait returns, also where an earlier wake was under way already. */
static void merged_wake_tells_what_was_written(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (unsigned round = 0; round < support_rounds(200); round++) {
        struct au32 turn = {0};
        struct merger mergers[2];
        pthread_t threads[2];
        for (uint32_t i = 0; i < 2; i++) {
            mergers[i] = (struct merger){&rig, &turn, i, 0};
            CHECK_EQ(pthread_create(&threads[i], NULL, write_and_wake, &mergers[i]), 0);
        }
        while (au32_load_relaxed(&turn) != 2) {
            sched_yield();
        }
        CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
        CHECK(mergers[0].written && mergers[1].written);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pthread_join(threads[i], NULL), 0);
        }
    }
    rig_close(&rig);
}

/* A cancel may come upon a wake's notice before the wait does. */
static void wakes_beside_cancels(size_t variant) {
    struct wakes wakes = {.rounds = support_rounds(20000)};
    rig_init(&wakes.rig, variant);
    struct rig_link link = rig_link(&wakes.rig, AF_UNIX);
    wakes.source = link.source;
    pthread_t waking, cancelling;
    CHECK_EQ(pthread_create(&waking, NULL, wake_in_turn, &wakes), 0);
    CHECK_EQ(pthread_create(&cancelling, NULL, cancel_all_the_time, &wakes), 0);
    while (!au32_load_acquire(&wakes.stop)) {
        CHECK(wakes.rig.ops->wait(wakes.rig.rx, -1) >= 0);
        ai64_store_release(&wakes.seen, ai64_load_relaxed(&wakes.sent));
    }
    CHECK_EQ(pthread_join(waking, NULL), 0);
    if (!wakes.rig.ops->stealable) {
        rig_detach(&wakes.rig); /* with nobody attached the last cancel needs nobody */
    }
    CHECK_EQ(pthread_join(cancelling, NULL), 0);
    if (!wakes.rig.ops->stealable) {
        rig_attach(&wakes.rig);
    }
    rig_unlink(&wakes.rig, link);
    rig_close(&wakes.rig);
}

/* ---- what the kernel cannot try without blocking ---- */

static void terminal(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    char name[64];
    if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, name, sizeof name)) {
        check_skip("no pseudo-terminal: %s", strerror(errno));
        rig_close(&rig);
        return;
    }
    struct rx_source *master = rig_register(&rig, fd);
    struct rx_source *slave = rig_register(&rig, open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    for (int round = 0; round < 20; round++) {
        struct rx_op op;
        char line[16] = "";
        rig_start(&rig, &op, RX_READ, slave, line, sizeof line);
        stays_pending(&rig, &op);
        CHECK_EQ(rig_do(&rig, RX_WRITE, master, "line\n", 5), 5);
        CHECK_EQ(rig_finish(&rig, &op), 5);
        CHECK(memcmp(line, "line\n", 5) == 0);
        rig_start(&rig, &op, RX_READ, slave, line, sizeof line);
        CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
    }
    rig_deregister_and_close(&rig, slave);
    rig_deregister_and_close(&rig, master);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"ten_thousand_at_once", ten_thousand_at_once},
        {"asked_by_a_busy_thread", asked_by_a_busy_thread},
        {"connection_outlives_its_operation", connection_outlives_its_operation},
        {"second_takes_nothing", second_takes_nothing},
        {"one_of_two_is_closed", one_of_two_is_closed},
        {"position_of_a_file", position_of_a_file},
        {"four_gigabytes", four_gigabytes},
        {"ten_thousand_wakes", ten_thousand_wakes},
        {"merged_wake_tells_what_was_written", merged_wake_tells_what_was_written},
        {"wakes_beside_cancels", wakes_beside_cancels},
        {"terminal", terminal},
    };
    return rx_run_suite("suite_rx_uring", tests, sizeof tests / sizeof tests[0], argc, argv);
}
