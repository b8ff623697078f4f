/*
 * ctest-label: queues
 * What operations of the Chase-Lev deque with an asymmetric fence cost, and what they do where the kernel refuses the
 * heavy fence.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_COUNT

#include "stress/dq_chase_lev_asym_hand.h"

#if defined(ASYM_MEMBARRIER)
#include "stress/refuse.h"
#endif

static void expect_cost(const struct atomics_count *before, uint64_t rmws, uint64_t fences) {
    CHECK_EQ(atomics_counted.of[ATOMICS_RMW] - before->of[ATOMICS_RMW], rmws);
    CHECK_EQ(atomics_counted.of[ATOMICS_FENCE] - before->of[ATOMICS_FENCE], fences);
}

static bool costs_can_be_told(void) {
    if (!light()) {
        check_skip("the kernel refuses membarrier(2)");
    }
    return light();
}

static void down_and_up_again(void) {
    struct atomics_count before = atomics_counted;
    push(0, ITEMS);
    for (size_t i = ITEMS; i > ITEMS / 2; i--) {
        expect_popped(i - 1);
    }
    expect_cost(&before, 0, 0);
    for (size_t i = ITEMS / 2; i > 0; i--) {
        expect_popped(i - 1);
    }
    expect_cost(&before, 6, 0); /* at 31, 15, 7, 3 and 1, and the last */
    before = atomics_counted;
    CHECK_EQ(steal_status(), DQ_EMPTY);
    expect_cost(&before, 0, 0);
}

static void thefts(void) {
    struct atomics_count before = atomics_counted;
    push(0, 16);
    expect_stolen(0);
    expect_cost(&before, 1, 0); /* by the owner's word */
    expect_stolen(1);
    expect_cost(&before, 2, 1); /* by a thief's */
    expect_popped(15);
    expect_cost(&before, 3, 1); /* renewed */
    expect_popped(14);
    expect_stolen(2);
    expect_cost(&before, 4, 1);
    for (size_t i = 3; i < 14; i++) {
        expect_stolen(i);
    }
    before = atomics_counted;
    CHECK_EQ(steal_status(), DQ_EMPTY); /* by a thief's word */
    expect_cost(&before, 0, 0);
}

/* What was seen of a deque that was longer counts no more once the owner has changed top, or it is empty. */
static void after_a_longer_one(void) {
    struct sy_node *node, *taken[ITEMS];
    push(0, 16);
    for (size_t i = 16; i > 8; i--) {
        expect_popped(i - 1);
    }
    struct atomics_count before = atomics_counted;
    CHECK_EQ(dq_chase_lev_asym_take_oldest(deque, taken, ITEMS), 4);
    expect_cost(&before, 1, 0);
    expect_popped(7);
    expect_popped(6);
    expect_cost(&before, 1, 0);
    for (size_t i = 4; i < 6; i++) {
        expect_stolen(i);
    }
    push(0, 16);
    CHECK_EQ(dq_chase_lev_asym_take_oldest(deque, taken, 1), 1);
    for (size_t i = 16; i > 9; i--) {
        expect_popped(i - 1);
    }
    for (size_t i = 1; i < 9; i++) {
        expect_stolen(i);
    }
    CHECK_EQ(dq_chase_lev_asym_pop(deque, &node), DQ_EMPTY);
    before = atomics_counted;
    push(0, 2);
    expect_popped(1);
    expect_cost(&before, 0, 0);
    expect_popped(0);
    expect_cost(&before, 1, 0);
}

static void costs_are_as_told(size_t variant) {
    (void)variant;
    begin();
    if (costs_can_be_told()) {
        down_and_up_again();
        thefts();
        CHECK_EQ(dq_chase_lev_asym_length(deque), 0);
        after_a_longer_one();
    }
    end();
}

/* ---- the kernel refuses ---- */

#if defined(ASYM_MEMBARRIER)
/* No thief goes by a word that needs the fence until the owner makes its own. */
static bool refused_later(void *unused) {
    (void)unused;
    push(0, 8);
    if (!refuse_call(SYS_membarrier, EPERM)) {
        return false;
    }
    expect_stolen(0); /* by the owner's word */
    CHECK_EQ(steal_status(), DQ_RETRY);
    CHECK_EQ(steal_status(), DQ_RETRY);
    struct atomics_count before = atomics_counted;
    expect_popped(7);
    expect_cost(&before, 1, 1);
    for (size_t i = 1; i < 4; i++) {
        expect_stolen(i);
    }
    before = atomics_counted;
    expect_popped(6);
    expect_popped(5);
    expect_cost(&before, 1, 2); /* the first of them renews the word */
    expect_stolen(4);
    CHECK_EQ(steal_status(), DQ_EMPTY);
    return true;
}

static bool refused_from_the_start(void *unused) {
    (void)unused;
    if (!refuse_call(SYS_membarrier, EPERM)) {
        return false;
    }
    dq_chase_lev_asym_destroy(deque);
    deque = make();
    push(0, 8);
    for (size_t i = 0; i < 4; i++) {
        expect_stolen(i);
    }
    struct atomics_count before = atomics_counted;
    expect_popped(7);
    expect_cost(&before, 1, 1);
    expect_stolen(4);
    expect_stolen(5);
    expect_stolen(6);
    return true;
}

static void a_fence_that_is_refused_later(size_t variant) {
    (void)variant;
    begin();
    if (costs_can_be_told()) {
        refuse_in_child(refused_later, NULL);
    }
    end();
}

static void a_fence_that_is_refused_from_the_start(size_t variant) {
    (void)variant;
    begin();
    refuse_in_child(refused_from_the_start, NULL);
    end();
}
#endif

static const struct check_test tests[] = {
    {"costs_are_as_told", costs_are_as_told},
#if defined(ASYM_MEMBARRIER)
    {"a_fence_that_is_refused_later", a_fence_that_is_refused_later},
    {"a_fence_that_is_refused_from_the_start", a_fence_that_is_refused_from_the_start},
#endif
};

static const struct check_suite suite = {
    .title = "unit_dq_chase_lev_asym_cost",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
