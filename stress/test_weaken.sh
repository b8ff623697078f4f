#!/bin/bash
# ctest-timeout: 300
# ctest-plain-only: yes
# Can the suites see a wrong memory order at all? Builds them with every order weakened to relaxed: ThreadSanitizer has
# to report a data race, in the file that the order belongs to or in the items that it hands over. Each is built in its
# right orders too, where it must report none. gq_mutex is not among them: a lock orders it, nothing is to be weakened.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
compiler=${CC:-cc}

if ! pkg-config --exists liburcu-qsbr liburcu-cds ck; then
    echo "SKIP: liburcu or Concurrency Kit is missing (Debian: apt-get install liburcu-dev libck-dev)"
    exit 77
fi
read -ra urcu <<<"$(pkg-config --cflags --libs liburcu-qsbr liburcu-cds)"
read -ra ck <<<"$(pkg-config --cflags-only-I ck)"

# build <suite> <program> [flag...]
build() {
    local suite=$1 program=$2
    shift 2
    "$compiler" -std=gnu11 -O1 -g1 -I. -fsanitize=thread "${ck[@]}" "$@" "stress/$suite.c" executor/sync/*.c \
        -o "$program" "${urcu[@]}" -pthread -lm
}

echo 'int main(void) { return 0; }' >"$work/empty.c"
if ! "$compiler" -fsanitize=thread "$work/empty.c" -o "$work/empty" 2>"$work/log" || ! "$work/empty"; then
    echo "SKIP: $compiler -fsanitize=thread makes no program that runs here"
    exit 77
fi

failed=0
# expect <race|clean> <suite> <only> <file>
expect() {
    local what=$1 suite=$2 only=$3 file=$4 program=$work/$1-$2 flags=()
    [ "$what" = race ] && flags=(-DSY_ATOMICS_WEAKEN)
    [ -x "$program" ] || build "$suite" "$program" "${flags[@]}" || exit 1
    TSAN_OPTIONS=halt_on_error=1:exitcode=66 timeout 100 "$program" --only "$only" --seed 1 >"$work/log" 2>&1
    local status=$? seen=no
    # Where the racing access stands: the first frame, but for the accessors themselves.
    grep -q 'SUMMARY: ThreadSanitizer: data race' "$work/log" &&
        grep -E '^ +#[0-9]+ ' "$work/log" | grep -v 'queues/atomics.h' | head -n 1 | grep -q "$file" && seen=yes
    if [ "$what" = race ] && [ "$status $seen" != "66 yes" ]; then
        tail -n 40 "$work/log"
        echo "FAIL: $suite --only $only saw no race in $file with every order relaxed (exit status $status)"
        failed=1
    elif [ "$what" = clean ] && [ $status -ne 0 ]; then
        tail -n 40 "$work/log"
        echo "FAIL: $suite --only $only is not clean in its right orders (exit status $status)"
        failed=1
    else
        echo "ok   $what $suite --only $only"
    fi
}

for what in clean race; do
    expect $what suite_dq dq_chase_lev/growth_under_theft dq_
    expect $what suite_dq dq_chase_lev/exactly_once dq_
    expect $what suite_dq dq_tokio_ring/exactly_once dq_
    expect $what suite_dq dq_st3/exactly_once dq_
    expect $what suite_dq dq_bwos/exactly_once dq_
    expect $what suite_dq dq_split_asym/exactly_once dq_
    expect $what suite_gq gq_ck_fifo/exactly_once gq_runs.h
    expect $what suite_gq gq_wfcq/exactly_once gq_runs.h
    expect $what suite_gq gq_ms/exactly_once gq_ms.h
    expect $what suite_gq gq_urcu_lf/exactly_once gq_urcu_lf.h
    expect $what suite_gq gq_ck_ring/exactly_once gq_runs.h
    expect $what unit_atomics release_is_seen_by_acquire unit_atomics.c
    expect $what unit_semaphore threads_never_hold_more_than_there_are unit_semaphore.c
    expect $what unit_notify a_permit_hands_over_what_was_done unit_notify.c
    expect $what unit_mpsc_threads all_arrive_in_each_senders_order 'mpsc_queue.h\|waker_slot.h'
done
exit $failed
