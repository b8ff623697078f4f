/*
 * Unbalanced Tree Search: counts the nodes of a tree whose shape only shows as it is walked, a task for each node. The
 * trees T1 and T3 of Olivier et al., "UTS: An Unbalanced Tree Search Benchmark", LCPC 2006, whose sizes are published;
 * WORKLOADS.md has the definition.
 */
#include <math.h>
#include <nettle/sha1.h>
#include <stdlib.h>

#include "bench/workload_tools.h"

enum { T1_NODES = 4130071, T1_BRANCHES = 4, T1_DEPTH = 10, T1_CHILDREN_MAX = 100, T1_SEED = 19 };
enum { T3_NODES = 4112897, T3_ROOT_CHILDREN = 2000, T3_CHILDREN = 8, T3_SEED = 42 };
static const double T3_SHARE = 0.124875; /* of the nodes that have children */

/* What the tree is: how many children a node has. */
struct node;
static unsigned (*count_children)(const struct node *node);

struct node {
    uint64_t nodes; /* the output: below it, and itself */
    struct workload_children children;
    struct sy_join *joins; /* NULL before the first poll, and if there are none */
    unsigned depth;
    uint8_t state[SHA1_DIGEST_SIZE];
};

static enum sy_poll node_poll(void *future, struct sy_context *cx);
static void node_drop(void *future);

static const struct sy_future_type node_type = {"node", sizeof(struct node), node_poll, node_drop};

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void update_number(struct sha1_ctx *sha, unsigned number) {
    uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    sha1_update(sha, sizeof bytes, bytes);
}

/* From 0 to less than 1. */
static double node_random(const struct node *node) {
    return (big_endian(node->state + SHA1_DIGEST_SIZE - 4) & 0x7FFFFFFF) / 2147483648.0;
}

static unsigned t1_children(const struct node *node) {
    if (node->depth >= T1_DEPTH) {
        return 0;
    }
    double children = floor(log(1 - node_random(node)) / log(1 - 1.0 / (1 + T1_BRANCHES)));
    return children < T1_CHILDREN_MAX ? (unsigned)children : T1_CHILDREN_MAX;
}

static unsigned t3_children(const struct node *node) {
    if (node->depth == 0) {
        return T3_ROOT_CHILDREN;
    }
    return node_random(node) < T3_SHARE ? T3_CHILDREN : 0;
}

static struct node root(unsigned seed) {
    static const uint8_t zeros[16];
    struct node node = {.depth = 0};
    struct sha1_ctx sha;
    sha1_init(&sha);
    sha1_update(&sha, sizeof zeros, zeros);
    update_number(&sha, seed);
    sha1_digest(&sha, sizeof node.state, node.state);
    return node;
}

static struct node child(const struct node *parent, unsigned number) {
    struct node node = {.depth = parent->depth + 1};
    struct sha1_ctx sha;
    sha1_init(&sha);
    sha1_update(&sha, sizeof parent->state, parent->state);
    update_number(&sha, number);
    sha1_digest(&sha, sizeof node.state, node.state);
    return node;
}

static void node_spawn_children(struct node *f, unsigned n, struct sy_context *cx) {
    f->joins = workload_allocate(n, sizeof *f->joins);
    for (unsigned i = 0; i < n; i++) {
        struct node next = child(f, i);
        workload_child_spawn(&f->children, f->joins, cx, &node_type, &next);
    }
}

static enum sy_poll node_poll(void *future, struct sy_context *cx) {
    struct node *f = future;
    if (!f->joins) {
        unsigned n = count_children(f);
        f->nodes = 1;
        if (n > 0) {
            node_spawn_children(f, n, cx);
        }
    }
    return workload_children_poll(&f->children, f->joins, cx, &f->nodes);
}

static void node_drop(void *future) {
    struct node *f = future;
    workload_children_drop(&f->children, f->joins);
    free(f->joins);
}

static bool uts_t1_iterate(struct workload_run *run) {
    struct node tree = root(T1_SEED);
    count_children = t1_children;
    return workload_expect(run, "nodes", workload_run_task(run->runtime, &node_type, &tree), T1_NODES);
}

static bool uts_t3_iterate(struct workload_run *run) {
    struct node tree = root(T3_SEED);
    count_children = t3_children;
    return workload_expect(run, "nodes", workload_run_task(run->runtime, &node_type, &tree), T3_NODES);
}

const struct workload workload_uts_t1 = {
    .name = "uts_t1",
    .summary = "the nodes of UTS's tree T1 (geometric, depth 10) are counted, a task for each",
    .check = "there are 4130071",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = T1_NODES,
    .effort = WORKLOAD_WIDE,
    .iterate = uts_t1_iterate,
};

const struct workload workload_uts_t3 = {
    .name = "uts_t3",
    .summary = "the nodes of UTS's tree T3 (binomial) are counted, a task for each",
    .check = "there are 4112897",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = T3_NODES,
    .effort = WORKLOAD_WIDE,
    .iterate = uts_t3_iterate,
};
