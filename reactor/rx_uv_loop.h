/*
 * A libuv loop with a uv_poll_t for each descriptor, and how threads change what it looks at while one of them runs it.
 * See rx_uv_loop.c. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_UV_LOOP_H
#define STEALYARD_REACTOR_RX_UV_LOOP_H

#if SY_HAVE_LIBUV

#include <uv.h>

#include "reactor/rx_readiness.h"

enum rx_uv_parting { RX_UV_STAYS, RX_UV_LEAVES, RX_UV_IS_CLOSED };

/* All but the slab's part is guarded by the loop's lock, and what says "loop" by having the loop. */
struct rx_uv_source {
    struct rx_slab_source slab; /* first */
    uv_poll_t handle;           /* loop: if `open` */
    struct rx_uv_source *next_changed;
    struct rx_uv_source *next_told; /* loop */
    uint16_t wanted;                /* what operations have waited for since that was told last */
    uint16_t asked;                 /* what the handle is started for */
    uint16_t events;                /* loop: told and not taken */
    bool open;                      /* the handle is initialised */
    bool stopped;                   /* loop: by libuv, after an error */
    bool is_told;                   /* loop: it is in the list of told */
    bool is_changed;                /* it is in the list of changes */
    uint8_t parting;                /* enum rx_uv_parting */
};

/* An event that was taken from the loop. */
struct rx_uv_event {
    struct rx_uv_source *source;
    uint16_t generation;
    uint16_t events;
};

struct rx_uv_loop {
    pthread_mutex_t lock;
    pthread_cond_t changes_made;
    struct rx_slab slab;
    bool running;                 /* a thread is in uv_run, or about to be: it has the loop; else who has the lock */
    bool rung;                    /* the async handle was sent for, or its sender is on the way */
    bool woken;                   /* by rx_ops.wake, since the last wait returned */
    uint64_t turns;               /* of making changes */
    struct rx_uv_source *changes; /* made since the loop runs */
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t timer;
    bool heard;       /* loop: the async handle */
    unsigned closing; /* loop: handles closed and not given back */
    struct rx_uv_source *told_first, **told_last;
};

/* 0, -ENOMEM, -EMFILE and the like; then nothing is open. The loop must not move. */
int rx_uv_loop_open(struct rx_uv_loop *loop);
void rx_uv_loop_close(struct rx_uv_loop *loop);

/* A source for the descriptor, or NULL: out of memory. */
struct rx_uv_source *rx_uv_loop_admit(struct rx_uv_loop *loop, int fd);

/* The source is given back and, if it is closed, so is its descriptor: then by who runs the loop, if somebody does. */
void rx_uv_loop_part(struct rx_uv_loop *loop, struct rx_uv_source *source, enum rx_uv_parting parting);

/* Tell these events, once for each direction. */
void rx_uv_loop_want(struct rx_uv_loop *loop, struct rx_uv_source *source, unsigned events);

/* rx_ops.wait up to telling what came: at most `batch` events, and how many. One thread at a time. */
unsigned rx_uv_loop_wait(struct rx_uv_loop *loop, int64_t timeout_ns, struct rx_uv_event *events, unsigned batch);

void rx_uv_loop_wake(struct rx_uv_loop *loop);

#endif

#endif
