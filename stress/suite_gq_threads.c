/*
 * ctest-each: gq_list
 * ctest-label: queues
 * Threads that come and go: hundreds in the life of one queue, and many at once. Nothing that a thread put in may go
 * with it, and its place must be free for the next.
 */
#define _GNU_SOURCE
#include "stress/gq_runs.h"

#define CONSUMERS 2

/* `crowd` with threads that each do one member's work and end, `at_once` of them at a time. */
struct passage {
    struct crowd crowd;
    size_t at_once;
    struct au64 next; /* the next producer, or consumer */
};

static void brief_producer(size_t index, void *shared) {
    struct passage *p = shared;
    (void)index;
    attach(p->crowd.ops, p->crowd.queue);
    crowd_produce(&p->crowd, au64_fetch_add_relaxed(&p->next, 1));
    detach(p->crowd.ops, p->crowd.queue);
}

static void pushers_come_and_go_member(size_t index, void *shared) {
    struct passage *p = shared;
    for (size_t i = 0; index == 0 && i < p->crowd.producers; i += p->at_once) {
        threads_run(p->at_once, brief_producer, p);
    }
    if (index > 0) {
        attach(p->crowd.ops, p->crowd.queue);
        crowd_consume(&p->crowd, index, SIZE_MAX);
        detach(p->crowd.ops, p->crowd.queue);
    }
}

/* Each pushes a few items and ends, one after the other or eight at once, while others pop. */
static void pushers_come_and_go(size_t variant) {
    size_t pushers = 8 * threads_scaled(48);
    for (size_t i = 0; i < 4; i++) {
        struct passage p = {.at_once = i / 2 ? 8 : 1,
                            .crowd = {.ops = implementations[variant],
                                      .producers = pushers,
                                      .consumers = CONSUMERS,
                                      .each = 5,
                                      .batches = i % 2}};
        struct gq_config config = {.capacity = 16, .segment = i % 2 ? 4 : 0, .workers = CONSUMERS};
        crowd_begin(&p.crowd, &config);
        threads_run(1 + CONSUMERS, pushers_come_and_go_member, &p);
        crowd_end(&p.crowd);
    }
}

static void brief_consumer(size_t index, void *shared) {
    struct passage *p = shared;
    (void)index;
    attach(p->crowd.ops, p->crowd.queue);
    crowd_consume(&p->crowd, au64_fetch_add_relaxed(&p->next, 1), 20);
    detach(p->crowd.ops, p->crowd.queue);
}

static void poppers_come_and_go_member(size_t index, void *shared) {
    struct passage *p = shared;
    while (index == 0 && !au32_load_relaxed(&p->crowd.over)) {
        threads_run(p->at_once, brief_consumer, p);
    }
    if (index > 0) {
        attach(p->crowd.ops, p->crowd.queue);
        crowd_produce(&p->crowd, index - 1);
        detach(p->crowd.ops, p->crowd.queue);
    }
}

/* Each pops a few times and ends. */
static void poppers_come_and_go(size_t variant) {
    for (size_t i = 0; i < 4; i++) {
        struct passage p = {.at_once = i / 2 ? 4 : 1,
                            .crowd = {.ops = implementations[variant],
                                      .producers = 2,
                                      .consumers = CONSUMERS,
                                      .each = threads_scaled(2000),
                                      .batches = i % 2}};
        struct gq_config config = {.capacity = 64, .segment = i % 2 ? 4 : 0, .workers = CONSUMERS};
        crowd_begin(&p.crowd, &config);
        threads_run(3, poppers_come_and_go_member, &p);
        crowd_end(&p.crowd);
    }
}

static void attached_at_once(size_t variant) {
    struct crowd crowd = {.ops = implementations[variant],
                          .producers = THREADS_MAX / 2,
                          .consumers = THREADS_MAX / 2,
                          .each = threads_scaled(2000)};
    struct gq_config config = {.capacity = 64, .workers = THREADS_MAX / 2};
    run_crowd(crowd, &config);
}

/* One thread in two queues of a kind: what it keeps of the one must not serve for the other. */
static void two_queues_at_once(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    struct gq_config config = {.capacity = 64, .segment = 4, .workers = 1};
    for (size_t round = 0; round < 20; round++) { /* the later ones may stand where freed ones stood */
        struct solo a = solo_begin(ops, &config, 100), b = solo_begin(ops, &config, 100);
        while (a.out < a.count || b.out < b.count) {
            rest(ops);
            solo_push(&a, 3);
            solo_push(&b, 5);
            solo_look(&a);
            solo_look(&b);
            solo_pop(&a, 2);
            solo_pop(&b, 4);
        }
        solo_end(round % 2 ? &a : &b);
        solo_end(round % 2 ? &b : &a);
    }
}

static const struct check_test tests[] = {
    {"pushers_come_and_go", pushers_come_and_go},
    {"poppers_come_and_go", poppers_come_and_go},
    {"attached_at_once", attached_at_once},
    {"two_queues_at_once", two_queues_at_once},
};

static const struct check_suite suite = GQ_SUITE("suite_gq_threads");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
