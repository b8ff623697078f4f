/*
 * Tasks that wait for a notification, count it and wait again; one that notifies, all or one at a time, and yields until
 * enough were counted. After tokio's.
 */
#include <inttypes.h>

#include "bench/workload_tools.h"
#include "executor/sync/notify.h"

enum { NOTIFIED = 500 };

static struct sy_notify notify;
static struct au64 count;
static unsigned waiters;       /* how many there are */
static uint64_t notifications; /* since the start; the notifier's */

/* ---- who waits, until the runtime ends ---- */

struct waiter {
    struct sy_notified notified;
    bool waiting;
};

static enum sy_poll waiter_poll(void *future, struct sy_context *cx) {
    struct waiter *f = future;
    for (;;) {
        if (!f->waiting) {
            sy_notified_init(&f->notified, &notify);
            f->waiting = true;
        }
        if (sy_notified_poll(&f->notified, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        f->waiting = false;
        au64_fetch_add_relaxed(&count, 1);
    }
}

static void waiter_drop(void *future) {
    struct waiter *f = future;
    if (f->waiting) {
        sy_notified_drop(&f->notified);
    }
}

static const struct sy_future_type waiter_type = {"waiter", sizeof(struct waiter), waiter_poll, waiter_drop};

static void start(struct workload_run *run, unsigned n) {
    waiters = n;
    sy_notify_init(&notify);
    for (unsigned i = 0; i < n; i++) {
        workload_spawn(run->runtime, &waiter_type, &(struct waiter){.waiting = false}, NULL);
    }
}

/* ---- who notifies ---- */

struct notifier {
    uint64_t counted; /* the output */
    uint64_t before;
    void (*wake)(struct sy_notify *notify);
};

static enum sy_poll notifier_poll(void *future, struct sy_context *cx) {
    struct notifier *f = future;
    f->counted = au64_load_relaxed(&count) - f->before;
    if (f->counted >= NOTIFIED) {
        return SY_READY;
    }
    notifications++;
    f->wake(&notify);
    sy_yield_now(cx);
    return SY_PENDING;
}

static const struct sy_future_type notifier_type = {"notifier", sizeof(struct notifier), notifier_poll, NULL};

/* `each`: how many waiters a notification wakes at most. */
static bool notify_until_counted(struct workload_run *run, void (*wake)(struct sy_notify *notify), uint64_t each) {
    struct notifier notifier = {.before = au64_load_relaxed(&count), .wake = wake};
    uint64_t counted = workload_run_task(run->runtime, &notifier_type, &notifier);
    if (counted < NOTIFIED) {
        return workload_fail(run, "the count moved on by %" PRIu64 ", not by %d", counted, NOTIFIED);
    }
    uint64_t all = au64_load_relaxed(&count);
    return all <= notifications * each ||
           workload_fail(run, "%" PRIu64 " were woken by %" PRIu64 " notifications", all, notifications);
}

static bool waiters_iterate(struct workload_run *run) {
    return notify_until_counted(run, sy_notify_waiters, waiters);
}

static bool one_iterate(struct workload_run *run) {
    return notify_until_counted(run, sy_notify_one, 1);
}

/* A row for each way and number of waiters. */
#define SYNC_NOTIFY(way, n, whom, when)                                                                                \
    static void way##_##n##_setup(struct workload_run *run) {                                                          \
        start(run, n);                                                                                                 \
    }                                                                                                                  \
    const struct workload workload_sync_notify_##way##_##n = {                                                         \
        .name = "sync_notify_" #way "_" #n,                                                                            \
        .summary = "a task wakes " whom " of " #n " waiting tasks, which count, and yields, until 500 were counted",   \
        .check = "the count moved on by at least 500, and nobody was woken unasked",                                   \
        .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE,                                                                      \
        .ops = NOTIFIED,                                                                                               \
        .effort = when,                                                                                                \
        .setup = way##_##n##_setup,                                                                                    \
        .iterate = way##_iterate,                                                                                      \
    };

SYNC_NOTIFY(waiters, 10, "all", WORKLOAD_WIDE)
SYNC_NOTIFY(waiters, 50, "all", WORKLOAD_CORE)
SYNC_NOTIFY(waiters, 100, "all", WORKLOAD_WIDE)
SYNC_NOTIFY(waiters, 200, "all", WORKLOAD_WIDE)
SYNC_NOTIFY(waiters, 500, "all", WORKLOAD_WIDE)
SYNC_NOTIFY(one, 10, "one", WORKLOAD_WIDE)
SYNC_NOTIFY(one, 50, "one", WORKLOAD_WIDE)
SYNC_NOTIFY(one, 100, "one", WORKLOAD_WIDE)
SYNC_NOTIFY(one, 200, "one", WORKLOAD_WIDE)
SYNC_NOTIFY(one, 500, "one", WORKLOAD_WIDE)
