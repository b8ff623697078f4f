/*
 * Bouncing producer-consumer: a producer spawns the next producer, then its consumers, whose work is short; so the
 * producer moves from worker to worker as thieves take the oldest task. Source: Dinan et al., "Scalable work stealing",
 * SC 2009; with the parameters of weave.
 */
#include <stdlib.h>

#include "bench/workload_tools.h"

enum { PRODUCERS = 1000, CONSUMERS = 9, WORK_NS = 1000 };
enum { PRODUCERS_LONG = 10000, CONSUMERS_LONG = 999 };

static unsigned consumers; /* of each producer */

struct consumer {
    uint64_t output;
};

static enum sy_poll consumer_poll(void *future, struct sy_context *cx) {
    struct consumer *f = future;
    (void)cx;
    workload_spin(WORK_NS);
    f->output = 1;
    return SY_READY;
}

static const struct sy_future_type consumer_type = {"consumer", sizeof(struct consumer), consumer_poll, NULL};

struct producer {
    uint64_t ran;   /* the output: consumers, those of the producers after it included */
    uint64_t after; /* producers that are to come after it */
    struct workload_children next;
    struct workload_children consumers;
    struct sy_join next_join;
    struct sy_join *joins; /* the consumers'; NULL before the first poll */
};

static enum sy_poll producer_poll(void *future, struct sy_context *cx);
static void producer_drop(void *future);

static const struct sy_future_type producer_type = {"producer", sizeof(struct producer), producer_poll, producer_drop};

static void producer_produce(struct producer *f, struct sy_context *cx) {
    f->joins = workload_allocate(consumers, sizeof *f->joins);
    if (f->after > 0) {
        workload_child_spawn(&f->next, &f->next_join, cx, &producer_type, &(struct producer){.after = f->after - 1});
    }
    for (unsigned i = 0; i < consumers; i++) {
        workload_child_spawn(&f->consumers, f->joins, cx, &consumer_type, &(struct consumer){0});
    }
}

static enum sy_poll producer_poll(void *future, struct sy_context *cx) {
    struct producer *f = future;
    if (!f->joins) {
        producer_produce(f, cx);
    }
    /* The next producer comes last: it ends when all is done, and the consumers' memory is not to be kept until then. */
    if (workload_children_poll(&f->consumers, f->joins, cx, &f->ran) == SY_PENDING) {
        return SY_PENDING;
    }
    return workload_children_poll(&f->next, &f->next_join, cx, &f->ran);
}

static void producer_drop(void *future) {
    struct producer *f = future;
    workload_children_drop(&f->consumers, f->joins);
    workload_children_drop(&f->next, &f->next_join);
    free(f->joins);
}

static bool produce(struct workload_run *run, uint64_t producers, unsigned each) {
    consumers = each;
    uint64_t ran = workload_run_task(run->runtime, &producer_type, &(struct producer){.after = producers - 1});
    return workload_expect(run, "consumers run", ran, producers * each);
}

static bool bpc_iterate(struct workload_run *run) {
    return produce(run, PRODUCERS, CONSUMERS);
}

static bool bpc_10000_iterate(struct workload_run *run) {
    return produce(run, PRODUCERS_LONG, CONSUMERS_LONG);
}

const struct workload workload_bpc = {
    .name = "bpc",
    .summary = "1,000 producers that each spawn the next one and 9 consumers of 1 us",
    .check = "each of the 9,000 consumers ran",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = PRODUCERS * (CONSUMERS + 1),
    .effort = WORKLOAD_CORE,
    .iterate = bpc_iterate,
};

const struct workload workload_bpc_10000 = {
    .name = "bpc_10000",
    .summary = "10,000 producers that each spawn the next one and 999 consumers of 1 us",
    .check = "each of the 9,990,000 consumers ran",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = PRODUCERS_LONG * (CONSUMERS_LONG + 1),
    .effort = WORKLOAD_LONG,
    .iterate = bpc_10000_iterate,
};
