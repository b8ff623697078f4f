/*
 * The workload echo, as far as it is the same on every event loop: what the clients send and check, and the main
 * thread's wait for them. Each client belongs to one loop's thread.
 */
#ifndef STEALYARD_BENCH_PEERS_PEER_ECHO_H
#define STEALYARD_BENCH_PEERS_PEER_ECHO_H

#include <semaphore.h>

#include "bench/peers/c-common/peer.h"
#include "queues/atomics.h"

enum { ECHO_CONNECTIONS = 64, ECHO_ROUNDS = 50, ECHO_MESSAGE = 64 };

struct echo_run {
    sem_t done;          /* posted by the last client of an iteration */
    struct au32 running; /* clients that are not done */
    uint64_t sent;       /* bytes, known to the main thread */
};

struct echo_client {
    struct echo_run *run;
    uint64_t random;
    unsigned rounds;     /* begun in this iteration */
    size_t received;     /* bytes of the round */
    const char *failure; /* NULL: none; read by the main thread when all are done */
    unsigned char message[ECHO_MESSAGE];
};

/* ---- the main thread's ---- */

void echo_run_init(struct echo_run *run);
void echo_client_init(struct echo_client *client, struct echo_run *run, uint64_t seed, unsigned index);

/* Before the loops are told to begin, and after. */
void echo_begin(struct echo_run *run);
bool echo_wait(struct echo_run *run, const struct echo_client *clients, struct peer_run *peer_run);

/* With the bytes that the servers echoed. */
bool echo_verify(struct echo_run *run, uint64_t echoed, struct peer_run *peer_run);

/* ---- the loops' threads' ---- */

/* Begins an iteration: the first message is in client->message. */
void echo_client_begin(struct echo_client *client);

/* Takes what came back. True: client->message is to be sent. */
bool echo_client_take(struct echo_client *client, const void *bytes, size_t length);

/* The connection failed; whoever waits is told. */
void echo_client_fail(struct echo_client *client, const char *failure);

#endif
