/*
 * Fetching events with epoll, and ending that from another thread. See rx_epoll_set.h.
 *
 * Source: epoll(7), eventfd(2).
 *
 * Progress: wake is one exchange if one is already pending. Of several at once the first makes the system call; if its
 * thread stalls between the two, the wait lasts until it goes on or an event comes.
 *
 * Accesses of `woken`:
 *
 * (1) wake: exchange acq_rel, 1. Release: partner (2). Acquire: a wake that finds 1 has nothing to do whatever it sees.
 * (2) fetch: exchange acquire, 0, when the eventfd's event has come. What was done before any wake() up to here, also
 *     one that found 1 and wrote nothing, is visible to the caller of this wait: those exchanges come before this one,
 *     in one release sequence. A wake() after it finds 0 and writes again, which is a new edge.
 *
 * The eventfd is never read: each write is an edge of its own, whatever the count was, and the count would be full only
 * after 2^64 writes. A write before the wait began stays an event until one fetches it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall, POLLRDHUP */
#endif

#include "reactor/rx_epoll_set.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAKE_KEY UINT64_MAX /* larger than any source's */
#define MAX_EVENTS (INT_MAX / (int)sizeof(struct epoll_event))

_Static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP &&
                   EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "rx_readiness.h speaks of poll's events");

int rx_epoll_set_ask(struct rx_epoll_set *set, int how, const struct rx_slab_source *source, unsigned events) {
    struct epoll_event event = {.events = events, .data.u64 = rx_readiness_key(source)};
    return epoll_ctl(set->epoll_fd, how, source->base.fd, &event) ? -errno : 0;
}

void rx_epoll_set_remove(struct rx_epoll_set *set, int fd) {
    epoll_ctl(set->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- waiting ---- */

static int fetch(struct rx_epoll_set *set, int64_t timeout_ns) {
    if (set->nanoseconds) {
        struct timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        struct timespec *or_none = timeout_ns < 0 ? NULL : &limit;
        return (int)syscall(SYS_epoll_pwait2, set->epoll_fd, set->events, set->batch, or_none, NULL, (size_t)0);
    }
    int64_t ms = timeout_ns < 0 ? -1 : timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    return epoll_wait(set->epoll_fd, set->events, set->batch, ms > INT_MAX ? INT_MAX : (int)ms);
}

int rx_epoll_set_fetch(struct rx_epoll_set *set, int64_t timeout_ns) {
    int count = fetch(set, timeout_ns);
    if (count < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < count; i++) {
        if (set->events[i].data.u64 == WAKE_KEY) {
            au32_exchange_acquire(&set->woken, 0); /* (2) */
            set->events[i] = set->events[--count];
            break;
        }
    }
    return count;
}

void rx_epoll_set_wake(struct rx_epoll_set *set) {
    if (au32_exchange_acq_rel(&set->woken, 1) == 0) { /* (1) */
        uint64_t one = 1;
        ssize_t written = write(set->event_fd, &one, sizeof one);
        assert(written == sizeof one);
        (void)written;
    }
}

/* ---- life ---- */

void rx_epoll_set_close(struct rx_epoll_set *set) {
    free(set->events);
    if (set->event_fd >= 0) {
        close(set->event_fd);
    }
    if (set->epoll_fd >= 0) {
        close(set->epoll_fd);
    }
}

static int open_descriptors(struct rx_epoll_set *set) {
    set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (set->epoll_fd < 0) {
        return -errno;
    }
    set->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (set->event_fd < 0) {
        return -errno;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WAKE_KEY};
    if (epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, set->event_fd, &event)) {
        return -errno;
    }
    /* An older kernel says ENOSYS, a sandbox perhaps EPERM. */
    struct timespec none = {.tv_sec = 0};
    set->nanoseconds = syscall(SYS_epoll_pwait2, set->epoll_fd, set->events, 1, &none, NULL, (size_t)0) >= 0;
    return 0;
}

int rx_epoll_set_open(struct rx_epoll_set *set, unsigned batch) {
    *set = (struct rx_epoll_set){.epoll_fd = -1, .event_fd = -1, .batch = (int)batch};
    if (batch == 0 || batch > MAX_EVENTS) {
        return -EINVAL;
    }
    set->events = malloc(batch * sizeof *set->events);
    int error = set->events ? open_descriptors(set) : -ENOMEM;
    if (error) {
        rx_epoll_set_close(set);
    }
    return error;
}
