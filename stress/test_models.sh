#!/bin/bash
# ctest-timeout: 600
# ctest-plain-only: yes
# The algorithms of stress/models/ in every execution that C11 allows of a few operations, by GenMC. <name>.c is a
# driver, <name>.sh says which runs of it must be right, and which faults, seeded in a copy of the header, GenMC has to
# find: that shows that the model looks at what matters. Not among them are those that only C11's letter demands and RC11
# does not; the header says which.
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
header='' # what is checked; stress/models has a driver of the same name

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
    cp "$header" "$work/$header"
    if [ $status -eq 42 ]; then
        echo "ok   found: $what"
    else
        tail -n 20 "$work/log"
        echo "FAIL: not found: $what (exit status $status)"
        failed=1
    fi
}

for checks in stress/models/*.sh; do
    # shellcheck source=/dev/null
    source "$checks"
done
exit $failed
