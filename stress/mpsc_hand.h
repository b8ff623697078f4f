/* Channels of numbers whose sends and receives are polled by hand. */
#ifndef STEALYARD_STRESS_MPSC_HAND_H
#define STEALYARD_STRESS_MPSC_HAND_H

#include "support_probe.h"

/* At the edges of the blocks of 32. */
static const size_t capacities[] = {1, 2, 31, 32, 33, 63, 64, 100, 1000};
enum { CAPACITIES = sizeof capacities / sizeof capacities[0] };

static inline struct sy_mpsc *channel_of(size_t capacity) {
    struct sy_mpsc *channel;
    CHECK_EQ(sy_mpsc_create(&channel, sizeof(uint64_t), capacity, NULL), 0);
    return channel;
}

static inline void channel_end(struct sy_mpsc *channel) {
    sy_mpsc_drop_sender(channel);
    sy_mpsc_drop_receiver(channel);
}

static inline int send_now(struct sy_mpsc *channel, uint64_t value) {
    return sy_mpsc_try_send(channel, &value);
}

static inline void expect(struct sy_mpsc *channel, uint64_t wanted) {
    uint64_t value = ~wanted;
    CHECK_EQ(sy_mpsc_try_recv(channel, &value), 0);
    CHECK_EQ(value, wanted);
}

static inline void expect_nothing(struct sy_mpsc *channel, int error) {
    uint64_t value = 42;
    CHECK_EQ(sy_mpsc_try_recv(channel, &value), error);
    CHECK_EQ(value, 42);
}

/* A send that is polled by hand. */
struct one {
    struct sy_mpsc_send send;
    uint64_t value;
    struct counted_waker waker;
};

static inline void one_init(struct one *one, struct sy_mpsc *channel, uint64_t value) {
    one->waker = (struct counted_waker){0};
    one->value = value;
    sy_mpsc_send_init(&one->send, channel, &one->value);
}

static inline enum sy_poll one_poll(struct one *one) {
    struct sy_context cx = counted_context(&one->waker);
    return sy_mpsc_send_poll(&one->send, &cx);
}

static inline void one_wait(struct one *one, struct sy_mpsc *channel, uint64_t value) {
    one_init(one, channel, value);
    CHECK_EQ(one_poll(one), SY_PENDING);
    CHECK_EQ(one->waker.wakes.raw, 0);
    CHECK_EQ(one->waker.references.raw, 1);
}

/* It was woken, once, and is ready. */
static inline void one_expect(struct one *one, int result) {
    CHECK_EQ(one->waker.wakes.raw, 1);
    CHECK_EQ(one->waker.references.raw, 0);
    CHECK_EQ(one_poll(one), SY_READY);
    CHECK_EQ(one->send.result, result);
    sy_mpsc_send_drop(&one->send); /* harmless */
    CHECK_EQ(one->send.result, result);
}

/* The receiver, polled by hand. */
static inline enum sy_poll receive(struct sy_mpsc *channel, struct counted_waker *waker, uint64_t *value, int *result) {
    struct sy_context cx = counted_context(waker);
    struct sy_mpsc_recv recv;
    sy_mpsc_recv_init(&recv, channel, value);
    enum sy_poll answer = sy_mpsc_recv_poll(&recv, &cx);
    CHECK_EQ(cx.budget, answer == SY_READY ? 127 : 128); /* only success costs */
    *result = recv.result;
    sy_mpsc_recv_drop(&recv);
    return answer;
}

#endif
