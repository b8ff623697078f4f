# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=stress/models/dq_bwos_block.bash
source stress/models/dq_bwos_block.bash
last=(-DOWNER=uuo -DTHIEVES=2)
pops=(-DPREFILLED=2 -DOWNER=ouou -DTHIEVES=1)
round=(-DPREFILLED=2 -DOWNER=tutuu -DTHIEVES=1)
two=(-DPREFILLED=3 -DOWNER=ouo -DTHIEVES=1 -DCAPACITY=4 -DMAX=2 -DOWN=1)
own=(-DPREFILLED=2 -DOWNER=ouo -DTHIEVES=1 -DCAPACITY=4 -DNEVER_EMPTY=1 -DNEVER_FULL=1)
granted=(-DPREFILLED=2 -DOWNER=uo -DTHIEVES=1 -DCAPACITY=4 -DNEVER_EMPTY=1 -DNEVER_FULL=1)

right "owner and two thieves at the last items" "${last[@]}"
right "pops between pushes" "${pops[@]}"
right "the ring comes round" "${round[@]}"
right "blocks of two, taken whole or by halves" "${two[@]}"
right "what is held of the own block is never called empty" "${own[@]}"
right "what is held of a granted block is never called empty" "${granted[@]}"

block_wrong
wrong "held is read with relaxed" '/\[D2\] \*\//s/acquire/relaxed/' "${own[@]}"
wrong "held is not looked at" 's/return false;/{}/;/\[D2\] \*\//s/> 0/> 9/' "${own[@]}"
header=queues/dq_bwos_fifo.h
wrong "held is stored with relaxed" '/\[D1\] \*\//s/release/relaxed/' "${own[@]}"
wrong "the own block's items are held unseen" '/\[W5\] \*\//s/release/relaxed/' "${own[@]}"
wrong "a granted block's items are held unseen" '/\[W4\] \*\//s/acq_rel/relaxed/' "${granted[@]}"
wrong "a granted block is held without compare-and-swap" \
    's/if (au64_cas_acq_rel(\(dq_bwos_word(.*)\), &word, \(word + left\))) {/au64_store_release(\1, \2); {/' \
    "${last[@]}"
