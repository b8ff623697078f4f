/*
 * Tasks that use up the processors beside connections whose messages are due at fixed times: how long is an answer kept
 * waiting? An open loop: no message waits for the answer of another, and its latency runs from when it was due, not from
 * when its sender got to send it.
 */
#include <errno.h>
#include <string.h>

#include "bench/workload_loopback.h"
#include "bench/workload_tools.h"

enum { HOGS = 2 /* for each worker */, HOG_NS = 200000 };
enum { CONNECTIONS = 16, MESSAGES = 100, PERIOD_NS = 1000000, STAGGER_NS = PERIOD_NS / CONNECTIONS };

/* ---- the hogs ---- */

static struct au32 stop;

static enum sy_poll hog_poll(void *future, struct sy_context *cx) {
    (void)future;
    if (au32_load_relaxed(&stop)) {
        sem_post(&workload_done);
        return SY_READY;
    }
    workload_spin(HOG_NS);
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type hog_type = {"hog", sizeof(char), hog_poll, NULL};

/* ---- the two tasks at the near end of each connection ---- */

static struct loopback connections[CONNECTIONS];
static uint64_t latencies_ns[CONNECTIONS][MESSAGES]; /* of the iteration; each row its receiver's */
static uint64_t start_ns;                            /* of the iteration */
static uint64_t sent;                                /* bytes */

/* When the k-th message of a connection is to be sent. */
static uint64_t due_ns(unsigned connection, unsigned k) {
    return start_ns + k * (uint64_t)PERIOD_NS + connection * (uint64_t)STAGGER_NS;
}

struct sender {
    int64_t result; /* the output: 0 or -errno */
    unsigned connection;
    enum { SENDER_NEXT, SENDER_SLEEPING, SENDER_SENDING } state;
    unsigned sent; /* messages */
    uint64_t random;
    struct sy_sleep sleep;
    struct sy_send_all send;
    unsigned char message[LOOPBACK_MESSAGE];
};

static void sender_send(struct sender *f) {
    loopback_fill(&f->random, f->message);
    sy_send_all_init(&f->send, &connections[f->connection].near, f->message, LOOPBACK_MESSAGE);
    f->state = SENDER_SENDING;
}

static void sender_begin(struct sender *f, struct sy_context *cx) {
    uint64_t due = due_ns(f->connection, f->sent);
    if (sy_now_ns() < due) {
        sy_sleep_init(&f->sleep, cx->runtime, due);
        f->state = SENDER_SLEEPING;
    } else {
        sender_send(f);
    }
}

static enum sy_poll sender_poll(void *future, struct sy_context *cx) {
    struct sender *f = future;
    while (f->result == 0 && f->sent < MESSAGES) {
        switch (f->state) {
        case SENDER_NEXT:
            sender_begin(f, cx);
            break;
        case SENDER_SLEEPING:
            if (sy_sleep_poll(&f->sleep, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            sender_send(f);
            break;
        case SENDER_SENDING:
            if (sy_send_all_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            f->result = f->send.result < 0 ? f->send.result : 0;
            f->sent++;
            f->state = SENDER_NEXT;
            break;
        }
    }
    return SY_READY;
}

static void sender_drop(void *future) {
    struct sender *f = future;
    if (f->state == SENDER_SLEEPING) {
        sy_sleep_drop(&f->sleep);
    } else if (f->state == SENDER_SENDING) {
        sy_send_all_drop(&f->send);
    }
}

struct receiver {
    int64_t result; /* the output: 0, -errno, or -EBADMSG: an answer differs from what was sent */
    unsigned connection;
    unsigned answered; /* messages */
    bool receiving;
    uint64_t random;
    size_t received; /* bytes of the answer that is under way */
    struct sy_recv recv;
    unsigned char answer[LOOPBACK_MESSAGE];
};

static void receiver_receive(struct receiver *f) {
    sy_recv_init(&f->recv, &connections[f->connection].near, f->answer + f->received, LOOPBACK_MESSAGE - f->received);
    f->receiving = true;
}

static void receiver_take_answer(struct receiver *f) {
    unsigned char message[LOOPBACK_MESSAGE];
    loopback_fill(&f->random, message);
    latencies_ns[f->connection][f->answered] = sy_now_ns() - due_ns(f->connection, f->answered);
    f->answered++;
    f->received = 0;
    f->result = memcmp(f->answer, message, LOOPBACK_MESSAGE) == 0 ? 0 : -EBADMSG;
}

static enum sy_poll receiver_poll(void *future, struct sy_context *cx) {
    struct receiver *f = future;
    while (f->result == 0 && f->answered < MESSAGES) {
        if (!f->receiving) {
            receiver_receive(f);
        }
        if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->receiving = false;
        if (f->recv.result <= 0) {
            f->result = f->recv.result < 0 ? f->recv.result : -EPIPE;
            return SY_READY;
        }
        f->received += (size_t)f->recv.result;
        if (f->received == LOOPBACK_MESSAGE) {
            receiver_take_answer(f);
        }
    }
    return SY_READY;
}

static void receiver_drop(void *future) {
    struct receiver *f = future;
    if (f->receiving) {
        sy_recv_drop(&f->recv);
    }
}

static const struct sy_future_type sender_type = {"sender", sizeof(struct sender), sender_poll, sender_drop};
static const struct sy_future_type receiver_type = {"receiver", sizeof(struct receiver), receiver_poll, receiver_drop};

/* ---- the workload ---- */

static void mixed_setup(struct workload_run *run) {
    loopback_open(run, connections, CONNECTIONS);
    for (unsigned i = 0; i < run->workers * HOGS; i++) {
        workload_spawn(run->runtime, &hog_type, "", NULL);
    }
}

static void record_latencies(struct workload_run *run) {
    static struct latency iteration;
    memset(&iteration, 0, sizeof iteration);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        for (unsigned k = 0; k < MESSAGES; k++) {
            latency_record(&iteration, latencies_ns[i][k]);
        }
    }
    run->value_ns = latency_percentile(&iteration, 0.99);
    latency_add(&run->latency, &iteration);
}

/* Both tasks of a connection go through the same messages, each with its own generator. */
static void spawn_near(struct workload_run *run, unsigned i, struct sy_join *sender, struct sy_join *receiver) {
    struct receiver receives = {.connection = i, .random = connections[i].random};
    struct sender sends = {.connection = i, .random = connections[i].random};
    workload_spawn(run->runtime, &receiver_type, &receives, receiver);
    workload_spawn(run->runtime, &sender_type, &sends, sender);
}

static bool mixed_iterate(struct workload_run *run) {
    static struct sy_join senders[CONNECTIONS], receivers[CONNECTIONS];
    bool ok = true;
    start_ns = sy_now_ns();
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        spawn_near(run, i, &senders[i], &receivers[i]);
    }
    sent += (uint64_t)CONNECTIONS * MESSAGES * LOOPBACK_MESSAGE;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        ok = loopback_join(run, "sender", i, &senders[i]) == 0 && ok;
        ok = loopback_join(run, "receiver", i, &receivers[i]) == 0 && ok;
    }
    if (ok) {
        record_latencies(run);
    }
    return ok;
}

static bool mixed_finish(struct workload_run *run) {
    au32_store_relaxed(&stop, 1);
    for (unsigned i = 0; i < run->workers * HOGS; i++) {
        workload_wait();
    }
    return loopback_close(run, connections, CONNECTIONS, sent);
}

const struct workload workload_mixed = {
    .name = "mixed",
    .summary = "tasks that spin for 200 us at a time beside 16 TCP connections with a message due each ms",
    .check = "each message was answered, each byte as it was sent",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE | WORKLOAD_REACTOR,
    .ops = 1,
    .effort = WORKLOAD_CORE,
    .measures = "99th percentile of the latencies from when each message was due",
    .setup = mixed_setup,
    .iterate = mixed_iterate,
    .finish = mixed_finish,
};
