#!/usr/bin/env bash
# The front command: its help, its answers to wrong usage, and its setup where something is missing.
# ctest-plain-only: yes
set -u

front=$STEALYARD_SOURCE/stealyard
commands=(compare test list bench stress report setup)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
export STEALYARD_BUILD_ROOT=$scratch/build
failures=0

fail() {
    echo "FAIL: $*"
    sed 's/^/    | /' "$scratch/out" "$scratch/err"
    failures=$((failures + 1))
}

# expect <status> <pattern in stdout or stderr> <command>...
expect() {
    local status=0
    "${@:3}" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    if [[ $status -ne $1 ]]; then
        fail "${*:3}: exit $status, not $1"
    elif ! cat "$scratch/out" "$scratch/err" | grep -q -e "$2"; then
        fail "${*:3}: says nothing like \"$2\""
    else
        echo "ok: ${*:3}"
    fi
}

# ---- help and wrong usage: nothing of this may need a build ----

all_commands='compare, test, list, bench, stress, report, setup, help'
expect 0 '^usage: ' "$front" help
expect 0 '^usage: ' "$front" --help
expect 2 '^usage: ' "$front"
expect 2 "\"compair\"; there are: $all_commands" "$front" compair
for command in "${commands[@]}"; do
    expect 0 "^usage: ./stealyard $command" "$front" "$command" --help
done
presets=$(/usr/bin/python3 -c 'import json, sys
print(" ".join(sorted(p["name"] for p in json.load(open(sys.argv[1]))["configurePresets"] if not p.get("hidden"))))' \
    "$STEALYARD_SOURCE/CMakePresets.json")
expect 2 '"no-such"; there are: ' "$front" test no-such
listed=$(sed -n 's/.*there are: //p' "$scratch/err" | tr ' ' '\n' | sort | paste -sd ' ')
[[ $listed == "$presets" ]] || fail "test lists the presets \"$listed\", CMakePresets.json has \"$presets\""
expect 2 '"--fast"; there are: --quick' "$front" test --fast
expect 2 'wants a regular expression' "$front" test -R
expect 2 '"macro"; there are: micro, workload' "$front" bench macro
expect 2 'there are: micro, workload' "$front" bench
expect 2 'one of --plain, --asan, --tsan' "$front" stress --tsan --asan
expect 2 'takes no argument but aarch64, not "now"' "$front" setup now
expect 2 'takes no argument but aarch64' "$front" setup aarch64 now
[[ ! -e $STEALYARD_BUILD_ROOT ]] || fail "wrong usage and help left something in the build directory"

# ---- setup on a machine that lacks a package: a directory of links to all commands but cmake and sudo ----

machine=$scratch/bin
mkdir "$machine"
ln -s /usr/bin/* /usr/sbin/* "$machine" 2>/dev/null
rm -f "$machine"/{cmake,sudo,apt-get,cc}
# Any look at the system compiles something: the log tells whether a call looked.
printf '#!/bin/sh\necho cc >>%s/looks\nexec /usr/bin/cc "$@"\n' "$scratch" >"$machine/cc"
chmod +x "$machine/cc"

# apt_stub <what install does>
apt_stub() {
    printf '#!/bin/sh\necho "$@" >>%s/apt.log\n%s\n' "$scratch" "$1" >"$machine/apt-get"
    chmod +x "$machine/apt-get"
    rm -f "$scratch/apt.log"
}

as_anybody() {
    PATH=$machine "$@"
}
# The tree itself may stand where nobody else can read, hence a copy.
mkdir -p "$scratch/tree/executor/package" "$scratch/tree/results"
touch "$scratch/tree/results/report.py"
cp "$front" "$scratch/tree/"
cp "$STEALYARD_SOURCE"/executor/package/*.sh "$scratch/tree/executor/package/"
as_nobody() {
    if [[ $EUID -eq 0 ]]; then
        PATH=$machine setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        PATH=$machine "$@"
    fi
}

apt_stub 'exit 0'
expect 1 'as root: apt-get install -y cmake$' as_nobody "$scratch/tree/stealyard" setup
[[ ! -e $scratch/apt.log ]] || fail "apt-get was called without root and without sudo"

# With sudo, and without a terminal to ask on: `sudo -n`. The stub changes nobody.
mkdir -m 777 "$scratch/nobody"
chmod 777 "$scratch" "$machine"
# shellcheck disable=SC2016 # for the stub to expand
printf '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\nexec "$@"\n' >"$machine/sudo"
chmod +x "$machine/sudo"
apt_stub "case \"\$*\" in *install*cmake*) ln -s /usr/bin/cmake $machine/cmake ;; esac"
STEALYARD_BUILD_ROOT=$scratch/nobody/build expect 0 'ready; Python: ' as_nobody "$scratch/tree/stealyard" setup
[[ -s $scratch/apt.log ]] || fail "sudo was there and apt-get was not called"
rm -f "$machine/cmake" "$machine/sudo" "$scratch/looks"

if [[ $EUID -eq 0 ]]; then
    apt_stub 'echo "no network" >&2; exit 100'
    expect 1 'as root: apt-get install -y cmake$' as_anybody "$front" setup
    grep -q update "$scratch/apt.log" || fail "a failed installation was not tried again with fresh lists"
    [[ ! -e $STEALYARD_BUILD_ROOT/.setup ]] || fail "a failed setup counts as done"

    apt_stub "case \"\$*\" in *install*cmake*) ln -s /usr/bin/cmake $machine/cmake ;; esac"
    expect 0 'ready; Python: ' as_anybody "$front" setup
    grep -q 'install -y .*cmake' "$scratch/apt.log" || fail "cmake was not installed"
    looks=$(wc -l <"$scratch/looks")
    start=${EPOCHREALTIME/./}
    as_anybody "$scratch/tree/stealyard" report </dev/null
    echo "a second call: $(((${EPOCHREALTIME/./} - start) / 1000)) ms with a report that does nothing"
    [[ $(wc -l <"$scratch/looks") -eq $looks ]] || fail "a second call looked at the system again"

    # Another dependency gone: the PATH is the same, the package database newer.
    rm "$STEALYARD_BUILD_ROOT/.setup" "$machine/cmake" "$machine/ninja"
    apt_stub 'exit 100'
    expect 1 'as root: apt-get install -y cmake ninja-build$' as_anybody "$front" test release
else
    echo "not root: installation itself is not tested here"
fi

echo "$failures failures"
[[ $failures -eq 0 ]]
