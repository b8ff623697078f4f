/* Skynet (https://github.com/atemerev/skynet): a tree of tasks, ten children each, whose leaves are summed up. */
#include "bench/workload.h"

enum { CHILDREN = 10, LEAVES = 1000000, NODES = 1111111 };
static const uint64_t SUM = 499999500000;

struct node {
    uint64_t first;  /* the number of the leftmost leaf below */
    uint64_t leaves; /* below */
    uint64_t sum;    /* the output */
    unsigned spawned;
    unsigned joined;
    struct sy_join children[CHILDREN];
};

static enum sy_poll node_poll(void *future, struct sy_context *cx);
static void node_drop(void *future);

static const struct sy_future_type node_type = {"node", sizeof(struct node), node_poll, node_drop};

static void node_spawn_children(struct node *f, struct sy_context *cx) {
    uint64_t below = f->leaves / CHILDREN;
    for (; f->spawned < CHILDREN; f->spawned++) {
        struct node child = {.first = f->first + f->spawned * below, .leaves = below};
        workload_spawn(cx->runtime, &node_type, &child, &f->children[f->spawned]);
    }
}

static enum sy_poll node_poll(void *future, struct sy_context *cx) {
    struct node *f = future;
    if (f->leaves == 1) {
        f->sum = f->first;
        return SY_READY;
    }
    node_spawn_children(f, cx);
    for (; f->joined < CHILDREN; f->joined++) {
        struct sy_outcome outcome;
        if (sy_join_poll(&f->children[f->joined], cx, &outcome) == SY_PENDING) {
            return SY_PENDING;
        }
        if (!outcome.cancelled) {
            f->sum += ((const struct node *)outcome.future)->sum;
        }
        sy_join_drop(&f->children[f->joined]);
    }
    return SY_READY;
}

static void node_drop(void *future) {
    struct node *f = future;
    for (; f->joined < f->spawned; f->joined++) {
        sy_join_drop(&f->children[f->joined]);
    }
}

static bool skynet_iterate(struct workload_run *run) {
    struct sy_join root;
    struct sy_outcome outcome;
    workload_spawn(run->runtime, &node_type, &(struct node){.leaves = LEAVES}, &root);
    sy_join_wait(&root, &outcome);
    uint64_t sum = outcome.cancelled ? 0 : ((const struct node *)outcome.future)->sum;
    sy_join_drop(&root);
    return workload_expect(run, "sum", sum, SUM);
}

const struct workload workload_skynet = {
    .name = "skynet",
    .summary = "a tree of tasks with ten children each and 1,000,000 leaves, whose numbers are summed up",
    .check = "the sum is 499999500000",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = NODES,
    .iterate = skynet_iterate,
};
