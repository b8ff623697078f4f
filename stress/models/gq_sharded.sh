# shellcheck shell=bash disable=SC2034
header=queues/gq_sharded.h
meet=(-DPUSHERS=2 -DPOPPERS=2)
shared=(-DPUSHERS=2 -DPREFILLED=1 -DPOPPERS=1 -DPOPS=2)
again=(-DPUSHERS=1 -DEACH=2 -DPOPPERS=2)
batches=(-DPUSHERS=2 -DEACH=2 -DBATCH=1 -DPOPPERS=1 -DMAX=3 -DPREFILLED=1)
stays=(-DPUSHERS=1 -DPREFILLED=3 -DPOPPERS=2 -DNEVER_EMPTY=1)

right "two pushers and two poppers" "${meet[@]}"
right "three producers on two shards" "${shared[@]}"
right "a shard that is emptied and filled again" "${again[@]}"
right "batches from several shards" "${batches[@]}"
right "a queue that is never empty" "${stays[@]}"

wrong "a shard's bit set after the unlock" '/gq_sharded_append(struct/,/^}/{
    s/if (node_list_append(\(.*\))) {/bool first_in = node_list_append(\1); {/
    /\[B\] \*\//d
    s/pthread_mutex_unlock(.*/& if (first_in) { au64_fetch_or_relaxed(\&q->filled, (uint64_t)1 << own); }/
}' "${again[@]}"
wrong "a shard's bit cleared after the unlock" '/gq_sharded_take(struct/,/^}/{
    s/if (n > 0) {/bool emptied = n > 0 \&\& !shard->list.head; &/
    s/if (!shard->list.head) {/{/
    /\[C\] \*\//d
    s/pthread_mutex_unlock(.*/& if (emptied) { au64_fetch_and_relaxed(\&q->filled, ~((uint64_t)1 << index)); }/
}' "${again[@]}"
wrong "a bit set over another's" \
    '/\[B\] \*\//{
        s/au64_fetch_or_relaxed(&q->filled, /au64_store_relaxed(\&q->filled, au64_load_relaxed(\&q->filled) | /
    }' "${meet[@]}"
wrong "a bit cleared over another's" \
    '/\[C\] \*\//{
        s/au64_fetch_and_relaxed(&q->filled, /au64_store_relaxed(\&q->filled, au64_load_relaxed(\&q->filled) \& /
    }' "${meet[@]}"
wrong "a bit that is not set" '/\[B\] \*\//d' "${again[@]}"
wrong "a bit that is not cleared" '/\[C\] \*\//d' "${again[@]}"
wrong "a bit cleared while items are left" 's/if (!shard->list.head) {/{/' "${stays[@]}"
wrong "a pop without the lock" '/gq_sharded_take(struct/,/^}/s/pthread_mutex_\(un\)*lock(.*/;/' "${again[@]}"
wrong "a push that leaves its shard" \
    's/if (__builtin_expect(gq_sharded_number == 0, 0)) {/{/' -DPUSHERS=1 -DEACH=3 -DPOPPERS=1 -DMAX=3
