# shellcheck shell=bash disable=SC2034
header=queues/gq_segments.h
crossed=(-DPUSHERS=1 -DPREFILLED=2 -DPOPPERS=1 -DMAX=2 -DPOPS=2)
# Too many to run through; a fault is found at once.
passed=(-DPUSHERS=0 -DPREFILLED=3 -DPOPPERS=2 -DMAX=2 -DPOPS=2)
many=(-DPUSHERS=1 -DPREFILLED=2 -DPOPPERS=2 -DMAX=2 -DPOPS=2)
pushers=(-DPUSHERS=2 -DPOPPERS=0 -DPREFILLED=2)

right "a segment begun, and the one before passed" "${crossed[@]}"

wrong "a segment linked with relaxed" '/\[S2\] \*\//s/seq_cst/relaxed/' "${crossed[@]}"
wrong "a next segment found with relaxed" '/\[N\] \*\//s/seq_cst/relaxed/' "${crossed[@]}"
wrong "the oldest segment read with relaxed" '/gq_segments_oldest/,/^}/s/acquire/relaxed/' "${many[@]}"
wrong "the newest segment read with relaxed" '/gq_segments_newest/,/^}/s/acquire/relaxed/' "${pushers[@]}"
wrong "tail moved with relaxed" '/\[S3\] \*\//s/release/relaxed/' "${pushers[@]}"
wrong "head moved with relaxed" '/\[S4\] \*\//s/release/relaxed/' "${many[@]}"
wrong "a segment freed at once" 's/reclaim_defer(list->reclaim, &first->retired, .*);/free(first);/' "${passed[@]}"
wrong "two segments linked in one place" \
    's/if (!aptr_cas_seq_cst(&last->next, &none, segment)) {/aptr_store_seq_cst(\&last->next, segment); if (none) {/' \
    "${pushers[@]}"
