/* Threads outside the runtime that spawn no-op tasks into it at the same time. After tokio's. */
#include <pthread.h>

#include "bench/workload.h"

enum { TASKS = 12800, THREADS_MAX = 64 };

static struct au64 left;
static unsigned threads; /* how many there are */
static pthread_t ids[THREADS_MAX];
static pthread_barrier_t release; /* of the threads and the main thread */
static struct au32 stop;

static uint64_t tasks_of_a_thread(void) {
    return TASKS / threads;
}

static enum sy_poll no_op_poll(void *future, struct sy_context *cx) {
    (void)future;
    (void)cx;
    if (au64_fetch_sub_acq_rel(&left, 1) == 1) {
        sem_post(&workload_done);
    }
    return SY_READY;
}

static const struct sy_future_type no_op_type = {"no_op", 0, no_op_poll, NULL};

static void *spawner_main(void *argument) {
    struct sy_runtime *runtime = argument;
    for (;;) {
        pthread_barrier_wait(&release);
        if (au32_load_relaxed(&stop)) { /* the barrier hands it over */
            return NULL;
        }
        for (uint64_t i = 0; i < tasks_of_a_thread(); i++) {
            workload_spawn(runtime, &no_op_type, NULL, NULL);
        }
    }
}

static void start(struct workload_run *run, unsigned n) {
    threads = n;
    int error = pthread_barrier_init(&release, NULL, n + 1);
    for (unsigned i = 0; i < n && !error; i++) {
        error = pthread_create(&ids[i], NULL, spawner_main, run->runtime);
    }
    if (error) {
        workload_die("the threads cannot be started", -error);
    }
}

/* A task that ran twice makes it wrap, perhaps after the main thread has looked; so the next iteration looks too. */
static bool expect_none_left(struct workload_run *run) {
    return workload_expect(run, "tasks left", au64_load_acquire(&left), 0);
}

static bool remote_spawn_iterate(struct workload_run *run) {
    if (!expect_none_left(run)) {
        return false;
    }
    au64_store_relaxed(&left, threads * tasks_of_a_thread()); /* the barrier hands it over */
    pthread_barrier_wait(&release);
    workload_wait();
    return expect_none_left(run);
}

static bool remote_spawn_finish(struct workload_run *run) {
    au32_store_relaxed(&stop, 1);
    pthread_barrier_wait(&release);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    pthread_barrier_destroy(&release);
    return expect_none_left(run);
}

/* A row for each number of threads; it divides TASKS. */
#define REMOTE_SPAWN(n, when)                                                                                          \
    static void remote_spawn_##n##_setup(struct workload_run *run) {                                                   \
        start(run, n);                                                                                                 \
    }                                                                                                                  \
    const struct workload workload_remote_spawn_##n = {                                                                \
        .name = "remote_spawn_" #n,                                                                                    \
        .summary = #n " threads outside the runtime spawn 12,800 no-op tasks together",                                \
        .check = "each task ran once",                                                                                 \
        .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,                                                                      \
        .ops = TASKS,                                                                                                  \
        .effort = when,                                                                                                \
        .setup = remote_spawn_##n##_setup,                                                                             \
        .iterate = remote_spawn_iterate,                                                                               \
        .finish = remote_spawn_finish,                                                                                 \
    };

REMOTE_SPAWN(1, WORKLOAD_WIDE)
REMOTE_SPAWN(2, WORKLOAD_WIDE)
REMOTE_SPAWN(4, WORKLOAD_CORE)
REMOTE_SPAWN(8, WORKLOAD_WIDE)
REMOTE_SPAWN(16, WORKLOAD_WIDE)
REMOTE_SPAWN(32, WORKLOAD_WIDE)
REMOTE_SPAWN(64, WORKLOAD_WIDE)
