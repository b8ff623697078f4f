/* gq_scq in steps that no schedule would hit: its threshold is lowered only if nobody has touched it meanwhile. */
#define _GNU_SOURCE
#include "queues/gq_scq.h"

#include "stress/check.h"

enum { CAPACITY = 2 };

/* A dequeue of an empty ring up to [T1]. */
static void find_nothing(struct gq_scq_ring *ring) {
    uint64_t ticket = au64_fetch_add_seq_cst(&ring->head, 1), index;
    CHECK(!gq_scq_attempt(ring, ticket, &index));
    CHECK_EQ(au64_load_relaxed(&ring->tail), ticket);
    au64_store_relaxed(&ring->tail, ticket + 1); /* [D4] */
}

static int64_t take_one_off(struct gq_scq_ring *ring) {
    int64_t one = (int64_t)1 << ring->stamp_order;
    return ai64_fetch_sub_seq_cst(&ring->threshold, one) - one;
}

/*
 * Two pushes hold both slots. A pop gives one back with the first ticket after those that the ring began with, and stops
 * before [R0]; that slot is taken again. A push finds nothing and stops between [T2] and [T3], and another before [T1].
 * Meanwhile the pop goes on, and a second one gives the other slot back. The first push's [T3] has to fail.
 */
static void lower_late(uint64_t first) {
    struct gq_config config = {.capacity = CAPACITY, .workers = 1, .first = first};
    struct gq *queue;
    uint64_t indices[CAPACITY];
    struct sy_node item;
    CHECK_EQ(gq_scq_create(&queue, &config), 0);
    struct gq_scq_ring *free_slots = &gq_scq_of(queue)->fq;
    CHECK(gq_scq_dequeue(free_slots, &indices[0]) && gq_scq_dequeue(free_slots, &indices[1]));

    uint64_t ticket = au64_load_relaxed(&free_slots->tail);
    int64_t before = ai64_load_relaxed(&free_slots->threshold);
    gq_scq_enqueue(free_slots, indices[0]);
    ai64_store_relaxed(&free_slots->threshold, before); /* it has not come to [R0] yet */
    CHECK(gq_scq_dequeue(free_slots, &indices[0]));
    find_nothing(free_slots);
    int64_t left = take_one_off(free_slots);

    ai64_store_release(&free_slots->threshold, gq_scq_raised(free_slots, ticket)); /* [R1] */
    find_nothing(free_slots);
    gq_scq_enqueue(free_slots, indices[1]);
    take_one_off(free_slots);
    CHECK(!ai64_cas_seq_cst(&free_slots->threshold, &left, -1)); /* [T3] */
    CHECK_EQ(gq_scq_push(queue, &item), GQ_OK);
    gq_scq_destroy(queue);
}

static void no_threshold_looks_like_the_first(size_t variant) {
    (void)variant;
    for (uint64_t first = (uint64_t)0 - CAPACITY - 2; first != 2; first++) {
        check_note("first ticket %" PRIu64, first);
        lower_late(first);
    }
}

static const struct check_test tests[] = {
    {"no_threshold_looks_like_the_first", no_threshold_looks_like_the_first},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_gq_scq", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
