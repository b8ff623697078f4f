/*
 * ctest-label: queues
 * What dq.h promises to a single thread, over every deque of dq_list.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* The deques' memory comes from here, so that a test can let it run out. */
static _Thread_local bool no_memory;

static inline void *memory(size_t bytes) {
    return no_memory ? NULL : malloc(bytes);
}

#define malloc memory
#include "queues/dq_list.h"
#undef malloc

#include "stress/dq_items.h"
#include "stress/threads.h"

static void capacity_is_checked(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    static const size_t bad[] = {0, 1, 3, 6, 255, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dq_config config = {.capacity = bad[i], .reclaim = reclaim};
        struct dq *deque = NULL;
        CHECK_EQ(ops->create(&deque, &config), -EINVAL);
    }
    no_memory = true;
    struct dq_config config = {.capacity = 2, .reclaim = reclaim};
    struct dq *deque = NULL;
    CHECK_EQ(ops->create(&deque, &config), -ENOMEM);
    no_memory = false;
    ops->destroy(create(ops, 2, reclaim));
    ops->destroy(create(ops, DQ_CAPACITY_DEFAULT, reclaim));
    reclaim_destroy(reclaim);
}

/* One thread against the obvious model: model[low .. high) is inside, oldest first. */
struct model {
    const struct dq_ops *ops;
    struct dq *deque;
    struct item *items;
    size_t *inside, low, high, next, count;
};

static void model_pop(struct model *m) {
    struct sy_node *node = NULL;
    if (m->low == m->high) {
        CHECK_EQ(m->ops->pop(m->deque, &node), DQ_EMPTY);
        return;
    }
    size_t wanted = m->ops->order == DQ_LIFO ? m->inside[--m->high] : m->inside[m->low++];
    CHECK_EQ(m->ops->pop(m->deque, &node), DQ_OK);
    CHECK_EQ(take_item(m->items, node), wanted);
}

static void model_steal(struct model *m) {
    struct sy_node *node = NULL;
    size_t moved = 99;
    enum dq_status status = m->ops->steal(m->deque, NULL, 8, &node, &moved);
    CHECK_EQ(status, m->low == m->high ? DQ_EMPTY : DQ_OK);
    CHECK_EQ(moved, status == DQ_OK);
    if (status == DQ_OK) {
        CHECK_EQ(take_item(m->items, node), m->inside[m->low]);
        m->low++;
    }
}

static void alone(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    struct model m = {.ops = implementations[variant], .count = threads_scaled(1000000)};
    m.deque = create(m.ops, 2, reclaim);
    m.items = create_items(m.count);
    m.inside = calloc(m.count, sizeof *m.inside);
    uint64_t random = check_seed();
    reclaim_register_thread();
    while (m.next < m.count || m.low < m.high) {
        size_t n = check_random(&random) % 8;
        bool grows = check_random(&random) % 8 == 0;
        for (size_t i = 0; i < (grows ? 40 * n : n) && m.next < m.count; i++) {
            if (push_item(m.ops, m.deque, m.items, m.next)) {
                m.inside[m.high++] = m.next++;
            } else {
                CHECK(m.ops->bounded);
            }
        }
        CHECK_EQ(m.ops->length(m.deque), m.high - m.low);
        for (size_t i = check_random(&random) % 12; i > 0; i--) {
            CHECK_EQ(m.ops->is_empty(m.deque), m.low == m.high);
            check_random(&random) % 3 ? model_pop(&m) : model_steal(&m);
        }
        reclaim_quiescent();
    }
    check_all_taken(m.items, m.count);
    m.ops->destroy(m.deque);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(m.items);
    free(m.inside);
}

/* Every number of items, every limit: what moves, and in which order it stands in the thief's deque. */
static void steals_half(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    reclaim_register_thread();
    for (size_t n = 0; n < 40; n++) {
        for (size_t max = 1; max < 25; max++) {
            struct dq *victim = create(ops, 64, reclaim), *thief = create(ops, 2, reclaim);
            struct item *items = create_items(n + 1);
            struct sy_node *node = NULL;
            size_t moved = 99, half = n - n / 2;
            for (size_t i = 0; i < n; i++) {
                CHECK(push_item(ops, victim, items, i));
            }
            enum dq_status status = ops->steal(victim, thief, max, &node, &moved);
            CHECK_EQ(status, n ? DQ_OK : DQ_EMPTY);
            CHECK(moved <= max && moved <= half && (moved > 0) == (n > 0));
            CHECK(ops->bounded || moved == (half < max ? half : max));
            CHECK_EQ(ops->length(victim), n - moved);
            CHECK_EQ(ops->length(thief), moved ? moved - 1 : 0);
            CHECK(moved == 0 || take_item(items, node) == 0);
            for (size_t i = 1; i < moved; i++) {
                size_t one;
                CHECK_EQ(ops->steal(thief, NULL, 1, &node, &one), DQ_OK);
                CHECK_EQ(take_item(items, node), i);
            }
            ops->destroy(victim);
            ops->destroy(thief);
            free(items);
        }
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

/* Popping what is empty must leave the indices as they were. */
static void empty_pop(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct dq *deque = create(ops, 2, reclaim);
    struct item *items = create_items(100);
    struct sy_node *node = NULL;
    size_t moved;
    reclaim_register_thread();
    for (size_t i = 0; i < 100; i++) {
        for (size_t k = 0; k < i; k++) {
            CHECK_EQ(ops->pop(deque, &node), DQ_EMPTY);
            CHECK_EQ(ops->steal(deque, NULL, 1, &node, &moved), DQ_EMPTY);
            CHECK(ops->is_empty(deque));
        }
        CHECK(push_item(ops, deque, items, i));
        CHECK_EQ(ops->length(deque), 1);
        CHECK_EQ(i % 2 ? ops->pop(deque, &node) : ops->steal(deque, NULL, 1, &node, &moved), DQ_OK);
        CHECK_EQ(take_item(items, node), i);
    }
    ops->destroy(deque);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

/* Without memory to grow, push refuses and the item stays the caller's; a steal takes only what it has a place for. */
static void no_memory_to_grow(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct dq *victim = create(ops, 8, reclaim), *thief = create(ops, 2, reclaim);
    struct item *items = create_items(16);
    struct sy_node *node = NULL;
    size_t moved;
    reclaim_register_thread();
    no_memory = true;
    for (size_t i = 0; i < 8; i++) {
        CHECK(push_item(ops, victim, items, i));
    }
    CHECK(!push_item(ops, victim, items, 8));
    CHECK_EQ(ops->length(victim), 8);
    CHECK(push_item(ops, thief, items, 9));
    CHECK(push_item(ops, thief, items, 10));
    CHECK_EQ(ops->steal(victim, thief, 4, &node, &moved), DQ_OK);
    CHECK_EQ(moved, 1);
    take_item(items, node);
    no_memory = false;
    CHECK(push_item(ops, victim, items, 8));
    CHECK(push_item(ops, victim, items, 11) || ops->bounded);
    for (size_t left = ops->length(victim); left > 0; left--) {
        CHECK_EQ(ops->pop(victim, &node), DQ_OK);
        take_item(items, node);
    }
    CHECK_EQ(ops->pop(victim, &node), DQ_EMPTY);
    CHECK_EQ(ops->length(thief), 2);
    ops->destroy(victim);
    ops->destroy(thief);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

/* The leak check of AddressSanitizer sees what destroy forgets. */
static void destroyed_with_items_left(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    for (size_t n = 0; n < 300; n += 23) {
        struct dq *deque = create(ops, 2, reclaim);
        struct item *items = create_items(n + 1);
        for (size_t i = 0; i < n; i++) {
            CHECK(push_item(ops, deque, items, i) || ops->bounded);
        }
        ops->destroy(deque);
        free(items);
    }
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"capacity_is_checked", capacity_is_checked},
    {"alone", alone},
    {"steals_half", steals_half},
    {"empty_pop", empty_pop},
    {"no_memory_to_grow", no_memory_to_grow},
    {"destroyed_with_items_left", destroyed_with_items_left},
};

static const struct check_suite suite = {
    .title = "suite_dq_alone",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
    .variant_count = IMPLEMENTATIONS,
    .variant_name = variant_name,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
