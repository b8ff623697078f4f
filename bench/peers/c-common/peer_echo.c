/* See peer_echo.h. */
#include "bench/peers/c-common/peer_echo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/*
 * Accesses of echo_run.running:
 * (1) echo_begin: store relaxed; the loops learn of the iteration through a lock that is released after it.
 * (2) client_done: fetch_sub acq_rel. Release, partner (2) of the last one: what the client found is visible to whoever
 *     posts. The semaphore hands all of it on to the main thread.
 */

void echo_run_init(struct echo_run *run) {
    memset(run, 0, sizeof *run);
    if (sem_init(&run->done, 0, 0) != 0) {
        peer_die("no semaphore", errno);
    }
}

void echo_client_init(struct echo_client *client, struct echo_run *run, uint64_t seed, unsigned index) {
    /* Never 0, from which xorshift would not move. */
    *client = (struct echo_client){.run = run, .random = (seed ^ (index + 1)) * 0x9E3779B97F4A7C15 | 1};
}

void echo_begin(struct echo_run *run) {
    run->sent += (uint64_t)ECHO_CONNECTIONS * ECHO_ROUNDS * ECHO_MESSAGE;
    au32_store_relaxed(&run->running, ECHO_CONNECTIONS); /* (1) */
}

bool echo_wait(struct echo_run *run, const struct echo_client *clients, struct peer_run *peer_run) {
    while (sem_wait(&run->done) != 0) {
        if (errno != EINTR) {
            peer_die("a semaphore cannot be waited for", errno);
        }
    }
    bool ok = true;
    for (unsigned i = 0; i < ECHO_CONNECTIONS; i++) {
        ok = (!clients[i].failure || peer_fail(peer_run, "client %u: %s", i, clients[i].failure)) && ok;
    }
    return ok;
}

bool echo_verify(struct echo_run *run, uint64_t echoed, struct peer_run *peer_run) {
    sem_destroy(&run->done);
    return echoed == run->sent || peer_fail(peer_run, "bytes echoed: %" PRIu64 ", not %" PRIu64, echoed, run->sent);
}

static void client_done(struct echo_client *client) {
    if (au32_fetch_sub_acq_rel(&client->run->running, 1) == 1) { /* (2) */
        sem_post(&client->run->done);
    }
}

/* xorshift64 */
static void next_message(struct echo_client *client) {
    for (size_t i = 0; i < ECHO_MESSAGE; i += sizeof client->random) {
        client->random ^= client->random << 13;
        client->random ^= client->random >> 7;
        client->random ^= client->random << 17;
        memcpy(client->message + i, &client->random, sizeof client->random);
    }
    client->received = 0;
    client->rounds++;
}

void echo_client_begin(struct echo_client *client) {
    client->rounds = 0;
    next_message(client);
}

void echo_client_fail(struct echo_client *client, const char *failure) {
    bool waited_for = !client->failure && client->rounds > 0;
    client->failure = failure;
    if (waited_for) {
        client_done(client);
    }
}

bool echo_client_take(struct echo_client *client, const void *bytes, size_t length) {
    if (length > ECHO_MESSAGE - client->received || memcmp(client->message + client->received, bytes, length) != 0) {
        echo_client_fail(client, "an echo differs from what was sent");
        return false;
    }
    client->received += length;
    if (client->received < ECHO_MESSAGE) {
        return false;
    }
    if (client->rounds == ECHO_ROUNDS) {
        client->rounds = 0;
        client_done(client);
        return false;
    }
    next_message(client);
    return true;
}
