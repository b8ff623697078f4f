/*
 * The queens that attack no other on a board of n × n: all placements are tried, row by row, a task for each queen that
 * may stand where it is, no cut-off.
 */
#include "bench/workload_tools.h"

enum { QUEENS = 10, SOLUTIONS = 724, PLACEMENTS = 35538 };
enum { QUEENS_LONG = 14, SOLUTIONS_LONG = 365596, PLACEMENTS_LONG = 27358552 };

static uint32_t board; /* a bit for each column */

/* A queen, or none: the root. Bit masks of the next row's columns that those above attack. */
struct queen {
    uint64_t solutions; /* the output */
    uint32_t columns;
    uint32_t left;  /* along the diagonals to the left */
    uint32_t right; /* and to the right */
    struct workload_children next;
    struct sy_join joins[QUEENS_LONG];
};

static enum sy_poll queen_poll(void *future, struct sy_context *cx);
static void queen_drop(void *future);

static const struct sy_future_type queen_type = {"queen", sizeof(struct queen), queen_poll, queen_drop};

static void queen_spawn_next(struct queen *f, struct sy_context *cx) {
    uint32_t free = board & ~(f->columns | f->left | f->right);
    for (; free; free &= free - 1) {
        uint32_t column = free & -free;
        struct queen next = {
            .columns = f->columns | column, .left = (f->left | column) << 1, .right = (f->right | column) >> 1};
        workload_child_spawn(&f->next, f->joins, cx, &queen_type, &next);
    }
}

static enum sy_poll queen_poll(void *future, struct sy_context *cx) {
    struct queen *f = future;
    if (f->columns == board) {
        f->solutions = 1;
        return SY_READY;
    }
    if (f->next.spawned == 0) {
        queen_spawn_next(f, cx);
    }
    return workload_children_poll(&f->next, f->joins, cx, &f->solutions);
}

static void queen_drop(void *future) {
    struct queen *f = future;
    workload_children_drop(&f->next, f->joins);
}

static bool place(struct workload_run *run, unsigned queens, uint64_t solutions) {
    board = (1u << queens) - 1;
    uint64_t found = workload_run_task(run->runtime, &queen_type, &(struct queen){0});
    return workload_expect(run, "solutions", found, solutions);
}

static bool nqueens_iterate(struct workload_run *run) {
    return place(run, QUEENS, SOLUTIONS);
}

static bool nqueens_14_iterate(struct workload_run *run) {
    return place(run, QUEENS_LONG, SOLUTIONS_LONG);
}

const struct workload workload_nqueens = {
    .name = "nqueens",
    .summary = "10 queens, a task for each placement of one, no cut-off",
    .check = "there are 724 solutions",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = PLACEMENTS,
    .effort = WORKLOAD_CORE,
    .iterate = nqueens_iterate,
};

const struct workload workload_nqueens_14 = {
    .name = "nqueens_14",
    .summary = "14 queens, a task for each placement of one, no cut-off",
    .check = "there are 365596 solutions",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = PLACEMENTS_LONG,
    .effort = WORKLOAD_LONG,
    .iterate = nqueens_14_iterate,
};
