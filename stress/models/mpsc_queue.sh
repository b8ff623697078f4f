# shellcheck shell=bash disable=SC2034
header=executor/sync/mpsc_queue.h
two=(-DSENDERS=2 -DSENDS=1 -DLOOKS=1)
one=(-DSENDERS=1 -DSENDS=2 -DLOOKS=2)
# Too many to run through; a fault is found at once.
many=(-DSENDERS=2 -DSENDS=2 -DLOOKS=1)
growing=(-DSENDERS=2 -DSENDS=1 -DLOOKS=0 -DBLOCKS=0 -DGROWS=2)

right "two senders and the receiver" "${two[@]}"
right "a sender from block to block before the receiver" "${one[@]}"

wrong "a value published with relaxed" '/Q7 \*\//s/acq_rel/relaxed/' "${two[@]}"
wrong "a value looked at with relaxed" '/word); \/\* Q8 \*\//s/acquire/relaxed/' "${two[@]}"
wrong "the receiver's wish not published" \
    '/Q9 \*\//s/_fetch_add_acq_rel(&q->current->word, change)/_load_acquire(\&q->current->word); (void)change/' \
    "${two[@]}"
wrong "a block left before it is full" 's/bool full = .*/bool full = true;/' "${two[@]}"
wrong "a block used again at once" 's/ && au64_load_acquire(&q->oldest->passed) <= position//' "${many[@]}"
wrong "a room raised by another, read with relaxed" \
    '/mpsc_queue_raise(struct/,/^}/s/room = au64_load_acquire/room = au64_load_relaxed/' "${growing[@]}"
