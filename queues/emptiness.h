/*
 * One word that tells whether a queue is empty, for queues whose own state needs two loads to tell. Poppers that find
 * nothing set it, pushers take it back; while the queue stays non-empty it is only read.
 *
 *   word = round << 2 | LOOKING | SOME        neither bit: empty
 *
 * Source: ours. Two phases, because a popper that looks and then writes would write "empty" over a push that came
 * between: it first announces its look (LOOKING, in a new round), then looks, and a push that came between has set
 * SOME.
 *
 * Contract. Any number of threads, around the operations of a queue in which a finished push is seen by a look that
 * comes after it, barriers given:
 *   push   the item becomes visible to poppers; a full barrier; emptiness_pushed. Or, if a seq_cst read-modify-write
 *          makes it visible and looks read by seq_cst loads what that one writes: emptiness_pushed_now, without barrier
 *   pop    where nothing was found: round = emptiness_suspect; look again; if there is nothing still and nobody is in
 *          the middle of a push, emptiness_conclude(round): true: empty, false: somebody was at it meanwhile
 *   ask    emptiness_holds, one load: true only if every push that happened before it has been popped. Also between a
 *          pusher and a sleeper that each have a full barrier between their write and their look (executor/idle.h): the
 *          push counts as a write that stands before the pusher's barrier.
 *
 * Progress. emptiness_holds and emptiness_conclude: wait-free. emptiness_pushed: wait-free, no loop. emptiness_suspect:
 * lock-free; its swap fails only if another popper's succeeded, or a push after that. A popper that stalls between the
 * two blocks nobody: others join its round.
 *
 * Why it holds. Let W be the write that made the word "empty", R its round, P a push that happened before the
 * emptiness_holds that reads W, or stands before it by the barriers. P's [E2] or [E3] comes before W in the order of
 * the word's values, else W would not have been read. [E3] in round R would have changed the word under [E6], and so
 * would the SOME that an [E2] of P saw, had it been set in round R. So what P saw or set is SOME of an earlier round,
 * older than the [E5] that began R. P's barrier then stands before the barrier [F] of whoever wrote W: that one had
 * read R's LOOKING before its [F], and P a value before it (or wrote one) after its own barrier. So the look after [F]
 * sees P's item, or a state in which it is gone. The look found nothing: it is gone.
 *
 * For emptiness_pushed_now, say "in the total order of seq_cst accesses" instead of the barriers: its [E7] comes after
 * the write that publishes, the loads of a look after [E4] and [E5].
 *
 * Memory order. The barriers order, or seq_cst does for emptiness_pushed_now (which costs x86 nothing), and nothing is
 * read through the word; the others are relaxed.
 *   [E1] emptiness_holds: what it reads is as new as what any push saw that happened before, by coherence
 *   [E2] emptiness_pushed loads: after the push's barrier, with [F]
 *   [E3] emptiness_pushed sets SOME: after the push's barrier, too; taken by [E5] of the next round, or fails [E6]
 *   [E4] emptiness_suspect loads: a round that it joins is older than its [F]
 *   [E5] emptiness_suspect begins a round: before [F]
 *   [F]  with the push's barrier: either the look sees the item or [E2] sees the round
 *   [E7] as [E2], but seq_cst: if it comes before [E5], or the [E4] that saw its round, so does the push
 *   [E6] emptiness_conclude: fails if SOME was set since the look was announced
 *
 * ABA: the round is counted in 62 bits; a popper that comes back to the same one has slept for 2^62 rounds.
 *
 * Cost. Push: a load (and the barrier). Pop of something: nothing, but for the load by which it may say "empty" at
 * once. The last pop before "empty": 2 RMWs and a fence, and the next push 1 RMW.
 *
 * Rejected: a count of the items (an RMW of every push and pop on one line); a store by every push (takes the line from
 * all that look); one bit written in one phase (see above); LOOKING without a round (a popper that slept could conclude
 * the look of another).
 */
#ifndef STEALYARD_QUEUES_EMPTINESS_H
#define STEALYARD_QUEUES_EMPTINESS_H

#include "queues/atomics.h"

#define EMPTINESS_SOME ((uint64_t)1)
#define EMPTINESS_LOOKING ((uint64_t)2)
#define EMPTINESS_STATE (EMPTINESS_SOME | EMPTINESS_LOOKING)

struct emptiness {
    struct au64 word;
};

/* Of an empty queue; `first` is the first round. */
SY_INLINE void emptiness_init(struct emptiness *emptiness, uint64_t first) {
    au64_store_relaxed(&emptiness->word, first << 2);
}

SY_INLINE bool emptiness_holds(const struct emptiness *emptiness) {
    return (au64_load_relaxed(&emptiness->word) & EMPTINESS_STATE) == 0; /* [E1] */
}

/* After a push, and a full barrier. */
SY_INLINE void emptiness_pushed(struct emptiness *emptiness) {
    if (!(au64_load_relaxed(&emptiness->word) & EMPTINESS_SOME)) { /* [E2] */
        au64_fetch_or_relaxed(&emptiness->word, EMPTINESS_SOME);   /* [E3] */
    }
}

/* After a push by a seq_cst read-modify-write, which looks load by seq_cst. */
SY_INLINE void emptiness_pushed_now(struct emptiness *emptiness) {
    if (!(au64_load_seq_cst(&emptiness->word) & EMPTINESS_SOME)) { /* [E7] */
        au64_fetch_or_seq_cst(&emptiness->word, EMPTINESS_SOME);   /* [E3] */
    }
}

/* Announces a look, which comes after it, and returns the round for emptiness_conclude. */
SY_INLINE uint64_t emptiness_suspect(struct emptiness *emptiness) {
    uint64_t word = au64_load_seq_cst(&emptiness->word); /* [E4] */
    while (word & EMPTINESS_SOME) {
        uint64_t round = (word | EMPTINESS_STATE) + 1 + EMPTINESS_LOOKING;
        if (au64_cas_seq_cst(&emptiness->word, &word, round)) { /* [E5] */
            word = round;
        }
    }
    fence_seq_cst(); /* [F] */
    return word;
}

/* The look found nothing. */
SY_INLINE bool emptiness_conclude(struct emptiness *emptiness, uint64_t round) {
    uint64_t empty = round & ~EMPTINESS_LOOKING;
    return au64_cas_relaxed(&emptiness->word, &round, empty) || round == empty; /* [E6] */
}

#endif
