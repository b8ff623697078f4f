/*
 * ctest-each: dq_list
 * ctest-label: queues
 * What dq.h promises while nobody interferes, over every deque of dq_list.h: sizes, one thread against a model, and how
 * much a theft takes.
 */
#define _GNU_SOURCE
#include "stress/dq_runs.h"

static const struct dq_config shapes[] = {
    {.capacity = 2, .block = 2},   {.capacity = 4, .block = 2},  {.capacity = 16, .block = 4},
    {.capacity = 64, .block = 16}, {.capacity = 64, .block = 2}, {.capacity = DQ_CAPACITY_DEFAULT, .block = 0},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct dq_config shape(size_t i, struct reclaim *reclaim) {
    struct dq_config config = shapes[i];
    config.reclaim = reclaim;
    return config;
}

static void sizes_are_checked(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    static const size_t capacities[] = {0, 1, 3, 6, 255, SIZE_MAX}, blocks[] = {1, 3, 6, SIZE_MAX};
    struct reclaim *reclaim = create_reclaim();
    struct dq *deque = NULL;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct dq_config config = {.capacity = capacities[i], .reclaim = reclaim};
        check_note("capacity %zu", capacities[i]);
        CHECK_EQ(ops->create(&deque, &config), -EINVAL);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct dq_config config = {.capacity = DQ_CAPACITY_DEFAULT, .block = blocks[i], .reclaim = reclaim};
        check_note("block %zu", blocks[i]);
        CHECK_EQ(ops->create(&deque, &config), -EINVAL);
    }
    struct dq_config without = {.capacity = DQ_CAPACITY_DEFAULT};
    check_note("no reclaim");
    CHECK_EQ(ops->create(&deque, &without), -EINVAL);
    for (size_t capacity = 2; capacity <= 8192; capacity *= 2) {
        ops->destroy(create(ops, capacity, 0, reclaim));
        for (size_t block = 2; block <= capacity && block <= 64; block *= 2) {
            ops->destroy(create(ops, capacity, block, reclaim));
        }
    }
    reclaim_destroy(reclaim);
}

static void alone(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < SHAPES; i++) {
        struct dq_config config = shape(i, reclaim);
        run_solo(implementations[variant], &config, threads_scaled(200000), NULL);
    }
    reclaim_destroy(reclaim);
}

/* Up and down between empty and as many items as fit, more by one each time; no room is lost on the way. */
static void filled_and_drained(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    reclaim_register_thread();
    for (size_t i = 0; i < SHAPES; i++) {
        struct dq_config config = shape(i, reclaim);
        size_t most = 5 * config.capacity / 2, full = 0;
        struct item *items = create_items(most);
        struct solo s = solo_begin(ops, &config, items, most);
        for (size_t n = 1; n <= most; n++) {
            size_t in = 0;
            memset(items, 0, most * sizeof *items);
            while (in < n && solo_push(&s, in)) {
                in++;
            }
            CHECK(in == n || in >= config.capacity); /* of a deque that was empty, all of the room is to be had */
            full += in < n;
            while (n % 3 && solo_length(&s) > 0 && (n % 3 == 1 ? solo_rob(&s, NULL, 1) : solo_take_oldest(&s, 3))) {
            }
            solo_drain(&s);
            reclaim_quiescent();
        }
        CHECK_EQ(full > 0, ops->bounded);
        solo_end(&s);
        free(items);
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

/* One theft from `n` items, at most `max` of them, to a deque that has some and maybe less room. Returns how many. */
static size_t steal_once(const struct dq_ops *ops, const struct dq_config *from, const struct dq_config *to, size_t n,
                         size_t max) {
    size_t own = (n + max) % (to->capacity + 1), all = n + own;
    struct item *items = create_items(all + 1);
    struct solo victim = solo_begin(ops, from, items, all + 1), thief = solo_begin(ops, to, items, all + 1);
    for (size_t i = 0; i < all; i++) {
        CHECK(solo_push(i < n ? &victim : &thief, i));
    }
    size_t moved = solo_rob(&victim, &thief, max), half = n - n / 2;
    CHECK(ops->bounded || ops->withholds || moved == (half < max ? half : max));
    solo_look(&victim);
    solo_look(&thief);
    for (size_t i = 1; i < moved && i % 2; i++) {
        solo_take_oldest(&thief, 1); /* the order in which they stand there */
    }
    solo_drain(&victim);
    solo_drain(&thief);
    check_all_taken(items, all);
    solo_end(&victim);
    solo_end(&thief);
    free(items);
    return moved;
}

/* Every number of items, every limit: what moves, and in which order it stands in the thief's deque. */
static void steals_half(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    static const size_t capacities[] = {2, 8, 64};
    struct reclaim *reclaim = create_reclaim();
    struct dq_config from = {.capacity = 64, .block = 8, .reclaim = reclaim};
    size_t most = 0;
    reclaim_register_thread();
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct dq_config to = {.capacity = capacities[i], .block = 2, .reclaim = reclaim};
        for (size_t n = 0; n < 40; n++) {
            for (size_t max = 1; max < 25; max++) {
                size_t moved = steal_once(ops, &from, &to, n, max);
                most = moved > most ? moved : most;
            }
        }
    }
    CHECK(most > 1 || ops->withholds); /* the first thief may have to ask for more first */
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

/* Every number of items, every limit: what the owner gives away when its deque is full. */
static void takes_the_oldest(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 32, .block = 4, .reclaim = reclaim};
    size_t most = 0;
    reclaim_register_thread();
    for (size_t n = 0; n <= 32; n++) {
        for (size_t max = 1; max <= BATCH_MAX; max++) {
            struct item *items = create_items(n + 1);
            struct solo s = solo_begin(ops, &config, items, n + 1);
            for (size_t i = 0; i < n; i++) {
                CHECK(solo_push(&s, i));
            }
            size_t taken = solo_take_oldest(&s, max);
            most = taken > most ? taken : most;
            solo_look(&s);
            CHECK(solo_push(&s, n) || taken == 0);
            solo_drain(&s);
            solo_end(&s);
            free(items);
        }
    }
    CHECK(most > 1 || ops->withholds); /* the first thief may have to ask for more first */
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

/* Who pushes on without end can be robbed, whatever is withheld; and a thief's deque is full of what is no longer. */
static void thieves_get_their_share(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 64, .block = 4, .reclaim = reclaim};
    const size_t count = 1000;
    struct item *items = create_items(count);
    struct solo s = solo_begin(ops, &config, items, count);
    size_t since = 0;
    reclaim_register_thread();
    for (size_t i = 0; i < count; i++) {
        CHECK(solo_push(&s, i));
        since = solo_rob(&s, NULL, 1) ? 0 : since + 1;
        CHECK(since <= (ops->withholds ? 3 * config.block : 0));
    }
    solo_drain(&s);
    check_all_taken(items, count);
    solo_end(&s);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

/* Popping and stealing of what is empty must leave the indices as they were. */
static void found_empty(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    reclaim_register_thread();
    for (size_t i = 0; i < SHAPES; i++) {
        struct dq_config config = shape(i, reclaim);
        struct item *items = create_items(100);
        struct solo s = solo_begin(ops, &config, items, 100);
        for (size_t k = 0; k < 100; k++) {
            for (size_t n = 0; n < k; n++) {
                expect_empty(ops, s.deque);
            }
            CHECK(solo_push(&s, k));
            solo_look(&s);
            CHECK(k % 3 == 0   ? solo_pop(&s)
                  : k % 3 == 1 ? solo_take_oldest(&s, 1)
                               : solo_rob(&s, NULL, 1) || solo_pop(&s));
        }
        check_all_taken(items, 100);
        solo_end(&s);
        free(items);
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"sizes_are_checked", sizes_are_checked},
    {"alone", alone},
    {"filled_and_drained", filled_and_drained},
    {"steals_half", steals_half},
    {"takes_the_oldest", takes_the_oldest},
    {"thieves_get_their_share", thieves_get_their_share},
    {"found_empty", found_empty},
};

static const struct check_suite suite = DQ_SUITE("suite_dq_alone");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
