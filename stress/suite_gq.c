/*
 * ctest-each: gq_list
 * ctest-label: queues
 * What gq.h promises, over every global queue of gq_list.h: sizes, one thread, crowds, and what a sleeper relies on.
 */
#define _GNU_SOURCE
#include "stress/gq_runs.h"

static void sizes_are_checked(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    static const size_t capacities[] = {0, 1, 3, 6, 8191, SIZE_MAX};
    static const size_t segments[] = {1, 3, 6, GQ_SEGMENT_MAX - 1, GQ_SEGMENT_MAX + 1, 2 * GQ_SEGMENT_MAX, SIZE_MAX};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct gq_config config = {.capacity = capacities[i], .workers = 1};
        struct gq *queue = NULL;
        check_note("capacity %zu", capacities[i]);
        CHECK_EQ(ops->create(&queue, &config), -EINVAL);
    }
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .segment = segments[i], .workers = 1};
        struct gq *queue = NULL;
        check_note("segment %zu", segments[i]);
        CHECK_EQ(ops->create(&queue, &config), -EINVAL);
    }
    for (size_t size = 2; size <= GQ_SEGMENT_MAX; size *= 2) {
        ops->destroy(create(ops, size, 0));
        ops->destroy(create(ops, 2, size));
    }
}

/* Capacities and segments at which the suites run: as small as they get, and as they are used. */
static const struct gq_config shapes[] = {
    {.capacity = 2, .segment = 2, .workers = 2},
    {.capacity = 4, .segment = 4, .workers = 2},
    {.capacity = 64, .segment = 8, .workers = 1},
    {.capacity = GQ_CAPACITY_DEFAULT, .segment = 0, .workers = 2},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void alone(size_t variant) {
    for (size_t i = 0; i < SHAPES; i++) {
        run_solo(implementations[variant], &shapes[i], threads_scaled(200000));
    }
}

/* More than a segment too; a bounded queue takes the first that there is room for, and is none the worse for it. */
static void batches_of_every_size(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    for (size_t i = 0; i < SHAPES; i++) {
        struct solo s = solo_begin(ops, &shapes[i], (PUSH_MAX + 1) * (PUSH_MAX + 10));
        for (size_t n = 0; n <= PUSH_MAX; n++) {
            size_t before = solo_push(&s, n % 7), room = shapes[i].capacity > before ? shapes[i].capacity - before : 0;
            rest(ops);
            size_t done = solo_push(&s, n);
            CHECK(done == n || (ops->bounded && done >= room));
            solo_look(&s);
            solo_drain(&s);
        }
        solo_end(&s);
    }
}

static void exactly_once(size_t variant) {
    static const size_t numbers[][2] = {{1, 1}, {1, 3}, {3, 1}, {2, 2}};
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 2};
    for (size_t i = 0; i < 2 * sizeof numbers / sizeof *numbers; i++) {
        struct crowd crowd = {.ops = implementations[variant],
                              .producers = numbers[i / 2][0],
                              .consumers = numbers[i / 2][1],
                              .each = threads_scaled(400000) / numbers[i / 2][0],
                              .batches = i % 2};
        run_crowd(crowd, &config);
    }
}

/* Room for next to nothing: pushers meet poppers at every slot, and every push may be the first of a segment. */
static void tiny_sizes(size_t variant) {
    for (size_t i = 0; i < 4; i++) {
        struct crowd crowd = {.ops = implementations[variant],
                              .producers = 2,
                              .consumers = 2,
                              .each = threads_scaled(40000),
                              .batches = i % 2};
        run_crowd(crowd, &shapes[i / 2]);
    }
}

static void oversubscribed(size_t variant) {
    size_t half = threads_oversubscribed() / 2;
    for (size_t i = 0; i < 4; i++) {
        struct crowd crowd = {.ops = implementations[variant],
                              .producers = half,
                              .consumers = half,
                              .each = threads_scaled(300000) / half,
                              .batches = i % 2};
        struct gq_config config = {.capacity = 256, .segment = i / 2 ? 16 : 0, .workers = (unsigned)half};
        run_crowd(crowd, &config);
    }
}

/*
 * A pusher and a would-be sleeper. Either way of asking must find the item: the sleeper announces itself and then
 * looks, with full barriers on both sides; or it was told of the push before it looks.
 */
struct parking {
    const struct gq_ops *ops;
    struct gq *queue;
    struct item item;
    struct threads_rounds rounds;
    struct au32 announced, told;
    bool seen_sleeper; /* by the pusher, in this round */
};

static void park_push(struct parking *p) {
    CHECK_EQ(p->ops->push(p->queue, dirty(&p->item)), GQ_OK);
    fence_seq_cst();
    p->seen_sleeper = au32_load_relaxed(&p->announced) != 0;
    au32_store_release(&p->told, 1);
}

/* Returns whether it would have slept. */
static bool park_sleep(struct parking *p) {
    au32_store_relaxed(&p->announced, 1);
    fence_seq_cst();
    bool empty = p->ops->is_empty(p->queue);
    for (int i = 0; i < 20; i++) {
        bool told = au32_load_acquire(&p->told) != 0;
        CHECK(!(told && p->ops->is_empty(p->queue)));
    }
    return empty;
}

static void park_take(struct parking *p) {
    struct sy_node *node;
    size_t got = 0;
    CHECK(!p->ops->is_empty(p->queue));
    while (p->ops->pop_batch(p->queue, &node, 1, &got) != GQ_OK) {
        sched_yield();
    }
    CHECK_EQ(p->ops->pop_batch(p->queue, &node, 1, &got), GQ_EMPTY);
    CHECK(p->ops->is_empty(p->queue));
    au32_store_relaxed(&p->announced, 0);
    au32_store_relaxed(&p->told, 0);
}

static void parking_member(size_t index, void *shared) {
    struct parking *p = shared;
    uint64_t round = 0;
    attach(p->ops, p->queue);
    for (size_t i = 0; threads_round(&p->rounds, &round, index, i); i++) {
        bool would_sleep = false;
        if (index == 0) {
            park_push(p);
        } else {
            would_sleep = park_sleep(p);
        }
        threads_meet(&p->rounds, &round);
        rest(p->ops);
        if (index == 1) {
            CHECK(!(would_sleep && !p->seen_sleeper));
            park_take(p);
        }
    }
    detach(p->ops, p->queue);
}

static void is_empty_never_too_early(size_t variant) {
    struct parking parking = {.ops = implementations[variant], .rounds = threads_rounds_of(2, threads_scaled(400000))};
    parking.queue = create(parking.ops, 16, 0);
    threads_run(2, parking_member, &parking);
    parking.ops->destroy(parking.queue);
}

static const struct check_test tests[] = {
    {"sizes_are_checked", sizes_are_checked},
    {"alone", alone},
    {"batches_of_every_size", batches_of_every_size},
    {"exactly_once", exactly_once},
    {"tiny_sizes", tiny_sizes},
    {"oversubscribed", oversubscribed},
    {"is_empty_never_too_early", is_empty_never_too_early},
};

static const struct check_suite suite = GQ_SUITE("suite_gq");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
