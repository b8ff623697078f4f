#!/usr/bin/env bash
# Does queues/README.md tell of every global queue, in the list's order, and of its bound and order as its ops do?
# ctest-plain-only: yes
# shellcheck disable=SC2016
set -u
cd "${STEALYARD_SOURCE:-$(dirname "$0")/..}" || exit 1

# field <queue> <field>: what its ops say, without quotes.
field() {
    sed -n "s/^    \.$2 = \"\{0,1\}\([^\",]*\)\"\{0,1\},\$/\1/p" "queues/$1.h"
}

claimed() {
    local queue bounded
    sed -n 's/^    GQ(\(gq_[a-z0-9_]*\)).*/\1/p' queues/gq_list.h | while read -r queue; do
        bounded=$(field "$queue" bounded)
        case $bounded in
        true) bounded=yes ;;
        false) bounded=no ;;
        esac
        echo "$queue | $bounded | $(field "$queue" order)"
    done
}

told() {
    sed -n 's/^| `\(gq_[a-z0-9_]*\)` | \([^|]* | [^|]*\) | .*/\1 | \2/p' queues/README.md
}

claims=$(claimed)
[[ -n $claims ]] || { echo "FAIL: no queue is found in queues/gq_list.h"; exit 1; }
if ! diff <(echo "$claims") <(told); then
    echo "FAIL: the table of queues/README.md (>) is not what gq_list.h and the ops say (<)"
    exit 1
fi
