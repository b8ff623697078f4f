/*
 * Reference rows: the loop of queue/pairs/1 over a ring, and those of deque/owner over a stack, that one thread may use
 * and that synchronise nothing. What is above them in a queue's or deque's row is the structure's; the rest is the
 * driver's items, counts and checks.
 *
 * plain_stacks is what deque/thieves could come down to: as many threads, each with such a stack and items of its own,
 * push and pop as the owner does and work on each item; nothing is shared, hence nothing waited for.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/micro_deque.h"
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

/* ---- the stack ---- */

struct stack {
    size_t length;
    struct sy_node *slots[DQ_CAPACITY_DEFAULT];
};

static struct stack *stack_of(struct dq *deque) {
    return (struct stack *)(void *)deque;
}

static int stack_create(struct dq **out, const struct dq_config *config) {
    (void)config;
    *out = (struct dq *)calloc(1, sizeof(struct stack));
    return *out ? 0 : -ENOMEM;
}

static void stack_destroy(struct dq *deque) {
    free(deque);
}

SY_INLINE enum dq_status stack_push(struct dq *deque, struct sy_node *item) {
    struct stack *s = stack_of(deque);
    if (s->length == DQ_CAPACITY_DEFAULT) {
        return DQ_FULL;
    }
    s->slots[s->length++] = item;
    return DQ_OK;
}

SY_INLINE enum dq_status stack_pop(struct dq *deque, struct sy_node **out) {
    struct stack *s = stack_of(deque);
    if (s->length == 0) {
        return DQ_EMPTY;
    }
    *out = s->slots[--s->length];
    return DQ_OK;
}

static const struct dq_ops stack_ops = {.name = "stack",
                                        .order = DQ_LIFO,
                                        .bounded = true,
                                        .create = stack_create,
                                        .destroy = stack_destroy,
                                        .push = stack_push,
                                        .pop = stack_pop};

static void stack_owner(void *d, struct micro_thread *self) {
    micro_deque_owner_round(&stack_ops, (struct micro_deque *)d, self);
}

/* Each thread is an owner whom nobody robs. */
static void stack_alone(void *deque, struct micro_thread *self) {
    struct micro_deque *d = deque;
    while (micro_goes_on(self)) {
        micro_deque_push_from(&stack_ops, d, self, self->index, MICRO_DEQUE_BURST);
        micro_count(&self->operations, micro_deque_pop(&stack_ops, d, self, SIZE_MAX));
    }
}

static const struct micro_deque_bodies stack_bodies = {.ops = &stack_ops, .owner = stack_owner, .thieves = stack_alone};

static void add_stack(struct micro_case one) {
    unsigned processors = micro_processors();
    one.subject = &stack_bodies;
    one.run = micro_deque_owner;
    for (size_t depth = 1; depth <= 64; depth *= 64) {
        one.parameters = (struct micro_parameters){.depth = depth};
        micro_add(&one, "plain_stack/%zu", depth);
    }
    one.run = micro_deque_thieves;
    for (unsigned threads = 2; threads > 0; threads = micro_next_rung(threads, 4 * processors)) {
        one.parameters = (struct micro_parameters){.threads = threads - 1, .producers = threads};
        one.x = threads;
        micro_deque_add_grains(&one, "plain_stacks", threads, processors);
    }
}

void micro_plain_add(void) {
    struct micro_case one = {.part = "reference", .core = true, .measures = "duration"};
    add_stack(one);
    one.run = micro_queue_burst;
    one.subject = &plain_bodies;
    one.parameters.depth = 1;
    micro_add(&one, "plain_ring/1");
}
