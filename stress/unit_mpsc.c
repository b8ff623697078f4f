/* The channel of many senders, step by step: order, room, waiting, cancelling, closing. */
#define _GNU_SOURCE
#include "mpsc_hand.h"

enum { MANY = 100 }; /* more than are woken at once */

/* ---- values ---- */

static void wrong_sizes_are_refused(size_t variant) {
    (void)variant;
    struct sy_mpsc *channel;
    CHECK_EQ(sy_mpsc_create(&channel, 8, 0, NULL), -EINVAL);
    CHECK_EQ(sy_mpsc_create(&channel, SY_MPSC_ELEMENT_MAX + 1, 1, NULL), -EINVAL);
    CHECK_EQ(sy_mpsc_create(&channel, SY_MPSC_ELEMENT_MAX, SIZE_MAX - 1, NULL), 0);
    channel_end(channel);
}

static void values_of_any_size_arrive_whole(size_t variant) {
    (void)variant;
    static const size_t sizes[] = {0, 1, 4, 7, 8, 16, 24, 1000};
    unsigned char in[1000], out[1000];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct sy_mpsc *channel;
        CHECK_EQ(sy_mpsc_create(&channel, sizes[s], SY_MPSC_UNBOUNDED, NULL), 0);
        for (unsigned i = 0; i < 2 * MANY; i++) {
            memset(in, (int)i, sizes[s]);
            CHECK_EQ(sy_mpsc_try_send(channel, in), 0);
        }
        for (unsigned i = 0; i < 2 * MANY; i++) {
            memset(in, (int)i, sizes[s]);
            CHECK_EQ(sy_mpsc_try_recv(channel, out), 0);
            CHECK(memcmp(in, out, sizes[s]) == 0);
        }
        CHECK_EQ(sy_mpsc_try_recv(channel, out), -EAGAIN);
        channel_end(channel);
    }
}

/* Then only their number counts. */
static void values_without_bytes_need_no_memory(size_t variant) {
    (void)variant;
    struct sy_mpsc *channel;
    CHECK_EQ(sy_mpsc_create(&channel, 0, 2, NULL), 0);
    CHECK_EQ(sy_mpsc_try_send(channel, NULL), 0);
    CHECK_EQ(sy_mpsc_try_send(channel, NULL), 0);
    CHECK_EQ(sy_mpsc_try_send(channel, NULL), -EAGAIN);
    CHECK_EQ(sy_mpsc_try_recv(channel, NULL), 0);
    CHECK_EQ(sy_mpsc_try_recv(channel, NULL), 0);
    CHECK_EQ(sy_mpsc_try_recv(channel, NULL), -EAGAIN);
    channel_end(channel);
}

static void there_is_room_for_just_the_capacity(size_t variant) {
    (void)variant;
    for (size_t c = 0; c < CAPACITIES; c++) {
        struct sy_mpsc *channel = channel_of(capacities[c]);
        uint64_t sent = 0, received = 0;
        for (unsigned round = 0; round < 2 * MANY; round++) {
            while (sent < received + capacities[c]) {
                CHECK_EQ(send_now(channel, sent++), 0);
            }
            CHECK_EQ(send_now(channel, 0), -EAGAIN);
            for (uint64_t n = round % capacities[c] + 1; n > 0; n--) {
                expect(channel, received++);
            }
        }
        channel_end(channel);
    }
}

/* ---- senders that wait ---- */

static void who_waits_sends_in_order(size_t variant) {
    (void)variant;
    static struct one all[MANY];
    for (size_t c = 0; c < CAPACITIES; c++) {
        struct sy_mpsc *channel = channel_of(capacities[c]);
        uint64_t sent = 0;
        while (send_now(channel, sent) == 0) {
            sent++;
        }
        for (unsigned i = 0; i < MANY; i++) {
            one_wait(&all[i], channel, sent + i);
        }
        for (unsigned i = 0; i < MANY; i++) {
            expect(channel, i); /* room for one, which is taken at once */
            CHECK_EQ(send_now(channel, 0), -EAGAIN);
            CHECK(i + 1 == MANY || all[i + 1].waker.wakes.raw == 0);
            one_expect(&all[i], 0);
        }
        for (uint64_t i = MANY; i < sent + MANY; i++) {
            expect(channel, i);
        }
        CHECK_EQ(send_now(channel, 7), 0); /* nobody is thought to wait */
        expect(channel, 7);
        expect_nothing(channel, -EAGAIN);
        channel_end(channel);
    }
}

static void a_dropped_send_was_done_or_was_not(size_t variant) {
    (void)variant;
    struct one first, second, third;
    struct sy_mpsc *channel = channel_of(1);
    CHECK_EQ(send_now(channel, 0), 0);
    one_init(&first, channel, 1);
    sy_mpsc_send_drop(&first.send); /* never polled */
    CHECK_EQ(first.send.result, -ECANCELED);
    one_wait(&first, channel, 1);
    one_wait(&second, channel, 2);
    one_wait(&third, channel, 3);
    sy_mpsc_send_drop(&first.send);
    CHECK_EQ(first.send.result, -ECANCELED);
    CHECK_EQ(first.waker.references.raw, 0);
    expect(channel, 0);
    CHECK_EQ(second.waker.wakes.raw, 1);
    sy_mpsc_send_drop(&second.send); /* done, but not told yet */
    CHECK_EQ(second.send.result, 0);
    sy_mpsc_send_drop(&third.send);
    CHECK_EQ(third.send.result, -ECANCELED);
    expect(channel, 2);
    expect_nothing(channel, -EAGAIN);
    CHECK_EQ(send_now(channel, 4), 0); /* nobody is thought to wait, and the room is there */
    expect(channel, 4);
    channel_end(channel);
}

static void a_later_waker_replaces_the_first(size_t variant) {
    (void)variant;
    struct one one;
    struct counted_waker other = {0};
    struct sy_context cx = counted_context(&other);
    struct sy_mpsc *channel = channel_of(1);
    CHECK_EQ(send_now(channel, 0), 0);
    one_wait(&one, channel, 1);
    CHECK_EQ(one_poll(&one), SY_PENDING);
    CHECK_EQ(sy_mpsc_send_poll(&one.send, &cx), SY_PENDING);
    CHECK_EQ(one.waker.references.raw, 0);
    CHECK_EQ(cx.budget, 128); /* only success costs */
    expect(channel, 0);
    CHECK_EQ(one.waker.wakes.raw, 0);
    CHECK_EQ(other.wakes.raw, 1);
    CHECK_EQ(sy_mpsc_send_poll(&one.send, &cx), SY_READY);
    CHECK_EQ(cx.budget, 127);
    channel_end(channel);
}

static void without_budget_nothing_is_sent_or_received(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0};
    struct sy_context cx = counted_context(&waker);
    struct one one;
    uint64_t value = 42;
    struct sy_mpsc *channel = channel_of(1);
    struct sy_mpsc_recv recv;
    sy_mpsc_recv_init(&recv, channel, &value);
    one_init(&one, channel, 1);
    cx.budget = 0;
    CHECK_EQ(sy_mpsc_send_poll(&one.send, &cx), SY_PENDING);
    CHECK_EQ(waker.wakes.raw, 1);
    expect_nothing(channel, -EAGAIN);
    CHECK_EQ(send_now(channel, 1), 0);
    CHECK_EQ(sy_mpsc_recv_poll(&recv, &cx), SY_PENDING);
    CHECK_EQ(waker.wakes.raw, 2);
    expect(channel, 1);
    CHECK_EQ(waker.references.raw, 0);
    channel_end(channel);
}

/* ---- the receiver waits ---- */

static void the_receiver_is_woken_for_each_value_it_awaits(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0}, other = {0};
    uint64_t value = 0;
    int result;
    struct sy_mpsc *channel = channel_of(SY_MPSC_UNBOUNDED);
    for (uint64_t i = 0; i < MANY; i++) { /* over several blocks */
        CHECK_EQ(receive(channel, &waker, &value, &result), SY_PENDING);
        CHECK_EQ(receive(channel, i % 2 ? &other : &waker, &value, &result), SY_PENDING);
        CHECK_EQ(send_now(channel, i), 0);
        CHECK_EQ(send_now(channel, i), 0); /* nobody awaits this one */
        CHECK_EQ(waker.wakes.raw, (i + 2) / 2);
        CHECK_EQ(other.wakes.raw, (i + 1) / 2);
        for (unsigned twice = 0; twice < 2; twice++) {
            CHECK_EQ(receive(channel, &waker, &value, &result), SY_READY);
            CHECK_EQ(result, 0);
            CHECK_EQ(value, i);
        }
    }
    CHECK_EQ(waker.references.raw + other.references.raw, 0);
    CHECK_EQ(receive(channel, &waker, &value, &result), SY_PENDING);
    CHECK_EQ(waker.references.raw, 1);
    sy_mpsc_drop_receiver(channel); /* gives it back */
    CHECK_EQ(waker.references.raw, 0);
    sy_mpsc_drop_sender(channel);
    CHECK_EQ(waker.wakes.raw, MANY / 2);
}

static void the_last_sender_ends_the_channel(size_t variant) {
    (void)variant;
    /* At the edges of the blocks, with the receiver waiting and with values left. */
    for (unsigned before = 0; before < MANY; before++) {
        for (unsigned left = 0; left < 2; left++) {
            struct counted_waker waker = {0};
            uint64_t value;
            int result;
            struct sy_mpsc *channel = channel_of(SY_MPSC_UNBOUNDED);
            sy_mpsc_clone_sender(channel);
            for (unsigned i = 0; i < before; i++) {
                CHECK_EQ(send_now(channel, i), 0);
                expect(channel, i);
            }
            CHECK(left || receive(channel, &waker, &value, &result) == SY_PENDING);
            CHECK(!left || send_now(channel, before) == 0);
            sy_mpsc_drop_sender(channel);
            CHECK_EQ(waker.wakes.raw, 0);
            sy_mpsc_drop_sender(channel);
            CHECK_EQ(waker.wakes.raw, !left);
            if (left) {
                expect(channel, before);
            }
            for (unsigned twice = 0; twice < 2; twice++) {
                CHECK_EQ(receive(channel, &waker, &value, &result), SY_READY);
                CHECK_EQ(result, -EPIPE);
            }
            expect_nothing(channel, -EPIPE);
            sy_mpsc_drop_receiver(channel);
            CHECK_EQ(waker.references.raw, 0);
        }
    }
}

/* ---- closing ---- */

static void a_closed_channel_takes_nothing_and_gives_what_it_has(size_t variant) {
    (void)variant;
    static struct one all[MANY];
    struct counted_waker waker = {0};
    uint64_t value;
    int result;
    struct sy_mpsc *channel = channel_of(2);
    CHECK_EQ(send_now(channel, 0), 0);
    CHECK_EQ(send_now(channel, 1), 0);
    for (unsigned i = 0; i < MANY; i++) {
        one_wait(&all[i], channel, 2);
    }
    sy_mpsc_close(channel);
    sy_mpsc_send_drop(&all[0].send);
    CHECK_EQ(all[0].send.result, -EPIPE);
    for (unsigned i = 1; i < MANY; i++) {
        one_expect(&all[i], -EPIPE);
    }
    expect(channel, 0);
    CHECK_EQ(send_now(channel, 2), -EPIPE); /* although there is room */
    one_init(&all[0], channel, 2);
    CHECK_EQ(one_poll(&all[0]), SY_READY);
    CHECK_EQ(all[0].send.result, -EPIPE);
    sy_mpsc_close(channel);
    expect(channel, 1);
    CHECK_EQ(receive(channel, &waker, &value, &result), SY_READY);
    CHECK_EQ(result, -EPIPE);
    channel_end(channel);
}

static void a_recv_that_is_pending_sees_the_close(size_t variant) {
    (void)variant;
    struct counted_waker waker = {0};
    uint64_t value;
    int result;
    struct sy_mpsc *channel = channel_of(2);
    CHECK_EQ(receive(channel, &waker, &value, &result), SY_PENDING);
    sy_mpsc_close(channel); /* with a sender that stays */
    CHECK_EQ(waker.wakes.raw, 1);
    CHECK_EQ(waker.references.raw, 0);
    CHECK_EQ(receive(channel, &waker, &value, &result), SY_READY);
    CHECK_EQ(result, -EPIPE);
    channel_end(channel);
    channel = channel_of(2);
    CHECK_EQ(receive(channel, &waker, &value, &result), SY_PENDING);
    sy_mpsc_drop_receiver(channel); /* nobody is left who could look */
    CHECK_EQ(waker.wakes.raw, 1);
    CHECK_EQ(waker.references.raw, 0);
    sy_mpsc_drop_sender(channel);
}

static uint64_t dropped[MANY];
static unsigned dropped_count;

static void note_drop(void *value) {
    CHECK(dropped_count < MANY);
    memcpy(&dropped[dropped_count++], value, sizeof dropped[0]);
}

static void values_that_nobody_receives_are_dropped(size_t variant) {
    (void)variant;
    for (unsigned received = 0; received < MANY; received += 7) {
        for (unsigned sender_first = 0; sender_first < 2; sender_first++) {
            struct sy_mpsc *channel;
            struct one waits;
            dropped_count = 0;
            CHECK_EQ(sy_mpsc_create(&channel, sizeof(uint64_t), MANY, note_drop), 0);
            for (unsigned i = 0; i < MANY; i++) {
                CHECK_EQ(send_now(channel, i), 0);
            }
            for (unsigned i = 0; i < received; i++) {
                expect(channel, i);
                CHECK_EQ(send_now(channel, 1000 + i), 0);
            }
            one_wait(&waits, channel, 0);
            CHECK_EQ(dropped_count, 0);
            if (sender_first) {
                sy_mpsc_send_drop(&waits.send);
                sy_mpsc_drop_sender(channel);
                sy_mpsc_drop_receiver(channel);
            } else {
                sy_mpsc_drop_receiver(channel);
                CHECK_EQ(dropped_count, MANY); /* not only when the senders have gone */
                one_expect(&waits, -EPIPE);
                CHECK_EQ(send_now(channel, 0), -EPIPE);
                sy_mpsc_drop_sender(channel);
            }
            CHECK_EQ(dropped_count, MANY);
            for (unsigned i = 0; i < MANY; i++) {
                CHECK_EQ(dropped[i], i + received < MANY ? i + received : 1000 + i + received - MANY);
            }
        }
    }
}

/* ---- wakers that come back into the channel ---- */

static struct sy_mpsc *reentered;

static void reenter(void *data) {
    counted_wake(data);
    CHECK_EQ(send_now(reentered, 7), -EAGAIN);
    sy_mpsc_close(reentered);
    sy_mpsc_close(reentered);
}

static void wakers_are_called_without_the_lock(size_t variant) {
    (void)variant;
    static const struct sy_waker_vtable vtable = {counted_clone, reenter, counted_wake_by_ref, counted_drop};
    struct one one;
    struct sy_context cx = {.waker = {&vtable, &one.waker}, .budget = 128};
    reentered = channel_of(1);
    CHECK_EQ(send_now(reentered, 0), 0);
    one_init(&one, reentered, 1);
    CHECK_EQ(sy_mpsc_send_poll(&one.send, &cx), SY_PENDING);
    expect(reentered, 0);
    one_expect(&one, 0);
    expect(reentered, 1);
    expect_nothing(reentered, -EPIPE);
    channel_end(reentered);
}

static const struct check_test tests[] = {
    {"wrong_sizes_are_refused", wrong_sizes_are_refused},
    {"values_of_any_size_arrive_whole", values_of_any_size_arrive_whole},
    {"values_without_bytes_need_no_memory", values_without_bytes_need_no_memory},
    {"there_is_room_for_just_the_capacity", there_is_room_for_just_the_capacity},
    {"who_waits_sends_in_order", who_waits_sends_in_order},
    {"a_dropped_send_was_done_or_was_not", a_dropped_send_was_done_or_was_not},
    {"a_later_waker_replaces_the_first", a_later_waker_replaces_the_first},
    {"without_budget_nothing_is_sent_or_received", without_budget_nothing_is_sent_or_received},
    {"the_receiver_is_woken_for_each_value_it_awaits", the_receiver_is_woken_for_each_value_it_awaits},
    {"the_last_sender_ends_the_channel", the_last_sender_ends_the_channel},
    {"a_closed_channel_takes_nothing_and_gives_what_it_has", a_closed_channel_takes_nothing_and_gives_what_it_has},
    {"a_recv_that_is_pending_sees_the_close", a_recv_that_is_pending_sees_the_close},
    {"values_that_nobody_receives_are_dropped", values_that_nobody_receives_are_dropped},
    {"wakers_are_called_without_the_lock", wakers_are_called_without_the_lock},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_mpsc", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
