/*
 * The runtime's timers, over each store of deadlines: sleeps, which a task embeds, polled once to start; of a runtime
 * only its timers are used.
 */
#include <stdlib.h>

#include "bench/micro_list.h"
#include "bench/micro_timers.h"
#include "executor/parts.h"
#include "executor/runtime.h"
#include "executor/tm_list.h"

struct timer {
    struct timer_set *set;
    struct sy_sleep sleep;
};

struct timer_set {
    struct sy_runtime runtime;
    struct timer_bench *bench;
    size_t count;
    struct timer timers[];
};

static void keep(void *data) {
    (void)data;
}

static void fired(void *data) {
    struct timer *timer = data;
    timer_bench_fired(timer->set->bench, (size_t)(timer - timer->set->timers));
}

static const struct sy_waker_vtable vtable = {keep, fired, fired, keep};

static struct timer_set *ours_create(const struct timer_engine *engine, struct timer_bench *bench, size_t count) {
    size_t size = sizeof(struct timer_set) + count * sizeof(struct timer);
    struct timer_set *set = aligned_alloc(SY_CACHE_LINE, (size + SY_CACHE_LINE - 1) / SY_CACHE_LINE * SY_CACHE_LINE);
    if (!set || timers_create(&set->runtime.driver.timers, engine->store) != 0) {
        free(set);
        return NULL;
    }
    set->bench = bench;
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        set->timers[i].set = set;
    }
    return set;
}

static void ours_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    for (size_t i = 0; i < set->count; i++) {
        struct timer *timer = &set->timers[i];
        struct sy_context cx = {.waker = {&vtable, timer}};
        sy_sleep_init_after(&timer->sleep, &set->runtime, timeouts_ms[i] * UINT64_C(1000000));
        if (sy_sleep_poll(&timer->sleep, &cx) == SY_READY) {
            timer_bench_fired(set->bench, i); /* due before it was started: this thread was kept away for long */
        }
    }
}

static void ours_fire(struct timer_set *set) {
    timers_fire(&set->runtime.driver.timers);
}

static void ours_cancel(struct timer_set *set, const uint32_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) {
        sy_sleep_drop(&set->timers[order[i]].sleep);
    }
}

static void ours_destroy(struct timer_set *set) {
    timers_destroy(&set->runtime.driver.timers);
    free(set);
}

#define ENGINE(tm)                                                                                                     \
    {                                                                                                                  \
        .name = #tm,                                                                                                   \
        .store = #tm,                                                                                                  \
        .create = ours_create,                                                                                         \
        .start_all = ours_start_all,                                                                                   \
        .fire = ours_fire,                                                                                             \
        .cancel = ours_cancel,                                                                                         \
        .destroy = ours_destroy,                                                                                       \
    },
const struct timer_engine timer_engine_ours[] = {TM_LIST(ENGINE)};

void micro_timers_add(void) {
    for (size_t i = 0; i < sizeof timer_engine_ours / sizeof timer_engine_ours[0]; i++) {
        micro_timers_add_engine(&timer_engine_ours[i]);
        micro_timers_add_store(part_timers(timer_engine_ours[i].store));
    }
}
