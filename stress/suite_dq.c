/*
 * ctest-each: dq_list
 * ctest-label: queues
 * What dq.h promises when owner and thieves meet, over every deque of dq_list.h.
 */
#define _GNU_SOURCE
#include "stress/dq_runs.h"

/* As small as they get, and as they are used. */
static const struct dq_config shapes[] = {
    {.capacity = 2, .block = 2},
    {.capacity = 16, .block = 4},
    {.capacity = DQ_CAPACITY_DEFAULT, .block = 0},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct dq_config shape(size_t i, struct reclaim *reclaim) {
    struct dq_config config = shapes[i];
    config.reclaim = reclaim;
    return config;
}

#define ROBBERIES 36 /* four times by each number of thieves */

static void exactly_once(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 64, .block = 8, .reclaim = reclaim};
    struct robbery r = {.ops = implementations[variant], .count = threads_scaled(250000), .burst = 30};
    size_t stolen = 0;
    for (size_t i = 0; i < ROBBERIES; i++) {
        r.thieves = i % 9 < 8 ? i % 9 + 1 : threads_oversubscribed() - 1;
        stolen += run_robbery(r, &config);
    }
    reclaim_destroy(reclaim);
    printf("     %s: %zu of %zu items were stolen\n", r.ops->name, stolen, ROBBERIES * r.count);
    if (stolen == 0) {
        check_skip("no thief ever got an item, so nothing was handed over");
    }
}

/* What is too much goes to the global queue, and is taken from there; a deque that grows never sends anything. */
static void overflow(size_t variant) {
    struct robbery r = {.ops = implementations[variant], .count = threads_scaled(200000), .overflows = true};
    struct reclaim *reclaim = create_reclaim();
    if (!r.ops->bounded) {
        check_skip("%s is not bounded", r.ops->name);
    }
    for (size_t i = 0; r.ops->bounded && i < SHAPES * 3; i++) {
        struct dq_config config = shape(i / 3, reclaim);
        r.thieves = i % 3 + 1;
        r.burst = 4 * config.capacity;
        run_robbery(r, &config);
    }
    reclaim_destroy(reclaim);
}

/* Bursts of a few items: pops and thefts race for the last one. */
static void last_item(size_t variant) {
    struct robbery r = {.ops = implementations[variant], .thieves = 2, .count = threads_scaled(1000000)};
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 4, .block = 2, .reclaim = reclaim};
    size_t stolen = 0;
    for (size_t i = 0; i < 10 && (stolen == 0 || stolen == i * r.count); i++) {
        r.burst = r.ops->withholds ? 6 : 1 + i % 2;
        stolen += run_robbery(r, &config);
    }
    reclaim_destroy(reclaim);
    if (stolen == 0) {
        check_skip("no thief ever won a race, so there was none");
    }
}

/* From capacity 2 again and again, so that thieves read arrays that are being replaced. */
static void growth_under_theft(size_t variant) {
    struct robbery r = {.ops = implementations[variant], .thieves = 3, .count = 600, .burst = 500};
    struct reclaim *reclaim = create_reclaim();
    struct dq_config config = {.capacity = 2, .block = 2, .reclaim = reclaim};
    if (r.ops->bounded) {
        check_skip("%s is bounded", r.ops->name);
    }
    for (size_t i = 0; !r.ops->bounded && i < threads_scaled(1000); i++) {
        run_robbery(r, &config);
    }
    reclaim_destroy(reclaim);
}

/* Workers, each with a deque of its own, that steal into deques which are being stolen from. */
struct workers {
    const struct dq_ops *ops;
    struct dq *deques[THREADS_MAX];
    struct item *items;
    size_t workers, each;
    struct au64 taken, moved;
};

#define MISSING_NS INT64_C(20000000000) /* nothing has been taken for so long: what is missing is lost */

static void worker_take(struct workers *w, struct sy_node *node) {
    take_item(w->items, node);
    au64_fetch_add_relaxed(&w->taken, 1);
}

static void worker_steal(struct workers *w, size_t self, uint64_t *random) {
    size_t victim = check_random(random) % w->workers, max = 1 + check_random(random) % 40, moved = 0;
    struct sy_node *node;
    if (victim == self) {
        return;
    }
    enum dq_status status = w->ops->steal(w->deques[victim], w->deques[self], max, &node, &moved);
    CHECK_EQ(status == DQ_OK, moved > 0);
    CHECK(moved <= max);
    CHECK(status != DQ_FULL);
    if (status == DQ_OK) {
        worker_take(w, node);
        au64_fetch_add_relaxed(&w->moved, moved);
    }
}

/* Its own items in bursts; what is left after each burst, others may have. */
static void worker_member(size_t self, void *shared) {
    struct workers *w = shared;
    uint64_t random = check_seed() + self;
    size_t next = self * w->each, end = next + w->each;
    uint64_t taken = 0, seen;
    int64_t since_ns = check_now_ns();
    struct sy_node *node;
    reclaim_register_thread();
    while ((seen = au64_load_relaxed(&w->taken)) < w->workers * w->each) {
        since_ns = seen > taken ? check_now_ns() : since_ns;
        taken = seen;
        CHECK(check_now_ns() - since_ns < MISSING_NS);
        for (size_t i = check_random(&random) % 50; i > 0 && next < end; i--) {
            if (push_item(w->ops, w->deques[self], w->items, next)) {
                next++;
            }
        }
        bool found = false;
        for (size_t i = check_random(&random) % 40; i > 0 && w->ops->pop(w->deques[self], &node) == DQ_OK; i--) {
            worker_take(w, node);
            found = true;
        }
        worker_steal(w, self, &random);
        reclaim_quiescent();
        if (!found) {
            sched_yield();
        }
    }
    reclaim_unregister_thread();
}

static void run_workers(const struct dq_ops *ops, size_t workers, size_t each, const struct dq_config *config) {
    struct workers w = {.ops = ops, .workers = workers, .each = each};
    w.items = create_items(workers * each);
    for (size_t i = 0; i < workers; i++) {
        w.deques[i] = create_as(ops, config);
    }
    threads_run(workers, worker_member, &w);
    check_all_taken(w.items, workers * each);
    reclaim_register_thread();
    for (size_t i = 0; i < workers; i++) {
        expect_empty(ops, w.deques[i]);
        ops->destroy(w.deques[i]);
    }
    reclaim_unregister_thread();
    CHECK(au64_load_relaxed(&w.moved) > 0 || workers * each < 10000);
    free(w.items);
}

static void steal_into_the_robbed(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < SHAPES; i++) {
        struct dq_config config = shape(i, reclaim);
        run_workers(ops, 2, threads_scaled(300000), &config);
        run_workers(ops, 3, threads_scaled(200000), &config);
        run_workers(ops, threads_oversubscribed(), threads_scaled(50000), &config);
    }
    reclaim_destroy(reclaim);
}

/*
 * A pusher that looks for sleepers and a would-be sleeper that looks for items, full barriers on both sides; and one
 * who was told of the push before it looks.
 */
struct parking {
    const struct dq_ops *ops;
    struct dq *deque;
    struct item item;
    struct threads_rounds rounds;
    struct au32 announced, told;
    bool seen_sleeper; /* by the pusher, in this round */
};

static void park_push(struct parking *p) {
    CHECK_EQ(p->ops->push(p->deque, dirty(&p->item)), DQ_OK);
    fence_seq_cst();
    p->seen_sleeper = au32_load_relaxed(&p->announced) != 0;
    au32_store_release(&p->told, 1);
}

/* Returns whether it would have slept. */
static bool park_sleep(struct parking *p) {
    au32_store_relaxed(&p->announced, 1);
    fence_seq_cst();
    bool empty = p->ops->is_empty(p->deque);
    for (int i = 0; i < 20; i++) {
        bool told = au32_load_acquire(&p->told) != 0;
        fence_seq_cst();
        CHECK(!(told && p->ops->is_empty(p->deque)));
    }
    return empty;
}

static void park_take(struct parking *p) {
    struct sy_node *node;
    CHECK_EQ(p->ops->pop(p->deque, &node), DQ_OK);
    CHECK_EQ(p->ops->pop(p->deque, &node), DQ_EMPTY);
    CHECK(p->ops->is_empty(p->deque));
    au32_store_relaxed(&p->announced, 0);
    au32_store_relaxed(&p->told, 0);
}

static void parking_member(size_t index, void *shared) {
    struct parking *p = shared;
    uint64_t round = 0;
    for (size_t i = 0; threads_round(&p->rounds, &round, index, i); i++) {
        bool would_sleep = false;
        if (index == 0) {
            park_push(p);
        } else {
            would_sleep = park_sleep(p);
        }
        threads_meet(&p->rounds, &round);
        CHECK(!(would_sleep && !p->seen_sleeper));
        CHECK(!p->ops->is_empty(p->deque));
        threads_meet(&p->rounds, &round);
        if (index == 0) {
            park_take(p);
        }
    }
}

static void is_empty_never_too_early(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    struct parking parking = {.ops = implementations[variant], .rounds = threads_rounds_of(2, threads_scaled(400000))};
    parking.deque = create(parking.ops, 4, 2, reclaim);
    threads_run(2, parking_member, &parking);
    parking.ops->destroy(parking.deque);
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"exactly_once", exactly_once},
    {"overflow", overflow},
    {"last_item", last_item},
    {"growth_under_theft", growth_under_theft},
    {"steal_into_the_robbed", steal_into_the_robbed},
    {"is_empty_never_too_early", is_empty_never_too_early},
};

static const struct check_suite suite = DQ_SUITE("suite_dq");

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
