/* Two runs of a global queue that its suites put to many shapes: one thread against a model, and a crowd. */
#ifndef STEALYARD_STRESS_GQ_RUNS_H
#define STEALYARD_STRESS_GQ_RUNS_H

#include "stress/gq_items.h"
#include "stress/threads.h"

#define BATCH_MAX 32 /* of a crowd, and of every pop */
#define PUSH_MAX 300 /* of solo_push */

/* The model: the items between `out` and `in` are inside, in this order. */
struct solo {
    const struct gq_ops *ops;
    struct gq *queue;
    struct item *items;
    size_t count, capacity, in, out;
    bool settled; /* the last operation was a pop that found nothing */
};

static inline void solo_look(const struct solo *s) {
    bool inside = s->in > s->out;
    CHECK(!inside || !s->ops->is_empty(s->queue));
    CHECK(!inside || s->ops->length(s->queue) > 0);
    CHECK(!s->settled || (s->ops->is_empty(s->queue) && s->ops->length(s->queue) == 0));
}

/* Pushes the next n items, as a batch but for a single one; returns how many went in: the first of them. */
static inline size_t solo_push(struct solo *s, size_t n) {
    struct sy_node *batch[PUSH_MAX];
    size_t done = 0;
    CHECK(n <= PUSH_MAX);
    n = n < s->count - s->in ? n : s->count - s->in;
    for (size_t i = 0; i < n; i++) {
        batch[i] = dirty(&s->items[s->in + i]);
    }
    enum gq_status status = n == 1 ? s->ops->push(s->queue, batch[0]) : s->ops->push_batch(s->queue, batch, n, &done);
    done = n == 1 ? status == GQ_OK : done;
    CHECK(done <= n && status == (done == n ? GQ_OK : GQ_FULL));
    s->in += done;
    s->settled = s->settled && done == 0;
    return done;
}

/* Returns how many came out. */
static inline size_t solo_pop(struct solo *s, size_t max) {
    struct sy_node *batch[BATCH_MAX];
    size_t got = 0;
    enum gq_status status = s->ops->pop_batch(s->queue, batch, max, &got);
    CHECK_EQ(status, s->in > s->out ? GQ_OK : GQ_EMPTY);
    CHECK(got <= max && (got > 0) == (s->in > s->out));
    s->settled = status == GQ_EMPTY;
    for (size_t i = 0; i < got; i++, s->out++) {
        struct item *item = (struct item *)(void *)batch[i];
        CHECK_EQ(++item->taken, 1);
        CHECK(!keeps_order(s->ops) || item == &s->items[s->out]);
    }
    return got;
}

/* To the last item; leaves the model with items that have never been inside. */
static inline void solo_drain(struct solo *s) {
    while (s->in > s->out) {
        rest(s->ops);
        solo_pop(s, BATCH_MAX);
    }
    expect_empty(s->ops, s->queue);
    s->settled = true;
}

static inline struct solo solo_begin(const struct gq_ops *ops, const struct gq_config *config, size_t count) {
    struct solo s = {.ops = ops, .count = count, .capacity = config->capacity};
    s.items = create_items(count);
    s.queue = create_as(ops, config);
    attach(ops, s.queue);
    return s;
}

static inline void solo_end(struct solo *s) {
    detach(s->ops, s->queue);
    s->ops->destroy(s->queue);
    free(s->items);
}

/* `count` items in random operations of one thread. */
static inline void run_solo(const struct gq_ops *ops, const struct gq_config *config, size_t count) {
    struct solo s = solo_begin(ops, config, count);
    uint64_t random = check_seed();
    while (s.out < count) {
        size_t n = check_random(&random) % BATCH_MAX;
        rest(ops);
        solo_look(&s);
        if (check_random(&random) % 2) {
            n = n < count - s.in ? n : count - s.in;
            CHECK(solo_push(&s, n) == n || (ops->bounded && s.in - s.out >= s.capacity));
        } else {
            solo_pop(&s, n + 1);
        }
    }
    solo_drain(&s);
    solo_end(&s);
}

/* `consumers` threads take what `producers` push: every item once, with its contents, in its producer's order. */
struct crowd {
    const struct gq_ops *ops;
    size_t producers, consumers, each; /* items of each producer */
    bool batches;
    void (*before_push)(uint64_t *random); /* on the producer's thread, NULL: nothing; may make the push say GQ_FULL */
    struct gq *queue;                      /* from here on: by crowd_begin */
    struct item *items;
    struct au64 finished; /* producers that have pushed everything */
    struct au32 over;     /* after that a pop said "empty": no more will come, and crowd_end tells what is missing */
};

static inline void crowd_begin(struct crowd *crowd, const struct gq_config *config) {
    crowd->items = create_items(crowd->producers * crowd->each);
    crowd->queue = create_as(crowd->ops, config);
}

static inline void crowd_end(struct crowd *crowd) {
    for (size_t i = 0; i < crowd->producers * crowd->each; i++) {
        CHECK_EQ(crowd->items[i].taken, 1);
    }
    attach(crowd->ops, crowd->queue);
    expect_empty(crowd->ops, crowd->queue);
    detach(crowd->ops, crowd->queue);
    crowd->ops->destroy(crowd->queue);
    free(crowd->items);
}

static inline void crowd_push(struct crowd *crowd, struct item *from, size_t n, uint64_t *random) {
    struct sy_node *batch[BATCH_MAX];
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        batch[i] = dirty(&from[i]);
    }
    while (done < n) {
        size_t now = 0;
        rest(crowd->ops);
        if (crowd->before_push) {
            crowd->before_push(random);
        }
        if (n == 1) {
            now = crowd->ops->push(crowd->queue, batch[0]) == GQ_OK;
        } else {
            enum gq_status status = crowd->ops->push_batch(crowd->queue, batch + done, n - done, &now);
            CHECK_EQ(status, now == n - done ? GQ_OK : GQ_FULL);
        }
        done += now;
        if (done < n) {
            CHECK(crowd->ops->bounded || crowd->before_push);
            sched_yield();
        }
    }
}

static inline void crowd_produce(struct crowd *crowd, size_t producer) {
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
        crowd_push(crowd, mine + i, n, &random);
        i += n;
    }
    au64_fetch_add_release(&crowd->finished, 1);
}

/* One pop; `last` has the last sequence that this consumer saw of each producer. */
static inline void crowd_pop(struct crowd *crowd, size_t *last, uint64_t *random) {
    struct sy_node *batch[BATCH_MAX];
    size_t max = crowd->batches ? 1 + check_random(random) % BATCH_MAX : 1, got = 0;
    bool all_pushed = au64_load_acquire(&crowd->finished) == crowd->producers;
    rest(crowd->ops);
    enum gq_status status = crowd->ops->pop_batch(crowd->queue, batch, max, &got);
    CHECK(status == GQ_OK || status == GQ_EMPTY || status == GQ_RETRY);
    CHECK_EQ(status == GQ_OK, got > 0);
    CHECK(got <= max);
    for (size_t i = 0; i < got; i++) {
        struct item *item = (struct item *)(void *)batch[i];
        CHECK_EQ(item->payload, ~(uint64_t)(size_t)(item - crowd->items));
        CHECK_EQ(++item->taken, 1);
        CHECK(!keeps_order(crowd->ops) || item->sequence > last[item->producer]);
        last[item->producer] = item->sequence;
    }
    if (all_pushed && status == GQ_EMPTY) {
        au32_store_relaxed(&crowd->over, 1);
    } else if (got == 0) {
        sched_yield();
    }
}

/* Until nothing is left, or `pops` times. */
static inline void crowd_consume(struct crowd *crowd, size_t consumer, size_t pops) {
    uint64_t random = check_seed() + 1000 + consumer;
    size_t *last = calloc(crowd->producers, sizeof *last);
    CHECK(last != NULL);
    for (size_t i = 0; i < pops && !au32_load_relaxed(&crowd->over); i++) {
        crowd_pop(crowd, last, &random);
    }
    free(last);
}

static inline void crowd_member(size_t index, void *shared) {
    struct crowd *crowd = shared;
    attach(crowd->ops, crowd->queue);
    if (index < crowd->producers) {
        crowd_produce(crowd, index);
    } else {
        crowd_consume(crowd, index - crowd->producers, SIZE_MAX);
    }
    detach(crowd->ops, crowd->queue);
}

static inline void run_crowd(struct crowd crowd, const struct gq_config *config) {
    crowd_begin(&crowd, config);
    threads_run(crowd.producers + crowd.consumers, crowd_member, &crowd);
    crowd_end(&crowd);
}

#endif
