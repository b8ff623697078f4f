/*
 * The tasks that a runtime owns: where shutdown finds those that wait for a wake-up.
 *
 * A task gets a slot at the end of its first poll, if that was pending, and keeps it until its memory goes. A task that
 * is ready at its first poll never costs anything here, and one that was never polled is in a queue, where shutdown
 * finds it too. Slots are numbered; each worker keeps a private list of free ones, so taking and giving back are a few
 * plain memory accesses on the worker (one cache line, the slot's); only when its list runs dry, or over because tasks
 * begin here and end there, does it trade a batch with the common list under a lock. Threads that are no workers give
 * slots back under that lock.
 *
 * Order: a slot is plain memory. It is written by the runner of its task or by whoever frees the task, which the task's
 * state word orders (task_state.h), and walked only when the workers are joined, under the lock that the remaining
 * writers hold.
 *
 * Rejected: a doubly linked list under a lock for each worker (two lock pairs for each pending task); the same without
 * a lock, with remote ends pushed to the owner's stack (memory stays until an owner that may be asleep looks at it).
 */
#ifndef STEALYARD_EXECUTOR_OWNED_H
#define STEALYARD_EXECUTOR_OWNED_H

#include <pthread.h>

#include "executor/task.h"

#define OWNED_CHUNK 1024
#define OWNED_CHUNKS_MAX 65536
#define OWNED_BATCH 64

union owned_slot {
    struct sy_task *task;
    uintptr_t next_free; /* slot number << 1 | 1: told from a task by its lowest bit */
};

/* A list of free slots, linked through them; private to one worker, or the common one. */
struct owned_list {
    uint32_t first;    /* 0: none */
    struct au32 count; /* written by the list's holder, read by metrics: relaxed */
};

struct owned {
    union owned_slot **chunks; /* OWNED_CHUNKS_MAX pointers, filled from the front, never moved */
    pthread_mutex_t lock;
    struct owned_list free;
    struct au32 slots; /* slots ever handed to a list: numbers 1..slots; for readers without the lock, a hint */
};

int owned_create(struct owned *owned);
void owned_destroy(struct owned *owned);

/* By a worker. False: no memory; the task has no slot. */
bool owned_add(struct owned *owned, struct owned_list *own, struct sy_task *task);

/* By a worker. */
void owned_remove(struct owned *owned, struct owned_list *own, struct sy_task *task);

/* By any other thread. The task has no slot afterwards. */
void owned_remove_outside(struct owned *owned, struct sy_task *task);

/*
 * With the workers joined: whether slot `number` (from 1) is taken, and its task with a reference for the caller. A
 * NULL task: its last reference is gone and another thread is about to give the slot back.
 */
bool owned_at(struct owned *owned, uint32_t number, struct sy_task **task);
uint32_t owned_slots(struct owned *owned);

/* Slots handed out and not in the common list: those in use and those in the workers' lists. */
uint32_t owned_handed_out(struct owned *owned);

#endif
