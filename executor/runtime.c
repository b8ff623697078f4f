/*
 * The life of a runtime.
 *
 * Shutdown, in order:
 *   1. `closed` is set: spawns are refused from now on; those from outside that came before are waited for (task.c, G1)
 *   2. every worker is woken and leaves its loop after the poll that it is in. Its thread stays until 4 is done: what a
 *      thread handed over that has exited, a kernel that carries operations out may answer late, one after the other
 *   3. every queue is drained: its tasks' futures are dropped, their joiners see them cancelled
 *   4. every other task, one that waits for a wake-up, is found through owned.h and dropped as well. A task that
 *      somebody is about to queue (NOTIFIED and in no queue yet) is waited for, as are wakers that are still busy
 *      telling workers (PUSHERS). The tasks whose memory others hold lose their slots: nothing of theirs refers to the
 *      runtime any more
 *   5. the blocking pool is closed: jobs not begun are dropped, running ones waited for, threads joined. Last, because
 *      a job may wait for a task; and it may wait for a timer or a socket, so this thread attends the reactor meanwhile
 *
 * The thread that shuts down may be another runtime's worker. It is offline (reclaim.h) meanwhile: what it waits for, a
 * poll, a job or another thread's shutdown, may wait for a grace period itself. What drops wake and spawn on it is put
 * where a worker puts it that waits in the reactor.
 *
 * Only the thread that shuts down drops futures then, outside of any lock but the shutdown's own: a waker or spawner on
 * another thread may hold a lock that a drop wants.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/runtime.h"
#include "executor/task_state.h"

SY_THREAD_LOCAL struct worker *worker_current __attribute__((tls_model("initial-exec")));

/* The runtime that the calling thread is shutting down: a drop must not shut it down again. */
static SY_THREAD_LOCAL struct sy_runtime *ending __attribute__((tls_model("initial-exec")));

#define CORE_TUNED_NS 200000.0  /* a tuned worker looks at the global queue about this often, */
#define CORE_TUNED_MIN 2u       /* but not more often than this many ticks, */
#define CORE_TUNED_MAX 127u     /* nor less */
#define CORE_TUNED_WEIGHT 0.1   /* of a new measurement in the mean */
#define CORE_LOOK_NS 50000u     /* a busy worker looks at the reactor about this often, or after its interval, */
#define CORE_LATELY_NS 1000000u /* by the length of its ticks in about so much time */

void worker_tune(struct worker *worker) {
    if (worker->runtime->config.global_interval != 0) {
        return;
    }
    uint64_t now_ns = sy_now_ns();
    double tick_ns = (double)(now_ns - worker->tuned_at_ns) / worker->global_interval;
    worker->tuned_at_ns = now_ns;
    worker->tick_ns += CORE_TUNED_WEIGHT * (tick_ns - worker->tick_ns);
    double ticks = worker->tick_ns > 0 ? CORE_TUNED_NS / worker->tick_ns : CORE_TUNED_MAX;
    unsigned tuned = ticks < CORE_TUNED_MIN   ? CORE_TUNED_MIN
                     : ticks > CORE_TUNED_MAX ? CORE_TUNED_MAX
                                              : (unsigned)ticks;
    if (tuned > worker->global_interval + 2 || tuned + 2 < worker->global_interval) {
        worker->global_interval = tuned;
    }
}

void worker_set_next_look(struct worker *worker) {
    uint64_t now_ns = sy_now_ns();
    uint64_t awake_ns = au64_load_relaxed(&worker->busy_since_ns);
    worker->lately_ns += now_ns - (worker->looked_at_ns > awake_ns ? worker->looked_at_ns : awake_ns);
    worker->lately_ticks += worker->reactor_interval;
    worker->looked_at_ns = now_ns;
    uint64_t ticks = worker->lately_ticks * CORE_LOOK_NS / (worker->lately_ns + 1);
    unsigned most = worker->runtime->config.reactor_interval;
    worker->reactor_interval = ticks < 1 ? 1 : ticks > most ? most : (unsigned)ticks;
    worker->until_reactor = worker->reactor_interval;
    if (worker->lately_ns > CORE_LATELY_NS) {
        worker->lately_ns /= 2;
        worker->lately_ticks /= 2;
    }
}

void runtime_notify(struct sy_runtime *runtime, struct worker *by) {
    uint32_t index = idle_claim(&runtime->idle);
    if (index == IDLE_NOBODY) {
        return;
    }
    if (by) {
        counter_add(&by->counters.wakes, 1);
    } else {
        au64_fetch_add_relaxed(&runtime->outside_wakes, 1);
    }
    if (event_set(&runtime->workers[index].event) == EVENT_POLLING) {
        driver_wake(&runtime->driver, index);
    }
}

/* ---- the workers ---- */

static void pin_to_processor(const struct worker *worker) {
#if defined(__linux__)
    cpu_set_t may;
    if (!worker->runtime->config.pin || sched_getaffinity(0, sizeof may, &may) != 0) {
        return;
    }
    unsigned nth = worker->index % (unsigned)CPU_COUNT(&may);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &may) && nth-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
    }
#else
    (void)worker; /* macOS and the BSDs have no portable way */
#endif
}

static void name_thread(const struct worker *worker) {
#if defined(__linux__)
    char name[16];
    snprintf(name, sizeof name, "%.9s-%u", worker->runtime->thread_name, worker->index);
    pthread_setname_np(pthread_self(), name);
#else
    (void)worker;
#endif
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct sy_runtime *runtime = worker->runtime;
    name_thread(worker);
    pin_to_processor(worker);
    worker->start_error = driver_attach(&runtime->driver, worker->index);
    bool attached = worker->start_error == 0;
    event_set(&worker->started_up);
    if (!attached) {
        return NULL;
    }
    reclaim_attach();
    worker_current = worker;
    worker->tuned_at_ns = sy_now_ns();
    au64_store_relaxed(&worker->busy_since_ns, worker->tuned_at_ns);
    runtime->combo->run(worker);
    worker_count_busy(worker);
    worker_current = NULL;
    reclaim_detach();
    driver_detach(&runtime->driver);
    event_set(&worker->left);
    event_wait(&worker->may_end, -1);
    return NULL;
}

static uint64_t mix(uint64_t x) { /* splitmix64's finaliser: neighbouring seeds give unrelated orders */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) | 1;
}

static int worker_create(struct sy_runtime *runtime, uint32_t index) {
    struct worker *worker = &runtime->workers[index];
    const struct sy_config *config = &runtime->config;
    worker->runtime = runtime;
    worker->index = index;
    worker->global_interval = config->global_interval ? config->global_interval : 61;
    worker->until_global = worker->global_interval;
    worker->reactor_interval = config->reactor_interval;
    worker->until_reactor = worker->reactor_interval;
    worker->random = mix(config->seed + index);
    worker->context.waker = (struct sy_waker){&task_waker_vtable, NULL};
    worker->context.runtime = runtime;
    event_init(&worker->event);
    event_init(&worker->started_up);
    event_init(&worker->left);
    event_init(&worker->may_end);
    struct dq_config deque = {.capacity = config->local_capacity, .reclaim = runtime->reclaim};
    return runtime->dq_ops->create(&worker->deque, &deque);
}

static int start_workers(struct sy_runtime *runtime) {
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        struct worker *worker = &runtime->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            return -EAGAIN;
        }
        worker->started = true;
        event_wait(&worker->started_up, -1);
        if (worker->start_error) {
            return worker->start_error;
        }
    }
    return 0;
}

/* Returns when none is in its loop any more. One that could not attach to the reactor never was. */
static void stop_workers(struct sy_runtime *runtime) {
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        if (event_set(&runtime->workers[i].event) == EVENT_POLLING) {
            driver_wake(&runtime->driver, i);
        }
    }
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        if (runtime->workers[i].started && runtime->workers[i].start_error == 0) {
            event_wait(&runtime->workers[i].left, -1);
        }
    }
}

static void join_workers(struct sy_runtime *runtime) {
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        if (runtime->workers[i].started) {
            event_set(&runtime->workers[i].may_end);
            pthread_join(runtime->workers[i].thread, NULL);
            runtime->workers[i].started = false;
        }
    }
}

/* ---- making ---- */

static void copy_config(struct sy_runtime *runtime, const struct sy_config *from) {
    struct sy_config defaults;
    sy_config_init(&defaults);
    struct sy_config *config = &runtime->config;
    *config = *from;
    snprintf(runtime->names[0], sizeof runtime->names[0], "%s",
             from->global_queue ? from->global_queue : defaults.global_queue);
    snprintf(runtime->names[1], sizeof runtime->names[1], "%s",
             from->local_deque ? from->local_deque : defaults.local_deque);
    snprintf(runtime->names[2], sizeof runtime->names[2], "%s", from->reactor ? from->reactor : defaults.reactor);
    snprintf(runtime->names[3], sizeof runtime->names[3], "%s", from->timers ? from->timers : defaults.timers);
    if (from->reactor_fallback) {
        snprintf(runtime->names[4], sizeof runtime->names[4], "%s", from->reactor_fallback);
        config->reactor_fallback = runtime->names[4];
    }
    snprintf(runtime->thread_name, sizeof runtime->thread_name, "%s", from->thread_name ? from->thread_name : "sy");
    config->global_queue = runtime->names[0];
    config->local_deque = runtime->names[1];
    config->reactor = runtime->names[2];
    config->timers = runtime->names[3];
    config->thread_name = runtime->thread_name;
    if (config->workers == 0) {
        config->workers = defaults.workers;
    }
    if (config->searching_max == 0) {
        config->searching_max = config->workers > 1 ? config->workers / 2 : 1;
    }
    if (config->seed == 0) {
        config->seed = sy_now_ns();
    }
}

static int create_queues(struct sy_runtime *runtime) {
    const struct sy_config *config = &runtime->config;
    struct gq_config queue = {
        .capacity = config->global_capacity, .segment = config->global_segment, .workers = config->workers};
    int error = runtime->gq_ops->create(&runtime->global, &queue);
    if (!error && global_may_refuse(runtime->gq_ops)) {
        error = gq_mutex_ops.create(&runtime->overflow, &queue);
    }
    return error;
}

static int create_workers(struct sy_runtime *runtime) {
    int error = 0;
    for (uint32_t i = 0; i < runtime->config.workers && !error; i++) {
        error = worker_create(runtime, i);
    }
    return error;
}

static void destroy_workers(struct sy_runtime *runtime) {
    for (uint32_t i = 0; i < runtime->config.workers; i++) {
        struct worker *worker = &runtime->workers[i];
        if (worker->deque) {
            runtime->dq_ops->destroy(worker->deque);
            event_destroy(&worker->event);
            event_destroy(&worker->started_up);
            event_destroy(&worker->left);
            event_destroy(&worker->may_end);
        }
    }
    free(runtime->workers);
    runtime->workers = NULL;
}

static struct sy_runtime *allocate(const struct sy_config *config) {
    struct sy_runtime *runtime = aligned_alloc(SY_CACHE_LINE, sizeof *runtime);
    if (!runtime) {
        return NULL;
    }
    memset(runtime, 0, sizeof *runtime);
    copy_config(runtime, config);
    size_t size = runtime->config.workers * sizeof *runtime->workers;
    runtime->workers = aligned_alloc(SY_CACHE_LINE, size);
    if (!runtime->workers) {
        free(runtime);
        return NULL;
    }
    memset(runtime->workers, 0, size);
    pthread_mutex_init(&runtime->shutdown_lock, NULL);
    blocking_create(&runtime->blocking);
    return runtime;
}

/*
 * With no thread left. Parts that were never made are told by their zeros. `reclaim` is the deques' and goes after
 * them; a global queue that reclaims has one of its own, which its destroy ends, so the order of these two does not
 * matter.
 */
static void free_runtime(struct sy_runtime *runtime) {
    destroy_workers(runtime);
    if (runtime->driver.ops && runtime->driver.rx) {
        driver_destroy(&runtime->driver);
    }
    if (runtime->reclaim) {
        reclaim_destroy(runtime->reclaim);
    }
    if (runtime->global) {
        runtime->gq_ops->destroy(runtime->global);
    }
    if (runtime->overflow) {
        gq_mutex_ops.destroy(runtime->overflow);
    }
    if (runtime->idle.parked) {
        idle_destroy(&runtime->idle);
    }
    if (runtime->owned.chunks) {
        owned_destroy(&runtime->owned);
    }
    blocking_destroy(&runtime->blocking);
    pthread_mutex_destroy(&runtime->shutdown_lock);
    free(runtime);
}

/* The driver with the reactor that was asked for or, where that does not work and one is named, with its fallback. */
static int create_driver(struct sy_runtime *runtime) {
    struct sy_config *config = &runtime->config;
    struct rx_config reactor = {
        .batch = config->reactor_batch, .slots = config->workers, .speculative = config->speculative_io};
    int error = driver_create(&runtime->driver, config->reactor, &reactor, config->timers);
    if (error != -ENOTSUP || !config->reactor_fallback) {
        return error;
    }
    error = driver_create(&runtime->driver, config->reactor_fallback, &reactor, config->timers);
    if (!error) {
        char why[256];
        sy_part_explain(SY_REACTOR, config->reactor, why, sizeof why);
        fprintf(stderr, "stealyard: the reactor %s does not work on this machine: %s; its fallback %s runs\n",
                config->reactor, why, config->reactor_fallback);
        config->reactor = config->reactor_fallback;
    }
    return error;
}

static int create_parts(struct sy_runtime *runtime) {
    const struct sy_config *config = &runtime->config;
    runtime->gq_ops = part_global_queue(config->global_queue);
    runtime->dq_ops = part_local_deque(config->local_deque);
    runtime->combo = combo_find(runtime->gq_ops, runtime->dq_ops, config->dynamic_dispatch);
    int error = idle_create(&runtime->idle, config->workers, config->searching_max);
    if (!error) {
        error = owned_create(&runtime->owned);
    }
    if (!error) {
        error = reclaim_create(&runtime->reclaim);
    }
    if (!error) {
        error = create_queues(runtime);
    }
    if (!error) {
        error = create_workers(runtime);
    }
    if (!error) {
        error = create_driver(runtime);
    }
    return error;
}

int sy_runtime_create(struct sy_runtime **out, const struct sy_config *config) {
    struct sy_config defaults;
    if (!config) {
        sy_config_init(&defaults);
        config = &defaults;
    }
    int error = sy_config_check(config, NULL, 0);
    if (error) {
        return error;
    }
    struct sy_runtime *runtime = allocate(config);
    if (!runtime) {
        return -ENOMEM;
    }
    error = create_parts(runtime);
    if (!error) {
        error = start_workers(runtime);
        if (!error) {
            *out = runtime;
            return 0;
        }
        sy_runtime_shutdown(runtime);
    }
    free_runtime(runtime);
    return error;
}

/* ---- the end ---- */

/* 1, second half. `left` first: what had entered by the later look and has left by the earlier one is out. */
static void wait_for_spawners(struct sy_runtime *runtime) {
    for (unsigned i = 0; i < GATES; i++) {
        struct gate *gate = &runtime->gates[i];
        for (;;) {
            uint64_t left = au64_load_seq_cst(&gate->left);  /* with G3 */
            if (au64_load_seq_cst(&gate->entered) == left) { /* with G1 */
                break;
            }
            sched_yield();
        }
    }
}

static void drain(struct sy_runtime *runtime, struct worker *worker) {
    struct sy_task *task;
    while ((task = runtime->combo->take_any(runtime, worker))) {
        state_begin(task);
        task_cancel(task);
    }
}

/* Step 4 for one task, of which the caller holds a reference. */
static void end_task(struct sy_runtime *runtime, struct sy_task *task) {
    if (state_seize(task)) {
        task_cancel(task);
    }
    uint64_t state;
    while (state = au64_load_acquire(&task->state), /* with state_complete, and S9 */
           !(state & TASK_COMPLETE) || (state & TASK_PUSHERS)) {
        drain(runtime, NULL); /* it is in the queue now, or its waker is about to put it there */
        sched_yield();
    }
    owned_remove_outside(&runtime->owned, task);
    task_unref(task);
}

static void end_owned(struct sy_runtime *runtime) {
    for (uint32_t number = 1; number <= owned_slots(&runtime->owned); number++) {
        struct sy_task *task;
        while (owned_at(&runtime->owned, number, &task)) {
            if (task) {
                end_task(runtime, task);
                break;
            }
            sched_yield(); /* another thread gives the slot back right now */
        }
    }
}

static void shut_down(struct sy_runtime *runtime) {
    au32_store_seq_cst(&runtime->closed, 1); /* 1, with G2 */
    wait_for_spawners(runtime);
    stop_workers(runtime); /* 2 */
    for (unsigned i = 0; i < runtime->config.workers; i++) {
        drain(runtime, &runtime->workers[i]); /* 3 */
    }
    end_owned(runtime); /* 4 */
    join_workers(runtime);
    blocking_close(runtime); /* 5 */
}

static void shut_down_once(struct sy_runtime *runtime) {
    pthread_mutex_lock(&runtime->shutdown_lock);
    if (!runtime->ended) {
        struct sy_runtime *outer = ending; /* a drop may end another runtime */
        ending = runtime;
        shut_down(runtime);
        ending = outer;
        runtime->ended = true;
    }
    pthread_mutex_unlock(&runtime->shutdown_lock);
}

int sy_runtime_shutdown(struct sy_runtime *runtime) {
    if (runtime_worker(runtime) || blocking_current == runtime || ending == runtime) {
        return -EDEADLK;
    }
    bool was_online = reclaim_is_online(); /* a worker of another runtime */
    if (was_online) {
        reclaim_offline();
    }
    shut_down_once(runtime);
    if (was_online) {
        reclaim_online();
    }
    return 0;
}

void sy_runtime_destroy(struct sy_runtime *runtime) {
    if (!runtime) {
        return;
    }
    if (sy_runtime_shutdown(runtime) != 0) {
        fprintf(stderr, "stealyard: sy_runtime_destroy was called from one of the runtime's own threads\n");
        abort();
    }
    free_runtime(runtime);
}

/* ---- questions ---- */

unsigned sy_runtime_workers(const struct sy_runtime *runtime) {
    return runtime->config.workers;
}

const struct sy_config *sy_runtime_config(const struct sy_runtime *runtime) {
    return &runtime->config;
}

int sy_runtime_current_worker(const struct sy_runtime *runtime) {
    const struct worker *worker = runtime_worker(runtime);
    return worker ? (int)worker->index : -1;
}

const struct rx_ops *sy_runtime_rx_ops(const struct sy_runtime *runtime) {
    return runtime->driver.ops;
}

struct rx *sy_runtime_rx(const struct sy_runtime *runtime) {
    return runtime->driver.rx;
}
