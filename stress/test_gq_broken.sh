#!/usr/bin/env bash
# Do the suites of global queues find faulty ones out? Each of stress/gq_broken.h has to fail the tests that are named
# here for it, by a check and not by running out of time; and one that says that it does not work here is skipped.
# ctest-plain-only: yes
set -u

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failures=0

# found <suite> <queue>/<test>...
found() {
    local suite=$1 only status
    shift
    for only in "$@"; do
        status=0
        "$STEALYARD_BUILD/stress/broken_$suite" --only "$only" --timeout 30 >"$output" 2>&1 || status=$?
        if [[ $status -eq 1 ]] && grep -q "^FAIL ${only%%/*}/.*(--only " "$output"; then
            echo "ok: $suite $only"
        else
            echo "FAIL: $suite $only was not found out (exit status $status)"
            sed 's/^/    | /' "$output"
            failures=$((failures + 1))
        fi
    done
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

found suite_gq loses/exactly_once
found suite_gq doubles/exactly_once
found suite_gq lies/alone
found suite_gq early/alone early/is_empty_never_too_early
found suite_gq haunted/alone haunted/is_empty_never_too_early
found suite_gq swaps/batches_of_every_size
found suite_gq capped/batches_of_every_size
found suite_gq welcomes/sizes_are_checked
found suite_gq_history reorders lies hasty early
found suite_gq_wrap wraps/alone wraps/full_at_the_border wraps/in_a_crowd
found suite_gq_threads keeps/pushers_come_and_go limits/pushers_come_and_go limits/poppers_come_and_go
found suite_gq_memory leaks/destroyed_with_items_left hoards/threads_leave_nothing
found suite_gq_memory grows/steady_state grows/bounded_by_what_is_inside
found suite_gq_memory starves/pushed_without_memory starves/starved_crowd
left_to_others suite_gq reorders/exactly_once hasty/alone wraps/alone

status=0
"$STEALYARD_BUILD/stress/broken_suite_gq" --only absent >"$output" || status=$?
if [[ $status -ne 77 ]] || ! grep -q '^SKIP absent/alone: absent is not for this machine' "$output"; then
    echo "FAIL: a queue that is not for this machine is not skipped (exit status $status)"
    cat "$output"
    failures=$((failures + 1))
fi

echo "$failures failures"
[[ $failures -eq 0 ]]
