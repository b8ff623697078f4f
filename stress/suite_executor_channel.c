/* ctest-timeout: 200 */
/*
 * Channels of many senders, notifications and semaphores between tasks, on every combination of parts: tasks that are
 * aborted at any point, the end of the runtime in the middle, timeouts, and plain threads at the other end.
 */
#define _GNU_SOURCE
#include "support_probe.h"

enum { TASKS = 12, VALUES = 200 };

static unsigned values(void) {
    return support_rounds(VALUES);
}

/* ---- a channel ---- */

/* What became of each value: it was sent as its sender says, and received or dropped once if so. */
struct traffic {
    struct sy_mpsc *channel;
    struct au32 sent[TASKS][VALUES], got[TASKS][VALUES];
    struct support_counter ended;
};

static struct traffic traffic;

static void got_value(void *value) {
    uint64_t copy;
    memcpy(&copy, value, sizeof copy);
    CHECK(copy < TASKS * VALUES);
    CHECK_EQ(au32_fetch_add_relaxed(&traffic.got[copy / VALUES][copy % VALUES], 1), 0);
}

static void traffic_begin(size_t capacity) {
    memset(traffic.sent, 0, sizeof traffic.sent);
    memset(traffic.got, 0, sizeof traffic.got);
    traffic.ended = (struct support_counter)SUPPORT_COUNTER_INIT;
    CHECK_EQ(sy_mpsc_create(&traffic.channel, sizeof(uint64_t), capacity, got_value), 0);
}

static unsigned traffic_check(void) {
    unsigned sent = 0;
    for (unsigned t = 0; t < TASKS; t++) {
        for (unsigned v = 0; v < VALUES; v++) {
            CHECK_EQ(traffic.got[t][v].raw, traffic.sent[t][v].raw);
            sent += traffic.sent[t][v].raw;
        }
    }
    return sent;
}

struct sender {
    struct sy_mpsc_send send;
    unsigned number, next;
    uint64_t value;
    bool sending;
};

static void sender_note(struct sender *f) {
    if (f->send.result == 0) {
        au32_store_relaxed(&traffic.sent[f->number][f->next], 1);
    }
    f->sending = false;
}

static enum sy_poll sender_poll(void *future, struct sy_context *cx) {
    struct sender *f = future;
    for (; f->next < values(); f->next++) {
        if (!f->sending) {
            f->value = (uint64_t)f->number * VALUES + f->next;
            sy_mpsc_send_init(&f->send, traffic.channel, &f->value);
            f->sending = true;
        }
        if (sy_mpsc_send_poll(&f->send, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        sender_note(f);
        if (f->send.result) {
            CHECK_EQ(f->send.result, -EPIPE);
            break;
        }
    }
    return SY_READY;
}

static void sender_drop(void *future) {
    struct sender *f = future;
    if (f->sending) {
        sy_mpsc_send_drop(&f->send);
        sender_note(f);
    }
    sy_mpsc_drop_sender(traffic.channel);
    support_counter_add(&traffic.ended, 1);
}

static const struct sy_future_type sender_type = {"sender", sizeof(struct sender), sender_poll, sender_drop};

struct receiver {
    struct sy_mpsc_recv recv;
    uint64_t value;
    unsigned most, received;
    int last[TASKS];
    bool began;
};

static enum sy_poll receiver_poll(void *future, struct sy_context *cx) {
    struct receiver *f = future;
    if (!f->began) {
        sy_mpsc_recv_init(&f->recv, traffic.channel, &f->value);
        memset(f->last, -1, sizeof f->last);
        f->began = true;
    }
    while (f->received < f->most) {
        if (sy_mpsc_recv_poll(&f->recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (f->recv.result) {
            CHECK_EQ(f->recv.result, -EPIPE);
            break;
        }
        got_value(&f->value);
        CHECK(f->last[f->value / VALUES] < (int)(f->value % VALUES));
        f->last[f->value / VALUES] = (int)(f->value % VALUES);
        f->received++;
    }
    return SY_READY;
}

static void receiver_drop(void *future) {
    (void)future;
    sy_mpsc_drop_receiver(traffic.channel);
    support_counter_add(&traffic.ended, 1);
}

static const struct sy_future_type receiver_type = {"receiver", sizeof(struct receiver), receiver_poll, receiver_drop};

/* The first has the creator's reference. */
static void spawn_senders(struct sy_runtime *runtime, struct sy_join *joins) {
    for (unsigned i = 1; i < TASKS; i++) {
        sy_mpsc_clone_sender(traffic.channel);
    }
    for (unsigned i = 0; i < TASKS; i++) {
        CHECK_EQ(sy_spawn(runtime, &sender_type, &(struct sender){.number = i}, joins ? &joins[i] : NULL), 0);
    }
}

static void traffic_spawn(struct sy_runtime *runtime, unsigned most, struct sy_join *joins) {
    spawn_senders(runtime, joins);
    CHECK_EQ(sy_spawn(runtime, &receiver_type, &(struct receiver){.most = most}, joins ? &joins[TASKS] : NULL), 0);
}

static const size_t capacities[] = {1, 3, 100, SY_MPSC_UNBOUNDED};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

static void all_values_arrive(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    for (size_t c = 0; c < CAPACITIES; c++) {
        traffic_begin(capacities[c]);
        traffic_spawn(runtime, UINT32_MAX, NULL);
        support_counter_wait(&traffic.ended, TASKS + 1);
        CHECK_EQ(traffic_check(), TASKS * values());
    }
    sy_runtime_destroy(runtime);
}

/* Senders are aborted here and there; in some rounds the receiver goes first, or is aborted too. */
static void tasks_are_aborted(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    uint64_t random = check_seed();
    for (unsigned round = 0; round < support_rounds(200); round++) {
        struct sy_join joins[TASKS + 1];
        traffic_begin(capacities[round % CAPACITIES]);
        traffic_spawn(runtime, round % 3 ? UINT32_MAX : (unsigned)check_random(&random) % (VALUES * TASKS), joins);
        for (unsigned i = 0; i < TASKS; i += 1 + round % 3) {
            sy_join_abort(&joins[check_random(&random) % (round % 4 ? TASKS : TASKS + 1)]);
        }
        for (unsigned i = 0; i <= TASKS; i++) {
            struct sy_outcome outcome;
            CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
            sy_join_drop(&joins[i]);
        }
        support_counter_wait(&traffic.ended, TASKS + 1);
        traffic_check();
    }
    sy_runtime_destroy(runtime);
}

static void the_runtime_ends_in_the_middle(size_t combo) {
    uint64_t random = check_seed();
    for (unsigned round = 0; round < support_rounds(40); round++) {
        struct sy_runtime *runtime = support_runtime(combo);
        traffic_begin(capacities[round % CAPACITIES]);
        traffic_spawn(runtime, UINT32_MAX, NULL);
        for (uint64_t spin = check_random(&random) % 20000; spin > 0; spin--) {
            cpu_relax();
        }
        sy_runtime_destroy(runtime);
        CHECK_EQ(support_counter_get(&traffic.ended), TASKS + 1);
        traffic_check();
    }
}

/* A plain thread receives what tasks send, by sy_block_on. */
static void a_plain_thread_receives(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    traffic_begin(2);
    spawn_senders(runtime, NULL);
    struct sy_mpsc_recv recv;
    uint64_t value;
    unsigned received = 0;
    for (;;) {
        sy_mpsc_recv_init(&recv, traffic.channel, &value);
        CHECK_EQ(sy_block_on(runtime, &sy_mpsc_recv_type, &recv), 0);
        if (recv.result) {
            break;
        }
        got_value(&value);
        received++;
    }
    CHECK_EQ(recv.result, -EPIPE);
    sy_mpsc_drop_receiver(traffic.channel);
    CHECK_EQ(received, TASKS * values());
    sy_runtime_destroy(runtime);
    CHECK_EQ(traffic_check(), received);
}

/* ---- a semaphore and a notification, each handed round as a lock ---- */

struct lock {
    bool by_notification;
    uint64_t permits;
    struct sy_semaphore semaphore;
    struct sy_notify notify;
    struct au64 holders;
    struct support_counter ended;
};

static struct lock lock;

static void lock_begin(bool by_notification, uint64_t permits) {
    lock.by_notification = by_notification;
    lock.permits = permits;
    lock.ended = (struct support_counter)SUPPORT_COUNTER_INIT;
    sy_semaphore_init(&lock.semaphore, permits);
    sy_notify_init(&lock.notify);
    sy_notify_one(&lock.notify);
}

struct holder {
    union {
        struct sy_acquire acquire;
        struct sy_notified notified;
    } wait;
    unsigned turns;
    enum { HOLDER_FREE, HOLDER_WAITING, HOLDER_HOLDING } state;
};

static enum sy_poll holder_take(struct holder *f, struct sy_context *cx) {
    if (f->state == HOLDER_FREE && lock.by_notification) {
        sy_notified_init(&f->wait.notified, &lock.notify);
    } else if (f->state == HOLDER_FREE) {
        sy_acquire_init(&f->wait.acquire, &lock.semaphore, 1 + f->turns % lock.permits);
    }
    f->state = HOLDER_WAITING;
    return lock.by_notification ? sy_notified_poll(&f->wait.notified, cx) : sy_acquire_poll(&f->wait.acquire, cx);
}

static void holder_give(struct holder *f) {
    uint64_t n = lock.by_notification ? 1 : f->wait.acquire.permits;
    au64_fetch_sub_relaxed(&lock.holders, n);
    f->state = HOLDER_FREE;
    if (lock.by_notification) {
        sy_notify_one(&lock.notify);
    } else {
        sy_semaphore_release(&lock.semaphore, n);
    }
}

static enum sy_poll holder_poll(void *future, struct sy_context *cx) {
    struct holder *f = future;
    while (f->turns > 0) {
        if (f->state == HOLDER_HOLDING) {
            holder_give(f);
            f->turns--;
            continue;
        }
        if (holder_take(f, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->state = HOLDER_HOLDING;
        uint64_t n = lock.by_notification ? 1 : f->wait.acquire.permits;
        CHECK(au64_fetch_add_relaxed(&lock.holders, n) + n <= lock.permits);
        if (f->turns % 2) {
            sy_yield_now(cx);
            return SY_PENDING;
        }
    }
    return SY_READY;
}

static void holder_drop(void *future) {
    struct holder *f = future;
    if (f->state == HOLDER_HOLDING) {
        holder_give(f);
    } else if (f->state == HOLDER_WAITING && lock.by_notification) {
        sy_notified_drop(&f->wait.notified);
    } else if (f->state == HOLDER_WAITING) {
        sy_acquire_drop(&f->wait.acquire);
    }
    support_counter_add(&lock.ended, 1);
}

static const struct sy_future_type holder_type = {"holder", sizeof(struct holder), holder_poll, holder_drop};

/* Everything has come back: all permits, or the one notification. */
static void lock_check(void) {
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    struct sy_notified notified;
    CHECK_EQ(lock.holders.raw, 0);
    if (lock.by_notification) {
        sy_notified_init(&notified, &lock.notify);
        CHECK_EQ(sy_notified_poll(&notified, &cx), SY_READY);
    }
    CHECK_EQ(sy_semaphore_try_acquire(&lock.semaphore, lock.permits), 0);
    CHECK_EQ(sy_semaphore_available(&lock.semaphore), 0);
    sy_notify_destroy(&lock.notify);
    sy_semaphore_destroy(&lock.semaphore);
}

/* Some are aborted; if `ends`, the runtime ends with the others still at it. */
static void lock_run(size_t combo, bool ends) {
    struct sy_runtime *runtime = support_runtime(combo);
    uint64_t random = check_seed();
    struct sy_join joins[TASKS];
    for (unsigned i = 0; i < TASKS; i++) {
        struct holder holder = {.turns = ends ? UINT32_MAX : values()};
        CHECK_EQ(sy_spawn(runtime, &holder_type, &holder, &joins[i]), 0);
    }
    for (unsigned i = 0; i < TASKS / 3; i++) {
        for (uint64_t spin = check_random(&random) % 2000; spin > 0; spin--) {
            cpu_relax();
        }
        sy_join_abort(&joins[check_random(&random) % TASKS]);
    }
    if (!ends) {
        support_counter_wait(&lock.ended, TASKS);
    }
    sy_runtime_shutdown(runtime);
    CHECK_EQ(support_counter_get(&lock.ended), TASKS);
    for (unsigned i = 0; i < TASKS; i++) {
        sy_join_drop(&joins[i]);
    }
    sy_runtime_destroy(runtime);
    lock_check();
}

static void permits_and_notifications_come_back(size_t combo) {
    for (unsigned round = 0; round < support_rounds(80); round++) {
        unsigned permits = round % 4; /* 0: by notification */
        lock_begin(permits == 0, permits ? permits : 1);
        lock_run(combo, round / 4 % 2);
    }
}

/* ---- with a time limit ---- */

struct limited {
    struct sy_timeout timeout;
    struct sy_acquire acquire;
};

static enum sy_poll limited_poll(void *future, struct sy_context *cx) {
    struct limited *f = future;
    return sy_timeout_poll(&f->timeout, cx);
}

static const struct sy_future_type limited_type = {"limited", sizeof(struct limited), limited_poll, NULL};

static void a_timeout_gives_up_the_wait(size_t combo) {
    struct sy_runtime *runtime = support_runtime(combo);
    struct sy_semaphore semaphore;
    struct limited limited;
    sy_semaphore_init(&semaphore, 1);
    for (uint64_t permits = 1; permits <= 2; permits++) {
        sy_acquire_init(&limited.acquire, &semaphore, permits);
        sy_timeout_init(&limited.timeout, runtime, 1000000, &sy_acquire_type, &limited.acquire);
        CHECK_EQ(sy_block_on(runtime, &limited_type, &limited), 0);
        CHECK_EQ(limited.timeout.elapsed, permits == 2);
        CHECK_EQ(limited.acquire.result, permits == 2 ? -ECANCELED : 0);
        if (permits == 1) {
            sy_semaphore_release(&semaphore, 1);
        }
    }
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 1), 0); /* what it had is back */
    sy_semaphore_destroy(&semaphore);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"all_values_arrive", all_values_arrive},
    {"tasks_are_aborted", tasks_are_aborted},
    {"the_runtime_ends_in_the_middle", the_runtime_ends_in_the_middle},
    {"a_plain_thread_receives", a_plain_thread_receives},
    {"permits_and_notifications_come_back", permits_and_notifications_come_back},
    {"a_timeout_gives_up_the_wait", a_timeout_gives_up_the_wait},
};

PROBE_SUITE("suite_executor_channel", tests, 180)
