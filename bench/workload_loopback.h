/* TCP connections on loopback, both ends on the runtime: far ends that echo, near ends that send and compare. */
#ifndef STEALYARD_BENCH_WORKLOAD_LOOPBACK_H
#define STEALYARD_BENCH_WORKLOAD_LOOPBACK_H

#include "bench/workload.h"

enum { LOOPBACK_MESSAGE = 64 /* bytes */ };

/* A connection with a task at its far end. */
struct loopback {
    struct sy_socket near;
    struct sy_join far;
    uint64_t random; /* the generator that its messages come from */
};

/* Random bytes, as many as a message has. */
void loopback_fill(uint64_t *random, unsigned char *message);

/* Ends the process if it cannot. */
void loopback_open(const struct workload_run *run, struct loopback *connections, unsigned n);

/* False, and noted, if a far end met an error or they did not echo `bytes` bytes in all. */
bool loopback_close(struct workload_run *run, struct loopback *connections, unsigned n, uint64_t bytes);

/*
 * The main thread awaits a task whose output, the first field of its future, is an int64_t: 0 or more, or -errno, which
 * is noted as that of the i-th of its kind. Returns the output.
 */
int64_t loopback_join(struct workload_run *run, const char *kind, unsigned i, struct sy_join *join);

#endif
