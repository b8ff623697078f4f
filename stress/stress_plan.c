/* What an episode does, all of it drawn from the seed, the combination's name and the episode's number. */
#define _GNU_SOURCE
#include "stress.h"

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
uint64_t plan_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned plan_below(uint64_t *state, unsigned n) {
    return (unsigned)((plan_random(state) >> 33) % n);
}

/* FNV-1a of the name, so that a combination's episodes do not depend on which others there are. */
static uint64_t episode_seed(uint64_t seed, const char *name, uint64_t number) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    }
    hash ^= number * UINT64_C(0x9e3779b97f4a7c15);
    return plan_random(&hash);
}

/* Not one of the parts that are combined: it knows nothing of the others. */
static const char *draw_timers(uint64_t *random) {
    struct sy_part part;
    unsigned n = 0;
    while (sy_part_at(SY_TIMERS, n, &part)) {
        n++;
    }
    return sy_part_at(SY_TIMERS, plan_below(random, n), &part) ? part.name : NULL;
}

static void draw_knobs(struct sy_config *c, uint64_t *random) {
    static const unsigned caps[] = {0, 1, 3, 16}, intervals[] = {0, 2, 7, 61}, batches[] = {1, 3, 32, 256};
    static const size_t capacities[] = {2, 4, 16, 256}, segments[] = {0, 2, 4, 64};
    static const uint64_t spins_ns[] = {0, 0, 1000, 50000}, handoffs_ns[] = {1000, 20000, 200000, 2000000};
    static const uint64_t keep_alives_ns[] = {1, 10000, 1000000, 10000000000};
    c->workers = 1 + plan_below(random, 8);
    c->global_capacity = plan_below(random, 5) == 0 ? c->global_capacity : capacities[plan_below(random, 4)];
    c->global_segment = segments[plan_below(random, 4)];
    c->local_capacity = capacities[plan_below(random, 4)];
    c->global_interval = intervals[plan_below(random, 4)];
    c->global_batch = batches[plan_below(random, 4)];
    c->steal_batch = batches[plan_below(random, 4)];
    c->lifo_cap = caps[plan_below(random, 4)];
    c->reactor_interval = 1 + plan_below(random, 64);
    c->reactor_batch = batches[plan_below(random, 4)];
    c->searching_max = plan_below(random, c->workers + 1);
    c->spin_ns = spins_ns[plan_below(random, 4)];
    c->handoff_ns = handoffs_ns[plan_below(random, 4)];
    c->budget = batches[plan_below(random, 4)];
    c->speculative_io = plan_below(random, 2);
    c->blocking_threads = 1 + plan_below(random, 3);
    c->blocking_keep_alive_ns = keep_alives_ns[plan_below(random, 4)];
    c->seed = plan_random(random) | 1;
    c->timers = draw_timers(random);
}

void plan_draw(struct plan *plan, const struct combination *combination, uint64_t seed, uint64_t number,
               enum inject inject) {
    uint64_t random = episode_seed(seed, combination->name, number);
    *plan = (struct plan){.seed = random};
    sy_config_init(&plan->config);
    draw_knobs(&plan->config, &random);
    plan->config.global_queue = combination->global_queue.name;
    plan->config.local_deque = combination->local_deque.name;
    plan->config.reactor = combination->reactor.name;
    plan->config.dynamic_dispatch = combination->dynamic;
    plan->spawners = 1 + plan_below(&random, SPAWNERS_MAX);
    plan->wakers = 1 + plan_below(&random, WAKERS_MAX);
    plan->roots = inject == INJECT_IDLE ? 0 : 8 + plan_below(&random, SUPPORT_SANITIZED ? 40 : 120);
    plan->mid_flight = number % 2; /* not drawn: few episodes are to have some of both */
    plan->threshold = 1 + plan_below(&random, plan->roots * plan->spawners + 1);
    plan->late_wakers = plan_below(&random, 2);
}
