/* Rings of five tasks, round each of which goes a token: a task waits for it and wakes the next. After Waterloo's. */
#include <stdlib.h>

#include "bench/workload_tools.h"
#include "executor/sync/semaphore.h"

enum { RING = 5, RINGS_MANY = 100, ROUNDS_MANY = 20, RINGS_FEW = 1, ROUNDS_FEW = 2000 };
enum { HOPS = RINGS_MANY * RING * ROUNDS_MANY }; /* for each worker */

struct place {
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_semaphore token;
};

static struct place *places;
static struct sy_join *joins;

struct partner {
    uint64_t waits; /* the output */
    uint64_t rounds;
    struct sy_semaphore *own;
    struct sy_semaphore *next;
    bool is_last; /* of its ring: its last token is not passed on */
    struct sy_acquire acquire;
};

static enum sy_poll partner_poll(void *future, struct sy_context *cx) {
    struct partner *f = future;
    for (;;) {
        if (sy_acquire_poll(&f->acquire, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        bool is_end = ++f->waits == f->rounds;
        if (!is_end || !f->is_last) {
            sy_semaphore_release(f->next, 1);
        }
        if (is_end) {
            return SY_READY;
        }
        sy_acquire_init(&f->acquire, f->own, 1);
    }
}

static void partner_drop(void *future) {
    struct partner *f = future;
    sy_acquire_drop(&f->acquire);
}

static const struct sy_future_type partner_type = {"partner", sizeof(struct partner), partner_poll, partner_drop};

static void spawn_ring(struct workload_run *run, unsigned first, uint64_t rounds) {
    for (unsigned i = 0; i < RING; i++) {
        struct partner partner = {.rounds = rounds,
                                  .own = &places[first + i].token,
                                  .next = &places[first + (i + 1) % RING].token,
                                  .is_last = i == RING - 1};
        sy_acquire_init(&partner.acquire, partner.own, 1);
        workload_spawn(run->runtime, &partner_type, &partner, &joins[first + i]);
    }
}

static bool go_round(struct workload_run *run, unsigned rings, uint64_t rounds) {
    unsigned n = rings * run->workers * RING;
    for (unsigned i = 0; i < n; i++) {
        sy_semaphore_init(&places[i].token, 0);
    }
    for (unsigned first = 0; first < n; first += RING) {
        spawn_ring(run, first, rounds);
    }
    for (unsigned first = 0; first < n; first += RING) {
        sy_semaphore_release(&places[first].token, 1);
    }
    uint64_t waits = workload_join_sum(joins, n);
    uint64_t tokens = 0;
    for (unsigned i = 0; i < n; i++) {
        tokens += sy_semaphore_available(&places[i].token);
        sy_semaphore_destroy(&places[i].token);
    }
    return workload_expect(run, "hops", waits, n * rounds) && workload_expect(run, "tokens left over", tokens, 0);
}

static void cycle_setup(struct workload_run *run) {
    places = workload_allocate_lines((size_t)run->workers * RINGS_MANY * RING, sizeof *places);
    joins = workload_allocate((size_t)run->workers * RINGS_MANY * RING, sizeof *joins);
}

static bool cycle_many_iterate(struct workload_run *run) {
    return go_round(run, RINGS_MANY, ROUNDS_MANY);
}

static bool cycle_few_iterate(struct workload_run *run) {
    return go_round(run, RINGS_FEW, ROUNDS_FEW);
}

static bool cycle_finish(struct workload_run *run) {
    (void)run;
    free(places);
    free(joins);
    return true;
}

const struct workload workload_cycle_many = {
    .name = "cycle_many",
    .summary = "100 rings of 5 tasks for each worker, round each of which a token goes 20 times",
    .check = "each task had the token as often as it was to, and none is left over",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = HOPS,
    .ops_per_worker = true,
    .effort = WORKLOAD_CORE,
    .setup = cycle_setup,
    .iterate = cycle_many_iterate,
    .finish = cycle_finish,
};

const struct workload workload_cycle_few = {
    .name = "cycle_few",
    .summary = "a ring of 5 tasks for each worker, round each of which a token goes 2,000 times",
    .check = "each task had the token as often as it was to, and none is left over",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = HOPS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = cycle_setup,
    .iterate = cycle_few_iterate,
    .finish = cycle_finish,
};
