#!/usr/bin/env bash
# The example copy: the same bytes with every reactor, block and number of lanes; what goes wrong leaves nothing behind.
set -u

copy=$STEALYARD_BUILD/executor/examples/copy
[[ -x $copy ]] || { echo "FAIL: copy was not built"; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# same <bytes> <options>...
same() {
    rm -f to
    if ! timeout 60 "$copy" "${@:2}" "of-$1" to >out 2>err; then
        fail "$*: $(cat err)"
    elif ! cmp -s "of-$1" to || [[ $(cat out) != "$1 bytes" || $(stat -c %a to) != 640 ]]; then
        fail "$*: another file, said \"$(cat out)\""
    fi
}

for bytes in 0 1 65535 65536 65537 1000000; do
    head -c $bytes /dev/urandom >of-$bytes
    chmod 640 of-$bytes
done
tested=0
for reactor in $("$copy" --reactor '?' a b 2>&1 | sed 's/.*there are: //; s/;.*//; s/,//g'); do
    if ! "$copy" --reactor "$reactor" of-1 to >out 2>err; then
        echo "not tested: $reactor: $(cat err)"
        continue
    fi
    tested=$((tested + 1))
    for bytes in 0 1 65535 65536 65537 1000000; do
        same $bytes --reactor "$reactor"
    done
    same 65537 --reactor "$reactor" --block 100 --lanes 7
    same 1000000 --reactor "$reactor" --block 1000001 --lanes 256
    same 1000000 --reactor "$reactor" --lanes 1 --workers 1
done
[[ $tested -gt 0 ]] || fail "no reactor was tested"

same 1000000
echo old >to
same 65537 # over another

# refused <status> <regular expression> <argument>...
refused() {
    local status=0
    timeout 60 "$copy" "${@:3}" >out 2>err || status=$?
    if [[ $status -ne $1 ]] || ! grep -qE "$2" err || [[ $(wc -l <err) -ne 1 || -s out ]]; then
        fail "${*:3}: exit $status, said \"$(cat err)\""
    fi
    [[ -z $(find . -name '*.partial') ]] || fail "${*:3}: left $(find . -name '*.partial')"
}

mkdir directory
mkfifo fifo
echo kept >kept
refused 2 '^copy: wants two names' of-1
refused 2 '^copy: wants two names' of-1 a b
refused 2 '^copy: --lanes wants a number from 1 to 256, not "0"' --lanes 0 of-1 to
refused 2 '^copy: --block wants a number from 1 to 1073741824' --block 0 of-1 to
refused 1 '^copy: cannot open missing: No such file' missing kept
refused 1 '^copy: directory is no regular file$' directory kept
refused 1 '^copy: fifo is no regular file$' fifo kept
refused 1 '^copy: cannot open no/where.partial: No such file' of-1 no/where
refused 1 '^copy: cannot write directory: Is a directory$' of-1 directory
(ulimit -f 100 && trap '' XFSZ && refused 1 '^copy: cannot copy to kept.partial: File too large$' of-1000000 kept
    exit $((failures > 0))) || failures=$((failures + 1))
[[ $(cat kept) == kept ]] || fail "what was there is lost"

[[ $failures -eq 0 ]] && echo "all passed, $tested reactors"
exit $((failures > 0))
