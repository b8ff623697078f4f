#!/usr/bin/env bash
# Everything of ours compiles without a warning, by gcc and by clang; and each deque from C++ too.
# ctest-plain-only: yes
# ctest-slow: yes
# ctest-timeout: 900
set -u

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
absent=()

# include_deques <C++ compiler>
include_deques() {
    local header status=0
    for header in "$STEALYARD_SOURCE"/queues/dq_*.h; do
        "$1" -std=c++20 -Wall -Wextra -Werror -fsyntax-only "-I$STEALYARD_SOURCE" -include "$header" -x c++ /dev/null ||
            status=1
    done
    return $status
}

# compile <C compiler> <C++ compiler> <optimisation>
compile() {
    local dir=$scratch/$1
    if ! command -v "$1" >/dev/null || ! command -v "$2" >/dev/null; then
        absent+=("$1")
        return 0
    fi
    cmake -S "$STEALYARD_SOURCE" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="$3" \
        -DCMAKE_CXX_FLAGS_RELEASE="$3" -DCMAKE_C_COMPILER="$1" -DCMAKE_CXX_COMPILER="$2" -DSTEALYARD_WERROR=ON \
        >"$dir.log" 2>&1 &&
        ninja -C "$dir" -k 0 >>"$dir.log" 2>&1 && include_deques "$2" >>"$dir.log" 2>&1 && echo "ok: $1" && return
    echo "FAIL: $1"
    grep -v '^\[' "$dir.log" | tail -n 100
    return 1
}

# by_gcc: this build itself is by gcc, and with warnings as errors.
by_gcc() {
    local cache=$STEALYARD_BUILD/CMakeCache.txt version
    version=$("$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$cache")" --version) || return 1
    grep -q '^STEALYARD_WERROR:BOOL=ON$' "$cache" && [[ $version == *"Free Software Foundation"* ]]
}

# gcc has warnings that only its optimiser can give; clang's all come before.
failed=0
if by_gcc; then
    include_deques g++ && echo "ok: gcc, by the build itself" || failed=1
else
    compile gcc g++ -O2 || failed=1
fi
compile clang clang++ -O0 || failed=1
[[ $failed -eq 0 ]] || exit 1
if [[ ${#absent[@]} -gt 0 ]]; then
    echo "SKIP: not installed: ${absent[*]}"
    exit 77
fi
