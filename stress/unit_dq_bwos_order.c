/*
 * ctest-label: queues
 * Block-based work stealing, LIFO: what a thief read in a slot comes before what the owner puts there when the ring has
 * come round, also if the owner took that block over from the thief and granted it again. The slots are plain memory
 * here, so ThreadSanitizer tells, which alone sees this (RC11 has no load that sees a later store).
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP
#include "queues/atomics.h"

SY_INLINE void *plain_load(const struct aptr *slot) {
    return slot->raw;
}

SY_INLINE void plain_store(struct aptr *slot, void *item) {
    slot->raw = item;
}

#define aptr_load_relaxed plain_load
#define aptr_store_relaxed plain_store
#include "queues/dq_bwos.h"

#include "stress/check.h"

#include <pthread.h>
#include <sched.h>

enum { CAPACITY = 4, BLOCK = 2, ITEMS = 2 * CAPACITY + 1 };

static struct sy_node items[ITEMS];
static struct dq *deque;
static struct au32 turn; /* whose: 0 the owner's, else that thief's. Relaxed, so it orders nothing */

static _Thread_local unsigned until; /* the owner's accesses until it gives a turn to the first thief; 0: none */

static void wait_for(uint32_t whose) {
    while (__atomic_load_n(&turn.raw, __ATOMIC_RELAXED) != whose) {
        sched_yield();
    }
}

static void give(uint32_t whose) {
    __atomic_store_n(&turn.raw, whose, __ATOMIC_RELAXED);
}

static void atomics_step(void) {
    if (until > 0 && --until == 0) {
        give(1);
        wait_for(0);
    }
}

static void *thief(void *argument) {
    uint32_t self = (uint32_t)(uintptr_t)argument;
    struct sy_node *item;
    size_t moved;
    wait_for(self);
    while (dq_bwos_steal(deque, NULL, 1, &item, &moved) != DQ_OK) {
        sched_yield(); /* the turn may come before what it is for */
    }
    CHECK_EQ(item == &items[0], self == 1);
    give(0);
    return NULL;
}

static void push(size_t i) {
    CHECK_EQ(dq_bwos_push(deque, &items[i]), DQ_OK);
}

static struct sy_node *pop(void) {
    struct sy_node *item = NULL;
    CHECK_EQ(dq_bwos_pop(deque, &item), DQ_OK);
    return item;
}

static void slots_after_a_takeover(size_t variant) {
    static char never_used; /* the deque does not reclaim */
    struct dq_config config = {.capacity = CAPACITY, .block = BLOCK, .reclaim = (struct reclaim *)(void *)&never_used};
    pthread_t threads[2];
    struct sy_node *rest[CAPACITY];
    (void)variant;
    CHECK_EQ(dq_bwos_create(&deque, &config), 0);
    for (uintptr_t i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, thief, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i <= BLOCK; i++) {
        push(i);
    }
    pop();
    until = 4; /* bottom, low and the block's word have been loaded: W6 is next */
    CHECK(pop() == &items[1]);
    CHECK_EQ(until, 0);
    for (size_t i = 1; i < CAPACITY; i++) {
        push(i); /* the first of these is in the block that was taken over, the second grants it */
    }
    give(2);
    wait_for(0);
    for (size_t i = CAPACITY; i < ITEMS; i++) {
        push(i); /* the last one into the first thief's slot */
        CHECK(dq_bwos_take_oldest(deque, rest, 1) == 1);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    dq_bwos_destroy(deque);
}

static const struct check_test tests[] = {
    {"slots_after_a_takeover", slots_after_a_takeover},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_dq_bwos_order", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
