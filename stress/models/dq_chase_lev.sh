# shellcheck shell=bash disable=SC2034
header=queues/dq_chase_lev.h
last=(-DOWNER=uuoo -DTHIEVES=2)
growth=(-DOWNER=uu -DTHIEVES=2 -DPREFILLED=2)
reuse=(-DOWNER=uouu -DTHIEVES=1 -DSTEALS=2)

right "owner and two thieves at the last items" "${last[@]}"
right "growth while two thieves read" "${growth[@]}"
right "a slot used again" "${reuse[@]}"

wrong "pop without its fence" '/\[F1\] \*\//s/fence_seq_cst()/(void)0/' "${last[@]}"
wrong "steal without its fence" '/\[F2\] \*\//s/fence_seq_cst()/(void)0/' "${last[@]}"
wrong "push publishes with relaxed" '/\[P4\] \*\//s/release/relaxed/' "${last[@]}"
wrong "steal reads bottom with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "the last item without compare-and-swap" \
    '/\[O4\] \*\//s/ai64_cas_seq_cst(&d->top, &top, \(.*\));/(ai64_store_seq_cst(\&d->top, \1), true);/' \
    "${last[@]}"
wrong "pop takes bottom down with relaxed" '/\[O1\] \*\//s/release/relaxed/' "${last[@]}"
wrong "growth publishes the array with relaxed" '/\[G2\] \*\//s/release/relaxed/' "${growth[@]}"
wrong "steal reads the array with relaxed" '/\[T3\] \*\//s/acquire/relaxed/' "${growth[@]}"
wrong "the old array freed at once" 's/reclaim_defer(reclaim, &old->retired, .*);/free(old);/' "${growth[@]}"
