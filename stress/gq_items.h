/* What the suites of global queues share: the list as a table, and how a queue is made, used and looked at. */
#ifndef STEALYARD_STRESS_GQ_ITEMS_H
#define STEALYARD_STRESS_GQ_ITEMS_H

#include "queues/gq.h"
#include "queues/reclaim.h"
#include "stress/items.h"

/* Faulty queues, to see that the suites find them out (test_gq_broken.sh). */
#ifdef GQ_BROKEN
#include "stress/gq_broken.h"
#else
#include "queues/gq_list.h"
#endif

#define OPS_OF(name) &name##_ops,
static const struct gq_ops *const implementations[] = {GQ_LIST(OPS_OF)};
#define IMPLEMENTATIONS (sizeof implementations / sizeof *implementations)
#ifdef CTEST_ENTRIES
_Static_assert(IMPLEMENTATIONS == CTEST_ENTRIES,
               "CTest has a test for each entry: they stand one to a line of the list");
#endif

static inline bool keeps_order(const struct gq_ops *ops) {
    return starts_with(ops->order, "FIFO");
}

static inline struct gq *create_as(const struct gq_ops *ops, const struct gq_config *config) {
    struct gq *queue = NULL;
    check_note("capacity %zu, segment %zu, first %" PRIu64, config->capacity, config->segment, config->first);
    CHECK_EQ(ops->create(&queue, config), 0);
    CHECK(queue != NULL);
    return queue;
}

static inline struct gq *create(const struct gq_ops *ops, size_t capacity, size_t segment) {
    struct gq_config config = {.capacity = capacity, .segment = segment, .workers = 2};
    return create_as(ops, &config);
}

static inline void attach(const struct gq_ops *ops, struct gq *queue) {
    if (ops->attach) {
        CHECK_EQ(ops->attach(queue), 0);
    }
}

static inline void detach(const struct gq_ops *ops, struct gq *queue) {
    if (ops->detach) {
        ops->detach(queue);
    }
}

/* Between two operations: no reference is held. */
static inline void rest(const struct gq_ops *ops) {
    if (ops->reclaims) {
        reclaim_quiescent();
    }
}

/* With nobody else at work, on an attached thread. */
static inline void expect_empty(const struct gq_ops *ops, struct gq *queue) {
    struct sy_node *node;
    size_t got;
    CHECK_EQ(ops->pop_batch(queue, &node, 1, &got), GQ_EMPTY);
    CHECK_EQ(got, 0);
    CHECK(ops->is_empty(queue));
    CHECK_EQ(ops->length(queue), 0);
}

static inline const char *variant_name(size_t variant) {
    return implementations[variant]->name;
}

/* Whether the variant works on this machine; if not, its tests are skipped. */
static inline bool variant_runs(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    struct gq *queue = NULL;
    int status = ops->create(&queue, &config);
    if (status == -ENOTSUP) {
        check_skip("%s is not for this machine: see what ./stealyard list says of it", ops->name);
        return false;
    }
    CHECK_EQ(status, 0);
    ops->destroy(queue);
    return true;
}

#define GQ_SUITE(suite_title)                                                                                          \
    {                                                                                                                  \
        .title = suite_title, .tests = tests, .test_count = sizeof tests / sizeof *tests,                              \
        .variant_count = IMPLEMENTATIONS, .variant_name = variant_name, .variant_runs = variant_runs                   \
    }

#endif
