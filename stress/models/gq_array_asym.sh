# shellcheck shell=bash disable=SC2034
header=queues/gq_array_asym.h
one=(-DPUSHERS=1 -DPOPPERS=1)
twice=(-DPUSHERS=1 -DPOPPERS=1 -DPOPS=2)
batch=(-DPUSHERS=1 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=2)
nothing=(-DPUSHERS=0 -DPREFILLED=1 -DPOPPERS=2)
suspected=(-DAGAIN -DSUSPECTED)
border=(-DPUSHERS=1 -DEACH=1 -DPREFILLED=1 -DPOPPERS=1 -DPOPS=2)

right "a pusher and a popper" "${one[@]}"
right "a popper that comes twice" "${twice[@]}"
right "a batch" "${batch[@]}"
right "two poppers, and nothing behind the item" "${nothing[@]}"
right "a late pusher, and its segment used again" -DLATE
right "a pusher whose item is taken, and its segment used again" -DAGAIN
right "a pusher whose item is taken while a popper suspects it" "${suspected[@]}"
right "across the border of a segment" "${border[@]}"

# S2 and D2 with relaxed are not seen: the model's full fences F1 and F3 stand in for them. ThreadSanitizer sees S2.
wrong "an item handed over with relaxed" '/S1 \*\//s/release/relaxed/' "${border[@]}"
wrong "push without its light fence" '/S1 \*\//{n;s/asym_light(q->registered);/(void)0;/}' "${one[@]}"
wrong "skip without its heavy fence" 's/asym_heavy(q->registered) \&\&/true \&\&/' "${one[@]}"
wrong "skip without looking at the slot" 's/!aptr_load_acquire(slot) \&\&/true \&\&/' "${one[@]}"
wrong "a stall that is not counted" '/C1 \*\//s/au64_fetch_add_relaxed(&q->stalled, 1);//' "${one[@]}"
wrong "a pusher that does not settle" 's/0) && gq_array_asym_settle(q, position, slot);/0) \&\& false;/' "${one[@]}"
wrong "a batch goes on behind a slot that was given up" 's/given_up ? gq_array_asym_tombstone(q) : items\[done\]/items[i]/' \
    "${batch[@]}"
wrong "a popper that was slower to see nothing skips what nobody claimed" 's/return tail == nothing;/return false;/' \
    "${nothing[@]}"
wrong "a segment is used again before its last pusher left" '/C4 \*\//s/acquire/relaxed/' -DLATE
wrong "a pusher takes the stall of a later one for its own" 's/gq_array_asym_find(q, position) != slot/false/' -DAGAIN
wrong "a pusher sees another's stall with relaxed" '/bool gq_array_asym_settle/,/T5/s/acquire/relaxed/' -DAGAIN
wrong "an id handed on with relaxed" '/V3 \*\//s/release/relaxed/' -DAGAIN
wrong "a pusher asks whose stall it is before it looks at it" \
    '/bool gq_array_asym_settle/,/^}/{/seen = au64_load/d;s/switch/uint64_t seen = au64_load_acquire(stall); &/}' -DAGAIN
wrong "a pusher asks whose stall it is once only" \
    '/bool gq_array_asym_settle/,/^}/{s/for (;;)/for (int i = 0;; i++)/;s/gq_array_asym_find/i == 0 \&\& &/}' \
    "${suspected[@]}"
