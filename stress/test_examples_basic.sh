#!/usr/bin/env bash
# The example programs' answers to --help and to wrong usage, hello, and sleepers that really sleep at once.
set -u

examples=$STEALYARD_BUILD/executor/examples
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
    echo "FAIL: $*"
    sed 's/^/    | /' "$scratch/out" "$scratch/err"
    failures=$((failures + 1))
}

# expect <status> <stdout|stderr> <extended regular expression> <command>...: the other stream must stay empty.
expect() {
    local status=0 said=$scratch/out silent=$scratch/err
    timeout 60 "${@:4}" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    [[ $2 == stdout ]] || said=$scratch/err silent=$scratch/out
    if [[ $status -ne $1 ]]; then
        fail "${*:4}: exit $status, not $1"
    elif [[ -s $silent ]]; then
        fail "${*:4}: speaks on the wrong stream"
    elif ! grep -q -E -e "$3" "$said"; then
        fail "${*:4}: says nothing like \"$3\" on $2"
    else
        echo "ok: ${*:4}"
    fi
}

programs=()
for name in hello sleepers echo datagrams copy fetch httpd; do
    if [[ -x $examples/$name ]]; then
        programs+=("$name")
    else
        echo "not built, not tested: $name"
    fi
done
for name in hello sleepers echo datagrams copy; do # the ones that need no library
    [[ " ${programs[*]} " == *" $name "* ]] || fail "$name was not built"
done

for name in "${programs[@]}"; do
    program=$examples/$name
    expect 0 stdout "^usage: $name " "$program" --help
    expect 2 stderr "^$name: unknown option \"--wrokers\"; there are: .*--workers, --queue, --deque, --reactor, --reactor-fallback, --timers, --help" \
        "$program" --wrokers 2
    expect 2 stderr "^$name: --workers wants a number from 1 to 1024, not \"0\"" "$program" --workers 0
    expect 2 stderr "^$name: --workers wants a number .*\"two\"" "$program" --workers=two
    expect 2 stderr "^$name: --workers wants a value" "$program" --workers
    expect 2 stderr "^$name: .*\"gq_no\".*gq_mutex" "$program" --queue gq_no
    expect 2 stderr "^$name: .*\"dq_no\".*dq_chase_lev" "$program" --deque dq_no
    expect 2 stderr "^$name: .*\"rx_no\".*rx_epoll" "$program" --reactor rx_no
    expect 2 stderr "^$name: .*fall back on .*\"rx_no\".*rx_epoll" "$program" --reactor-fallback rx_no
    [[ $name == fetch || $name == copy ]] || expect 2 stderr "^$name: takes no operand, not \"extra\"" "$program" extra
done

if [[ " ${programs[*]} " == *" fetch "* ]]; then
    expect 2 stderr "wants at least one URL" "$examples/fetch"
    expect 2 stderr "^fetch: --timeout-ms wants a number" "$examples/fetch" --timeout-ms 0 http://127.0.0.1/
fi
for name in echo datagrams; do
    expect 2 stderr '"localhost" is no IPv4 address; 127.0.0.1 would be' "$examples/$name" --listen localhost:7
    expect 2 stderr '"65536" is no port; a number from 0 to 65535 would be' "$examples/$name" --listen 127.0.0.1:65536
done
expect 2 stderr 'the path of a Unix socket has at most 107 bytes' "$examples/echo" --listen \
    "unix:/$(printf 'x%.0s' {1..200})"
expect 1 stderr '^echo: cannot listen on unix:/no-such-directory/s: No such file' "$examples/echo" --listen \
    unix:/no-such-directory/s
expect 1 stderr '^echo: cannot listen on 192.0.2.1:7: Cannot assign' "$examples/echo" --listen 192.0.2.1:7

expect 0 stdout '^hello from a task$' "$examples/hello"
for deque in $("$examples/hello" --deque '?' 2>&1 | sed 's/.*there are: //; s/;.*//; s/,//g'); do
    expect 0 stdout '^the task wrote 18 bytes$' "$examples/hello" --workers 1 --deque "$deque"
done

# 1 + 2 + 3 units of sleep in 3 units, and a timer never fires early. Less than the sum shows the overlap.
expect 0 stdout '^together: 1800 ms of sleep in ' "$examples/sleepers" --unit-ms 300 --workers 1
elapsed=$(sed -n 's/^together: 1800 ms of sleep in \([0-9]*\) ms$/\1/p' "$scratch/out")
if [[ -z $elapsed || $elapsed -lt 900 || $elapsed -ge 1800 ]]; then
    fail "sleepers: took \"$elapsed\" ms, which is not from 900 to below 1800"
fi

[[ $failures -eq 0 ]] && echo "all passed"
exit $((failures > 0))
