/*
 * Faulty deques, each a good one that does one thing wrong now and then. The suites are built with this list in place
 * of dq_list.h, and test_dq_broken.sh expects each to be found out by the tests that it names. A fault may keep what it
 * needs in globals: what deques share, one of them having it will do.
 */
#ifndef STEALYARD_STRESS_DQ_BROKEN_H
#define STEALYARD_STRESS_DQ_BROKEN_H

#include "queues/dq_chase_lev.h"
#include "queues/dq_mutex.h"

#include <sched.h>

static struct au64 broken_operations;

/* Whether this operation is to go wrong: one in so many. */
static inline bool broken_is_time(uint64_t one_in) {
    return (au64_fetch_add_relaxed(&broken_operations, 1) + 1) % one_in == 0;
}

/* ---- made of dq_mutex ---- */

/* Takes one item in 10,000 and forgets it. */
static enum dq_status loses_push(struct dq *deque, struct sy_node *item) {
    return broken_is_time(10000) ? DQ_OK : dq_mutex_push(deque, item);
}

/* Gives an item out once more. */
static enum dq_status doubles_pop(struct dq *deque, struct sy_node **out) {
    static SY_THREAD_LOCAL struct sy_node *last;
    if (last && broken_is_time(1000)) {
        *out = last;
        last = NULL;
        return DQ_OK;
    }
    enum dq_status status = dq_mutex_pop(deque, out);
    last = status == DQ_OK ? *out : NULL;
    return status;
}

/* Lets the oldest two items change places before a thief takes the first. */
static enum dq_status reorders_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                     size_t *moved) {
    struct dq_mutex *v = dq_mutex_of(victim);
    pthread_mutex_lock(&v->lock);
    if (au64_load_relaxed(&v->length) > 1 && broken_is_time(16)) {
        struct sy_node **first = dq_mutex_slot(v, v->oldest), **second = dq_mutex_slot(v, v->oldest + 1);
        struct sy_node *item = *first;
        *first = *second;
        *second = item;
    }
    pthread_mutex_unlock(&v->lock);
    return dq_mutex_steal(victim, thief, max, out, moved);
}

/* "Empty" of a deque with items, one time in 1,000: to the owner. */
static enum dq_status lies_pop(struct dq *deque, struct sy_node **out) {
    return broken_is_time(1000) ? DQ_EMPTY : dq_mutex_pop(deque, out);
}

/* "Empty" where a thief only could not look: never while it is alone. Now and then whoever looks is slow. */
static enum dq_status hasty_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                  size_t *moved) {
    *moved = 0;
    if (pthread_mutex_trylock(&dq_mutex_of(victim)->lock) != 0) {
        return DQ_EMPTY;
    }
    if (broken_is_time(8)) {
        sched_yield();
    }
    pthread_mutex_unlock(&dq_mutex_of(victim)->lock);
    return dq_mutex_steal(victim, thief, max, out, moved);
}

/* Sends a thief away whom nobody was in the way of. */
static enum dq_status denies_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                   size_t *moved) {
    *moved = 0;
    return broken_is_time(1000) ? DQ_RETRY : dq_mutex_steal(victim, thief, max, out, moved);
}

/* One item more than half, if there is a deque for it. */
static enum dq_status greedy_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                   size_t *moved) {
    struct sy_node *more;
    size_t one;
    enum dq_status status = dq_mutex_steal(victim, thief, max, out, moved);
    if (thief && *moved > 1 && *moved < max && dq_mutex_length(thief) < dq_mutex_of(thief)->capacity &&
        dq_mutex_steal(victim, NULL, 1, &more, &one) == DQ_OK) {
        dq_mutex_push(thief, more);
        (*moved)++;
    }
    return status;
}

/* Counts what it moved without the one that is to be run. */
static enum dq_status miscounts_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                      size_t *moved) {
    enum dq_status status = dq_mutex_steal(victim, thief, max, out, moved);
    *moved -= *moved > 1;
    return status;
}

/* Does not look whether the thief has room for two items, and drops what it has none for. */
static enum dq_status crams_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                  size_t *moved) {
    struct sy_node *more;
    size_t one;
    enum dq_status status = dq_mutex_steal(victim, thief, max, out, moved);
    if (thief && *moved == 1 && max > 1 && dq_mutex_length(victim) > 1 &&
        dq_mutex_steal(victim, NULL, 1, &more, &one) == DQ_OK) {
        dq_mutex_push(thief, more);
        (*moved)++;
    }
    return status;
}

/* The newest instead of the oldest. */
static size_t upends_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    (void)max;
    return dq_mutex_pop(deque, items) == DQ_OK;
}

/* All instead of half. */
static size_t empties_take_oldest(struct dq *deque, struct sy_node **items, size_t max) {
    size_t n = 0, got = 1;
    while (n < max && got > 0) {
        got = dq_mutex_take_oldest(deque, items + n, 1);
        n += got;
    }
    return n;
}

/* Loses a slot when it is emptied by thieves: there is less room for ever. */
static enum dq_status shrinks_push(struct dq *deque, struct sy_node *item) {
    struct dq_mutex *d = dq_mutex_of(deque);
    bool wrapped = d->oldest >= 2 * d->capacity;
    return wrapped && dq_mutex_length(deque) == d->capacity - 1 ? DQ_FULL : dq_mutex_push(deque, item);
}

/* Has room for one item too many: that takes the place of the oldest. */
static enum dq_status overwrites_push(struct dq *deque, struct sy_node *item) {
    struct dq_mutex *d = dq_mutex_of(deque);
    if (dq_mutex_length(deque) < d->capacity) {
        return dq_mutex_push(deque, item);
    }
    *dq_mutex_slot(d, d->oldest) = item;
    return DQ_OK;
}

/* Says "empty" of one item, as if its push were not over yet. */
static bool early_is_empty(const struct dq *deque) {
    return dq_mutex_length(deque) < 2;
}

/* "Not empty" for good, once it was not. */
static bool haunted_is_empty(const struct dq *deque) {
    static bool used;
    used = used || dq_mutex_length(deque) > 0;
    return !used;
}

/* One less than there are. */
static size_t understates_length(const struct dq *deque) {
    size_t length = dq_mutex_length(deque);
    return length > 3 ? length - 1 : length;
}

/* Any block is welcome. */
static int welcomes_create(struct dq **out, const struct dq_config *config) {
    struct dq_config without = *config;
    without.block = 0;
    return dq_mutex_create(out, &without);
}

/* Takes the item at which 32 bits come to their end for one of the past. */
static enum dq_status wraps_push(struct dq *deque, struct sy_node *item) {
    struct dq_mutex *d = dq_mutex_of(deque);
    return (uint32_t)(d->oldest + dq_mutex_length(deque)) == UINT32_MAX ? DQ_OK : dq_mutex_push(deque, item);
}

/* Forgets something of its own if it goes with items inside. */
static void leaks_destroy(struct dq *deque) {
    void *volatile leaked = dq_mutex_length(deque) > 0 ? malloc(16) : NULL;
    (void)leaked;
    dq_mutex_destroy(deque);
}

/* Keeps what was made before an allocation failed. */
static int spills_create(struct dq **out, const struct dq_config *config) {
    int status = dq_mutex_create(out, config);
    void *volatile spilt = status == -ENOMEM ? NULL : malloc(16);
    if (status == 0 && !spilt) {
        return -ENOMEM;
    }
    free(spilt);
    return status;
}

static struct aptr hoards_chain;

/* Something of every push, for ever. */
static enum dq_status hoards_push(struct dq *deque, struct sy_node *item) {
    void **piece = malloc(64);
    void *before = aptr_load_relaxed(&hoards_chain);
    while (piece) {
        *piece = before;
        if (aptr_cas_release(&hoards_chain, &before, piece)) {
            break;
        }
    }
    return dq_mutex_push(deque, item);
}

/* Without memory the item is gone. */
static enum dq_status starves_push(struct dq *deque, struct sy_node *item) {
    void *volatile piece = malloc(16);
    if (!piece) {
        return DQ_OK;
    }
    free(piece);
    return dq_mutex_push(deque, item);
}

/* Gives nothing to thieves as long as there are fewer than 32 items. */
static enum dq_status miserly_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                    size_t *moved) {
    *moved = 0;
    if (dq_mutex_length(victim) > 0 && dq_mutex_length(victim) < 32) {
        return DQ_RETRY;
    }
    return dq_mutex_steal(victim, thief, max, out, moved);
}

/* ---- made of dq_chase_lev, each faulty only while others are in the middle of something ---- */

static struct au32 waits_thieves;

static enum dq_status waits_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                  size_t *moved) {
    au32_fetch_add_relaxed(&waits_thieves, 1);
    enum dq_status status = dq_chase_lev_steal(victim, thief, max, out, moved);
    au32_fetch_sub_relaxed(&waits_thieves, 1);
    return status;
}

/* Its owner waits until no thief is at work. */
static enum dq_status waits_pop(struct dq *deque, struct sy_node **out) {
    while (au32_load_relaxed(&waits_thieves) > 0) {
        cpu_relax();
    }
    return dq_chase_lev_pop(deque, out);
}

/* Takes the last item without a compare-and-swap. */
static enum dq_status races_pop(struct dq *deque, struct sy_node **out) {
    struct dq_chase_lev *d = dq_chase_lev_of(deque);
    int64_t top = ai64_load_acquire(&d->top), bottom = ai64_load_relaxed(&d->bottom);
    if (bottom - top != 1) {
        return dq_chase_lev_pop(deque, out);
    }
    *out = aptr_load_relaxed(dq_array_slot(aptr_load_relaxed(&d->array), top));
    ai64_store_seq_cst(&d->top, bottom);
    return DQ_OK;
}

/* Reads the slot after it has taken the item, when the owner may have used it again. */
static enum dq_status tardy_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                  size_t *moved) {
    struct dq_chase_lev *v = dq_chase_lev_of(victim);
    int64_t top = ai64_load_acquire(&v->top);
    (void)thief, (void)max;
    *moved = 0;
    fence_seq_cst();
    if (top >= ai64_load_acquire(&v->bottom)) {
        return DQ_EMPTY;
    }
    struct dq_array *array = aptr_load_acquire(&v->array);
    if (!ai64_cas_seq_cst(&v->top, &top, top + 1)) {
        return DQ_RETRY;
    }
    *out = aptr_load_relaxed(dq_array_slot(array, top));
    *moved = 1;
    return DQ_OK;
}

/* Takes two items by one compare-and-swap, of which the owner may be popping one. */
static enum dq_status pairs_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                  size_t *moved) {
    struct dq_chase_lev *v = dq_chase_lev_of(victim);
    int64_t top = ai64_load_acquire(&v->top);
    fence_seq_cst();
    if (!thief || max < 2 || ai64_load_acquire(&v->bottom) - top < 3) {
        return dq_chase_lev_steal(victim, thief, max, out, moved);
    }
    struct dq_array *array = aptr_load_acquire(&v->array);
    struct sy_node *first = aptr_load_relaxed(dq_array_slot(array, top));
    struct sy_node *second = aptr_load_relaxed(dq_array_slot(array, top + 1));
    *moved = 0;
    if (!ai64_cas_seq_cst(&v->top, &top, top + 2)) {
        return DQ_RETRY;
    }
    dq_chase_lev_push(thief, second);
    *out = first;
    *moved = 2;
    return DQ_OK;
}

/* "Empty" where another thief was faster. */
static enum dq_status gives_up_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                     size_t *moved) {
    enum dq_status status = dq_chase_lev_steal(victim, thief, max, out, moved);
    return status == DQ_RETRY ? DQ_EMPTY : status;
}

#define DQ_LIST(DQ)                                                                                                    \
    DQ(loses)                                                                                                          \
    DQ(doubles)                                                                                                        \
    DQ(reorders)                                                                                                       \
    DQ(lies)                                                                                                           \
    DQ(hasty)                                                                                                          \
    DQ(denies)                                                                                                         \
    DQ(greedy)                                                                                                         \
    DQ(miscounts)                                                                                                      \
    DQ(crams)                                                                                                          \
    DQ(upends)                                                                                                         \
    DQ(empties)                                                                                                        \
    DQ(shrinks)                                                                                                        \
    DQ(overwrites)                                                                                                     \
    DQ(endless)                                                                                                        \
    DQ(early)                                                                                                          \
    DQ(haunted)                                                                                                        \
    DQ(understates)                                                                                                    \
    DQ(welcomes)                                                                                                       \
    DQ(wraps)                                                                                                          \
    DQ(leaks)                                                                                                          \
    DQ(spills)                                                                                                         \
    DQ(hoards)                                                                                                         \
    DQ(starves)                                                                                                        \
    DQ(miserly)                                                                                                        \
    DQ(waits)                                                                                                          \
    DQ(races)                                                                                                          \
    DQ(tardy)                                                                                                          \
    DQ(pairs)                                                                                                          \
    DQ(gives_up)

#define BROKEN_OPS(name) static struct dq_ops name##_ops;
DQ_LIST(BROKEN_OPS)

static void broken_chase_lev(struct dq_ops *ops) {
    const char *name = ops->name;
    *ops = dq_chase_lev_ops;
    ops->name = name;
}

static void broken_make_mutex(void) {
    loses_ops.push = loses_push;
    doubles_ops.pop = doubles_pop;
    reorders_ops.steal = reorders_steal;
    lies_ops.pop = lies_pop;
    hasty_ops.steal = hasty_steal;
    denies_ops.steal = denies_steal;
    greedy_ops.steal = greedy_steal;
    miscounts_ops.steal = miscounts_steal;
    crams_ops.steal = crams_steal;
    upends_ops.take_oldest = upends_take_oldest;
    empties_ops.take_oldest = empties_take_oldest;
    shrinks_ops.push = shrinks_push;
    overwrites_ops.push = overwrites_push;
    early_ops.is_empty = early_is_empty;
    haunted_ops.is_empty = haunted_is_empty;
    understates_ops.length = understates_length;
    welcomes_ops.create = welcomes_create;
    wraps_ops.push = wraps_push;
    leaks_ops.destroy = leaks_destroy;
    spills_ops.create = spills_create;
    hoards_ops.push = hoards_push;
    starves_ops.push = starves_push;
    miserly_ops.steal = miserly_steal;
    miserly_ops.withholds = true;
}

static void broken_make_chase_lev(void) {
    static struct dq_ops *const ops[] = {&endless_ops, &waits_ops, &races_ops, &tardy_ops, &pairs_ops, &gives_up_ops};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        broken_chase_lev(ops[i]);
    }
    endless_ops.bounded = true;
    waits_ops.pop = waits_pop;
    waits_ops.steal = waits_steal;
    races_ops.pop = races_pop;
    tardy_ops.steal = tardy_steal;
    pairs_ops.steal = pairs_steal;
    gives_up_ops.steal = gives_up_steal;
}

__attribute__((constructor)) static void broken_make(void) {
#define BROKEN_BASE(what)                                                                                              \
    what##_ops = dq_mutex_ops;                                                                                         \
    what##_ops.name = #what;
    DQ_LIST(BROKEN_BASE)
    broken_make_mutex();
    broken_make_chase_lev();
}

#endif
