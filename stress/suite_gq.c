/*
 * ctest-timeout: 300
 * What gq.h promises, over every global queue of gq_list.h.
 */
#define _GNU_SOURCE
#include "stress/gq_items.h"
#include "stress/threads.h"

#define BATCH_MAX 32

static void capacity_is_checked(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    static const size_t bad[] = {0, 1, 3, 6, 8191, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gq_config config = {.capacity = bad[i], .workers = 1};
        struct gq *queue = NULL;
        CHECK_EQ(ops->create(&queue, &config), -EINVAL);
    }
    ops->destroy(create(ops, 2, 1));
    ops->destroy(create(ops, GQ_CAPACITY_DEFAULT, 8));
}

/* One thread, random operations, against the obvious model: the numbers between `out` and `in` are inside. */
static void alone(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    const size_t count = threads_scaled(1000000), capacity = 64;
    struct item *items = calloc(count, sizeof *items);
    struct gq *queue = create(ops, capacity, 1);
    uint64_t random = check_seed();
    size_t in = 0, out = 0;
    bool settled = false; /* the last operation was a pop that found nothing */
    attach(ops, queue);
    while (out < count) {
        struct sy_node *batch[BATCH_MAX];
        size_t n = check_random(&random) % BATCH_MAX, done = 0;
        rest(ops);
        CHECK(in == out || !ops->is_empty(queue));
        CHECK(in == out || ops->length(queue) > 0);
        CHECK(!settled || (ops->is_empty(queue) && ops->length(queue) == 0));
        if (check_random(&random) % 2) {
            n = n < count - in ? n : count - in;
            for (size_t i = 0; i < n; i++) {
                batch[i] = dirty(&items[in + i]);
            }
            enum gq_status status = n == 1 ? ops->push(queue, batch[0]) : ops->push_batch(queue, batch, n, &done);
            done = n == 1 ? status == GQ_OK : done;
            CHECK(status == (done == n ? GQ_OK : GQ_FULL));
            CHECK(done == n || (ops->bounded && in + done - out >= capacity));
            in += done;
            settled = settled && done == 0;
            continue;
        }
        enum gq_status status = ops->pop_batch(queue, batch, n + 1, &done);
        CHECK(status == (in > out ? GQ_OK : GQ_EMPTY));
        CHECK(done <= n + 1 && (done > 0) == (in > out));
        settled = status == GQ_EMPTY;
        for (size_t i = 0; i < done; i++, out++) {
            CHECK(!starts_with(ops->order, "FIFO") || batch[i] == &items[out].node);
        }
    }
    detach(ops, queue);
    ops->destroy(queue);
    free(items);
}

struct crowd {
    const struct gq_ops *ops;
    struct gq *queue;
    struct item *items;
    size_t producers, consumers, each; /* items of each producer */
    bool batches;
    struct au64 taken;
};

static void push_some(struct crowd *crowd, struct item *from, size_t n) {
    struct sy_node *batch[BATCH_MAX];
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        batch[i] = dirty(&from[i]);
    }
    while (done < n) {
        size_t now = 0;
        rest(crowd->ops);
        if (n == 1) {
            now = crowd->ops->push(crowd->queue, batch[0]) == GQ_OK;
        } else {
            enum gq_status status = crowd->ops->push_batch(crowd->queue, batch + done, n - done, &now);
            CHECK_EQ(status == GQ_OK, now == n - done);
        }
        done += now;
        if (done < n) {
            CHECK(crowd->ops->bounded);
            sched_yield();
        }
    }
}

static void produce(struct crowd *crowd, size_t producer) {
    uint64_t random = check_seed() + producer;
    struct item *mine = crowd->items + producer * crowd->each;
    for (size_t i = 0; i < crowd->each;) {
        size_t n = crowd->batches ? 1 + check_random(&random) % BATCH_MAX : 1;
        n = n < crowd->each - i ? n : crowd->each - i;
        for (size_t k = i; k < i + n; k++) {
            mine[k].producer = producer;
            mine[k].sequence = k + 1;
            mine[k].payload = ~(uint64_t)(producer * crowd->each + k);
        }
        push_some(crowd, mine + i, n);
        i += n;
    }
}

static void consume(struct crowd *crowd, size_t consumer) {
    uint64_t random = check_seed() + 1000 + consumer, all = crowd->producers * crowd->each;
    size_t last[THREADS_MAX] = {0};
    while (au64_load_relaxed(&crowd->taken) < all) {
        rest(crowd->ops);
        struct sy_node *batch[BATCH_MAX];
        size_t max = crowd->batches ? 1 + check_random(&random) % BATCH_MAX : 1, got = 0;
        enum gq_status status = crowd->ops->pop_batch(crowd->queue, batch, max, &got);
        CHECK_EQ(status == GQ_OK, got > 0);
        CHECK(got <= max);
        for (size_t i = 0; i < got; i++) {
            struct item *item = (struct item *)(void *)batch[i];
            CHECK_EQ(item->payload, ~(uint64_t)(size_t)(item - crowd->items));
            CHECK_EQ(++item->taken, 1);
            CHECK(!starts_with(crowd->ops->order, "FIFO") || item->sequence > last[item->producer]);
            last[item->producer] = item->sequence;
        }
        au64_fetch_add_relaxed(&crowd->taken, got);
        if (got == 0) {
            sched_yield();
        }
    }
}

static void crowd_member(size_t index, void *shared) {
    struct crowd *crowd = shared;
    attach(crowd->ops, crowd->queue);
    if (index < crowd->producers) {
        produce(crowd, index);
    } else {
        consume(crowd, index - crowd->producers);
    }
    detach(crowd->ops, crowd->queue);
}

/* With nobody else at work. */
static void expect_empty(const struct gq_ops *ops, struct gq *queue) {
    struct sy_node *node;
    size_t got;
    attach(ops, queue);
    CHECK_EQ(ops->pop_batch(queue, &node, 1, &got), GQ_EMPTY);
    CHECK(ops->is_empty(queue));
    CHECK_EQ(ops->length(queue), 0);
    detach(ops, queue);
}

/* Every item comes out exactly once, with its contents, in its producer's order. */
static void run_crowd(const struct gq_ops *ops, size_t capacity, size_t producers, size_t consumers, size_t each,
                      bool batches) {
    struct crowd crowd = {.ops = ops, .producers = producers, .consumers = consumers, .each = each, .batches = batches};
    crowd.items = calloc(producers * each, sizeof *crowd.items);
    crowd.queue = create(ops, capacity, (unsigned)consumers);
    threads_run(producers + consumers, crowd_member, &crowd);
    for (size_t i = 0; i < producers * each; i++) {
        CHECK_EQ(crowd.items[i].taken, 1);
    }
    expect_empty(ops, crowd.queue);
    ops->destroy(crowd.queue);
    free(crowd.items);
}

static void exactly_once(size_t variant) {
    static const size_t shapes[][2] = {{1, 1}, {1, 3}, {3, 1}, {2, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t each = threads_scaled(1000000) / shapes[i][0];
        run_crowd(implementations[variant], GQ_CAPACITY_DEFAULT, shapes[i][0], shapes[i][1], each, false);
        run_crowd(implementations[variant], GQ_CAPACITY_DEFAULT, shapes[i][0], shapes[i][1], each, true);
    }
}

static void tiny_capacity(size_t variant) {
    run_crowd(implementations[variant], 2, 2, 2, threads_scaled(200000), false);
    run_crowd(implementations[variant], 2, 2, 2, threads_scaled(200000), true);
}

static void oversubscribed(size_t variant) {
    size_t half = threads_oversubscribed() / 2;
    run_crowd(implementations[variant], 256, half, half, threads_scaled(1000000) / half, true);
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
    parking.queue = create(parking.ops, 16, 2);
    threads_run(2, parking_member, &parking);
    parking.ops->destroy(parking.queue);
}

/* The leak check of AddressSanitizer sees what destroy forgets. */
static void destroyed_with_items_left(size_t variant) {
    const struct gq_ops *ops = implementations[variant];
    for (size_t left = 0; left < 100; left += 7) {
        struct gq *queue = create(ops, 128, 1);
        struct item *items = calloc(100, sizeof *items);
        struct sy_node *node;
        size_t got;
        attach(ops, queue);
        for (size_t i = 0; i < 100; i++) {
            CHECK_EQ(ops->push(queue, &items[i].node), GQ_OK);
        }
        for (size_t i = left; i < 100; i++) {
            CHECK_EQ(ops->pop_batch(queue, &node, 1, &got), GQ_OK);
        }
        CHECK(left == 0 || ops->length(queue) > 0);
        detach(ops, queue);
        ops->destroy(queue);
        free(items);
    }
}

static const struct check_test tests[] = {
    {"capacity_is_checked", capacity_is_checked},
    {"alone", alone},
    {"exactly_once", exactly_once},
    {"tiny_capacity", tiny_capacity},
    {"oversubscribed", oversubscribed},
    {"is_empty_never_too_early", is_empty_never_too_early},
    {"destroyed_with_items_left", destroyed_with_items_left},
};

static const struct check_suite suite = {
    .title = "suite_gq",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
    .variant_count = IMPLEMENTATIONS,
    .variant_name = variant_name,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
