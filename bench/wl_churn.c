/*
 * Tasks that wake and wait at random: a task picks a spot, wakes whoever waits there and waits there itself. Each spot
 * has one that waits at all times, so each turn blocks one task and wakes another. After Waterloo's.
 */
#include <stdlib.h>

#include "bench/workload_tools.h"
#include "executor/sync/semaphore.h"

enum { TASKS_MANY = 100, TASKS_FEW = 4, TURNS = 5000, LOT = 5 }; /* for each worker, but LOT */

struct spot {
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_semaphore semaphore;
};

static struct spot *spots;
static struct sy_join *joins;
static unsigned n_spots;
static uint64_t lots;
static SY_ALIGNAS(SY_CACHE_LINE) struct au64 drawn; /* lots; relaxed, only the numbers matter */

struct churner {
    uint64_t turns; /* the output */
    uint64_t left;  /* turns of the lot that was drawn last */
    uint64_t random;
    bool waiting;
    struct sy_acquire acquire;
};

/* The right to LOT more turns. The one who finds that there are none left lets everybody out, once and for all. */
static bool churner_draw(struct churner *f) {
    uint64_t lot = au64_fetch_add_relaxed(&drawn, 1);
    if (lot < lots) {
        f->left = LOT;
        return true;
    }
    for (unsigned i = 0; lot == lots && i < n_spots; i++) {
        sy_semaphore_release(&spots[i].semaphore, 1);
    }
    return false;
}

static void churner_wait(struct churner *f, unsigned spot) {
    sy_acquire_init(&f->acquire, &spots[spot].semaphore, 1);
    f->waiting = true;
}

static enum sy_poll churner_poll(void *future, struct sy_context *cx) {
    struct churner *f = future;
    for (;;) {
        if (f->waiting && sy_acquire_poll(&f->acquire, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->waiting = false;
        if (f->left == 0 && !churner_draw(f)) {
            return SY_READY;
        }
        unsigned spot = (unsigned)(workload_random_next(&f->random) % n_spots);
        f->left--;
        f->turns++;
        sy_semaphore_release(&spots[spot].semaphore, 1);
        churner_wait(f, spot);
    }
}

static void churner_drop(void *future) {
    struct churner *f = future;
    if (f->waiting) {
        sy_acquire_drop(&f->acquire);
    }
}

static const struct sy_future_type churner_type = {"churner", sizeof(struct churner), churner_poll, churner_drop};

static bool churn(struct workload_run *run, unsigned tasks) {
    n_spots = tasks / 2;
    lots = (uint64_t)run->workers * (TURNS / LOT);
    au64_store_relaxed(&drawn, 0);
    for (unsigned i = 0; i < n_spots; i++) {
        sy_semaphore_init(&spots[i].semaphore, 0);
    }
    for (unsigned i = 0; i < tasks; i++) {
        struct churner churner = {.random = workload_random_start(run, i)};
        if (i < n_spots) {
            churner_wait(&churner, i);
        }
        workload_spawn(run->runtime, &churner_type, &churner, &joins[i]);
    }
    uint64_t turns = workload_join_sum(joins, tasks);
    uint64_t posts = 0;
    for (unsigned i = 0; i < n_spots; i++) {
        posts += sy_semaphore_available(&spots[i].semaphore);
        sy_semaphore_destroy(&spots[i].semaphore);
    }
    return workload_expect(run, "turns", turns, lots * LOT) && workload_expect(run, "posts left over", posts, 0);
}

static void churn_setup(struct workload_run *run) {
    spots = workload_allocate_lines((size_t)run->workers * TASKS_MANY / 2, sizeof *spots);
    joins = workload_allocate((size_t)run->workers * TASKS_MANY, sizeof *joins);
}

static bool churn_many_iterate(struct workload_run *run) {
    return churn(run, run->workers * TASKS_MANY);
}

static bool churn_few_iterate(struct workload_run *run) {
    return churn(run, run->workers * TASKS_FEW);
}

static bool churn_finish(struct workload_run *run) {
    (void)run;
    free(spots);
    free(joins);
    return true;
}

const struct workload workload_churn_many = {
    .name = "churn_many",
    .summary = "100 tasks for each worker, each of which wakes a random other one and waits in its place",
    .check = "all turns were taken, each post woke one task, and all tasks came to their ends",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TURNS,
    .ops_per_worker = true,
    .effort = WORKLOAD_CORE,
    .setup = churn_setup,
    .iterate = churn_many_iterate,
    .finish = churn_finish,
};

const struct workload workload_churn_few = {
    .name = "churn_few",
    .summary = "4 tasks for each worker, each of which wakes a random other one and waits in its place",
    .check = "all turns were taken, each post woke one task, and all tasks came to their ends",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TURNS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = churn_setup,
    .iterate = churn_few_iterate,
    .finish = churn_finish,
};
