/*
 * What is timed of a global queue: the loops, written once over an ops struct that is known where they are stamped out,
 * so that its operations are inlined. The lists' queues are stamped by micro_gq.c; a peer in C++ is put behind the same
 * struct (micro_peers_*.cc) and runs the same loops.
 *
 * An operation is an item that went through the queue, pushed and popped; of "empty", a pop of an empty queue.
 */
#ifndef STEALYARD_BENCH_MICRO_QUEUE_H
#define STEALYARD_BENCH_MICRO_QUEUE_H

#include <string.h>

#include "bench/micro_item.h"
#include "queues/gq.h"
#include "queues/reclaim.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MICRO_BATCH_MAX = 128, MICRO_QUEUE_ROUND = 1024 };

struct micro_queue {
    struct gq *queue;
    const struct micro_parameters *parameters;
    struct micro_items items; /* a pool for each thread that pushes; each thread, and one more, takes */
    bool in_order;            /* the queue claims that a producer's items come out in its order */
    uint64_t start_ns;        /* of the schedule */
};

typedef void micro_queue_body(void *queue, struct micro_thread *self);

/* The loops of one implementation. */
struct micro_queue_bodies {
    const struct gq_ops *ops;
    bool peer;
    micro_queue_body *transfer, *mixed, *latency; /* until the team stops */
    micro_queue_body *burst, *batches, *empty;    /* one round */
};

/* Adds the cases of an implementation; `bodies` stays. */
void micro_queue_add(const struct micro_queue_bodies *bodies);

/* ---- loops ---- */

/* Pushes up to `n` of the thread's next items; returns how many went in. */
SY_INLINE size_t micro_queue_push(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self, size_t n,
                                  uint64_t intended_ns) {
    struct sy_node *nodes[MICRO_BATCH_MAX];
    size_t ready = micro_pool_ready(&q->items, self->index, n), pushed = 0;
    struct micro_item *first = micro_pool_next(&q->items, self->index);
    for (size_t i = 0; i < ready; i++) {
        if (intended_ns) {
            first[i].intended_ns = intended_ns;
        }
        nodes[i] = &first[i].node;
    }
    if (ready == 0) {
        micro_count(&self->held, 1);
        return 0;
    }
    if (ready == 1) {
        pushed = gq->push(q->queue, nodes[0]) == GQ_OK;
    } else {
        gq->push_batch(q->queue, nodes, ready, &pushed);
    }
    q->items.pools[self->index].pushed += pushed;
    if (pushed == 0) {
        micro_count(&self->full, 1);
    }
    return pushed;
}

/* Notes that items came out, and what is wrong with that. */
SY_INLINE void micro_queue_take(struct micro_queue *q, struct micro_thread *self, struct sy_node *const *nodes,
                                size_t n) {
    enum micro_taken taken = micro_items_take(&q->items, self->index, nodes, n);
    if (taken == MICRO_STRANGER) {
        self->failure = "something came out that was never pushed";
    } else if (taken == MICRO_REORDERED && q->in_order) {
        self->failure = "a producer's items came out in another order";
    }
}

/* Pops up to `n`; returns how many came out. With a clock's time: the latency of each since its intended start. */
SY_INLINE size_t micro_queue_pop(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self, size_t n,
                                 bool timed) {
    struct sy_node *nodes[MICRO_BATCH_MAX];
    size_t got = 0;
    enum gq_status status = gq->pop_batch(q->queue, nodes, n, &got);
    if (status != GQ_OK) {
        micro_count(status == GQ_EMPTY ? &self->empty : &self->retry, 1);
        return 0;
    }
    uint64_t now_ns = timed ? micro_now_ns() : 0;
    for (size_t i = 0; timed && i < got; i++) {
        if (micro_phase(self) == MICRO_MEASURE) {
            latency_record(self->latency, now_ns - micro_item_of(nodes[i])->intended_ns);
        }
    }
    micro_queue_take(q, self, nodes, got);
    return got;
}

/* Between two operations. Where nothing is reclaimed it is nothing. */
SY_INLINE void micro_queue_rest(const struct gq_ops *gq) {
    if (gq->reclaims) {
        reclaim_quiescent();
    }
}

SY_INLINE void micro_queue_produce(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    while (micro_goes_on(self)) {
        micro_queue_rest(gq);
        size_t pushed = micro_queue_push(gq, q, self, q->parameters->batch, 0);
        if (pushed == 0) {
            micro_pause(self);
            continue;
        }
        micro_count(&self->operations, pushed);
        micro_work(self);
    }
}

/* Pushes one item at each time of the schedule, late ones at once; an item that is put off keeps its intended time. */
SY_INLINE void micro_queue_produce_on_time(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    uint64_t interval_ns = 1000000000u / q->parameters->rate_hz;
    uint64_t intended_ns = q->start_ns + interval_ns * self->index / q->parameters->producers;
    while (micro_goes_on(self)) {
        micro_queue_rest(gq);
        if (micro_now_ns() < intended_ns || micro_queue_push(gq, q, self, 1, intended_ns) == 0) {
            micro_pause(self);
            continue;
        }
        micro_count(&self->operations, 1);
        intended_ns += interval_ns;
    }
}

SY_INLINE void micro_queue_consume(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self,
                                   bool timed) {
    while (micro_goes_on(self)) {
        micro_queue_rest(gq);
        size_t got = micro_queue_pop(gq, q, self, q->parameters->batch, timed);
        if (got == 0) {
            micro_pause(self);
            continue;
        }
        micro_count(&self->operations, got);
        micro_work(self);
    }
}

/* Pushes and pops in turn; what it pops is mostly another thread's. First it puts its share inside that is to stay. */
SY_INLINE void micro_queue_mix(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    for (size_t i = 0; i < q->parameters->prefill / q->parameters->threads; i++) {
        micro_queue_push(gq, q, self, 1, 0);
    }
    while (micro_goes_on(self)) {
        micro_queue_rest(gq);
        micro_queue_push(gq, q, self, q->parameters->batch, 0);
        micro_work(self);
        size_t got = micro_queue_pop(gq, q, self, q->parameters->batch, false);
        if (got == 0) {
            micro_pause(self);
        }
        micro_count(&self->operations, got);
        micro_work(self);
    }
}

SY_INLINE bool micro_queue_attach(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    bool ok = !gq->attach || gq->attach(q->queue) == 0;
    if (!ok) {
        self->failure = "a thread cannot be attached to the queue";
    }
    return ok;
}

SY_INLINE void micro_queue_detach(const struct gq_ops *gq, struct micro_queue *q) {
    if (gq->detach) {
        gq->detach(q->queue);
    }
}

/* Pushes `depth` items one by one and pops them again, until a round is full; depth 1 are pairs. */
SY_INLINE void micro_queue_bursts(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    size_t depth = q->parameters->depth;
    for (size_t done = 0; done < MICRO_QUEUE_ROUND; done += depth) {
        for (size_t i = 0; i < depth; i++) {
            micro_queue_push(gq, q, self, 1, 0);
        }
        size_t got = 0;
        for (size_t i = 0; i < depth; i++) {
            got += micro_queue_pop(gq, q, self, 1, false);
        }
        micro_queue_rest(gq);
        if (got < depth) {
            self->failure = "items are missing from a queue that nobody else uses";
        }
        micro_count(&self->operations, got);
    }
}

/* Pushes a batch at once and pops until it is out, until a round is full. */
SY_INLINE void micro_queue_batch_pairs(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    size_t batch = q->parameters->batch;
    for (size_t done = 0; done < MICRO_QUEUE_ROUND; done += batch) {
        size_t pushed = micro_queue_push(gq, q, self, batch, 0), got = 0, now = 1;
        while (got < pushed && now > 0) {
            now = micro_queue_pop(gq, q, self, batch, false);
            got += now;
        }
        micro_queue_rest(gq);
        if (got < batch) {
            self->failure = "items are missing from a queue that nobody else uses";
        }
        micro_count(&self->operations, got);
    }
}

SY_INLINE void micro_queue_polls(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    for (unsigned i = 0; i < MICRO_QUEUE_ROUND; i++) {
        struct sy_node *node;
        size_t got;
        if (gq->pop_batch(q->queue, &node, 1, &got) != GQ_EMPTY) {
            self->failure = "an empty queue is not empty";
        }
    }
    micro_count(&self->operations, MICRO_QUEUE_ROUND);
}

SY_INLINE void micro_queue_by_role(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self,
                                   bool timed) {
    if (!micro_queue_attach(gq, q, self)) {
        return;
    }
    if (self->role == 1) {
        micro_queue_consume(gq, q, self, timed);
    } else if (timed) {
        micro_queue_produce_on_time(gq, q, self);
    } else {
        micro_queue_produce(gq, q, self);
    }
    micro_queue_detach(gq, q);
}

SY_INLINE void micro_queue_mixed(const struct gq_ops *gq, struct micro_queue *q, struct micro_thread *self) {
    if (micro_queue_attach(gq, q, self)) {
        micro_queue_mix(gq, q, self);
        micro_queue_detach(gq, q);
    }
}

/* Defines name##_bodies of `const struct gq_ops name##_ops`. */
#define MICRO_QUEUE_STAMP(name, is_peer)                                                                               \
    static void name##_transfer(void *q, struct micro_thread *self) {                                                  \
        micro_queue_by_role(&name##_ops, (struct micro_queue *)q, self, false);                                        \
    }                                                                                                                  \
    static void name##_latency(void *q, struct micro_thread *self) {                                                   \
        micro_queue_by_role(&name##_ops, (struct micro_queue *)q, self, true);                                         \
    }                                                                                                                  \
    static void name##_mixed(void *q, struct micro_thread *self) {                                                     \
        micro_queue_mixed(&name##_ops, (struct micro_queue *)q, self);                                                 \
    }                                                                                                                  \
    static void name##_burst(void *q, struct micro_thread *self) {                                                     \
        micro_queue_bursts(&name##_ops, (struct micro_queue *)q, self);                                                \
    }                                                                                                                  \
    static void name##_batches(void *q, struct micro_thread *self) {                                                   \
        micro_queue_batch_pairs(&name##_ops, (struct micro_queue *)q, self);                                           \
    }                                                                                                                  \
    static void name##_empty(void *q, struct micro_thread *self) {                                                     \
        micro_queue_polls(&name##_ops, (struct micro_queue *)q, self);                                                 \
    }                                                                                                                  \
    static const struct micro_queue_bodies name##_bodies = {&name##_ops,    is_peer,        name##_transfer,           \
                                                            name##_mixed,   name##_latency, name##_burst,              \
                                                            name##_batches, name##_empty};

#ifdef __cplusplus
}
#endif

#endif
