/*
 * The physical limit of an echo server: what a hand-written loop of one thread takes for the same work over the same
 * calls of the kernel, with no runtime around it. One program for each way of asking the kernel.
 *
 * What could be held against it
 * - It is no server for the world. It does what echo_load and the tests ask of one (long messages, slow readers,
 *   resets), without time-outs, and ends the process where a descriptor is lacking.
 * - It is one thread whatever --workers says, so it schedules nothing and shares nothing. Hold messages per second of
 *   processor time against it, not messages per second, where others have several workers.
 */
#ifndef STEALYARD_BENCH_PEERS_LIMIT_H
#define STEALYARD_BENCH_PEERS_LIMIT_H

#include "bench/peers/c-common/peer.h"

enum { LIMIT_BUFFER = 4096, LIMIT_BATCH = 128 }; /* as our echo server has it, and as our reactors take by default */

/* A descriptor that can be read once SIGTERM or SIGINT came. */
int limit_signals(void);

/* accept4, and no delay; -1 and errno. */
int limit_accept(int listener);

/* What a socket that was accepted otherwise needs. */
void limit_no_delay(int fd);

/* The whole program: `name` is limit-…, `what` how it asks the kernel. `need` as in struct peer. */
int limit_main(const char *name, const char *what, void (*need)(void), void (*serve)(unsigned workers, int listener),
               int argc, char **argv);

#endif
