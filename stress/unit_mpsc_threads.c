/* The channel of many senders between threads: nothing lost or doubled, each sender's order, room, every kind of end. */
#define _GNU_SOURCE
#include "support_wait.h"

enum { SENDERS_MAX = 15, VALUES_MAX = 4096 };

/* A value is the number of its sender and its own; what became of each is counted. */
struct traffic {
    struct sy_mpsc *channel;
    size_t capacity;
    size_t senders;
    size_t each;           /* values for each sender to try */
    uint64_t receive_most; /* then the receiver goes */
    bool closes;           /* and closes before, so that it has everything */
    unsigned hurry;        /* of so many sends one is given up when it has to wait; 0: none */
    struct au64 sent, received;
    struct au32 got[SENDERS_MAX][VALUES_MAX]; /* received or dropped */
    bool was_sent[SENDERS_MAX][VALUES_MAX];   /* written by its sender */
    int64_t last[SENDERS_MAX];                /* the receiver's: the newest that came from each */
    struct counted_waker wakers[SENDERS_MAX + 1];
};

static struct traffic traffic;

static void note_got(uint64_t value) {
    uint64_t sender = value >> 32, number = value & 0xffffffff;
    CHECK(sender < traffic.senders && number < traffic.each);
    CHECK_EQ(au32_fetch_add_relaxed(&traffic.got[sender][number], 1), 0);
    CHECK(traffic.last[sender] < (int64_t)number);
    traffic.last[sender] = (int64_t)number;
}

static void note_dropped(void *value) {
    uint64_t copy;
    memcpy(&copy, value, sizeof copy);
    note_got(copy); /* by the receiver's thread, after what was received */
}

/* False: the receiver is gone. */
static bool send_one(size_t sender, uint64_t number, uint64_t *random) {
    struct sy_mpsc_send send;
    uint64_t value = (uint64_t)sender << 32 | number;
    sy_mpsc_send_init(&send, traffic.channel, &value);
    bool hurries = traffic.hurry && check_random(random) % traffic.hurry == 0;
    wait_poll(&sy_mpsc_send_type, &send, &traffic.wakers[sender], hurries ? 0 : WAIT_FOREVER, random);
    value = ~(uint64_t)0; /* the channel has its copy, or never will */
    if (send.result == 0) {
        traffic.was_sent[sender][number] = true;
        uint64_t sent = au64_fetch_add_seq_cst(&traffic.sent, 1) + 1;
        /* One more may have been received and not been counted yet. */
        uint64_t received = au64_load_seq_cst(&traffic.received);
        CHECK(sent <= received + 1 || sent - (received + 1) <= traffic.capacity);
    }
    CHECK(send.result == 0 || send.result == -EPIPE || (hurries && send.result == -ECANCELED));
    return send.result != -EPIPE;
}

static void sender_run(size_t sender) {
    uint64_t random = check_seed() + sender;
    for (uint64_t number = 0; number < traffic.each; number++) {
        if (check_random(&random) % 8 == 0) {
            wait_a_moment(&random);
        }
        if (!send_one(sender, number, &random)) {
            break;
        }
    }
    sy_mpsc_drop_sender(traffic.channel);
}

static void receiver_run(void) {
    uint64_t value, left = traffic.receive_most;
    uint64_t random = check_seed() + SENDERS_MAX;
    struct sy_mpsc_recv recv;
    sy_mpsc_recv_init(&recv, traffic.channel, &value);
    while (left-- > 0) {
        if (check_random(&random) % 16 == 0) {
            wait_a_moment(&random);
        }
        unsigned patience = check_random(&random) % 4 ? WAIT_FOREVER : 0;
        if (wait_poll(&sy_mpsc_recv_type, &recv, &traffic.wakers[SENDERS_MAX], patience, &random) == SY_PENDING) {
            continue; /* given up, which loses nothing */
        }
        if (recv.result) {
            CHECK_EQ(recv.result, -EPIPE);
            break;
        }
        au64_fetch_add_seq_cst(&traffic.received, 1);
        note_got(value);
        if (left == 0 && traffic.closes) {
            sy_mpsc_close(traffic.channel);
            left = UINT64_MAX; /* until there is nothing left */
            traffic.closes = false;
        }
    }
    sy_mpsc_drop_receiver(traffic.channel);
}

static void member_run(size_t index, void *shared) {
    (void)shared;
    if (index == traffic.senders) {
        receiver_run();
    } else {
        sender_run(index);
    }
}

/* What was sent was received or dropped, and nothing else was. */
static void traffic_check(void) {
    uint64_t sent = 0;
    for (size_t s = 0; s < traffic.senders; s++) {
        for (size_t n = 0; n < traffic.each; n++) {
            CHECK_EQ(traffic.got[s][n].raw, traffic.was_sent[s][n]);
            sent += traffic.was_sent[s][n];
        }
        CHECK_EQ(traffic.wakers[s].references.raw, 0);
    }
    CHECK_EQ(traffic.wakers[SENDERS_MAX].references.raw, 0);
    CHECK_EQ(traffic.sent.raw, sent);
    CHECK(traffic.received.raw <= sent);
}

static void traffic_run(size_t capacity, size_t senders, size_t each) {
    traffic.capacity = capacity;
    traffic.senders = senders;
    traffic.each = each;
    CHECK(each <= VALUES_MAX && senders <= SENDERS_MAX);
    au64_store_relaxed(&traffic.sent, 0);
    au64_store_relaxed(&traffic.received, 0);
    for (size_t s = 0; s < senders; s++) {
        memset(traffic.got[s], 0, each * sizeof traffic.got[s][0]);
        memset(traffic.was_sent[s], 0, each * sizeof traffic.was_sent[s][0]);
        traffic.last[s] = -1;
    }
    CHECK_EQ(sy_mpsc_create(&traffic.channel, sizeof(uint64_t), capacity, note_dropped), 0);
    for (size_t s = 1; s < senders; s++) {
        sy_mpsc_clone_sender(traffic.channel);
    }
    threads_run(senders + 1, member_run, NULL);
    traffic_check();
}

static const size_t capacities[] = {1, 2, 31, 100, SY_MPSC_UNBOUNDED - 1, SY_MPSC_UNBOUNDED};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

static size_t many_senders(void) {
    size_t n = threads_oversubscribed();
    return n < SENDERS_MAX ? n : SENDERS_MAX;
}

static void all_arrive_in_each_senders_order(size_t variant) {
    (void)variant;
    traffic.receive_most = UINT64_MAX;
    traffic.closes = false;
    traffic.hurry = 0;
    for (size_t c = 0; c < CAPACITIES; c++) {
        size_t each = threads_scaled(VALUES_MAX);
        traffic_run(capacities[c], many_senders(), each);
        CHECK_EQ(traffic.received.raw, many_senders() * each);
    }
}

static void sends_that_are_given_up_were_done_or_were_not(size_t variant) {
    (void)variant;
    traffic.receive_most = UINT64_MAX;
    traffic.closes = false;
    traffic.hurry = 3;
    for (size_t c = 0; c < CAPACITIES; c++) {
        traffic_run(capacities[c], many_senders(), threads_scaled(VALUES_MAX));
        CHECK_EQ(traffic.received.raw, traffic.sent.raw);
    }
}

/* The receiver goes in the middle: senders at every point see it, what was on its way is dropped. */
static void the_receiver_goes(size_t variant) {
    (void)variant;
    uint64_t random = check_seed();
    for (size_t round = 0; round < threads_scaled(400); round++) {
        traffic.receive_most = check_random(&random) % 200;
        traffic.closes = round % 3 == 0;
        traffic.hurry = round % 2 ? 3 : 0;
        traffic_run(capacities[round % CAPACITIES], 1 + round % 4, 100);
    }
}

/* Short lives: the last sender goes while the receiver is about to wait. */
static void the_senders_go(size_t variant) {
    (void)variant;
    uint64_t random = check_seed();
    traffic.receive_most = UINT64_MAX;
    traffic.closes = false;
    traffic.hurry = 0;
    for (size_t round = 0; round < threads_scaled(2000); round++) {
        size_t each = check_random(&random) % 40;
        traffic_run(capacities[round % CAPACITIES], 1 + round % 3, each);
        CHECK_EQ(traffic.received.raw, (1 + round % 3) * each);
    }
}

/* ---- the last sender goes, or sends, just when the receiver is about to wait ---- */

struct duel {
    struct threads_rounds rounds;
    struct sy_mpsc *channel;
    struct counted_waker waker;
};

static void duel_send(struct duel *duel, uint64_t *random) {
    uint64_t value = 7;
    bool sends = check_random(random) % 2;
    wait_a_moment(random);
    CHECK(!sends || sy_mpsc_try_send(duel->channel, &value) == 0);
    wait_a_moment(random);
    sy_mpsc_drop_sender(duel->channel);
}

static void duel_receive(struct duel *duel, uint64_t *random) {
    uint64_t value = 0;
    struct sy_mpsc_recv recv;
    wait_a_moment(random);
    sy_mpsc_recv_init(&recv, duel->channel, &value);
    do {
        CHECK_EQ(wait_poll(&sy_mpsc_recv_type, &recv, &duel->waker, WAIT_FOREVER, random), SY_READY);
    } while (recv.result == 0);
    CHECK_EQ(recv.result, -EPIPE);
    sy_mpsc_drop_receiver(duel->channel);
}

static void duel_member(size_t index, void *shared) {
    struct duel *duel = shared;
    uint64_t random = check_seed() + index, meetings = 0;
    for (size_t i = 0;; i++) {
        if (index == 0) {
            CHECK_EQ(sy_mpsc_create(&duel->channel, sizeof(uint64_t), 1, NULL), 0);
        }
        if (!threads_round(&duel->rounds, &meetings, index, i)) {
            break;
        }
        if (index == 0) {
            duel_receive(duel, &random);
        } else {
            duel_send(duel, &random);
        }
        threads_meet(&duel->rounds, &meetings);
    }
    if (index == 0) {
        sy_mpsc_drop_sender(duel->channel);
        sy_mpsc_drop_receiver(duel->channel);
    }
}

static void the_last_sender_meets_the_wait(size_t variant) {
    (void)variant;
    static struct duel duel;
    duel = (struct duel){.rounds = threads_rounds_of(2, 200000)}; /* or a second */
    threads_run(2, duel_member, &duel);
    CHECK_EQ(duel.waker.references.raw, 0);
}

static const struct check_test tests[] = {
    {"all_arrive_in_each_senders_order", all_arrive_in_each_senders_order},
    {"sends_that_are_given_up_were_done_or_were_not", sends_that_are_given_up_were_done_or_were_not},
    {"the_receiver_goes", the_receiver_goes},
    {"the_senders_go", the_senders_go},
    {"the_last_sender_meets_the_wait", the_last_sender_meets_the_wait},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_mpsc_threads", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
