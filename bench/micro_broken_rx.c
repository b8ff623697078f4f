/*
 * Engines, timers and stores of deadlines that are wrong once in a while: test_micro_rx.py expects that each is found
 * out by the run that would have timed it.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/micro_list.h"
#include "bench/micro_rx.h"
#include "bench/micro_timers.h"
#include "executor/tm_list.h"

enum { ONE_IN = 50, TIMERS_MOST = 1000000 };

static bool is_time(void) {
    static SY_THREAD_LOCAL unsigned operations;
    return ++operations % ONE_IN == 0;
}

/* ---- engines: hand-written epoll, and what it tells of is tampered with ---- */

static void (*true_arrived)(struct rx_rig *rig, size_t index, unsigned char byte);

static void loses_arrived(struct rx_rig *rig, size_t index, unsigned char byte) {
    if (!is_time()) {
        true_arrived(rig, index, byte);
    }
}

static void alters_arrived(struct rx_rig *rig, size_t index, unsigned char byte) {
    true_arrived(rig, index, is_time() ? (unsigned char)~byte : byte);
}

static struct rx_loop *loses_open(const struct rx_engine *engine, struct rx_rig *rig) {
    true_arrived = rig->arrived;
    rig->arrived = loses_arrived;
    return rx_engine_epoll_raw.open(engine, rig);
}

static struct rx_loop *alters_open(const struct rx_engine *engine, struct rx_rig *rig) {
    true_arrived = rig->arrived;
    rig->arrived = alters_arrived;
    return rx_engine_epoll_raw.open(engine, rig);
}

static void loses_wake(struct rx_loop *loop) {
    if (!is_time()) {
        rx_engine_epoll_raw.wake(loop);
    }
}

/* ---- timers: the runtime's ---- */

static size_t timers_count;
static struct timer_bench *the_bench;

static struct timer_set *noting_create(const struct timer_engine *engine, struct timer_bench *bench, size_t count) {
    timers_count = count;
    the_bench = bench;
    return timer_engine_ours[0].create(engine, bench, count);
}

/* 59 ms too soon, of at least 60. */
static void early_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    static uint16_t shorter_ms[TIMERS_MOST];
    for (size_t i = 0; i < timers_count; i++) {
        shorter_ms[i] = (uint16_t)(timeouts_ms[i] - 59);
    }
    timer_engine_ours[0].start_all(set, shorter_ms);
}

/* The shortest last; of 1,000. */
static void backwards_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    static uint16_t turned_ms[TIMERS_MOST];
    for (size_t i = 0; i < timers_count; i++) {
        turned_ms[i] = (uint16_t)(179 - timeouts_ms[i]); /* of 60 to 119 */
    }
    timer_engine_ours[0].start_all(set, turned_ms);
}

/* One of them much later. */
static void late_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    static uint16_t longer_ms[TIMERS_MOST];
    memcpy(longer_ms, timeouts_ms, timers_count * sizeof longer_ms[0]);
    longer_ms[timers_count / 2] = UINT16_MAX;
    timer_engine_ours[0].start_all(set, longer_ms);
}

/* Cancels one twice, and so another never. */
static void deaf_cancel(struct timer_set *set, const uint32_t *order, size_t n) {
    static uint32_t wrong[TIMERS_MOST];
    memcpy(wrong, order, n * sizeof wrong[0]);
    wrong[1] = wrong[0];
    timer_engine_ours[0].cancel(set, wrong, n);
}

static void twice_fire(struct timer_set *set) {
    timer_engine_ours[0].fire(set);
    timer_bench_fired(the_bench, 0);
}

/* ---- stores of deadlines: the heap, and what it takes is tampered with ---- */

/* Up to 200 µs ahead of the time, which goes on 100 µs a look. */
static size_t early_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    return tm_heap_ops.take_due(store, now_ns + 200000, out, max);
}

/* Says of a look now and then that nothing is due. */
static uint64_t late_earliest(const struct tm_store *store) {
    return is_time() ? TM_NEVER : tm_heap_ops.earliest(store);
}

/* Turns a batch round. */
static size_t backwards_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    size_t n = tm_heap_ops.take_due(store, now_ns, out, max);
    for (size_t i = 0; i < n / 2; i++) {
        struct sy_sleep *other = out[n - 1 - i];
        out[n - 1 - i] = out[i];
        out[i] = other;
    }
    return n;
}

/* Gives one of a batch twice, and so another never. */
static size_t double_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    size_t n = tm_heap_ops.take_due(store, now_ns, out, max);
    if (n > 1) {
        out[1] = out[0];
    }
    return n;
}

/* Loses one, which the heap does not look at. */
static void losing_insert(struct tm_store *store, struct sy_sleep *sleep, uint64_t now_ns) {
    sleep->place = is_time();
    if (!sleep->place) {
        tm_heap_ops.insert(store, sleep, now_ns);
    }
}

static void losing_remove(struct tm_store *store, struct sy_sleep *sleep) {
    if (!sleep->place) {
        tm_heap_ops.remove(store, sleep);
    }
}

static void add_stores(void) {
    static struct tm_ops early, late, backwards, doubles, loses;
    early = late = backwards = doubles = loses = tm_heap_ops;
    early.name = "early_store";
    early.take_due = early_take_due;
    late.name = "late_store";
    late.earliest = late_earliest;
    backwards.name = "backwards_store";
    backwards.take_due = backwards_take_due;
    loses.name = "losing_store";
    loses.insert = losing_insert;
    loses.remove = losing_remove;
    doubles.name = "double_store";
    doubles.take_due = double_take_due;
    micro_timers_add_store(&early);
    micro_timers_add_store(&late);
    micro_timers_add_store(&backwards);
    micro_timers_add_store(&doubles);
    micro_timers_add_store(&loses);
}

static void add_engines(void) {
    static struct rx_engine loses, alters, sleeps;
    loses = alters = sleeps = rx_engine_epoll_raw;
    loses.name = "loses";
    loses.open = loses_open;
    alters.name = "alters";
    alters.open = alters_open;
    sleeps.name = "sleeps";
    sleeps.wake = loses_wake;
    micro_rx_add_engine(&loses);
    micro_rx_add_engine(&alters);
    micro_rx_add_engine(&sleeps);
}

static void add_timers(void) {
    static struct timer_engine early, backwards, late, deaf, twice;
    early = backwards = late = deaf = twice = timer_engine_ours[0];
    early.create = backwards.create = late.create = deaf.create = twice.create = noting_create;
    early.name = "early";
    early.start_all = early_start_all;
    backwards.name = "backwards";
    backwards.start_all = backwards_start_all;
    late.name = "late";
    late.start_all = late_start_all;
    deaf.name = "deaf";
    deaf.cancel = deaf_cancel;
    twice.name = "twice";
    twice.fire = twice_fire;
    micro_timers_add_engine(&early);
    micro_timers_add_engine(&backwards);
    micro_timers_add_engine(&late);
    micro_timers_add_engine(&deaf);
    micro_timers_add_engine(&twice);
}

void micro_broken_rx_add(void) {
    add_engines();
    add_timers();
    add_stores();
}
