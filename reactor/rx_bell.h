/*
 * A descriptor that any thread can make readable, to end another's poll(2): an eventfd, or a pipe where there is none.
 * Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_BELL_H
#define STEALYARD_REACTOR_RX_BELL_H

struct rx_bell {
    int in, out; /* in: readable from rx_bell_ring until rx_bell_silence; the same as out where it is an eventfd */
};

/* 0 or -errno; then nothing is open. */
int rx_bell_open(struct rx_bell *bell);
void rx_bell_close(struct rx_bell *bell);

/* Any thread, any number of times. */
void rx_bell_ring(const struct rx_bell *bell);

/* One thread at a time, and after it was seen readable. */
void rx_bell_silence(const struct rx_bell *bell);

#endif
