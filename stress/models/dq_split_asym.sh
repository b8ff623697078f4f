# shellcheck shell=bash disable=SC2034
header=queues/dq_split_asym.h
only=(-DOWNER=o -DPREFILLED=1 -DTHIEVES=1)
last=(-DOWNER=oo -DPREFILLED=2 -DTHIEVES=1)
again=(-DOWNER=oo -DPREFILLED=2 -DTHIEVES=1 -DSTEALS=2)
pushed=(-DOWNER=uu -DTHIEVES=1)
shared=(-DOWNER=uu -DTHIEVES=1 -DSTEALS=2)
reused=(-DOWNER=ouo -DPREFILLED=1 -DTHIEVES=1)
back=(-DOWNER=ooo -DPREFILLED=3 -DCAPACITY=4 -DTHIEVES=1)
batch=(-DOWNER=o -DPREFILLED=4 -DCAPACITY=4 -DTHIEVES=1 -DMAX=2 -DOWN=1)
more=(-DOWNER=uuu -DCAPACITY=4 -DTHIEVES=1 -DMAX=2 -DOWN=1)
two=(-DOWNER=o -DPREFILLED=1 -DTHIEVES=2)
growth=(-DOWNER=u -DPREFILLED=2 -DTHIEVES=1)
oldest=(-DOWNER=ut -DPREFILLED=1 -DTHIEVES=1)
filled=(-DOWNER=o -DPREFILLED=3 -DCAPACITY=4 -DTHIEVES=1 -DNEVER_EMPTY=1)
answer=(-DOWNER=uo -DTHIEVES=1 -DPATIENCE=1)

right "owner and thief at the only item" "${only[@]}"
right "owner and thief at the last items" "${last[@]}"
right "pushed under a thief's eyes" "${pushed[@]}"
right "slots used again" "${reused[@]}"
right "taken back" "${back[@]}"
right "half at once" "${batch[@]}"
right "owner and two thieves" "${two[@]}"
right "growth" "${growth[@]}"
right "the owner's oldest" "${oldest[@]}"
right "never empty" "${filled[@]}"
right "a thief that waits for an answer" "${answer[@]}"
right "indices that wrap" "${last[@]}" -DFIRST=0x7ffffffffffffULL

wrong "pop without its light fence" '/\[L\] \*\//s/asym_light(d->registered)/(void)0/' "${only[@]}"
wrong "revoking without the heavy fence" 's/!asym_heavy(victim->registered)/false/' "${only[@]}"
wrong "revoking without a request" \
    '/^__attribute__.*dq_split_asym_revoke/,/^}/s/au32_store_relaxed(&victim->asked, 1);/(void)0;/' "${only[@]}"
wrong "a theft that is no compare-and-swap" \
    's/return au64_cas_release(&victim->shared, &word, \(dq.*\));/return au64_store_release(\&victim->shared, \1), true;/' \
    "${only[@]}"
wrong "a pop that does not find out what is gone" 's/bool lost = .*;/bool lost = false;/' "${only[@]}"
wrong "a slow step that does not find out what is gone" \
    's/d->floor = head - (uint64_t)dq_split_asym_distance.*;/(void)head;/' \
    "${only[@]}"
wrong "push stores the head with relaxed" '/dq_split_asym_push(/,/^}/s/au64_store_release/au64_store_relaxed/' \
    "${pushed[@]}"
wrong "a thief loads the head with relaxed" \
    '/dq_split_asym_look(/,/^}/s/au64_load_acquire(&victim->head)/au64_load_relaxed(\&victim->head)/' \
    "${more[@]}"
wrong "open stores the word with relaxed" '/dq_split_asym_open(/,/^}/s/au64_store_release/au64_store_relaxed/' \
    "${shared[@]}"
wrong "nothing to share, and no index given up" \
    's/count == 0 ? tail + 1 : tail/tail/; /dq_split_asym_answer(/,/^}/s/dq_split_asym_shift(d, 1);/(void)0;/' \
    "${reused[@]}"
wrong "growth publishes the array with relaxed" '/\[G3\] \*\//s/release/relaxed/' "${growth[@]}"
wrong "a thief loads the array with relaxed" '/\[G4\] \*\//s/acquire/relaxed/' "${growth[@]}"
wrong "the old array freed at once" 's/reclaim_defer(d->reclaim, &old->retired, .*);/free(old);/' "${growth[@]}"
