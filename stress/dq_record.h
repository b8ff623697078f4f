/*
 * Operations on a deque that are recorded, for a judge of the whole. Thread 0 is the owner and pushes values 0, 1, … to
 * deques[0]; the others are thieves, each with a deque of its own that nobody robs, into which it may steal.
 */
#ifndef STEALYARD_STRESS_DQ_RECORD_H
#define STEALYARD_STRESS_DQ_RECORD_H

#include "stress/dq_items.h"
#include "stress/history_deque.h"

#define RECORD_THREADS 4
#define RECORD_VALUES 160
#define RECORD_LOG 400 /* events of one thread */
#define RECORD_BATCH 8

struct record {
    const struct dq_ops *ops;
    const struct dq_config *config;
    struct dq *deques[RECORD_THREADS];
    struct item *items;
    size_t pushed; /* values that were tried: the owner's */
    struct au64 clock;
    size_t logged[RECORD_THREADS];
    struct history_event events[RECORD_THREADS][RECORD_LOG];
};

static inline void record_begin(struct record *r, const struct dq_ops *ops, const struct dq_config *config,
                                struct item *items) {
    memset(items, 0, RECORD_VALUES * sizeof *items);
    memset(r->logged, 0, sizeof r->logged);
    r->ops = ops;
    r->config = config;
    r->items = items;
    r->pushed = 0;
    for (size_t i = 0; i < RECORD_THREADS; i++) {
        r->deques[i] = create_as(ops, config);
    }
}

static inline uint64_t record_moment(struct record *r) {
    return au64_fetch_add_seq_cst(&r->clock, 1) + 1;
}

static inline void record_log(struct record *r, size_t self, enum history_kind kind, size_t value, uint64_t invoked,
                              uint64_t returned) {
    CHECK(r->logged[self] < RECORD_LOG);
    r->events[self][r->logged[self]++] = (struct history_event){kind, value, invoked, returned};
}

/* For as many pushes there are values, those of record_end aside. */
static inline size_t record_left(const struct record *r) {
    return RECORD_VALUES - r->config->capacity - r->pushed;
}

static inline enum dq_status record_push(struct record *r) {
    size_t value = r->pushed++;
    CHECK(value < RECORD_VALUES);
    r->items[value].sequence = value;
    uint64_t invoked = record_moment(r);
    if (!push_item(r->ops, r->deques[0], r->items, value)) {
        return DQ_FULL;
    }
    record_log(r, 0, HISTORY_PUSH, value, invoked, record_moment(r));
    return DQ_OK;
}

static inline enum dq_status record_pop(struct record *r) {
    struct sy_node *node;
    uint64_t invoked = record_moment(r);
    enum dq_status status = r->ops->pop(r->deques[0], &node);
    uint64_t returned = record_moment(r);
    CHECK(status == DQ_OK || status == DQ_EMPTY);
    if (status == DQ_OK) {
        record_log(r, 0, HISTORY_POP, take_item(r->items, node), invoked, returned);
    } else {
        record_log(r, 0, HISTORY_EMPTY, 0, invoked, returned);
    }
    return status;
}

/* "Empty" has to be as true of the owner's is_empty as of its pop; "not empty" promises nothing. */
static inline void record_look(struct record *r) {
    uint64_t invoked = record_moment(r);
    if (r->ops->is_empty(r->deques[0])) {
        record_log(r, 0, HISTORY_EMPTY, 0, invoked, record_moment(r));
    }
}

/* Returns how many. Of a FIFO deque they are what pops would have brought; of a LIFO one, what thieves would get. */
static inline size_t record_take_oldest(struct record *r, size_t max) {
    struct sy_node *batch[RECORD_BATCH];
    uint64_t invoked = record_moment(r);
    size_t n = dq_take_oldest(r->ops, r->deques[0], batch, max);
    uint64_t returned = record_moment(r);
    CHECK(n <= max);
    for (size_t i = 0; i < n; i++) {
        enum history_kind kind = r->ops->order == DQ_FIFO ? HISTORY_POP : HISTORY_STEAL;
        record_log(r, 0, kind, take_item(r->items, batch[i]), invoked, returned);
    }
    return n;
}

/* What a theft has put into the thief's deque, oldest first. */
static inline void record_own(struct record *r, size_t self, struct sy_node **batch, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t place = r->ops->order == DQ_LIFO ? n - 1 - i : i;
        CHECK_EQ(r->ops->pop(r->deques[self], &batch[place]), DQ_OK);
    }
    CHECK(r->ops->is_empty(r->deques[self]));
}

static inline enum dq_status record_steal(struct record *r, size_t self, bool into_own, size_t max, size_t *moved) {
    struct sy_node *batch[RECORD_BATCH];
    uint64_t invoked = record_moment(r);
    enum dq_status status = r->ops->steal(r->deques[0], into_own ? r->deques[self] : NULL, max, &batch[0], moved);
    uint64_t returned = record_moment(r);
    CHECK(status != DQ_FULL && (*moved > 0) == (status == DQ_OK));
    CHECK(*moved <= max && (into_own || *moved <= 1));
    record_own(r, self, batch + 1, *moved > 0 ? *moved - 1 : 0);
    for (size_t i = 0; i < *moved; i++) {
        record_log(r, self, HISTORY_STEAL, take_item(r->items, batch[i]), invoked, returned);
    }
    if (status == DQ_EMPTY) {
        record_log(r, self, HISTORY_EMPTY, 0, invoked, returned);
    }
    return status;
}

static inline void record_tell(const struct record *r) {
    static const char *const words[] = {"push", "pop", "empty", "steal"};
    for (size_t t = 0; t < RECORD_THREADS; t++) {
        for (size_t i = 0; i < r->logged[t]; i++) {
            const struct history_event *e = &r->events[t][i];
            printf("     thread %zu: %s %zu, %" PRIu64 " to %" PRIu64 "\n", t, words[e->kind], e->value, e->invoked,
                   e->returned);
        }
    }
    fflush(stdout);
}

/* With everybody done: what was pushed comes out, all of the room is there again, and all of it makes a history. */
static inline void record_end(struct record *r) {
    struct history_thread threads[RECORD_THREADS];
    struct history_kind_of_deque kind = {r->ops->order, skips_kept(r->ops)};
    while (record_pop(r) == DQ_OK) {
    }
    for (size_t i = 0; i < r->config->capacity; i++) {
        CHECK_EQ(record_push(r), DQ_OK);
    }
    while (record_pop(r) == DQ_OK) {
    }
    for (size_t i = 0; i < RECORD_THREADS; i++) {
        threads[i] = (struct history_thread){r->events[i], r->logged[i]};
        expect_empty(r->ops, r->deques[i]);
        r->ops->destroy(r->deques[i]);
    }
    const char *wrong = history_check_deque(threads, RECORD_THREADS, RECORD_VALUES, kind);
    if (wrong) {
        record_tell(r);
        check_fail(__FILE__, __LINE__, "%s: %s", r->ops->name, wrong);
    }
    for (size_t i = 0; i < r->logged[0]; i++) {
        CHECK(r->events[0][i].kind != HISTORY_PUSH || r->items[r->events[0][i].value].taken == 1);
    }
}

#endif
