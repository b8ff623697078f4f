# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=stress/models/dq_ring.bash
source stress/models/dq_ring.bash
overflow_behind=(-DOWNER=tu -DTHIEVES=1 -DPREFILLED=2)
second=(-DOWNER=u -DTHIEVES=2 -DPREFILLED=2)

header=queues/dq_tokio_ring.h
ring_right
wrong "a claim without compare-and-swap" \
    '/\[T4\]/s/!au64_cas_release(\(.*\), &look.head, \(.*\))) {/(au64_store_release(\1, \2), false)) {/' \
    "${last[@]}"
wrong "a claim that does not release" '/\[T4\] \*\//s/cas_release/cas_relaxed/' "${half_left[@]}"
wrong "a claim that holds nothing" '/\[T4\] \*\//s/ + n)) {/)) {/' "${reuse[@]}"
wrong "a second thief behind the first" 's/if (dq_ring_held(look.head, held_bits) > 0)/if (false)/' "${second[@]}"
wrong "a thief that does not let go" '/\[T5\] \*\//d' "${let_go[@]}"

ring_wrong
wrong "a pop behind a theft that holds nothing" 's/held_bits) + holding;/held_bits);/' "${reuse[@]}"
wrong "held slots taken for free ones" 's/ - dq_ring_held(d->head_seen, held_bits);/;/' "${reuse[@]}"
wrong "an overflow behind a theft" 's/n == 0 || dq_ring_held(head, held_bits) > 0/n == 0/' "${overflow_behind[@]}"
