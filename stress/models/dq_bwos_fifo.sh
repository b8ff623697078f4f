# shellcheck shell=bash disable=SC2034
# Blocks of one slot where nothing else is said (half of the capacity), so that a few operations use blocks again.
header=queues/dq_bwos_block.h
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

wrong "a grant with relaxed" '/\[W2\] \*\//s/release/relaxed/' "${last[@]}"
wrong "a word read with relaxed" '/\[W0\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "a theft without compare-and-swap" \
    's/!au64_cas_release(dq_bwos_word(d, oldest), &word, word + n)) {/(au64_store_release(dq_bwos_word(d, oldest), word + n), false)) {/' \
    "${last[@]}"
# These let thieves go past blocks without end.
bounded='s/for (;;) {/for (int turns = 0;; turns++) { assert(turns < 4);/'
wrong "the next block is not marked as own" "$bounded;"'/\[W1\] \*\//d' "${last[@]}"
wrong "held is read with relaxed" '/\[D2\] \*\//s/acquire/relaxed/' "${own[@]}"
wrong "held is not looked at" 's/return false;/{}/;/\[D2\] \*\//s/> 0/> 9/' "${own[@]}"
header=queues/dq_bwos_fifo.h
wrong "held is stored with relaxed" '/\[D1\] \*\//s/release/relaxed/' "${own[@]}"
wrong "the own block's items are held unseen" '/\[W5\] \*\//s/release/relaxed/' "${own[@]}"
wrong "a granted block's items are held unseen" '/\[W4\] \*\//s/acq_rel/relaxed/' "${granted[@]}"
wrong "a granted block is held without compare-and-swap" \
    's/if (au64_cas_acq_rel(dq_bwos_word(d, oldest), &word, word + left)) {/au64_store_release(dq_bwos_word(d, oldest), word + left); {/' \
    "${last[@]}"
