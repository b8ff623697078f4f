/* Work of a known length between operations, and where threads run. */
#ifndef STEALYARD_BENCH_MICRO_WORK_H
#define STEALYARD_BENCH_MICRO_WORK_H

#include <pthread.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many turns of the spin take `ns` on this machine; measured at the first call, which takes a few milliseconds. */
uint64_t micro_spin_turns(uint64_t ns);

/*
 * Spins half to one and a half of `turns`, more than 0, at random, so that threads do not fall into step. A chain of
 * dependent multiplications: no memory, no clock (reading one takes as long as the shortest work there is).
 */
void micro_spin(uint64_t turns, uint64_t *random);

/* Lets a thread with these attributes run on one processor only: the index-th that we may use, round and round. */
void micro_pin(pthread_attr_t *attributes, unsigned index);

#ifdef __cplusplus
}
#endif

#endif
