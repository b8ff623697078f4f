/*
 * ctest-each: dq_list
 * ctest-label: queues
 * Counters of deques that begin just below a power of two at which some width of theirs comes to its end, or its sign
 * or a tag bit changes.
 */
#define _GNU_SOURCE
#include "stress/dq_runs.h"

static const uint64_t edges[] = {
    0, /* 2^64 */
    UINT64_C(1) << 63,
    UINT64_C(1) << 62,
    UINT64_C(1) << 53,
    UINT64_C(1) << 48,
    UINT64_C(1) << 32,
    UINT64_C(1) << 31,
    UINT64_C(1) << 16,
    UINT64_C(1) << 15,
    UINT64_C(1) << 8,
};
#define EDGES (sizeof edges / sizeof *edges)

static const struct dq_config shapes[] = {
    {.capacity = 2, .block = 2},
    {.capacity = 8, .block = 4},
    {.capacity = 64, .block = 2},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct dq_config config_at(size_t shape, size_t edge, uint64_t before, struct reclaim *reclaim) {
    struct dq_config config = shapes[shape];
    config.first = edges[edge] - before;
    config.reclaim = reclaim;
    return config;
}

static void alone(size_t variant) {
    static const uint64_t before[] = {0, 1, 2, 3, 5, 64, 300};
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < SHAPES * EDGES; i++) {
        for (size_t k = i % threads_stride(); k < sizeof before / sizeof *before; k += threads_stride()) {
            struct dq_config config = config_at(i % SHAPES, i / SHAPES, before[k], reclaim);
            run_solo(implementations[variant], &config, 1000, NULL);
        }
    }
    reclaim_destroy(reclaim);
}

/* Full, empty and between, at every distance from the very border. */
static void full_at_the_border(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    reclaim_register_thread();
    for (size_t i = 0; i < SHAPES * EDGES; i++) {
        for (uint64_t before = i % threads_stride(); before <= 12; before += threads_stride()) {
            struct dq_config config = config_at(i % SHAPES, i / SHAPES, before, reclaim);
            struct item *items = create_items(300);
            struct solo s = solo_begin(ops, &config, items, 300);
            for (size_t n = 1, next = 0; n <= 20; n++) {
                for (size_t k = 0; k < n && solo_push(&s, next); k++) {
                    next++;
                }
                solo_look(&s);
                solo_rob(&s, NULL, 1);
                solo_take_oldest(&s, n);
                solo_look(&s);
                solo_drain(&s);
            }
            solo_end(&s);
            free(items);
        }
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static void robbed(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < SHAPES * EDGES; i++) {
        struct robbery r = {.ops = implementations[variant],
                            .thieves = 2,
                            .count = threads_scaled(20000),
                            .burst = 3 * shapes[i % SHAPES].capacity,
                            .overflows = implementations[variant]->bounded};
        struct dq_config config = config_at(i % SHAPES, i / SHAPES, r.count / 20, reclaim); /* soon */
        run_robbery(r, &config);
    }
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"alone", alone},
    {"full_at_the_border", full_at_the_border},
    {"robbed", robbed},
};

static const struct check_suite suite = DQ_SUITE("suite_dq_wrap");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
