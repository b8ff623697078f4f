/* What the suites of deques share: the list as a table, shapes, and how items go in and are seen to come out. */
#ifndef STEALYARD_STRESS_DQ_ITEMS_H
#define STEALYARD_STRESS_DQ_ITEMS_H

#include "queues/dq.h"
#include "queues/reclaim.h"
#include "stress/items.h"

/* Faulty deques, to see that the suites find them out (test_dq_broken.sh). */
#ifdef DQ_BROKEN
#include "stress/dq_broken.h"
#else
#include "queues/dq_list.h"
#endif

#define OPS_OF(name) &name##_ops,
static const struct dq_ops *const implementations[] = {DQ_LIST(OPS_OF)};
#define IMPLEMENTATIONS (sizeof implementations / sizeof *implementations)
#ifdef CTEST_ENTRIES
_Static_assert(IMPLEMENTATIONS == CTEST_ENTRIES,
               "CTest has a test for each entry: they stand one to a line of the list");
#endif

static inline struct dq *create_as(const struct dq_ops *ops, const struct dq_config *config) {
    struct dq *deque = NULL;
    check_note("capacity %zu, block %zu, first %" PRIu64, config->capacity, config->block, config->first);
    CHECK_EQ(ops->create(&deque, config), 0);
    CHECK(deque != NULL);
    return deque;
}

static inline struct dq *create(const struct dq_ops *ops, size_t capacity, size_t block, struct reclaim *reclaim) {
    struct dq_config config = {.capacity = capacity, .block = block, .reclaim = reclaim};
    return create_as(ops, &config);
}

static inline struct reclaim *create_reclaim(void) {
    struct reclaim *reclaim = NULL;
    CHECK_EQ(reclaim_create(&reclaim), 0);
    return reclaim;
}

/* Pushes an item whose contents are its index; false: the deque is full. */
static inline bool push_item(const struct dq_ops *ops, struct dq *deque, struct item *items, size_t index) {
    items[index].payload = ~(uint64_t)index;
    enum dq_status status = ops->push(deque, dirty(&items[index]));
    CHECK(status == DQ_OK || status == DQ_FULL);
    return status == DQ_OK;
}

static inline size_t take_item(struct item *items, struct sy_node *node) {
    struct item *item = (struct item *)(void *)node;
    size_t index = (size_t)(item - items);
    CHECK_EQ(item->payload, ~(uint64_t)index);
    CHECK_EQ(++item->taken, 1);
    return index;
}

static inline void check_all_taken(const struct item *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(items[i].taken, 1);
    }
}

/* What is kept from thieves may be older than what they get: at the end where a FIFO deque's owner pops. */
static inline bool skips_kept(const struct dq_ops *ops) {
    return ops->withholds && ops->order == DQ_FIFO;
}

/* With nobody else at work: what a thief may say of a deque with `length` items. */
static inline bool may_say(const struct dq_ops *ops, enum dq_status status, size_t length) {
    if (length == 0) {
        return status == DQ_EMPTY;
    }
    return status == DQ_OK || (ops->withholds && status == DQ_RETRY);
}

/* With nobody else at work, on a registered thread. */
static inline void expect_empty(const struct dq_ops *ops, struct dq *deque) {
    struct sy_node *node;
    size_t moved = 99;
    CHECK_EQ(ops->steal(deque, NULL, 1, &node, &moved), DQ_EMPTY);
    CHECK_EQ(moved, 0);
    CHECK_EQ(ops->pop(deque, &node), DQ_EMPTY);
    CHECK_EQ(dq_take_oldest(ops, deque, &node, 1), 0);
    CHECK(ops->is_empty(deque));
    CHECK_EQ(ops->length(deque), 0);
}

static inline const char *variant_name(size_t variant) {
    return implementations[variant]->name;
}

#define DQ_SUITE(suite_title)                                                                                          \
    {                                                                                                                  \
        .title = suite_title, .tests = tests, .test_count = sizeof tests / sizeof *tests,                              \
        .variant_count = IMPLEMENTATIONS, .variant_name = variant_name                                                 \
    }

#endif
