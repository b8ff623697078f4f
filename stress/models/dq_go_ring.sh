# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=stress/models/dq_ring.bash
source stress/models/dq_ring.bash

header=queues/dq_go_ring.h
ring_right
wrong "a theft without compare-and-swap" \
    '/\[T4\]/s/!au64_cas_release(\(.*\), &look.head, \(.*\))) {/(au64_store_release(\1, \2), false)) {/' \
    "${last[@]}"
wrong "a theft that does not release" '/\[T4\] \*\//s/cas_release/cas_relaxed/' "${half_left[@]}"
wrong "the copy after the compare-and-swap" \
    '/oldest = dq_ring_copy/d; s/\*out = oldest/*out = dq_ring_copy(victim, look.head, thief, n)/' "${reuse[@]}"

ring_wrong
