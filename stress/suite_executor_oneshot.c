/* The oneshot channel: every order of send, poll and drop, alone and between two threads. */
#define _GNU_SOURCE
#include "support_probe.h"

static void send_then_poll(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    struct sy_oneshot channel;
    enum sy_oneshot_result result = SY_ONESHOT_CLOSED;
    int payload = 0;
    void *value = NULL;
    sy_oneshot_init(&channel);
    CHECK_EQ(sy_oneshot_send(&channel, &payload), 0);
    CHECK_EQ(sy_oneshot_poll(&channel, &cx, &result, &value), SY_READY);
    CHECK_EQ(result, SY_ONESHOT_VALUE);
    CHECK(value == &payload);
    CHECK_EQ(waker.references.raw, 0);
    CHECK_EQ(waker.wakes.raw, 0);
}

static void poll_then_send(size_t variant) {
    (void)variant;
    struct counted_waker first = {0}, second = {0};
    struct sy_context cx = counted_context(&first), other = counted_context(&second);
    struct sy_oneshot channel;
    enum sy_oneshot_result result = SY_ONESHOT_CLOSED;
    void *value = &channel;
    sy_oneshot_init(&channel);
    CHECK_EQ(sy_oneshot_poll(&channel, &cx, &result, &value), SY_PENDING);
    CHECK_EQ(sy_oneshot_poll(&channel, &cx, &result, &value), SY_PENDING);
    CHECK_EQ(first.references.raw, 1);
    CHECK_EQ(sy_oneshot_poll(&channel, &other, &result, &value), SY_PENDING); /* a later waker replaces it */
    CHECK_EQ(first.references.raw, 0);
    CHECK_EQ(sy_oneshot_send(&channel, NULL), 0);
    CHECK_EQ(first.wakes.raw, 0);
    CHECK_EQ(second.wakes.raw, 1);
    CHECK_EQ(sy_oneshot_poll(&channel, &other, &result, &value), SY_READY);
    CHECK_EQ(result, SY_ONESHOT_VALUE);
    CHECK(value == NULL);
    CHECK_EQ(second.references.raw, 0);
}

static void drop_sender_closes(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    enum sy_oneshot_result result = SY_ONESHOT_VALUE;
    void *value;
    for (unsigned polled = 0; polled < 2; polled++) {
        struct sy_oneshot *channel;
        CHECK_EQ(sy_oneshot_create(&channel), 0);
        if (polled) {
            CHECK_EQ(sy_oneshot_poll(channel, &cx, &result, &value), SY_PENDING);
        }
        sy_oneshot_drop_sender(channel);
        CHECK_EQ(waker.wakes.raw, polled);
        CHECK_EQ(sy_oneshot_poll(channel, &cx, &result, &value), SY_READY);
        CHECK_EQ(result, SY_ONESHOT_CLOSED);
        sy_oneshot_drop_receiver(channel);
        CHECK_EQ(waker.references.raw, 0);
    }
}

static void send_without_receiver(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    enum sy_oneshot_result result;
    void *value;
    for (unsigned polled = 0; polled < 2; polled++) {
        struct sy_oneshot *channel;
        CHECK_EQ(sy_oneshot_create(&channel), 0);
        if (polled) {
            CHECK_EQ(sy_oneshot_poll(channel, &cx, &result, &value), SY_PENDING);
        }
        sy_oneshot_drop_receiver(channel);
        CHECK_EQ(waker.references.raw, 0);
        CHECK_EQ(sy_oneshot_send(channel, &waker), -EPIPE);
        sy_oneshot_drop_sender(channel);
        CHECK_EQ(waker.wakes.raw, 0);
    }
}

/* ---- two threads ---- */

enum side_action { SIDE_SEND, SIDE_DROP }; /* the sender's */
enum receiver_action { RECEIVE, RECEIVE_ONCE_AND_DROP, DROP_AT_ONCE };

struct duel {
    struct sy_oneshot *channel;
    enum side_action sender;
    enum receiver_action receiver;
    pthread_barrier_t barrier;
    uint64_t payload; /* plain: the channel orders it */
    unsigned spin;
    int sent;
    struct counted_waker waker;
};

static void spin(unsigned turns) {
    while (turns-- > 0) {
        cpu_relax();
    }
}

static void duel_send(struct duel *duel) {
    spin(duel->spin & 15);
    duel->payload = 42;
    duel->sent = duel->sender == SIDE_SEND ? sy_oneshot_send(duel->channel, &duel->payload) : 0;
    sy_oneshot_drop_sender(duel->channel);
}

/* Polls until ready; between two polls waits for the wake-up, which must come. */
static void duel_receive(struct duel *duel) {
    struct sy_context cx = counted_context(&duel->waker);
    enum sy_oneshot_result result;
    void *value = NULL;
    uint32_t wakes = 0;
    bool once = duel->receiver == RECEIVE_ONCE_AND_DROP;
    spin(duel->spin >> 4 & 15);
    enum sy_poll answer =
        duel->receiver == DROP_AT_ONCE ? SY_PENDING : sy_oneshot_poll(duel->channel, &cx, &result, &value);
    while (answer == SY_PENDING && duel->receiver == RECEIVE) {
        while (au32_load_acquire(&duel->waker.wakes) == wakes) {
            sched_yield(); /* bounded by the watchdog */
        }
        wakes++;
        answer = sy_oneshot_poll(duel->channel, &cx, &result, &value);
    }
    if (answer == SY_READY) {
        CHECK_EQ(result, duel->sender == SIDE_SEND ? SY_ONESHOT_VALUE : SY_ONESHOT_CLOSED);
        CHECK(result != SY_ONESHOT_VALUE || *(uint64_t *)value == 42);
    } else {
        CHECK(once || duel->receiver == DROP_AT_ONCE);
    }
    sy_oneshot_drop_receiver(duel->channel);
}

struct duels {
    struct duel duel;
    unsigned rounds;
};

static void *duel_sender_thread(void *argument) {
    struct duels *duels = argument;
    for (unsigned i = 0; i < duels->rounds; i++) {
        pthread_barrier_wait(&duels->duel.barrier);
        duel_send(&duels->duel);
        pthread_barrier_wait(&duels->duel.barrier);
    }
    return NULL;
}

static void two_threads_all_orders(size_t variant) {
    (void)variant;
    struct duels duels = {.rounds = support_rounds(30000)};
    struct duel *duel = &duels.duel;
    uint64_t random = check_seed();
    pthread_t sender;
    CHECK_EQ(pthread_barrier_init(&duel->barrier, NULL, 2), 0);
    CHECK_EQ(pthread_create(&sender, NULL, duel_sender_thread, &duels), 0);
    for (unsigned i = 0; i < duels.rounds; i++) {
        CHECK_EQ(sy_oneshot_create(&duel->channel), 0);
        duel->sender = i % 2 ? SIDE_SEND : SIDE_DROP;
        duel->receiver = (enum receiver_action)(i / 2 % 3);
        duel->spin = (unsigned)check_random(&random) & 255;
        duel->payload = 0;
        duel->waker = (struct counted_waker){0};
        pthread_barrier_wait(&duel->barrier);
        duel_receive(duel);
        pthread_barrier_wait(&duel->barrier);
        CHECK_EQ(duel->waker.references.raw, 0);
        CHECK(duel->sent == 0 || (duel->sent == -EPIPE && duel->receiver != RECEIVE));
    }
    pthread_join(sender, NULL);
    pthread_barrier_destroy(&duel->barrier);
}

static const struct check_test tests[] = {
    {"send_then_poll", send_then_poll},
    {"poll_then_send", poll_then_send},
    {"drop_sender_closes", drop_sender_closes},
    {"send_without_receiver", send_without_receiver},
    {"two_threads_all_orders", two_threads_all_orders},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "suite_executor_oneshot", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
