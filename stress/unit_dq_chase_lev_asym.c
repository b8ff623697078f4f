/*
 * ctest-label: queues
 * The Chase-Lev deque with an asymmetric fence, taken apart: a theft is a look and a swap, with the owner's operations
 * in between; a thief that sees old bottoms, as a processor may show them; and the item that owner and thief would both
 * have but for the heavy fence.
 */
#define _GNU_SOURCE
#include "stress/dq_chase_lev_asym_hand.h"
#include "stress/threads.h"

/* ---- a thief between its look and its swap ---- */

struct half_theft {
    uint64_t word;
    int64_t inside;
};

static struct half_theft look(void) {
    struct half_theft theft;
    CHECK_EQ(dq_chase_lev_half_look(ends, dq_chase_lev_asym_fence, &theft.word, &theft.inside), DQ_OK);
    return theft;
}

/* Takes all that it may, into `into`, which has room. */
static enum dq_status swap(const struct half_theft *theft, struct dq *into, struct sy_node **out, int64_t *n) {
    *n = dq_chase_lev_half_share(theft->inside, SIZE_MAX);
    return dq_chase_lev_half_take(ends, theft->word, *n, &ends->ring, &dq_chase_lev_asym_of(into)->ends, out);
}

/* The owner comes down to n items, then to none, while a thief is stopped that has seen all. */
static void a_stopped_thief_takes_nothing_twice(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    for (size_t inside = 1; inside <= 32; inside++) {
        for (size_t left = 0; left <= inside; left++) {
            struct sy_node *out;
            int64_t n;
            push(0, inside);
            struct half_theft theft = look();
            for (size_t i = inside; i > left; i--) {
                expect_popped(i - 1);
            }
            bool reached = left < inside - inside / 2;
            CHECK_EQ(swap(&theft, into, &out, &n), reached ? DQ_RETRY : DQ_OK);
            CHECK(reached || out == &items[0]);
            CHECK_EQ(dq_chase_lev_asym_length(deque), reached ? left : left - (size_t)n);
            for (size_t i = left; i > (reached ? 0 : (size_t)n); i--) {
                expect_popped(i - 1);
            }
            CHECK_EQ(steal_status(), DQ_EMPTY);
            CHECK_EQ(dq_chase_lev_asym_pop(deque, &out), DQ_EMPTY); /* and renews the word */
            for (struct sy_node *node; dq_chase_lev_asym_pop(into, &node) == DQ_OK; n--) {
                CHECK_EQ(node - items, n - 1);
            }
            CHECK_EQ(n, reached ? dq_chase_lev_half_share(theft.inside, SIZE_MAX) : 1);
        }
    }
    dq_chase_lev_asym_destroy(into);
    end();
}

/*
 * A word that the owner wrote says nothing of the bottoms since: a thief without a fence may go by any of them. One
 * that a thief wrote is gone by behind a fence, which shows the bottom of now.
 */
struct old_bottoms {
    int64_t bottoms[256];
    size_t count;
    uint64_t word;   /* which they belong to */
    uint64_t inside; /* a bit for each item */
    size_t next;
};

static void note_bottom(struct old_bottoms *o) {
    uint64_t word = au64_load_relaxed(&ends->top);
    if (word != o->word || o->count == sizeof o->bottoms / sizeof *o->bottoms) {
        o->word = word;
        o->count = 0;
    }
    o->bottoms[o->count++] = ai64_load_relaxed(&ends->bottom);
}

static void came_out(struct old_bottoms *o, const struct sy_node *node) {
    uint64_t bit = UINT64_C(1) << (node - items);
    CHECK(o->inside & bit);
    o->inside &= ~bit;
}

static void owner_turn(struct old_bottoms *o, uint64_t *random) {
    struct sy_node *node, *taken[ITEMS];
    uint64_t dice = check_random(random) % 16;
    if (dice < 8 && dq_chase_lev_asym_length(deque) < ITEMS / 2) {
        while (o->inside >> o->next & 1) {
            o->next = (o->next + 1) % ITEMS;
        }
        push(o->next, o->next + 1);
        o->inside |= UINT64_C(1) << o->next;
    } else if (dice == 8) {
        size_t n = dq_chase_lev_asym_take_oldest(deque, taken, ITEMS);
        for (size_t i = 0; i < n; i++) {
            came_out(o, taken[i]);
        }
    } else if (dq_chase_lev_asym_pop(deque, &node) == DQ_OK) {
        came_out(o, node);
    }
    note_bottom(o);
}

static void thief_turn(struct old_bottoms *o, const struct half_theft *theft, struct dq *into) {
    struct sy_node *out;
    int64_t n;
    if (theft->inside <= 0 || swap(theft, into, &out, &n) != DQ_OK) {
        return;
    }
    came_out(o, out);
    while (dq_chase_lev_asym_pop(into, &out) == DQ_OK) {
        came_out(o, out);
    }
    note_bottom(o);
}

static void whatever_bottom_a_thief_sees(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    struct old_bottoms o = {.word = UINT64_MAX};
    uint64_t random = check_seed();
    note_bottom(&o);
    for (size_t round = 0; round < 300000; round++) {
        size_t seen = o.count - 1;
        if (!(o.word & DQ_CHASE_LEV_HALF_STOLEN)) {
            seen = check_random(&random) % o.count;
        }
        struct half_theft theft = {.word = o.word};
        theft.inside = dq_chase_lev_half_distance(o.word, o.bottoms[seen]);
        for (uint64_t turns = check_random(&random) % 12; turns > 0; turns--) {
            owner_turn(&o, &random);
        }
        thief_turn(&o, &theft, into);
    }
    for (struct sy_node *node; dq_chase_lev_asym_pop(deque, &node) == DQ_OK;) {
        came_out(&o, node);
    }
    CHECK_EQ(o.inside, 0);
    dq_chase_lev_asym_destroy(into);
    end();
}

/* A look whose two loads lie 2^31 pushes apart must not take the deque for an empty one. */
static int64_t pushes_between;

static bool sleep_between(struct dq_chase_lev_half *victim) {
    ai64_store_relaxed(&victim->bottom, ai64_load_relaxed(&victim->bottom) + pushes_between);
    au64_store_relaxed(&victim->top, dq_chase_lev_half_advanced(au64_load_relaxed(&victim->top), pushes_between));
    return true;
}

static void who_slept_long_does_not_say_empty(size_t variant) {
    (void)variant;
    begin();
    push(0, 3);
    expect_stolen(0); /* so that the fence is made, which is where it sleeps */
    static const int64_t slept[] = {INT64_C(1) << 31, (INT64_C(1) << 32) - 2, INT64_C(3) << 30};
    for (size_t i = 0; i < sizeof slept / sizeof *slept; i++) {
        struct half_theft theft;
        pushes_between = slept[i];
        CHECK_EQ(dq_chase_lev_half_look(ends, sleep_between, &theft.word, &theft.inside), DQ_RETRY);
        au64_store_relaxed(&ends->top, au64_load_relaxed(&ends->top) | DQ_CHASE_LEV_HALF_STOLEN);
    }
    end();
}

/* top moves on by 2^32 items without an epoch of the owner's, as by 2^32 times a push and a pop of the only item. */
static void index_comes_round(void) {
    for (size_t i = 0; i < 4; i++) {
        uint64_t word = dq_chase_lev_half_advanced(au64_load_relaxed(&ends->top), INT64_C(1) << 30);
        CHECK(!(word & DQ_CHASE_LEV_HALF_STOLEN));
        au64_store_relaxed(&ends->top, word | (i < 2 ? DQ_CHASE_LEV_HALF_STOLEN : 0));
    }
    ai64_store_relaxed(&ends->bottom, ai64_load_relaxed(&ends->bottom) + (INT64_C(1) << 32));
}

static void an_index_that_came_round_is_another(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    struct sy_node *out;
    int64_t n;
    push(0, 3);
    struct half_theft theft = look();
    for (size_t i = 0; i < 3; i++) {
        index_comes_round();
        CHECK_EQ(dq_chase_lev_asym_length(deque), 3);
        CHECK_EQ(swap(&theft, into, &out, &n), DQ_RETRY);
    }
    dq_chase_lev_asym_destroy(into);
    end();
}

/* Between a thief's two loads more was pushed and stolen than the array holds: it does not grow its own for that. */
static void a_late_look_makes_no_room(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    struct sy_node *out;
    size_t moved;
    push(0, ITEMS);
    int64_t bottom = ai64_load_relaxed(&ends->bottom);
    ai64_store_relaxed(&ends->bottom, bottom + 8 * ITEMS); /* of which it has seen the old top */
    CHECK_EQ(dq_chase_lev_asym_steal(deque, into, SIZE_MAX, &out, &moved), DQ_RETRY);
    CHECK_EQ(moved, 0);
    CHECK_EQ(dq_chase_lev_asym_of(into)->ends.ring.mask, ITEMS - 1);
    ai64_store_relaxed(&ends->bottom, bottom);
    CHECK_EQ(dq_chase_lev_asym_steal(deque, into, SIZE_MAX, &out, &moved), DQ_OK);
    CHECK_EQ(moved, ITEMS / 2);
    dq_chase_lev_asym_destroy(into);
    end();
}

/*
 * Two items; the owner pops the newer one for nothing if it has not seen the first theft, and the thief goes on to it if
 * it has not seen the pop. Only the heavy fence keeps both from having it.
 */
static void meet_at_the_second_item(size_t index, void *shared) {
    struct threads_rounds *rounds = shared;
    static size_t came_out_of[2];
    uint64_t meetings = 0, random = check_seed() + index;
    reclaim_register_thread();
    for (size_t i = 0; threads_round(rounds, &meetings, index, i); i++) {
        struct sy_node *node;
        if (index == 0) {
            push(0, 2);
        }
        threads_meet(rounds, &meetings);
        CHECK(dq_chase_lev_asym_length(deque) <=
              2); /* each has both lines then, and the other's stores take their time */
        for (uint64_t pauses = check_random(&random) % 64; pauses > 0; pauses--) {
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
        }
        came_out_of[index] = 0;
        if (index == 0) {
            came_out_of[0] = dq_chase_lev_asym_pop(deque, &node) == DQ_OK;
        } else {
            while (came_out_of[1] < 2 && steal_status() == DQ_OK) {
                came_out_of[1]++;
            }
        }
        threads_meet(rounds, &meetings);
        if (index == 0) {
            while (dq_chase_lev_asym_pop(deque, &node) == DQ_OK) {
                came_out_of[0]++;
            }
            CHECK_EQ(came_out_of[0] + came_out_of[1], 2);
        }
    }
    reclaim_unregister_thread();
}

static void no_item_is_had_by_both(size_t variant) {
    (void)variant;
    begin();
    reclaim_unregister_thread();
    struct threads_rounds rounds = threads_rounds_of(2, threads_scaled(200000));
    threads_run(2, meet_at_the_second_item, &rounds);
    reclaim_register_thread();
    end();
}

static const struct check_test tests[] = {
    {"a_stopped_thief_takes_nothing_twice", a_stopped_thief_takes_nothing_twice},
    {"whatever_bottom_a_thief_sees", whatever_bottom_a_thief_sees},
    {"who_slept_long_does_not_say_empty", who_slept_long_does_not_say_empty},
    {"an_index_that_came_round_is_another", an_index_that_came_round_is_another},
    {"a_late_look_makes_no_room", a_late_look_makes_no_room},
    {"no_item_is_had_by_both", no_item_is_had_by_both},
};

static const struct check_suite suite = {
    .title = "unit_dq_chase_lev_asym",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
