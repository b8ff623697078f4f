/*
 * The waker: a handle to something that can be told "look again". It is the one type that the reactor and the executor
 * both speak. A waker is two words and is passed by value; each copy that is stored holds one reference, made by
 * `clone` and given back by `wake` or `drop`. All four may be called from any thread.
 */
#ifndef STEALYARD_REACTOR_WAKER_H
#define STEALYARD_REACTOR_WAKER_H

#include <stdbool.h>
#include <stddef.h>

struct sy_waker_vtable {
    void (*clone)(void *data);       /* one reference more */
    void (*wake)(void *data);        /* wakes and gives the reference back */
    void (*wake_by_ref)(void *data); /* wakes and keeps the reference */
    void (*drop)(void *data);        /* gives the reference back */
};

struct sy_waker {
    const struct sy_waker_vtable *vtable; /* NULL: no waker */
    void *data;
};

/* A second reference to what `waker` wakes. */
static inline struct sy_waker sy_waker_clone(const struct sy_waker *waker) {
    waker->vtable->clone(waker->data);
    return *waker;
}

/* Wakes and consumes: `waker` must not be used again. */
static inline void sy_waker_wake(struct sy_waker waker) {
    waker.vtable->wake(waker.data);
}

static inline void sy_waker_wake_by_ref(const struct sy_waker *waker) {
    waker->vtable->wake_by_ref(waker->data);
}

/* Consumes without waking; an empty waker is left alone. */
static inline void sy_waker_drop(struct sy_waker waker) {
    if (waker.vtable) {
        waker.vtable->drop(waker.data);
    }
}

/* Whether waking one wakes the other: then a stored waker need not be replaced. */
static inline bool sy_waker_will_wake(const struct sy_waker *a, const struct sy_waker *b) {
    return a->vtable == b->vtable && a->data == b->data;
}

#endif
