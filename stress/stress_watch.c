/* The watchdog, and what is printed when something is wrong: the state, and the command that repeats it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

static struct {
    pthread_mutex_t lock; /* guards the next two */
    const struct episode *episode;
    struct sy_runtime *runtime;
    struct au32 moved; /* since the watchdog looked last */
    uint64_t limit_s;
    char replay[512]; /* written between episodes, read when one fails */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

void watch_progress(void) {
    au32_store_relaxed(&watch.moved, 1); /* no read-modify-write: the threads under test share this line */
}

void watch_runtime(struct sy_runtime *runtime) {
    pthread_mutex_lock(&watch.lock);
    watch.runtime = runtime;
    pthread_mutex_unlock(&watch.lock);
}

static const char *build_flag(void) {
#if defined(__SANITIZE_THREAD__)
    return "--tsan";
#elif defined(__SANITIZE_ADDRESS__)
    return "--asan";
#else
    return "--plain";
#endif
}

void watch_episode_begins(const struct episode *episode, const struct options *options, uint64_t number) {
    const struct combination *c = episode->combination;
    pthread_mutex_lock(&watch.lock);
    watch.episode = episode;
    snprintf(watch.replay, sizeof watch.replay,
             "repeat with: ./stealyard stress %s --seed %llu --queue %s --deque %s --reactor %s --dispatch %s"
             " --episode %llu --watchdog %llu --inject %s\n",
             build_flag(), (unsigned long long)options->seed, c->global_queue.name, c->local_deque.name,
             c->reactor.name, c->dynamic ? "dynamic" : "static", (unsigned long long)number,
             (unsigned long long)options->watchdog_s, inject_names[options->inject]);
    pthread_mutex_unlock(&watch.lock);
    watch_progress();
}

void watch_episode_ends(void) {
    pthread_mutex_lock(&watch.lock);
    watch.episode = NULL;
    pthread_mutex_unlock(&watch.lock);
    watch_progress();
}

/* ---- failing ---- */

static void print_knobs(const struct plan *plan) {
    const struct sy_config *c = &plan->config;
    fprintf(stderr,
            "episode: %u spawning and %u waking threads, %u roots each, %s\n"
            "knobs: workers %u, global_capacity %zu, global_segment %zu, local_capacity %zu, global_interval %u,"
            " global_batch %u, steal_batch %u, lifo_cap %u, reactor_interval %u, reactor_batch %u, searching_max %u, "
            "spin_ns %llu,"
            " handoff_ns %llu, budget %u, speculative_io %d, blocking_threads %u, blocking_keep_alive_ns %llu\n",
            plan->spawners, plan->wakers, plan->roots, plan->mid_flight ? "shut down mid-flight" : "run to its end",
            c->workers, c->global_capacity, c->global_segment, c->local_capacity, c->global_interval, c->global_batch,
            c->steal_batch, c->lifo_cap, c->reactor_interval, c->reactor_batch, c->searching_max,
            (unsigned long long)c->spin_ns, (unsigned long long)c->handoff_ns, c->budget, c->speculative_io,
            c->blocking_threads, (unsigned long long)c->blocking_keep_alive_ns);
}

void stress_fail(const char *file, int line, const char *format, ...) {
    static struct au32 failed;
    while (au32_exchange_relaxed(&failed, 1)) {
        pause(); /* another thread is printing and ends the process */
    }
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "\nFAIL %s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (watch.episode) {
        fprintf(stderr, "combination: %s\n", watch.episode->combination->name);
        print_knobs(&watch.episode->plan);
    }
    fputs(watch.replay, stderr);
    fflush(stderr);
    /* Past ThreadSanitizer's own end, which would tell of the threads that are still there and change the status. */
    syscall(SYS_exit_group, 1);
    __builtin_unreachable();
}

static void print_metrics(struct sy_runtime *runtime) {
    struct sy_runtime_metrics whole;
    sy_runtime_metrics(runtime, &whole);
    fprintf(stderr, "runtime: global depth %llu, live tasks %llu, blocking threads %llu, blocking depth %llu\n",
            (unsigned long long)whole.global_depth, (unsigned long long)whole.live_tasks,
            (unsigned long long)whole.blocking_threads, (unsigned long long)whole.blocking_depth);
    for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
        struct sy_worker_metrics m;
        sy_worker_metrics(runtime, i, &m);
        fprintf(stderr, "worker %u: polls %llu, steals %llu, parks %llu, wakes %llu, reactor polls %llu, depth %llu\n",
                i, (unsigned long long)m.polls, (unsigned long long)m.steals, (unsigned long long)m.parks,
                (unsigned long long)m.wakes, (unsigned long long)m.reactor_polls, (unsigned long long)m.queue_depth);
    }
}

/* The last look before the end, at plain fields of tasks that hang: nothing orders it, and a torn count does no harm. */
__attribute__((no_sanitize("thread"))) static void print_stuck_units(const struct episode *episode) {
    unsigned printed = 0;
    for (uint32_t id = 0; id < au32_load_relaxed(&episode->next_unit) && printed < 8; id++) {
        const struct unit *unit = &episode->units[id];
        if (au32_load_relaxed(&unit->accepted) && !au32_load_relaxed(&unit->dropped)) {
            fprintf(stderr, "unit %u (%s) has not ended: %llu polls, woken %u, running %u\n", id, unit->kind,
                    (unsigned long long)unit->polls, au32_load_relaxed(&unit->open), au32_load_relaxed(&unit->inside));
            printed++;
        }
    }
}

/* ---- the watchdog ---- */

static void hung(void) {
    if (watch.runtime) {
        print_metrics(watch.runtime);
    }
    print_stuck_units(watch.episode);
    stress_fail(__FILE__, __LINE__, "nothing moved for %llu s: a wake-up was lost, or something hangs",
                (unsigned long long)watch.limit_s);
}

static void *watchdog(void *argument) {
    (void)argument;
    struct timespec tick = {.tv_nsec = 100000000};
    for (uint64_t still = 0;;) {
        nanosleep(&tick, NULL); /* the watchdog's own pace; nothing waits for it */
        still = au32_exchange_relaxed(&watch.moved, 0) ? 0 : still + 1;
        pthread_mutex_lock(&watch.lock);
        if (watch.episode && still >= watch.limit_s * 10) {
            hung();
        }
        pthread_mutex_unlock(&watch.lock);
    }
    return NULL;
}

/* ---- a crash, or a sanitizer's report ---- */

static void print_replay(void) {
    if (write(STDERR_FILENO, watch.replay, strlen(watch.replay)) < 0) {
        return; /* there is nothing else to tell it to */
    }
}

#if SUPPORT_SANITIZED
void __sanitizer_set_death_callback(void (*callback)(void));

static void catch_crashes(void) {
    __sanitizer_set_death_callback(print_replay);
}
#else
static void crashed(int signal_number) {
    print_replay();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void catch_crashes(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        signal(signals[i], crashed);
    }
}
#endif

void watch_start(const struct options *options) {
    pthread_t thread;
    watch.limit_s = options->watchdog_s;
    catch_crashes();
    SUPPORT_REQUIRE(pthread_create(&thread, NULL, watchdog, NULL) == 0);
    pthread_detach(thread);
}
