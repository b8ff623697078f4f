#!/usr/bin/env bash
# ctest-timeout: 240
# The stress program: a short run passes; each kind of fault that it can commit itself is found, told with the command
# that repeats it, and that command finds it again; what was not exercised is not passed; wrong usage is told.
set -uo pipefail

stress=${STEALYARD_BUILD:?}/stress/stress
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0 failed=0
seconds=1 # for each combination, about
case ${STEALYARD_SANITIZE:-} in
*thread*) seconds=3 ;;
*address*) seconds=2 ;;
esac

# expect <name> <exit status> <pattern that the output must have> [argument]...
expect() {
    local name=$1 status=$2 pattern=$3
    "$stress" "${@:4}" >"$out" 2>&1
    local got=$?
    if [[ $got -eq $status ]] && grep -qE -- "$pattern" "$out"; then
        passed=$((passed + 1))
        echo "ok   $name"
    else
        failed=$((failed + 1))
        echo "FAIL $name: exit status $got, not $status; or no \"$pattern\" in:"
        cat "$out"
    fi
}

# The flags of the last output's replay line.
replay() {
    sed -nE 's/^repeat with: \.\/stealyard stress (--plain|--asan|--tsan) //p' "$out"
}

# A fault is found, and found again by the command that was printed.
expect_found() {
    local fault=$1 message=$2 flags
    expect "$fault is found" 1 "$message" --seconds 60 --seed 7 --watchdog 2 --inject "$fault"
    read -r -a flags <<<"$(replay)"
    if [[ ${#flags[@]} -lt 10 ]]; then
        failed=$((failed + 1))
        echo "FAIL $fault: no command that repeats it"
        return
    fi
    expect "$fault is found again" 1 "$message" "${flags[@]}"
}

all_passed="[1-9][0-9]* passed, 0 failed, 0 not tested"
expect "each queue" 0 "$all_passed" --deque dq_mutex --reactor rx_epoll --seconds $((13 * seconds)) --seed 7
expect "each reactor" 0 "$all_passed" --queue gq_mutex --deque dq_mutex --seconds $((8 * seconds)) --seed 7
expect_found lost-wake "nothing moved for 2 s"
expect_found double-run "was ready twice"
expect "nothing exercised is not tested" 1 "not tested: no tasks.* shutdowns" --seconds 1 --seed 7 --inject idle

first=$("$stress" --list | head -n 1)
IFS=/ read -r queue deque reactor <<<"$first"
expect "one episode" 0 "one episode" --queue "$queue" --deque "$deque" --reactor "$reactor" --dispatch static \
    --seed 7 --episode 3
expect "one episode of many combinations" 2 "wants one combination" --episode 3
expect "a wrong queue" 2 "there are: .*$queue" --queue nonesuch
expect "a wrong deque" 2 "there are: .*$deque" --deque nonesuch
expect "a wrong reactor" 2 "there are: .*$reactor" --reactor nonesuch
expect "a wrong fault" 2 "there are: none, lost-wake" --inject nonesuch
expect "a wrong dispatch" 2 "there are: both, static, dynamic" --dispatch nonesuch
expect "no seconds" 2 "from 1 to" --seconds 0
expect "an unknown flag" 2 "unknown flag \"--nonesuch\"" --nonesuch
expect "a flag without its value" 2 "--seed wants a number" --seed
expect "help" 0 "^usage: stress" --help

echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
