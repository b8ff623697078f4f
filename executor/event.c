#define _GNU_SOURCE
#include "executor/event.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#if defined(__linux__)

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static long futex(struct au32 *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, &word->raw, operation | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void event_init(struct event *event) {
    au32_store_relaxed(&event->state, EVENT_EMPTY);
}

void event_destroy(struct event *event) {
    (void)event;
}

/* Returns when the word has changed, the time is up, or for no reason at all: callers look again. */
static void event_sleep(struct event *event, int64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    futex(&event->state, FUTEX_WAIT, EVENT_SLEEPING, timeout_ns < 0 ? NULL : &timeout);
}

static void event_rouse(struct event *event) {
    futex(&event->state, FUTEX_WAKE, 1, NULL);
}

#else

void event_init(struct event *event) {
    au32_store_relaxed(&event->state, EVENT_EMPTY);
    pthread_mutex_init(&event->lock, NULL);
    pthread_cond_init(&event->changed, NULL);
}

void event_destroy(struct event *event) {
    pthread_cond_destroy(&event->changed);
    pthread_mutex_destroy(&event->lock);
}

static void event_sleep(struct event *event, int64_t timeout_ns) {
    pthread_mutex_lock(&event->lock);
    if (au32_load_relaxed(&event->state) == EVENT_SLEEPING) {
        if (timeout_ns < 0) {
            pthread_cond_wait(&event->changed, &event->lock);
        } else {
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            int64_t ns = until.tv_nsec + timeout_ns;
            until.tv_sec += (time_t)(ns / 1000000000);
            until.tv_nsec = (long)(ns % 1000000000);
            pthread_cond_timedwait(&event->changed, &event->lock, &until);
        }
    }
    pthread_mutex_unlock(&event->lock);
}

static void event_rouse(struct event *event) {
    pthread_mutex_lock(&event->lock);
    pthread_cond_signal(&event->changed);
    pthread_mutex_unlock(&event->lock);
}

#endif

bool event_wait(struct event *event, int64_t timeout_ns) {
    for (;;) {
        uint32_t found = EVENT_EMPTY;
        if (!au32_cas_acq_rel(&event->state, &found, EVENT_SLEEPING)) { /* E2 */
            au32_exchange_acq_rel(&event->state, EVENT_EMPTY); /* E3: set, perhaps again since: see all setters */
            return true;
        }
        event_sleep(event, timeout_ns);
        if (au32_exchange_acq_rel(&event->state, EVENT_EMPTY) == EVENT_SET) { /* E3 */
            return true;
        }
        if (timeout_ns >= 0) {
            return false; /* the time is up, or nearly: callers with a time-out look at the clock themselves */
        }
    }
}

uint32_t event_set(struct event *event) {
    uint32_t before = au32_exchange_acq_rel(&event->state, EVENT_SET); /* E1 */
    if (before == EVENT_SLEEPING) {
        event_rouse(event);
    }
    return before;
}

bool event_begin_polling(struct event *event) {
    uint32_t found = EVENT_EMPTY;
    if (au32_cas_acq_rel(&event->state, &found, EVENT_POLLING)) { /* E2 */
        return true;
    }
    au32_exchange_acq_rel(&event->state, EVENT_EMPTY); /* E3 */
    return false;
}

bool event_end_polling(struct event *event) {
    return au32_exchange_acq_rel(&event->state, EVENT_EMPTY) == EVENT_SET; /* E3 */
}
