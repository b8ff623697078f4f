/*
 * libevent as an engine. Bytes are read by bare events and recv, as its own test/bench.c does. A base takes no locks
 * but where it is to be woken by another thread, which it does by event_active. Its timers are started and cancelled
 * within the loop, where it caches the time, as a program's callbacks do.
 */
#include <event2/event.h>
#include <event2/thread.h>
#include <stdlib.h>

#include "bench/micro_rx.h"
#include "bench/micro_timers.h"

void micro_peers_libevent_add(void);

static struct event_base *new_base(bool locked) {
    struct event_config *config = event_config_new();
    if (!config) {
        return NULL;
    }
    if (locked) {
        evthread_use_pthreads();
    } else {
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    }
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

/* ---- descriptors ---- */

struct watched {
    struct event *event;
    struct rx_loop *loop;
};

struct rx_loop {
    struct event_base *base;
    struct event *woken;
    struct event *patience;
    struct rx_rig *rig;
    struct watched watched[];
};

static void readable(int fd, short what, void *argument) {
    struct watched *watched = argument;
    struct rx_loop *loop = watched->loop;
    (void)fd;
    (void)what;
    if (!loop->rig->failure) {
        rx_rig_read(loop->rig, (size_t)(watched - loop->watched));
    }
}

/* That the loop returns is all that is wanted. */
static void nothing(int fd, short what, void *argument) {
    (void)fd;
    (void)what;
    (void)argument;
}

static void free_event(struct event *event) {
    if (event) {
        event_free(event);
    }
}

static void ev_engine_close(struct rx_loop *loop) {
    for (size_t i = 0; i < loop->rig->count; i++) {
        free_event(loop->watched[i].event);
    }
    free_event(loop->woken);
    free_event(loop->patience);
    if (loop->base) {
        event_base_free(loop->base);
    }
    free(loop);
}

static bool watch(struct rx_loop *loop, size_t index) {
    struct watched *watched = &loop->watched[index];
    watched->loop = loop;
    watched->event = event_new(loop->base, loop->rig->ends[index].in, EV_READ | EV_PERSIST, readable, watched);
    return watched->event && event_add(watched->event, NULL) == 0;
}

static bool open_all(struct rx_loop *loop) {
    const struct timeval patience = {.tv_sec = RX_PATIENCE_NS / 1000000000};
    if (!(loop->base = new_base(loop->rig->wakes)) ||
        !(loop->woken = event_new(loop->base, -1, EV_PERSIST, nothing, NULL)) ||
        !(loop->patience = event_new(loop->base, -1, EV_PERSIST, nothing, NULL)) ||
        event_add(loop->patience, &patience) != 0) {
        return false;
    }
    for (size_t i = 0; i < loop->rig->count; i++) {
        if (!watch(loop, i)) {
            return false;
        }
    }
    return true;
}

static struct rx_loop *ev_engine_open(const struct rx_engine *engine, struct rx_rig *rig) {
    struct rx_loop *loop = calloc(1, sizeof *loop + rig->count * sizeof loop->watched[0]);
    (void)engine;
    if (!loop) {
        rig->failure = "no memory";
        return NULL;
    }
    loop->rig = rig;
    if (!open_all(loop)) {
        rig->failure = "a descriptor cannot be registered";
        ev_engine_close(loop);
        return NULL;
    }
    return loop;
}

static void ev_engine_turn(struct rx_loop *loop) {
    event_base_loop(loop->base, EVLOOP_ONCE);
}

static void ev_engine_send(struct rx_loop *loop, size_t index, unsigned char byte) {
    rx_rig_write(loop->rig, index, byte);
}

static void ev_engine_wake(struct rx_loop *loop) {
    event_active(loop->woken, 0, 0);
}

/* ---- timers ---- */

struct timer {
    struct event *event;
    struct timer_set *set;
};

struct timer_set {
    struct event_base *base;
    struct timer_bench *bench;
    struct event *within; /* runs what is to be done within the loop */
    void (*task)(struct timer_set *set);
    const uint16_t *timeouts_ms;
    const uint32_t *order;
    size_t to_cancel;
    size_t count;
    struct timer timers[];
};

static void timer_fired(int fd, short what, void *argument) {
    struct timer *timer = argument;
    (void)fd;
    (void)what;
    timer_bench_fired(timer->set->bench, (size_t)(timer - timer->set->timers));
}

static void run_task(int fd, short what, void *argument) {
    struct timer_set *set = argument;
    (void)fd;
    (void)what;
    set->task(set);
}

static void run_within(struct timer_set *set, void (*task)(struct timer_set *)) {
    set->task = task;
    event_active(set->within, 0, 0);
    event_base_loop(set->base, EVLOOP_NONBLOCK);
}

static void ev_timers_destroy(struct timer_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        free_event(set->timers[i].event);
    }
    free_event(set->within);
    event_base_free(set->base);
    free(set);
}

static struct timer_set *ev_timers_create(const struct timer_engine *engine, struct timer_bench *bench, size_t count) {
    (void)engine;
    struct timer_set *set = calloc(1, sizeof *set + count * sizeof set->timers[0]);
    if (!set || !(set->base = new_base(false))) {
        free(set);
        return NULL;
    }
    set->bench = bench;
    set->count = count;
    set->within = event_new(set->base, -1, 0, run_task, set);
    bool ok = set->within;
    for (size_t i = 0; ok && i < count; i++) {
        set->timers[i].set = set;
        set->timers[i].event = evtimer_new(set->base, timer_fired, &set->timers[i]);
        ok = set->timers[i].event;
    }
    if (!ok) {
        ev_timers_destroy(set);
        return NULL;
    }
    return set;
}

static void start_within(struct timer_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        struct timeval timeout = {.tv_sec = set->timeouts_ms[i] / 1000, .tv_usec = set->timeouts_ms[i] % 1000 * 1000};
        evtimer_add(set->timers[i].event, &timeout);
    }
}

static void cancel_within(struct timer_set *set) {
    for (size_t i = 0; i < set->to_cancel; i++) {
        evtimer_del(set->timers[set->order[i]].event);
    }
}

static void ev_timers_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    set->timeouts_ms = timeouts_ms;
    run_within(set, start_within);
}

static void ev_timers_fire(struct timer_set *set) {
    event_base_loop(set->base, EVLOOP_NONBLOCK);
}

static void ev_timers_cancel(struct timer_set *set, const uint32_t *order, size_t n) {
    set->order = order;
    set->to_cancel = n;
    run_within(set, cancel_within);
}

void micro_peers_libevent_add(void) {
    static const struct rx_engine engine = {.name = "libevent",
                                            .peer = true,
                                            .open = ev_engine_open,
                                            .turn = ev_engine_turn,
                                            .send = ev_engine_send,
                                            .wake = ev_engine_wake,
                                            .close = ev_engine_close};
    static const struct timer_engine timers = {.name = "libevent",
                                               .peer = true,
                                               .create = ev_timers_create,
                                               .start_all = ev_timers_start_all,
                                               .fire = ev_timers_fire,
                                               .cancel = ev_timers_cancel,
                                               .destroy = ev_timers_destroy};
    micro_rx_add_engine(&engine);
    micro_timers_add_engine(&timers);
}
