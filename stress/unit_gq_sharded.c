/* What gq_sharded promises beyond gq.h: a thread keeps to its shard, and no shard is kept waiting. */
#define _GNU_SOURCE
#include "queues/gq_sharded.h"

#include "stress/gq_runs.h"

enum { WORKERS = 4, SHARDS = 8, EACH = 1000 };

static void shards_by_workers(size_t variant) {
    static const unsigned expected[][2] = {{0, 2},   {1, 2},   {2, 4},   {3, 8},     {4, 8},          {5, 16},
                                           {31, 64}, {32, 64}, {33, 64}, {1000, 64}, {UINT32_MAX, 64}};
    (void)variant;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        check_note("%u workers", expected[i][0]);
        CHECK_EQ(gq_sharded_count_for(expected[i][0]), expected[i][1]);
    }
}

struct pushers {
    struct gq *queue;
    struct item (*items)[EACH]; /* of each */
    size_t next;                /* who pushes now */
};

static void push_some(size_t index, void *shared) {
    struct pushers *pushers = shared;
    struct item *mine = pushers->items[pushers->next];
    struct sy_node *batch[EACH];
    size_t done;
    (void)index;
    for (size_t i = 0; i < EACH; i++) {
        mine[i].producer = pushers->next;
        mine[i].sequence = i + 1;
        batch[i] = &mine[i].node;
    }
    CHECK_EQ(gq_sharded_push(pushers->queue, batch[0]), GQ_OK);
    CHECK_EQ(gq_sharded_push_batch(pushers->queue, batch + 1, EACH - 1, &done), GQ_OK);
}

/* As many threads as there are shards, one after the other, each with a number of its own. */
static struct pushers fill(void) {
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = WORKERS};
    struct pushers pushers = {.items = calloc(SHARDS, sizeof *pushers.items)};
    CHECK(pushers.items != NULL);
    CHECK_EQ(gq_sharded_create(&pushers.queue, &config), 0);
    for (; pushers.next < SHARDS; pushers.next++) {
        threads_run(1, push_some, &pushers);
        uint64_t filled = au64_load_relaxed(&gq_sharded_of(pushers.queue)->filled);
        CHECK_EQ(__builtin_popcountll(filled), pushers.next + 1);
    }
    return pushers;
}

static void empty(struct pushers *pushers) {
    gq_sharded_destroy(pushers->queue);
    free(pushers->items);
}

static void threads_keep_to_their_shards(size_t variant) {
    (void)variant;
    struct pushers pushers = fill();
    CHECK_EQ(gq_sharded_length(pushers.queue), SHARDS * EACH);
    empty(&pushers);
}

/* Of any 2 * S pops in a row one begins at any given shard. */
static void no_shard_waits_for_long(size_t variant) {
    (void)variant;
    struct pushers pushers = fill();
    size_t last[SHARDS] = {0};
    for (size_t pops = 1; pops <= EACH; pops++) {
        struct sy_node *node;
        size_t got;
        CHECK_EQ(gq_sharded_pop_batch(pushers.queue, &node, 1, &got), GQ_OK);
        last[((struct item *)(void *)node)->producer] = pops;
        for (size_t i = 0; i < SHARDS; i++) {
            CHECK(pops - last[i] < 2 * SHARDS);
        }
    }
    empty(&pushers);
}

/* A batch is as full as it can be, and takes each producer's in its order. */
static void batches_go_over_shards(size_t variant) {
    (void)variant;
    struct pushers pushers = fill();
    static struct sy_node *batch[SHARDS * EACH];
    size_t sequence[SHARDS] = {0}, got, left = SHARDS * EACH;
    for (size_t max = 1; left > 0; max += 100) {
        CHECK_EQ(gq_sharded_pop_batch(pushers.queue, batch, max, &got), GQ_OK);
        CHECK_EQ(got, max < left ? max : left);
        for (size_t i = 0; i < got; i++) {
            struct item *item = (struct item *)(void *)batch[i];
            CHECK_EQ(item->sequence, ++sequence[item->producer]);
        }
        left -= got;
    }
    expect_empty(&gq_sharded_ops, pushers.queue);
    empty(&pushers);
}

/* More producers than shards. */
static void shards_are_shared(size_t variant) {
    (void)variant;
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    struct crowd crowd = {.ops = &gq_sharded_ops, .producers = 5, .consumers = 3, .each = threads_scaled(200000)};
    run_crowd(crowd, &config);
    crowd.batches = true;
    run_crowd(crowd, &config);
}

/*
 * Each thread pushes one item and pops one, and does so again with that. Between the two something is always inside, so
 * nobody may be told that the queue is empty, though shards become empty and filled all the time.
 */
enum { HANDS = 4 };

struct hands {
    struct gq *queue;
    struct item items[HANDS];
    size_t rounds;
};

static void hand_on(size_t index, void *shared) {
    struct hands *hands = shared;
    struct sy_node *node = &hands->items[index].node;
    for (size_t i = 0; i < hands->rounds; i++) {
        size_t got;
        enum gq_status status = GQ_RETRY;
        CHECK_EQ(gq_sharded_push(hands->queue, node), GQ_OK);
        while (status == GQ_RETRY) {
            CHECK(!gq_sharded_is_empty(hands->queue));
            status = gq_sharded_pop_batch(hands->queue, &node, 1, &got);
        }
        CHECK_EQ(status, GQ_OK);
    }
}

static void never_empty_in_between(size_t variant) {
    (void)variant;
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    for (; config.workers <= HANDS; config.workers *= 2) {
        struct hands hands = {.rounds = threads_scaled(400000)};
        CHECK_EQ(gq_sharded_create(&hands.queue, &config), 0);
        threads_run(HANDS, hand_on, &hands);
        expect_empty(&gq_sharded_ops, hands.queue);
        gq_sharded_destroy(hands.queue);
    }
}

static const struct check_test tests[] = {
    {"shards_by_workers", shards_by_workers},
    {"threads_keep_to_their_shards", threads_keep_to_their_shards},
    {"no_shard_waits_for_long", no_shard_waits_for_long},
    {"batches_go_over_shards", batches_go_over_shards},
    {"shards_are_shared", shards_are_shared},
    {"never_empty_in_between", never_empty_in_between},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_gq_sharded", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
