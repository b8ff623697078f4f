#!/bin/bash
# ctest-timeout: 600
# ctest-plain-only: yes
# The deque of dq_chase_lev.h, and the queue of a channel in mpsc_queue.h, in every execution that C11 allows of a few
# operations, by GenMC. To see that the model looks at what matters, orders are weakened in a copy of the header, and
# GenMC has to find the fault. Not among them are those that only C11's letter demands and RC11 does not; the header
# says which.
set -u
cd "$(dirname "$0")/.." || exit 1
genmc=${GENMC:-genmc}

if ! command -v "$genmc" >/dev/null; then
    echo "SKIP: genmc is not installed (https://github.com/MPI-SWS/genmc, or GENMC=/path/to/genmc)"
    exit 77
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/queues" "$work/executor/sync"
cp queues/*.h "$work/queues/"
header='' # what is checked; stress/models has a model of the same name

# check <-D flag...>: GenMC's exit status, its output in the log. Inline assembly would be skipped with a warning only.
check() {
    "$genmc" --rc11 --disable-estimation --disable-loop-jump-threading -- \
        -DSY_MODEL "-I$work" "$@" "stress/models/$(basename "$header" .h).c" >"$work/log" 2>&1
    local status=$?
    if grep -qi 'inline assembly' "$work/log"; then
        echo "FAIL: the model holds inline assembly, which genmc leaves out"
        exit 1
    fi
    return $status
}

failed=0
# right <what it is about> <-D flag...>
right() {
    local what=$1
    shift
    cp "$header" "$work/$header"
    if check "$@" && grep -q 'No errors were detected' "$work/log"; then
        echo "ok   $what: $(sed -n 's/^Number of complete executions explored: //p' "$work/log") executions"
    else
        tail -n 40 "$work/log"
        echo "FAIL: $what"
        failed=1
    fi
}

# wrong <what is seeded> <sed program> <-D flag...>
wrong() {
    local what=$1 program=$2
    shift 2
    sed "$program" "$header" >"$work/$header"
    if cmp -s "$header" "$work/$header"; then
        echo "FAIL: nothing to seed for \"$what\": the header has changed"
        failed=1
        return
    fi
    check "$@"
    local status=$?
    if [ $status -eq 42 ]; then
        echo "ok   found: $what"
    else
        tail -n 20 "$work/log"
        echo "FAIL: not found: $what (exit status $status)"
        failed=1
    fi
}

header=queues/dq_chase_lev.h
last=(-DOWNER=uuoo -DTHIEVES=2)
growth=(-DOWNER=uu -DTHIEVES=2 -DFIRST_FILLED=2)
reuse=(-DOWNER=uouu -DTHIEVES=1 -DSTEALS=2)

right "owner and two thieves at the last items" "${last[@]}"
right "growth while two thieves read" "${growth[@]}"
right "a slot used again" "${reuse[@]}"

wrong "pop without its fence" '/\[F1\] \*\//s/fence_seq_cst()/(void)0/' "${last[@]}"
wrong "steal without its fence" '/\[F2\] \*\//s/fence_seq_cst()/(void)0/' "${last[@]}"
wrong "push publishes with relaxed" '/\[P4\] \*\//s/release/relaxed/' "${last[@]}"
wrong "steal reads bottom with relaxed" '/\[T2\] \*\//s/acquire/relaxed/' "${last[@]}"
wrong "the last item without compare-and-swap" \
    '/\[O4\] \*\//s/ai64_cas_seq_cst(&d->top, &top, \(.*\));/(ai64_store_seq_cst(\&d->top, \1), true);/' \
    "${last[@]}"
wrong "pop takes bottom down with relaxed" '/\[O1\] \*\//s/release/relaxed/' "${last[@]}"
wrong "growth publishes the array with relaxed" '/\[G2\] \*\//s/release/relaxed/' "${growth[@]}"
wrong "steal reads the array with relaxed" '/\[T3\] \*\//s/acquire/relaxed/' "${growth[@]}"
wrong "the old array freed at once" 's/reclaim_defer(d->reclaim, &old->retired, .*);/free(old);/' "${growth[@]}"

header=executor/sync/mpsc_queue.h
two=(-DSENDERS=2 -DSENDS=1 -DLOOKS=1)
one=(-DSENDERS=1 -DSENDS=2 -DLOOKS=2)
# Too many to run through; a fault is found at once.
many=(-DSENDERS=2 -DSENDS=2 -DLOOKS=1)
growing=(-DSENDERS=2 -DSENDS=1 -DLOOKS=0 -DBLOCKS=0 -DGROWS=2)

right "two senders and the receiver" "${two[@]}"
right "a sender from block to block before the receiver" "${one[@]}"

wrong "a value published with relaxed" '/Q7 \*\//s/acq_rel/relaxed/' "${two[@]}"
wrong "a value looked at with relaxed" '/word); \/\* Q8 \*\//s/acquire/relaxed/' "${two[@]}"
wrong "the receiver's wish not published" \
    '/Q9 \*\//s/_fetch_add_acq_rel(&q->current->word, change)/_load_acquire(\&q->current->word); (void)change/' \
    "${two[@]}"
wrong "a block left before it is full" 's/bool full = .*/bool full = true;/' "${two[@]}"
wrong "a block used again at once" 's/ && au64_load_acquire(&q->oldest->passed) <= position//' "${many[@]}"
wrong "a room raised by another, read with relaxed" \
    '/mpsc_queue_raise(struct/,/^}/s/room = au64_load_acquire/room = au64_load_relaxed/' "${growing[@]}"
exit $failed
