/*
 * Judges the recorded history of a work-stealing deque: could its operations, each of which took effect at one moment
 * between its invocation and its return, have been those of a deque?
 *
 * Source: Wing and Gong, Testing and Verifying Concurrent Objects, JPDC 1993: search for an order; Lowe, Testing for
 * Linearizability, CCPE 2017: no state twice. A state is how many operations of each thread have taken effect. That
 * says all, because one thread alone pushes: what is inside stands in the order of the pushes, whoever took the rest.
 * So the search is short, and complete. unit_history_deque compares its verdicts with those of one through every order.
 *
 * A theft of several items counts as so many thefts, one after the other, between its invocation and its return: dq.h
 * promises no more.
 */
#ifndef STEALYARD_STRESS_HISTORY_DEQUE_H
#define STEALYARD_STRESS_HISTORY_DEQUE_H

#include "queues/dq.h"
#include "stress/history.h"

#define HISTORY_THREADS 8

/* What one thread did, in its order. HISTORY_POP is the owner's pop, HISTORY_STEAL takes what thieves take. */
struct history_thread {
    const struct history_event *events;
    size_t count;
};

/* Thieves take the oldest; if it `skips`, the oldest of those that are newer than some which only the owner gets. */
struct history_kind_of_deque {
    enum dq_order order;
    bool skips;
};

struct history_search {
    const struct history_thread *threads;
    size_t thread_count;
    struct history_kind_of_deque kind;
    size_t done[HISTORY_THREADS]; /* operations that have taken effect */
    size_t *pushes, push_count;   /* the values pushed, in order, and how many of these pushes have taken effect */
    size_t stolen_below;          /* this many of the first pushes are older than what thieves can still take */
    bool *taken;                  /* of each value */
    unsigned char *seen;          /* a bit for each state: nothing was found from there */
};

static inline size_t history_state(const struct history_search *s) {
    size_t state = 0;
    for (size_t t = 0; t < s->thread_count; t++) {
        state = state * (s->threads[t].count + 1) + s->done[t];
    }
    return state;
}

/* The place of the oldest or the newest of the values inside; push_count: none is. */
static inline size_t history_end(const struct history_search *s, bool newest) {
    for (size_t i = 0; i < s->push_count; i++) {
        size_t place = newest ? s->push_count - 1 - i : i;
        if (!s->taken[s->pushes[place]]) {
            return place;
        }
    }
    return s->push_count;
}

/* The place of a value inside that thieves may take; push_count: it is not inside, or not for them. */
static inline size_t history_stealable(const struct history_search *s, size_t value) {
    size_t place = s->kind.skips ? s->stolen_below : history_end(s, false);
    while (s->kind.skips && place < s->push_count && s->pushes[place] != value) {
        place++;
    }
    return place;
}

/* Nothing that has not taken effect may have been over before `event` began. */
static inline bool history_may_be_next(const struct history_search *s, const struct history_event *event) {
    for (size_t t = 0; t < s->thread_count; t++) {
        if (s->done[t] < s->threads[t].count && s->threads[t].events[s->done[t]].returned < event->invoked) {
            return false;
        }
    }
    return true;
}

static inline bool history_has_order(struct history_search *s, size_t left);

/* Lets `event` take effect, looks whether `left` others can after it, and takes it back. */
static inline bool history_try(struct history_search *s, const struct history_event *event, size_t left) {
    size_t below = s->stolen_below, place;
    bool found;
    if (event->kind == HISTORY_PUSH) {
        s->push_count++;
        found = history_has_order(s, left);
        s->push_count--;
        return found;
    }
    if (event->kind == HISTORY_EMPTY) {
        return history_end(s, false) == s->push_count && history_has_order(s, left);
    }
    if (event->kind == HISTORY_STEAL) {
        place = history_stealable(s, event->value);
        s->stolen_below = place + 1;
    } else {
        place = history_end(s, s->kind.order == DQ_LIFO);
    }
    found = place < s->push_count && s->pushes[place] == event->value && !s->taken[event->value];
    if (found) {
        s->taken[event->value] = true;
        found = history_has_order(s, left);
        s->taken[event->value] = false;
    }
    s->stolen_below = below;
    return found;
}

/* Is there an order for the `left` operations that have not taken effect? */
static inline bool history_has_order(struct history_search *s, size_t left) {
    size_t state = history_state(s);
    bool found = left == 0;
    if (s->seen[state / 8] >> state % 8 & 1) {
        return false;
    }
    for (size_t t = 0; t < s->thread_count && !found; t++) {
        const struct history_event *event = &s->threads[t].events[s->done[t]];
        if (s->done[t] < s->threads[t].count && history_may_be_next(s, event)) {
            s->done[t]++;
            found = history_try(s, event, left - 1);
            s->done[t]--;
        }
    }
    s->seen[state / 8] |= (unsigned char)(1u << state % 8);
    return found;
}

/* NULL, or what is wrong with it. Only threads[0] pushes; values are below value_count, each pushed at most once. */
static inline const char *history_check_deque(const struct history_thread *threads, size_t thread_count,
                                              size_t value_count, struct history_kind_of_deque kind) {
    struct history_search s = {.threads = threads, .thread_count = thread_count, .kind = kind};
    size_t states = 1, events = 0, pushes = 0;
    const char *wrong = "out of memory";
    for (size_t t = 0; t < thread_count; t++) {
        states *= threads[t].count + 1;
        events += threads[t].count;
    }
    s.pushes = malloc((value_count + 1) * sizeof *s.pushes);
    s.taken = calloc(value_count + 1, sizeof *s.taken);
    s.seen = calloc(states / 8 + 1, 1);
    if (s.pushes && s.taken && s.seen) {
        for (size_t i = 0; i < threads[0].count; i++) {
            if (threads[0].events[i].kind == HISTORY_PUSH) {
                s.pushes[pushes++] = threads[0].events[i].value;
            }
        }
        wrong = history_has_order(&s, events) ? NULL : "no order of the operations is one of a deque's";
    }
    free(s.pushes);
    free(s.taken);
    free(s.seen);
    return wrong;
}

#endif
