# shellcheck shell=bash disable=SC2034
header=queues/gq_vyukov.h
pushers=(-DPUSHERS=2 -DPOPPERS=1)
poppers=(-DPUSHERS=1 -DPOPPERS=2)
lap=(-DPUSHERS=1 -DEACH=3 -DPOPPERS=1 -DPOPS=2)
taken=(-DPUSHERS=1 -DEACH=2 -DBATCH=1 -DPOPPERS=2 -DMAX=2)
claimed=(-DPUSHERS=2 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=2)
filled=(-DPUSHERS=1 -DPOPPERS=1 -DPREFILLED=2 -DNEVER_EMPTY=1)
room=(-DPUSHERS=2 -DPOPPERS=1 -DNEVER_FULL=1)
# A thread that comes two laps late. Each has too many executions to go through them all when nothing is wrong.
late_popper=(-DPREFILLED=2 -DPUSHERS=1 -DEACH=2 -DBATCH=1 -DPOPPERS=2 -DPOPS=2 -DMAX=2)
late_pusher=(-DPUSHERS=3 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=2)

right "two pushers and a popper" "${pushers[@]}"
right "a pusher and two poppers" "${poppers[@]}"
right "slots used again" "${lap[@]}"
right "slots used again where the indices wrap" "${lap[@]}" -DFIRST=0x7ffffffffffffffeULL
right "a batch and two poppers" "${taken[@]}"
right "two batches" "${claimed[@]}"
right "never empty" "${filled[@]}"
right "never full" "${room[@]}"

wrong "push stores the slot with relaxed" '/\[U4\] \*\//s/release/relaxed/' "${pushers[@]}"
wrong "pop loads slots with relaxed" '/\[O2\] \*\//s/acquire/relaxed/' "${pushers[@]}"
wrong "push loads tail with relaxed" '/\[U1\] \*\//s/acquire/relaxed/' "${late_pusher[@]}"
wrong "push writes tail without release" '/\[U3\] \*\//s/acq_rel/acquire/' "${late_pusher[@]}"
wrong "pop loads head with relaxed" '/\[O1\] \*\//s/acquire/relaxed/' "${late_popper[@]}"
wrong "pop writes head without release" '/\[O3\] \*\//s/acq_rel/acquire/' "${late_popper[@]}"
wrong "slots that do not know their lap" \
    's/(index \/ GQ_VYUKOV_STEP & q->capacity) != 0/(index == 1)/' "${claimed[@]}"
wrong "tickets claimed without compare-and-swap" \
    's/!au64_cas_acq_rel(&q->tail, &tail, next)/(au64_store_release(\&q->tail, next), false)/' "${pushers[@]}"
wrong "items taken without compare-and-swap" \
    's/if (au64_cas_acq_rel(&q->head, &head, \(head + found \* GQ_VYUKOV_STEP\)))/if (au64_store_release(\&q->head, \1), true)/' \
    "${poppers[@]}"
wrong "found empty, over another's push" \
    '/\[O6\]/s/au64_cas_acq_rel(&q->tail, &tail, \(.*\));/au64_store_release(\&q->tail, \1);/' "${lap[@]}"
wrong "found empty, and not said" '/\[O6\]/d' "${lap[@]}"
wrong "a push that leaves it said" \
    's/cas_acq_rel(&q->tail, &tail, next)/cas_acq_rel(\&q->tail, \&tail, next | (tail \& 1))/' "${filled[@]}"
wrong "full, by a tail that is older than the slot" \
    's/(au64_cas_acq_rel(&q->tail, &tail, tail))/(({ uint64_t was = tail; tail = au64_load_acquire(\&q->tail); tail == was; }))/' \
    "${room[@]}"
