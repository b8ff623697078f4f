/*
 * Judges the recorded history of a FIFO queue: could these operations, each of which took effect at one moment between
 * its invocation and its return, have been those of a queue?
 *
 * Source: the four violations that a history of distinct values has if and only if it is not linearizable, from
 * Henzinger, Sezgin and Vafeiadis, Aspect-Oriented Linearizability Proofs, CONCUR 2013. O(n log n) instead of trying
 * orders. The fourth is checked in the form that cannot raise a false alarm: "empty" is wrong where some value was
 * surely inside at every moment of the operation.
 */
#ifndef STEALYARD_STRESS_HISTORY_H
#define STEALYARD_STRESS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum history_kind { HISTORY_PUSH, HISTORY_POP, HISTORY_EMPTY };

/* Moments come from one counter that every thread increments: all different, at least 1. */
struct history_event {
    enum history_kind kind;
    size_t value; /* of HISTORY_PUSH and HISTORY_POP: below the number of values, pushed at most once */
    uint64_t invoked, returned;
};

struct history_value {
    uint64_t push_invoked, push_returned; /* 0: never pushed */
    uint64_t pop_invoked, pop_returned;   /* UINT64_MAX: never popped */
};

struct history_interval {
    uint64_t from, to;
};

static inline int history_compare(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static inline int history_by_push_invoked(const void *a, const void *b) {
    const struct history_value *x = *(struct history_value *const *)a, *y = *(struct history_value *const *)b;
    return history_compare(x->push_invoked, y->push_invoked);
}

static inline int history_by_push_returned(const void *a, const void *b) {
    const struct history_value *x = *(struct history_value *const *)a, *y = *(struct history_value *const *)b;
    return history_compare(x->push_returned, y->push_returned);
}

static inline int history_by_from(const void *a, const void *b) {
    const struct history_interval *x = a, *y = b;
    return history_compare(x->from, y->from);
}

/* Fills in `values`; finds values out of nowhere and values popped twice. */
static inline const char *history_collect(const struct history_event *events, size_t count,
                                          struct history_value *values, size_t value_count) {
    for (size_t i = 0; i < value_count; i++) {
        values[i] = (struct history_value){0, 0, UINT64_MAX, UINT64_MAX};
    }
    for (size_t i = 0; i < count; i++) {
        const struct history_event *e = &events[i];
        if (e->kind != HISTORY_EMPTY && e->value >= value_count) {
            return "a value that was never pushed was popped";
        }
        if (e->kind == HISTORY_PUSH) {
            values[e->value].push_invoked = e->invoked;
            values[e->value].push_returned = e->returned;
        } else if (e->kind == HISTORY_POP) {
            if (values[e->value].pop_returned != UINT64_MAX) {
                return "a value was popped twice";
            }
            values[e->value].pop_invoked = e->invoked;
            values[e->value].pop_returned = e->returned;
        }
    }
    for (size_t i = 0; i < value_count; i++) {
        bool popped = values[i].pop_returned != UINT64_MAX;
        if (popped && (values[i].push_returned == 0 || values[i].pop_returned < values[i].push_invoked)) {
            return "a value that was never pushed was popped";
        }
    }
    return NULL;
}

/* Is there an `a` pushed wholly before `b`, and `b` popped wholly before `a`? */
static inline const char *history_check_order(struct history_value *values, size_t count,
                                              struct history_value **by_invoked, struct history_value **by_returned) {
    size_t pushed = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i].push_returned) {
            by_invoked[pushed] = by_returned[pushed] = &values[i];
            pushed++;
        }
    }
    qsort(by_invoked, pushed, sizeof *by_invoked, history_by_push_invoked);
    qsort(by_returned, pushed, sizeof *by_returned, history_by_push_returned);
    uint64_t latest_pop = 0; /* of those pushed before b */
    for (size_t b = 0, a = 0; b < pushed; b++) {
        for (; a < pushed && by_returned[a]->push_returned < by_invoked[b]->push_invoked; a++) {
            if (by_returned[a]->pop_invoked > latest_pop) {
                latest_pop = by_returned[a]->pop_invoked;
            }
        }
        if (by_invoked[b]->pop_returned < latest_pop) {
            return "a value overtook one that was pushed before it";
        }
    }
    return NULL;
}

/* The times during which some value was surely inside, merged; returns how many. */
static inline size_t history_occupied(const struct history_value *values, size_t count, struct history_interval *out) {
    size_t n = 0, merged = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i].push_returned && values[i].push_returned < values[i].pop_invoked) {
            out[n++] = (struct history_interval){values[i].push_returned, values[i].pop_invoked};
        }
    }
    qsort(out, n, sizeof *out, history_by_from);
    for (size_t i = 0; i < n; i++) {
        if (merged > 0 && out[i].from < out[merged - 1].to) {
            out[merged - 1].to = out[i].to > out[merged - 1].to ? out[i].to : out[merged - 1].to;
        } else {
            out[merged++] = out[i];
        }
    }
    return merged;
}

static inline const char *history_check_empty(const struct history_event *events, size_t count,
                                              const struct history_interval *occupied, size_t occupied_count) {
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = occupied_count; /* the last interval that begins before the operation */
        while (events[i].kind == HISTORY_EMPTY && low < high) {
            size_t middle = low + (high - low) / 2;
            if (occupied[middle].from < events[i].invoked) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low > 0 && events[i].returned < occupied[low - 1].to) {
            return "a pop found it empty while it was not";
        }
    }
    return NULL;
}

/* NULL, or what is wrong with it. The values are 0 .. value_count - 1. */
static inline const char *history_check_fifo(const struct history_event *events, size_t count, size_t value_count) {
    struct history_value *values = malloc((value_count + 1) * sizeof *values);
    struct history_value **sorted = malloc((value_count + 1) * 2 * sizeof *sorted);
    struct history_interval *occupied = malloc((value_count + 1) * sizeof *occupied);
    const char *wrong = "out of memory";
    if (values && sorted && occupied) {
        wrong = history_collect(events, count, values, value_count);
        if (!wrong) {
            wrong = history_check_order(values, value_count, sorted, sorted + value_count);
        }
        if (!wrong) {
            size_t n = history_occupied(values, value_count, occupied);
            wrong = history_check_empty(events, count, occupied, n);
        }
    }
    free(values);
    free(sorted);
    free(occupied);
    return wrong;
}

#endif
