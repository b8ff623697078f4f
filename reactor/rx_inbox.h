/*
 * What the kernel received ahead of the operations that will ask for it: a queue of notes, each some bytes in one of
 * the kernel's buffers, or an accepted descriptor. One thread puts (who reaps completions), one at a time takes (who
 * polls the operation), each without waiting for the other. Internal to reactor/.
 *
 * A note belongs to a pool, whose owner lends it to an inbox; whoever has used it up gives it back, from any thread.
 *
 * Source: a stack that is taken whole and turned round is folklore (see Treiber, 1986, for the push); taken whole, it
 * has no ABA.
 *
 * Accesses:
 *
 *  (1) put: CAS release onto `arrived`. Partner (2): the note, and what the kernel wrote before this thread saw the
 *      completion.
 *  (2) first: exchange acquire, the whole stack. left: load acquire.
 *  (3) give_back: CAS release onto `returned`. Partner (4): the bytes were read, and the buffer may be written again.
 *  (4) take_returned: exchange acquire, the whole stack.
 *  (5) first's look, `waiting`: relaxed. Hints: who finds an inbox empty arms a waker next, and the edge that follows
 *      each put settles that (rx_ready.c).
 */
#ifndef STEALYARD_REACTOR_RX_INBOX_H
#define STEALYARD_REACTOR_RX_INBOX_H

#include "queues/atomics.h"

struct rx_note {
    struct rx_note *next;
    struct aptr *returned; /* the pool's */
    unsigned char *data;   /* the buffer; NULL: the note is of a descriptor */
    int32_t value;         /* bytes in the buffer, or the descriptor */
    int32_t used;          /* bytes taken so far */
    uint16_t buffer;       /* its number */
    bool lent;             /* in an inbox, or given back and not yet seen by the pool's owner */
};

struct rx_inbox {
    struct aptr arrived;   /* newest first */
    struct rx_note *first; /* the taker's: oldest first, all older than `arrived` */
    struct au32 waiting;   /* notes put and not used up */
};

/* By the one that puts. */
static inline void rx_inbox_put(struct rx_inbox *inbox, struct rx_note *note) {
    void *top = aptr_load_relaxed(&inbox->arrived);
    au32_fetch_add_relaxed(&inbox->waiting, 1); /* (5) */
    do {
        note->next = top;
    } while (!aptr_cas_release(&inbox->arrived, &top, note)); /* (1) */
}

/* By the one that takes: the oldest note, or NULL. */
static inline struct rx_note *rx_inbox_first(struct rx_inbox *inbox) {
    if (!inbox->first && aptr_load_relaxed(&inbox->arrived)) {               /* (5) */
        struct rx_note *note = aptr_exchange_acquire(&inbox->arrived, NULL); /* (2) */
        while (note) {
            struct rx_note *older = note->next;
            note->next = inbox->first;
            inbox->first = note;
            note = older;
        }
    }
    return inbox->first;
}

static inline void rx_note_give_back(struct rx_note *note) {
    struct aptr *returned = note->returned;
    void *top = aptr_load_relaxed(returned);
    do {
        note->next = top;
    } while (!aptr_cas_release(returned, &top, note)); /* (3) */
}

/* By the one that takes: the first note is used up. */
static inline void rx_inbox_drop_first(struct rx_inbox *inbox) {
    struct rx_note *note = inbox->first;
    inbox->first = note->next;
    au32_fetch_sub_relaxed(&inbox->waiting, 1); /* (5) */
    rx_note_give_back(note);
}

/* By the one that takes, while nobody puts: how many bytes and descriptors there are. */
static inline size_t rx_inbox_left(const struct rx_inbox *inbox) {
    const struct rx_note *lists[] = {inbox->first, aptr_load_acquire(&inbox->arrived)}; /* (2) */
    size_t left = 0;
    for (int i = 0; i < 2; i++) {
        for (const struct rx_note *note = lists[i]; note; note = note->next) {
            left += note->data ? (size_t)(note->value - note->used) : 1;
        }
    }
    return left;
}

static inline uint32_t rx_inbox_waiting(const struct rx_inbox *inbox) {
    return au32_load_relaxed(&inbox->waiting); /* (5) */
}

/* By the pool's owner: the notes given back, as a list by `next`. */
static inline struct rx_note *rx_notes_take_returned(struct aptr *returned) {
    return aptr_load_relaxed(returned) ? aptr_exchange_acquire(returned, NULL) : NULL; /* (4) */
}

#endif
