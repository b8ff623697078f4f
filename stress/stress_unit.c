/* The tasks as such: spawned, polled, dropped, joined, with the books kept on all of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "stress.h"

/* An embedded unit; the future stands right behind the header. */
struct unit_task {
    struct sy_task header;
    struct unit_future future;
};

struct unit_future unit_make(struct episode *episode, enum kind kind, unsigned depth, uint64_t random) {
    return (struct unit_future){.episode = episode, .kind = kind, .depth = depth, .random = random};
}

void episode_release(struct episode *episode) {
    if (ai64_fetch_sub_acq_rel(&episode->pending, 1) == 1) {
        support_counter_add(&episode->midway, 1);
        support_counter_add(&episode->quiet, 1);
    }
}

static void release_embedded(struct sy_task *task) {
    struct unit_task *whole = (struct unit_task *)task;
    struct unit *unit = &whole->future.episode->units[whole->future.id];
    STRESS_CHECK(au32_fetch_add_relaxed(&unit->released, 1) == 0, "the memory of unit %u was released twice",
                 whole->future.id);
    free(whole);
}

static int spawn_embedded(struct sy_runtime *runtime, const struct unit_future *future, struct unit *unit,
                          struct sy_join *join) {
    struct unit_task *task = malloc(sizeof *task);
    SUPPORT_REQUIRE(task);
    task->future = *future;
    au32_store_relaxed(&unit->embedded, 1);
    int error = sy_spawn_embedded(runtime, &unit_type, &task->header, release_embedded, join);
    if (error) {
        au32_store_relaxed(&unit->embedded, 0);
        free(task);
    }
    return error;
}

static int spawn_as(const struct unit_future *future, enum spawn_how how, struct unit *unit, struct sy_join *join,
                    struct sy_join_set *set) {
    struct sy_runtime *runtime = future->episode->runtime;
    switch (how) {
    case SPAWN_EMBEDDED:
        return spawn_embedded(runtime, future, unit, join);
    case SPAWN_BLOCKING:
        return sy_spawn_blocking(runtime, &unit_type, future, join);
    case SPAWN_INTO_SET:
        return sy_join_set_spawn(set, &unit_type, future, NULL);
    case SPAWN_PLAIN:
        break;
    }
    return sy_spawn(runtime, &unit_type, future, join);
}

int unit_spawn(struct unit_future *future, enum spawn_how how, struct sy_join *join, struct sy_join_set *set) {
    struct episode *episode = future->episode;
    uint32_t id = au32_load_relaxed(&episode->next_unit);
    do {
        if (id == UNITS) {
            return -ENOSPC;
        }
    } while (!au32_cas_relaxed(&episode->next_unit, &id, id + 1));
    struct unit *unit = &episode->units[id];
    future->id = id;
    unit->kind = kind_table[future->kind].name;
    future->payload = unit->payload = plan_random(&future->random);
    ai64_fetch_add_relaxed(&episode->pending, 1); /* before the spawn: the unit may end during it */
    int error = spawn_as(future, how, unit, join, set);
    if (error == 0) {
        au32_store_relaxed(&unit->accepted, 1);
        return 0;
    }
    STRESS_CHECK(error == -ESHUTDOWN, "the spawn of unit %u (%s) said %d", id, unit->kind, error);
    au32_store_relaxed(&unit->refused, 1);
    episode_release(episode);
    return error;
}

static enum sy_poll unit_poll(void *future, struct sy_context *cx) {
    struct unit_future *f = future;
    struct unit *unit = &f->episode->units[f->id];
    STRESS_CHECK(au32_exchange_relaxed(&unit->inside, 1) == 0, "unit %u is polled twice at once", f->id);
    STRESS_CHECK(!f->ready, "unit %u is polled after it was ready", f->id);
    STRESS_CHECK(au32_load_relaxed(&unit->dropped) == 0, "unit %u is polled after it was dropped", f->id);
    STRESS_CHECK(unit->payload == f->payload, "unit %u does not see what its spawner wrote", f->id);
    STRESS_CHECK(unit->polls == f->polls, "unit %u does not see what its earlier polls wrote", f->id);
    unit->polls = ++f->polls;
    watch_progress();
    enum sy_poll answer = kind_table[f->kind].poll(f, cx);
    if (answer == SY_READY) {
        f->ready = true;
        f->output = f->payload + 1;
        uint32_t before = au32_fetch_add_relaxed(&unit->ready, 1);
        if (f->episode->inject == INJECT_DOUBLE_RUN && au32_exchange_relaxed(&f->episode->injected, 1) == 0) {
            before = au32_fetch_add_relaxed(&unit->ready, 1);
        }
        STRESS_CHECK(before == 0, "unit %u (%s) was ready twice", f->id, kind_table[f->kind].name);
    }
    au32_store_relaxed(&unit->inside, 0);
    return answer;
}

static void unit_drop(void *future) {
    struct unit_future *f = future;
    struct episode *episode = f->episode;
    struct unit *unit = &episode->units[f->id];
    STRESS_CHECK(au32_exchange_relaxed(&unit->inside, 1) == 0, "unit %u is dropped while it is polled", f->id);
    if (kind_table[f->kind].drop) {
        kind_table[f->kind].drop(f);
    }
    for (unsigned i = 0; i < STRESS_CHILDREN; i++) {
        sy_join_drop(&f->joins[i]);
    }
    STRESS_CHECK(au32_fetch_add_relaxed(&unit->dropped, 1) == 0, "unit %u was dropped twice", f->id);
    au32_store_relaxed(&unit->inside, 0);
    watch_progress();
    if (au32_fetch_add_relaxed(&episode->ended, 1) + 1 == episode->plan.threshold) {
        support_counter_add(&episode->midway, 1);
    }
    episode_release(episode);
}

const struct sy_future_type unit_type = {
    .name = "unit", .size = sizeof(struct unit_future), .poll = unit_poll, .drop = unit_drop};

void unit_check_outcome(struct episode *episode, const struct sy_outcome *outcome) {
    if (!outcome->cancelled) {
        const struct unit_future *f = outcome->future;
        STRESS_CHECK(f->ready && f->output == episode->units[f->id].payload + 1,
                     "the output of unit %u is not there for its joiner", f->id);
    }
}

/* With the runtime gone and every waker given back. */
void unit_audit(struct episode *episode) {
    uint32_t units = au32_load_relaxed(&episode->next_unit);
    for (uint32_t id = 0; id < units; id++) {
        const struct unit *unit = &episode->units[id];
        uint32_t accepted = au32_load_relaxed(&unit->accepted);
        STRESS_CHECK(accepted + au32_load_relaxed(&unit->refused) == 1, "unit %u is neither accepted nor refused", id);
        STRESS_CHECK(au32_load_relaxed(&unit->dropped) == accepted, "unit %u was dropped %u times, not %u", id,
                     au32_load_relaxed(&unit->dropped), accepted);
        STRESS_CHECK(au32_load_relaxed(&unit->ready) <= accepted, "unit %u was ready %u times", id,
                     au32_load_relaxed(&unit->ready));
        STRESS_CHECK(au32_load_relaxed(&unit->released) == au32_load_relaxed(&unit->embedded),
                     "the memory of unit %u was not released", id);
    }
}
