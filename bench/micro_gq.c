/* Global queues: pairs of a push and a pop on one thread, and transfers from producers to as many consumers. */
#include <sched.h>
#include <string.h>

#include "bench/micro_driver.h"
#include "bench/micro_item.h"
#include "queues/gq_list.h"

enum { PRODUCERS_MAX = MICRO_THREADS_MAX / 2, BATCH_MAX = 32 };

struct transfer {
    struct gq *queue;
    struct micro_item *items;
    unsigned producers; /* as many consumers: a thread's index below this makes it a producer */
    size_t batch;
    bool in_order;         /* the queue claims that a producer's items come out in its order */
    struct au32 producing; /* producers that have not ended */
    struct au64 empty;
    struct au64 full;
    struct au64 retry;
    struct au32 reordered;
    struct au32 unattached;
};

SY_INLINE void produce(const struct gq_ops *gq, struct transfer *t, unsigned index) {
    size_t share = MICRO_ITEMS / t->producers;
    struct micro_item *own = t->items + index * share;
    uint64_t full = 0;
    for (size_t i = 0; i < share;) {
        size_t pushed = 0;
        if (t->batch == 1) {
            pushed = gq->push(t->queue, &own[i].node) == GQ_OK;
        } else {
            struct sy_node *nodes[BATCH_MAX];
            size_t n = share - i < t->batch ? share - i : t->batch;
            for (size_t k = 0; k < n; k++) {
                nodes[k] = &own[i + k].node;
            }
            gq->push_batch(t->queue, nodes, n, &pushed);
        }
        if (pushed == 0) {
            full++;
            if (au32_load_relaxed(&t->unattached)) {
                break; /* nobody may be there to make room */
            }
            sched_yield();
        }
        i += pushed;
    }
    au64_fetch_add_relaxed(&t->full, full);
}

/* Notes that an item came out, and whether it came after its producer's earlier ones. */
SY_INLINE bool take(struct sy_node *node, int64_t *last) {
    struct micro_item *item = micro_item_of(node);
    bool in_order = (int64_t)item->sequence > last[item->producer];
    last[item->producer] = item->sequence;
    item->taken++;
    return in_order;
}

SY_INLINE void consume(const struct gq_ops *gq, struct transfer *t) {
    size_t share = MICRO_ITEMS / t->producers;
    uint64_t empty = 0, retry = 0;
    int64_t last[PRODUCERS_MAX];
    bool in_order = true;
    memset(last, -1, sizeof last);
    for (size_t i = 0; i < share;) {
        struct sy_node *nodes[BATCH_MAX];
        size_t n = 0;
        bool all_pushed = au32_load_acquire(&t->producing) == 0;
        enum gq_status status = gq->pop_batch(t->queue, nodes, share - i < t->batch ? share - i : t->batch, &n);
        if (status != GQ_OK) {
            *(status == GQ_EMPTY ? &empty : &retry) += 1;
            if (status == GQ_EMPTY && all_pushed) {
                break; /* something was lost: nobody else takes this consumer's share */
            }
            sched_yield();
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            in_order = take(nodes[k], last) && in_order;
        }
        i += n;
    }
    au64_fetch_add_relaxed(&t->empty, empty);
    au64_fetch_add_relaxed(&t->retry, retry);
    if (!in_order) {
        au32_store_relaxed(&t->reordered, 1);
    }
}

static bool attach(const struct gq_ops *gq, struct transfer *t) {
    bool ok = !gq->attach || gq->attach(t->queue) == 0;
    if (!ok) {
        au32_store_relaxed(&t->unattached, 1);
    }
    return ok;
}

static void detach(const struct gq_ops *gq, struct transfer *t) {
    if (gq->detach) {
        gq->detach(t->queue);
    }
}

SY_INLINE void transfer_body(const struct gq_ops *gq, struct transfer *t, unsigned index) {
    bool attached = attach(gq, t);
    if (index < t->producers) {
        if (attached) {
            produce(gq, t, index);
        }
        au32_fetch_sub_release(&t->producing, 1);
    } else if (attached) {
        consume(gq, t);
    }
    if (attached) {
        detach(gq, t);
    }
}

/* One thread pushes an item and pops it again. */
SY_INLINE void pairs_body(const struct gq_ops *gq, struct transfer *t) {
    if (!attach(gq, t)) {
        return;
    }
    int64_t last[PRODUCERS_MAX];
    uint64_t empty = 0, full = 0;
    bool in_order = true;
    memset(last, -1, sizeof last);
    for (size_t i = 0; i < MICRO_ITEMS; i++) {
        struct sy_node *node;
        size_t n = 0;
        full += gq->push(t->queue, &t->items[i].node) != GQ_OK;
        empty += gq->pop_batch(t->queue, &node, 1, &n) != GQ_OK;
        in_order = n == 1 && take(node, last) && in_order;
    }
    au64_store_relaxed(&t->empty, empty);
    au64_store_relaxed(&t->full, full);
    au32_store_relaxed(&t->reordered, !in_order);
    detach(gq, t);
}

static const char *transfer_check(const struct transfer *t) {
    const char *failure = micro_items_check();
    if (au32_load_relaxed(&t->unattached)) {
        return "a thread cannot be attached to the queue";
    }
    if (!failure && t->in_order && au32_load_relaxed(&t->reordered)) {
        failure = "a producer's items came out in another order";
    }
    return failure;
}

static void run(const struct gq_ops *gq, void (*body)(void *, unsigned), unsigned threads,
                const struct micro_parameters *p, struct micro_result *result) {
    struct gq_config config = {.capacity = GQ_CAPACITY_DEFAULT, .workers = p->producers};
    struct transfer t = {.producers = p->producers, .batch = p->batch, .items = micro_items(p->producers)};
    au32_store_relaxed(&t.producing, p->producers);
    t.in_order = strncmp(gq->order, "FIFO", 4) == 0;
    if (gq->create(&t.queue, &config) != 0) {
        result->failure = "the queue cannot be made";
        return;
    }
    result->seconds = micro_threads(threads, body, &t);
    result->operations = MICRO_ITEMS;
    result->empty = au64_load_relaxed(&t.empty);
    result->full = au64_load_relaxed(&t.full);
    result->retry = au64_load_relaxed(&t.retry);
    result->failure = result->seconds < 0 ? "a thread cannot be started" : transfer_check(&t);
    gq->destroy(t.queue);
}

#define GQ_STAMP(name)                                                                                                 \
    static void name##_pairs_body(void *t, unsigned index) {                                                           \
        (void)index;                                                                                                   \
        pairs_body(&name##_ops, t);                                                                                    \
    }                                                                                                                  \
    static void name##_transfer_body(void *t, unsigned index) {                                                        \
        transfer_body(&name##_ops, t, index);                                                                          \
    }                                                                                                                  \
    static void name##_pairs(const struct micro_parameters *p, struct micro_result *result) {                          \
        run(&name##_ops, name##_pairs_body, 1, p, result);                                                             \
    }                                                                                                                  \
    static void name##_transfer(const struct micro_parameters *p, struct micro_result *result) {                       \
        run(&name##_ops, name##_transfer_body, 2 * p->producers, p, result);                                           \
    }
GQ_LIST(GQ_STAMP)

#define GQ_CASES(name)                                                                                                 \
    {#name "/pairs/1", name##_pairs, {.producers = 1, .batch = 1}, MICRO_ITEMS},                                       \
        {#name "/transfer/1:1/batch:1", name##_transfer, {.producers = 1, .batch = 1}, MICRO_ITEMS},                   \
        {#name "/transfer/1:1/batch:32", name##_transfer, {.producers = 1, .batch = 32}, MICRO_ITEMS},                 \
        {#name "/transfer/2:2/batch:1", name##_transfer, {.producers = 2, .batch = 1}, MICRO_ITEMS},                   \
        {#name "/transfer/2:2/batch:32", name##_transfer, {.producers = 2, .batch = 32}, MICRO_ITEMS},
const struct micro_case micro_gq_cases[] = {GQ_LIST(GQ_CASES){NULL, NULL, {0}, 0}};
