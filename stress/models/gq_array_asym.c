/*
 * The model of gq_array_asym.h. Its fences are full barriers on both sides here: a model checker has no membarrier(2),
 * and asym.h argues that the pair is as good as two full ones. A pop is one attempt and has no patience, so that every
 * run in which a pusher is slower than a popper goes through the skipping. There are four segments of two slots.
 *
 * With LATE there is one shape of its own: a pusher that was skipped comes while one thread crosses the border of its
 * segment and another uses the segment again. It passes no light fence, as no heavy one is made meanwhile.
 */
#ifdef LATE
#define GQ_ARRAY_ASYM_BITS 2 /* two segments */
#else
#define GQ_ARRAY_ASYM_BITS 3
#endif

#include "gq_model.h"

#include "queues/gq_array_asym.h"

static enum gq_status pop_once(struct gq *q, struct sy_node **items_out, size_t max, size_t *got) {
    return gq_array_asym_try_pop(gq_array_asym_of(q), items_out, max, got, true);
}

#ifdef LATE
static struct gq_array_asym *array;
static struct aptr *slot;

static void *come_late(void *unused) {
    aptr_store_release(slot, &items[0][0]);
    assert(gq_array_asym_settle(array, 0, slot));
    return unused;
}

static void *cross(void *unused) {
    gq_array_asym_cross(array, 1);
    return unused;
}

static void *use_again(void *unused) {
    gq_array_asym_install(array, GQ_ARRAY_ASYM_SLOTS);
    return unused;
}

int main(void) {
    struct gq_config config = {.capacity = 2, .segment = 2};
    pthread_t threads[3];
    uint64_t position;
    int error = gq_array_asym_create(&queue, &config);
    assert(error == 0);
    array = gq_array_asym_of(queue);
    gq_array_asym_claim(array, 1, &position, &slot);
    uint64_t seen = gq_array_asym_accuse(array, gq_array_asym_stall(array, slot));
    au64_cas_acq_rel(gq_array_asym_stall(array, slot), &seen, seen + 1);
    au64_store_relaxed(&array->head, 2);
    pthread_create(&threads[0], NULL, come_late, NULL);
    pthread_create(&threads[1], NULL, cross, NULL);
    pthread_create(&threads[2], NULL, use_again, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    struct aptr *again = gq_array_asym_find(array, GQ_ARRAY_ASYM_SLOTS);
    assert(again != slot || !aptr_load_relaxed(slot));
    gq_array_asym_destroy(queue);
    return 0;
}
#else
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
#endif
