#include "bench/workload_partners.h"
#include "bench/workload_tools.h"
#include "executor/sync/mpsc.h"

struct partner {
    uint64_t message; /* the output: as it was sent or received last */
    const struct workload_partners *what;
    struct sy_mpsc *out;
    struct sy_mpsc *in;
    unsigned sent;
    unsigned received;
    bool sends_first;
    enum { PARTNER_NEXT, PARTNER_SENDING, PARTNER_RECEIVING } state;
    struct sy_mpsc_send send;
    struct sy_mpsc_recv recv;
};

static void partner_send(struct partner *f) {
    if (f->what->before_send) {
        f->what->before_send();
    }
    f->message++;
    sy_mpsc_send_init(&f->send, f->out, &f->message);
    f->state = PARTNER_SENDING;
}

static void partner_receive(struct partner *f) {
    if (f->what->before_receive) {
        f->what->before_receive();
    }
    sy_mpsc_recv_init(&f->recv, f->in, &f->message);
    f->state = PARTNER_RECEIVING;
}

/* A round is a send and a receive, in this order or the other. False: there are none left. */
static bool partner_begin(struct partner *f) {
    if (f->sent == f->received && f->sent == f->what->rounds) {
        return false;
    }
    if ((f->sent == f->received) == f->sends_first) {
        partner_send(f);
    } else {
        partner_receive(f);
    }
    return true;
}

/* Ends early if the other has gone. */
static enum sy_poll partner_poll(void *future, struct sy_context *cx) {
    struct partner *f = future;
    for (;;) {
        switch (f->state) {
        case PARTNER_NEXT:
            if (!partner_begin(f)) {
                return SY_READY;
            }
            break;
        case PARTNER_SENDING:
            if (sy_mpsc_send_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->send.result < 0) {
                return SY_READY;
            }
            f->sent++;
            f->state = PARTNER_NEXT;
            break;
        case PARTNER_RECEIVING:
            if (sy_mpsc_recv_poll(&f->recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->recv.result < 0) {
                return SY_READY;
            }
            f->received++;
            f->state = PARTNER_NEXT;
            break;
        }
    }
}

static void partner_drop(void *future) {
    struct partner *f = future;
    if (f->state == PARTNER_SENDING) {
        sy_mpsc_send_drop(&f->send);
    } else if (f->state == PARTNER_RECEIVING) {
        sy_mpsc_recv_drop(&f->recv);
    }
    sy_mpsc_drop_sender(f->out);
    sy_mpsc_drop_receiver(f->in);
}

static const struct sy_future_type partner_type = {"partner", sizeof(struct partner), partner_poll, partner_drop};

bool workload_partners_run(struct workload_run *run, const struct workload_partners *what) {
    struct sy_mpsc *there = workload_channel_of_one();
    struct sy_mpsc *back = workload_channel_of_one();
    struct partner first = {.what = what, .out = there, .in = back, .sends_first = true};
    struct partner second = {.what = what, .out = back, .in = there};
    struct sy_join joins[2];
    workload_spawn(run->runtime, &partner_type, &second, &joins[1]);
    workload_spawn(run->runtime, &partner_type, &first, &joins[0]);
    uint64_t at_first = workload_join_sum(&joins[0], 1);
    uint64_t at_second = workload_join_sum(&joins[1], 1);
    return workload_expect(run, "the message at the first task", at_first, 2 * (uint64_t)what->rounds) &&
           workload_expect(run, "the message at the second task", at_second, 2 * (uint64_t)what->rounds);
}
