#!/usr/bin/env bash
# Does queues/README.md tell of every global queue and every deque, in the order of the lists, and of its bound and
# order as its ops do?
# ctest-plain-only: yes
# shellcheck disable=SC2016
set -u
cd "${STEALYARD_SOURCE:-$(dirname "$0")/..}" || exit 1

# field <queue> <field>: what its ops say, without quotes.
field() {
    sed -n "s/^    \.$2 = \"\{0,1\}\([^\",]*\)\"\{0,1\},\$/\1/p" "queues/$1.h"
}

# claimed <gq or dq>
claimed() {
    local queue bounded order
    sed -n "s/^    [A-Z]*(\($1_[a-z0-9_]*\)).*/\1/p" "queues/$1_list.h" | while read -r queue; do
        bounded=$(field "$queue" bounded)
        case $bounded in
        true) bounded=yes ;;
        false) bounded=no ;;
        esac
        order=$(field "$queue" order)
        echo "$queue | $bounded | ${order#DQ_}"
    done
}

# told <gq or dq>
told() {
    sed -n 's/^| `\('"$1"'_[a-z0-9_]*\)` | \([^|]* | [^|]*\) | .*/\1 | \2/p' queues/README.md
}

failed=0
for kind in gq dq; do
    claims=$(claimed $kind)
    if [[ -z $claims ]]; then
        echo "FAIL: nothing is found in queues/${kind}_list.h"
        failed=1
    elif ! diff <(echo "$claims") <(told $kind); then
        echo "FAIL: the table of queues/README.md (>) is not what ${kind}_list.h and the ops say (<)"
        failed=1
    fi
done
exit $failed
