# shellcheck shell=bash
# Sourced by test_gq_broken.sh, test_dq_broken.sh and test_rx_broken.sh: suites over faulty queues, deques or reactors,
# which have to fail the tests that are named for them, by a check and not by running out of time.
output=$(mktemp)
trap 'rm -f "$output"*' EXIT
failures=0

# found <suite> <queue>[/<test>]...: in one of three runs, for the tests do random things, and fewer of them on a busy
# machine.
found() {
    local suite=$1 only status
    shift
    for only in "$@"; do
        for _ in 1 2 3; do
            status=0
            "$STEALYARD_BUILD/stress/broken_$suite" --only "$only" --timeout 60 >"$output" 2>&1 || status=$?
            [[ $status -ne 0 ]] && break
        done
        if [[ $status -eq 1 ]] && grep -q "^FAIL ${only%%/*}/.*(--only " "$output"; then
            echo "ok: $suite $only"
        else
            echo "FAIL: $suite $only was not found out (exit status $status)"
            sed 's/^/    | /' "$output"
            failures=$((failures + 1))
        fi
    done
}

# run_stuck <suite> <reactor>/<test> <file>: in one of three runs, each with much more time than the sound one takes.
run_stuck() {
    local program=$STEALYARD_BUILD/stress/broken_$1 status=0 start=$SECONDS
    "$program" --only "rx_sound/${2#*/}" >"$3" 2>&1 || return
    for _ in 1 2 3; do
        "$program" --only "$2" --timeout $((3 + 4 * (SECONDS - start))) >"$3" 2>&1 || status=$?
        [[ $status -ne 0 ]] && break
    done
    [[ $status -eq 1 ]] && grep -q "^FAIL $2: did not end in time" "$3"
}

# stuck <suite> <reactor>/<test>...: what a reactor forgets shows as a test that does not end. They are started here,
# for they sleep, and looked at by all_stuck.
stuck_tests=() stuck_jobs=()
stuck() {
    local suite=$1 only
    shift
    for only in "$@"; do
        stuck_tests+=("$suite $only")
        run_stuck "$suite" "$only" "$output.${#stuck_tests[@]}" &
        stuck_jobs+=($!)
    done
}

all_stuck() {
    local i name
    for i in "${!stuck_tests[@]}"; do
        name=${stuck_tests[i]}
        if wait "${stuck_jobs[i]}"; then
            echo "ok: $name"
        elif ! grep "^SKIP ${name#* }" "$output.$((i + 1))"; then
            echo "FAIL: $name was not found out"
            sed 's/^/    | /' "$output.$((i + 1))"
            failures=$((failures + 1))
        fi
    done
    stuck_tests=() stuck_jobs=()
}

# left_to_others <suite> <queue>/<test>...: a fault that this test is not there for; that it passes shows that the
# others are needed.
left_to_others() {
    local suite=$1 only
    shift
    for only in "$@"; do
        if ! "$STEALYARD_BUILD/stress/broken_$suite" --only "$only" >"$output" 2>&1; then
            echo "FAIL: $suite $only: a fault of another kind made it fail"
            sed 's/^/    | /' "$output"
            failures=$((failures + 1))
        fi
    done
}

# skipped <suite> <queue> <reason>: a regular expression.
skipped() {
    local status=0
    "$STEALYARD_BUILD/stress/broken_$1" --only "$2" >"$output" 2>&1 || status=$?
    if [[ $status -ne 77 ]] || ! grep -q "^SKIP $2/.*$3" "$output"; then
        echo "FAIL: $1 $2 is not skipped (exit status $status)"
        sed 's/^/    | /' "$output"
        failures=$((failures + 1))
    fi
}

conclude() {
    echo "$failures failures"
    [[ $failures -eq 0 ]]
}
