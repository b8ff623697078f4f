#!/bin/bash
# ctest-timeout: 1200
# ctest-plain-only: yes
# The algorithms of stress/models/ in every execution that C11 allows of a few operations, by GenMC. <name>.c is a
# driver, <name>.sh says which runs of it must be right, and which faults, seeded in a copy of the header, GenMC has to
# find: that shows that the model looks at what matters. Not among them are those that only C11's letter demands and
# RC11 does not; the header says which.
# Arguments: the models to run (gq_vyukov …); without any all of them, as many at a time as there are processors.
set -u
cd "$(dirname "$0")/.." || exit 1
genmc=${GENMC:-genmc}

all=(stress/models/*.sh)
all=("${all[@]##*/}")
all=("${all[@]%.sh}")
if [ "${1:-}" = --help ]; then
    printf 'usage: [GENMC=/path/to/genmc] test_models.sh [MODEL]...\nmodels: %s\n' "${all[*]}"
    echo "exit status: 0 all are as they should be, 1 one is not, 2 wrong usage, 77 no genmc here"
    exit 0
fi
for name in "$@"; do
    if [[ " ${all[*]} " != *" $name "* ]]; then
        echo "test_models.sh: no model \"$name\"; there are: ${all[*]}" >&2
        exit 2
    fi
done
[ $# -gt 0 ] || set -- "${all[@]}"

if ! command -v "$genmc" >/dev/null; then
    echo "SKIP: genmc is not installed (https://github.com/MPI-SWS/genmc, or GENMC=/path/to/genmc)"
    exit 77
fi
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT

# check <-D flag...>: GenMC's exit status, its output in the log. Inline assembly would be skipped with a warning only.
check() {
    "$genmc" --rc11 --disable-estimation --disable-loop-jump-threading -- \
        -DSY_MODEL "-I$work" "$@" "$driver" >"$work/log" 2>&1
    local status=$?
    if grep -qi 'inline assembly' "$work/log"; then
        echo "FAIL: the model holds inline assembly, which genmc leaves out"
        exit 1
    fi
    return $status
}

# right <what it is about> <-D flag...>
right() {
    local what=$1
    shift
    cp "$header" "$work/$header"
    # Where GenMC takes a loop for a spin that ends never, it explores nothing, and finds no error there.
    if check "$@" && grep -q 'No errors were detected' "$work/log" && ! grep -q 'explored: 0$' "$work/log"; then
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

# model <name>: all of its runs, in a directory of its own.
model() (
    work=$root/$1 driver=stress/models/$1.c failed=0 header=''
    mkdir -p "$work/queues" "$work/executor/sync"
    cp queues/*.h "$work/queues/"
    export TMPDIR=$work # genmc leaves files there when it finds an error
    # shellcheck source=/dev/null
    source "stress/models/$1.sh" || failed=1
    exit $failed
)

# report <name>: runs a model, every line under its name; a failed one leaves a mark.
report() {
    { model "$1" || : >"$root/$1.failed"; } 2>&1 | sed -u "s/^/$1: /"
}

for name in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(getconf _NPROCESSORS_ONLN)" ]; do
        wait -n
    done
    report "$name" &
done
wait
failed_models=("$root"/*.failed)
[ -e "${failed_models[0]}" ] || exit 0
failed_models=("${failed_models[@]##*/}")
echo "FAIL: ${failed_models[*]%.failed}"
exit 1
