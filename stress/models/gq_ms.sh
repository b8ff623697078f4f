# shellcheck shell=bash disable=SC2034
header=queues/gq_ms.h
meet=(-DPUSHERS=2 -DPOPPERS=1 -DEACH=1)
batches=(-DPUSHERS=1 -DPOPPERS=2 -DEACH=2 -DBATCH=1 -DMAX=2)
stretches=(-DPUSHERS=1 -DPOPPERS=2 -DPREFILLED=3 -DMAX=2)
empties=(-DPUSHERS=1 -DPOPPERS=1 -DPOPS=3 -DEACH=2)
two_each=(-DPUSHERS=2 -DPOPPERS=1 -DEACH=2)
overtaken=(-DPUSHERS=1 -DPOPPERS=2 -DPREFILLED=1 -DMAX=2)
helped=(-DPUSHERS=1 -DPOPPERS=1 -DPREFILLED=1 -DPOPS=2)
filled=(-DPUSHERS=1 -DPOPPERS=2 -DPREFILLED=3 -DNEVER_EMPTY=1)

right "two pushers and a popper" "${meet[@]}"
right "a batch and two poppers" "${batches[@]}"
right "stretches given up while they are read" "${stretches[@]}"
right "found empty between pushes" "${empties[@]}"
right "a pop that finds another's push half done" "${helped[@]}"
right "a pop that is overtaken" "${overtaken[@]}"
right "never empty" "${filled[@]}"

wrong "push reads tail with relaxed" '/\[P1\] \*\//s/acquire/relaxed/' "${meet[@]}"
wrong "push links with relaxed" '/\[P2\] \*\//s/acq_rel/acquire/' "${meet[@]}"
wrong "push finds a link with relaxed" '/\[P2\] \*\//s/acq_rel/release/' "${meet[@]}"
wrong "push moves tail with relaxed" '/\[P3\] \*\//s/acq_rel/acquire/' "${meet[@]}"
wrong "tail helped on with relaxed" '/\[T\] \*\//s/acq_rel/acquire/' "${meet[@]}"
wrong "tail helped on, failing with relaxed" '/\[T\] \*\//s/acq_rel/release/' "${two_each[@]}"
wrong "pop reads head with relaxed" '/\[D1\] \*\//s/acquire/relaxed/' "${overtaken[@]}"
wrong "pop reads tail with relaxed" '/\[D2\] \*\//s/acquire/relaxed/' "${meet[@]}"
wrong "pop finds a link with relaxed" '/\[D3\] \*\//s/acquire/relaxed/' "${helped[@]}"
wrong "pop moves head with relaxed" '/\[D4\] \*\//s/release/relaxed/' "${overtaken[@]}"
wrong "a stretch that ends where tail is" '/\[R\] \*\//s/&q->head/\&q->tail/' "${stretches[@]}"
wrong "a push that leaves the tag" \
    '/\[P3\] \*\//s/ && gq_ms_untagged(tail) == end//;s/while (\(!aptr_cas_acq_rel(&q->tail, &tail, last)\))/if (\1)/' "${empties[@]}"
wrong "the tag put over another tail" \
    's/aptr_cas_relaxed(&q->tail, &tail, gq_ms_tagged(head)); \/\* \[M\]/aptr_store_relaxed(\&q->tail, gq_ms_tagged(head)); \/* [M]/' "${empties[@]}"
