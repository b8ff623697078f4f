# shellcheck shell=bash disable=SC2034
header=queues/gq_faa_array.h
meet=(-DPUSHERS=1 -DPOPPERS=1)
shared=(-DPUSHERS=1 -DPOPPERS=2)
full=(-DPUSHERS=1 -DPOPPERS=1 -DPREFILLED=2)
pushers=(-DPUSHERS=2 -DPOPPERS=0 -DPREFILLED=1)
batches=(-DPUSHERS=1 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=2 -DSEGMENT=4)
passed=(-DPUSHERS=0 -DPOPPERS=2 -DPREFILLED=3 -DMAX=2)
stays=(-DPUSHERS=0 -DPOPPERS=2 -DPREFILLED=3 -DNEVER_EMPTY=1)
# Too many to run through; a fault is found at once.
many=(-DPUSHERS=1 -DEACH=3 -DPOPPERS=1)
again=(-DPUSHERS=1 -DPREFILLED=1 -DPOPPERS=1 -DPOPS=2 -DSEGMENT=4)

right "a pusher and a popper" "${meet[@]}"
right "a pusher and two poppers" "${shared[@]}"
right "a segment begun while the one before is popped" "${full[@]}"
right "two pushers" "${pushers[@]}"
right "a batch each" "${batches[@]}"
right "batches from a segment that is passed" "${passed[@]}"
right "a queue that is never empty" "${stays[@]}"

wrong "an item stored with relaxed" '/\[A6\] \*\//s/release/relaxed/' "${meet[@]}"
wrong "an item read with relaxed" '/\[A7\] \*\//s/acquire/relaxed/' "${meet[@]}"
wrong "an item that comes late, taken with relaxed" '/\[A8\] \*\//s/acquire/relaxed/' "${meet[@]}"
wrong "a cell that is left without being spoiled" 's/return item ? item : .*\[A8\] \*\//return item;/' "${meet[@]}"
wrong "an item stored over a spoiled cell" \
    's/done += aptr_cas_release(\(.*\), &none, items\[done\]);/(void)none; aptr_store_release(\1, items[done++]);/' \
    "${meet[@]}"
wrong "tickets taken with relaxed before the word is read" '/\[A2\] \*\//s/seq_cst/relaxed/' "${again[@]}"
wrong "\"empty\" without telling pushers of the look" '/emptiness_pushed_now/d' "${meet[@]}"
wrong "a ticket taken by load and store" \
    '/\[A5\] \*\//s/au64_fetch_add_relaxed(&first->pops, 1)/au64_load_relaxed(\&first->pops); first->pops.raw++/' \
    "${stays[@]}"
wrong "a segment passed before it is full" 's/if (au64_load_relaxed(&first->pops) >= list->size) {/{/' "${many[@]}"
wrong "the next segment not looked for before \"empty\"" 's/ || gq_segment_next(first)) {/) {/' "${full[@]}" -DPOPS=3
