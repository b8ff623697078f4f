/*
 * A hierarchical timing wheel with a small heap for what is due within the current tick.
 *
 * Source: Varghese, Lauck, "Hashed and hierarchical timing wheels", SOSP 1987, scheme 7; that a deadline's level is the
 * highest digit in which it differs from the wheel's time, and a word of bits for each level, as in tokio's and in
 * Linux's wheels. Deviations: the wheel never turns tick by tick, but goes from one occupied slot to the next;
 * and sleeps are not rounded to ticks, for the slot of the current tick is poured into a pairing heap (as a calendar
 * queue sorts only its current day: Brown, CACM 1988).
 *
 * A tick is 2^16 ns (65.5 µs); a deadline's tick is its upper 48 bits, eight digits of six bits, and level l has a slot
 * for each value of digit l. So eight levels hold all deadlines there are: nothing lies beyond the horizon.
 *   W1 A sleep in slot s of level l agrees with `cursor` in all digits above l, and its digit l is s, which is greater
 *      than the cursor's. So the first occupied slot of the lowest occupied level is before all others, and `cursor`
 *      may go to any time before that slot's first tick.
 *   W2 A slot that is poured out (`pouring`) is the exception: the cursor stands at its first tick, what it held goes
 *      to lower levels or into the heap, and it comes before them as long as it has something left.
 *   W3 The heap holds what was inserted with a tick that is not after the cursor's, and what was poured into it. Its
 *      root is taken only while it is before all slots; so all come out in order, whatever the heap holds.
 * A jump of the clock costs nothing by itself: only occupied slots are visited.
 *
 * Contract: tm.h. `earliest` looks through the first occupied slot if that has few sleeps, so a runtime with few of
 * them wakes up exactly when they are due and never in between; of a fuller slot it says when that begins. Such a
 * wake-up for nothing comes at most once for each level that those sleeps go through, for all of them together.
 *
 * Progress: insert and remove O(1); a sleep is poured at most once for each level below the one it began at. take_due
 * pours at most POUR_MOST sleeps a call. The heap's share is O(log k) amortised for the k sleeps of one tick; a single
 * call may meld k of them.
 *
 * Memory: 4.2 KiB a store, once, and two links and a place in each sleep (the heap: three links).
 *
 * Resolution: it decides nothing but how many sleeps the heap sorts at once, for nothing is rounded. A finer tick sorts
 * fewer and pours once more each factor of 64. 2^16 ns makes eight levels of a whole word each fill 64 bits exactly,
 * gives 10⁶ sleeps over a minute 1 in each slot, and is about how often a busy worker looks (50 µs), so no slot is
 * usually sorted while it is only partly due.
 *
 * Chosen as the default by instructions for a sleep, started and fired or cancelled, which noise does not move (those
 * of callgrind, gcc 12 -O2 on x86-64, of bench micro's reactor/timers/steady with its loop; – was not counted):
 *
 *     sleeps inside                         10   1,000   100,000   1,000,000
 *     nine in ten fire: wheel              224     273       306         344
 *                       pairing heap       129     313       453         530
 *                       heap in an array   171     356       518           –
 *     nine in ten are cancelled: wheel     141     133       132           –
 *                       pairing heap       117     167       185           –
 *                       heap in an array   147     196       213           –
 *
 * With few sleeps the heap is ahead, by up to a hundred; with many the wheel is, by up to two hundred, and each of the
 * heap's links is to a line that is cold. Who has few sleeps hardly notices what they cost; who has many does.
 *
 * Rejected: rounding up to ticks as tokio (1 ms) and the kernel do, for then a tick must be so fine that nobody
 * notices, and pouring costs more than sorting; overflow lists beyond a horizon (eight levels cost 4 KiB); not pouring
 * at all, as in the kernel's wheel since 4.8 (a sleep fires up to an eighth of its duration late); one lock for each
 * shard of the wheel, by worker (the reactor's waiter must know the earliest of all, so begin_wait would take every
 * lock, or a sleep would publish its deadline in a shared word, which is the same contended line again; a started sleep
 * holds the lock for some tens of instructions).
 */
#include <errno.h>
#include <stdlib.h>

#include "executor/tm_list.h"
#include "executor/tm_pairing.h"

#define TICK_BITS 16

enum {
    DIGIT_BITS = 6,
    SLOTS = 1 << DIGIT_BITS, /* of a level */
    LEVELS = (64 - TICK_BITS + DIGIT_BITS - 1) / DIGIT_BITS,
    IN_HEAP = LEVELS * SLOTS, /* places: the slots, level by level; then */
    NOWHERE,
    POUR_MOST = 256,
};

struct tm_wheel {
    uint64_t cursor;           /* a tick; see W1 */
    unsigned levels;           /* which have an occupied slot */
    unsigned pouring;          /* the place that is being poured out, or NOWHERE */
    struct sy_sleep *heap;     /* its root */
    uint64_t occupied[LEVELS]; /* which slots hold something */
    struct sy_sleep *slots[LEVELS * SLOTS];
};

static struct tm_wheel *tm_wheel_of(struct tm_store *store) {
    return (struct tm_wheel *)(void *)store;
}

static int tm_wheel_create(struct tm_store **out) {
    struct tm_wheel *wheel = calloc(1, sizeof *wheel);
    *out = (struct tm_store *)(void *)wheel;
    if (!wheel) {
        return -ENOMEM;
    }
    wheel->pouring = NOWHERE;
    return 0;
}

static void tm_wheel_destroy(struct tm_store *store) {
    free(store);
}

static uint64_t tick_of(uint64_t time_ns) {
    return time_ns >> TICK_BITS;
}

/* ---- slots: lists, with `sibling` the next and `previous` the one before ---- */

static void slot_insert(struct tm_wheel *wheel, struct sy_sleep *sleep, uint64_t tick) {
    unsigned level = (63 - (unsigned)__builtin_clzll(tick ^ wheel->cursor)) / DIGIT_BITS;
    unsigned slot = (unsigned)(tick >> (level * DIGIT_BITS)) % SLOTS;
    struct sy_sleep **head = &wheel->slots[level * SLOTS + slot];
    sleep->place = level * SLOTS + slot;
    sleep->previous = NULL;
    sleep->sibling = *head;
    if (*head) {
        (*head)->previous = sleep;
    } else {
        wheel->occupied[level] |= UINT64_C(1) << slot;
        wheel->levels |= 1U << level;
    }
    *head = sleep;
}

static void slot_is_empty(struct tm_wheel *wheel, unsigned place) {
    unsigned level = place / SLOTS;
    wheel->occupied[level] &= ~(UINT64_C(1) << place % SLOTS);
    if (!wheel->occupied[level]) {
        wheel->levels &= ~(1U << level);
    }
    if (wheel->pouring == place) {
        wheel->pouring = NOWHERE;
    }
}

static void slot_remove(struct tm_wheel *wheel, struct sy_sleep *sleep) {
    if (sleep->sibling) {
        sleep->sibling->previous = sleep->previous;
    }
    if (sleep->previous) {
        sleep->previous->sibling = sleep->sibling;
        return;
    }
    wheel->slots[sleep->place] = sleep->sibling;
    if (!sleep->sibling) {
        slot_is_empty(wheel, sleep->place);
    }
}

/* The slot before all others (W1, W2), or NOWHERE. */
static unsigned slot_first(const struct tm_wheel *wheel) {
    if (wheel->pouring != NOWHERE || !wheel->levels) {
        return wheel->pouring;
    }
    unsigned level = (unsigned)__builtin_ctz(wheel->levels);
    return level * SLOTS + (unsigned)__builtin_ctzll(wheel->occupied[level]);
}

static uint64_t slot_tick(const struct tm_wheel *wheel, unsigned place) {
    unsigned shift = place / SLOTS * DIGIT_BITS;
    uint64_t above = wheel->cursor >> shift >> DIGIT_BITS << DIGIT_BITS;
    return (above | place % SLOTS) << shift;
}

static uint64_t slot_start_ns(const struct tm_wheel *wheel, unsigned place) {
    return slot_tick(wheel, place) << TICK_BITS;
}

/* ---- the wheel ---- */

static void put(struct tm_wheel *wheel, struct sy_sleep *sleep) {
    uint64_t tick = tick_of(sleep->deadline_ns);
    if (tick > wheel->cursor) {
        slot_insert(wheel, sleep, tick);
    } else {
        sleep->place = IN_HEAP;
        tm_pairing_insert(&wheel->heap, sleep);
    }
}

/* Only where no slot begins before that (W1). */
static void cursor_to(struct tm_wheel *wheel, uint64_t tick) {
    if (tick > wheel->cursor) {
        wheel->cursor = tick;
    }
}

/* An empty wheel begins anew at this time: the nearer the cursor, the fewer levels a sleep goes through. */
static void tm_wheel_insert(struct tm_store *store, struct sy_sleep *sleep, uint64_t now_ns) {
    struct tm_wheel *wheel = tm_wheel_of(store);
    if (!wheel->levels) {
        cursor_to(wheel, tick_of(now_ns));
    }
    put(wheel, sleep);
}

static void tm_wheel_remove(struct tm_store *store, struct sy_sleep *sleep) {
    struct tm_wheel *wheel = tm_wheel_of(store);
    if (sleep->place == IN_HEAP) {
        tm_pairing_remove(&wheel->heap, sleep);
    } else {
        slot_remove(wheel, sleep);
    }
}

/* The earliest in a slot, or, if there are more than TM_LOOK, when the slot begins. */
static uint64_t slot_earliest(const struct tm_wheel *wheel, unsigned place) {
    uint64_t earliest = TM_NEVER;
    unsigned seen = 0;
    for (const struct sy_sleep *sleep = wheel->slots[place]; sleep; sleep = sleep->sibling) {
        if (++seen > TM_LOOK) {
            return slot_start_ns(wheel, place);
        }
        earliest = sleep->deadline_ns < earliest ? sleep->deadline_ns : earliest;
    }
    return earliest;
}

static uint64_t tm_wheel_earliest(const struct tm_store *store) {
    const struct tm_wheel *wheel = (const struct tm_wheel *)(const void *)store;
    uint64_t in_heap = wheel->heap ? wheel->heap->deadline_ns : TM_NEVER;
    unsigned place = slot_first(wheel);
    if (place == NOWHERE || in_heap <= slot_start_ns(wheel, place)) {
        return in_heap;
    }
    /* What was poured out of a slot may be earlier than what is left in it. */
    uint64_t in_slot = wheel->pouring == NOWHERE ? slot_earliest(wheel, place) : slot_start_ns(wheel, place);
    return in_slot < in_heap ? in_slot : in_heap;
}

/* Moves up to `most` sleeps of a slot on to where they belong once the time has come to it; returns how many. */
static unsigned pour(struct tm_wheel *wheel, unsigned place, unsigned most) {
    unsigned n = 0;
    wheel->cursor = slot_tick(wheel, place);
    wheel->pouring = place;
    for (struct sy_sleep *sleep = wheel->slots[place]; sleep && n < most; n++) {
        struct sy_sleep *next = sleep->sibling;
        slot_remove(wheel, sleep);
        put(wheel, sleep);
        sleep = next;
    }
    return n;
}

static size_t tm_wheel_take_due(struct tm_store *store, uint64_t now_ns, struct sy_sleep **out, size_t max) {
    struct tm_wheel *wheel = tm_wheel_of(store);
    size_t taken = 0;
    unsigned poured = 0;
    for (;;) {
        unsigned place = slot_first(wheel);
        uint64_t start_ns = place == NOWHERE ? TM_NEVER : slot_start_ns(wheel, place);
        if (wheel->heap && (place == NOWHERE || wheel->heap->deadline_ns < start_ns)) {
            if (wheel->heap->deadline_ns > now_ns) {
                break;
            }
            if (taken == max) {
                return taken;
            }
            out[taken++] = tm_pairing_take_root(&wheel->heap);
        } else if (place == NOWHERE || start_ns > now_ns) {
            break;
        } else if (poured == POUR_MOST) {
            return taken;
        } else {
            poured += pour(wheel, place, POUR_MOST - poured);
        }
    }
    cursor_to(wheel, tick_of(now_ns)); /* every slot begins after now */
    return taken;
}

const struct tm_ops tm_wheel_ops = {
    .name = "tm_wheel",
    .summary = "hierarchical timing wheel over a small pairing heap; exact",
    .source = "Varghese, Lauck: Hashed and hierarchical timing wheels, SOSP 1987",
    .progress = "insert and remove O(1); a due one O(levels), at most 256 are moved in one call",
    .cost = "insert: a list's head; remove: two neighbours; a due one: moved once a level, then sorted with its tick's",
    .caveat = "4.2 KiB a runtime; with more than 16 sleeps due at about the same time a waiter may wake before them",
    .create = tm_wheel_create,
    .destroy = tm_wheel_destroy,
    .insert = tm_wheel_insert,
    .remove = tm_wheel_remove,
    .earliest = tm_wheel_earliest,
    .take_due = tm_wheel_take_due,
};
