#include "executor/park.h"

#include <sched.h>

static void count_driver(struct worker *worker, struct driver_events events) {
    counter_add(&worker->counters.reactor_polls, 1);
    counter_add(&worker->counters.reactor_events, events.events);
    counter_add(&worker->counters.timers, events.timers);
}

void worker_count_busy(struct worker *worker) {
    counter_add(&worker->counters.busy_ns, sy_now_ns() - au64_load_relaxed(&worker->busy_since_ns));
    au64_store_relaxed(&worker->busy_since_ns, 0);
}

void park_stay(struct worker *worker) {
    if (worker->stays++ > 0) {
        sched_yield(); /* to who keeps it and was perhaps preempted: a thief in the middle of a steal, a popper */
    }
}

void worker_look(struct worker *worker, bool locked) {
    worker->in_driver = true;
    count_driver(worker, driver_look(&worker->runtime->driver, locked));
    worker->in_driver = false;
}

/* True: it is time to leave the reactor. */
static bool block_in_driver(struct worker *worker) {
    if (!event_begin_polling(&worker->event)) {
        return true;
    }
    worker->in_driver = true;
    count_driver(worker, driver_block(&worker->runtime->driver, worker->index));
    worker->in_driver = false;
    return event_end_polling(&worker->event) || worker->brought || runtime_closed(worker->runtime);
}

/* The sentinel's part of driver.h. */
struct watch {
    bool sentinel;
    uint32_t epoch; /* as seen last */
};

static bool become_sentinel(struct driver *driver) {
    uint32_t expected = 0;
    return au32_cas_seq_cst(&driver->sentinel, &expected, 1);
}

static void watch_begin(struct watch *watch, struct driver *driver) {
    watch->sentinel = become_sentinel(driver);
    watch->epoch = au32_load_relaxed(&driver->epoch);
}

static void watch_end(struct watch *watch, struct driver *driver) {
    if (watch->sentinel) {
        watch->sentinel = false;
        au32_store_seq_cst(&driver->sentinel, 0); /* D1 */
    }
}

/* The time is up. True: nobody attended the reactor, the caller holds it now. */
static bool watch_look(struct watch *watch, struct driver *driver) {
    if (driver_try_lock(driver, DRIVER_BLOCKING)) {
        watch_end(watch, driver);
        return true;
    }
    uint32_t epoch = au32_load_relaxed(&driver->epoch);
    if (epoch != watch->epoch || au32_load_relaxed(&driver->lock) != DRIVER_BLOCKING) {
        watch->epoch = epoch;
        return false;
    }
    /* Blocked in for the whole time: sleep without limit, unless the one who blocks is leaving right now (D1). */
    watch_end(watch, driver);
    fence_seq_cst();
    if (au32_load_relaxed(&driver->lock) != DRIVER_BLOCKING || au32_load_relaxed(&driver->epoch) != epoch) {
        watch_begin(watch, driver);
    }
    return false;
}

/* One sleep: on the event or, where the reactor has slots, in the worker's own. False: time is up, or for nothing. */
static bool sleep_once(struct worker *worker, int64_t limit_ns) {
    struct driver *driver = &worker->runtime->driver;
    if (driver->ops->stealable) {
        return event_wait(&worker->event, limit_ns);
    }
    if (!event_begin_polling(&worker->event)) {
        return true;
    }
    worker->in_driver = true;
    count_driver(worker, driver_sleep(driver, limit_ns));
    worker->in_driver = false;
    return event_end_polling(&worker->event) || worker->brought || runtime_closed(worker->runtime);
}

/* Sleeps until it is woken (true), or until it has taken over the reactor (false). */
static bool sleep_on_event(struct worker *worker) {
    struct driver *driver = &worker->runtime->driver;
    struct watch watch;
    watch_begin(&watch, driver);
    for (;;) {
        int64_t limit_ns = watch.sentinel ? (int64_t)worker->runtime->config.handoff_ns : -1;
        if (sleep_once(worker, limit_ns)) {
            watch_end(&watch, driver);
            return true;
        }
        if (watch_look(&watch, driver)) {
            counter_add(&worker->counters.handoffs, 1);
            return false;
        }
    }
}

void park_sleep(struct worker *worker, bool block) {
    struct sy_runtime *runtime = worker->runtime;
    worker->stays = 0;
    counter_add(&worker->counters.parks, 1);
    if (worker->woken) {
        counter_add(&worker->counters.empty_wakeups, 1);
    }
    worker_count_busy(worker);
    worker->brought = false;
    reclaim_offline();
    if (!block) {
        driver_flush(&runtime->driver);
        block = !sleep_on_event(worker);
    }
    while (block && !block_in_driver(worker)) {
    }
    if (block) {
        driver_unlock(&runtime->driver);
    }
    reclaim_online();
    au64_store_relaxed(&worker->busy_since_ns, sy_now_ns());
    bool claimed = !idle_unpark(&runtime->idle, worker->index, !worker->brought);
    worker->searching = claimed || !worker->brought;
    worker->woken = claimed;
}
