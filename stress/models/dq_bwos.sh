# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=stress/models/dq_bwos_block.bash
source stress/models/dq_bwos_block.bash
last=(-DOWNER=uuoo -DTHIEVES=2)
again=(-DPREFILLED=2 -DOWNER=oouu -DTHIEVES=1 -DSTEALS=2)
round=(-DPREFILLED=2 -DOWNER=tutuu -DTHIEVES=1)
two=(-DPREFILLED=3 -DOWNER=oou -DTHIEVES=1 -DCAPACITY=4 -DMAX=2 -DOWN=1)
kept=(-DPREFILLED=1 -DOWNER=ut -DTHIEVES=1 -DCAPACITY=4 -DNEVER_EMPTY=1 -DNEVER_FULL=1)
never=(-DPREFILLED=3 -DOWNER=ou -DTHIEVES=1 -DCAPACITY=4 -DNEVER_EMPTY=1 -DNEVER_FULL=1)

right "owner and two thieves at the last items" "${last[@]}"
right "a block taken over and granted again" "${again[@]}"
right "the ring comes round" "${round[@]}"
right "blocks of two, taken whole or by halves" "${two[@]}"
right "what is inside is never called empty" "${never[@]}"
right "what is left of the own block is never called empty" "${kept[@]}"

wrong "grants without a number" '/d->number +=/d' "${again[@]}"
block_wrong
wrong "the next block is marked as own after the grant" "$bounded;"'/\[W1\] \*\//{h;d};/\[W2\] \*\//G' "${last[@]}"
wrong "low is read with relaxed" "$bounded;"'/\[L1\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "low is moved with relaxed" "$bounded;"'/\[L2\] \*\//s/acq_rel/relaxed/' "${last[@]}"
wrong "the own block's oldest items are taken unseen" '/\[W5\] \*\//s/release/relaxed/' "${kept[@]}"
header=queues/dq_bwos.h
wrong "a takeover without compare-and-swap" \
    's/!au64_cas_acquire(below, &word, word | DQ_BWOS_OWN)/(au64_store_release(below, word | DQ_BWOS_OWN), false)/' \
    "${last[@]}"
wrong "a takeover marks the block as spent" 's/word | DQ_BWOS_OWN)/(word \& ~DQ_BWOS_FROM) | d->size)/' "${again[@]}"
wrong "a takeover from the first slot on" \
    's/d->floor = bottom - d->size + .*;/d->floor = bottom - d->size;/' "${two[@]}"
