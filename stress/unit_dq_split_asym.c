/*
 * ctest-label: queues
 * The split deque, one step at a time: a theft is taken apart into its look, its copy and its swap, with the owner's
 * operations in between; what must make a late swap fail is done on purpose. And what the owner's path costs.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_COUNT
#define DQ_SPLIT_ASYM_PATIENCE 3 /* nobody answers here while a thief waits */

#include "queues/dq_split_asym.h"
#include "stress/check.h"

#if defined(ASYM_MEMBARRIER)
#include "stress/refuse.h"
#endif

enum { ITEMS = 64 };

static struct reclaim *reclaim;
static struct dq *deque;
static struct dq_split_asym *split;
static struct sy_node items[ITEMS];

static struct dq *make_at(size_t capacity, uint64_t first) {
    struct dq_config config = {.capacity = capacity, .reclaim = reclaim, .first = first};
    struct dq *made = NULL;
    CHECK_EQ(dq_split_asym_create(&made, &config), 0);
    return made;
}

static void make(size_t capacity, uint64_t first) {
    CHECK_EQ(reclaim_create(&reclaim), 0);
    reclaim_register_thread();
    deque = make_at(capacity, first);
    split = dq_split_asym_of(deque);
}

static void done(void) {
    dq_split_asym_destroy(deque);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static void push(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        CHECK_EQ(dq_split_asym_push(deque, &items[i]), DQ_OK);
    }
}

static void expect_pop(size_t item) {
    struct sy_node *node;
    CHECK_EQ(dq_split_asym_pop(deque, &node), DQ_OK);
    CHECK_EQ((size_t)(node - items), item);
}

static void expect_steal(size_t item, size_t max, size_t moved) {
    struct dq *thief = make_at(2, 0);
    struct sy_node *node;
    size_t n;
    CHECK_EQ(dq_split_asym_steal(deque, thief, max, &node, &n), DQ_OK);
    CHECK_EQ((size_t)(node - items), item);
    CHECK_EQ(n, moved);
    for (size_t i = n; i-- > 1;) {
        CHECK_EQ(dq_split_asym_pop(thief, &node), DQ_OK);
        CHECK_EQ((size_t)(node - items), item + i);
    }
    CHECK(dq_split_asym_is_empty(thief));
    dq_split_asym_destroy(thief);
}

static void expect_empty(void) {
    struct sy_node *node;
    size_t n;
    CHECK_EQ(dq_split_asym_pop(deque, &node), DQ_EMPTY);
    CHECK_EQ(dq_split_asym_steal(deque, NULL, 1, &node, &n), DQ_EMPTY);
    CHECK(dq_split_asym_is_empty(deque));
    CHECK_EQ(dq_split_asym_length(deque), 0);
}

static uint64_t shared_count(void) {
    return dq_split_asym_count(au64_load_relaxed(&split->shared));
}

static void ask(void) {
    au32_store_relaxed(&split->asked, 1);
}

/* A theft that has looked, revoked if need be, and copied, and then stalls. */
static struct dq_split_asym_find stall(size_t item) {
    struct dq_split_asym_find find;
    enum dq_status status = dq_split_asym_look(split, &find);
    if (status == DQ_RETRY) {
        status = dq_split_asym_revoke(split, &find);
    }
    CHECK_EQ(status, DQ_OK);
    CHECK_EQ((size_t)(dq_split_asym_copy(split, &find, 1, NULL) - items), item);
    return find;
}

/* ---- thieves that come too late ---- */

static void late_for_a_private_item(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 3);
    struct dq_split_asym_find late = stall(0);
    expect_pop(2);
    CHECK(!dq_split_asym_commit(split, &late, 1));
    CHECK_EQ(shared_count(), 1); /* the owner has answered */
    expect_steal(0, 8, 1);
    expect_pop(1);
    expect_empty();
    done();
}

/* It was the only one: the answer has nothing to share, and yet shows. */
static void late_for_the_only_item(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 1);
    struct dq_split_asym_find late = stall(0);
    expect_pop(0);
    push(1, 2); /* into the same slot */
    CHECK(!dq_split_asym_commit(split, &late, 1));
    expect_pop(1);
    expect_empty();
    done();
}

static void in_time_for_the_only_item(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 1);
    struct dq_split_asym_find find = stall(0);
    CHECK(dq_split_asym_commit(split, &find, 1));
    struct sy_node *node;
    CHECK(dq_split_asym_is_empty(deque));
    CHECK_EQ(dq_split_asym_pop(deque, &node), DQ_EMPTY);
    push(1, 3);
    expect_pop(2);
    expect_pop(1);
    expect_empty();
    done();
}

/* What was shared is taken back, and others are shared from the same slots. */
static void late_for_what_was_taken_back(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 4);
    ask();
    expect_pop(3);
    CHECK_EQ(shared_count(), 2);
    struct dq_split_asym_find late = stall(0);
    for (size_t i = 3; i-- > 0;) {
        expect_pop(i);
    }
    expect_empty();
    push(10, 14);
    ask();
    expect_pop(13);
    CHECK_EQ(shared_count(), 2);
    CHECK(!dq_split_asym_commit(split, &late, 1));
    expect_steal(10, 8, 2);
    expect_pop(12);
    expect_empty();
    done();
}

/* The array that a thief copied from was replaced; what it took was in both. */
static void in_time_across_growth(size_t variant) {
    (void)variant;
    make(2, 0);
    push(0, 2);
    struct dq_split_asym_find find = stall(0);
    au32_store_relaxed(&split->asked, 0); /* or the next push would answer: growth alone is to be passed */
    push(2, 3);
    CHECK(dq_split_asym_commit(split, &find, 1));
    ask();
    expect_pop(2);
    expect_pop(1);
    expect_empty();
    done();
}

/* A request that is answered already: the next operation drops it, and what is shared stays so. */
static void a_stale_request(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 6);
    ask();
    expect_pop(5);
    uint64_t word = au64_load_relaxed(&split->shared);
    ask();
    expect_pop(4);
    CHECK_EQ(au64_load_relaxed(&split->shared), word);
    CHECK_EQ(au32_load_relaxed(&split->asked), 0);
    expect_steal(0, 8, 2);
    expect_steal(2, 8, 1);
    expect_pop(3);
    expect_empty();
    done();
}

/* Thieves have emptied the shared part, and nothing is private: take_oldest leaves the word as it was, and may. */
static void nothing_for_the_owner_to_take(size_t variant) {
    (void)variant;
    struct sy_node *taken[4];
    make(8, 0);
    push(0, 3);
    ask();
    push(3, 4);
    expect_steal(0, 1, 1);
    expect_steal(1, 1, 1);
    expect_pop(3);
    expect_pop(2);
    uint64_t word = au64_load_relaxed(&split->shared);
    CHECK_EQ(dq_split_asym_take_oldest(deque, taken, 4), 0);
    CHECK_EQ(au64_load_relaxed(&split->shared), word);
    expect_empty();
    push(4, 6);
    expect_steal(4, 8, 1);
    expect_pop(5);
    expect_empty();
    done();
}

/* Half of what a thief saw may be all that is left when it takes it. */
static void half_of_what_was_seen(size_t variant) {
    (void)variant;
    struct dq_split_asym_find late;
    make(8, 0);
    push(0, 7);
    ask();
    push(7, 8);
    CHECK_EQ(dq_split_asym_look(split, &late), DQ_OK);
    CHECK_EQ(late.items, 4);
    for (size_t i = 8; i-- > 4;) {
        expect_pop(i);
    }
    CHECK(dq_split_asym_commit(split, &late, late.items));
    expect_empty();
    done();
}

/* In the midst of a slow step thieves are told to come again, and nobody takes the deque for empty. */
static void closed(size_t variant) {
    (void)variant;
    struct sy_node *node;
    size_t n;
    make(8, 0);
    push(0, 2);
    uint64_t word = dq_split_asym_close(split);
    CHECK_EQ(dq_split_asym_steal(deque, NULL, 1, &node, &n), DQ_RETRY);
    CHECK_EQ(n, 0);
    CHECK(!dq_split_asym_is_empty(deque));
    dq_split_asym_answer_word(split, word);
    expect_steal(0, 1, 1);
    expect_pop(1);
    expect_empty();
    done();
}

/* ---- limits ---- */

static void no_more_is_shared_than_the_word_can_say(size_t variant) {
    (void)variant;
    enum { MANY = 3 * (int)DQ_SPLIT_ASYM_COUNT_MAX };
    struct sy_node *many = calloc(MANY, sizeof *many);
    struct sy_node *node;
    CHECK(many != NULL);
    make(8, 0);
    for (size_t i = 0; i < MANY; i++) {
        CHECK_EQ(dq_split_asym_push(deque, &many[i]), DQ_OK);
    }
    ask();
    CHECK_EQ(dq_split_asym_pop(deque, &node), DQ_OK);
    CHECK_EQ(shared_count(), DQ_SPLIT_ASYM_COUNT_MAX);
    for (size_t i = MANY - 1; i-- > 0;) {
        CHECK_EQ(dq_split_asym_pop(deque, &node), DQ_OK);
        CHECK(node == &many[i]);
    }
    expect_empty();
    done();
    free(many);
}

/* Positions of 64 bits and indices of 51 pass their limits. */
static void limits_are_passed(size_t variant) {
    (void)variant;
    static const uint64_t first[] = {UINT64_MAX - 9, (UINT64_C(1) << 51) - 9, (UINT64_C(1) << 63) - 9};
    for (size_t f = 0; f < sizeof first / sizeof *first; f++) {
        make(4, first[f]);
        for (size_t round = 0; round < 20; round++) {
            push(0, 7);
            expect_steal(0, 3, 3);
            ask();
            expect_pop(6);
            expect_steal(3, 8, 2);
            expect_pop(5);
            expect_empty();
        }
        done();
    }
}

/* ---- what it costs ---- */

static uint64_t counted(enum atomics_kind kind) {
    uint64_t n = atomics_counted.of[kind];
    atomics_counted.of[kind] = 0;
    return n;
}

static void the_owner_pays_no_barrier(size_t variant) {
    (void)variant;
    make(ITEMS, 0);
    if (!split->registered) {
        check_skip("the kernel refuses membarrier, so pop has a fence");
        done();
        return;
    }
    counted(ATOMICS_RMW);
    counted(ATOMICS_FENCE);
    for (size_t round = 0; round < 100; round++) {
        push(0, ITEMS);
        for (size_t i = ITEMS; i-- > 0;) {
            expect_pop(i);
        }
    }
    CHECK_EQ(counted(ATOMICS_RMW), 0);
    CHECK_EQ(counted(ATOMICS_FENCE), 0);
    done();
}

static void half_by_one_swap(size_t variant) {
    (void)variant;
    struct dq *thief;
    struct sy_node *node;
    size_t n;
    make(ITEMS, 0);
    thief = make_at(ITEMS, 0);
    push(0, ITEMS - 1);
    ask();
    push(ITEMS - 1, ITEMS);
    counted(ATOMICS_RMW);
    counted(ATOMICS_FENCE);
    CHECK_EQ(dq_split_asym_steal(deque, thief, ITEMS, &node, &n), DQ_OK);
    CHECK_EQ(n, ITEMS / 2);
    CHECK_EQ(counted(ATOMICS_RMW), 1);
    CHECK_EQ(counted(ATOMICS_FENCE), 0);
    dq_split_asym_destroy(thief);
    done();
}

#if defined(ASYM_MEMBARRIER)
/* Then nobody can know what the owner is doing: its private items stay its own until it answers. */
static bool steal_without_a_fence(void *argument) {
    struct sy_node *node;
    size_t n;
    (void)argument;
    if (!split->registered || !refuse_call(__NR_membarrier, EPERM)) {
        return false;
    }
    CHECK_EQ(dq_split_asym_steal(deque, NULL, 1, &node, &n), DQ_RETRY);
    expect_pop(2);
    expect_steal(0, 8, 1);
    expect_pop(1);
    expect_empty();
    return true;
}

static void nothing_is_revoked_without_a_fence(size_t variant) {
    (void)variant;
    make(8, 0);
    push(0, 3);
    refuse_in_child(steal_without_a_fence, NULL);
    done();
}
#endif

static const struct check_test tests[] = {
    {"late_for_a_private_item", late_for_a_private_item},
    {"late_for_the_only_item", late_for_the_only_item},
    {"in_time_for_the_only_item", in_time_for_the_only_item},
    {"late_for_what_was_taken_back", late_for_what_was_taken_back},
    {"in_time_across_growth", in_time_across_growth},
    {"a_stale_request", a_stale_request},
    {"nothing_for_the_owner_to_take", nothing_for_the_owner_to_take},
    {"half_of_what_was_seen", half_of_what_was_seen},
    {"closed", closed},
    {"no_more_is_shared_than_the_word_can_say", no_more_is_shared_than_the_word_can_say},
    {"limits_are_passed", limits_are_passed},
    {"the_owner_pays_no_barrier", the_owner_pays_no_barrier},
    {"half_by_one_swap", half_by_one_swap},
#if defined(ASYM_MEMBARRIER)
    {"nothing_is_revoked_without_a_fence", nothing_is_revoked_without_a_fence},
#endif
};

static const struct check_suite suite = {
    .title = "unit_dq_split_asym",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
