# shellcheck shell=bash disable=SC2034
header=queues/gq_lprq.h
meet=(-DPUSHERS=1 -DPOPPERS=1)
shared=(-DPUSHERS=1 -DPOPPERS=2)
full=(-DPUSHERS=1 -DPOPPERS=1 -DPREFILLED=2)
pushers=(-DPUSHERS=2 -DPOPPERS=0 -DPREFILLED=1)
batches=(-DPUSHERS=1 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=2 -DSEGMENT=4)
passed=(-DPUSHERS=0 -DPOPPERS=2 -DPREFILLED=3 -DMAX=2)
stays=(-DPUSHERS=0 -DPOPPERS=2 -DPREFILLED=3 -DNEVER_EMPTY=1)
wrapped=(-DPUSHERS=1 -DPREFILLED=1 -DPOPPERS=1 -DFIRST=UINT64_MAX)
# Too many to run through; a fault is found at once.
many=(-DPUSHERS=1 -DEACH=3 -DPOPPERS=1)

right "a pusher and a popper" "${meet[@]}"
right "a pusher and two poppers" "${shared[@]}"
right "a ring begun while the one before is popped" "${full[@]}"
right "two pushers" "${pushers[@]}"
right "a batch each" "${batches[@]}"
right "batches from a ring that is passed" "${passed[@]}"
right "a queue that is never empty" "${stays[@]}"
right "tickets that wrap" "${wrapped[@]}"

wrong "an index set with relaxed" '/\[L8\] \*\//s/acq_rel/relaxed/' "${meet[@]}"
wrong "an index read with relaxed" '/\[L11\] \*\//s/acquire/relaxed/' "${meet[@]}"
wrong "a token left by its popper" \
    's/if (value && !aptr_cas_relaxed(\(.*\))) { \/\* \[L15\]/if (false) { \/* [L15]/' "${meet[@]}"
wrong "an index left by its popper" 's/return au64_cas_acq_rel(\(.*\); \/\* \[L16\] \*\//return true;/' "${meet[@]}"
wrong "an item put without a token" \
    's/return aptr_cas_release(\(.*\), &mine, item); \/\* \[L10\]/aptr_store_release(\1, item); return true; \/* [L10]/' "${meet[@]}"
wrong "an index set over the popper's" \
    's/if (late || !au64_cas_acq_rel(&cell->index, &index, \(.*\))) { .*/au64_store_release(\&cell->index, \1); if (late) {/' \
    "${shared[@]}"
wrong "\"empty\" without telling pushers of the look" '/emptiness_pushed_now/d' "${meet[@]}"
wrong "a ring passed before it is empty" 's/if (gq_lprq_inside(pops, pushes) == 0) {/{/' "${many[@]}"
wrong "the next ring not looked for before \"empty\"" 's/ || gq_segment_next(first)) {/) {/' "${full[@]}" -DPOPS=3
