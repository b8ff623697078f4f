/* What the tasks do. Each is a state machine over `step`, as the executor's users write them. */
#define _GNU_SOURCE
#include <errno.h>

#include "stress.h"

static enum sy_poll ready_poll(struct unit_future *f, struct sy_context *cx) {
    (void)f;
    (void)cx;
    return SY_READY;
}

static enum sy_poll forever_poll(struct unit_future *f, struct sy_context *cx) {
    (void)f;
    (void)cx;
    return SY_PENDING; /* stores no waker: only an abort or the end of the runtime ends it */
}

/* Draws `left` at the first poll. */
static bool first_poll(struct unit_future *f, unsigned most) {
    if (f->step++ > 0) {
        return false;
    }
    f->left = 1 + plan_below(&f->random, most);
    return true;
}

static enum sy_poll yields_poll(struct unit_future *f, struct sy_context *cx) {
    first_poll(f, 20);
    if (f->left-- == 0) {
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

static enum sy_poll wakes_itself_poll(struct unit_future *f, struct sy_context *cx) {
    first_poll(f, 20);
    if (f->left-- == 0) {
        return SY_READY;
    }
    sy_waker_wake_by_ref(&cx->waker);
    return SY_PENDING;
}

static enum sy_poll computes_poll(struct unit_future *f, struct sy_context *cx) {
    (void)cx;
    uint64_t until_ns = sy_now_ns() + plan_random(&f->random) % 20000;
    while (sy_now_ns() < until_ns) {
        cpu_relax();
    }
    return SY_READY;
}

/* ---- children ---- */

static enum kind draw_kind(struct unit_future *f) {
    return (enum kind)plan_below(&f->random, KINDS_TO_DRAW);
}

static struct unit_future child(struct unit_future *f, enum kind kind) {
    return unit_make(f->episode, kind, f->depth ? f->depth - 1 : 0, plan_random(&f->random));
}

static enum kind draw_child(struct unit_future *f) {
    return f->depth ? draw_kind(f) : KIND_READY;
}

static enum sy_poll spawns_poll(struct unit_future *f, struct sy_context *cx) {
    if (first_poll(f, 3)) {
        unsigned children = f->depth == 0 ? 1 : 1 + plan_below(&f->random, 32);
        for (unsigned i = 0; i < children; i++) {
            struct unit_future next = child(f, draw_child(f));
            enum spawn_how how = plan_below(&f->random, 2) ? SPAWN_PLAIN : SPAWN_EMBEDDED;
            if (unit_spawn(&next, how, NULL, NULL)) {
                break;
            }
        }
    }
    if (f->left-- == 0) {
        return SY_READY;
    }
    sy_yield_now(cx);
    return SY_PENDING;
}

/* Spawns up to STRESS_CHILDREN children with handles. */
static void spawn_joined(struct unit_future *f, bool forever) {
    for (unsigned i = 0; i < f->left; i++) {
        struct unit_future next = child(f, forever ? KIND_FOREVER : draw_child(f));
        enum spawn_how how = plan_below(&f->random, 2) ? SPAWN_PLAIN : SPAWN_EMBEDDED;
        if (unit_spawn(&next, how, &f->joins[i], NULL)) {
            f->joins[i].task = NULL;
        }
    }
}

/* READY when all children were joined, one after the other. */
static enum sy_poll join_children(struct unit_future *f, struct sy_context *cx) {
    for (unsigned i = 0; i < STRESS_CHILDREN; i++) {
        struct sy_outcome outcome;
        if (!f->joins[i].task) {
            continue;
        }
        if (sy_join_poll(&f->joins[i], cx, &outcome) == SY_PENDING) {
            return SY_PENDING;
        }
        unit_check_outcome(f->episode, &outcome);
        sy_join_drop(&f->joins[i]);
        f->joins[i].task = NULL;
    }
    return SY_READY;
}

static enum sy_poll joins_poll(struct unit_future *f, struct sy_context *cx) {
    if (first_poll(f, STRESS_CHILDREN)) {
        spawn_joined(f, false);
    }
    return join_children(f, cx);
}

static enum sy_poll aborts_poll(struct unit_future *f, struct sy_context *cx) {
    if (first_poll(f, STRESS_CHILDREN)) {
        spawn_joined(f, true);
        if (plan_below(&f->random, 2)) {
            sy_yield_now(cx); /* so that some were polled before */
            return SY_PENDING;
        }
    }
    for (unsigned i = 0; i < STRESS_CHILDREN; i++) {
        if (f->joins[i].task) {
            sy_join_abort(&f->joins[i]);
            au64_fetch_add_relaxed(&f->episode->aborts, 1);
        }
    }
    return join_children(f, cx);
}

/* Dropped before it came to abort them: they would never end. */
static void aborts_drop(struct unit_future *f) {
    for (unsigned i = 0; i < STRESS_CHILDREN; i++) {
        if (f->joins[i].task) {
            sy_join_abort(&f->joins[i]);
        }
    }
}

static enum sy_poll uses_pool_poll(struct unit_future *f, struct sy_context *cx) {
    if (first_poll(f, STRESS_CHILDREN)) {
        for (unsigned i = 0; i < f->left; i++) {
            struct unit_future job = child(f, KIND_JOB);
            if (unit_spawn(&job, SPAWN_BLOCKING, &f->joins[i], NULL)) {
                f->joins[i].task = NULL;
            }
        }
    }
    return join_children(f, cx);
}

static enum sy_poll job_poll(struct unit_future *f, struct sy_context *cx) {
    au64_fetch_add_relaxed(&f->episode->jobs, 1);
    return computes_poll(f, cx);
}

/* ---- time ---- */

static enum sy_poll sleeps_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == 0) {
        f->left = 1 + plan_below(&f->random, 3);
    }
    for (;;) {
        if (f->step % 2 == 0) {
            if (f->left-- == 0) {
                return SY_READY;
            }
            f->not_before_ns = sy_now_ns() + plan_random(&f->random) % 300000;
            sy_sleep_init(&f->sleep, cx->runtime, f->not_before_ns);
            f->step++;
        }
        if (sy_sleep_poll(&f->sleep, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        STRESS_CHECK(sy_now_ns() >= f->not_before_ns, "unit %u slept too short", f->id);
        f->step++;
    }
}

static void sleeps_drop(struct unit_future *f) {
    if (f->step % 2) {
        sy_sleep_drop(&f->sleep);
    }
}

static enum sy_poll never_poll(void *future, struct sy_context *cx) {
    (void)future;
    (void)cx;
    return SY_PENDING;
}

static const struct sy_future_type never_type = {.name = "never", .size = 0, .poll = never_poll};

static enum sy_poll times_out_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == 0) {
        f->step = 1;
        sy_timeout_init(&f->timeout, cx->runtime, plan_random(&f->random) % 300000, &never_type, f);
    }
    if (sy_timeout_poll(&f->timeout, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    STRESS_CHECK(f->timeout.elapsed, "the timeout of unit %u is over and did not elapse", f->id);
    return SY_READY;
}

static void times_out_drop(struct unit_future *f) {
    if (f->step) {
        sy_timeout_drop(&f->timeout);
    }
}

/* ---- woken from outside ---- */

/*
 * Woken once, the poll may take for granted what was written before: no order but the runtime's. Woken many times for
 * nothing first, it looks whether it is time, with an order of its own.
 */
static enum sy_poll mail_poll(struct unit_future *f, struct sy_context *cx) {
    struct episode *episode = f->episode;
    struct unit *unit = &episode->units[f->id];
    if (f->step++ > 0) {
        bool open = unit->pestered ? au32_load_acquire(&unit->open) : au32_load_relaxed(&unit->open);
        if (unit->pestered && !open) {
            return SY_PENDING; /* the waker is still where it was */
        }
        STRESS_CHECK(open, "unit %u was woken without a reason", f->id);
        STRESS_CHECK(unit->letter == unit->payload, "unit %u does not see what its waker wrote", f->id);
        return SY_READY;
    }
    unit->waker = sy_waker_clone(&cx->waker);
    unit->pestered = plan_below(&f->random, 2);
    pthread_mutex_lock(&episode->post_lock);
    episode->post[episode->post_length++] = f->id;
    pthread_cond_signal(&episode->post_changed);
    pthread_mutex_unlock(&episode->post_lock);
    return SY_PENDING;
}

/* ---- channels and sets ---- */

static enum sy_poll sends_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step++ == 0 && plan_below(&f->random, 2)) {
        sy_yield_now(cx);
        return SY_PENDING;
    }
    if (plan_below(&f->random, 4)) {
        int error = sy_oneshot_send(f->channel, &f->episode->units[f->id]);
        STRESS_CHECK(error == 0 || error == -EPIPE, "sending said %d", error);
    }
    return SY_READY;
}

static void sends_drop(struct unit_future *f) {
    sy_oneshot_drop_sender(f->channel);
}

static enum sy_poll oneshot_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == 0) {
        SUPPORT_REQUIRE(sy_oneshot_create(&f->channel) == 0);
        f->step = 1;
        struct unit_future sender = child(f, KIND_SENDS);
        sender.channel = f->channel;
        if (unit_spawn(&sender, SPAWN_PLAIN, NULL, NULL)) {
            sy_oneshot_drop_sender(f->channel);
        }
    }
    enum sy_oneshot_result result;
    void *value = NULL;
    if (sy_oneshot_poll(f->channel, cx, &result, &value) == SY_PENDING) {
        return SY_PENDING;
    }
    if (result == SY_ONESHOT_VALUE) {
        STRESS_CHECK(((struct unit *)value)->polls > 0, "unit %u does not see what its sender wrote", f->id);
    }
    return SY_READY;
}

static void oneshot_drop(struct unit_future *f) {
    if (f->step) {
        sy_oneshot_drop_receiver(f->channel);
    }
}

static enum sy_poll join_set_poll(struct unit_future *f, struct sy_context *cx) {
    if (f->step == 0) {
        SUPPORT_REQUIRE(sy_join_set_create(&f->set, cx->runtime) == 0);
        f->step = 1;
        unsigned members = 1 + plan_below(&f->random, 8);
        for (unsigned i = 0; i < members; i++) {
            bool forever = plan_below(&f->random, 4) == 0;
            struct unit_future next = child(f, forever ? KIND_FOREVER : draw_child(f));
            f->left |= forever;
            if (unit_spawn(&next, SPAWN_INTO_SET, NULL, f->set)) {
                break;
            }
        }
        if (f->left) {
            sy_join_set_abort_all(f->set);
            au64_fetch_add_relaxed(&f->episode->aborts, members);
        }
    }
    struct sy_joined joined;
    while (sy_join_set_poll_next(f->set, cx, &joined) == SY_READY) {
        if (!joined.join.task) {
            return SY_READY;
        }
        unit_check_outcome(f->episode, &joined.outcome);
        sy_join_drop(&joined.join);
    }
    return SY_PENDING;
}

static void join_set_drop(struct unit_future *f) {
    if (f->step) {
        sy_join_set_destroy(f->set);
    }
}

const struct kind_ops kind_table[KINDS] = {
    [KIND_READY] = {"ready", ready_poll, NULL},
    [KIND_YIELDS] = {"yields", yields_poll, NULL},
    [KIND_WAKES_ITSELF] = {"wakes itself", wakes_itself_poll, NULL},
    [KIND_COMPUTES] = {"computes", computes_poll, NULL},
    [KIND_SPAWNS] = {"spawns", spawns_poll, NULL},
    [KIND_JOINS] = {"joins", joins_poll, NULL},
    [KIND_ABORTS] = {"aborts", aborts_poll, aborts_drop},
    [KIND_SLEEPS] = {"sleeps", sleeps_poll, sleeps_drop},
    [KIND_TIMES_OUT] = {"times out", times_out_poll, times_out_drop},
    [KIND_MAIL] = {"mail", mail_poll, NULL},
    [KIND_ONESHOT] = {"oneshot", oneshot_poll, oneshot_drop},
    [KIND_JOIN_SET] = {"join set", join_set_poll, join_set_drop},
    [KIND_USES_POOL] = {"uses the pool", uses_pool_poll, NULL},
    [KIND_PAIR] = {"socket pair", pair_poll, io_drop},
    [KIND_TCP] = {"tcp", tcp_poll, io_drop},
    [KIND_SENDS] = {"sends", sends_poll, sends_drop},
    [KIND_FOREVER] = {"forever", forever_poll, NULL},
    [KIND_JOB] = {"job", job_poll, NULL},
    [KIND_ECHOES] = {"echoes", echo_poll, io_drop},
};
