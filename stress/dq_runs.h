/* Runs of deques that their suites put to many shapes: one thread against a model, and an owner who is robbed. */
#ifndef STEALYARD_STRESS_DQ_RUNS_H
#define STEALYARD_STRESS_DQ_RUNS_H

#include "queues/gq_mutex.h"
#include "stress/dq_items.h"
#include "stress/threads.h"

#define BATCH_MAX 40 /* items of one take_oldest */

/* A deque and its model: inside[low .. high), modulo `limit`, are the indices of the items inside, oldest first. */
struct solo {
    const struct dq_ops *ops;
    const struct dq_config *config;
    struct dq *deque;
    struct item *items;
    size_t *inside, limit, low, high; /* never more than `limit` inside */
    bool starves;                     /* there may be no memory to grow */
};

static inline struct solo solo_begin(const struct dq_ops *ops, const struct dq_config *config, struct item *items,
                                     size_t limit) {
    struct solo s = {.ops = ops, .config = config, .items = items, .limit = limit};
    s.inside = calloc(limit, sizeof *s.inside);
    CHECK(s.inside != NULL);
    s.deque = create_as(ops, config);
    return s;
}

static inline void solo_end(struct solo *s) {
    s->ops->destroy(s->deque);
    free(s->inside);
}

static inline size_t solo_length(const struct solo *s) {
    return s->high - s->low;
}

/* The owner's answers are exact while nobody steals. */
static inline void solo_look(const struct solo *s) {
    CHECK_EQ(s->ops->length(s->deque), solo_length(s));
    CHECK_EQ(s->ops->is_empty(s->deque), solo_length(s) == 0);
}

/* While nobody is in the middle of a theft, all of the room is to be had. */
static inline bool solo_may_be_full(const struct solo *s) {
    return (s->ops->bounded || s->starves) && solo_length(s) >= s->config->capacity;
}

static inline bool solo_push(struct solo *s, size_t index) {
    bool pushed = push_item(s->ops, s->deque, s->items, index);
    CHECK(pushed || solo_may_be_full(s));
    if (pushed) {
        CHECK(solo_length(s) < s->limit);
        s->inside[s->high++ % s->limit] = index;
    }
    return pushed;
}

/* Returns whether there was something to pop. */
static inline bool solo_pop(struct solo *s) {
    struct sy_node *node = NULL;
    enum dq_status status = s->ops->pop(s->deque, &node);
    CHECK_EQ(status, solo_length(s) ? DQ_OK : DQ_EMPTY);
    if (status == DQ_OK) {
        size_t expected = s->ops->order == DQ_LIFO ? --s->high : s->low++;
        CHECK_EQ(take_item(s->items, node), s->inside[expected % s->limit]);
    }
    return status == DQ_OK;
}

static inline size_t solo_take_oldest(struct solo *s, size_t max) {
    struct sy_node *batch[BATCH_MAX];
    size_t length = solo_length(s), half = length - length / 2;
    size_t n = dq_take_oldest(s->ops, s->deque, batch, max);
    CHECK(n <= max && n <= half);
    CHECK(n > 0 || length == 0 || (s->ops->withholds && !s->ops->take_oldest));
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(take_item(s->items, batch[i]), s->inside[s->low++ % s->limit]);
    }
    return n;
}

/* Where the oldest item that thieves get stands: behind those kept from them, of which a FIFO deque's are old. */
static inline size_t solo_place(const struct solo *s, size_t index) {
    size_t place = s->low;
    while (skips_kept(s->ops) && place + 1 < s->high && s->inside[place % s->limit] != index) {
        place++;
    }
    return place;
}

/* The one at `place` is inside no more. */
static inline size_t solo_remove(struct solo *s, size_t place) {
    size_t index = s->inside[place % s->limit];
    for (; place > s->low; place--) {
        s->inside[place % s->limit] = s->inside[(place - 1) % s->limit];
    }
    s->low++;
    return index;
}

/* A theft of up to `max` items, to `thief` (NULL: one item, to nobody's deque). Returns how many were moved. */
static inline size_t solo_rob(struct solo *victim, struct solo *thief, size_t max) {
    size_t length = solo_length(victim), half = length - length / 2, moved = 99;
    struct sy_node *node = NULL;
    enum dq_status status = victim->ops->steal(victim->deque, thief ? thief->deque : NULL, max, &node, &moved);
    CHECK(may_say(victim->ops, status, length));
    CHECK_EQ(moved > 0, status == DQ_OK);
    CHECK(moved <= max && moved <= half && (thief || moved <= 1));
    if (moved > 0) {
        size_t index = take_item(victim->items, node);
        size_t place = solo_place(victim, index);
        CHECK_EQ(index, solo_remove(victim, place));
        for (size_t i = 1; i < moved; i++) {
            thief->inside[thief->high++ % thief->limit] = solo_remove(victim, place + i);
        }
    }
    return moved;
}

/* To the last item, by pops. */
static inline void solo_drain(struct solo *s) {
    while (solo_pop(s)) {
    }
    expect_empty(s->ops, s->deque);
}

/*
 * `count` items in random operations of one thread on two deques, which steal from each other. `starve`, if not NULL,
 * may take away what memory there is, and give it back.
 */
static inline void run_solo(const struct dq_ops *ops, const struct dq_config *config, size_t count,
                            void (*starve)(uint64_t *random)) {
    struct item *items = create_items(count);
    struct solo both[2] = {solo_begin(ops, config, items, count), solo_begin(ops, config, items, count)};
    uint64_t random = check_seed();
    both[0].starves = both[1].starves = starve;
    reclaim_register_thread();
    for (size_t next = 0; next < count;) {
        if (starve) {
            starve(&random);
        }
        struct solo *s = &both[check_random(&random) % 2], *other = s == both ? &both[1] : both;
        size_t n = check_random(&random) % 12;
        n *= check_random(&random) % 32 == 0 ? 20 : 1;
        while (n-- > 0 && next < count && solo_push(s, next)) {
            next++;
        }
        solo_look(s);
        for (n = check_random(&random) % 12; n > 0 && solo_pop(s); n--) {
        }
        for (n = check_random(&random) % 4; n > 0; n--) {
            solo_rob(s, check_random(&random) % 3 ? other : NULL, 1 + check_random(&random) % 20);
            solo_look(s);
        }
        solo_look(other);
        if (check_random(&random) % 8 == 0) {
            solo_take_oldest(s, 1 + check_random(&random) % BATCH_MAX);
        }
        reclaim_quiescent();
    }
    for (size_t i = 0; i < 2; i++) {
        solo_drain(&both[i]);
        solo_end(&both[i]);
    }
    reclaim_unregister_thread();
    check_all_taken(items, count);
    free(items);
}

/*
 * An owner (member 0) who pushes and pops in bursts, and thieves who steal one at a time. With a global queue, what the
 * deque has no room for goes there, as the executor sends it, and everybody takes from it.
 */
struct robbery {
    const struct dq_ops *ops;
    size_t thieves, count, burst; /* items in all, and at most at once */
    bool overflows;
    struct dq *deque; /* from here on: by run_robbery */
    struct gq *global;
    struct item *items;
    size_t *pushed, pushed_count; /* the owner's, of a LIFO deque: what it pushed and has neither popped nor missed */
    size_t next;                  /* the owner's: the next item to push */
    size_t popped_last;           /* the owner's, of a FIFO deque: 1 + the last item that it popped */
    struct au64 stolen, overflown;
    struct au32 over; /* the owner has pushed everything and found its deque empty */
};

/* Thieves take the oldest: so of a LIFO deque the owner gets the newest of all, or nothing. */
static inline bool rob_pop(struct robbery *r) {
    struct sy_node *node;
    enum dq_status status = r->ops->pop(r->deque, &node);
    if (status != DQ_OK) {
        CHECK_EQ(status, DQ_EMPTY);
        r->pushed_count = 0;
        return false;
    }
    size_t index = (size_t)((struct item *)(void *)node - r->items);
    take_item(r->items, node);
    if (r->ops->order == DQ_LIFO) {
        CHECK(r->pushed_count > 0);
        CHECK_EQ(index, r->pushed[--r->pushed_count]);
    } else {
        CHECK(index >= r->popped_last);
        r->popped_last = index + 1;
    }
    return true;
}

static inline void rob_overflow(struct robbery *r, size_t index) {
    struct sy_node *batch[BATCH_MAX + 1];
    size_t n = dq_take_oldest(r->ops, r->deque, batch, BATCH_MAX), pushed;
    for (size_t i = 1; i < n; i++) {
        CHECK(batch[i - 1] < batch[i]); /* the items stand in an array in the order in which they are pushed */
    }
    batch[n++] = dirty(&r->items[index]);
    CHECK_EQ(gq_mutex_push_batch(r->global, batch, n, &pushed), GQ_OK);
    au64_fetch_add_relaxed(&r->overflown, n);
}

static inline bool rob_push(struct robbery *r, size_t index) {
    if (push_item(r->ops, r->deque, r->items, index)) {
        r->pushed[r->pushed_count++] = index;
        return true;
    }
    CHECK(r->ops->bounded);
    if (r->overflows) {
        rob_overflow(r, index);
    }
    return r->overflows;
}

/* Returns whether there was something. */
static inline bool rob_globally(struct robbery *r) {
    struct sy_node *batch[2];
    size_t got = 0;
    gq_mutex_pop_batch(r->global, batch, 2, &got);
    for (size_t i = 0; i < got; i++) {
        take_item(r->items, batch[i]);
    }
    return got > 0;
}

static inline void rob_as_owner(struct robbery *r) {
    uint64_t random = check_seed();
    while (r->next < r->count) {
        size_t pushes = 1 + check_random(&random) % r->burst, pops = check_random(&random) % (r->burst + 1);
        while (pushes-- > 0 && r->next < r->count && rob_push(r, r->next)) {
            r->next++;
        }
        while (pops-- > 0 && rob_pop(r)) {
        }
        reclaim_quiescent();
    }
    while (rob_pop(r)) {
    }
    au32_store_release(&r->over, 1);
}

/* One theft; `*next` is at least what was pushed after the last one. */
static inline enum dq_status rob_once(struct robbery *r, size_t *next) {
    struct sy_node *node;
    size_t moved;
    enum dq_status status = r->ops->steal(r->deque, NULL, 1, &node, &moved);
    CHECK_EQ(moved, status == DQ_OK);
    if (status == DQ_OK) {
        size_t index = take_item(r->items, node);
        CHECK(index >= *next); /* the oldest first: what one thief gets was pushed in this order */
        *next = index + 1;
        au64_fetch_add_relaxed(&r->stolen, 1);
    }
    return status;
}

/* Until nothing is left; run_robbery tells what is missing. */
static inline void rob_as_thief(struct robbery *r) {
    size_t next = 0;
    bool left = true;
    for (size_t i = 0; left; i++) {
        bool over = au32_load_acquire(&r->over);
        enum dq_status status = rob_once(r, &next);
        if (status == DQ_EMPTY || (status == DQ_RETRY && r->ops->withholds)) {
            left = rob_globally(r) || !over || status == DQ_RETRY;
            sched_yield();
        }
        if (status != DQ_OK || i % 64 == 0) {
            reclaim_quiescent();
        }
    }
}

static inline void robbery_member(size_t index, void *shared) {
    struct robbery *r = shared;
    reclaim_register_thread();
    if (index == 0) {
        rob_as_owner(r);
    } else {
        rob_as_thief(r);
    }
    reclaim_unregister_thread();
}

/* Before there are thieves, who may be fast enough for all that the owner has. */
static inline void rob_until_overflown(struct robbery *r) {
    while (r->next < r->count && au64_load_relaxed(&r->overflown) == 0) {
        CHECK(rob_push(r, r->next));
        r->next++;
    }
    CHECK(au64_load_relaxed(&r->overflown) > 0);
}

/* Returns how many items were stolen. */
static inline size_t run_robbery(struct robbery r, const struct dq_config *config) {
    struct gq_config global = {.capacity = GQ_CAPACITY_DEFAULT, .workers = 1};
    r.items = create_items(r.count);
    r.pushed = calloc(r.count, sizeof *r.pushed);
    CHECK(r.pushed != NULL);
    CHECK_EQ(gq_mutex_create(&r.global, &global), 0);
    r.deque = create_as(r.ops, config);
    reclaim_register_thread();
    if (r.overflows) {
        rob_until_overflown(&r);
    }
    reclaim_unregister_thread();
    threads_run(1 + r.thieves, robbery_member, &r);
    check_all_taken(r.items, r.count);
    reclaim_register_thread();
    expect_empty(r.ops, r.deque);
    reclaim_unregister_thread();
    r.ops->destroy(r.deque);
    gq_mutex_destroy(r.global);
    free(r.pushed);
    free(r.items);
    return (size_t)au64_load_relaxed(&r.stolen);
}

#endif
