/*
 * The reactors of reactor/rx_list.h as engines: an operation for each end's next byte, polled again when its waker was
 * woken, as a task on the executor is. The policies are the executor's defaults. Nothing is flushed, for whoever polls
 * goes on to wait.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro_list.h"
#include "bench/micro_rx.h"
#include "executor/executor.h"
#include "reactor/reactor.h"

#define CANCEL_NS INT64_C(1000000) /* until a cancel that is under way is asked for again */

struct slot {
    struct rx_loop *loop;
    struct rx_op receive, send;
    struct rx_source *in, *out; /* out: NULL if nobody sends here */
    unsigned char received[RX_READ_MOST], sent;
    bool receiving, sending; /* under way */
    bool ready;              /* in the loop's list */
    struct slot *next_ready;
};

struct rx_loop {
    const struct rx_ops *ops;
    struct rx *rx;
    struct rx_rig *rig;
    bool entered;                    /* a thread waits here: it is attached, where the reactor has slots */
    struct slot *ready, **ready_end; /* whose waker was woken, in this order */
    struct slot slots[];
};

/* ---- wakers: woken by the one thread, within wait ---- */

static void waker_clone(void *data) {
    (void)data;
}

static void waker_drop(void *data) {
    (void)data;
}

static void waker_wake(void *data) {
    struct slot *slot = data;
    struct rx_loop *loop = slot->loop;
    if (!slot->ready) {
        slot->ready = true;
        slot->next_ready = NULL;
        *loop->ready_end = slot;
        loop->ready_end = &slot->next_ready;
    }
}

static const struct sy_waker_vtable waker_vtable = {waker_clone, waker_wake, waker_wake, waker_drop};

static bool is_done(struct slot *slot, struct rx_op *op) {
    struct sy_waker waker = {&waker_vtable, slot};
    return slot->loop->ops->poll(slot->loop->rx, op, &waker) == RX_DONE;
}

/* ---- bytes ---- */

static void begin_receive(struct slot *slot) {
    rx_op_init(&slot->receive, slot->loop->rig->sockets ? RX_RECV : RX_READ, slot->in, slot->received,
               sizeof slot->received);
    slot->receiving = true;
}

/* Takes bytes until there are none. */
static void receive(struct slot *slot) {
    struct rx_rig *rig = slot->loop->rig;
    while (!rig->failure && is_done(slot, &slot->receive)) {
        slot->receiving = false;
        if (slot->receive.result <= 0) {
            rig->failure = "a byte cannot be read";
            return;
        }
        for (int64_t i = 0; i < slot->receive.result; i++) {
            rig->arrived(rig, (size_t)(slot - slot->loop->slots), slot->received[i]);
        }
        begin_receive(slot);
    }
}

static void finish_send(struct slot *slot) {
    slot->sending = !is_done(slot, &slot->send);
    if (!slot->sending && slot->send.result != 1) {
        slot->loop->rig->failure = "a byte cannot be written";
    }
}

static void ours_send(struct rx_loop *loop, size_t index, unsigned char byte) {
    struct slot *slot = &loop->slots[index];
    /* From a completion back end the answer may come before the news that what it answers was sent. */
    for (; slot->sending && !loop->rig->failure; finish_send(slot)) {
        loop->ops->wait(loop->rx, 0);
    }
    slot->sent = byte;
    rx_op_init(&slot->send, loop->rig->sockets ? RX_SEND : RX_WRITE, slot->out, &slot->sent, 1);
    finish_send(slot);
}

/* By the thread that waits from now on, until it leaves. */
static void enter(struct rx_loop *loop) {
    if (loop->ops->attach && loop->ops->attach(loop->rx, 0) != 0) {
        loop->rig->failure = "a thread cannot be attached to the reactor";
        return;
    }
    loop->entered = true;
}

static void ours_leave(struct rx_loop *loop) {
    if (loop->entered && loop->ops->detach) {
        loop->ops->detach(loop->rx);
    }
    loop->entered = false;
}

static void ours_turn(struct rx_loop *loop) {
    if (!loop->entered) {
        enter(loop);
    }
    if (loop->entered && loop->ops->wait(loop->rx, RX_PATIENCE_NS) < 0) {
        loop->rig->failure = "the reactor cannot wait";
    }
    while (loop->ready && !loop->rig->failure) {
        struct slot *slot = loop->ready;
        loop->ready = slot->next_ready;
        loop->ready_end = loop->ready ? loop->ready_end : &loop->ready;
        slot->ready = false;
        if (slot->sending) {
            finish_send(slot);
        }
        receive(slot);
    }
}

static void ours_wake(struct rx_loop *loop) {
    loop->ops->wake(loop->rx, 0);
}

/* ---- life ---- */

/* A completion back end ends a cancelled operation later. */
static void cancel(struct slot *slot, struct rx_op *op) {
    const struct rx_ops *ops = slot->loop->ops;
    while (ops->cancel(slot->loop->rx, op) == RX_PENDING) {
        ops->wait(slot->loop->rx, CANCEL_NS);
    }
}

static void ours_close(struct rx_loop *loop) {
    for (size_t i = 0; i < loop->rig->count; i++) {
        struct slot *slot = &loop->slots[i];
        if (slot->receiving) {
            cancel(slot, &slot->receive);
        }
        if (slot->sending) {
            cancel(slot, &slot->send);
        }
        if (slot->out && slot->out != slot->in) {
            loop->ops->deregister(loop->rx, slot->out);
        }
        if (slot->in) {
            loop->ops->deregister(loop->rx, slot->in);
        }
    }
    ours_leave(loop);
    loop->ops->destroy(loop->rx);
    free(loop);
}

static bool watch(struct rx_loop *loop, size_t index) {
    struct slot *slot = &loop->slots[index];
    const struct rx_end *end = &loop->rig->ends[index];
    slot->loop = loop;
    if (loop->ops->register_fd(loop->rx, end->in, &slot->in) != 0) {
        slot->in = NULL;
        return false;
    }
    if (loop->rig->sends && end->out != end->in) {
        if (loop->ops->register_fd(loop->rx, end->out, &slot->out) != 0) {
            slot->out = NULL;
            return false;
        }
    } else if (loop->rig->sends) {
        slot->out = slot->in;
    }
    begin_receive(slot);
    receive(slot);
    return true;
}

/* By the main thread only; until the next call. There is no reactor in another's place. */
static const char *refusal(const struct rx_ops *ops, int error) {
    static char text[512];
    char why[256];
    if (error != -ENOTSUP) {
        return strcpy(text, "the reactor cannot be made: too few descriptors, or no memory");
    }
    rx_explain_refusal(ops, why, sizeof why);
    snprintf(text, sizeof text, "the reactor does not work on this machine: %s", why);
    return text;
}

static struct rx_loop *ours_open(const struct rx_engine *engine, struct rx_rig *rig) {
    struct sy_config defaults;
    sy_config_init(&defaults);
    struct rx_config config = {.batch = defaults.reactor_batch, .slots = 1, .speculative = defaults.speculative_io};
    struct rx_loop *loop = calloc(1, sizeof *loop + rig->count * sizeof loop->slots[0]);
    if (!loop) {
        rig->failure = "no memory";
        return NULL;
    }
    loop->ops = engine->subject;
    loop->rig = rig;
    loop->ready_end = &loop->ready;
    int error = loop->ops->create(&loop->rx, &config);
    if (error) {
        rig->failure = refusal(loop->ops, error);
        free(loop);
        return NULL;
    }
    if (!rig->wakes) {
        enter(loop); /* else it is another thread that waits */
    }
    for (size_t i = 0; i < rig->count && !rig->failure; i++) {
        if (!watch(loop, i)) {
            rig->failure = "a descriptor cannot be registered";
        }
    }
    if (rig->failure) {
        ours_close(loop);
        return NULL;
    }
    return loop;
}

void micro_rx_add(void) {
    for (size_t i = 0; i < rx_count; i++) {
        if (rx_all[i]->missing) {
            fprintf(stderr, "micro: %s is left out: %s\n", rx_all[i]->name, rx_all[i]->missing);
            continue;
        }
        struct rx_engine *engine = malloc(sizeof *engine); /* as long as the cases, which are never taken back */
        if (!engine) {
            abort();
        }
        *engine = (struct rx_engine){.name = rx_all[i]->name,
                                     .subject = rx_all[i],
                                     .open = ours_open,
                                     .turn = ours_turn,
                                     .send = ours_send,
                                     .wake = ours_wake,
                                     .leave = ours_leave,
                                     .close = ours_close};
        micro_rx_add_engine(engine);
    }
}
