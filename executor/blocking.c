#define _GNU_SOURCE
#include "executor/blocking.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "executor/runtime.h"
#include "executor/task_state.h"

SY_THREAD_LOCAL struct sy_runtime *blocking_current __attribute__((tls_model("initial-exec")));

struct blocking_thread {
    struct sy_runtime *runtime;
    pthread_t thread;
    struct blocking_thread *next; /* in `ended` */
};

void blocking_create(struct blocking *blocking) {
    *blocking = (struct blocking){.first = NULL};
    pthread_mutex_init(&blocking->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&blocking->work, &attributes);
    pthread_condattr_destroy(&attributes);
}

void blocking_destroy(struct blocking *blocking) {
    pthread_cond_destroy(&blocking->work);
    pthread_mutex_destroy(&blocking->lock);
}

static void put(struct blocking *blocking, struct sy_task *task) {
    sy_node_link(&task->node, NULL);
    if (blocking->last) {
        sy_node_link(blocking->last, &task->node);
    } else {
        blocking->first = &task->node;
    }
    blocking->last = &task->node;
    blocking->depth++;
}

static struct sy_task *take(struct blocking *blocking) {
    struct sy_node *node = blocking->first;
    if (!node) {
        return NULL;
    }
    blocking->first = sy_node_next(node);
    if (!blocking->first) {
        blocking->last = NULL;
    }
    blocking->depth--;
    return (struct sy_task *)node;
}

/* Takes back the job that was put last, which no thread has seen. */
static void take_back(struct blocking *blocking, struct sy_task *task) {
    struct sy_node *before = NULL;
    for (struct sy_node *node = blocking->first; node != &task->node; node = sy_node_next(node)) {
        before = node;
    }
    if (before) {
        sy_node_link(before, NULL);
    } else {
        blocking->first = NULL;
    }
    blocking->last = before;
    blocking->depth--;
}

static void run_job(struct sy_runtime *runtime, struct sy_task *task) {
    if (state_begin(task)) {
        task_cancel(task);
        return;
    }
    struct sy_context cx = {.runtime = runtime, .budget = UINT32_MAX};
    if (task->type->poll(sy_task_future(task), &cx) != SY_READY) {
        fprintf(stderr, "stealyard: the blocking job %s answered pending; it must answer ready\n", task->type->name);
        abort();
    }
    task_drop_future(task);
    task_complete(task, 0);
}

static struct timespec deadline_after(uint64_t ns) {
    uint64_t now = sy_now_ns();
    uint64_t at = ns < UINT64_MAX / 2 - now ? now + ns : UINT64_MAX / 2;
#if defined(__APPLE__)
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    at = at - now + (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
#endif
    return (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
}

/* Under the lock. NULL: the thread is to end. */
static struct sy_task *next_job(struct blocking *blocking, uint64_t keep_alive_ns) {
    struct timespec until = deadline_after(keep_alive_ns);
    bool late = false;
    for (;;) {
        /* Once closed, what has not begun is cancelled by blocking_close. */
        struct sy_task *task = blocking->closed ? NULL : take(blocking);
        if (task || blocking->closed || late) {
            return task;
        }
        blocking->idle++;
        late = pthread_cond_timedwait(&blocking->work, &blocking->lock, &until) == ETIMEDOUT;
        blocking->idle--;
    }
}

static void *thread_main(void *argument) {
    struct blocking_thread *self = argument;
    struct sy_runtime *runtime = self->runtime;
    struct blocking *blocking = &runtime->blocking;
    blocking_current = runtime;
    pthread_mutex_lock(&blocking->lock);
    struct sy_task *task;
    while ((task = next_job(blocking, runtime->config.blocking_keep_alive_ns))) {
        pthread_mutex_unlock(&blocking->lock);
        run_job(runtime, task);
        pthread_mutex_lock(&blocking->lock);
    }
    blocking->threads--;
    self->next = blocking->ended;
    blocking->ended = self;
    if (blocking->closed && blocking->threads == 0) {
        driver_wake(&runtime->driver, 0);
    }
    pthread_mutex_unlock(&blocking->lock);
    return NULL;
}

/* Under the lock, which is let go of meanwhile: joins the threads that have ended. */
static void join_ended(struct blocking *blocking) {
    struct blocking_thread *ended = blocking->ended;
    blocking->ended = NULL;
    pthread_mutex_unlock(&blocking->lock);
    while (ended) {
        struct blocking_thread *next = ended->next;
        pthread_join(ended->thread, NULL);
        free(ended);
        ended = next;
    }
    pthread_mutex_lock(&blocking->lock);
}

static void name_thread(const struct sy_runtime *runtime, pthread_t thread) {
#if defined(__linux__)
    char name[16];
    snprintf(name, sizeof name, "%.9s-block", runtime->thread_name);
    pthread_setname_np(thread, name);
#else
    (void)runtime;
    (void)thread;
#endif
}

/* Under the lock. */
static int start_thread(struct sy_runtime *runtime) {
    struct blocking *blocking = &runtime->blocking;
    struct blocking_thread *self = malloc(sizeof *self);
    if (!self) {
        return -ENOMEM;
    }
    self->runtime = runtime;
    int error = pthread_create(&self->thread, NULL, thread_main, self);
    if (error) {
        free(self);
        return -EAGAIN;
    }
    name_thread(runtime, self->thread);
    blocking->threads++;
    return 0;
}

/*
 * Under the lock. A job that an existing thread will come to needs no new one, so a failure to start it is none.
 * `*signal`: an idle thread is to be told, without the lock, which it would otherwise wait for at once.
 */
static int submit(struct sy_runtime *runtime, struct sy_task *task, bool *signal) {
    struct blocking *blocking = &runtime->blocking;
    if (blocking->closed) {
        return -ESHUTDOWN;
    }
    put(blocking, task);
    *signal = blocking->idle >= blocking->depth;
    if (*signal) {
        au32_fetch_add_relaxed(&blocking->signalling, 1); /* B1 */
        return 0;
    }
    int error = blocking->threads < runtime->config.blocking_threads ? start_thread(runtime) : 0;
    if (error && blocking->threads == 0) {
        take_back(blocking, task);
        return error;
    }
    return 0;
}

int sy_spawn_blocking(struct sy_runtime *runtime, const struct sy_future_type *type, const void *future,
                      struct sy_join *join) {
    if (runtime->config.blocking_threads == 0) {
        return -EAGAIN;
    }
    struct sy_task *task = task_create(runtime, type, future, 0, join != NULL);
    if (!task) {
        return -ENOMEM;
    }
    if (join) {
        join->task = task;
    }
    struct blocking *blocking = &runtime->blocking;
    pthread_mutex_lock(&blocking->lock);
    if (blocking->ended && !blocking->closed) { /* once closed, only blocking_close joins */
        join_ended(blocking);
    }
    bool signal = false;
    int error = submit(runtime, task, &signal);
    pthread_mutex_unlock(&blocking->lock);
    if (signal) {
        pthread_cond_signal(&blocking->work);
        au32_fetch_sub_release(&blocking->signalling, 1); /* B2 */
    }
    if (error) {
        free(task);
        if (join) {
            join->task = NULL;
        }
    }
    return error;
}

static void cancel_jobs(struct blocking *blocking) {
    struct sy_task *task;
    while ((task = take(blocking))) {
        pthread_mutex_unlock(&blocking->lock);
        state_begin(task);
        task_cancel(task);
        pthread_mutex_lock(&blocking->lock);
    }
}

/* Under the lock, which is let go of meanwhile. Waits in the place of the first worker, which has left it. */
static void wait_for_threads(struct sy_runtime *runtime) {
    struct blocking *blocking = &runtime->blocking;
    struct driver *driver = &runtime->driver;
    pthread_mutex_unlock(&blocking->lock);
    while (driver_attach(driver, 0)) { /* no descriptor or memory left: the jobs will give some back */
        sched_yield();
    }
    pthread_mutex_lock(&blocking->lock);
    while (blocking->threads > 0) {
        pthread_mutex_unlock(&blocking->lock);
        driver_block(driver, 0); /* the last thread to end wakes it */
        pthread_mutex_lock(&blocking->lock);
    }
    driver_detach(driver);
}

void blocking_close(struct sy_runtime *runtime) {
    struct blocking *blocking = &runtime->blocking;
    pthread_mutex_lock(&blocking->lock);
    blocking->closed = true;
    cancel_jobs(blocking);
    pthread_cond_broadcast(&blocking->work);
    if (blocking->threads > 0) {
        wait_for_threads(runtime);
    }
    join_ended(blocking);
    pthread_mutex_unlock(&blocking->lock);
    while (au32_load_acquire(&blocking->signalling) > 0) { /* B3 */
        sched_yield();
    }
}
