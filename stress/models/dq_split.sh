# shellcheck shell=bash disable=SC2034
header=queues/dq_split.h
last=(-DOWNER=uo -DTHIEVES=2)
again=(-DOWNER=uoou -DTHIEVES=1 -DCAPACITY=4 -DNEVER_FULL=1)
late=(-DOWNER=oouu -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=1)
asked=(-DOWNER=o -DTHIEVES=2 -DSTEALS=2 -DPREFILLED=2 -DCAPACITY=4)
half=(-DOWNER=ou -DTHIEVES=1 -DSTEALS=3 -DPREFILLED=4 -DCAPACITY=4 -DMAX=2 -DOWN=1)
reuse=(-DOWNER=uu -DTHIEVES=2 -DPREFILLED=1)
oldest=(-DOWNER=utu -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=3 -DCAPACITY=4 -DMAX=2)
never=(-DOWNER=uut -DTHIEVES=1 -DPREFILLED=2 -DCAPACITY=4 -DMAX=2 -DNEVER_EMPTY=1)
border=(-DOWNER=uouu -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=1 -DFIRST=0xffffffff)

right "owner and two thieves at the last item" "${last[@]}"
right "a position shared again while a thief sleeps" "${again[@]}"
right "a request that comes late" "${late[@]}"
right "two thieves that ask for more" "${asked[@]}"
right "a thief takes half, into a deque of its own" "${half[@]}"
right "a slot used again" "${reuse[@]}"
right "the owner takes the oldest, private ones too" "${oldest[@]}"
right "never empty while something is inside" "${never[@]}"
right "positions that pass 2^32" "${border[@]}"

wrong "sharing publishes with relaxed" '/\[G2\] \*\//s/release/relaxed/' "${again[@]}"
wrong "steal claims with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${again[@]}"
wrong "steal reads the slot before it claims" \
    's/^    \*out = dq_split_empty_slot(v, tail);/    (void)dq_split_empty_slot(v, tail);/
    s/^    if (!au64_cas_acquire(&v->word/    *out = aptr_load_relaxed(dq_split_slot(v, tail));\n&/' "${again[@]}"
wrong "taking back without compare-and-swap" \
    '/\[O3\] \*\//s/au64_cas_relaxed(&d->word, &word, \(.*\))); /(au64_store_release(\&d->word, \1), true)); /' \
    "${last[@]}"
wrong "a slot that was read keeps its item" '/\[S2\] \*\/$/d' "${again[@]}"
wrong "sharing while something is shared" '/void dq_split_share/,/^}/s/if (tail == d->split)/if (true)/' "${late[@]}"
wrong "push does not look whether the slot is free" 's/if (aptr_load_relaxed(slot)) {/if (false) {/' "${reuse[@]}"
wrong "taking the oldest leaves the border where it was" 's/n > shared ? tail + n : d->split;/d->split;/' "${oldest[@]}"
wrong "taking the oldest with relaxed" '/\[O4\] \*\//s/release/relaxed/' "${never[@]}"
wrong "steal reads the word with relaxed" '/\[T1\] \*\//s/acquire/relaxed/' "${never[@]}"
wrong "is_empty reads the word with relaxed" '/\[E1\] \*\//s/acquire/relaxed/' "${never[@]}"
wrong "private items taken for nothing" 's/== split ? DQ_EMPTY : DQ_RETRY/!= split ? DQ_EMPTY : DQ_RETRY/' "${never[@]}"
