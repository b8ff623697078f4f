# shellcheck shell=bash disable=SC2034
header=queues/dq_st3.h
last=(-DOWNER=uo -DTHIEVES=2)
popped=(-DOWNER=uouo -DTHIEVES=1 -DPREFILLED=2 -DCAPACITY=4 -DNEVER_EMPTY=1)
two=(-DOWNER=u -DTHIEVES=2 -DPREFILLED=1)
half=(-DOWNER=ou -DTHIEVES=2 -DPREFILLED=3 -DCAPACITY=4 -DMAX=2 -DOWN=1)
reuse=(-DOWNER=uou -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=1)
left=(-DOWNER=u -DTHIEVES=2 -DPREFILLED=2 -DCAPACITY=4 -DMAX=2 -DOWN=1 -DNEVER_EMPTY=1)
both=(-DOWNER=u -DTHIEVES=2 -DPREFILLED=2)
oldest=(-DOWNER=tu -DTHIEVES=2 -DPREFILLED=3 -DCAPACITY=4 -DMAX=2)
border=(-DOWNER=uouu -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=1 -DFIRST=0xffffffff)

right "owner and two thieves at the last item" "${last[@]}"
right "never empty while something is inside" "${popped[@]}"
right "two thieves, one after the other" "${two[@]}"
right "two thieves take half, into deques of their own" "${half[@]}"
right "a slot used again" "${reuse[@]}"
right "half of two or three leaves one for the second thief" "${left[@]}"
right "a slot used again after two thieves" "${both[@]}"
right "the owner takes the oldest" "${oldest[@]}"
right "counters that pass 2^32" "${border[@]}"

wrong "push publishes with relaxed" 's/au32_store_release(&d->pushes/au32_store_relaxed(\&d->pushes/' "${last[@]}"
wrong "steal reads the pushes with relaxed" '/\[T3\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "steal reads the claims with relaxed" '/\[T1\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "pop counts itself with relaxed" '/\[O2\] \*\//s/release/relaxed/' "${last[@]}"
wrong "pop without compare-and-swap" \
    '/\[O2\] \*\//s/au64_cas_release(&d->claims, &claims, \(.*\))) {/(au64_store_release(\&d->claims, \1), true)) {/' \
    "${last[@]}"
wrong "a claim hands nothing on to the next thief" '/\[T4\] \*\//s/acq_rel/acquire/' "${left[@]}"
wrong "a claim that failed reads with relaxed" '/\[T4\] \*\//s/acq_rel/release/' "${popped[@]}"
wrong "is_empty reads the claims with relaxed" '/\[E1\] \*\//s/acquire/relaxed/' "${popped[@]}"
wrong "two thieves copy at a time" 's/if (claimed != head) {/if (false) {/' "${two[@]}"
wrong "more claimed than half" 's/half < max ? half : (uint32_t)max/(uint32_t)max/' "${half[@]}"
wrong "a thief lets go with relaxed" '/\[T5\] \*\//s/release/relaxed/' "${reuse[@]}"
wrong "a thief reads the head of the one before with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${both[@]}"
wrong "push reads the head with relaxed" '/\[P1\] \*\//s/acquire/relaxed/' "${reuse[@]}"
wrong "push does not look for room" 's/d->capacity - (d->tail - d->head_seen);/d->capacity;/' "${reuse[@]}"
wrong "the head taken for free before it is copied" \
    's/^        d->head_seen = .*/        d->head_seen = (uint32_t)au64_load_acquire(\&d->claims);/' "${border[@]}"
