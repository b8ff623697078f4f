/* A ring of tasks with a channel each, round which a message goes 100 times. After async-executor's. */
#include "bench/workload_tools.h"
#include "executor/sync/mpsc.h"

enum { RING = 300, ROUNDS = 100 };

struct passer {
    uint64_t last_message; /* the output: what the last task does not pass on; 0 of the others */
    uint64_t message;
    struct sy_mpsc *own;
    struct sy_mpsc *next;
    unsigned passed;
    bool is_last;
    enum { PASSER_NEXT, PASSER_RECEIVING, PASSER_SENDING } state;
    struct sy_mpsc_recv recv;
    struct sy_mpsc_send send;
};

static void passer_receive(struct passer *f) {
    sy_mpsc_recv_init(&f->recv, f->own, &f->message);
    f->state = PASSER_RECEIVING;
}

/* False: the message goes no further. */
static bool passer_pass_on(struct passer *f) {
    f->message++;
    f->passed++;
    if (f->is_last && f->passed == ROUNDS) {
        f->last_message = f->message;
        return false;
    }
    sy_mpsc_send_init(&f->send, f->next, &f->message);
    f->state = PASSER_SENDING;
    return true;
}

/* Ends early if a neighbour has gone. */
static enum sy_poll passer_poll(void *future, struct sy_context *cx) {
    struct passer *f = future;
    for (;;) {
        switch (f->state) {
        case PASSER_NEXT:
            if (f->passed == ROUNDS) {
                return SY_READY;
            }
            passer_receive(f);
            break;
        case PASSER_RECEIVING:
            if (sy_mpsc_recv_poll(&f->recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->recv.result < 0 || !passer_pass_on(f)) {
                return SY_READY;
            }
            break;
        case PASSER_SENDING:
            if (sy_mpsc_send_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->send.result < 0) {
                return SY_READY;
            }
            f->state = PASSER_NEXT;
            break;
        }
    }
}

static void passer_drop(void *future) {
    struct passer *f = future;
    if (f->state == PASSER_SENDING) {
        sy_mpsc_send_drop(&f->send);
    } else if (f->state == PASSER_RECEIVING) {
        sy_mpsc_recv_drop(&f->recv);
    }
    sy_mpsc_drop_receiver(f->own);
    sy_mpsc_drop_sender(f->next);
}

static const struct sy_future_type passer_type = {"passer", sizeof(struct passer), passer_poll, passer_drop};

static bool channel_ring_iterate(struct workload_run *run) {
    static struct sy_mpsc *channels[RING];
    static struct sy_join joins[RING];
    for (unsigned i = 0; i < RING; i++) {
        channels[i] = workload_channel_of_one();
    }
    int error = sy_mpsc_try_send(channels[0], &(uint64_t){0}); /* while nobody can have dropped it */
    for (unsigned i = 0; i < RING; i++) {
        struct passer passer = {.own = channels[i], .next = channels[(i + 1) % RING], .is_last = i == RING - 1};
        workload_spawn(run->runtime, &passer_type, &passer, &joins[i]);
    }
    if (error) {
        workload_die("the first message cannot be sent", error);
    }
    return workload_expect(run, "hops", workload_join_sum(joins, RING), RING * ROUNDS);
}

const struct workload workload_channel_ring = {
    .name = "channel_ring",
    .summary = "300 tasks in a ring of channels of capacity 1, round which a message goes 100 times",
    .check = "the message counted each hop",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = RING * ROUNDS,
    .effort = WORKLOAD_WIDE,
    .iterate = channel_ring_iterate,
};
