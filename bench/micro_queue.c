/* A global queue's run: made, run, emptied, checked. Which runs there are is in micro_queue_cases.c. */
#include "bench/micro_queue.h"

#include "bench/micro_queue_cases.h"

enum { TAKERS_BEYOND = 1 }; /* of the thread that empties it at last */

static void destroy(const struct gq_ops *ops, struct micro_queue *q) {
    micro_items_destroy(&q->items);
    if (q->queue) {
        ops->destroy(q->queue);
    }
}

/* NULL, or why not. `threads` of which the first `pushers` push. */
static const char *create(const struct gq_ops *ops, struct micro_queue *q, unsigned threads, unsigned pushers) {
    struct gq_config config = {.capacity = q->parameters->capacity, .workers = threads};
    if (config.capacity == 0) {
        config.capacity = GQ_CAPACITY_DEFAULT;
    }
    q->in_order = strncmp(ops->order, "FIFO", 4) == 0;
    if (!micro_items_create(&q->items, pushers, threads + TAKERS_BEYOND)) {
        return "no memory";
    }
    return ops->create(&q->queue, &config) == 0 ? NULL : "the queue cannot be made";
}

/* When the threads have ended and popped so many: what is left comes out in order too, and then all did. */
static const char *drain(const struct gq_ops *ops, struct micro_queue *q, struct micro_thread *self, uint64_t popped) {
    enum { RETRIES_MOST = 1 << 20 };
    for (unsigned misses = 0; misses < RETRIES_MOST;) {
        struct sy_node *node;
        size_t got;
        enum gq_status status = ops->pop_batch(q->queue, &node, 1, &got);
        if (status == GQ_EMPTY) {
            break;
        }
        if (status == GQ_RETRY) {
            misses++;
            continue;
        }
        micro_queue_take(q, self, &node, 1);
        popped++;
    }
    return self->failure ? self->failure : micro_items_check(&q->items, popped);
}

static void run_team(const struct micro_queue_bodies *bodies, struct micro_queue *q, struct micro_team *team,
                     const struct micro_extent *extent, struct micro_result *result) {
    struct micro_thread self = {.index = team->threads};
    q->start_ns = micro_now_ns();
    micro_run_team(team, extent, result);
    /* Only now: an attached thread that waits would keep what the team retires from being freed. */
    if (!micro_queue_attach(bodies->ops, q, &self)) {
        result->failure = self.failure;
        return;
    }
    if (!result->failure) {
        result->failure = drain(bodies->ops, q, &self, result->all_operations);
    }
    micro_queue_detach(bodies->ops, q);
}

static void run_together(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                         struct micro_team *team, unsigned pushers) {
    const struct micro_queue_bodies *bodies = one->subject;
    struct micro_queue q = {.parameters = &one->parameters};
    team->pinned = one->parameters.pinned;
    team->work_ns = one->parameters.work_ns;
    team->argument = &q;
    result->failure = create(bodies->ops, &q, team->threads, pushers);
    if (!result->failure) {
        run_team(bodies, &q, team, extent, result);
    }
    destroy(bodies->ops, &q);
}

static void by_role(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                    micro_queue_body *body, bool latency) {
    const struct micro_parameters *p = &one->parameters;
    struct micro_team team = {.leaders = p->producers, .counts = {false, true}, .latency = latency, .body = body};
    team.threads = p->producers + p->consumers;
    run_together(one, extent, result, &team, p->producers);
}

void micro_queue_transfer(const struct micro_case *one, const struct micro_extent *extent,
                          struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    by_role(one, extent, result, bodies->transfer, false);
}

void micro_queue_latency(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    by_role(one, extent, result, bodies->latency, true);
}

void micro_queue_mixture(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    unsigned threads = one->parameters.threads;
    struct micro_team team = {.threads = threads, .leaders = threads, .counts = {true, true}, .body = bodies->mixed};
    run_together(one, extent, result, &team, threads);
}

static void run_alone(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                      micro_queue_body *round) {
    const struct micro_queue_bodies *bodies = one->subject;
    struct micro_queue q = {.parameters = &one->parameters};
    struct micro_thread self = {.index = 1};
    result->failure = create(bodies->ops, &q, 1, 1);
    if (!result->failure && micro_queue_attach(bodies->ops, &q, &self)) {
        micro_run_alone(round, &q, extent, result);
        if (!result->failure) {
            result->failure = drain(bodies->ops, &q, &self, q.items.pools[0].pushed ? result->operations : 0);
        }
        micro_queue_detach(bodies->ops, &q);
    } else if (!result->failure) {
        result->failure = self.failure;
    }
    destroy(bodies->ops, &q);
}

void micro_queue_burst(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->burst);
}

void micro_queue_batches(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->batches);
}

void micro_queue_empty(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    const struct micro_queue_bodies *bodies = one->subject;
    run_alone(one, extent, result, bodies->empty);
}
