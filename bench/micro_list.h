/* Who makes the cases of the micro-benchmarks. */
#ifndef STEALYARD_BENCH_MICRO_LIST_H
#define STEALYARD_BENCH_MICRO_LIST_H

#ifdef __cplusplus
extern "C" {
#endif

#include "micro_peers_found.h" /* made by CMake: MICRO_PEERS, the peers whose library is here */

/* For each name X there is a function void X_add(void), which calls micro_add. */
#define MICRO_LIST(PART)                                                                                               \
    PART(micro_reference)                                                                                              \
    PART(micro_plain)                                                                                                  \
    PART(micro_gq)                                                                                                     \
    PART(micro_dq) PART(micro_rx) PART(micro_timers) PART(micro_timers_plain) PART(micro_rx_epoll_raw)                 \
        MICRO_PEERS(PART)

#define MICRO_DECLARE(part) void part##_add(void);
MICRO_LIST(MICRO_DECLARE)
#undef MICRO_DECLARE

#ifdef __cplusplus
}
#endif

#endif
