/* The timers' heap by itself: order, cancellation, wakers, and what the waiter is told. */
#define _GNU_SOURCE
#include "executor/timers.h"

#include "check.h"
#include "executor/runtime.h"
#include "support.h"

enum { SLEEPS = 1000 };

static struct sy_runtime fake; /* of which only the timers are used */

struct alarm_clock {
    struct sy_sleep sleep;
    uint64_t deadline_ns;
    unsigned references, rung;
};

static struct alarm_clock alarms[SLEEPS];
static unsigned order[SLEEPS], rings;

static void alarm_clone(void *data) {
    ((struct alarm_clock *)data)->references++;
}

static void alarm_drop(void *data) {
    CHECK(((struct alarm_clock *)data)->references-- > 0);
}

static void alarm_ring(void *data) {
    struct alarm_clock *alarm = data;
    CHECK(sy_now_ns() >= alarm->deadline_ns);
    alarm->rung++;
    order[rings++] = (unsigned)(alarm - alarms);
    alarm_drop(data);
}

static const struct sy_waker_vtable alarm_vtable = {alarm_clone, alarm_ring, alarm_ring, alarm_drop};

static enum sy_poll alarm_poll(struct alarm_clock *alarm) {
    struct sy_context cx = {.waker = {&alarm_vtable, alarm}};
    return sy_sleep_poll(&alarm->sleep, &cx);
}

static void alarm_set(struct alarm_clock *alarm, uint64_t deadline_ns) {
    *alarm = (struct alarm_clock){.deadline_ns = deadline_ns};
    sy_sleep_init(&alarm->sleep, &fake, deadline_ns);
}

static void begin(void) {
    timers_create(&fake.driver.timers);
    rings = 0;
}

static void end(void) {
    CHECK(fake.driver.timers.root == NULL);
    CHECK_EQ(au64_load_relaxed(&fake.driver.timers.earliest_ns), TIMERS_NEVER);
    timers_destroy(&fake.driver.timers);
}

/* Far ahead, so that nothing is due while it is set up; then looked at until all was due. */
static void fire_in_order_of_deadlines(size_t variant) {
    (void)variant;
    uint64_t random = check_seed(), start_ns = sy_now_ns() + 50000000;
    unsigned cancelled = 0;
    begin();
    for (unsigned i = 0; i < SLEEPS; i++) {
        alarm_set(&alarms[i], start_ns + check_random(&random) % 20000000);
        CHECK_EQ(alarm_poll(&alarms[i]), SY_PENDING);
        CHECK_EQ(alarm_poll(&alarms[i]), SY_PENDING); /* the same waker: nothing is cloned twice */
        CHECK_EQ(alarms[i].references, 1);
    }
    for (unsigned i = 0; i < SLEEPS; i++) {
        unsigned which = i * 7 % SLEEPS;
        if (check_random(&random) % 3 == 0) {
            sy_sleep_drop(&alarms[which].sleep);
            CHECK_EQ(alarms[which].references, 0);
            cancelled++;
        }
    }
    unsigned fired = 0;
    while (fired < SLEEPS - cancelled) {
        fired += timers_fire(&fake.driver.timers);
        CHECK_EQ(fired, rings);
    }
    for (unsigned i = 1; i < rings; i++) {
        CHECK(alarms[order[i - 1]].deadline_ns <= alarms[order[i]].deadline_ns);
    }
    for (unsigned i = 0; i < SLEEPS; i++) {
        CHECK_EQ(alarms[i].references, 0);
        CHECK(alarms[i].rung <= 1);
        CHECK_EQ(alarm_poll(&alarms[i]), SY_READY);
    }
    end();
}

static void due_at_once_needs_no_timer(size_t variant) {
    (void)variant;
    begin();
    alarm_set(&alarms[0], 0);
    CHECK_EQ(alarm_poll(&alarms[0]), SY_READY);
    CHECK_EQ(alarms[0].references, 0);
    CHECK_EQ(timers_fire(&fake.driver.timers), 0);
    alarm_set(&alarms[1], sy_now_ns());
    CHECK_EQ(alarm_poll(&alarms[1]), SY_READY);
    sy_sleep_drop(&alarms[1].sleep); /* harmless */
    end();
}

static void a_later_waker_replaces(size_t variant) {
    (void)variant;
    begin();
    alarm_set(&alarms[0], UINT64_MAX);
    alarm_set(&alarms[1], 0);
    CHECK_EQ(alarm_poll(&alarms[0]), SY_PENDING);
    struct sy_context other = {.waker = {&alarm_vtable, &alarms[1]}};
    CHECK_EQ(sy_sleep_poll(&alarms[0].sleep, &other), SY_PENDING);
    CHECK_EQ(alarms[0].references, 0);
    CHECK_EQ(alarms[1].references, 1);
    sy_sleep_drop(&alarms[0].sleep);
    sy_sleep_drop(&alarms[0].sleep);
    CHECK_EQ(alarms[1].references, 0);
    end();
}

/* What a blocking wait is told: no limit, nothing to wait for, or about the time until the earliest. */
static void time_out_of_a_wait(size_t variant) {
    (void)variant;
    begin();
    CHECK_EQ(timers_begin_wait(&fake.driver.timers, 0), -1);
    timers_end_wait(&fake.driver.timers);
    uint64_t now_ns = sy_now_ns();
    alarm_set(&alarms[0], now_ns + UINT64_C(3600000000000));
    alarm_set(&alarms[1], now_ns + UINT64_C(1800000000000));
    CHECK_EQ(alarm_poll(&alarms[0]), SY_PENDING);
    CHECK_EQ(alarm_poll(&alarms[1]), SY_PENDING);
    int64_t timeout_ns = timers_begin_wait(&fake.driver.timers, 0);
    timers_end_wait(&fake.driver.timers);
    CHECK(timeout_ns <= INT64_C(1800000000000));
    CHECK(timeout_ns > INT64_C(1500000000000));
    sy_sleep_drop(&alarms[1].sleep);
    timeout_ns = timers_begin_wait(&fake.driver.timers, 0);
    timers_end_wait(&fake.driver.timers);
    CHECK(timeout_ns > INT64_C(3000000000000));
    sy_sleep_drop(&alarms[0].sleep);
    end();
}

static const struct check_test tests[] = {
    {"fire_in_order_of_deadlines", fire_in_order_of_deadlines},
    {"due_at_once_needs_no_timer", due_at_once_needs_no_timer},
    {"a_later_waker_replaces", a_later_waker_replaces},
    {"time_out_of_a_wait", time_out_of_a_wait},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_timers", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
