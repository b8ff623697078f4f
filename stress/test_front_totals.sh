#!/usr/bin/env bash
# The total of `./stealyard test`: in a copy of the build files with tests of every possible end.
# ctest-plain-only: yes
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
unset STEALYARD_BUILD_ROOT STEALYARD_WERROR
failures=0

# Whatever this machine lacks, this test installs nothing.
mkdir "$scratch/bin"
printf '#!/bin/sh\nexit 0\n' >"$scratch/bin/apt-get"
chmod +x "$scratch/bin/apt-get"
PATH=$scratch/bin:$PATH

mkdir "$tree"
cd "$STEALYARD_SOURCE"
cp --parents stealyard CMakePresets.json CMakeLists.txt ./*/CMakeLists.txt executor/package/* \
    stress/tests.cmake stress/tsan.supp "$tree"
cd "$tree"
: >bench/CMakeLists.txt # whose programs have no sources here
echo 'target_sources(stealyard PRIVATE answer.c)' >executor/CMakeLists.txt # and so has the executor
echo 'int sy_answer(void); int sy_answer(void) { return 42; }' >executor/answer.c
echo 'int main(void) { return 0; }' >stress/unit_pass.c
echo 'int sy_answer(void); int main(void) { return sy_answer() != 42; }' >stress/unit_answer.c
printf 'echo "SKIP: the moon is not full"\nexit 77\n' >stress/test_skip.sh
# STEALYARD_BUILD and STEALYARD_SOURCE are what a script finds its programs with.
# shellcheck disable=SC2016 # for the script to expand
printf '[ -x "$STEALYARD_BUILD/stress/unit_pass" ] && [ "$STEALYARD_SOURCE" = "%s" ]\n' "$tree" >stress/test_env.sh

fail() {
    echo "FAIL: $1"
    sed 's/^/    | /' "$scratch/out"
    failures=$((failures + 1))
}

# expect <status> <last line> <what> <argument of the test command>...
expect() {
    local status=0
    ./stealyard test "${@:4}" >"$scratch/out" 2>&1 || status=$?
    if [[ $status -ne $1 || $(tail -n 1 "$scratch/out") != "$2" ]]; then
        fail "$3: exit $status (should be $1), last line not \"$2\":"
    else
        echo "ok: $3"
    fi
}

# expect_told <line>...: what the last run tells of failures, right above its total, is these lines and no more.
expect_told() {
    sed '$d' "$scratch/out" | sed -n '/^failed in /,$p' | sed 's/([0-9.]* s)$/(T s)/' >"$scratch/told"
    [[ $# -eq 0 ]] || printf '%s\n' "$@" | cmp - "$scratch/told" || fail "the end should tell: $*"
    [[ $# -gt 0 || ! -s $scratch/told ]] || fail 'the end tells of failures that there were not'
}

expect 0 '3 passed, 0 failed, 1 skipped' 'passes and a skip' release
expect_told
grep -qx 'skipped in test_skip: the moon is not full' "$scratch/out" || fail 'the reason of the skip is not told'
expect 0 '1 passed, 0 failed, 0 skipped' '-R' release -R answer
expect 2 'stealyard: test: no test matches "question"' '-R that matches nothing' release -R question

cat >stress/unit_status.c <<'C'
#include <stdio.h>
int main(void) { for (int i = 1; i <= 30; i++) printf("line %d of <%s> & \"%s\"\n", i, "a", "b"); return 3; }
C
expect 1 '3 passed, 1 failed, 1 skipped' 'a failure' release
mapfile -t printed < <(seq -f '    | line %g of <a> & "b"' 6 30)
expect_told 'failed in release: unit_status (T s)' "${printed[@]}"
echo 'int main(void) { __builtin_trap(); }' >stress/unit_status.c
expect 1 '3 passed, 1 failed, 1 skipped' 'a crash' release
printf '/* ctest-slow: yes\n * ctest-timeout: 1 */\nint main(void) { for (volatile int i = 0;; i = 1) {} }\n' \
    >stress/unit_status.c
expect 1 '3 passed, 1 failed, 1 skipped' 'a test that does not end' release
expect_told 'failed in release: unit_status (T s)'
expect 0 '3 passed, 0 failed, 1 skipped' '--quick leaves a slow test out' --quick
rm stress/unit_status.c
expect 0 '6 passed, 0 failed, 2 skipped' 'two presets' release debug

echo 'print("no Python runs this")' >stress/test_python.py
expect 0 '4 passed, 0 failed, 1 skipped' 'a Python test' release
sed -i 's,^STEALYARD_PYTHON:.*,STEALYARD_PYTHON:FILEPATH=/nonexistent/python,' build/release/CMakeCache.txt
touch CMakeLists.txt
expect 1 '3 passed, 1 failed, 1 skipped' 'a test that cannot be started' release
expect_told 'failed in release: test_python (T s)' '    | Unable to find executable: /nonexistent/python'
rm stress/test_python.py
expect 77 '0 passed, 0 failed, 1 skipped' 'no libraries of another machine' aarch64
echo 'no C' >stress/unit_pass.c
expect 1 '0 passed, 1 failed, 0 skipped' 'a build that fails' release
expect_told 'failed in release: the build'

echo "$failures failures"
[[ $failures -eq 0 ]]
