/* One episode: a runtime, threads that spawn and threads that wake from outside, its end, and the audit. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "stress.h"

/* ---- threads that spawn ---- */

enum { KEPT_MAX = 16 };

struct spawner {
    struct episode *episode;
    uint64_t random;
    struct sy_join kept[KEPT_MAX];
    unsigned kept_count;
    pthread_t thread;
};

static void wait_and_check(struct episode *episode, struct sy_join *join) {
    struct sy_outcome outcome;
    SUPPORT_REQUIRE(sy_join_wait(join, &outcome) == 0);
    unit_check_outcome(episode, &outcome);
    sy_join_drop(join);
}

/* What becomes of a handle. */
static void dispose(struct spawner *self, struct sy_join join) {
    switch (plan_below(&self->random, 8)) {
    case 0:
        wait_and_check(self->episode, &join);
        break;
    case 1:
    case 2:
        sy_join_abort(&join);
        au64_fetch_add_relaxed(&self->episode->aborts, 1);
        sy_join_drop(&join);
        break;
    case 3:
        sy_join_abort(&join);
        au64_fetch_add_relaxed(&self->episode->aborts, 1);
        wait_and_check(self->episode, &join);
        break;
    case 4:
    case 5:
        if (self->kept_count < KEPT_MAX) {
            self->kept[self->kept_count++] = join;
            break;
        }
        sy_join_drop(&join);
        break;
    default:
        sy_join_drop(&join);
        break;
    }
}

struct nap {
    struct sy_sleep sleep;
};

static enum sy_poll nap_poll(void *future, struct sy_context *cx) {
    return sy_sleep_poll(&((struct nap *)future)->sleep, cx);
}

static const struct sy_future_type nap_type = {.name = "nap", .size = sizeof(struct nap), .poll = nap_poll};

/* A timer from a thread that is no worker. Not where the runtime may end meanwhile: nobody would fire it. */
static void take_a_nap(struct spawner *self) {
    struct nap nap;
    sy_sleep_init_after(&nap.sleep, self->episode->runtime, plan_random(&self->random) % 200000);
    SUPPORT_REQUIRE(sy_block_on(self->episode->runtime, &nap_type, &nap) == 0);
}

static bool spawn_root(struct spawner *self) {
    struct episode *episode = self->episode;
    bool blocking = plan_below(&self->random, 12) == 0;
    bool embedded = plan_below(&self->random, 2);
    bool joined = plan_below(&self->random, 2);
    enum kind kind = blocking ? KIND_JOB : (enum kind)plan_below(&self->random, KINDS_TO_DRAW);
    struct unit_future root = unit_make(episode, kind, 2, plan_random(&self->random));
    struct sy_join join = {0};
    enum spawn_how how = blocking ? SPAWN_BLOCKING : embedded ? SPAWN_EMBEDDED : SPAWN_PLAIN;
    if (unit_spawn(&root, how, joined ? &join : NULL, NULL)) {
        return false;
    }
    if (joined) {
        dispose(self, join);
    }
    return true;
}

/* ---- threads that come for one push and go ---- */

struct guest {
    struct spawner *host;
    bool accepted;
};

static void *guest_main(void *argument) {
    struct guest *guest = argument;
    guest->accepted = spawn_root(guest->host);
    return NULL;
}

static bool spawn_by_guest(struct spawner *host) {
    struct guest guest = {.host = host};
    pthread_t thread;
    SUPPORT_REQUIRE(pthread_create(&thread, NULL, guest_main, &guest) == 0);
    pthread_join(thread, NULL);
    au64_fetch_add_relaxed(&host->episode->guests, 1);
    return guest.accepted;
}

static bool spawn_next(struct spawner *self) {
    return plan_below(&self->random, 24) == 0 ? spawn_by_guest(self) : spawn_root(self);
}

static void *spawner_thread(void *argument) {
    struct spawner *self = argument;
    struct episode *episode = self->episode;
    for (unsigned i = 0; i < episode->plan.roots && spawn_next(self); i++) {
        if (!episode->plan.mid_flight && plan_below(&self->random, 32) == 0) {
            take_a_nap(self);
        }
    }
    while (self->kept_count > 0) {
        struct sy_join *join = &self->kept[--self->kept_count];
        if (plan_below(&self->random, 3) == 0) {
            sy_join_abort(join);
            au64_fetch_add_relaxed(&episode->aborts, 1);
        }
        wait_and_check(episode, join);
    }
    episode_release(episode);
    return NULL;
}

/* ---- threads that wake ---- */

struct waker_thread {
    struct episode *episode;
    uint64_t random;
    pthread_t thread;
};

static void deliver(struct waker_thread *self, struct unit *unit) {
    struct sy_waker waker = unit->waker;
    unsigned wakes = unit->pestered ? plan_below(&self->random, 400) : 0;
    for (unsigned i = 0; i < wakes; i++) {
        sy_waker_wake_by_ref(&waker); /* into whatever state the task and the runtime are in */
    }
    unit->letter = unit->payload;
    if (unit->pestered) {
        au32_store_release(&unit->open, 1);
    } else {
        au32_store_relaxed(&unit->open, 1);
    }
    if (self->episode->inject == INJECT_LOST_WAKE && !unit->pestered) {
        /* All of them, since one task might be aborted; and none that pestering may have woken for this letter. */
        sy_waker_drop(waker);
        return;
    }
    struct sy_waker clone = sy_waker_clone(&waker);
    if (plan_below(&self->random, 2)) {
        sy_waker_wake_by_ref(&waker);
        sy_waker_drop(waker);
    } else {
        sy_waker_wake(waker);
    }
    if (plan_below(&self->random, 2)) {
        sy_waker_wake(clone); /* perhaps while it runs, or after its end */
    } else {
        sy_waker_drop(clone);
    }
    au64_fetch_add_relaxed(&self->episode->mail, 1);
}

/* The next letter to deliver; NULL: the post is closed and empty. */
static struct unit *post_take(struct waker_thread *self) {
    struct episode *episode = self->episode;
    struct unit *unit = NULL;
    pthread_mutex_lock(&episode->post_lock);
    while (episode->post_length == 0 && !episode->post_closed) {
        pthread_cond_wait(&episode->post_changed, &episode->post_lock);
    }
    if (episode->post_length > 0) {
        uint32_t which = plan_below(&self->random, episode->post_length);
        unit = &episode->units[episode->post[which]];
        episode->post[which] = episode->post[--episode->post_length];
    }
    pthread_mutex_unlock(&episode->post_lock);
    return unit;
}

static void *waker_main(void *argument) {
    struct waker_thread *self = argument;
    for (struct unit *unit = post_take(self); unit; unit = post_take(self)) {
        deliver(self, unit);
    }
    return NULL;
}

static void wakers_stop(struct episode *episode, struct waker_thread *wakers) {
    pthread_mutex_lock(&episode->post_lock);
    episode->post_closed = true;
    pthread_cond_broadcast(&episode->post_changed);
    pthread_mutex_unlock(&episode->post_lock);
    for (unsigned i = 0; i < episode->plan.wakers; i++) {
        pthread_join(wakers[i].thread, NULL);
    }
}

/* ---- the episode ---- */

static void episode_prepare(struct episode *episode, struct combination *combination, const struct options *options,
                            uint64_t number) {
    *episode = (struct episode){.combination = combination,
                                .inject = options->inject,
                                .midway = SUPPORT_COUNTER_INIT,
                                .quiet = SUPPORT_COUNTER_INIT,
                                .sockets_left = {24},
                                .ports_left = {6},
                                .post_lock = PTHREAD_MUTEX_INITIALIZER,
                                .post_changed = PTHREAD_COND_INITIALIZER};
    plan_draw(&episode->plan, combination, options->seed, number, options->inject);
    episode->units = calloc(UNITS, sizeof *episode->units);
    SUPPORT_REQUIRE(episode->units);
    ai64_store_relaxed(&episode->pending, episode->plan.spawners);
}

static void threads_start(struct episode *episode, struct spawner *spawners, struct waker_thread *wakers) {
    uint64_t random = episode->plan.seed;
    for (unsigned i = 0; i < episode->plan.wakers; i++) {
        wakers[i] = (struct waker_thread){.episode = episode, .random = plan_random(&random)};
        SUPPORT_REQUIRE(pthread_create(&wakers[i].thread, NULL, waker_main, &wakers[i]) == 0);
    }
    for (unsigned i = 0; i < episode->plan.spawners; i++) {
        spawners[i] = (struct spawner){.episode = episode, .random = plan_random(&random)};
        SUPPORT_REQUIRE(pthread_create(&spawners[i].thread, NULL, spawner_thread, &spawners[i]) == 0);
    }
}

static void episode_count(struct episode *episode) {
    uint64_t *counts = episode->combination->counts;
    struct sy_runtime *runtime = episode->runtime;
    struct sy_runtime_metrics whole;
    sy_runtime_metrics(runtime, &whole);
    counts[COUNT_EPISODES]++;
    counts[COUNT_TASKS] += au32_load_relaxed(&episode->ended);
    counts[COUNT_POLLS] += SUPPORT_METRIC(runtime, polls);
    counts[COUNT_STEALS] += SUPPORT_METRIC(runtime, steals);
    counts[COUNT_STEAL_OPERATIONS] += SUPPORT_METRIC(runtime, steal_operations);
    counts[COUNT_OVERFLOWS] += SUPPORT_METRIC(runtime, overflows);
    counts[COUNT_OFFERS] += SUPPORT_METRIC(runtime, offers);
    counts[COUNT_SPILLS] += SUPPORT_METRIC(runtime, spills) + whole.outside_spills;
    counts[COUNT_GUESTS] += au64_load_relaxed(&episode->guests);
    counts[COUNT_PARKS] += SUPPORT_METRIC(runtime, parks);
    counts[COUNT_WAKES] += SUPPORT_METRIC(runtime, wakes) + whole.outside_wakes;
    counts[COUNT_TIMERS] += SUPPORT_METRIC(runtime, timers);
    counts[COUNT_MAIL] += au64_load_relaxed(&episode->mail);
    counts[COUNT_IO] += au64_load_relaxed(&episode->io_operations);
    counts[COUNT_JOBS] += au64_load_relaxed(&episode->jobs);
    counts[COUNT_ABORTS] += au64_load_relaxed(&episode->aborts);
    counts[COUNT_SHUTDOWNS] += episode->plan.mid_flight && ai64_load_relaxed(&episode->pending) > 0;
}

/* Up to the runtime's end, with the units either all through or in the midst of it. */
static void episode_end(struct episode *episode, struct spawner *spawners, struct waker_thread *wakers) {
    bool late = episode->plan.late_wakers;
    support_counter_wait(episode->plan.mid_flight ? &episode->midway : &episode->quiet, 1);
    episode_count(episode);
    if (!late) {
        wakers_stop(episode, wakers);
    }
    SUPPORT_REQUIRE(sy_runtime_shutdown(episode->runtime) == 0);
    for (unsigned i = 0; i < episode->plan.spawners; i++) {
        pthread_join(spawners[i].thread, NULL);
    }
    watch_runtime(NULL);
    sy_runtime_destroy(episode->runtime);
    if (late) {
        wakers_stop(episode, wakers);
    }
}

void episode_run(struct combination *combination, const struct options *options, uint64_t number) {
    static struct episode episode;
    struct spawner spawners[SPAWNERS_MAX];
    struct waker_thread wakers[WAKERS_MAX];
    episode_prepare(&episode, combination, options, number);
    watch_episode_begins(&episode, options, number);
    int error = sy_runtime_create(&episode.runtime, &episode.plan.config);
    if (error) {
        char why[512];
        sy_config_explain(&episode.plan.config, error, why, sizeof why);
        stress_fail(__FILE__, __LINE__, "the runtime cannot start: %s", why);
    }
    watch_runtime(episode.runtime);
    threads_start(&episode, spawners, wakers);
    episode_end(&episode, spawners, wakers);
    while (episode.post_length > 0) { /* letters that nobody delivered */
        sy_waker_drop(episode.units[episode.post[--episode.post_length]].waker);
    }
    STRESS_CHECK(ai64_load_relaxed(&episode.pending) == 0, "%lld units were neither run to their end nor dropped",
                 (long long)ai64_load_relaxed(&episode.pending));
    unit_audit(&episode);
    watch_episode_ends();
    free(episode.units);
}
