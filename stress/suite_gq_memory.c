/*
 * ctest-each: gq_list
 * ctest-label: queues
 * The memory of global queues: what is left when one goes, what it is like without any, how much it takes.
 */
#define _GNU_SOURCE
#include "stress/gq_runs.h"
#include "stress/support_alloc.h"

#define WAIT_NS INT64_C(5000000000)

/* `count` is support_alloc_live or support_alloc_bytes. Frees may come later, on another thread. */
static void expect_at_most(const struct gq_ops *ops, int64_t (*count)(void), int64_t most) {
    int64_t deadline_ns = check_now_ns() + WAIT_NS;
    while (count() > most && check_now_ns() < deadline_ns) {
        rest(ops);
        sched_yield();
    }
    if (count() > most) {
        check_fail(__FILE__, __LINE__, "%" PRId64 " are live, %" PRId64 " would be right", count(), most);
    }
}

/* Pushes `fill` items, pops all but `left` and gives the queue up. */
static void abandon(const struct gq_ops *ops, const struct gq_config *config, size_t fill, size_t left) {
    struct solo s = solo_begin(ops, config, fill);
    while (s.in < fill) {
        CHECK_EQ(solo_push(&s, 1), 1);
    }
    while (s.out < fill - left) {
        solo_pop(&s, 1);
    }
    solo_look(&s);
    solo_end(&s);
}

/* At every fill around the ends of segments. The leak check of AddressSanitizer looks too. */
static void destroyed_with_items_left(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    static const size_t segments[] = {2, 8, 0};
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        struct gq_config config = {.capacity = 32, .segment = segments[i], .workers = 1};
        abandon(ops, &config, 20, 10); /* what the first queue of a process makes for all of them */
        int64_t live = support_alloc_live();
        for (size_t fill = 0; fill <= 26; fill++) {
            for (size_t left = fill % threads_stride(); left <= fill; left += threads_stride()) {
                abandon(ops, &config, fill, left);
            }
        }
        expect_at_most(ops, support_alloc_live, live + 8); /* no more than threads of the process's own may hold */
    }
}

static void brief_member(size_t index, void *shared) {
    struct solo *s = shared;
    (void)index;
    attach(s->ops, s->queue);
    solo_push(s, 3);
    detach(s->ops, s->queue);
}

/* Once as deep as no later run: what a queue keeps for the next time it has by then. */
static void deepen(struct solo *s, size_t depth) {
    while (s->in < depth && solo_push(s, PUSH_MAX) == PUSH_MAX) {
        rest(s->ops);
    }
    solo_drain(s);
}

/* A queue that keeps something of every thread that it ever saw grows for ever. */
static void threads_leave_nothing(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    struct gq_config config = {.capacity = 16, .segment = 4, .workers = 1};
    const size_t threads = 800, depth = 30000;
    int64_t live = 0;
    struct solo s = solo_begin(ops, &config, depth + PUSH_MAX + 3 * threads);
    deepen(&s, depth);
    for (size_t i = 0; i < threads; i++) {
        threads_run(1, brief_member, &s);
        rest(ops);
        while (s.in > s.out) {
            solo_pop(&s, 1);
        }
        live = i == threads / 4 ? support_alloc_live() : live;
    }
    expect_at_most(ops, support_alloc_live, live + (int64_t)threads / 4);
    solo_end(&s);
}

static void created_without_memory(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    struct gq_config config = {.capacity = 16, .segment = 4, .workers = 2};
    int status = -ENOMEM;
    if (ops->aborts) {
        check_skip("%s ends the process without memory", ops->name);
        return;
    }
    if (!support_alloc_can_fail()) {
        check_skip("under this sanitizer no allocation can be made to fail");
        return;
    }
    for (uint64_t allowed = 0; status == -ENOMEM; allowed++) {
        struct gq *queue = NULL;
        int64_t live = support_alloc_live();
        CHECK(allowed < 100);
        support_alloc_fail_after(allowed);
        status = ops->create(&queue, &config);
        support_alloc_fail_after(UINT64_MAX);
        CHECK_EQ(status, queue ? 0 : -ENOMEM);
        CHECK(allowed > 0 || status == -ENOMEM); /* a queue is an allocation */
        if (queue) {
            ops->destroy(queue);
        }
        expect_at_most(ops, support_alloc_live, live);
    }
}

/* Pushes until the queue has no room or `most` are inside. */
static void fill_up(struct solo *s, size_t most, size_t batch) {
    while (s->in - s->out < most && solo_push(s, batch) == batch) {
        rest(s->ops);
    }
}

/* Memory ends after `allowed` more allocations: what went in comes out, and all is well when there is some again. */
static void run_starved(const struct gq_ops *ops, const struct gq_config *config, uint64_t allowed, size_t batch) {
    const size_t most = 3000;
    struct solo s = solo_begin(ops, config, 4 * most);
    support_alloc_fail_after(allowed);
    fill_up(&s, most, batch);
    size_t full = s.in;
    CHECK(full >= most || ops->bounded || ops->allocates);
    for (size_t i = 0; i < 5; i++) {
        solo_push(&s, batch);
        solo_look(&s);
    }
    support_alloc_fail_after(ops->aborts ? UINT64_MAX : 0);
    for (size_t i = 0; s.in - s.out > full / 2; i++) {
        rest(ops);
        solo_pop(&s, 1 + i % 8);
    }
    support_alloc_fail_after(UINT64_MAX);
    CHECK(solo_push(&s, 1) == 1 || (ops->bounded && s.in - s.out >= config->capacity));
    fill_up(&s, most, batch);
    CHECK(s.in - s.out >= most || (ops->bounded && s.in - s.out >= config->capacity));
    solo_drain(&s);
    support_alloc_fail_after(0);
    solo_push(&s, 7);
    support_alloc_fail_after(ops->aborts ? UINT64_MAX : 0);
    solo_drain(&s);
    support_alloc_fail_after(UINT64_MAX);
    solo_end(&s);
}

static void pushed_without_memory(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    static const size_t batches[] = {1, 2, 7, 31, 300};
    if (!support_alloc_can_fail()) {
        check_skip("under this sanitizer no allocation can be made to fail");
        return;
    }
    for (uint64_t allowed = 0; allowed < 12; allowed++) {
        for (size_t i = 0; i < 2 * sizeof batches / sizeof *batches; i++) {
            struct gq_config config = {.capacity = 64, .segment = i % 2 ? 4 : 0, .workers = 2};
            check_note("%" PRIu64 " allocations, batches of %zu", allowed, batches[i / 2]);
            run_starved(ops, &config, allowed, batches[i / 2]);
        }
    }
}

static void starve(uint64_t *random) {
    support_alloc_fail_after(check_random(random) % 2 ? UINT64_MAX : check_random(random) % 3);
}

/* For a queue that says that it never allocates, starving is nothing at all. */
static void starve_for_good(uint64_t *random) {
    (void)random;
    support_alloc_fail_after(0);
}

static void starved_crowd(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    if (!support_alloc_can_fail()) {
        check_skip("under this sanitizer no allocation can be made to fail");
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        struct crowd crowd = {.ops = ops,
                              .producers = 2,
                              .consumers = 2,
                              .each = threads_scaled(50000),
                              .batches = i % 2,
                              .before_push = ops->allocates ? starve : starve_for_good};
        struct gq_config config = {.capacity = 64, .segment = i / 2 ? 4 : 0, .workers = 2};
        run_crowd(crowd, &config);
    }
}

/* `rounds` times: `depth` items in, and all of them out. Returns how many the pops brought. */
static size_t deep_then_empty(const struct gq_ops *ops, struct gq *queue, struct item *items, size_t depth,
                              size_t rounds) {
    size_t popped = 0;
    for (size_t round = 0; round < rounds; round++) {
        struct sy_node *batch[BATCH_MAX];
        size_t in = 0, got = 1;
        rest(ops);
        while (in < depth && ops->push(queue, dirty(&items[in])) == GQ_OK) {
            in++;
        }
        while (got > 0) {
            ops->pop_batch(queue, batch, BATCH_MAX, &got);
            popped += got;
        }
        CHECK(in == depth || ops->bounded);
    }
    return popped;
}

/* What a queue allocates when it has found its size: nothing, where it says so. */
static void steady_state(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    static const size_t depths[] = {1, 100};
    struct item *items = create_items(100);
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        struct gq *queue = create(ops, 128, 0);
        attach(ops, queue);
        deep_then_empty(ops, queue, items, depths[i], 100000 / depths[i]);
        uint64_t before = support_alloc_count();
        size_t popped = deep_then_empty(ops, queue, items, depths[i], threads_scaled(1000000) / depths[i]);
        uint64_t made = support_alloc_count() - before;
        printf("     %s, %zu deep: %.0f allocations in a million items\n", ops->name, depths[i],
               1e6 * (double)made / (double)popped);
        CHECK(made <= (ops->allocates ? 3 * popped : 0));
        detach(ops, queue);
        ops->destroy(queue);
    }
    free(items);
}

/* A little traffic, until no more than `most` bytes are live: what is popped may wait for later pops to be given up. */
static void calm_down(const struct gq_ops *ops, struct gq *queue, struct item *items, int64_t most) {
    int64_t deadline_ns = check_now_ns() + WAIT_NS;
    while (support_alloc_bytes() > most && check_now_ns() < deadline_ns) {
        deep_then_empty(ops, queue, items, 1, 8);
        rest(ops);
        sched_yield();
    }
    expect_at_most(ops, support_alloc_bytes, most);
}

/* Live bytes after many items one by one and many fills: what `depth` items may take, and a constant. */
static void bounded_by_what_is_inside(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    const size_t depth = 100, segments[] = {4, 0};
    const int64_t constant = 1 << 20, each = 256;
    if (!support_alloc_knows_bytes()) {
        check_skip("under this sanitizer bytes are not counted");
        return;
    }
    struct item *items = create_items(depth);
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        struct gq *queue = create(ops, 128, segments[i]);
        int64_t before = support_alloc_bytes(), high = before;
        attach(ops, queue);
        for (size_t k = 0; k < 20; k++) {
            deep_then_empty(ops, queue, items, 1, threads_scaled(50000));
            deep_then_empty(ops, queue, items, depth, threads_scaled(1000));
            high = support_alloc_bytes() > high ? support_alloc_bytes() : high;
        }
        printf("     %s, segment %zu: %" PRId64 " bytes more while at it, %" PRId64 " after\n", ops->name, segments[i],
               high - before, support_alloc_bytes() - before);
        calm_down(ops, queue, items, before + constant + each * (int64_t)depth);
        detach(ops, queue);
        ops->destroy(queue);
    }
    free(items);
}

static const struct check_test tests[] = {
    {"destroyed_with_items_left", destroyed_with_items_left},
    {"threads_leave_nothing", threads_leave_nothing},
    {"created_without_memory", created_without_memory},
    {"pushed_without_memory", pushed_without_memory},
    {"starved_crowd", starved_crowd},
    {"steady_state", steady_state},
    {"bounded_by_what_is_inside", bounded_by_what_is_inside},
};

static const struct check_suite suite = GQ_SUITE("suite_gq_memory");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
