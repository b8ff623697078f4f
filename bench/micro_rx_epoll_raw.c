/*
 * A hand-written loop over epoll, level-triggered, each descriptor registered once: no wakers, no operations, nothing
 * between the event and the call. What an engine takes longer is the price of its interface.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/micro_list.h"
#include "bench/micro_rx.h"

enum { EVENTS = 128 }; /* as our reactors take by default */

struct rx_loop {
    int epoll_fd, event_fd;
    struct rx_rig *rig;
};

static void raw_close(struct rx_loop *loop) {
    close(loop->epoll_fd);
    close(loop->event_fd);
    free(loop);
}

static bool watch(const struct rx_loop *loop, int fd, uint32_t events, uint64_t index) {
    struct epoll_event event = {.events = events, .data.u64 = index};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static struct rx_loop *raw_open(const struct rx_engine *engine, struct rx_rig *rig) {
    struct rx_loop *loop = calloc(1, sizeof *loop);
    (void)engine;
    if (!loop) {
        rig->failure = "no memory";
        return NULL;
    }
    *loop = (struct rx_loop){
        .rig = rig, .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    bool ok = watch(loop, loop->event_fd, EPOLLIN | EPOLLET, rig->count); /* edges: it need not be read */
    for (size_t i = 0; ok && i < rig->count; i++) {
        ok = watch(loop, rig->ends[i].in, EPOLLIN, i);
    }
    if (!ok) {
        rig->failure = "a descriptor cannot be registered";
        raw_close(loop);
        return NULL;
    }
    return loop;
}

static void raw_turn(struct rx_loop *loop) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS, (int)(RX_PATIENCE_NS / 1000000));
    if (count < 0 && errno != EINTR) {
        loop->rig->failure = "epoll_wait failed";
    }
    for (int i = 0; i < count && !loop->rig->failure; i++) {
        if (events[i].data.u64 < loop->rig->count) {
            rx_rig_read(loop->rig, events[i].data.u64);
        }
    }
}

static void raw_send(struct rx_loop *loop, size_t index, unsigned char byte) {
    rx_rig_write(loop->rig, index, byte);
}

static void raw_wake(struct rx_loop *loop) {
    eventfd_write(loop->event_fd, 1);
}

const struct rx_engine rx_engine_epoll_raw = {
    .name = "epoll_raw",
    .peer = true,
    .open = raw_open,
    .turn = raw_turn,
    .send = raw_send,
    .wake = raw_wake,
    .close = raw_close,
};

void micro_rx_epoll_raw_add(void) {
    micro_rx_add_engine(&rx_engine_epoll_raw);
}
