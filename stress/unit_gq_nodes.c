/*
 * The nodes of the queues that recycle them (node_pool.h, retire.h): one owner at a time, none back while somebody may
 * be reading, all back in the end; and what the interleavings of the suites hardly ever hit, built by hand.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "queues/atomics.h"

static struct au64 made; /* nodes that came from malloc */

static inline void *counted_malloc(size_t bytes) {
    au64_fetch_add_relaxed(&made, 1);
    return malloc(bytes);
}

#define malloc counted_malloc
#include "queues/gq_ms.h"
#include "queues/gq_urcu_lf.h"
#undef malloc

#include "stress/check.h"
#include "stress/threads.h"

/* ---- the pool ---- */

struct owned {
    struct node_pool_free link;
    size_t owner; /* plain: a node that two have is a race */
};

struct crowd {
    struct node_pool pool;
    pthread_mutex_t giving;
    size_t rounds;
};

static void crowd_member(size_t index, void *shared) {
    enum { HELD = 8 };
    struct crowd *crowd = shared;
    struct owned *held[HELD];
    for (size_t round = 0; round < crowd->rounds; round++) {
        struct node_pool_shelf *shelf = node_pool_open(&crowd->pool);
        for (size_t i = 0; i < HELD; i++) {
            held[i] = node_pool_take(&crowd->pool, shelf);
            CHECK(held[i] != NULL);
            held[i]->owner = index;
        }
        node_pool_close(shelf);
        for (size_t i = 0; i < HELD; i++) {
            CHECK_EQ(held[i]->owner, index);
        }
        pthread_mutex_lock(&crowd->giving);
        for (size_t i = 0; i < HELD; i++) {
            node_pool_give(&crowd->pool, held[i]);
        }
        pthread_mutex_unlock(&crowd->giving);
    }
}

/* More threads than shelves, so that some meet there. */
static void a_node_has_one_owner(size_t variant) {
    (void)variant;
    struct crowd *crowd = aligned_alloc(SY_CACHE_LINE, sizeof *crowd);
    CHECK(crowd != NULL);
    node_pool_create(&crowd->pool, sizeof(struct owned));
    pthread_mutex_init(&crowd->giving, NULL);
    crowd->rounds = threads_scaled(20000);
    threads_run(3 * NODE_POOL_SHELVES / 2, crowd_member, crowd);
    pthread_mutex_destroy(&crowd->giving);
    node_pool_destroy(&crowd->pool);
    free(crowd);
}

/* ---- grace periods ---- */

static const struct gq_ops *const recycling[] = {&gq_ms_ops, &gq_urcu_lf_ops};

static struct gq *create(const struct gq_ops *ops, size_t segment) {
    struct gq_config config = {.capacity = 16, .segment = segment, .workers = 2};
    struct gq *queue = NULL;
    CHECK_EQ(ops->create(&queue, &config), 0);
    return queue;
}

static void push_and_pop(const struct gq_ops *ops, struct gq *queue) {
    struct sy_node item, *out = NULL;
    size_t got = 0;
    CHECK_EQ(ops->push(queue, &item), GQ_OK);
    CHECK_EQ(ops->pop_batch(queue, &out, 1, &got), GQ_OK);
    CHECK(got == 1 && out == &item);
    reclaim_quiescent();
}

/* Member 1 is online, and quiescent only when it is told: once at `pause`, and then when it goes. */
struct holding {
    const struct gq_ops *ops;
    struct gq *queue;
    struct au32 holds, pause, go;
};

static void hold(struct holding *h) {
    au32_store_release(&h->holds, 1);
    while (!au32_load_acquire(&h->pause)) {
        sched_yield();
    }
    reclaim_quiescent();
    au32_store_release(&h->holds, 2);
    while (!au32_load_acquire(&h->go)) {
        sched_yield();
    }
}

static void await_holding(struct holding *h, uint32_t times) {
    while (au32_load_acquire(&h->holds) < times) {
        reclaim_quiescent();
        sched_yield();
    }
}

/* Returns how many nodes came from malloc. */
static uint64_t push_and_pop_many(struct holding *h, size_t n) {
    uint64_t before = au64_load_relaxed(&made);
    for (size_t i = 0; i < n; i++) {
        push_and_pop(h->ops, h->queue);
        if (i % 16 == 0) {
            sched_yield(); /* time for a helper that does not wait to give itself away */
        }
    }
    return au64_load_relaxed(&made) - before;
}

static void holding_member(size_t index, void *shared) {
    enum { BEFORE = 2000, AFTER = 20000 };
    struct holding *h = shared;
    CHECK_EQ(h->ops->attach(h->queue), 0);
    if (index == 1) {
        hold(h);
    } else {
        await_holding(h, 1);
        CHECK_EQ(push_and_pop_many(h, BEFORE), BEFORE);
        au32_store_release(&h->pause, 1);
        await_holding(h, 2);
        /* What was popped before the pause may come back, once; what is popped now may not. */
        CHECK(push_and_pop_many(h, AFTER) >= AFTER - BEFORE);
        au32_store_release(&h->go, 1);
        while (push_and_pop_many(h, 1) > 0) { /* the watchdog bounds it */
        }
    }
    h->ops->detach(h->queue);
}

static void no_node_comes_back_under_a_reader(size_t variant) {
    (void)variant;
    for (size_t i = 0; i < sizeof recycling / sizeof *recycling; i++) {
        for (size_t segment = 2; segment <= 128; segment *= 8) {
            struct holding h = {.ops = recycling[i], .queue = create(recycling[i], segment)};
            threads_run(2, holding_member, &h);
            h.ops->destroy(h.queue);
        }
    }
}

/* ---- how many are left ---- */

/* Popped and not retired, once nobody is at work. */
static uint64_t left_over(const struct gq_ops *ops, struct gq *queue) {
    struct gq_ms *ms = gq_ms_of(queue);
    struct gq_urcu_lf *lf = gq_urcu_lf_of(queue);
    struct retire *retire = ops == &gq_ms_ops ? &ms->retire : &lf->retire;
    while (au32_load_acquire(&retire->knocks) > 0) { /* the watchdog bounds it */
        reclaim_quiescent();
        sched_yield();
    }
    if (ops == &gq_ms_ops) {
        return au64_load_relaxed(&ms->popped) - ms->retired->number;
    }
    return au64_load_relaxed(&lf->count) / GQ_URCU_LF_POP - lf->due_pops;
}

/* Stretches may end anywhere, since what is popped meanwhile goes with them; the next must not be the longer for it. */
static void less_than_a_segment_is_left(size_t variant) {
    enum { SEGMENT = 8, BATCH = SEGMENT + 5 };
    (void)variant;
    for (size_t i = 0; i < sizeof recycling / sizeof *recycling; i++) {
        const struct gq_ops *ops = recycling[i];
        struct gq *queue = create(ops, SEGMENT);
        struct sy_node items[BATCH], *in[BATCH], *out[BATCH];
        size_t done = 0;
        CHECK_EQ(ops->attach(queue), 0);
        for (size_t k = 0; k < BATCH; k++) {
            in[k] = &items[k];
        }
        CHECK_EQ(ops->push_batch(queue, in, BATCH, &done), GQ_OK);
        CHECK_EQ(ops->pop_batch(queue, out, BATCH, &done), GQ_OK);
        CHECK_EQ(done, BATCH);
        CHECK_EQ(left_over(ops, queue), 0);
        for (size_t k = 0; k < 4 * SEGMENT; k++) {
            push_and_pop(ops, queue);
            CHECK(left_over(ops, queue) < SEGMENT);
        }
        ops->detach(queue);
        ops->destroy(queue);
    }
}

/* ---- a push that has linked its node and not yet moved tail ---- */

static void tail_is_never_behind_head(size_t variant) {
    (void)variant;
    struct gq *queue = create(&gq_ms_ops, 2);
    struct gq_ms *q = gq_ms_of(queue);
    struct sy_node first, second, *out[2];
    size_t got = 0;
    CHECK_EQ(gq_reclaim_attach(queue), 0);
    CHECK_EQ(gq_ms_push(queue, &first), GQ_OK);
    struct gq_ms_node *end = gq_ms_untagged(aptr_load_relaxed(&q->tail));
    struct gq_ms_node *half = gq_ms_node_create(q, NULL, &second);
    CHECK(half != NULL);
    half->number = end->number + 1;
    aptr_store_relaxed(&end->next, half);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(gq_ms_pop_batch(queue, out, 2, &got), GQ_OK);
        CHECK(got == 1 && out[0] == (i == 0 ? &first : &second));
        struct gq_ms_node *head = aptr_load_relaxed(&q->head);
        CHECK(gq_ms_untagged(aptr_load_relaxed(&q->tail))->number >= head->number);
    }
    gq_reclaim_detach(queue);
    gq_ms_destroy(queue);
}

static void tail_leaves_what_is_retired(size_t variant) {
    (void)variant;
    struct gq *queue = create(&gq_urcu_lf_ops, 2);
    struct gq_urcu_lf *q = gq_urcu_lf_of(queue);
    struct sy_node first, second, *out[2];
    size_t got = 0;
    CHECK_EQ(gq_reclaim_attach(queue), 0);
    CHECK_EQ(gq_urcu_lf_push(queue, &first), GQ_OK);
    struct gq_urcu_lf_node *half = node_pool_take(&q->pool, NULL);
    CHECK(half != NULL);
    cds_lfq_node_init_rcu(&half->link);
    half->item = &second;
    hand_over_give(half);
    q->lfq.tail->next = &half->link;
    au64_fetch_add_relaxed(&q->count, 1);
    CHECK_EQ(gq_urcu_lf_pop_batch(queue, out, 1, &got), GQ_OK);
    CHECK(got == 1 && out[0] == &first);
    CHECK(q->lfq.tail == &half->link);
    CHECK_EQ(gq_urcu_lf_pop_batch(queue, out, 2, &got), GQ_OK);
    CHECK(got == 1 && out[0] == &second);
    CHECK(q->lfq.tail != &half->link);
    gq_reclaim_detach(queue);
    gq_urcu_lf_destroy(queue);
}

static const struct check_test tests[] = {
    {"a_node_has_one_owner", a_node_has_one_owner},
    {"no_node_comes_back_under_a_reader", no_node_comes_back_under_a_reader},
    {"less_than_a_segment_is_left", less_than_a_segment_is_left},
    {"tail_is_never_behind_head", tail_is_never_behind_head},
    {"tail_leaves_what_is_retired", tail_leaves_what_is_retired},
};

static const struct check_suite suite = {
    .title = "unit_gq_nodes", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
