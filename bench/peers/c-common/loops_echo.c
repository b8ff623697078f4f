/* The workload echo: which loop has which end of a connection. */
#include <unistd.h>

#include "bench/peers/c-common/loops.h"

static struct echo_run run;
static struct echo_client clients[ECHO_CONNECTIONS];
static struct loops loops;

static void echo_setup(struct peer_run *peer_run) {
    uint16_t port = 0;
    int listener = peer_listen(&port), pair[2];
    echo_run_init(&run);
    loops_start(&loops, peer_run->workers);
    for (unsigned i = 0; i < ECHO_CONNECTIONS; i++) {
        echo_client_init(&clients[i], &run, peer_run->seed, i);
        peer_connected_pair(listener, port, pair);
        loops_hand(&loops, i, pair[0], &clients[i]);
        loops_hand(&loops, i, pair[1], NULL);
    }
    close(listener);
}

static bool echo_iterate(struct peer_run *peer_run) {
    echo_begin(&run);
    loops_begin(&loops);
    return echo_wait(&run, clients, peer_run);
}

static bool echo_finish(struct peer_run *peer_run) {
    return echo_verify(&run, loops_stop(&loops), peer_run);
}

const struct peer_workload loops_echo = {
    .name = "echo",
    .summary = "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
    .check = "each byte came back as it was sent",
    .ops = ECHO_CONNECTIONS * ECHO_ROUNDS,
    .setup = echo_setup,
    .iterate = echo_iterate,
    .finish = echo_finish,
};
