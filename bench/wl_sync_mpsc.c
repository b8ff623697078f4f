/* Five tasks that send integers into one channel, and one that receives them all. After tokio's. */
#include "bench/workload_tools.h"
#include "executor/sync/mpsc.h"

enum { SENDERS = 5, MESSAGES = 1000, /* of each */ ALL = SENDERS * MESSAGES };

struct sender {
    struct sy_mpsc *channel;
    struct sy_mpsc_send send;
    uint64_t message; /* sender's number × MESSAGES + its own */
    unsigned sent;
    bool sending;
};

/* Ends early if the receiver has gone. */
static enum sy_poll sender_poll(void *future, struct sy_context *cx) {
    struct sender *f = future;
    while (f->sent < MESSAGES) {
        if (!f->sending) {
            sy_mpsc_send_init(&f->send, f->channel, &f->message);
            f->sending = true;
        }
        if (sy_mpsc_send_poll(&f->send, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (f->send.result < 0) {
            return SY_READY;
        }
        f->sending = false;
        f->message++;
        f->sent++;
    }
    return SY_READY;
}

static void sender_drop(void *future) {
    struct sender *f = future;
    if (f->sending) {
        sy_mpsc_send_drop(&f->send);
    }
    sy_mpsc_drop_sender(f->channel);
}

static const struct sy_future_type sender_type = {"sender", sizeof(struct sender), sender_poll, sender_drop};

struct receiver {
    uint64_t sum; /* the output */
    struct sy_mpsc *channel;
    struct sy_mpsc_recv recv;
    uint64_t message;
    unsigned received;
    uint64_t next[SENDERS];
    bool *in_order; /* false once a sender's came out of order */
};

static void receiver_note(struct receiver *f) {
    uint64_t sender = f->message / MESSAGES;
    if (sender >= SENDERS || f->message % MESSAGES != f->next[sender]) {
        *f->in_order = false;
    } else {
        f->next[sender]++;
    }
    f->sum += f->message;
    f->received++;
}

static enum sy_poll receiver_poll(void *future, struct sy_context *cx) {
    struct receiver *f = future;
    if (f->received == 0) {
        sy_mpsc_recv_init(&f->recv, f->channel, &f->message);
    }
    while (f->received < ALL) {
        if (sy_mpsc_recv_poll(&f->recv, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (f->recv.result < 0) {
            return SY_READY;
        }
        receiver_note(f);
    }
    return SY_READY;
}

static void receiver_drop(void *future) {
    struct receiver *f = future;
    sy_mpsc_drop_receiver(f->channel);
}

static const struct sy_future_type receiver_type = {"receiver", sizeof(struct receiver), receiver_poll, receiver_drop};

static bool send_and_receive(struct workload_run *run, size_t capacity) {
    struct sy_mpsc *channel;
    bool in_order = true;
    int error = sy_mpsc_create(&channel, sizeof(uint64_t), capacity, NULL);
    if (error) {
        workload_die("a channel cannot be made", error);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        sy_mpsc_clone_sender(channel);
        struct sender sender = {.channel = channel, .message = (uint64_t)i * MESSAGES};
        workload_spawn(run->runtime, &sender_type, &sender, NULL);
    }
    sy_mpsc_drop_sender(channel); /* if a message were lost, the receiver would not wait for ever */
    struct receiver receiver = {.channel = channel, .in_order = &in_order};
    uint64_t sum = workload_run_task(run->runtime, &receiver_type, &receiver);
    if (!in_order) {
        return workload_fail(run, "a sender's integers came out of order");
    }
    return workload_expect(run, "sum of the integers", sum, (uint64_t)ALL * (ALL - 1) / 2);
}

/* A row for each capacity. */
#define SYNC_MPSC(suffix, capacity, when)                                                                              \
    static bool sync_mpsc_##suffix##_iterate(struct workload_run *run) {                                               \
        return send_and_receive(run, capacity);                                                                        \
    }                                                                                                                  \
    const struct workload workload_sync_mpsc_##suffix = {                                                              \
        .name = "sync_mpsc_" #suffix,                                                                                  \
        .summary = "5 tasks send 1,000 integers each into one channel (capacity: " #suffix "), a task receives them",  \
        .check = "the sum of what was received; each sender's order",                                                  \
        .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,                                                                      \
        .ops = ALL,                                                                                                    \
        .effort = when,                                                                                                \
        .iterate = sync_mpsc_##suffix##_iterate,                                                                       \
    };

SYNC_MPSC(100, 100, WORKLOAD_CORE)
SYNC_MPSC(1000000, 1000000, WORKLOAD_WIDE)
SYNC_MPSC(unbounded, SY_MPSC_UNBOUNDED, WORKLOAD_WIDE)
