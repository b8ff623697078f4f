# shellcheck shell=bash disable=SC2034
header=queues/dq_chase_lev_half.h
last=(-DOWNER=uuoo -DTHIEVES=1)
thieves=(-DOWNER=uuoo -DTHIEVES=2)
rivals=(-DOWNER=o -DTHIEVES=2 -DPREFILLED=2)
half=(-DOWNER=oo -DTHIEVES=1 -DPREFILLED=3 -DMAX=3 -DOWN=1 -DCAPACITY=4 -DNEVER_FULL=1)
marked=(-DOWNER=o -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=2)
reuse=(-DOWNER=uouu -DTHIEVES=1 -DSTEALS=2)
oldest=(-DOWNER=t -DTHIEVES=1 -DPREFILLED=2 -DMAX=2)

right "owner and two thieves at the last items" "${thieves[@]}"
right "an owner who comes down to the half that a thief takes" "${half[@]}"
right "a theft after a theft" "${marked[@]}"
right "a slot used again" "${reuse[@]}"
right "the owner takes the oldest" "${oldest[@]}"

wrong "push publishes with relaxed" '/\[P4\] \*\//s/release/relaxed/' "${last[@]}"
wrong "steal reads bottom with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "pop takes bottom down with relaxed" '/\[O1\] \*\//s/release/relaxed/' "${last[@]}"
wrong "the owner changes top without compare-and-swap" \
    's/if (au64_cas_seq_cst(&h->top, &word, next))/if ((au64_store_seq_cst(\&h->top, next), true))/' "${last[@]}"
wrong "a thief changes top without compare-and-swap" \
    's/if (!au64_cas_seq_cst(&victim->top, &word, next))/if ((au64_store_seq_cst(\&victim->top, next), false))/' \
    "${rivals[@]}"
wrong "the oldest taken without compare-and-swap" \
    's/!au64_cas_seq_cst(&h->top, &word, \(.*(word, n)\))/(au64_store_seq_cst(\&h->top, \1), false)/' "${oldest[@]}"
wrong "steal reads top with relaxed" '/\[T1\] \*\//s/acquire/relaxed/' "${half[@]}"
wrong "an epoch that is not raised" 's/(below > 0 ? DQ_CHASE_LEV_HALF_EPOCH : 0)/0/' "${half[@]}"
wrong "a ceiling that is not raised" 's/h->ceiling < bottom/false/' "${half[@]}"
wrong "the owner steps in one item late" 's/>= h->ceiling - last/+ 1 >= h->ceiling - last/' "${half[@]}"
wrong "a thief takes more than half" 's/inside - inside \/ 2/inside/' "${half[@]}"
wrong "a theft that is not marked" 's/ | DQ_CHASE_LEV_HALF_STOLEN;/;/' "${marked[@]}"
wrong "push overwrites what thieves have not taken" \
    's/room < wanted ? room : wanted;/wanted;/' "${reuse[@]}" -DPREFILLED=1

header=queues/dq_chase_lev_fixed.h
wrong "pop without its fence" '/\[F1\] \*\//s/fence_seq_cst()/(void)0/' "${marked[@]}"
wrong "steal without its fence" '/\[F2\] \*\//s/fence_seq_cst()/(void)0/' "${marked[@]}"
