/* Every workload, once: a line here declares `workload_<name>` and puts it into the table. WORKLOADS.md describes them. */
#ifndef STEALYARD_BENCH_WORKLOAD_LIST_H
#define STEALYARD_BENCH_WORKLOAD_LIST_H

#define WORKLOAD_LIST(W)                                                                                               \
    W(spawn_many_local)                                                                                                \
    W(spawn_many_remote_idle)                                                                                          \
    W(spawn_many_remote_busy1)                                                                                         \
    W(spawn_many_remote_busy2)                                                                                         \
    W(yield_many)                                                                                                      \
    W(ping_pong)                                                                                                       \
    W(chained_spawn)                                                                                                   \
    W(skynet)                                                                                                          \
    W(fib)                                                                                                             \
    W(echo)

#endif
