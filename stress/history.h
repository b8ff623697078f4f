/*
 * Judges the recorded history of a FIFO queue: could these operations, each of which took effect at one moment between
 * its invocation and its return, have been those of a queue?
 *
 * Source: the violations that a history of distinct values has if and only if it is not linearizable, from Henzinger,
 * Sezgin and Vafeiadis, Aspect-Oriented Linearizability Proofs, CONCUR 2013: a value out of nowhere, a value twice, an
 * order that cannot be, an "empty" that cannot be. No orders are tried. Deviations:
 *   - The order. There it is enough to look at pairs of values, because two operations that do not overlap are all that
 *     orders anything. Here an operation may be a batch, whose values go in, or come out, one after the other; so this
 *     looks for a circle in the whole of "before": a value is before another if its push is, or its pop. An operation
 *     ends for this purpose when its value has been popped, and a pop begins when its value is being pushed.
 *   - "Empty" is wrong where some value was surely inside at every moment of the operation: from when it was pushed, or
 *     one behind it, until the pop began, of it or of one before it.
 *   - A queue may be FIFO only within lines, such as those of each producer. Then values of different lines are in no
 *     order, and "empty" is wrong only where one and the same value was surely inside all the time.
 * unit_history compares the verdicts with those of a search through all orders, batches and all.
 */
#ifndef STEALYARD_STRESS_HISTORY_H
#define STEALYARD_STRESS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum history_kind { HISTORY_PUSH, HISTORY_POP, HISTORY_EMPTY, HISTORY_STEAL }; /* HISTORY_STEAL: of deques only */

/*
 * Moments come from one counter that every thread increments: all different, at least 1. The events of one batch have
 * the moments of that operation and stand in its order.
 */
struct history_event {
    enum history_kind kind;
    size_t value; /* of HISTORY_PUSH and HISTORY_POP: below the number of values, pushed at most once */
    uint64_t invoked, returned;
};

struct history_value {
    uint64_t push_invoked, push_returned; /* 0: never pushed */
    uint64_t pop_invoked, pop_returned;   /* UINT64_MAX: never popped */
    size_t push_place, pop_place;         /* of the event: tells the order within a batch */
    size_t line;
    uint64_t in_by, out_from; /* when it was surely inside, by what is known of those before and behind it too */
    size_t before;            /* values that are before this one and not yet placed */
};

struct history_interval {
    uint64_t from, to;
};

static inline int history_by_from(const void *a, const void *b) {
    const struct history_interval *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Fills in `values`; finds values out of nowhere and values popped twice. */
static inline const char *history_collect(const struct history_event *events, size_t count,
                                          struct history_value *values, size_t value_count, const size_t *lines) {
    for (size_t i = 0; i < value_count; i++) {
        values[i] =
            (struct history_value){.pop_invoked = UINT64_MAX, .pop_returned = UINT64_MAX, .line = lines ? lines[i] : 0};
    }
    for (size_t i = 0; i < count; i++) {
        const struct history_event *e = &events[i];
        if (e->kind != HISTORY_EMPTY && e->value >= value_count) {
            return "a value that was never pushed was popped";
        }
        if (e->kind == HISTORY_PUSH) {
            values[e->value].push_invoked = e->invoked;
            values[e->value].push_returned = e->returned;
            values[e->value].push_place = i;
        } else if (e->kind == HISTORY_POP) {
            if (values[e->value].pop_returned != UINT64_MAX) {
                return "a value was popped twice";
            }
            values[e->value].pop_invoked = e->invoked;
            values[e->value].pop_returned = e->returned;
            values[e->value].pop_place = i;
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

/* Must `a` go in, or come out, before `b`? */
static inline bool history_is_before(const struct history_value *a, const struct history_value *b) {
    uint64_t in_by = a->push_returned < a->pop_returned ? a->push_returned : a->pop_returned;
    uint64_t out_from = b->pop_invoked > b->push_invoked ? b->pop_invoked : b->push_invoked;
    if (a->line != b->line) {
        return false;
    }
    if (in_by < b->push_invoked || a->pop_returned < out_from) {
        return true;
    }
    return (a->push_invoked == b->push_invoked && a->push_place < b->push_place) ||
           (a->pop_invoked == b->pop_invoked && a->pop_returned != UINT64_MAX && a->pop_place < b->pop_place);
}

/* Sets in_by and out_from of values that stand in an order that keeps to "before". */
static inline void history_narrow(struct history_value **placed, size_t n) {
    for (size_t i = 0; i < n; i++) {
        placed[i]->in_by = placed[i]->push_returned;
        placed[i]->out_from = placed[i]->pop_invoked;
        for (size_t a = 0; a < i; a++) {
            bool later = placed[a]->out_from > placed[i]->out_from;
            placed[i]->out_from =
                later && history_is_before(placed[a], placed[i]) ? placed[a]->out_from : placed[i]->out_from;
        }
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t b = i + 1; b < n; b++) {
            bool earlier = placed[b]->in_by < placed[i]->in_by;
            placed[i]->in_by = earlier && history_is_before(placed[i], placed[b]) ? placed[b]->in_by : placed[i]->in_by;
        }
    }
}

/* Is there no order of the values, some being before one another in a circle? `placed` is room for all of them. */
static inline const char *history_check_order(struct history_value *values, size_t count,
                                              struct history_value **placed) {
    size_t pushed = 0, n = 0;
    for (size_t b = 0; b < count; b++) {
        pushed += values[b].push_returned != 0;
        for (size_t a = 0; values[b].push_returned && a < count; a++) {
            values[b].before += a != b && values[a].push_returned && history_is_before(&values[a], &values[b]);
        }
        if (values[b].push_returned && values[b].before == 0) {
            placed[n++] = &values[b];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < count; b++) {
            if (values[b].before > 0 && placed[i] != &values[b] && history_is_before(placed[i], &values[b]) &&
                --values[b].before == 0) {
                placed[n++] = &values[b];
            }
        }
    }
    history_narrow(placed, n);
    return n < pushed ? "a value overtook one that was pushed before it" : NULL;
}

/* The times during which some value was surely inside; returns how many. */
static inline size_t history_occupied(const struct history_value *values, size_t count, struct history_interval *out) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i].push_returned && values[i].in_by < values[i].out_from) {
            out[n++] = (struct history_interval){values[i].in_by, values[i].out_from};
        }
    }
    return n;
}

/* Joins those that overlap; returns how many there are then. */
static inline size_t history_merge(struct history_interval *times, size_t count) {
    size_t merged = 0;
    qsort(times, count, sizeof *times, history_by_from);
    for (size_t i = 0; i < count; i++) {
        if (merged > 0 && times[i].from < times[merged - 1].to) {
            times[merged - 1].to = times[i].to > times[merged - 1].to ? times[i].to : times[merged - 1].to;
        } else {
            times[merged++] = times[i];
        }
    }
    return merged;
}

static inline const char *history_check_empty(const struct history_event *events, size_t count,
                                              const struct history_interval *occupied, size_t occupied_count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; events[i].kind == HISTORY_EMPTY && k < occupied_count; k++) {
            if (occupied[k].from < events[i].invoked && events[i].returned < occupied[k].to) {
                return "a pop found it empty while it was not";
            }
        }
    }
    return NULL;
}

/* NULL, or what is wrong with it. The values are 0 .. value_count - 1, each in line lines[value]; NULL: one line. */
static inline const char *history_check_lines(const struct history_event *events, size_t count, size_t value_count,
                                              const size_t *lines) {
    struct history_value *values = malloc((value_count + 1) * sizeof *values);
    struct history_value **placed = malloc((value_count + 1) * sizeof *placed);
    struct history_interval *occupied = malloc((value_count + 1) * sizeof *occupied);
    const char *wrong = "out of memory";
    if (values && placed && occupied) {
        wrong = history_collect(events, count, values, value_count, lines);
        if (!wrong) {
            wrong = history_check_order(values, value_count, placed);
        }
        if (!wrong) {
            size_t n = history_occupied(values, value_count, occupied);
            wrong = history_check_empty(events, count, occupied, lines ? n : history_merge(occupied, n));
        }
    }
    free(values);
    free(placed);
    free(occupied);
    return wrong;
}

static inline const char *history_check_fifo(const struct history_event *events, size_t count, size_t value_count) {
    return history_check_lines(events, count, value_count, NULL);
}

#endif
