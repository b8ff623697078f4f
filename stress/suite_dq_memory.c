/*
 * ctest-each: dq_list
 * ctest-label: queues
 * The memory of deques: what is left when one goes, what it is like without any, how much it takes.
 */
#define _GNU_SOURCE
#include "stress/dq_runs.h"
#include "stress/support_alloc.h"

#define WAIT_NS INT64_C(5000000000)

static const size_t blocks[] = {2, 8, 0};
#define BLOCKS (sizeof blocks / sizeof *blocks)

static bool memory_can_run_out(void) {
    if (!support_alloc_can_fail()) {
        check_skip("under this sanitizer no allocation can be made to fail");
    }
    return support_alloc_can_fail();
}

/* Frees may come later, on another thread. `count` is support_alloc_live or support_alloc_bytes. */
static void expect_at_most(int64_t (*count)(void), int64_t most) {
    int64_t deadline_ns = check_now_ns() + WAIT_NS;
    while (count() > most && check_now_ns() < deadline_ns) {
        reclaim_quiescent();
        sched_yield();
    }
    if (count() > most) {
        check_fail(__FILE__, __LINE__, "%" PRId64 " are live, %" PRId64 " would be right", count(), most);
    }
}

/* At every fill around the ends of blocks and arrays, turned round or not. AddressSanitizer's leak check looks too. */
static void destroyed_with_items_left(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct item *items = create_items(200);
    run_solo(ops, &(struct dq_config){.capacity = 2, .reclaim = reclaim}, 100, NULL); /* it makes reclaim's helper */
    reclaim_register_thread();
    int64_t live = support_alloc_live();
    for (size_t i = 0; i < BLOCKS; i++) {
        struct dq_config config = {.capacity = 16, .block = blocks[i], .reclaim = reclaim};
        for (size_t fill = 0; fill <= 80; fill++) {
            for (size_t turned = fill % threads_stride(); turned <= 20; turned += threads_stride()) {
                struct solo s = solo_begin(ops, &config, items, 200);
                for (size_t k = 0; k < turned; k++) {
                    memset(items, 0, sizeof *items);
                    CHECK(solo_push(&s, 0));
                    solo_take_oldest(&s, 1);
                    solo_drain(&s);
                }
                for (size_t k = 0; k < fill && solo_push(&s, k); k++) {
                }
                solo_end(&s);
            }
        }
    }
    expect_at_most(support_alloc_live, live + 8); /* no more than threads of the process's own may hold */
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

/* Each of create's allocations fails once, and whatever was made before it is given back. */
static void created_without_memory(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 16, .block = 4, .reclaim = reclaim};
    int status = -ENOMEM;
    for (uint64_t allowed = 0; memory_can_run_out() && status == -ENOMEM; allowed++) {
        struct dq *deque = NULL;
        int64_t live = support_alloc_live();
        CHECK(allowed < 100);
        support_alloc_fail_after(allowed);
        status = ops->create(&deque, &config);
        support_alloc_fail_after(UINT64_MAX);
        CHECK_EQ(status, deque ? 0 : -ENOMEM);
        CHECK(allowed > 0 || status == -ENOMEM); /* a deque is an allocation */
        CHECK(deque || support_alloc_live() == live);
        if (deque) {
            ops->destroy(deque);
        }
    }
    reclaim_destroy(reclaim);
}

/* Full for want of memory: the item is not inside, all else works, and with memory it grows on. */
static void pushed_without_memory(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    const size_t most = 2000;
    reclaim_register_thread();
    for (uint64_t allowed = 0; memory_can_run_out() && allowed < 5; allowed++) {
        struct dq_config config = {.capacity = 8, .block = 4, .reclaim = reclaim};
        struct item *items = create_items(2 * most);
        struct solo s = solo_begin(ops, &config, items, 2 * most), thief = solo_begin(ops, &config, items, 2 * most);
        size_t next = 0;
        s.starves = thief.starves = true;
        support_alloc_fail_after(allowed);
        while (next < most && solo_push(&s, next)) {
            next++;
        }
        CHECK(next < most); /* it cannot have grown without end */
        support_alloc_fail_after(0);
        CHECK(!solo_push(&s, next));
        solo_look(&s);
        for (size_t i = 0; i < 2; i++) {
            solo_rob(&s, &thief, 3);
            solo_look(&thief);
        }
        CHECK(solo_pop(&s) && solo_push(&s, next));
        support_alloc_fail_after(UINT64_MAX);
        s.starves = thief.starves = false;
        for (next++; next < most && solo_push(&s, next); next++) {
        }
        support_alloc_fail_after(0);
        solo_drain(&s);
        solo_drain(&thief);
        support_alloc_fail_after(UINT64_MAX);
        solo_end(&s);
        solo_end(&thief);
        check_all_taken(items, next);
        free(items);
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static void starve(uint64_t *random) {
    support_alloc_fail_after(check_random(random) % 2 ? UINT64_MAX : check_random(random) % 3);
}

static void starved_now_and_then(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; memory_can_run_out() && i < 20; i++) {
        struct dq_config config = {.capacity = (size_t)2 << i % 4, .block = 2, .reclaim = reclaim};
        run_solo(implementations[variant], &config, threads_scaled(20000), starve);
        support_alloc_fail_after(UINT64_MAX);
    }
    reclaim_destroy(reclaim);
}

/* `rounds` times `depth` items in and all of them out, by pops and by thefts. Returns how many there were. */
static size_t deep_then_empty(struct solo *s, size_t depth, size_t rounds) {
    size_t n = 0;
    for (size_t round = 0; round < rounds; round++) {
        memset(s->items, 0, depth * sizeof *s->items);
        for (size_t i = 0; i < depth && solo_push(s, i); i++, n++) {
        }
        for (size_t i = 0; i < depth / 4 && i < 16; i++) {
            solo_rob(s, NULL, 1);
        }
        solo_drain(s);
        reclaim_quiescent();
    }
    return n;
}

/* What a deque allocates when it has found its size: nothing. */
static void steady_state(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    static const size_t depths[] = {1, 100};
    struct item *items = create_items(100);
    struct reclaim *reclaim = create_reclaim();
    reclaim_register_thread();
    for (size_t i = 0; i < 2 * BLOCKS; i++) {
        struct dq_config config = {.capacity = 128, .block = blocks[i / 2], .reclaim = reclaim};
        struct solo s = solo_begin(ops, &config, items, 100);
        size_t depth = depths[i % 2];
        deep_then_empty(&s, depth, 1000 / depth);
        uint64_t before = support_alloc_count();
        CHECK(deep_then_empty(&s, depth, threads_scaled(400000) / depth) > 0);
        CHECK_EQ(support_alloc_count() - before, 0);
        solo_end(&s);
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

/* A thief who came to a stop long ago: nothing that was outgrown since may be freed until it is `over`. */
struct standstill {
    pthread_barrier_t began, over;
};

static void *stand_still(void *argument) {
    struct standstill *standstill = argument;
    reclaim_register_thread();
    pthread_barrier_wait(&standstill->began);
    pthread_barrier_wait(&standstill->over);
    reclaim_unregister_thread();
    return NULL;
}

/* Many times as deep as before, some of them while a thief stands still: what is outgrown adds up to a constant. */
static void bounded_by_what_was_inside(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    const size_t depth = 10000;
    const int64_t most = (1 << 16) + 64 * (int64_t)depth;
    struct item *items = create_items(depth);
    struct reclaim *reclaim = create_reclaim();
    struct standstill standstill;
    pthread_t thief;
    if (!support_alloc_knows_bytes()) {
        check_skip("under this sanitizer bytes are not counted");
    }
    pthread_barrier_init(&standstill.began, NULL, 2);
    pthread_barrier_init(&standstill.over, NULL, 2);
    CHECK_EQ(pthread_create(&thief, NULL, stand_still, &standstill), 0);
    pthread_barrier_wait(&standstill.began);
    reclaim_register_thread();
    for (size_t i = 0; support_alloc_knows_bytes() && i < BLOCKS; i++) {
        struct dq_config config = {.capacity = 4, .block = blocks[i], .reclaim = reclaim};
        int64_t before = support_alloc_bytes();
        struct solo s = solo_begin(ops, &config, items, depth);
        deep_then_empty(&s, depth, 3);
        int64_t grown = support_alloc_bytes();
        CHECK(grown - before - (int64_t)(depth * sizeof(size_t)) <= most);
        deep_then_empty(&s, depth, threads_scaled(50));
        CHECK_EQ(support_alloc_bytes(), grown);
        solo_end(&s);
    }
    int64_t held = support_alloc_bytes();
    pthread_barrier_wait(&standstill.over);
    pthread_join(thief, NULL);
    printf("     %s: %" PRId64 " bytes less once the thief was gone\n", ops->name, held - support_alloc_bytes());
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

static const struct check_test tests[] = {
    {"destroyed_with_items_left", destroyed_with_items_left},
    {"created_without_memory", created_without_memory},
    {"pushed_without_memory", pushed_without_memory},
    {"starved_now_and_then", starved_now_and_then},
    {"steady_state", steady_state},
    {"bounded_by_what_was_inside", bounded_by_what_was_inside},
};

static const struct check_suite suite = DQ_SUITE("suite_dq_memory");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
