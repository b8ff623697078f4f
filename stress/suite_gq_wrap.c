/*
 * ctest-each: gq_list
 * ctest-label: queues
 * Counters of global queues that begin just below a power of two at which some width of theirs comes to its end, or its
 * sign or a tag bit changes.
 */
#define _GNU_SOURCE
#include "stress/gq_runs.h"

static const uint64_t edges[] = {
    0, /* 2^64 */
    UINT64_C(1) << 63,
    UINT64_C(1) << 62,
    UINT64_C(1) << 48,
    UINT64_C(1) << 32,
    UINT64_C(1) << 31,
    UINT64_C(1) << 16,
};
#define EDGES (sizeof edges / sizeof *edges)

static const struct gq_config shapes[] = {
    {.capacity = 2, .segment = 2, .workers = 2},
    {.capacity = 4, .segment = 8, .workers = 2},
    {.capacity = 64, .segment = 4, .workers = 2},
    {.capacity = 256, .segment = 0, .workers = 2},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct gq_config config_at(size_t shape, size_t edge, uint64_t before) {
    struct gq_config config = shapes[shape];
    config.first = edges[edge] - before;
    return config;
}

static void alone(size_t variant) {
    static const uint64_t before[] = {0, 1, 2, 3, 5, 64, 300};
    for (size_t i = 0; i < SHAPES * EDGES; i++) {
        for (size_t k = i % threads_stride(); k < sizeof before / sizeof *before; k += threads_stride()) {
            struct gq_config config = config_at(i % SHAPES, i / SHAPES, before[k]);
            run_solo(implementations[variant], &config, 1000);
        }
    }
}

/* A queue is empty, full and neither at the very border. */
static void full_at_the_border(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    for (size_t i = 0; i < SHAPES * EDGES; i++) {
        for (uint64_t before = i % threads_stride(); before <= 9; before += threads_stride()) {
            struct gq_config config = config_at(i % SHAPES, i / SHAPES, before);
            struct solo s = solo_begin(ops, &config, 1000);
            for (size_t n = 1; n <= 20; n++) {
                expect_empty(ops, s.queue);
                size_t done = solo_push(&s, n);
                CHECK(done == n || (ops->bounded && done >= config.capacity));
                solo_look(&s);
                solo_drain(&s);
            }
            solo_end(&s);
        }
    }
}

static void in_a_crowd(size_t variant) {
    for (size_t i = 0; i < 2 * SHAPES * EDGES; i++) {
        struct crowd crowd = {.ops = implementations[variant],
                              .producers = 2,
                              .consumers = 2,
                              .each = threads_scaled(1200),
                              .batches = i % 2};
        struct gq_config config = config_at(i / 2 % SHAPES, i / 2 / SHAPES, crowd.each); /* half of what is pushed */
        run_crowd(crowd, &config);
    }
}

static const struct check_test tests[] = {
    {"alone", alone},
    {"full_at_the_border", full_at_the_border},
    {"in_a_crowd", in_a_crowd},
};

static const struct check_suite suite = GQ_SUITE("suite_gq_wrap");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
