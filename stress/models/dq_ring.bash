# shellcheck shell=bash disable=SC2034
# What the models of dq_tokio_ring and dq_go_ring share: the shapes, what must be right, and the faults of dq_ring.h.
last=(-DOWNER=uuoo -DTHIEVES=2)
before_wrap=(-DOWNER=uuoo -DTHIEVES=2 -DFIRST=-1)
reuse=(-DOWNER=ou -DTHIEVES=2 -DPREFILLED=2)
overflow=(-DOWNER=ut -DTHIEVES=2 -DPREFILLED=2 -DMAX=2)
halves=(-DOWNER=uo -DTHIEVES=2 -DPREFILLED=4 -DCAPACITY=4 -DMAX=2 -DOWN=1)
robbed=(-DOWNER=o -DTHIEVES=2 -DPREFILLED=4 -DCAPACITY=4 -DMAX=2 -DOWN=1 -DROBBED=1)
popped=(-DOWNER=uoo -DTHIEVES=1 -DPREFILLED=2 -DCAPACITY=4 -DNEVER_EMPTY=1)
overflown=(-DOWNER=ut -DTHIEVES=1 -DPREFILLED=2 -DCAPACITY=4 -DMAX=2 -DNEVER_EMPTY=1)
half_left=(-DOWNER=u -DTHIEVES=2 -DPREFILLED=2 -DCAPACITY=4 -DMAX=2 -DOWN=1 -DNEVER_EMPTY=1)
full=(-DOWNER=uo -DTHIEVES=1 -DPREFILLED=2)
let_go=(-DOWNER=o -DTHIEVES=1 -DPREFILLED=2 -DNEVER_FULL=1)

ring_right() {
    right "owner and two thieves at the last items" "${last[@]}"
    right "the same where the index wraps" "${before_wrap[@]}"
    right "slots used again" "${reuse[@]}"
    right "an overflow, robbed" "${overflow[@]}"
    right "two thieves that take half" "${halves[@]}"
    right "a thief that is robbed of it" "${robbed[@]}"
    right "not empty before the last pop" "${popped[@]}"
    right "not empty after an overflow" "${overflown[@]}"
    right "not empty while half is left" "${half_left[@]}"
    right "full" "${full[@]}"
    right "room at the end" "${let_go[@]}"
}

ring_wrong() {
    header=queues/dq_ring.h
    wrong "push publishes with relaxed" '/\[P4\] \*\//s/release/relaxed/' "${last[@]}"
    wrong "push into a slot that is taken" 's/if (dq_ring_room(d, tail, 1, held_bits) == 0)/if (false)/' "${full[@]}"
    wrong "pop without compare-and-swap" \
        '/\[O2\]/s/au64_cas_acq_rel(\(.*\), &d->head_seen, next)/(au64_store_release(\1, next), true)/' \
        "${last[@]}"
    wrong "pop does not release" '/\[O2\] \*\//s/cas_acq_rel/cas_acquire/' "${popped[@]}"
    wrong "an overflow without compare-and-swap" \
        '/\[B2\]/s/!au64_cas_acq_rel(\(.*\), &d->head_seen, next)/(au64_store_release(\1, next), false)/' \
        "${overflow[@]}"
    wrong "an overflow does not release" '/\[B2\] \*\//s/cas_acq_rel/cas_acquire/' "${overflown[@]}"
    wrong "a thief reads head with relaxed" '/look->head = .* \[T1\] \*\//s/acquire/relaxed/' "${popped[@]}"
    wrong "is_empty reads head with relaxed" '/uint64_t head = .* \[T1\] \*\//s/acquire/relaxed/' "${popped[@]}"
    wrong "a thief reads tail with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${last[@]}"
    wrong "a thief publishes with relaxed" '/\[T6\] \*\//s/release/relaxed/' "${robbed[@]}"
}
