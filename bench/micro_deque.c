/* Which runs of a deque there are, and how one is made, run, emptied and checked. */
#include <stdlib.h>

#include "bench/micro_deque.h"

static void destroy(const struct dq_ops *dq, struct micro_deque *d, unsigned threads) {
    for (unsigned i = 0; d->deques && i < threads; i++) {
        if (d->deques[i]) {
            dq->destroy(d->deques[i]);
        }
    }
    free(d->deques);
    micro_items_destroy(&d->items);
    if (d->reclaim) {
        reclaim_destroy(d->reclaim);
    }
}

/* A deque for each thread. NULL, or why not. */
static const char *create(const struct dq_ops *dq, struct micro_deque *d, unsigned threads, unsigned pools) {
    struct dq_config config = {.capacity = d->parameters->capacity ? d->parameters->capacity : DQ_CAPACITY_DEFAULT};
    d->deques = calloc(threads, sizeof(struct dq *));
    if (!micro_items_create(&d->items, pools, threads) || !d->deques || reclaim_create(&d->reclaim) != 0) {
        return "no memory";
    }
    config.reclaim = d->reclaim;
    for (unsigned i = 0; i < threads; i++) {
        if (dq->create(&d->deques[i], &config) != 0) {
            return "the deques cannot be made";
        }
    }
    return NULL;
}

/* When the threads have ended and popped so many: what is left, and then all came out. */
static const char *drain(const struct dq_ops *dq, struct micro_deque *d, uint64_t popped) {
    struct sy_node *node;
    while (dq->pop(d->deques[0], &node) == DQ_OK) {
        if (micro_items_take(&d->items, 0, &node, 1) == MICRO_STRANGER) {
            return "something came out that was never pushed";
        }
        popped++;
    }
    return micro_items_check(&d->items, popped);
}

static void run_team(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                     struct micro_team *team) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_deque d = {.parameters = &one->parameters};
    team->threads = 1 + one->parameters.threads;
    team->leaders = 1;
    team->pinned = one->parameters.pinned;
    team->work_ns = one->parameters.work_ns;
    team->argument = &d;
    unsigned pools = one->parameters.producers ? one->parameters.producers : MICRO_DEQUE_POOLS;
    result->failure = create(bodies->ops, &d, team->threads, pools);
    if (!result->failure) {
        micro_run_team(team, extent, result);
    }
    if (!result->failure) {
        result->failure = drain(bodies->ops, &d, result->all_operations);
    }
    destroy(bodies->ops, &d, team->threads);
}

void micro_deque_thieves(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_team team = {.counts = {true, true}, .body = bodies->thieves};
    run_team(one, extent, result, &team);
}

static void run_latency(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_team team = {.counts = {false, true}, .latency = true, .body = bodies->latency};
    run_team(one, extent, result, &team);
}

/* A round has seen everything come out that it pushed. */
static void run_alone(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                      micro_deque_body *round) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_deque d = {.parameters = &one->parameters};
    result->failure = create(bodies->ops, &d, 1, 1);
    if (!result->failure) {
        reclaim_register_thread();
        micro_run_alone(round, &d, extent, result);
        reclaim_unregister_thread();
    }
    destroy(bodies->ops, &d, 1);
}

void micro_deque_owner(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->owner);
}

static void run_empty_pop(const struct micro_case *one, const struct micro_extent *extent,
                          struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->empty_pop);
}

static void run_empty_steal(const struct micro_case *one, const struct micro_extent *extent,
                            struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->empty_steal);
}

/* The second deque is the thief's. Counts are of the thefts, and leave out what must be pushed and popped for them. */
static void run_theft(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_deque d = {.parameters = &one->parameters};
    result->failure = create(bodies->ops, &d, 2, 1);
    if (!result->failure) {
        reclaim_register_thread();
        micro_run_alone(bodies->theft, &d, extent, result);
        reclaim_unregister_thread();
        result->counted = d.thefts;
    }
    if (!result->failure) {
        result->failure = micro_items_check(&d.items, d.items.pools[0].pushed);
    }
    destroy(bodies->ops, &d, 2);
}

/* No deque of the run's own: each round makes one. The thread reads nothing of others', so it is not registered. */
static void run_growth(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_deque_bodies *bodies = one->subject;
    struct micro_deque d = {.parameters = &one->parameters};
    result->failure = create(bodies->ops, &d, 1, 1);
    if (!result->failure) {
        bodies->ops->destroy(d.deques[0]);
        d.deques[0] = NULL;
        micro_run_alone(bodies->growth, &d, extent, result);
    }
    destroy(bodies->ops, &d, 1);
}

static struct micro_case of(const struct micro_deque_bodies *bodies) {
    return (struct micro_case){
        .part = "deque", .implementation = bodies->ops->name, .measures = "duration", .subject = bodies};
}

static void add_alone(const struct micro_deque_bodies *bodies) {
    static const size_t depths[] = {1, 64, 1024};
    struct micro_case one = of(bodies);
    one.run = micro_deque_owner;
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        one.core = depths[i] == 64;
        one.parameters.depth = depths[i];
        one.parameters.capacity = depths[i] > DQ_CAPACITY_DEFAULT ? depths[i] : DQ_CAPACITY_DEFAULT;
        micro_add(&one, "owner/depth:%zu", depths[i]);
    }
    one = of(bodies);
    one.run = run_empty_pop;
    micro_add(&one, "empty_pop/1");
    one.run = run_empty_steal;
    micro_add(&one, "empty_steal/1");
    if (!bodies->ops->bounded) {
        one.run = run_growth;
        micro_add(&one, "growth/1");
    }
    one.run = run_theft;
    for (size_t batch = 1; batch <= 32; batch *= 32) {
        one.parameters.batch = batch;
        micro_add(&one, "theft/batch:%zu", batch);
    }
}

static struct micro_case of_thieves(const struct micro_deque_bodies *bodies, unsigned thieves) {
    enum { STEAL_BATCH = 64 }; /* the executor's default */
    struct micro_case one = of(bodies);
    one.run = micro_deque_thieves;
    one.parameters = (struct micro_parameters){.threads = thieves, .batch = STEAL_BATCH};
    one.x = thieves + 1;
    return one;
}

/* The same with each grain: work for each item. */
void micro_deque_add_grains(const struct micro_case *thieves, const char *name, unsigned n, unsigned processors) {
    enum { FEW = 3 }; /* on whatever machine */
    static const unsigned grains_ns[] = {0, 50, 500};
    struct micro_case one = *thieves;
    one.axis = "threads";
    for (size_t i = 0; i < sizeof grains_ns / sizeof grains_ns[0]; i++) {
        one.parameters.work_ns = grains_ns[i];
        one.core = (one.parameters.threads == 1 || one.parameters.threads == FEW) && i < 2;
        /* Beyond, grains between crowded threads say little. */
        if (i == 0 || one.parameters.threads <= FEW || one.parameters.threads < processors) {
            micro_add(&one, "%s/%u/grain:%u", name, n, grains_ns[i]);
        }
    }
}

static void add_latencies(const struct micro_deque_bodies *bodies) {
    static const unsigned rates_hz[] = {10000, 100000};
    struct micro_case one = of_thieves(bodies, 1);
    one.run = run_latency;
    one.measures = "p99 latency";
    for (size_t i = 0; i < sizeof rates_hz / sizeof rates_hz[0]; i++) {
        one.parameters.rate_hz = rates_hz[i];
        micro_add(&one, "latency/1/rate:%u", rates_hz[i]);
    }
}

static void add_variations(const struct micro_deque_bodies *bodies, unsigned thieves) {
    static const size_t batches[] = {1, 8, 128};
    struct micro_case one = of_thieves(bodies, thieves);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        one.parameters.batch = batches[i];
        micro_add(&one, "thieves/%u/steal:%zu", thieves, batches[i]);
    }
    one = of_thieves(bodies, thieves);
    one.parameters.pinned = true;
    micro_add(&one, "thieves/%u/pinned", thieves);
}

void micro_deque_add(const struct micro_deque_bodies *bodies) {
    unsigned processors = micro_processors();
    add_alone(bodies);
    for (unsigned threads = 2; threads > 0; threads = micro_next_rung(threads, 4 * processors)) {
        struct micro_case thieves = of_thieves(bodies, threads - 1);
        micro_deque_add_grains(&thieves, "thieves", threads - 1, processors);
    }
    add_variations(bodies, processors > 2 ? processors - 1 : 1);
    add_latencies(bodies);
}
