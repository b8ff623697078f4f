/* Faulty waits, wakes and sources, and the list of all faulty reactors. See rx_broken.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "stress/rx_broken.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reactor/rx_try.h"

bool broken_is_time(uint64_t one_in) {
    static struct au64 operations;
    return (au64_fetch_add_relaxed(&operations, 1) + 1) % one_in == 0;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- waits ---- */

/* Nothing is wrong with this one. */
static int sound_wait(struct rx *rx, int64_t timeout_ns) {
    return good->wait(rx, timeout_ns);
}

static int early_wait(struct rx *rx, int64_t timeout_ns) {
    return good->wait(rx, timeout_ns > 0 ? timeout_ns - timeout_ns / 4 : timeout_ns);
}

/* Takes the time limit for milliseconds, rounded down. */
static int coarse_wait(struct rx *rx, int64_t timeout_ns) {
    return good->wait(rx, timeout_ns > 0 ? timeout_ns / 1000000 * 1000000 : timeout_ns);
}

/* Takes it for tenths of a second, rounded up. */
static int late_wait(struct rx *rx, int64_t timeout_ns) {
    return good->wait(rx, timeout_ns > 0 ? (timeout_ns + 99999999) / 100000000 * 100000000 : timeout_ns);
}

/* Sleeps to the end of the time limit before it looks. */
static int deep_wait(struct rx *rx, int64_t timeout_ns) {
    if (timeout_ns > 0) {
        struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        nanosleep(&limit, NULL);
        return good->wait(rx, 0);
    }
    return good->wait(rx, timeout_ns);
}

/* Takes a signal for an error. */
static int twitchy_wait(struct rx *rx, int64_t timeout_ns) {
    int64_t start_ns = now_ns();
    int events = good->wait(rx, timeout_ns);
    return events == 0 && now_ns() - start_ns < timeout_ns ? -EINTR : events;
}

/* Begins anew after each signal, and takes its time then. */
static int stoic_wait(struct rx *rx, int64_t timeout_ns) {
    int64_t start_ns = now_ns();
    int events = good->wait(rx, timeout_ns);
    while (events == 0 && now_ns() - start_ns < timeout_ns) {
        timeout_ns = 1000000000;
        start_ns = now_ns();
        events = good->wait(rx, timeout_ns);
    }
    return events;
}

/* Tells more than a batch at a time. */
static int endless_wait(struct rx *rx, int64_t timeout_ns) {
    int events = good->wait(rx, timeout_ns), more = events;
    while (more > 0) {
        more = good->wait(rx, 0);
        events += more > 0 ? more : 0;
    }
    return events;
}

/* See favours_poll. */
static int favours_wait(struct rx *rx, int64_t timeout_ns) {
    return favours_tells() ? 1 : good->wait(rx, timeout_ns);
}

/* Only the thread that waited first is told anything. */
static struct {
    struct au32 taken;
    pthread_t owner;
} bound;

static int bound_create(struct rx **out, const struct rx_config *config) {
    au32_store_relaxed(&bound.taken, 0);
    return good->create(out, config);
}

static int bound_wait(struct rx *rx, int64_t timeout_ns) {
    if (au32_load_relaxed(&bound.taken) && !pthread_equal(bound.owner, pthread_self())) {
        struct timespec turn = {.tv_nsec = 100000};
        nanosleep(&turn, NULL);
        return 0;
    }
    bound.owner = pthread_self(); /* one thread waits at a time */
    au32_store_relaxed(&bound.taken, 1);
    return good->wait(rx, timeout_ns);
}

/* Does not sleep while a connection waits for a descriptor. */
static int spins_wait(struct rx *rx, int64_t timeout_ns) {
    return good->wait(rx, spins_is_full() ? 0 : timeout_ns);
}

/* ---- wakes ---- */

static struct au64 wakes;

static void counted_wake(struct rx *rx, unsigned slot) {
    au64_fetch_add_release(&wakes, 1);
    good->wake(rx, slot);
}

/* Counts a wake as an event. */
static int counting_wait(struct rx *rx, int64_t timeout_ns) {
    int events = good->wait(rx, timeout_ns);
    return au64_exchange_acquire(&wakes, 0) ? events + 1 : events;
}

/* Does not merge them: each ends a wait of its own. */
static int insistent_wait(struct rx *rx, int64_t timeout_ns) {
    uint64_t owed = au64_load_relaxed(&wakes);
    int events = good->wait(rx, owed > 1 ? 0 : timeout_ns);
    if (owed > 0) {
        au64_fetch_sub_relaxed(&wakes, 1);
    }
    return events;
}

static void sleepy_wake(struct rx *rx, unsigned slot) {
    if (!broken_is_time(4)) {
        good->wake(rx, slot);
    }
}

/* A wake that comes while nobody waits is forgotten. */
static struct au32 inside;

static void absent_minded_wake(struct rx *rx, unsigned slot) {
    if (au32_load_acquire(&inside)) {
        good->wake(rx, slot);
    }
}

static int absent_minded_wait(struct rx *rx, int64_t timeout_ns) {
    au32_store_release(&inside, 1);
    int events = good->wait(rx, timeout_ns);
    au32_store_release(&inside, 0);
    return events;
}

/* Every wake goes to the first slot. */
static void misdirects_wake(struct rx *rx, unsigned slot) {
    (void)slot;
    rx_uring_local_ops.wake(rx, 0);
}

/* ---- sources ---- */

/* Stays registered: what comes for a duplicate, or came before, is still an event. */
static void lingers_deregister(struct rx *rx, struct rx_source *source) {
    (void)rx, (void)source;
}

/* Closes at once, whoever still uses the descriptor; the number stays taken. */
static void hasty_close(struct rx *rx, struct rx_source *source) {
    int other = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(other, source->fd);
    close(other);
    good->close(rx, source);
}

/* Forgets it. */
static void lazy_close(struct rx *rx, struct rx_source *source) {
    (void)rx, (void)source;
}

/* Leaves a descriptor behind. */
static void clinging_close(struct rx *rx, struct rx_source *source) {
    if (broken_is_time(10)) {
        open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    good->close(rx, source);
}

/* Does not say what is wrong. */
static int vague_register_fd(struct rx *rx, int fd, struct rx_source **out) {
    return good->register_fd(rx, fd, out) ? -EINVAL : 0;
}

/* ---- create ---- */

/* Any batch is welcome. */
static int welcomes_create(struct rx **out, const struct rx_config *config) {
    struct rx_config without = *config;
    without.batch = 64;
    return good->create(out, &without);
}

/* Opens a descriptor first, and leaves it open where the rest fails. */
static int spills_create(struct rx **out, const struct rx_config *config) {
    int first = dup(STDIN_FILENO);
    int error = first < 0 ? -errno : good->create(out, config);
    if (!error) {
        close(first);
    }
    return error;
}

/* Does not notice that there is no memory. */
static int starves_create(struct rx **out, const struct rx_config *config) {
    int error = good->create(out, config);
    return error == -ENOMEM ? -EMFILE : error;
}

static const char *const mute_summary = NULL;

/* ---- the list ---- */

#define DECLARE(fault, function) static struct rx_ops fault##_ops;
RX_FAULTS(DECLARE)

#define ENTRY(fault, function) &fault##_ops,
const struct rx_ops *const rx_all[] = {RX_FAULTS(ENTRY)};
const size_t rx_count = sizeof rx_all / sizeof rx_all[0];

const struct rx_ops *rx_find(const char *name) {
    for (size_t i = 0; i < rx_count; i++) {
        if (strcmp(rx_all[i]->name, name) == 0) {
            return rx_all[i];
        }
    }
    return NULL;
}

__attribute__((constructor)) static void make_all(void) {
    misdirects_ops = rx_uring_local_ops;
#define MAKE(fault, function)                                                                                          \
    fault##_ops = fault##_ops.create ? fault##_ops : *good;                                                            \
    fault##_ops.name = "rx_" #fault;                                                                                   \
    fault##_ops.function = fault##_##function;
    RX_FAULTS(MAKE)
    favours_ops.poll = favours_poll;
    spins_ops.poll = spins_poll;
    bound_ops.create = bound_create;
    counting_ops.wake = insistent_ops.wake = counted_wake;
    absent_minded_ops.wake = absent_minded_wake;
}
