/*
 * The life of a task in one atomic word: flags below, the reference count above.
 *
 *   RUNNING        somebody polls it, or drops its future: at most one
 *   COMPLETE       it ended (ready, or cancelled); never cleared
 *   NOTIFIED       it is in a queue, or on its way there, or was woken while running
 *   JOIN_INTEREST  a join handle exists
 *   JOIN_WAKER     task->joiner is set: before COMPLETE it is the handle's, who clears this bit to touch it; whoever
 *                  sets COMPLETE finds the bit and owns the waker from then on
 *   CANCELLED      its end was asked for, or was its end
 *   PUSHERS        a count: threads that are no workers and are between waking the task and the end of their access to
 *                  the runtime. Each holds a reference. Shutdown waits for them, so that afterwards no waker of any
 *                  task touches the runtime, and wakers and handles may outlive it
 *
 * One reference, the "life" reference, belongs to the task itself until COMPLETE, so queues and wake-ups by reference
 * count nothing. Others: each waker, each join handle.
 *
 * Exclusive access. Where a thread that owns the life reference (the runner) reads a count of one, it is the only one
 * who can reach the task: any other access goes through a reference, and new ones are made from old ones. Then plain
 * stores replace read-modify-writes, and a task that nobody joins and nobody wakes costs none at all. The load that
 * reads the count is acquire and pairs with the release in state_unref (R1), by which the last other holder left.
 *
 * Order. Every transition is acq_rel unless said otherwise: it hands the future's plain fields from one runner to the
 * next, and from a waker to the runner that its wake-up causes. In particular a wake-up of a task that is already
 * NOTIFIED is still a read-modify-write with release: what the waker wrote before must be seen by the poll that the
 * earlier wake-up caused (that was lost once in a runtime of renown). No transition takes part in a store-load pattern,
 * so none is seq_cst.
 */
#ifndef STEALYARD_EXECUTOR_TASK_STATE_H
#define STEALYARD_EXECUTOR_TASK_STATE_H

#include "executor/task.h"

#define TASK_RUNNING ((uint64_t)1)
#define TASK_COMPLETE ((uint64_t)2)
#define TASK_NOTIFIED ((uint64_t)4)
#define TASK_JOIN_INTEREST ((uint64_t)8)
#define TASK_JOIN_WAKER ((uint64_t)16)
#define TASK_CANCELLED ((uint64_t)32)
#define TASK_PUSHER ((uint64_t)1 << 8)    /* 16 bits: as many threads at once */
#define TASK_PUSHERS ((uint64_t)0xffff << 8)
#define TASK_REF ((uint64_t)1 << 24)

SY_INLINE uint64_t state_refs(uint64_t state) {
    return state / TASK_REF;
}

/* S1, relaxed: nobody else can reach the task yet; the queue that it goes through orders. */
SY_INLINE void state_init(struct sy_task *task, bool joined) {
    uint64_t life = TASK_NOTIFIED + TASK_REF;
    au64_store_relaxed(&task->state, joined ? life + TASK_REF + TASK_JOIN_INTEREST : life);
}

/* S2, relaxed: made from a reference that exists, so nothing is to be ordered. */
SY_INLINE void state_ref(struct sy_task *task) {
    au64_fetch_add_relaxed(&task->state, TASK_REF);
}

/* S3, relaxed: for a walker that holds no reference. False: the last one is gone, the memory is about to go. */
SY_INLINE bool state_ref_unless_zero(struct sy_task *task) {
    uint64_t s = au64_load_relaxed(&task->state);
    while (state_refs(s) > 0) {
        if (au64_cas_relaxed(&task->state, &s, s + TASK_REF)) {
            return true;
        }
    }
    return false;
}

/* R1. True: it was the last reference, the caller frees (acquire: after everything the others did). */
SY_INLINE bool state_unref(struct sy_task *task) {
    return state_refs(au64_fetch_sub_acq_rel(&task->state, TASK_REF)) == 1;
}

/* NOTIFIED → RUNNING by the runner who took the task from a queue. True: cancelled, so drop it instead of polling. */
SY_INLINE bool state_begin(struct sy_task *task) {
    uint64_t s = au64_load_acquire(&task->state); /* S4, with R1 and S6 */
    if (state_refs(s) == 1) {
        au64_store_relaxed(&task->state, s - TASK_NOTIFIED + TASK_RUNNING); /* S5: exclusive */
    } else {
        s = au64_fetch_add_acq_rel(&task->state, TASK_RUNNING - TASK_NOTIFIED);
    }
    return s & TASK_CANCELLED;
}

enum state_after_poll { STATE_IDLE, STATE_AGAIN, STATE_CANCEL };

/*
 * RUNNING → idle after a pending poll. STATE_AGAIN: it was woken meanwhile (or `yielded`), is NOTIFIED, and the caller
 * queues it. STATE_CANCEL: its end was asked for; it is still RUNNING. After STATE_IDLE the caller must not touch the
 * task: a waker may have queued it and another worker may have freed it.
 */
SY_INLINE enum state_after_poll state_end_pending(struct sy_task *task, bool yielded) {
    uint64_t s = au64_load_acquire(&task->state);
    for (;;) {
        if (s & TASK_CANCELLED) {
            return STATE_CANCEL;
        }
        uint64_t next = (s & ~TASK_RUNNING) | (yielded ? TASK_NOTIFIED : 0);
        if (state_refs(s) == 1) {
            au64_store_relaxed(&task->state, next); /* exclusive, see above */
            return next & TASK_NOTIFIED ? STATE_AGAIN : STATE_IDLE;
        }
        if (au64_cas_acq_rel(&task->state, &s, next)) {
            return next & TASK_NOTIFIED ? STATE_AGAIN : STATE_IDLE;
        }
    }
}

/*
 * RUNNING → COMPLETE, after the future was dropped. `flags` is TASK_CANCELLED, or 0: a future that was ready all the
 * same when its end was asked for was not cancelled. Returns the state before; the life reference
 * is given back in the same step unless a joiner's waker is to be woken first (then the caller still holds it).
 * A returned count of one (with no JOIN_WAKER) means: it was the last, the caller frees.
 */
SY_INLINE uint64_t state_complete(struct sy_task *task, uint64_t flags) {
    uint64_t s = au64_load_acquire(&task->state);
    if (state_refs(s) == 1) {
        return s; /* nobody can look any more: no store either */
    }
    for (;;) {
        uint64_t next = (s & ~(TASK_RUNNING | TASK_NOTIFIED | TASK_CANCELLED)) | TASK_COMPLETE | flags;
        if (!(s & TASK_JOIN_WAKER)) {
            next -= TASK_REF;
        }
        if (au64_cas_acq_rel(&task->state, &s, next)) {
            return s;
        }
    }
}

/* S6: a wake-up by a worker, by reference. True: the task was idle, is NOTIFIED now, and the caller queues it. */
SY_INLINE bool state_wake(struct sy_task *task) {
    uint64_t s = au64_fetch_or_acq_rel(&task->state, TASK_NOTIFIED);
    return !(s & (TASK_RUNNING | TASK_COMPLETE | TASK_NOTIFIED));
}

/*
 * S7: a wake-up by a worker that consumes the waker's reference in the same step: the worker keeps the runtime alive.
 * Returns the state before.
 */
SY_INLINE uint64_t state_wake_consume(struct sy_task *task) {
    uint64_t s = au64_load_relaxed(&task->state);
    while (!au64_cas_acq_rel(&task->state, &s, (s | TASK_NOTIFIED) - TASK_REF)) {
    }
    return s;
}

/* S8: a wake-up by another thread. True: as S6, and the caller counts as a pusher until state_pushed. */
SY_INLINE bool state_wake_outside(struct sy_task *task) {
    uint64_t s = au64_load_relaxed(&task->state);
    for (;;) {
        bool idle = !(s & (TASK_RUNNING | TASK_COMPLETE | TASK_NOTIFIED));
        if (au64_cas_acq_rel(&task->state, &s, (s | TASK_NOTIFIED) + (idle ? TASK_PUSHER : 0))) {
            return idle;
        }
    }
}

/*
 * Asks for the end. True: the task was idle, is NOTIFIED now, and the caller queues it for a runner to drop; `pusher`
 * is TASK_PUSHER for a thread that is no worker, which then owes a state_pushed.
 */
SY_INLINE bool state_abort(struct sy_task *task, uint64_t pusher) {
    uint64_t s = au64_load_relaxed(&task->state);
    for (;;) {
        if (s & (TASK_COMPLETE | TASK_CANCELLED)) {
            return false;
        }
        bool idle = !(s & (TASK_RUNNING | TASK_NOTIFIED));
        if (au64_cas_acq_rel(&task->state, &s, (s | TASK_CANCELLED | TASK_NOTIFIED) + (idle ? pusher : 0))) {
            return idle;
        }
    }
}

/* S9, acq_rel: the pusher has left the runtime; shutdown's acquire load of the count orders its end after that. */
SY_INLINE void state_pushed(struct sy_task *task) {
    au64_fetch_sub_acq_rel(&task->state, TASK_PUSHER);
}

/* For the end of the runtime, with no workers: idle → RUNNING. False: it is complete, or in a queue, or on its way. */
SY_INLINE bool state_seize(struct sy_task *task) {
    uint64_t s = au64_load_acquire(&task->state);
    while (!(s & (TASK_COMPLETE | TASK_NOTIFIED | TASK_RUNNING))) {
        if (au64_cas_acq_rel(&task->state, &s, s | TASK_RUNNING)) {
            return true;
        }
    }
    return false;
}

/* The join handle's: publishes task->joiner, which it has just written. False: the task completed first. */
SY_INLINE bool state_set_join_waker(struct sy_task *task) {
    uint64_t s = au64_load_acquire(&task->state);
    while (!(s & TASK_COMPLETE)) {
        if (au64_cas_acq_rel(&task->state, &s, s | TASK_JOIN_WAKER)) {
            return true;
        }
    }
    return false;
}

/* Takes task->joiner back, to change it. False: the task completed first and the waker is the runner's. */
SY_INLINE bool state_unset_join_waker(struct sy_task *task) {
    uint64_t s = au64_load_acquire(&task->state);
    while (!(s & TASK_COMPLETE)) {
        if (au64_cas_acq_rel(&task->state, &s, s & ~TASK_JOIN_WAKER)) {
            return true;
        }
    }
    return false;
}

/*
 * The join handle goes. True: a joiner's waker was set and is the caller's again. The reference is not given back here.
 */
SY_INLINE bool state_drop_join(struct sy_task *task) {
    uint64_t s = au64_load_acquire(&task->state);
    while (!(s & TASK_COMPLETE)) {
        if (au64_cas_acq_rel(&task->state, &s, s & ~(TASK_JOIN_INTEREST | TASK_JOIN_WAKER))) {
            return s & TASK_JOIN_WAKER;
        }
    }
    return false;
}

#endif
