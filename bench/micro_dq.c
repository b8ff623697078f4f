/* Deques: the owner alone at several depths, and the owner with one thief that takes half each time. */
#include <string.h>

#include "bench/micro_driver.h"
#include "bench/micro_item.h"
#include "queues/dq_list.h"
#include "queues/reclaim.h"

enum { OWNER, THIEF, ROLES, STEAL_MAX = 128, BURST = 64 };

struct contest {
    struct reclaim *reclaim;
    struct dq *deques[ROLES];
    struct micro_item *items;
    size_t depth;
    struct au32 done; /* the owner's: everything was pushed, and its deque is empty */
    struct au64 empty;
    struct au64 retry;
    struct au64 full;
    struct au64 stolen;
};

/* Pops up to `n`; returns how many there were. */
SY_INLINE size_t pop_some(const struct dq_ops *dq, struct dq *deque, size_t n) {
    size_t popped = 0;
    struct sy_node *node;
    while (popped < n && dq->pop(deque, &node) == DQ_OK) {
        micro_item_of(node)->taken++;
        popped++;
    }
    return popped;
}

/* Returns how many the deque had no room for; they count as lost. */
SY_INLINE uint64_t push_some(const struct dq_ops *dq, struct dq *deque, struct micro_item *items, size_t n) {
    uint64_t full = 0;
    for (size_t i = 0; i < n; i++) {
        full += dq->push(deque, &items[i].node) != DQ_OK;
    }
    return full;
}

/* Fills the deque to the depth and empties it, again and again. */
SY_INLINE void alone_body(const struct dq_ops *dq, struct contest *c) {
    uint64_t full = 0, empty = 0;
    for (size_t i = 0; i < MICRO_ITEMS; i += c->depth) {
        full += push_some(dq, c->deques[OWNER], c->items + i, c->depth);
        empty += pop_some(dq, c->deques[OWNER], c->depth) != c->depth;
    }
    au64_store_relaxed(&c->full, full);
    au64_store_relaxed(&c->empty, empty);
}

/* Pushes a burst and pops half of one, until all is pushed; then pops until nothing is left. */
SY_INLINE void owner_body(const struct dq_ops *dq, struct contest *c) {
    uint64_t full = 0;
    for (size_t i = 0; i < MICRO_ITEMS; i += BURST) {
        full += push_some(dq, c->deques[OWNER], c->items + i, BURST);
        pop_some(dq, c->deques[OWNER], BURST / 2);
        reclaim_quiescent();
    }
    while (pop_some(dq, c->deques[OWNER], BURST) > 0) {
        reclaim_quiescent();
    }
    au64_store_relaxed(&c->full, full);
    au32_store_release(&c->done, 1);
}

SY_INLINE void thief_body(const struct dq_ops *dq, struct contest *c) {
    uint64_t empty = 0, retry = 0, stolen = 0;
    while (!au32_load_acquire(&c->done)) {
        struct sy_node *node;
        size_t moved = 0;
        enum dq_status status = dq->steal(c->deques[OWNER], c->deques[THIEF], STEAL_MAX, &node, &moved);
        if (status == DQ_OK) {
            micro_item_of(node)->taken++;
            stolen += 1 + pop_some(dq, c->deques[THIEF], STEAL_MAX);
        } else {
            *(status == DQ_EMPTY ? &empty : &retry) += 1;
            cpu_relax();
        }
        reclaim_quiescent();
    }
    au64_store_relaxed(&c->empty, empty);
    au64_store_relaxed(&c->retry, retry);
    au64_store_relaxed(&c->stolen, stolen);
}

SY_INLINE void contest_body(const struct dq_ops *dq, struct contest *c, unsigned role) {
    reclaim_register_thread();
    if (role == OWNER) {
        owner_body(dq, c);
    } else {
        thief_body(dq, c);
    }
    reclaim_unregister_thread();
}

static bool contest_create(const struct dq_ops *dq, struct contest *c) {
    struct dq_config config = {.capacity = DQ_CAPACITY_DEFAULT};
    if (reclaim_create(&c->reclaim) != 0) {
        return false;
    }
    config.reclaim = c->reclaim;
    for (unsigned i = 0; i < ROLES; i++) {
        if (dq->create(&c->deques[i], &config) != 0) {
            return false;
        }
    }
    return true;
}

static void contest_destroy(const struct dq_ops *dq, struct contest *c) {
    for (unsigned i = 0; i < ROLES; i++) {
        if (c->deques[i]) {
            dq->destroy(c->deques[i]);
        }
    }
    if (c->reclaim) {
        reclaim_destroy(c->reclaim);
    }
}

static void run(const struct dq_ops *dq, void (*body)(void *, unsigned), unsigned threads,
                const struct micro_parameters *p, struct micro_result *result) {
    struct contest c = {.depth = p->depth, .items = micro_items(1)};
    if (contest_create(dq, &c)) {
        result->seconds = micro_threads(threads, body, &c);
        result->operations = MICRO_ITEMS;
        result->empty = au64_load_relaxed(&c.empty);
        result->retry = au64_load_relaxed(&c.retry);
        result->full = au64_load_relaxed(&c.full);
        result->stolen = au64_load_relaxed(&c.stolen);
        result->failure = result->seconds < 0 ? "a thread cannot be started" : micro_items_check();
    } else {
        result->failure = "the deques cannot be made";
    }
    contest_destroy(dq, &c);
}

#define DQ_STAMP(name)                                                                                                 \
    static void name##_alone_body(void *c, unsigned role) {                                                            \
        (void)role;                                                                                                    \
        alone_body(&name##_ops, c);                                                                                    \
    }                                                                                                                  \
    static void name##_contest_body(void *c, unsigned role) {                                                          \
        contest_body(&name##_ops, c, role);                                                                            \
    }                                                                                                                  \
    static void name##_alone(const struct micro_parameters *p, struct micro_result *result) {                          \
        run(&name##_ops, name##_alone_body, 1, p, result);                                                             \
    }                                                                                                                  \
    static void name##_contest(const struct micro_parameters *p, struct micro_result *result) {                        \
        run(&name##_ops, name##_contest_body, ROLES, p, result);                                                       \
    }
DQ_LIST(DQ_STAMP)

#define DQ_CASES(name)                                                                                                 \
    {#name "/push_pop/depth:1", name##_alone, {.depth = 1}, MICRO_ITEMS},                                              \
        {#name "/push_pop/depth:64", name##_alone, {.depth = 64}, MICRO_ITEMS},                                        \
        {#name "/push_pop/depth:1024", name##_alone, {.depth = 1024}, MICRO_ITEMS},                                    \
        {#name "/owner+thief/2", name##_contest, {.depth = 0}, MICRO_ITEMS},
const struct micro_case micro_dq_cases[] = {DQ_LIST(DQ_CASES){NULL, NULL, {0}, 0}};
