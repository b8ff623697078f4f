/*
 * One worker, on which a task spins and yields for ever beside two that send each other a message: how long does a woken
 * task wait behind one that is always ready? After Go's benchmark, whose hog never yields but is preempted.
 */
#include "bench/workload_partners.h"
#include "bench/workload_tools.h"

enum { ROUNDS = 1000, HOG_NS = 10000 };

static struct au64 turns; /* of the hog */
static struct au32 stop;

static enum sy_poll hog_poll(void *future, struct sy_context *cx) {
    (void)future;
    if (au32_load_relaxed(&stop)) {
        sem_post(&workload_done);
        return SY_READY;
    }
    au64_fetch_add_relaxed(&turns, 1);
    workload_spin(HOG_NS);
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type hog_type = {"hog", sizeof(char), hog_poll, NULL};

static void ping_pong_hog_setup(struct workload_run *run) {
    workload_spawn(run->runtime, &hog_type, "", NULL);
}

static bool ping_pong_hog_iterate(struct workload_run *run) {
    uint64_t before = au64_load_relaxed(&turns);
    return workload_partners_run(run, &(struct workload_partners){.rounds = ROUNDS}) &&
           (au64_load_relaxed(&turns) > before || workload_fail(run, "the hog had no turn"));
}

static bool ping_pong_hog_finish(struct workload_run *run) {
    (void)run;
    au32_store_relaxed(&stop, 1);
    workload_wait();
    return true;
}

const struct workload workload_ping_pong_hog = {
    .name = "ping_pong_hog",
    .summary = "one worker: two tasks send each other a message 1,000 times, beside one that spins 10 us and yields",
    .check = "each message arrived, and the other task had turns",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,
    .ops = ROUNDS,
    .workers = 1,
    .effort = WORKLOAD_WIDE,
    .setup = ping_pong_hog_setup,
    .iterate = ping_pong_hog_iterate,
    .finish = ping_pong_hog_finish,
};
