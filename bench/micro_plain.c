/*
 * A reference row: the loop of queue/pairs/1 over a ring that one thread may use and that synchronises nothing. What is
 * above it in a queue's row is the queue's; the rest is the driver's items, counts and checks.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/micro_list.h"
#include "bench/micro_queue.h"
#include "bench/micro_queue_cases.h"

struct plain {
    size_t oldest, next; /* count on */
    struct sy_node *slots[MICRO_POOL];
};

static struct plain *plain_of(struct gq *queue) {
    return (struct plain *)(void *)queue;
}

static int plain_create(struct gq **out, const struct gq_config *config) {
    (void)config;
    *out = (struct gq *)calloc(1, sizeof(struct plain));
    return *out ? 0 : -ENOMEM;
}

static void plain_destroy(struct gq *queue) {
    free(queue);
}

SY_INLINE enum gq_status plain_push(struct gq *queue, struct sy_node *item) {
    struct plain *p = plain_of(queue);
    if (p->next - p->oldest == MICRO_POOL) {
        return GQ_FULL;
    }
    p->slots[p->next++ % MICRO_POOL] = item;
    return GQ_OK;
}

SY_INLINE enum gq_status plain_push_batch(struct gq *queue, struct sy_node *const *items, size_t n, size_t *pushed) {
    for (*pushed = 0; *pushed < n && plain_push(queue, items[*pushed]) == GQ_OK; ++*pushed) {
    }
    return *pushed > 0 ? GQ_OK : GQ_FULL;
}

SY_INLINE enum gq_status plain_pop_batch(struct gq *queue, struct sy_node **items, size_t max, size_t *got) {
    struct plain *p = plain_of(queue);
    for (*got = 0; *got < max && p->oldest != p->next; ++*got) {
        items[*got] = p->slots[p->oldest++ % MICRO_POOL];
    }
    return *got > 0 ? GQ_OK : GQ_EMPTY;
}

static const struct gq_ops plain_ops = {.name = "plain",
                                        .order = "FIFO",
                                        .create = plain_create,
                                        .destroy = plain_destroy,
                                        .push = plain_push,
                                        .push_batch = plain_push_batch,
                                        .pop_batch = plain_pop_batch};

MICRO_QUEUE_STAMP(plain, false)

void micro_plain_add(void) {
    const struct micro_case one = {.part = "reference",
                                   .core = true,
                                   .measures = "duration",
                                   .run = micro_queue_burst,
                                   .subject = &plain_bodies,
                                   .parameters = {.depth = 1}};
    micro_add(&one, "plain_ring/1");
}
