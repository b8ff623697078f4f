/*
 * What the peers in C share: the command line, warm-up and samples, the JSON, as bench/WORKLOADS.md has them. The
 * runtimes themselves are in ../libuv and ../libevent. Nothing of ours runs in a peer: this does not link the library.
 */
#ifndef STEALYARD_BENCH_PEERS_PEER_H
#define STEALYARD_BENCH_PEERS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_SKIPPED = 77, PEER_WORKERS_MAX = 1024 };

struct peer_run {
    unsigned workers;
    uint64_t seed;
    char failure[160]; /* the first thing that was found wrong; "": nothing */
};

struct peer_workload {
    const char *name;
    const char *summary;
    const char *check; /* what is verified, in words */
    uint64_t ops;      /* operations in an iteration */
    void (*setup)(struct peer_run *run);
    bool (*iterate)(struct peer_run *run); /* false: it failed */
    bool (*finish)(struct peer_run *run);
};

struct peer {
    const char *program;                          /* libuv-peer */
    const char *version;                          /* libuv 1.44.2 */
    const struct peer_workload *const *workloads; /* ends with NULL */
    void (*need)(void); /* ends the process with PEER_SKIPPED where the machine lacks what serving takes; or NULL */
    /* Until SIGTERM or SIGINT. Calls peer_listening when it is ready for either. The listener is non-blocking. */
    void (*serve_echo)(unsigned workers, int listener);
};

/* The whole program. */
int peer_main(const struct peer *peer, int argc, char **argv);

/* Notes a failure, if it is the first. Returns false, for `return peer_fail(…)`. */
__attribute__((format(printf, 2, 3))) bool peer_fail(struct peer_run *run, const char *format, ...);

/* Says "what: the error's text" and ends the process with 1. `error` is an errno. */
_Noreturn void peer_die(const char *what, int error);

/* peer_die if a pointer is NULL. */
void *peer_need(void *pointer, const char *what);

/* ---- for the parts of a peer ---- */

struct peer_measured {
    uint64_t *samples_ns; /* to be freed */
    size_t iterations;
    double median_ns;
    uint64_t cpu_ns;
    long peak_rss_kib;
};

/* As workload_measure: for budget_ms, or exactly `iterations` if that is not 0. Ends early when one fails. */
void peer_measure(const struct peer_workload *workload, struct peer_run *run, uint64_t budget_ms, uint64_t iterations,
                  struct peer_measured *measured);

/* ---- sockets ---- */

/* Listens on 127.0.0.1, on any free port if it is 0; the port comes back through the pointer. */
int peer_listen(uint16_t *port);

/* The same on a Unix socket, whose path is free. It is left behind. */
int peer_listen_unix(const char *path);

/* Prints where the listener is, as the harness expects it. */
void peer_listening(int listener);

/* A connection, both ends non-blocking and without delay. */
void peer_connected_pair(int listener, uint16_t port, int out[2]);

#endif
