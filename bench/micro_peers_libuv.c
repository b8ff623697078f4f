/*
 * libuv as an engine. What could be held against it: bytes are read by uv_poll and recv, as bench.c does with libevent;
 * a stream with uv_read_start would read more at once and call twice for it. Its timers have a resolution of
 * milliseconds, and take the time that the loop has cached, which is what they are for. A loop that is woken before its
 * waker is back from the system call spins until it is (1.44): reactor/wake shows that where both share a processor.
 */
#include <stdlib.h>
#include <uv.h>

#include "bench/micro_rx.h"
#include "bench/micro_timers.h"

void micro_peers_libuv_add(void);

/* ---- descriptors ---- */

struct watched {
    uv_poll_t poll;
    struct rx_loop *loop;
};

struct rx_loop {
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t patience;
    struct rx_rig *rig;
    size_t open; /* how many of those below */
    struct watched watched[];
};

static void readable(uv_poll_t *poll, int status, int events) {
    struct watched *watched = poll->data;
    struct rx_loop *loop = watched->loop;
    (void)events;
    if (status < 0) {
        loop->rig->failure = "uv_poll failed";
    } else if (!loop->rig->failure) {
        rx_rig_read(loop->rig, (size_t)(watched - loop->watched));
    }
}

static void woken(uv_async_t *async) {
    (void)async; /* that uv_run returns is all that is wanted */
}

static void impatient(uv_timer_t *timer) {
    (void)timer;
}

static void uv_engine_close(struct rx_loop *loop) {
    for (size_t i = 0; i < loop->open; i++) {
        uv_close((uv_handle_t *)&loop->watched[i].poll, NULL);
    }
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->patience, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    free(loop);
}

static bool watch(struct rx_loop *loop, size_t index) {
    struct watched *watched = &loop->watched[index];
    if (uv_poll_init(&loop->uv, &watched->poll, loop->rig->ends[index].in) != 0) {
        return false;
    }
    loop->open++;
    watched->loop = loop;
    watched->poll.data = watched;
    return uv_poll_start(&watched->poll, UV_READABLE, readable) == 0;
}

static struct rx_loop *uv_engine_open(const struct rx_engine *engine, struct rx_rig *rig) {
    const uint64_t patience_ms = (uint64_t)(RX_PATIENCE_NS / 1000000);
    struct rx_loop *loop = calloc(1, sizeof *loop + rig->count * sizeof loop->watched[0]);
    (void)engine;
    rig->failure = "a libuv loop cannot be made";
    if (!loop || uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return NULL;
    }
    loop->rig = rig;
    if (uv_async_init(&loop->uv, &loop->async, woken) != 0) {
        uv_loop_close(&loop->uv);
        free(loop);
        return NULL;
    }
    uv_timer_init(&loop->uv, &loop->patience);
    uv_timer_start(&loop->patience, impatient, patience_ms, patience_ms);
    for (size_t i = 0; i < rig->count; i++) {
        if (!watch(loop, i)) {
            rig->failure = "a descriptor cannot be registered";
            uv_engine_close(loop);
            return NULL;
        }
    }
    rig->failure = NULL;
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* it tells epoll of its descriptors only now */
    return loop;
}

static void uv_engine_turn(struct rx_loop *loop) {
    uv_run(&loop->uv, UV_RUN_ONCE);
}

static void uv_engine_send(struct rx_loop *loop, size_t index, unsigned char byte) {
    rx_rig_write(loop->rig, index, byte);
}

static void uv_engine_wake(struct rx_loop *loop) {
    uv_async_send(&loop->async);
}

/* ---- timers ---- */

struct timer {
    uv_timer_t uv;
    struct timer_set *set;
};

struct timer_set {
    uv_loop_t uv;
    struct timer_bench *bench;
    size_t count;
    struct timer timers[];
};

static struct timer_set *uv_timers_create(const struct timer_engine *engine, struct timer_bench *bench, size_t count) {
    (void)engine;
    struct timer_set *set = calloc(1, sizeof *set + count * sizeof set->timers[0]);
    if (!set || uv_loop_init(&set->uv) != 0) {
        free(set);
        return NULL;
    }
    set->bench = bench;
    set->count = count;
    for (size_t i = 0; i < count; i++) {
        set->timers[i].set = set;
        set->timers[i].uv.data = &set->timers[i];
        uv_timer_init(&set->uv, &set->timers[i].uv);
    }
    return set;
}

static void timer_fired(uv_timer_t *uv) {
    struct timer *timer = uv->data;
    timer_bench_fired(timer->set->bench, (size_t)(timer - timer->set->timers));
}

static void uv_timers_start_all(struct timer_set *set, const uint16_t *timeouts_ms) {
    uv_update_time(&set->uv);
    for (size_t i = 0; i < set->count; i++) {
        uv_timer_start(&set->timers[i].uv, timer_fired, timeouts_ms[i], 0);
    }
}

static void uv_timers_fire(struct timer_set *set) {
    uv_run(&set->uv, UV_RUN_NOWAIT);
}

static void uv_timers_cancel(struct timer_set *set, const uint32_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uv_timer_stop(&set->timers[order[i]].uv);
    }
}

static void uv_timers_destroy(struct timer_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        uv_close((uv_handle_t *)&set->timers[i].uv, NULL);
    }
    uv_run(&set->uv, UV_RUN_DEFAULT);
    uv_loop_close(&set->uv);
    free(set);
}

void micro_peers_libuv_add(void) {
    static const struct rx_engine engine = {.name = "libuv",
                                            .peer = true,
                                            .open = uv_engine_open,
                                            .turn = uv_engine_turn,
                                            .send = uv_engine_send,
                                            .wake = uv_engine_wake,
                                            .close = uv_engine_close};
    static const struct timer_engine timers = {.name = "libuv",
                                               .peer = true,
                                               .create = uv_timers_create,
                                               .start_all = uv_timers_start_all,
                                               .fire = uv_timers_fire,
                                               .cancel = uv_timers_cancel,
                                               .destroy = uv_timers_destroy};
    micro_rx_add_engine(&engine);
    micro_timers_add_engine(&timers);
}
