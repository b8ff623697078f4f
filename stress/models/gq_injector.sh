# shellcheck shell=bash disable=SC2034
header=queues/gq_injector.h
pops=(-DPUSHERS=1 -DPOPPERS=2 -DSEGMENT=4)
pushes=(-DPUSHERS=2 -DPOPPERS=1 -DSEGMENT=2)
# No spares: what is finished too early is found as used after it was freed.
cross=(-DPUSHERS=1 -DPOPPERS=1 -DSEGMENT=2 -DEACH=2 -DPOPS=2 -DGQ_INJECTOR_SPARES=0)
finish=(-DPUSHERS=0 -DPOPPERS=2 -DSEGMENT=2 -DPREFILLED=2 -DGQ_INJECTOR_SPARES=0)
# Takes long to run through; a fault is found soon.
ahead=(-DPUSHERS=2 -DPOPPERS=0 -DSEGMENT=2 -DEACH=2 -DGQ_INJECTOR_PLACES=4)

right "two poppers at one item" "${pops[@]}"
right "two pushers at the end of a block" "${pushes[@]}"
right "from block to block" "${cross[@]}"
right "two poppers finish a block" "${finish[@]}"
right "never empty" -DPUSHERS=0 -DPOPPERS=2 -DSEGMENT=2 -DPREFILLED=3 -DNEVER_EMPTY=1

wrong "push reads tail with relaxed" '/\[P1\] \*\//s/acquire/relaxed/' "${pushes[@]}"
wrong "push reads the place with relaxed" '/\[P2\] \*\//s/acquire/relaxed/' "${ahead[@]}"
wrong "a block put in its place without release" '/\[P3\] \*\//s/acq_rel/acquire/' "${ahead[@]}"
wrong "a claim of push without release" '/\[P4\] \*\//s/acq_rel/acquire/' "${pushes[@]}"
wrong "a claim of push without acquire" '/\[P4\] \*\//s/acq_rel/release/' "${pushes[@]}"
wrong "a slot filled without release" '/\[P8\] \*\//s/acq_rel/acquire/' "${cross[@]}"
wrong "a slot filled without acquire" '/\[P8\] \*\//s/acq_rel/release/' "${cross[@]}"
wrong "pop reads head with relaxed" '/\[O1\] \*\//s/acquire/relaxed/' "${pops[@]}"
wrong "a claim of pop without release" '/\[O7\] \*\//s/acq_rel/acquire/' "${pops[@]}"
wrong "pop looks at the slot with relaxed" '/\[O11\] \*\//s/acquire/relaxed/' "${cross[@]}"
wrong "a slot given up without release" '/\[O12\] \*\//s/acq_rel/acquire/' "${cross[@]}"
wrong "a slot given up without acquire" '/\[O12\] \*\//s/acq_rel/release/' "${cross[@]}"
wrong "a slot that was given up finished by the pop" \
    's/if (got > 0) {/if (n > 0) {/; s/\(finish(q->spares, block, \)got,/\1n,/' "${cross[@]}"
wrong "a block left without a mark for its link" '/\[O9\] \*\//s/ && .*) {/) {/' "${cross[@]}"

header=queues/gq_injector_block.h
wrong "a slot finished without release" '/\[F\] \*\//s/acq_rel/acquire/' "${finish[@]}"
wrong "a slot finished without acquire" '/\[F\] \*\//s/acq_rel/release/' "${finish[@]}"
