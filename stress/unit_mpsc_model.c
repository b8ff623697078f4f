/* The channel of many senders: random steps against a plain model, after each of which both agree. */
#define _GNU_SOURCE
#include "mpsc_hand.h"

enum { SENDS = 8, MODEL_QUEUE = 128 };

struct model {
    struct sy_mpsc *channel;
    size_t capacity;
    struct one ones[SENDS];
    bool waits[SENDS], done[SENDS]; /* done: and not polled since */
    unsigned order[SENDS], length;  /* those who wait, oldest first */
    uint64_t queue[MODEL_QUEUE], head, tail;
    uint64_t next; /* value */
    struct counted_waker receiver;
    bool receiving;
};

static void model_push(struct model *m, uint64_t value) {
    m->queue[m->tail++ % MODEL_QUEUE] = value;
    m->receiving = false;
}

static void model_leave(struct model *m, unsigned who) {
    unsigned at = 0;
    while (m->order[at] != who) {
        at++;
    }
    memmove(&m->order[at], &m->order[at + 1], (--m->length - at) * sizeof m->order[0]);
    m->waits[who] = false;
}

static void model_send(struct model *m, unsigned who) {
    if (m->waits[who]) {
        CHECK_EQ(one_poll(&m->ones[who]), SY_PENDING);
        return;
    }
    if (m->done[who]) {
        CHECK_EQ(one_poll(&m->ones[who]), SY_READY);
        CHECK_EQ(m->ones[who].send.result, 0);
        m->done[who] = false;
        m->ones[who].waker.wakes.raw = 0;
        return;
    }
    bool room = m->length == 0 && m->tail - m->head < m->capacity;
    one_init(&m->ones[who], m->channel, m->next++);
    CHECK_EQ(one_poll(&m->ones[who]), room ? SY_READY : SY_PENDING);
    if (room) {
        model_push(m, m->ones[who].value);
    } else {
        m->waits[who] = true;
        m->order[m->length++] = who;
    }
}

static void model_drop(struct model *m, unsigned who) {
    sy_mpsc_send_drop(&m->ones[who].send);
    if (m->waits[who]) {
        CHECK_EQ(m->ones[who].send.result, -ECANCELED);
        model_leave(m, who);
    } else if (m->done[who]) {
        CHECK_EQ(m->ones[who].send.result, 0);
        m->done[who] = false;
        m->ones[who].waker.wakes.raw = 0;
    }
}

static void model_receive(struct model *m) {
    uint64_t value;
    int result;
    if (m->head == m->tail) {
        CHECK_EQ(receive(m->channel, &m->receiver, &value, &result), SY_PENDING);
        m->receiving = true;
        return;
    }
    CHECK_EQ(receive(m->channel, &m->receiver, &value, &result), SY_READY);
    CHECK_EQ(result, 0);
    CHECK_EQ(value, m->queue[m->head++ % MODEL_QUEUE]);
    if (m->length > 0) {
        unsigned oldest = m->order[0];
        model_leave(m, oldest);
        model_push(m, m->ones[oldest].value);
        m->done[oldest] = true;
    }
}

static void model_step(struct model *m, uint64_t *random) {
    unsigned who = (unsigned)(check_random(random) % SENDS);
    uint32_t wakes = m->receiver.wakes.raw;
    bool received = m->receiving;
    switch (check_random(random) % 8) {
    case 0:
        model_drop(m, who);
        break;
    case 1:
    case 2:
    case 3:
        model_receive(m);
        break;
    default:
        model_send(m, who);
    }
    CHECK_EQ(m->receiver.wakes.raw - wakes, received && !m->receiving);
    for (unsigned i = 0; i < SENDS; i++) {
        CHECK_EQ(m->ones[i].waker.wakes.raw, m->done[i]);
        CHECK_EQ(m->ones[i].waker.references.raw, m->waits[i]);
    }
}

static void model_run(size_t capacity, uint64_t *random) {
    static struct model m;
    memset(&m, 0, sizeof m);
    m.channel = channel_of(capacity);
    m.capacity = capacity;
    for (unsigned i = 0; i < SENDS; i++) {
        one_init(&m.ones[i], m.channel, 0);
    }
    for (size_t step = 0; step < support_rounds(30000); step++) {
        model_step(&m, random);
    }
    for (unsigned i = 0; i < SENDS; i++) {
        sy_mpsc_send_drop(&m.ones[i].send);
    }
    channel_end(m.channel);
    CHECK_EQ(m.receiver.references.raw, 0);
}

static void random_steps_agree_with_a_model(size_t variant) {
    (void)variant;
    uint64_t random = check_seed();
    for (size_t c = 0; c < CAPACITIES && capacities[c] < MODEL_QUEUE; c++) {
        model_run(capacities[c], &random);
    }
}

static const struct check_test tests[] = {
    {"random_steps_agree_with_a_model", random_steps_agree_with_a_model},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_mpsc_model", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
