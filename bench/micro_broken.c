/*
 * Queues and deques for the test of the micro-benchmarks' driver. Faulty ones: test_micro.py expects that each is found
 * out by the run that would have timed it; each is a good one that does one operation in so many wrong. And a good one
 * with bounds.
 */
#include "bench/micro_deque.h"
#include "bench/micro_list.h"
#include "bench/micro_queue.h"
#include "queues/dq_mutex.h"
#include "stress/gq_capped.h"

enum { OPERATIONS = 500, THEFTS = 20 }; /* one in so many goes wrong */

/* Whether this operation is to go wrong; counted by thread, which is enough for a fault. */
static bool is_time(unsigned one_in) {
    static SY_THREAD_LOCAL unsigned operations;
    return ++operations % one_in == 0;
}

/* Takes an item and forgets it. */
static enum gq_status loses_push(struct gq *queue, struct sy_node *item) {
    return is_time(OPERATIONS) ? GQ_OK : gq_mutex_push(queue, item);
}

/* Gives an item out once more. */
static enum gq_status doubles_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    static SY_THREAD_LOCAL struct sy_node *last;
    if (last && is_time(OPERATIONS)) {
        items[0] = last;
        *got = 1;
        return GQ_OK;
    }
    enum gq_status status = gq_mutex_pop_batch(queue, items, max, got);
    last = status == GQ_OK ? items[*got - 1] : last;
    return status;
}

/* Keeps an item back and gives it out after the next one. */
static enum gq_status reorders_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct sy_node *first;
    enum gq_status status = gq_mutex_pop_batch(queue, items, max, got);
    if (status == GQ_OK && *got == 1 && is_time(OPERATIONS)) {
        first = items[0];
        if (gq_mutex_pop_batch(queue, items, 1, got) == GQ_OK) {
            gq_mutex_push(queue, first);
        } else {
            items[0] = first;
            *got = 1;
        }
    }
    return status;
}

/* Gives out what nobody has pushed. */
static enum gq_status invents_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    static struct sy_node stranger;
    if (is_time(OPERATIONS)) {
        items[0] = &stranger;
        *got = 1;
        return GQ_OK;
    }
    return gq_mutex_pop_batch(queue, items, max, got);
}

/* Is not always empty where it should be. */
static enum gq_status haunted_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    enum gq_status status = gq_mutex_pop_batch(queue, items, max, got);
    return status == GQ_EMPTY && is_time(OPERATIONS) ? GQ_RETRY : status;
}

static enum gq_status capped_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    size_t room = capped_room(queue);
    gq_mutex_push_batch(queue, items, n < room ? n : room, pushed);
    return *pushed > 0 ? GQ_OK : GQ_FULL;
}

static const struct gq_ops capped_ops = {.name = "capped",
                                         .order = "FIFO",
                                         .bounded = true,
                                         .create = capped_create,
                                         .destroy = gq_mutex_destroy,
                                         .push = capped_push,
                                         .push_batch = capped_push_batch,
                                         .pop_batch = gq_mutex_pop_batch};
MICRO_QUEUE_STAMP(capped, false)

#define BROKEN_QUEUE(what, push_function, pop_function)                                                                \
    static const struct gq_ops what##_ops = {.name = #what,                                                            \
                                             .order = "FIFO",                                                          \
                                             .create = gq_mutex_create,                                                \
                                             .destroy = gq_mutex_destroy,                                              \
                                             .push = push_function,                                                    \
                                             .push_batch = gq_mutex_push_batch,                                        \
                                             .pop_batch = pop_function};                                               \
    MICRO_QUEUE_STAMP(what, false)
BROKEN_QUEUE(loses, loses_push, gq_mutex_pop_batch)
BROKEN_QUEUE(doubles, gq_mutex_push, doubles_pop_batch)
BROKEN_QUEUE(reorders, gq_mutex_push, reorders_pop_batch)
BROKEN_QUEUE(invents, gq_mutex_push, invents_pop_batch)
BROKEN_QUEUE(haunted, gq_mutex_push, haunted_pop_batch)

static enum dq_status dq_loses_push(struct dq *deque, struct sy_node *item) {
    return is_time(OPERATIONS) ? DQ_OK : dq_mutex_push(deque, item);
}

/* A theft that takes nothing away. */
static enum dq_status dq_doubles_steal(struct dq *victim, struct dq *thief, size_t max, struct sy_node **out,
                                       size_t *moved) {
    struct dq_mutex *d = dq_mutex_of(victim);
    pthread_mutex_lock(&d->lock);
    bool doubles = au64_load_relaxed(&d->length) > 0 && is_time(THEFTS);
    *out = doubles ? *dq_mutex_slot(d, d->oldest) : NULL;
    pthread_mutex_unlock(&d->lock);
    if (!doubles) {
        return dq_mutex_steal(victim, thief, max, out, moved);
    }
    *moved = 1;
    return DQ_OK;
}

/* Gives the owner the oldest. */
static enum dq_status dq_reorders_pop(struct dq *deque, struct sy_node **out) {
    size_t moved;
    return is_time(OPERATIONS) ? dq_mutex_steal(deque, NULL, 1, out, &moved) : dq_mutex_pop(deque, out);
}

#define BROKEN_DEQUE(what, push_function, pop_function, steal_function)                                                \
    static const struct dq_ops what##_ops = {.name = #what,                                                            \
                                             .order = DQ_LIFO,                                                         \
                                             .bounded = true,                                                          \
                                             .create = dq_mutex_create,                                                \
                                             .destroy = dq_mutex_destroy,                                              \
                                             .push = push_function,                                                    \
                                             .pop = pop_function,                                                      \
                                             .steal = steal_function};                                                 \
    MICRO_DEQUE_STAMP(what)
BROKEN_DEQUE(dq_loses, dq_loses_push, dq_mutex_pop, dq_mutex_steal)
BROKEN_DEQUE(dq_doubles, dq_mutex_push, dq_mutex_pop, dq_doubles_steal)
BROKEN_DEQUE(dq_reorders, dq_mutex_push, dq_reorders_pop, dq_mutex_steal)

void micro_broken_add(void) {
    micro_queue_add(&loses_bodies);
    micro_queue_add(&doubles_bodies);
    micro_queue_add(&reorders_bodies);
    micro_queue_add(&invents_bodies);
    micro_queue_add(&haunted_bodies);
    micro_queue_add(&capped_bodies);
    micro_deque_add(&dq_loses_bodies);
    micro_deque_add(&dq_doubles_bodies);
    micro_deque_add(&dq_reorders_bodies);
}
