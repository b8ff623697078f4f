/*
 * Which runs of a global queue there are: one thing varied at a time around transfers and mixtures, with as many
 * threads as the machine makes interesting; not the product of everything.
 */
#include "bench/micro_queue_cases.h"

#include <stdio.h>

#include "bench/micro_queue.h"

static struct micro_case of(const struct micro_queue_bodies *bodies, micro_queue_run *run) {
    return (struct micro_case){.part = "queue",
                               .implementation = bodies->ops->name,
                               .peer = bodies->peer,
                               .order = bodies->ops->order,
                               .measures = "duration",
                               .run = run,
                               .subject = bodies};
}

static void add_alone(const struct micro_queue_bodies *bodies) {
    static const size_t bursts[] = {64, 1024};
    struct micro_case one = of(bodies, micro_queue_burst);
    one.core = true;
    one.parameters = (struct micro_parameters){.depth = 1};
    micro_add(&one, "pairs/1");
    one.core = false;
    for (size_t i = 0; i < sizeof bursts / sizeof bursts[0]; i++) {
        one.parameters.depth = bursts[i];
        micro_add(&one, "burst/%zu", bursts[i]);
    }
    one = of(bodies, micro_queue_batches);
    one.parameters.batch = 32;
    micro_add(&one, "pairs/batch:32");
    one = of(bodies, micro_queue_empty);
    micro_add(&one, "empty/1");
}

/* `more` of the name: what is varied. The number of threads counts as scaled where `rung` is set. */
static void add_transfer(const struct micro_queue_bodies *bodies, struct micro_parameters p, bool rung, bool core,
                         const char *more) {
    struct micro_case one = of(bodies, micro_queue_transfer);
    p.batch = p.batch ? p.batch : 1;
    one.parameters = p;
    one.core = core;
    one.axis = rung ? "threads" : NULL;
    one.x = p.producers + p.consumers;
    micro_add(&one, "transfer/%u:%u/batch:%zu%s", p.producers, p.consumers, p.batch, more);
}

/* From 1:1 to four threads a processor. */
static void add_ladder(const struct micro_queue_bodies *bodies, unsigned processors) {
    static const size_t batches[] = {1, 32};
    for (size_t i = 0; i < 2; i++) {
        for (unsigned n = 1; n > 0; n = micro_next_rung(n, 2 * processors)) {
            struct micro_parameters p = {.producers = n, .consumers = n, .batch = batches[i]};
            bool core = n == processors || (i == 0 && (n == 1 || n == processors / 2));
            add_transfer(bodies, p, true, core, "");
        }
    }
}

static void add_lopsided(const struct micro_queue_bodies *bodies, unsigned processors) {
    unsigned many = 2 * processors - 1 > 2 ? 2 * processors - 1 : 2;
    add_transfer(bodies, (struct micro_parameters){.producers = 1, .consumers = many}, false, false, "");
    add_transfer(bodies, (struct micro_parameters){.producers = many, .consumers = 1}, false, false, "");
}

/* One thing more, at 1:1 and with a producer and a consumer for each processor. */
static void add_varied(const struct micro_queue_bodies *bodies, unsigned n) {
    static const size_t batches[] = {8, 128}, capacities[] = {64, 1024};
    static const unsigned works[] = {50, 500};
    char more[32];
    for (size_t i = 0; i < 2; i++) {
        struct micro_parameters p = {.producers = n, .consumers = n, .batch = batches[i]};
        add_transfer(bodies, p, false, false, "");
        p = (struct micro_parameters){.producers = n, .consumers = n, .work_ns = works[i]};
        snprintf(more, sizeof more, "/work:%u", works[i]);
        add_transfer(bodies, p, false, false, more);
        if (bodies->ops->bounded) {
            p = (struct micro_parameters){.producers = n, .consumers = n, .capacity = capacities[i]};
            snprintf(more, sizeof more, "/capacity:%zu", capacities[i]);
            add_transfer(bodies, p, false, false, more);
        }
    }
    struct micro_parameters p = {.producers = n, .consumers = n, .pinned = true};
    add_transfer(bodies, p, false, false, "/pinned");
}

static void add_mixture(const struct micro_queue_bodies *bodies, struct micro_parameters p, bool rung, bool core,
                        const char *more) {
    struct micro_case one = of(bodies, micro_queue_mixture);
    p.batch = 1;
    one.parameters = p;
    one.core = core;
    one.axis = rung ? "threads" : NULL;
    one.x = p.threads;
    micro_add(&one, "mixed/%u%s", p.threads, more);
}

static void add_mixtures(const struct micro_queue_bodies *bodies, unsigned processors) {
    unsigned n = processors > 2 ? processors : 2;
    for (unsigned threads = 2; threads > 0; threads = micro_next_rung(threads, 4 * processors)) {
        add_mixture(bodies, (struct micro_parameters){.threads = threads}, true, threads == n, "");
    }
    add_mixture(bodies, (struct micro_parameters){.threads = n, .work_ns = 50}, false, false, "/work:50");
    add_mixture(bodies, (struct micro_parameters){.threads = n, .work_ns = 500}, false, false, "/work:500");
    add_mixture(bodies, (struct micro_parameters){.threads = n, .prefill = 1024}, false, false, "/prefill:1024");
    add_mixture(bodies, (struct micro_parameters){.threads = n, .pinned = true}, false, false, "/pinned");
}

static void add_latencies(const struct micro_queue_bodies *bodies, unsigned processors) {
    static const unsigned rates_hz[] = {100000, 1000000};
    struct micro_case one = of(bodies, micro_queue_latency);
    one.measures = "p99 latency";
    for (size_t i = 0; i < 2; i++) {
        one.parameters = (struct micro_parameters){.producers = 1, .consumers = 1, .batch = 1, .rate_hz = rates_hz[i]};
        one.core = i == 0;
        micro_add(&one, "latency/1:1/rate:%u", rates_hz[i]);
    }
    one.core = false;
    one.parameters =
        (struct micro_parameters){.producers = processors, .consumers = processors, .batch = 1, .rate_hz = rates_hz[0]};
    if (processors > 1) {
        micro_add(&one, "latency/%u:%u/rate:%u", processors, processors, rates_hz[0]);
    }
}

void micro_queue_add(const struct micro_queue_bodies *bodies) {
    unsigned processors = micro_processors();
    add_alone(bodies);
    add_ladder(bodies, processors);
    add_lopsided(bodies, processors);
    add_varied(bodies, 1);
    if (processors > 1) {
        add_varied(bodies, processors);
    }
    add_mixtures(bodies, processors);
    add_latencies(bodies, processors);
}
