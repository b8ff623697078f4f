/* Every workload, once: a line here declares `workload_<name>` and puts it into the table. WORKLOADS.md describes them. */
#ifndef STEALYARD_BENCH_WORKLOAD_LIST_H
#define STEALYARD_BENCH_WORKLOAD_LIST_H

/* Those that need SHA-1, from nettle. */
#ifdef STEALYARD_NETTLE
#define WORKLOAD_LIST_UTS(W) W(uts_t1) W(uts_t3)
#else
#define WORKLOAD_LIST_UTS(W)
#endif

#define WORKLOAD_LIST_WAKEUP(W, kind)                                                                                  \
    W(wakeup_parallel_##kind##_0us)                                                                                    \
    W(wakeup_parallel_##kind##_1us)                                                                                    \
    W(wakeup_parallel_##kind##_2us)                                                                                    \
    W(wakeup_parallel_##kind##_5us)                                                                                    \
    W(wakeup_parallel_##kind##_10us)                                                                                   \
    W(wakeup_parallel_##kind##_20us)                                                                                   \
    W(wakeup_parallel_##kind##_50us)                                                                                   \
    W(wakeup_parallel_##kind##_100us)

#define WORKLOAD_LIST_NOTIFY(W, way)                                                                                   \
    W(sync_notify_##way##_10)                                                                                          \
    W(sync_notify_##way##_50)                                                                                          \
    W(sync_notify_##way##_100)                                                                                         \
    W(sync_notify_##way##_200)                                                                                         \
    W(sync_notify_##way##_500)

#define WORKLOAD_LIST(W)                                                                                               \
    W(spawn_many_local)                                                                                                \
    W(spawn_many_remote_idle)                                                                                          \
    W(spawn_many_remote_busy1)                                                                                         \
    W(spawn_many_remote_busy2)                                                                                         \
    W(remote_spawn_1)                                                                                                  \
    W(remote_spawn_2)                                                                                                  \
    W(remote_spawn_4)                                                                                                  \
    W(remote_spawn_8)                                                                                                  \
    W(remote_spawn_16)                                                                                                 \
    W(remote_spawn_32)                                                                                                 \
    W(remote_spawn_64)                                                                                                 \
    W(yield_many)                                                                                                      \
    W(ping_pong)                                                                                                       \
    W(chained_spawn)                                                                                                   \
    W(spawn_blocking_1)                                                                                                \
    W(spawn_blocking_16)                                                                                               \
    W(spawn_blocking_64)                                                                                               \
    W(create_goroutines)                                                                                               \
    W(create_goroutines_parallel)                                                                                      \
    W(light_tasks)                                                                                                     \
    W(yield_300)                                                                                                       \
    W(recursive_spawn)                                                                                                 \
    W(channel_ring)                                                                                                    \
    W(yielders_many)                                                                                                   \
    W(yielders_few)                                                                                                    \
    W(sync_mpsc_100)                                                                                                   \
    W(sync_mpsc_1000000)                                                                                               \
    W(sync_mpsc_unbounded)                                                                                             \
    WORKLOAD_LIST_NOTIFY(W, waiters)                                                                                   \
    WORKLOAD_LIST_NOTIFY(W, one)                                                                                       \
    W(sync_semaphore_uncontended)                                                                                      \
    W(sync_semaphore_contended)                                                                                        \
    W(ping_pong_hog)                                                                                                   \
    WORKLOAD_LIST_WAKEUP(W, spinning)                                                                                  \
    WORKLOAD_LIST_WAKEUP(W, syscall)                                                                                   \
    W(cycle_many)                                                                                                      \
    W(cycle_few)                                                                                                       \
    W(churn_many)                                                                                                      \
    W(churn_few)                                                                                                       \
    W(locality_share)                                                                                                  \
    W(locality_noshare)                                                                                                \
    W(transfer)                                                                                                        \
    W(mixed)                                                                                                           \
    W(skynet)                                                                                                          \
    W(fib)                                                                                                             \
    W(fib_42)                                                                                                          \
    W(nqueens)                                                                                                         \
    W(nqueens_14)                                                                                                      \
    WORKLOAD_LIST_UTS(W)                                                                                               \
    W(bpc)                                                                                                             \
    W(bpc_10000)                                                                                                       \
    W(echo)

#endif
