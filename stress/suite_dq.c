/*
 * ctest-label: queues
 * ctest-timeout: 300
 * What dq.h promises when owner and thieves meet, over every deque of dq_list.h.
 */
#define _GNU_SOURCE
#include "stress/dq_items.h"
#include "stress/threads.h"

/* One owner (member 0) who pushes and pops in bursts; the others steal one at a time. */
struct robbery {
    const struct dq_ops *ops;
    struct dq *deque;
    struct item *items;
    size_t count, burst; /* items in all, and at most at once */
    struct au64 taken;
    struct au64 stolen;
};

static void rob_as_owner(struct robbery *r) {
    uint64_t random = check_seed();
    struct sy_node *node;
    size_t next = 0;
    while (next < r->count) {
        size_t pushes = 1 + check_random(&random) % r->burst, pops = check_random(&random) % (r->burst + 1);
        for (size_t i = 0; i < pushes && next < r->count; i++) {
            if (!push_item(r->ops, r->deque, r->items, next)) {
                CHECK(r->ops->bounded);
                break;
            }
            next++;
        }
        for (size_t i = 0; i < pops && r->ops->pop(r->deque, &node) == DQ_OK; i++) {
            take_item(r->items, node);
            au64_fetch_add_relaxed(&r->taken, 1);
        }
        reclaim_quiescent();
    }
    while (r->ops->pop(r->deque, &node) == DQ_OK) {
        take_item(r->items, node);
        au64_fetch_add_relaxed(&r->taken, 1);
    }
    CHECK(r->ops->is_empty(r->deque)); /* only the owner pushes: once empty, it stays so */
}

static void rob_as_thief(struct robbery *r) {
    uint64_t last = 0;
    while (au64_load_relaxed(&r->taken) < r->count) {
        struct sy_node *node;
        size_t moved;
        enum dq_status status = r->ops->steal(r->deque, NULL, 1, &node, &moved);
        if (status == DQ_OK) {
            CHECK_EQ(moved, 1);
            size_t index = take_item(r->items, node);
            CHECK(index + 1 > last); /* the oldest first: what one thief gets was pushed in this order */
            last = index + 1;
            au64_fetch_add_relaxed(&r->taken, 1);
            au64_fetch_add_relaxed(&r->stolen, 1);
        } else if (status == DQ_EMPTY) {
            reclaim_quiescent();
            sched_yield();
        }
    }
}

static void robbery_member(size_t index, void *shared) {
    reclaim_register_thread();
    index == 0 ? rob_as_owner(shared) : rob_as_thief(shared);
    reclaim_unregister_thread();
}

static size_t run_robbery(const struct dq_ops *ops, struct dq *deque, size_t thieves, size_t count, size_t burst) {
    struct robbery r = {.ops = ops, .deque = deque, .count = count, .burst = burst};
    r.items = create_items(count);
    threads_run(1 + thieves, robbery_member, &r);
    check_all_taken(r.items, count);
    ops->destroy(deque);
    free(r.items);
    return (size_t)au64_load_relaxed(&r.stolen);
}

static void exactly_once(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    for (size_t thieves = 1; thieves <= 8; thieves++) {
        run_robbery(ops, create(ops, 64, reclaim), thieves, threads_scaled(500000), 30);
    }
    run_robbery(ops, create(ops, 64, reclaim), threads_oversubscribed() - 1, threads_scaled(500000), 30);
    reclaim_destroy(reclaim);
}

/* Bursts of one: every pop is a race for the last item. */
static void last_item(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    size_t count = threads_scaled(2000000), stolen = 0;
    for (size_t i = 0; i < 10 && (stolen == 0 || stolen == (i + 1) * count); i++) {
        stolen += run_robbery(ops, create(ops, 2, reclaim), 2, count, 1);
    }
    reclaim_destroy(reclaim);
    if (stolen == 0) {
        check_skip("no thief ever won a race, so there was none");
    }
}

/* From capacity 2 again and again, so that thieves read arrays that are being replaced. */
static void growth_under_theft(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < threads_scaled(1000); i++) {
        run_robbery(ops, create(ops, 2, reclaim), 3, 600, 500);
    }
    reclaim_destroy(reclaim);
}

/* Indices that pass the limits of 31, 32, 53 and almost 63 bits, and zero. */
static void indices_far_up(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    const size_t count = threads_scaled(200000);
    const int64_t first[] = {-100, INT64_C(0x7fffffff) - 100, INT64_C(0xffffffff) - 100, (INT64_C(1) << 53) - 100,
                             INT64_MAX - (int64_t)count};
    struct reclaim *reclaim = create_reclaim();
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        struct dq_config config = {.capacity = 2, .reclaim = reclaim, .first = (uint64_t)first[i]};
        struct dq *deque = NULL;
        CHECK_EQ(ops->create(&deque, &config), 0);
        run_robbery(ops, deque, 2, count, 20);
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
    struct sy_node *node;
    reclaim_register_thread();
    while (au64_load_relaxed(&w->taken) < w->workers * w->each) {
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

static void run_workers(const struct dq_ops *ops, size_t workers, size_t each) {
    struct reclaim *reclaim = create_reclaim();
    struct workers w = {.ops = ops, .workers = workers, .each = each};
    w.items = create_items(workers * each);
    for (size_t i = 0; i < workers; i++) {
        w.deques[i] = create(ops, 2, reclaim);
    }
    threads_run(workers, worker_member, &w);
    check_all_taken(w.items, workers * each);
    for (size_t i = 0; i < workers; i++) {
        CHECK(ops->is_empty(w.deques[i]));
        ops->destroy(w.deques[i]);
    }
    CHECK(au64_load_relaxed(&w.moved) > 0 || workers * each < 10000);
    reclaim_destroy(reclaim);
    free(w.items);
}

static void steal_into_the_robbed(size_t variant) {
    run_workers(implementations[variant], 2, threads_scaled(1000000));
    run_workers(implementations[variant], 3, threads_scaled(700000));
    run_workers(implementations[variant], threads_oversubscribed(), threads_scaled(200000));
}

/* A pusher that looks for sleepers and a would-be sleeper that looks for items, full barriers on both sides. */
struct parking {
    const struct dq_ops *ops;
    struct dq *deque;
    struct item item;
    struct threads_rounds rounds;
    struct au32 announced, told;
    bool seen_sleeper;
};

/* Returns whether the other would have slept unseen. */
static bool park_owner(struct parking *p, uint64_t *round, const bool *would_sleep) {
    struct sy_node *node;
    CHECK_EQ(p->ops->push(p->deque, &p->item.node), DQ_OK);
    fence_seq_cst();
    p->seen_sleeper = au32_load_relaxed(&p->announced) != 0;
    au32_store_release(&p->told, 1);
    threads_meet(&p->rounds, round);
    bool missed = *would_sleep && !p->seen_sleeper;
    CHECK_EQ(p->ops->pop(p->deque, &node), DQ_OK);
    au32_store_relaxed(&p->announced, 0);
    au32_store_relaxed(&p->told, 0);
    return missed;
}

static bool parking_would_sleep; /* of this round; handed over by the meeting */

static void parking_member(size_t index, void *shared) {
    struct parking *p = shared;
    uint64_t round = 0;
    for (size_t i = 0; threads_round(&p->rounds, &round, index, i); i++) {
        if (index == 0) {
            CHECK(!park_owner(p, &round, &parking_would_sleep));
            continue;
        }
        au32_store_relaxed(&p->announced, 1);
        fence_seq_cst();
        parking_would_sleep = p->ops->is_empty(p->deque);
        for (int k = 0; k < 20; k++) {
            bool told = au32_load_acquire(&p->told) != 0;
            CHECK(!(told && p->ops->is_empty(p->deque)));
        }
        threads_meet(&p->rounds, &round);
    }
}

static void is_empty_never_too_early(size_t variant) {
    struct reclaim *reclaim = create_reclaim();
    struct parking parking = {.ops = implementations[variant], .rounds = threads_rounds_of(2, threads_scaled(400000))};
    parking.deque = create(parking.ops, 4, reclaim);
    threads_run(2, parking_member, &parking);
    parking.ops->destroy(parking.deque);
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"exactly_once", exactly_once},
    {"last_item", last_item},
    {"growth_under_theft", growth_under_theft},
    {"indices_far_up", indices_far_up},
    {"steal_into_the_robbed", steal_into_the_robbed},
    {"is_empty_never_too_early", is_empty_never_too_early},
};

static const struct check_suite suite = {
    .title = "suite_dq",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
    .variant_count = IMPLEMENTATIONS,
    .variant_name = variant_name,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
