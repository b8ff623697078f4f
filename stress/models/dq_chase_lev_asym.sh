# shellcheck shell=bash disable=SC2034
# What it shares with dq_chase_lev_fixed is broken in that one's model.
header=queues/dq_chase_lev_asym.h
half=(-DREFUSED -DOWNER=oo -DTHIEVES=1 -DPREFILLED=3 -DMAX=2 -DOWN=1 -DCAPACITY=4)
marked=(-DOWNER=oo -DTHIEVES=1 -DSTEALS=2 -DPREFILLED=3)
growth=(-DOWNER=uu -DTHIEVES=1 -DPREFILLED=2 -DNEVER_FULL=1)
refused=(-DREFUSED -DOWNER=ouo -DTHIEVES=1 -DSTEALS=3 -DPREFILLED=2)

right "no fence at all by words of the owner's" "${half[@]}"
right "an owner who renews the word after a theft" "${marked[@]}"
right "growth while thieves read" "${growth[@]}" -DTHIEVES=2
right "a heavy fence that is refused later" "${refused[@]}"

wrong "a thief goes on though its fence is refused" 's/return false;/return true;/' "${refused[@]}"
wrong "the owner says too early that it makes fences" '/\[R3\] \*\//s/release/relaxed/' "${refused[@]}"
wrong "the owner says so and makes none" '/\[F1\] \*\//s/fence_seq_cst()/(void)0/' "${refused[@]}"
wrong "steal reads the array with relaxed" '/\[T3\] \*\//s/acquire/relaxed/' "${growth[@]}"

header=queues/dq_chase_lev_half.h
wrong "the owner changes top with relaxed" '/\[O4\] \*\//s/seq_cst/relaxed/' "${half[@]}"

header=queues/dq_chase_lev.h
wrong "growth publishes the array with relaxed" '/\[G2\] \*\//s/release/relaxed/' "${growth[@]}"
wrong "the old array freed at once" 's/reclaim_defer(reclaim, &old->retired, .*);/free(old);/' "${growth[@]}"
