/* The memory of the channel of many senders: used again, given back, and not to be had. */
#define _GNU_SOURCE
#include <sched.h>

#include "mpsc_hand.h"
#include "support_alloc.h"
#include "threads.h"

enum { MANY = 100 };

/* A sanitizer does not tell of every kind of allocation; it looks for leaks, and for use after free, itself. */
static void expect_live(int64_t least, int64_t most) {
    CHECK(SUPPORT_SANITIZED || (support_alloc_live() >= least && support_alloc_live() <= most));
}

static void blocks_are_used_again(size_t variant) {
    (void)variant;
    int64_t live = support_alloc_live();
    for (size_t c = 0; c <= CAPACITIES; c++) {
        struct sy_mpsc *channel = channel_of(c < CAPACITIES ? capacities[c] : SY_MPSC_UNBOUNDED);
        uint64_t before = support_alloc_count();
        for (uint64_t i = 0; i < 100 * MANY; i++) {
            CHECK_EQ(send_now(channel, i), 0);
            expect(channel, i);
        }
        CHECK(SUPPORT_SANITIZED || support_alloc_count() - before <= 4);
        channel_end(channel);
        expect_live(live, live);
    }
}

static void a_backlog_is_given_back(size_t variant) {
    (void)variant;
    int64_t live = support_alloc_live();
    struct sy_mpsc *channel = channel_of(SY_MPSC_UNBOUNDED);
    for (uint64_t i = 0; i < 100 * MANY; i++) {
        CHECK_EQ(send_now(channel, i), 0);
    }
    expect_live(live + 100 * MANY / 32, INT64_MAX);
    for (uint64_t i = 0; i < 100 * MANY; i++) {
        expect(channel, i);
    }
    expect_live(live, live + 40);
    channel_end(channel);
    expect_live(live, live);
}

static void without_memory_a_send_fails_and_nothing_is_lost(size_t variant) {
    (void)variant;
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot be made to fail under a sanitizer");
        return;
    }
    struct sy_mpsc *channel;
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        support_alloc_fail_after(allowed);
        CHECK_EQ(sy_mpsc_create(&channel, sizeof(uint64_t), 1, NULL), -ENOMEM);
        support_alloc_fail_after(UINT64_MAX);
    }
    channel = channel_of(SY_MPSC_UNBOUNDED);
    uint64_t sent = 0;
    support_alloc_fail_after(2);
    while (send_now(channel, sent) == 0) {
        sent++;
    }
    CHECK(sent >= 64 && sent < 96);
    CHECK_EQ(send_now(channel, sent), -ENOMEM);
    support_alloc_fail_after(UINT64_MAX);
    CHECK_EQ(send_now(channel, sent), 0);
    for (uint64_t i = 0; i <= sent; i++) {
        expect(channel, i);
    }
    expect_nothing(channel, -EAGAIN);
    channel_end(channel);
}

/* The receiver sends on behalf of one that waits, at the end of a block, without memory. */
static void a_waiting_send_fails_without_memory(size_t variant) {
    (void)variant;
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot be made to fail under a sanitizer");
        return;
    }
    struct one one;
    struct sy_mpsc *channel = channel_of(31);
    for (uint64_t i = 0; i < 31; i++) {
        CHECK_EQ(send_now(channel, i), 0);
    }
    one_wait(&one, channel, 31);
    support_alloc_fail_after(0);
    expect(channel, 0);
    support_alloc_fail_after(UINT64_MAX);
    one_expect(&one, -ENOMEM);
    CHECK_EQ(send_now(channel, 31), 0);
    for (uint64_t i = 1; i < 32; i++) {
        expect(channel, i);
    }
    channel_end(channel);
}

/* ---- a full channel whose receiver makes room all the time ---- */

struct narrow {
    struct sy_mpsc *channel;
    size_t sends;
};

static void narrow_send(struct narrow *narrow) {
    uint64_t before = 0, full = 0;
    for (size_t sent = 0; sent < narrow->sends;) {
        if (sent == 1000) { /* by then there are as many blocks as it ever needs */
            before = support_alloc_count();
            support_alloc_fail_after(support_alloc_can_fail() ? 0 : UINT64_MAX);
        }
        int error = send_now(narrow->channel, sent);
        CHECK(error == 0 || error == -EAGAIN);
        sent += error == 0;
        if (error && ++full % 64 == 0) {
            sched_yield(); /* to a receiver on the same processor */
        }
    }
    CHECK_EQ(support_alloc_count() - before, 0);
    support_alloc_fail_after(UINT64_MAX);
    sy_mpsc_drop_sender(narrow->channel);
}

static void narrow_member(size_t index, void *shared) {
    struct narrow *narrow = shared;
    uint64_t value, empty = 0;
    int error = 0;
    if (index == 0) {
        narrow_send(narrow);
        return;
    }
    while (error != -EPIPE) {
        error = sy_mpsc_try_recv(narrow->channel, &value);
        if (error && ++empty % 64 == 0) {
            sched_yield();
        }
    }
}

static void room_that_comes_meanwhile_takes_no_memory(size_t variant) {
    (void)variant;
    struct narrow narrow = {.channel = channel_of(1), .sends = threads_scaled(50000)};
    threads_run(2, narrow_member, &narrow);
    sy_mpsc_drop_receiver(narrow.channel);
}

static const struct check_test tests[] = {
    {"blocks_are_used_again", blocks_are_used_again},
    {"a_backlog_is_given_back", a_backlog_is_given_back},
    {"without_memory_a_send_fails_and_nothing_is_lost", without_memory_a_send_fails_and_nothing_is_lost},
    {"a_waiting_send_fails_without_memory", a_waiting_send_fails_without_memory},
    {"room_that_comes_meanwhile_takes_no_memory", room_that_comes_meanwhile_takes_no_memory},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_mpsc_memory", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
