/*
 * The timers by themselves, over each store of deadlines (which unit_tm tests alone): order, cancellation also of what
 * is being fired, wakers, what the waiter is told, and who interrupts it.
 */
#define _GNU_SOURCE
#include "executor/timers.h"

#include "check.h"
#include "executor/runtime.h"
#include "executor/tm_list.h"
#include "support.h"
#include "threads.h"

enum { SLEEPS = 1000 };

#define TM_NAME(name) #name,
static const char *const stores[] = {TM_LIST(TM_NAME)};

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

static void begin(size_t variant) {
    CHECK_EQ(timers_create(&fake.driver.timers, stores[variant]), 0);
    rings = 0;
}

static void end(void) {
    struct timers *timers = &fake.driver.timers;
    CHECK_EQ(timers->ops->earliest(timers->store), TM_NEVER);
    CHECK_EQ(timers_begin_wait(timers, 0), -1);
    CHECK_EQ(au64_load_relaxed(&timers->earliest_ns), TM_NEVER);
    timers_destroy(timers);
}

static void cancel_all(void) {
    for (unsigned i = 0; i < SLEEPS; i++) {
        sy_sleep_drop(&alarms[i].sleep);
    }
}

/*
 * Sets all alarms, to ring at random within spread_ns of some moment, which is returned. None is due before all are
 * set: however slow the machine, a lead is found that is long enough.
 */
static uint64_t set_all(const struct sy_waker_vtable *vtable, uint64_t spread_ns, uint64_t *random) {
    for (uint64_t lead_ns = 20000000;; lead_ns *= 2) {
        uint64_t start_ns = sy_now_ns() + lead_ns;
        unsigned pending = 0;
        for (unsigned i = 0; i < SLEEPS; i++) {
            alarm_set(&alarms[i], start_ns + check_random(random) % spread_ns);
            struct sy_context cx = {.waker = {vtable, &alarms[i]}};
            pending += sy_sleep_poll(&alarms[i].sleep, &cx) == SY_PENDING;
            pending += sy_sleep_poll(&alarms[i].sleep, &cx) == SY_PENDING; /* the same waker: nothing is cloned twice */
            CHECK(alarms[i].references <= 1);
        }
        if (sy_now_ns() < start_ns) {
            CHECK_EQ(pending, 2 * SLEEPS);
            return start_ns;
        }
        cancel_all();
    }
}

/* Looked at until all was due. */
static void fire_in_order_of_deadlines(size_t variant) {
    uint64_t random = check_seed();
    unsigned cancelled = 0;
    begin(variant);
    set_all(&alarm_vtable, 20000000, &random);
    for (unsigned i = 0; i < SLEEPS; i++) {
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
    begin(variant);
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
    begin(variant);
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
    begin(variant);
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

/* A sleep for ever does not turn the time-out negative. */
static void time_out_of_for_ever(size_t variant) {
    begin(variant);
    for (unsigned i = 0; i < 2 * TM_LOOK; i++) {
        alarm_set(&alarms[i], UINT64_MAX - 1 - i);
        CHECK_EQ(alarm_poll(&alarms[i]), SY_PENDING);
        CHECK(timers_begin_wait(&fake.driver.timers, 0) > INT64_MAX / 2);
        timers_end_wait(&fake.driver.timers);
    }
    for (unsigned i = 0; i < 2 * TM_LOOK; i++) {
        sy_sleep_drop(&alarms[i].sleep);
    }
    end();
}

/* ---- who waits is interrupted ---- */

static unsigned interrupted, interrupted_slot;

static void fake_wake(struct rx *rx, unsigned slot) {
    (void)rx;
    interrupted++;
    interrupted_slot = slot;
}

/* By an earlier sleep only, once, and where it waits; however many sleeps there are at about that time. */
static void an_earlier_sleep_interrupts(size_t variant) {
    static const struct rx_ops ops = {.wake = fake_wake};
    const uint64_t hour_ns = UINT64_C(3600000000000);
    for (unsigned before = 0; before < 4 * TM_LOOK; before++) {
        begin(variant);
        fake.driver.ops = &ops;
        interrupted = 0;
        uint64_t start_ns = sy_now_ns() + hour_ns;
        for (unsigned i = 0; i < before; i++) {
            alarm_set(&alarms[i], start_ns + i);
            CHECK_EQ(alarm_poll(&alarms[i]), SY_PENDING);
        }
        CHECK_EQ(interrupted, 0); /* nobody waits */
        timers_begin_wait(&fake.driver.timers, 3);
        alarm_set(&alarms[before], start_ns + before);
        CHECK_EQ(alarm_poll(&alarms[before]), SY_PENDING);
        CHECK_EQ(interrupted, before == 0); /* only the first of all is earlier */
        alarm_set(&alarms[before + 1], start_ns - hour_ns / 2);
        CHECK_EQ(alarm_poll(&alarms[before + 1]), SY_PENDING);
        CHECK_EQ(interrupted, before == 0 ? 2 : 1);
        CHECK_EQ(interrupted_slot, 3);
        alarm_set(&alarms[before + 2], start_ns - hour_ns / 4);
        CHECK_EQ(alarm_poll(&alarms[before + 2]), SY_PENDING);
        timers_end_wait(&fake.driver.timers);
        alarm_set(&alarms[before + 3], start_ns - hour_ns / 3 * 2);
        CHECK_EQ(alarm_poll(&alarms[before + 3]), SY_PENDING);
        CHECK_EQ(interrupted, before == 0 ? 2 : 1);
        for (unsigned i = 0; i < before + 4; i++) {
            sy_sleep_drop(&alarms[i].sleep);
        }
        end();
    }
}

/* ---- cancelled while it is fired ---- */

static unsigned hangmen;

/* Cancels every alarm, its own too, and uses its own memory again. */
static void hangman_ring(void *data) {
    struct alarm_clock *alarm = data;
    alarm->rung++;
    alarm_drop(data);
    cancel_all();
    memset(&alarm->sleep, 0x5a, sizeof alarm->sleep); /* fired: its memory is the caller's */
    sy_sleep_init(&alarm->sleep, &fake, 0);
    hangmen++;
}

static const struct sy_waker_vtable hangman_vtable = {alarm_clone, hangman_ring, hangman_ring, alarm_drop};

/* All are due at about the same time; those of the first batch ring, the others are cancelled by them. */
static void cancelled_by_what_fires(size_t variant) {
    uint64_t random = check_seed();
    begin(variant);
    hangmen = 0;
    uint64_t due_ns = set_all(&hangman_vtable, 3, &random);
    while (sy_now_ns() < due_ns + 3) {
        cpu_relax();
    }
    unsigned fired = timers_fire(&fake.driver.timers);
    CHECK(fired > 0 && fired < SLEEPS);
    CHECK_EQ(fired, hangmen);
    for (unsigned i = 0; i < SLEEPS; i++) {
        CHECK_EQ(alarms[i].references, 0);
        CHECK(alarms[i].rung <= 1);
    }
    end();
}

/* ---- from several threads ---- */

enum { RACERS = 64, RACE_ROUNDS = 1000 };

struct racer {
    struct sy_sleep sleep;
    struct au32 references, rung;
};

static struct racer racers[2][RACERS];
static struct au32 racing;

static void racer_clone(void *data) {
    au32_fetch_add_relaxed(&((struct racer *)data)->references, 1);
}

static void racer_drop(void *data) {
    au32_fetch_sub_relaxed(&((struct racer *)data)->references, 1);
}

static void racer_ring(void *data) {
    au32_fetch_add_relaxed(&((struct racer *)data)->rung, 1);
    racer_drop(data);
}

static const struct sy_waker_vtable racer_vtable = {racer_clone, racer_ring, racer_ring, racer_drop};

/* Starts one that is due within microseconds, and then waits for it or, as often, cancels it. */
static void race_one(struct racer *racer, uint64_t *random) {
    struct sy_context cx = {.waker = {&racer_vtable, racer}};
    au32_store_relaxed(&racer->rung, 0);
    sy_sleep_init_after(&racer->sleep, &fake, check_random(random) % 30000);
    bool ready = sy_sleep_poll(&racer->sleep, &cx) == SY_READY;
    bool waits = check_random(random) % 2;
    while (waits && !ready) {
        sched_yield();
        ready = sy_sleep_poll(&racer->sleep, &cx) == SY_READY;
    }
    CHECK(!ready || sy_now_ns() >= racer->sleep.deadline_ns);
    sy_sleep_drop(&racer->sleep);
    while (au32_load_relaxed(&racer->references) > 0) { /* whoever fired it has the waker for a moment more */
        sched_yield();
    }
    CHECK(au32_load_relaxed(&racer->rung) <= 1);
}

/* Two start and cancel, two fire: 0 and 1, 2 and 3. */
static void race(size_t index, void *shared) {
    (void)shared;
    uint64_t random = check_seed() + index;
    if (index < 2) {
        for (size_t i = 0; i < threads_scaled(RACE_ROUNDS); i++) {
            race_one(&racers[index][i % RACERS], &random);
        }
        au32_fetch_sub_relaxed(&racing, 1);
        return;
    }
    while (au32_load_relaxed(&racing) > 0) {
        timers_fire(&fake.driver.timers);
        sched_yield();
    }
}

static void fired_and_cancelled_at_once(size_t variant) {
    begin(variant);
    memset(racers, 0, sizeof racers);
    au32_store_relaxed(&racing, 2);
    threads_run(4, race, NULL);
    end();
}

static const struct check_test tests[] = {
    {"fire_in_order_of_deadlines", fire_in_order_of_deadlines},
    {"due_at_once_needs_no_timer", due_at_once_needs_no_timer},
    {"a_later_waker_replaces", a_later_waker_replaces},
    {"time_out_of_a_wait", time_out_of_a_wait},
    {"time_out_of_for_ever", time_out_of_for_ever},
    {"an_earlier_sleep_interrupts", an_earlier_sleep_interrupts},
    {"cancelled_by_what_fires", cancelled_by_what_fires},
    {"fired_and_cancelled_at_once", fired_and_cancelled_at_once},
};

static const char *store_name(size_t variant) {
    return stores[variant];
}

int main(int argc, char **argv) {
    static const struct check_suite suite = {.title = "unit_timers",
                                             .tests = tests,
                                             .test_count = sizeof tests / sizeof tests[0],
                                             .variant_count = sizeof stores / sizeof stores[0],
                                             .variant_name = store_name};
    return check_main(&suite, argc, argv);
}
