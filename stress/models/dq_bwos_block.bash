# shellcheck shell=bash disable=SC2034,SC2154
# What the models of dq_bwos and dq_bwos_fifo share. Blocks are of one slot where nothing else is said (half of the
# capacity), so that a few operations use blocks again.
header=queues/dq_bwos_block.h
# For faults that let thieves go past blocks without end.
bounded='s/for (;;) {/for (int turns = 0;; turns++) { assert(turns < 4);/'

# The faults of dq_bwos_block.h that both find with the shape "last".
block_wrong() {
    wrong "a grant with relaxed" '/\[W2\] \*\//s/release/relaxed/' "${last[@]}"
    wrong "a word read with relaxed" '/\[W0\] \*\//s/acquire/relaxed/' "${last[@]}"
    wrong "a theft without compare-and-swap" \
        's/!au64_cas_release(\(dq_bwos_word(.*)\), &word, \(word + n\))) {/(au64_store_release(\1, \2), false)) {/' \
        "${last[@]}"
    wrong "the next block is not marked as own" "$bounded;"'/\[W1\] \*\//d' "${last[@]}"
}
