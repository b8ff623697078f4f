# shellcheck shell=bash disable=SC2034
header=queues/gq_scq.h
empties=(-DPUSHERS=1 -DPOPPERS=1 -DPOPS=2)
pushers=(-DPUSHERS=2 -DPOPPERS=0)
poppers=(-DPUSHERS=0 -DPOPPERS=2 -DPREFILLED=2)
meet=(-DPUSHERS=2 -DPOPPERS=1)
# A push and a pop that may get in each other's way until the threshold ends it: too many executions to go through them
# all when nothing is wrong.
chase=(-DPUSHERS=1 -DPOPPERS=1 -DPREFILLED=1 -DPOPS=2)

right "a push, and a popper that finds the queue empty" "${empties[@]}"
right "two pushers" "${pushers[@]}"
right "two poppers" "${poppers[@]}"
right "two pushers and a popper" "${meet[@]}"

wrong "enqueue puts its index in with relaxed" '/\[Q4\] \*\//s/seq_cst/relaxed/' "${chase[@]}"
wrong "an enqueue that leaves the threshold low" '/\[R1\]/d' "${empties[@]}"
wrong "a dequeue that does not stamp an empty entry" 's/? cycle | (entry & safe) | nothing :/? entry :/' "${chase[@]}"
wrong "two dequeues with one ticket" \
    's/au64_fetch_add_seq_cst(&ring->head, 1);/au64_load_seq_cst(\&ring->head); au64_store_seq_cst(\&ring->head, ticket + 1);/' \
    "${poppers[@]}"
