/* A chain: each task spawns the next and ends. */
#include "bench/workload.h"

enum { DEPTH = 1000 };

static uint64_t length; /* of the chain that ended last; handed over by the post */

struct chain_link {
    uint64_t before; /* links before this one */
};

static enum sy_poll chain_link_poll(void *future, struct sy_context *cx);

static const struct sy_future_type chain_link_type = {"chain_link", sizeof(struct chain_link), chain_link_poll, NULL};

static enum sy_poll chain_link_poll(void *future, struct sy_context *cx) {
    const struct chain_link *f = future;
    if (f->before == DEPTH) {
        length = f->before;
        sem_post(&workload_done);
    } else {
        workload_spawn(cx->runtime, &chain_link_type, &(struct chain_link){f->before + 1}, NULL);
    }
    return SY_READY;
}

static bool chained_spawn_iterate(struct workload_run *run) {
    length = 0;
    workload_spawn(run->runtime, &chain_link_type, &(struct chain_link){0}, NULL);
    workload_wait();
    return workload_expect(run, "links", length, DEPTH);
}

const struct workload workload_chained_spawn = {
    .name = "chained_spawn",
    .summary = "a chain of 1,000 tasks, each spawned by the one before",
    .check = "the chain had its whole length",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = DEPTH,
    .iterate = chained_spawn_iterate,
};
