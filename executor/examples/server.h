/*
 * What echo and httpd share: listening, accepting, and a graceful end on SIGTERM or SIGINT.
 *
 * The end, in order: 1 the listener is closed; 2 each connection is told, by an end of its input, to finish what it has
 * begun; 3 the server waits for the last one, for GRACE_NS at most or until a second signal; 4 the runtime drops the
 * rest.
 */
#ifndef STEALYARD_EXAMPLES_SERVER_H
#define STEALYARD_EXAMPLES_SERVER_H

#include <pthread.h>

#include "executor/examples/options.h"
#include "queues/atomics.h"

struct server_connection;

struct server {
    const struct program *program;
    struct sy_runtime *runtime;
    /* Spawns the task of a new connection; 0 or -errno, and then the socket is still the server's. */
    int (*spawn)(struct server *server, const struct sy_socket *socket);
    struct sy_socket listener;
    struct sy_address address;

    struct au32 ending; /* a hint for those who ask; the decision is made under the lock */
    pthread_mutex_t lock;
    struct server_connection *first; /* guarded by the lock, as are the two below */
    bool closed;                     /* no connection joins any more */
    struct sy_waker waker;           /* of whoever waits for the last connection */
};

/* What the future of a connection embeds. Zero but for `server` and `socket` until it has joined. */
struct server_connection {
    struct server *server;
    struct sy_socket socket; /* owned */
    struct server_connection *next, *previous;
    bool joined;
};

/*
 * Runs a server until a signal ends it: on --listen's `address`, or on 127.0.0.1 and `port` if that is NULL. Prints
 * "listening on ADDRESS". Returns the process's exit status.
 */
int server_run(struct server *server, const struct sy_config *config, const char *address, uint64_t port);

/* In a connection's first poll, when it has its final address. False: the server is ending; be ready at once. */
bool server_join(struct server_connection *connection);

/* Whether a connection should end after what it has begun. */
static inline bool server_is_ending(const struct server *server) {
    return au32_load_relaxed(&server->ending); /* a hint: whoever misses it is told by the end of its input */
}

/* In a connection's drop: closes its socket. */
void server_leave(struct server_connection *connection);

#endif
