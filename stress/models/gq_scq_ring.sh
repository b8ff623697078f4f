# shellcheck shell=bash disable=SC2034
header=queues/gq_scq.h

right "an enqueue, and a dequeue that may lower the threshold"

wrong "the threshold lowered without another look at the tail" \
    's/if (left >= 0 && gq_scq_reaches(head, .*))) {/if (left >= 0) {/'
wrong "the threshold lowered over an enqueue's" \
    's/ai64_cas_seq_cst(&ring->threshold, &left, -1);/ai64_store_seq_cst(\&ring->threshold, -1);/'
wrong "enqueue looks at the threshold with relaxed" '/\[R0\] \*\//s/seq_cst/relaxed/'
wrong "dequeue takes one off with relaxed" '/int64_t left = .*\[T1\] \*\//s/seq_cst/relaxed/'
