/*
 * The model of gq_array_asym.h. Its fences are full barriers on both sides here: a model checker has no membarrier(2),
 * and asym.h argues that the pair is as good as two full ones. A pop is one attempt and has no patience, so that every
 * run in which a pusher is slower than a popper goes through the skipping. There are four segments of two slots.
 */
#define GQ_ARRAY_ASYM_BITS 3

#include "gq_model.h"

#include "queues/gq_array_asym.h"

static enum gq_status pop_once(struct gq *q, struct sy_node **items_out, size_t max, size_t *got) {
    return gq_array_asym_try_pop(gq_array_asym_of(q), items_out, max, got, true);
}

int main(void) {
    static struct gq_ops once;
    once.create = gq_array_asym_create;
    once.destroy = gq_array_asym_destroy;
    once.push = gq_array_asym_push;
    once.push_batch = gq_array_asym_push_batch;
    once.pop_batch = pop_once;
    once.is_empty = gq_array_asym_is_empty;
    run_model(&once);
    return 0;
}
