#!/usr/bin/env bash
# Is each of the cases that reactors got wrong tested, by a test called case_<number>_<what>, over every reactor of the
# list and with both policies of the first try?
# ctest-plain-only: yes
set -u

failures=0
list=$(for suite in "$STEALYARD_BUILD"/stress/suite_rx*; do "$suite" --list || exit; done)
reactors=$(sed -n 's/^ *RX(\(rx_[a-z_]*\)).*/\1/p' "$STEALYARD_SOURCE/reactor/rx_list.h")
[[ -n $list && -n $reactors ]] || exit 1
for number in $(seq -w 1 17); do
    for reactor in $reactors; do
        for variant in "$reactor" "$reactor+try"; do
            if ! grep -qF "$variant/case_${number}_" <<<"$list"; then
                echo "FAIL: no test over $variant is called case_${number}_…"
                failures=$((failures + 1))
            fi
        done
    done
done
echo "$failures failures"
[[ $failures -eq 0 ]]
