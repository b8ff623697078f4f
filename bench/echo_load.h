/*
 * The load that every echo server is put under: one thread, one epoll instance, connections that each have one message
 * of random bytes under way. See echo_load.c for the program.
 *
 * Closed loop: a connection sends its next message as soon as the last one came back; a latency is the time from there.
 * Open loop: message number n is due n ÷ rate after the start and belongs to connection n mod connections; a latency is
 * taken from when it was due, also if its connection was still waiting for the one before.
 */
#ifndef STEALYARD_BENCH_ECHO_LOAD_H
#define STEALYARD_BENCH_ECHO_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/latency.h"

struct echo_load_options {
    uint16_t port;    /* on 127.0.0.1, */
    const char *path; /* or a Unix socket's, if it is not NULL */
    uint32_t connections;
    uint64_t window_ns; /* what is measured, after a warm-up of a tenth of it */
    uint64_t seed;      /* of the messages */
    uint64_t rate;      /* open loop: messages per second over all connections; 0: closed loop */
};

struct echo_load_result {
    uint64_t messages;      /* answered within the window */
    uint64_t answered;      /* in and out of it: what the server's whole use of processors is divided by */
    struct latency latency; /* of the messages whose start lies in the window; each was waited for */
    uint64_t connect;       /* failures: connections that could not be made */
    uint64_t reset;         /* that the server ended */
    uint64_t mismatch;      /* that answered with other bytes, or with too many */
    uint64_t unanswered;    /* messages that did not come back in time */
    char failure[160];      /* the first of them, in words; "": none */
};

/*
 * Connects, greets each connection with one message, warms up, measures and waits for what is under way.
 * Returns 0, or -errno if the load could not be put on at all; failures of the server are told in the result.
 */
int echo_load_run(const struct echo_load_options *options, struct echo_load_result *result);

#endif
