/* The process's peak memory over a case, in KiB; 0 where /proc does not tell. */
#ifndef STEALYARD_BENCH_MICRO_MEMORY_H
#define STEALYARD_BENCH_MICRO_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets the peak back to what is in memory now, and returns that. Where it cannot be set the peak is the process's. */
uint64_t micro_memory_start(void);

uint64_t micro_memory_peak(void);

#ifdef __cplusplus
}
#endif

#endif
