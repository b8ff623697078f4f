/*
 * The model of gq_array_asym.h. Its fences are full barriers on both sides here: a model checker has no membarrier(2),
 * and asym.h argues that the pair is as good as two full ones. A pop is one attempt and has no patience, so that every
 * run in which a pusher is slower than a popper goes through the skipping. There are four segments of two slots.
 *
 * With LATE there is one shape of its own: a pusher that was skipped comes while one thread crosses the border of its
 * segment and another uses the segment again. It passes no light fence, as no heavy one is made meanwhile.
 *
 * With AGAIN there is another: a pusher has filled its slot and not yet looked whether it was skipped when its item is
 * taken, the segment used again, and the slot's next pusher skipped. With SUSPECTED the pusher finds a suspicion
 * besides, and those who come between may make a skip of it before he ends it.
 */
#if defined(LATE) || defined(AGAIN)
#define GQ_ARRAY_ASYM_BITS 2 /* two segments */
#else
#define GQ_ARRAY_ASYM_BITS 3
#endif

#include "gq_model.h"

#include "queues/gq_array_asym.h"

static enum gq_status pop_once(struct gq *q, struct sy_node **items_out, size_t max, size_t *got) {
    return gq_array_asym_try_pop(gq_array_asym_of(q), items_out, max, got, true);
}

#if defined(LATE) || defined(AGAIN)
static struct gq_array_asym *array;
static struct aptr *slot;

static void begin(void) {
    struct gq_config config = {.capacity = 2, .segment = 2};
    uint64_t position;
    int error = gq_array_asym_create(&queue, &config);
    assert(error == 0);
    array = gq_array_asym_of(queue);
    gq_array_asym_claim(array, 1, &position, &slot);
}
#endif

#if defined(LATE)
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
    pthread_t threads[3];
    begin();
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
#elif defined(AGAIN)
static bool given_up;
static uint64_t next_position;
static struct aptr *next_slot;

static void *fill(void *unused) {
#ifdef SUSPECTED
    aptr_store_release(slot, &items[0][0].node);
    gq_array_asym_accuse(array, gq_array_asym_stall(array, slot)); /* stands for a popper that stalls then */
    given_up = gq_array_asym_settle(array, 0, slot);
#else
    given_up = gq_array_asym_fill(array, 0, slot, &items[0][0].node);
#endif
    return unused;
}

static void *take(void *unused) {
    struct sy_node *out[2];
    size_t got;
    gq_array_asym_try_pop(array, out, 2, &got, false);
    return unused;
}

/* Skips the next pusher, if he has the first one's slot, the head is there, and the first does not come between. */
static void *skip(void *unused) {
    gq_array_asym_claim(array, 1, &next_position, &next_slot);
    if (next_slot == slot) {
        gq_array_asym_skip(array, next_position, next_slot);
    }
    return unused;
}

int main(void) {
    pthread_t threads[3];
    begin();
    gq_array_asym_push(queue, &items[0][1].node);
    pthread_create(&threads[0], NULL, fill, NULL);
    pthread_create(&threads[1], NULL, take, NULL);
    pthread_create(&threads[2], NULL, skip, NULL);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert(!given_up); /* the item was taken, or is there to be taken */
    bool skipped = au64_load_relaxed(&array->head) > next_position;
    assert(gq_array_asym_fill(array, next_position, next_slot, &items[0][1].node) == skipped);
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
