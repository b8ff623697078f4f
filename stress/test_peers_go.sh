#!/usr/bin/env bash
# The Go peer: gofmt and vet have nothing to say; it has the workloads of WORKLOADS.md that mean something in Go; each
# that does not take minutes runs once and finds its outcome right; its servers answer; wrong flags are refused.
# ctest-plain-only: yes
# ctest-slow: yes
set -u

if ! command -v go >/dev/null; then
    echo "SKIP: go is missing (Debian: apt-get install golang-go)"
    exit 77
fi
source=$STEALYARD_SOURCE/bench/peers/go
scratch=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$scratch"' EXIT
peer=$scratch/go-workload
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-buildvcs=false
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# expect <status> <extended regular expression> <argument>...: it speaks on stdout if the status is 0, else on stderr.
expect() {
    local status=0 said=$scratch/out silent=$scratch/err
    timeout 60 "$peer" "${@:3}" >"$scratch/out" 2>"$scratch/err" || status=$?
    [[ $1 -eq 0 ]] || said=$scratch/err silent=$scratch/out
    if [[ $status -ne $1 ]]; then
        fail "${*:3}: exit $status, not $1: $(head -n 1 "$scratch/err")"
    elif [[ -s $silent ]]; then
        fail "${*:3}: speaks on the wrong stream"
    elif ! grep -qE -e "$2" "$said"; then
        fail "${*:3}: says nothing like \"$2\": $(head -n 1 "$said")"
    fi
}

(cd "$source" && go build -o "$peer" .) || { echo "FAIL: it does not build"; exit 1; }
if command -v gofmt >/dev/null; then
    unformatted=$(gofmt -l "$source")
    [[ -z $unformatted ]] || fail "not as gofmt writes it: $unformatted"
fi
(cd "$source" && go vet .) || fail "go vet complains"

# ---- the list ----

expect 0 '"serves":\["echo","http"\],"transports":\["tcp","unix"\]' --list --json
cp "$scratch/out" "$scratch/list"
expect 0 '^skynet ' --list
names() {
    /usr/bin/python3 - "$@" <<'P'
import itertools, json, re, sys
rows = json.load(open(sys.argv[1]))["workloads"]
if sys.argv[2] == "listed":
    print(*(row["name"] for row in rows if row["effort"] != "long"), sep="\n")
    sys.exit()
described, same = set(), ""
for cell in re.findall(r"^\| ([a-z][^|]*) \| (?:core|wide|long)", open(sys.argv[3]).read(), re.M):
    cell = cell.replace("{same}", same)
    same = (re.findall(r"\{.*\}", cell) or [same])[0]
    for name in re.split(r", (?![^{]*\})", cell):
        parts = re.split(r"[{}]", name)
        described.update("".join(p) for p in itertools.product(*(p.split(",") for p in parts)))
absent = re.compile(r"(echo|http)_\d+|spawn_blocking_\d+|sync_mpsc_unbounded")
wanted = {name for name in described if not absent.fullmatch(name)}
listed = {row["name"] for row in rows}
print(*(f"{name} is not listed" for name in sorted(wanted - listed)), sep="\n")
print(*(f"{name} is listed, but not described" for name in sorted(listed - wanted)), sep="\n")
if len(wanted) < 60:
    print(f"only {len(wanted)} workloads are described: the table is no longer understood")
P
}
wrong=$(names "$scratch/list" described "$STEALYARD_SOURCE/bench/WORKLOADS.md")
[[ -z ${wrong//$'\n'/} ]] || fail "$wrong"

# The program of ours, where it is built, has the same parameters.
parameters() {
    /usr/bin/python3 - "$@" <<'P'
import json, sys
peer, ours = ({row["name"]: row for row in json.load(open(path))["workloads"]} for path in sys.argv[1:])
for name in sorted(peer.keys() & ours.keys()):
    for key in ("ops", "ops_per_worker", "workers", "effort", "measures"):
        if peer[name][key] != ours[name][key]:
            print(f"{name}: {key} is {peer[name][key]}, ours has {ours[name][key]}")
P
}
if "${STEALYARD_BUILD:-/nonexistent}/bench/workload" --list --json >"$scratch/ours" 2>/dev/null; then
    wrong=$(parameters "$scratch/list" "$scratch/ours")
    [[ -z $wrong ]] || fail "$wrong"
else
    echo "not compared with our own workloads, which are not built"
fi

# ---- each workload once, which checks its own outcome ----

runs=0
for name in $(names "$scratch/list" listed); do
    expect 0 '"peer":"Go .*"workload":"'"$name"'","queue":null,.*"iterations":1,.*"checked":true,' \
        --workload "$name" --workers 2 --iterations 1
    runs=$((runs + 1))
done
[[ $runs -ge 50 ]] || fail "only $runs workloads ran"
expect 0 '"workers":1,' --workload ping_pong_hog --workers 2 --iterations 1
expect 0 '"ops_per_iteration":30000,' --workload cycle_few --workers 3 --iterations 1
expect 0 '"latency_ns":\{"count":1600,"max":' --workload mixed --iterations 1

# ---- the servers ----

# start_server <echo|http>: sets server and port.
start_server() {
    local line
    rm -f "$scratch/fifo"
    mkfifo "$scratch/fifo"
    "$peer" --serve "$1" --workers 2 --port 0 >"$scratch/fifo" &
    server=$!
    read -r -t 20 line <"$scratch/fifo"
    port=${line#listening on 127.0.0.1:}
    [[ $port =~ ^[0-9]+$ ]] || { fail "--serve $1 says \"$line\""; port=1; }
}

stop_server() {
    kill -TERM "$server"
    wait "$server" || fail "--serve $1: exit $? after SIGTERM"
    server=
}

start_server echo
exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'there and back\n' >&3
read -r -t 20 -u 3 line
[[ $line == 'there and back' ]] || fail "the echo is \"$line\""
exec 3>&-
stop_server echo

# bash knows no Unix sockets.
rm -f "$scratch/fifo"
mkfifo "$scratch/fifo"
"$peer" --serve echo --workers 2 --unix "$scratch/socket" >"$scratch/fifo" &
server=$!
read -r -t 20 line <"$scratch/fifo"
[[ $line == "listening on unix:$scratch/socket" ]] || fail "--serve echo --unix says \"$line\""
/usr/bin/python3 - "$scratch/socket" <<'P' || fail "echo on a Unix socket"
import socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(20)
    peer.connect(sys.argv[1])
    peer.sendall(b"there and back")
    peer.shutdown(socket.SHUT_WR)
    sys.exit(peer.makefile("rb").read() != b"there and back")
P
stop_server echo
[[ ! -e $scratch/socket ]] || fail "the Unix socket is left behind"

start_server http
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&3
timeout 20 cat <&3 >"$scratch/answers"
exec 3>&-
tr -d '\r' <"$scratch/answers" | sed 's/^Date: .*/Date: now/' >"$scratch/lines"
answer=$(sed '1,/^$/!d;/^$/d' "$scratch/lines" | sort | paste -sd '|')
[[ $answer == 'Content-Length: 13|Content-Type: text/plain|Date: now|HTTP/1.1 200 OK' ]] || fail "GET /: $answer"
grep -q '^Hello, world!HTTP/1.1 404 Not Found$' "$scratch/lines" || fail "the body of /, or the answer to /no"
stop_server http

# ---- wrong usage ----

expect 0 '^usage: go-workload ' --help
expect 2 '^go-workload: --workload is missing; there are: spawn_many_local, '
expect 2 '^go-workload: unknown workload "nonesuch"; there are: .*skynet' --workload nonesuch
expect 2 '^go-workload: unknown flag "--wrokers"; there are: --workload, --workers, .*--help$' --wrokers 2
expect 2 '^go-workload: --workers wants a whole number from 1 to 1024, not "0"' --workload fib --workers 0
expect 2 '^go-workload: --workers wants a whole number from 1 to 1024, not "two"' --workers two
expect 2 '^go-workload: --iterations wants a whole number .*, not ""' --iterations ''
expect 2 '^go-workload: --seed wants a whole number .*, not "-1"' --seed -1
expect 2 '^go-workload: --seed wants a value after it' --seed
expect 2 '^go-workload: --serve knows no "gopher"; there are: echo, http' --serve gopher
expect 2 '^go-workload: --port wants a whole number from 0 to 65535, not "65536"' --serve echo --port 65536

[[ $failures -eq 0 ]] || exit 1
echo "ok: $runs workloads, two servers, wrong usage"
