# shellcheck shell=bash disable=SC2034
header=queues/node_pool.h
chain=(-DTAKERS=2 -DGIVEN=2)
three=(-DTAKERS=3 -DGIVEN=2)
full=(-DTAKERS=1 -DGIVEN=5)

right "a chain for two" "${chain[@]}"
right "a chain for three" "${three[@]}"
right "more than there are racks for" "${full[@]}"

wrong "a shelf opened with relaxed" '/\[1\] \*\//s/acquire/relaxed/' "${chain[@]}"
wrong "a shelf closed with relaxed" '/\[2\] \*\//s/release/relaxed/' "${chain[@]}"
wrong "a shelf for two" 's/(&shelf->busy, 1) == 0/(\&shelf->busy, 1) < 2/' "${chain[@]}"
wrong "a chain given with relaxed" '/\[3\] \*\//s/release/relaxed/' "${chain[@]}"
wrong "a chain taken with relaxed" '/\[5\] \*\//s/exchange_acquire/exchange_relaxed/' "${chain[@]}"
wrong "a chain taken and left" 's/aptr_exchange_acquire(rack, NULL)/aptr_load_acquire(rack)/' "${chain[@]}"
wrong "a full rack given to" 's/if (!aptr_load_relaxed(&pool->spare\[i\]))/if (true)/' "${full[@]}"
