/* What gq_wfcq does behind a stalled pusher or popper, and the length that its poppers reckon. */
#define _GNU_SOURCE
#include "queues/gq_wfcq.h"

#include "stress/gq_items.h"

enum { ITEMS = 4096 };

static struct item items[ITEMS];

static struct gq_wfcq *create_wfcq(void) {
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    return gq_wfcq_of(create_as(&gq_wfcq_ops, &config));
}

static struct gq *as_gq(struct gq_wfcq *q) {
    return (struct gq *)(void *)q;
}

static void push(struct gq_wfcq *q, size_t n) {
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(gq_wfcq_push(as_gq(q), dirty(&items[i])), GQ_OK);
    }
}

/* A pop of up to `max` gives `expected`, and the items from `first` on. */
static void pop(struct gq_wfcq *q, size_t max, enum gq_status expected, size_t first, size_t count) {
    struct sy_node *batch[ITEMS];
    size_t got = 0;
    CHECK_EQ(gq_wfcq_pop_batch(as_gq(q), batch, max, &got), expected);
    CHECK_EQ(got, count);
    for (size_t i = 0; i < got; i++) {
        CHECK(batch[i] == &items[first + i].node);
    }
}

/* A push of items[index] that stops after its exchange; returns the link that is still to be made. */
static struct sy_node *push_half(struct gq_wfcq *q, size_t index) {
    sy_node_link(&items[index].node, NULL);
    return aptr_exchange_seq_cst((struct aptr *)(void *)&q->tail, &items[index].node);
}

/* What was linked before comes out, what was pushed after does not, and nobody waits. The test's time limit sees if. */
static void stalled_pusher(size_t before) {
    struct gq_wfcq *q = create_wfcq();
    push(q, before);
    struct sy_node *link = push_half(q, before);
    CHECK_EQ(gq_wfcq_push(as_gq(q), dirty(&items[before + 1])), GQ_OK);
    /* The last of those before has no link: it may be the one that the pusher is about to write to. */
    size_t free_to_go = before > 0 ? before - 1 : 0;
    if (free_to_go > 0) {
        pop(q, ITEMS, GQ_OK, 0, free_to_go);
    }
    for (int i = 0; i < 100; i++) {
        pop(q, ITEMS, GQ_RETRY, 0, 0);
        CHECK(!gq_wfcq_is_empty(as_gq(q)));
        CHECK(gq_wfcq_length(as_gq(q)) > 0);
    }
    sy_node_link(link, &items[before].node);
    pop(q, ITEMS, GQ_OK, free_to_go, before + 2 - free_to_go);
    expect_empty(&gq_wfcq_ops, as_gq(q));
    gq_wfcq_destroy(as_gq(q));
}

static void behind_a_stalled_pusher(size_t variant) {
    (void)variant;
    stalled_pusher(0);
    stalled_pusher(1);
    stalled_pusher(2);
    stalled_pusher(100);
}

static void behind_a_stalled_popper(size_t variant) {
    (void)variant;
    struct gq_wfcq *q = create_wfcq();
    CHECK(gq_wfcq_try_lock(q));
    pop(q, 1, GQ_EMPTY, 0, 0);
    push(q, 2);
    pop(q, 1, GQ_RETRY, 0, 0);
    au32_store_release(&q->lock, 0);
    pop(q, 3, GQ_OK, 0, 2);
    expect_empty(&gq_wfcq_ops, as_gq(q));
    gq_wfcq_destroy(as_gq(q));
}

/* Batches as an executor of two workers makes them from the length soon become large, and stay within what it says. */
static void length_follows_the_pops(size_t variant) {
    (void)variant;
    struct gq_wfcq *q = create_wfcq();
    push(q, ITEMS);
    size_t out = 0, pops = 0;
    for (; out < ITEMS; pops++) {
        size_t length = gq_wfcq_length(as_gq(q)), max = length / 2 + 1, left = ITEMS - out;
        CHECK(length > 0 && length <= GQ_WFCQ_RECKONED_MAX);
        size_t expected = max < left ? max : left;
        pop(q, max, GQ_OK, out, expected);
        out += expected;
    }
    CHECK(pops <= 12);
    expect_empty(&gq_wfcq_ops, as_gq(q));
    push(q, 3);
    pop(q, ITEMS, GQ_OK, 0, 3);
    push(q, 1);
    CHECK_EQ(gq_wfcq_length(as_gq(q)), 3); /* what the last pop that emptied it got */
    pop(q, 1, GQ_OK, 0, 1);
    gq_wfcq_destroy(as_gq(q));
}

static void length_has_a_limit(size_t variant) {
    (void)variant;
    struct gq_wfcq *q = create_wfcq();
    push(q, ITEMS);
    for (size_t i = 0; i < 100; i++) {
        pop(q, 1, GQ_OK, i, 1);
    }
    CHECK_EQ(gq_wfcq_length(as_gq(q)), GQ_WFCQ_RECKONED_MAX);
    pop(q, ITEMS, GQ_OK, 100, ITEMS - 100);
    expect_empty(&gq_wfcq_ops, as_gq(q));
    gq_wfcq_destroy(as_gq(q));
}

static const struct check_test tests[] = {
    {"behind_a_stalled_pusher", behind_a_stalled_pusher},
    {"behind_a_stalled_popper", behind_a_stalled_popper},
    {"length_follows_the_pops", length_follows_the_pops},
    {"length_has_a_limit", length_has_a_limit},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_gq_wfcq", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
