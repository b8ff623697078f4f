/*
 * An epoll set with what ends a wait for it, for the back ends that wait with epoll. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_EPOLL_SET_H
#define STEALYARD_REACTOR_RX_EPOLL_SET_H

#include <sys/epoll.h>

#include "queues/atomics.h"
#include "reactor/rx_readiness.h"

struct rx_epoll_set {
    int epoll_fd, event_fd;
    int batch;
    bool nanoseconds;                            /* the kernel has epoll_pwait2 */
    struct epoll_event *events;                  /* the waiter's: `batch` of them */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 woken; /* a wake is under way that no wait has noticed yet */
};

/* 0, or -EINVAL (batch), -ENOMEM, -EMFILE and the like; then nothing is open. */
int rx_epoll_set_open(struct rx_epoll_set *set, unsigned batch);
void rx_epoll_set_close(struct rx_epoll_set *set);

/* `how`: EPOLL_CTL_ADD or _MOD, with the source's key. 0 or -errno. */
int rx_epoll_set_ask(struct rx_epoll_set *set, int how, const struct rx_slab_source *source, unsigned events);
void rx_epoll_set_remove(struct rx_epoll_set *set, int fd);

/* rx_ops.wait, up to handling what came: the number of set->events, wakes not among them; or -errno. */
int rx_epoll_set_fetch(struct rx_epoll_set *set, int64_t timeout_ns);
void rx_epoll_set_wake(struct rx_epoll_set *set);

#endif
