/*
 * The descriptors that poll(2) looks at, and how threads change them while one of them is in poll. See rx_poll_set.c.
 * Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_POLL_SET_H
#define STEALYARD_REACTOR_RX_POLL_SET_H

#include "reactor/rx_bell.h"
#include "reactor/rx_readiness.h"

enum rx_poll_parting { RX_POLL_STAYS, RX_POLL_LEAVES, RX_POLL_IS_CLOSED };

/* All but the slab's part is guarded by the set's lock. */
struct rx_poll_source {
    struct rx_slab_source slab;  /* first */
    struct rx_poll_source *next; /* in a list of changes, or of those that part */
    uint32_t place;              /* in the array; 0: not there */
    uint16_t wanted;             /* the events that operations wait for */
    bool changed;                /* it is in the list of changes */
    uint8_t parting;             /* enum rx_poll_parting */
};

/* An event that was taken from the set. */
struct rx_poll_event {
    struct rx_poll_source *source;
    uint16_t generation;
    uint16_t events;
};

struct rx_poll_array {
    struct pollfd *polled;           /* the first is the bell's */
    struct rx_poll_source **sources; /* of the same places */
    uint32_t capacity;
};

struct rx_poll_set {
    pthread_mutex_t lock;
    struct rx_slab slab;
    struct rx_bell bell;
    uint32_t admitted;           /* sources, those that part included; each has one place at most */
    struct rx_poll_array array;  /* while somebody polls: the poller's. So is count */
    struct rx_poll_array larger; /* polled: NULL, or the array to use after this poll */
    uint32_t count;
    uint32_t untaken;               /* places whose revents are still to be taken; 0 while somebody polls */
    uint32_t look;                  /* the place where to look for them next */
    struct rx_poll_source *changes; /* made since somebody polls */
    bool polling;                   /* a thread is in poll, or about to be */
    bool rung;                      /* the bell is ringing, or its ringer on the way */
    bool woken;                     /* by rx_ops.wake, since the last wait returned */
};

/* 0, -ENOMEM, -EMFILE and the like; then nothing is open. */
int rx_poll_set_open(struct rx_poll_set *set);
void rx_poll_set_close(struct rx_poll_set *set);

/* A source for the descriptor, or NULL: out of memory. */
struct rx_poll_source *rx_poll_set_admit(struct rx_poll_set *set, int fd);

/* The source is given back and, if closed, so is its descriptor: by who polls if its poll may be looking at it. */
void rx_poll_set_part(struct rx_poll_set *set, struct rx_poll_source *source, enum rx_poll_parting parting);

/* Tell these events, once for each direction. */
void rx_poll_set_want(struct rx_poll_set *set, struct rx_poll_source *source, unsigned events);

/* rx_ops.wait up to telling what came: at most `batch` events, how many, or -errno. One thread at a time. */
int rx_poll_set_wait(struct rx_poll_set *set, int64_t timeout_ns, struct rx_poll_event *events, int batch);

void rx_poll_set_wake(struct rx_poll_set *set);

#endif
