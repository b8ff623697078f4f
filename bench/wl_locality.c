/*
 * Tasks that work on a block of memory, wake a random other one and wait in its place, with or without handing the block
 * on. With share the block that was just worked on is what the woken task works on next, so it pays to run that task on
 * the same processor. After Waterloo's.
 *
 *   [1] seat: taken over with a compare and swap, or closed with an exchange, both acq_rel. Pairs with itself: who takes
 *       a sitter out sees his place as he left it, and is the only one to write there. The semaphore orders the rest.
 */
#include <stdlib.h>

#include "bench/workload_tools.h"
#include "executor/sync/semaphore.h"

enum { TASKS = 100, TURNS = 5000, LOT = 5, WORDS = 512 }; /* the first two for each worker */

struct seat {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 sitter; /* its number, or CLOSED [1] */
};
static const uint64_t CLOSED = UINT64_MAX;

/* Of a task; the block is written by whoever wakes it. */
struct place {
    SY_ALIGNAS(SY_CACHE_LINE) struct sy_semaphore semaphore;
    uint64_t *block;
};

static struct seat *seats;
static struct place *places;
static uint64_t (*blocks)[WORDS];
static struct sy_join *joins;
static uint64_t tasks;
static uint64_t n_seats; /* half as many */
static uint64_t lots;
static bool share;
static SY_ALIGNAS(SY_CACHE_LINE) struct au64 drawn; /* lots; relaxed, only the numbers matter */

struct visitor {
    uint64_t turns; /* the output */
    uint64_t number;
    uint64_t left; /* turns of the lot that was drawn last */
    uint64_t random;
    bool waiting;
    struct sy_acquire acquire;
};

static void wake(uint64_t sitter, uint64_t *block) {
    if (share) {
        places[sitter].block = block;
    }
    sy_semaphore_release(&places[sitter].semaphore, 1);
}

static void visitor_wait(struct visitor *f) {
    sy_acquire_init(&f->acquire, &places[f->number].semaphore, 1);
    f->waiting = true;
}

static void visitor_sit_down(struct visitor *f, struct seat *seat) {
    uint64_t *block = places[f->number].block; /* once seated, another may give us one */
    uint64_t before = au64_load_relaxed(&seat->sitter);
    do {
        if (before == CLOSED) {
            return;
        }
    } while (!au64_cas_acq_rel(&seat->sitter, &before, f->number)); /* [1] */
    wake(before, block);
    visitor_wait(f);
}

/* The right to LOT more turns. The one who finds that there are none left closes all seats. */
static bool visitor_draw(struct visitor *f) {
    uint64_t lot = au64_fetch_add_relaxed(&drawn, 1);
    if (lot < lots) {
        f->left = LOT;
        return true;
    }
    for (uint64_t i = 0; lot == lots && i < n_seats; i++) {
        wake(au64_exchange_acq_rel(&seats[i].sitter, CLOSED), blocks[i]); /* [1] */
    }
    return false;
}

static void visitor_take_turn(struct visitor *f) {
    uint64_t *block = places[f->number].block;
    for (unsigned i = 0; i < WORDS; i++) {
        block[i]++;
    }
    f->left--;
    f->turns++;
    visitor_sit_down(f, &seats[workload_random_next(&f->random) % n_seats]);
}

static enum sy_poll visitor_poll(void *future, struct sy_context *cx) {
    struct visitor *f = future;
    for (;;) {
        if (f->waiting && sy_acquire_poll(&f->acquire, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->waiting = false;
        if (f->left == 0 && !visitor_draw(f)) {
            return SY_READY;
        }
        visitor_take_turn(f);
    }
}

static void visitor_drop(void *future) {
    struct visitor *f = future;
    if (f->waiting) {
        sy_acquire_drop(&f->acquire);
    }
}

static const struct sy_future_type visitor_type = {"visitor", sizeof(struct visitor), visitor_poll, visitor_drop};

/* ---- the workload ---- */

static void locality_setup(struct workload_run *run) {
    tasks = (uint64_t)run->workers * TASKS;
    n_seats = tasks / 2;
    lots = (uint64_t)run->workers * (TURNS / LOT);
    seats = workload_allocate_lines(n_seats, sizeof *seats);
    places = workload_allocate_lines(tasks, sizeof *places);
    blocks = workload_allocate_lines(tasks, sizeof *blocks);
    joins = workload_allocate(tasks, sizeof *joins);
}

/* The first half of the tasks sit already when the others come. */
static void spawn_visitors(struct workload_run *run) {
    for (uint64_t i = 0; i < tasks; i++) {
        sy_semaphore_init(&places[i].semaphore, 0);
        places[i].block = blocks[i];
    }
    for (uint64_t i = 0; i < n_seats; i++) {
        au64_store_relaxed(&seats[i].sitter, i);
    }
    for (uint64_t i = 0; i < tasks; i++) {
        struct visitor visitor = {.number = i, .random = workload_random_start(run, i)};
        if (i < n_seats) {
            visitor_wait(&visitor);
        }
        workload_spawn(run->runtime, &visitor_type, &visitor, &joins[i]);
    }
}

/* What the blocks have grown to since the start of the process. */
static uint64_t sum_of_words(void) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < tasks; i++) {
        for (unsigned k = 0; k < WORDS; k++) {
            sum += blocks[i][k];
        }
    }
    return sum;
}

static bool visit(struct workload_run *run, bool is_shared) {
    static uint64_t turns; /* since the start of the process */
    share = is_shared;
    au64_store_relaxed(&drawn, 0);
    spawn_visitors(run);
    uint64_t taken = workload_join_sum(joins, tasks);
    turns += taken;
    uint64_t posts = 0;
    for (uint64_t i = 0; i < tasks; i++) {
        posts += sy_semaphore_available(&places[i].semaphore);
        sy_semaphore_destroy(&places[i].semaphore);
    }
    return workload_expect(run, "turns", taken, lots * LOT) && workload_expect(run, "posts left over", posts, 0) &&
           workload_expect(run, "sum of the words", sum_of_words(), turns * WORDS);
}

static bool locality_share_iterate(struct workload_run *run) {
    return visit(run, true);
}

static bool locality_noshare_iterate(struct workload_run *run) {
    return visit(run, false);
}

static bool locality_finish(struct workload_run *run) {
    (void)run;
    free(seats);
    free(places);
    free(blocks);
    free(joins);
    return true;
}

const struct workload workload_locality_share = {
    .name = "locality_share",
    .summary = "as churn_many, but a task works on a block of 4 KiB first and hands it to the one it wakes",
    .check = "all turns were taken, and each added 1 to each word of a block",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TURNS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = locality_setup,
    .iterate = locality_share_iterate,
    .finish = locality_finish,
};

const struct workload workload_locality_noshare = {
    .name = "locality_noshare",
    .summary = "as churn_many, but a task works on a block of 4 KiB first, its own",
    .check = "all turns were taken, and each added 1 to each word of a block",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = TURNS,
    .ops_per_worker = true,
    .effort = WORKLOAD_WIDE,
    .setup = locality_setup,
    .iterate = locality_noshare_iterate,
    .finish = locality_finish,
};
