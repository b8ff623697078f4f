# shellcheck shell=bash disable=SC2034
header=queues/emptiness.h
late=(-DPUSHERS=1 -DPOPPERS=2)
now=(-DPUSHERS=1 -DPOPPERS=2 -DNOW)

right "a push while two poppers look" "${late[@]}"
right "a push by a seq_cst operation while two poppers look" "${now[@]}"

wrong "a look without its barrier" '/\[F\] \*\//s/fence_seq_cst();/;/' "${late[@]}"
wrong "no round" \
    's/(word | EMPTINESS_STATE) + 1 + EMPTINESS_LOOKING/(word \& ~EMPTINESS_SOME) | EMPTINESS_LOOKING/' "${late[@]}"
wrong "one phase" '/\[E6\] \*\//s/return .*;/au64_store_relaxed(\&emptiness->word, empty); return true;/' "${late[@]}"
wrong "a push that does not tell" '/\[E3\] \*\//s/au64_fetch_or_relaxed(.*);/;/' "${late[@]}"
wrong "a look announced by relaxed" '/\[E5\] \*\//s/seq_cst/relaxed/' "${now[@]}"
wrong "a look at the word by relaxed" '/\[E7\] \*\//s/seq_cst/relaxed/' "${now[@]}"
