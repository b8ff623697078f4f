/*
 * Cases that reactors under a runtime got wrong, over every back end: wakes lost while a worker goes to sleep, the
 * poller that leaves for a long task, workers that end with operations in flight, wakers that race the shutdown, and
 * work that stays with whoever accepted it. The reactor's own cases are in suite_rx*.c beside this.
 * ctest-timeout: 300
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

#include "reactor/reactor.h"
#include "stress/net_fixture.h"
#include "stress/support.h"

#define PATIENCE_S 60

static struct sy_runtime *start_waiting(size_t variant, unsigned workers) {
    struct sy_config config;
    sy_config_init(&config);
    config.reactor = rx_all[variant / 2]->name;
    config.speculative_io = variant % 2;
    config.workers = workers;
    config.seed = check_seed();
    config.handoff_ns = SECOND; /* who was not woken is not found by chance */
    return support_runtime_start(&config);
}

/* The plain end of a new connection whose other end echoes. An answer that does not come in a minute is an error. */
static int echo_spawn(struct sy_runtime *runtime) {
    struct echo echo = {0};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int peer = make_pair(runtime, &echo.socket);
    CHECK_EQ(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    CHECK_EQ(sy_spawn(runtime, &echo_type, &echo, NULL), 0);
    return peer;
}

/*
 * What comes, 0 at the end, or -errno. A completion back end may interrupt any thread that made a call for it, and a
 * receive with a time limit does not go on by itself then.
 */
static int64_t hear(int peer, char *bytes, size_t size) {
    ssize_t n;
    do {
        n = recv(peer, bytes, size, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void ask(int peer) {
    char sent = 'a', got = 'b';
    write_fully(peer, &sent, 1);
    CHECK_EQ(hear(peer, &got, 1), 1);
    CHECK_EQ(got, sent);
}

/* ---- 5: a wake lost between searching and parked ---- */

struct count {
    struct support_counter *counter;
};

static enum sy_poll count_poll(void *future, struct sy_context *cx) {
    (void)cx;
    support_counter_add(((struct count *)future)->counter, 1);
    return SY_READY;
}

static const struct sy_future_type count_type = {"count", sizeof(struct count), count_poll, NULL};

/* Something to do comes at any moment of a worker's way into the reactor: bytes, and tasks from outside. */
static void case_05_wake_lost_on_the_way_to_sleep(size_t variant) {
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct sy_runtime *runtime = start_waiting(variant, workers);
        struct support_counter counter = SUPPORT_COUNTER_INIT;
        uint64_t random = check_seed(), spawned = 0;
        uint64_t longest = 3 * sy_runtime_config(runtime)->spin_ns;
        int peer = echo_spawn(runtime);
        for (unsigned round = 0; round < support_rounds(1500); round++) {
            uint64_t until_ns = sy_now_ns() + check_random(&random) % longest;
            while (sy_now_ns() < until_ns) {
                cpu_relax();
            }
            if (round % 2) {
                ask(peer);
            } else {
                struct count count = {&counter};
                CHECK_EQ(sy_spawn(runtime, &count_type, &count, NULL), 0);
                support_counter_wait(&counter, ++spawned);
            }
        }
        close(peer);
        sy_runtime_destroy(runtime);
    }
}

/* ---- 6: the poller leaves for a long task ---- */

static struct { struct au32 running, release; } hog;

/* Receives a byte and then keeps its worker until it is released. */
struct hog {
    struct sy_socket socket;
    struct sy_recv recv;
    bool begun;
    char byte;
};

static enum sy_poll hog_poll(void *future, struct sy_context *cx) {
    struct hog *f = future;
    if (!f->begun) {
        f->begun = true;
        sy_recv_init(&f->recv, &f->socket, &f->byte, 1);
    }
    if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    au32_store_release(&hog.running, 1);
    while (!au32_load_acquire(&hog.release)) {
        sched_yield();
    }
    return SY_READY;
}

static void hog_drop(void *future) {
    struct hog *f = future;
    if (f->begun) {
        sy_recv_drop(&f->recv);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type hog_type = {"hog", sizeof(struct hog), hog_poll, hog_drop};

/*
 * While a worker is kept by what it was woken for, the others get their answers. Where the back end cannot be stolen, a
 * source is told by its own worker only: its answer may come when that is free again, and must come then.
 */
static void case_06_poller_leaves_for_a_long_task(size_t variant) {
    bool stealable = rx_all[variant / 2]->stealable;
    struct sy_runtime *runtime = start_with(variant, 2);
    int peers[4];
    for (int i = 0; i < 4; i++) {
        peers[i] = echo_spawn(runtime);
        ask(peers[i]);
    }
    for (unsigned round = 0; round < 10; round++) {
        struct hog future = {.begun = false};
        au32_store_relaxed(&hog.running, 0);
        au32_store_relaxed(&hog.release, 0);
        int peer = make_pair(runtime, &future.socket);
        CHECK_EQ(sy_spawn(runtime, &hog_type, &future, NULL), 0);
        write_fully(peer, "x", 1);
        while (!au32_load_acquire(&hog.running)) {
            sched_yield();
        }
        for (int i = 0; i < 4; i++) {
            write_fully(peers[i], "x", 1);
        }
        au32_store_release(&hog.release, !stealable);
        for (int i = 0; i < 4; i++) {
            char byte;
            CHECK_EQ(hear(peers[i], &byte, 1), 1);
        }
        au32_store_release(&hog.release, 1);
        CHECK_EQ(hear(peer, &(char){0}, 1), 0); /* its end, by the drop */
        close(peer);
    }
    for (int i = 0; i < 4; i++) {
        close(peers[i]);
    }
    sy_runtime_destroy(runtime);
}

/* ---- 8: one hot descriptor ---- */

struct flood {
    int fd;
    struct au32 stop;
};

static void *flood_run(void *argument) {
    struct flood *flood = argument;
    char bytes[1000] = "";
    while (!au32_load_acquire(&flood->stop)) {
        if (send(flood->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            CHECK_EQ(errno, EAGAIN);
        }
        while (recv(flood->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        }
    }
    return NULL;
}

/* One worker, and a connection that always has something for it: the others are served too. */
static void case_08_one_hot_connection(size_t variant) {
    struct sy_runtime *runtime = start_waiting(variant, 1);
    struct flood flood = {.fd = echo_spawn(runtime)};
    int peer = echo_spawn(runtime);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, flood_run, &flood), 0);
    for (unsigned i = 0; i < support_rounds(100); i++) {
        ask(peer);
    }
    au32_store_release(&flood.stop, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(flood.fd);
    close(peer);
    sy_runtime_destroy(runtime);
}

/* ---- 10: workers end with operations in flight ---- */

struct accepting {
    struct sy_socket listener;
    struct sy_accept accept;
    bool begun;
};

static enum sy_poll accepting_poll(void *future, struct sy_context *cx) {
    struct accepting *f = future;
    if (!f->begun) {
        f->begun = true;
        sy_accept_init(&f->accept, &f->listener);
    }
    return sy_accept_poll(&f->accept, cx);
}

static void accepting_drop(void *future) {
    struct accepting *f = future;
    if (f->begun) {
        sy_accept_drop(&f->accept);
    }
    sy_socket_close(&f->listener);
}

static const struct sy_future_type accepting_type = {"accepting", sizeof(struct accepting), accepting_poll,
                                                     accepting_drop};

/* Receives, sends without room, an accept: who began them runs no more when they are dropped. Nothing is left over. */
static void case_10_workers_end_with_operations_in_flight(size_t variant) {
    enum { PEERS = 20 };
    static const char block[1000];
    unsigned descriptors = support_fd_count();
    for (unsigned round = 0; round < support_rounds(40); round++) {
        struct sy_runtime *runtime = start_with(variant, 1 + round % 4);
        struct accepting accepting = {.begun = false};
        struct sy_address address;
        int peers[PEERS];
        listen_at_loopback(runtime, &accepting.listener, &address);
        CHECK_EQ(sy_spawn(runtime, &accepting_type, &accepting, NULL), 0);
        for (int i = 0; i < PEERS; i++) {
            peers[i] = echo_spawn(runtime);
            while (i % 4 == 1 && send(peers[i], block, sizeof block, MSG_DONTWAIT) > 0) {
            }
            if (i % 4 == 2) {
                ask(peers[i]);
            }
        }
        sy_runtime_destroy(runtime);
        for (int i = 0; i < PEERS; i++) {
            char bytes[1000];
            int64_t n = 1;
            while (n > 0) {
                n = hear(peers[i], bytes, sizeof bytes);
            }
            CHECK(n == 0 || n == -ECONNRESET); /* an end, and not one that never comes */
            close(peers[i]);
        }
        CHECK_EQ(support_fd_count(), descriptors);
    }
}

/* ---- 15: wakers race the shutdown ---- */

enum { HELD = 8 };

/* A future that gives its waker away. */
struct held {
    pthread_mutex_t lock;
    struct sy_waker waker;
    struct au32 *stop;
    pthread_t thread;
};

struct giver {
    struct held *held;
    struct sy_socket socket;
    struct sy_recv recv;
    bool begun;
    char byte;
};

static enum sy_poll giver_poll(void *future, struct sy_context *cx) {
    struct giver *f = future;
    if (!f->begun) {
        f->begun = true;
        sy_recv_init(&f->recv, &f->socket, &f->byte, 1);
    }
    struct sy_waker old = sy_waker_clone(&cx->waker);
    pthread_mutex_lock(&f->held->lock);
    struct sy_waker kept = f->held->waker;
    f->held->waker = old;
    pthread_mutex_unlock(&f->held->lock);
    sy_waker_drop(kept);
    if (sy_recv_poll(&f->recv, cx) == SY_READY) {
        CHECK_EQ(f->recv.result, 1);
        sy_recv_init(&f->recv, &f->socket, &f->byte, 1);
        sy_yield_now(cx);
    }
    return SY_PENDING;
}

static void giver_drop(void *future) {
    struct giver *f = future;
    if (f->begun) {
        sy_recv_drop(&f->recv);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type giver_type = {"giver", sizeof(struct giver), giver_poll, giver_drop};

static void *wake_without_end(void *argument) {
    struct held *held = argument;
    while (!au32_load_acquire(held->stop)) {
        pthread_mutex_lock(&held->lock);
        if (held->waker.vtable) {
            sy_waker_wake_by_ref(&held->waker);
        }
        pthread_mutex_unlock(&held->lock);
        sched_yield();
    }
    return NULL;
}

/* Wakes from outside, bytes from peers and the shutdown meet; the wakers outlive the runtime. */
static void case_15_wakers_race_the_shutdown(size_t variant) {
    for (unsigned round = 0; round < support_rounds(100); round++) {
        struct sy_runtime *runtime = start_with(variant, 2);
        struct held held[HELD];
        struct au32 stop = {0};
        int peers[HELD];
        for (int i = 0; i < HELD; i++) {
            struct giver giver = {.held = &held[i]};
            held[i] = (struct held){.lock = PTHREAD_MUTEX_INITIALIZER, .stop = &stop};
            peers[i] = make_pair(runtime, &giver.socket);
            CHECK_EQ(sy_spawn(runtime, &giver_type, &giver, NULL), 0);
        }
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pthread_create(&held[i].thread, NULL, wake_without_end, &held[i]), 0);
        }
        for (int i = 0; i < HELD; i++) {
            write_fully(peers[i], "xyz", 3);
        }
        sy_runtime_destroy(runtime);
        au32_store_release(&stop, 1);
        for (int i = 0; i < HELD; i++) {
            if (i < 2) {
                CHECK_EQ(pthread_join(held[i].thread, NULL), 0);
            }
            sy_waker_drop(held[i].waker);
            close(peers[i]);
        }
    }
}

/* ---- 16: accept balance ---- */

enum { WORKERS = 2, CLIENTS = 16, SHARE = 100 };

static struct { struct au64 answers[WORKERS]; } balance;

static uint64_t answers_of(unsigned worker) {
    return au64_load_relaxed(&balance.answers[worker]);
}

/* An echo that takes its time, and counts where. */
static enum sy_poll busy_poll(void *future, struct sy_context *cx) {
    int worker = sy_runtime_current_worker(cx->runtime);
    CHECK(worker >= 0);
    au64_fetch_add_relaxed(&balance.answers[worker], 1);
    uint64_t until_ns = sy_now_ns() + 50000;
    while (sy_now_ns() < until_ns) {
        cpu_relax();
    }
    return echo_poll(future, cx);
}

static const struct sy_future_type busy_type = {"busy", sizeof(struct echo), busy_poll, echo_drop};

/* Accepts all of the clients, on whichever worker that is, and spawns. */
struct acceptor {
    struct accepting accepting;
    unsigned left;
};

static enum sy_poll acceptor_poll(void *future, struct sy_context *cx) {
    struct acceptor *f = future;
    while (f->left > 0) {
        if (accepting_poll(&f->accepting, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        CHECK_EQ(f->accepting.accept.result, 0);
        struct echo echo = {.socket = f->accepting.accept.connection};
        CHECK_EQ(sy_spawn(cx->runtime, &busy_type, &echo, NULL), 0);
        f->accepting.begun = false;
        f->left--;
    }
    return SY_READY;
}

static void acceptor_drop(void *future) {
    accepting_drop(&((struct acceptor *)future)->accepting);
}

static const struct sy_future_type acceptor_type = {"acceptor", sizeof(struct acceptor), acceptor_poll, acceptor_drop};

/* One task accepts all connections: that does not leave all of them to one worker. */
static void case_16_accept_balance(size_t variant) {
    struct sy_runtime *runtime = start_with(variant, WORKERS);
    struct acceptor acceptor = {.left = CLIENTS};
    struct sy_address address;
    int clients[CLIENTS];
    for (unsigned i = 0; i < WORKERS; i++) {
        au64_store_relaxed(&balance.answers[i], 0);
    }
    listen_at_loopback(runtime, &acceptor.accepting.listener, &address);
    CHECK_EQ(sy_spawn(runtime, &acceptor_type, &acceptor, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_plainly(&address);
    }
    unsigned rounds = 0;
    while (answers_of(0) < SHARE || answers_of(1) < SHARE) {
        CHECK(++rounds <= 100 * SHARE / CLIENTS); /* each worker a share of the whole in a hundred */
        for (int i = 0; i < CLIENTS; i++) {
            write_fully(clients[i], "x", 1);
        }
        for (int i = 0; i < CLIENTS; i++) {
            char byte;
            CHECK_EQ(hear(clients[i], &byte, 1), 1);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
    sy_runtime_destroy(runtime);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"case_05_wake_lost_on_the_way_to_sleep", case_05_wake_lost_on_the_way_to_sleep},
        {"case_06_poller_leaves_for_a_long_task", case_06_poller_leaves_for_a_long_task},
        {"case_08_one_hot_connection", case_08_one_hot_connection},
        {"case_10_workers_end_with_operations_in_flight", case_10_workers_end_with_operations_in_flight},
        {"case_15_wakers_race_the_shutdown", case_15_wakers_race_the_shutdown},
        {"case_16_accept_balance", case_16_accept_balance},
    };
    return run_suite("suite_rx_runtime", tests, sizeof tests / sizeof tests[0], argc, argv);
}
