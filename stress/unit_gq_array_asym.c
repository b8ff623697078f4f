/*
 * ctest-timeout: 300
 * The array queue's stalled pushers, one step at a time: a push is taken apart into its claim and its fill, with pops
 * in between, so that every state of a stall is passed on purpose; then crowds whose pushers dawdle before any access.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP
#include "stress/gq_array_asym_halves.h"
#include "stress/threads.h"

#if defined(ASYM_MEMBARRIER)
#include "stress/refuse.h"
#endif

enum { SEGMENT = 4 };

static void a_stalled_pusher_holds_nobody(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    struct half_push stalled = begin(0);
    CHECK(!gq_array_asym_is_empty(queue));
    push(1);
    push(2);
    expect_item(1);
    CHECK_EQ(state_of(&stalled), GQ_ARRAY_ASYM_SKIPPED);
    expect_item(2);
    expect_empty();
    CHECK_EQ(au64_load_relaxed(&array->stalled), 1);
    CHECK(end(&stalled));
    CHECK_EQ(state_of(&stalled), GQ_ARRAY_ASYM_OVER);
    expect_empty();
    push(0);
    expect_item(0);
    done();
}

/* The segment that it may still write to is nobody else's until it has come. */
static void a_segment_waits_for_its_pushers(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    struct half_push first = begin(0);
    push(1);
    struct half_push second = begin(2);
    push(3);
    CHECK_EQ(ids_taken(), 1);
    expect_item(1);
    expect_item(3);
    CHECK_EQ(ids_taken(), 1);
    CHECK_EQ(state_of(&first), GQ_ARRAY_ASYM_CROSSED);
    CHECK_EQ(state_of(&second), GQ_ARRAY_ASYM_SKIPPED);
    for (size_t i = 4; i < 4 * ITEMS; i++) {
        push(i % ITEMS);
        expect_item(i % ITEMS);
    }
    CHECK_EQ(ids_taken(), 1);
    CHECK(end(&first));
    CHECK_EQ(state_of(&second), GQ_ARRAY_ASYM_CROSSED);
    CHECK_EQ(ids_taken(), 1);
    CHECK(end(&second));
    CHECK_EQ(ids_taken(), 0);
    done();
}

/* As long as each is too late for the other neither gets anywhere, as the header says, nor is anything lost. */
static void a_chase_goes_on(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    for (size_t i = 0; i < ITEMS; i++) {
        struct sy_node *node;
        size_t got;
        struct half_push late = begin(0);
        CHECK_EQ(gq_array_asym_try_pop(array, &node, 1, &got, true), GQ_RETRY);
        CHECK(end(&late));
    }
    push(0);
    expect_item(0);
    CHECK_EQ(ids_taken(), 1);
    done();
}

static void who_comes_in_time_is_not_skipped(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    struct half_push late = begin(0);
    push(1);
    struct au64 *stall = gq_array_asym_stall(array, late.slot);
    uint64_t suspect = gq_array_asym_accuse(array, stall);
    CHECK_EQ(gq_array_asym_state(suspect), GQ_ARRAY_ASYM_SUSPECT);
    CHECK_EQ(gq_array_asym_accuse(array, stall), suspect);
    CHECK(!end(&late)); /* and ends the stall */
    CHECK_EQ(state_of(&late), GQ_ARRAY_ASYM_OVER);
    /* The one who accused him goes on where he was, and another accuses anew: the first must not take it for his. */
    uint64_t another = gq_array_asym_accuse(array, stall), expected = suspect;
    CHECK(another != suspect);
    CHECK(!au64_cas_acq_rel(stall, &expected, suspect + 1));
    expect_item(0); /* and ends that one */
    CHECK_EQ(au64_load_relaxed(&array->stalled), 0);
    expect_item(1);
    done();
}

/*
 * A pusher whose item was seen and taken before it looked for a stall: by then its slot is in use again, and another
 * pusher was skipped there (with two slots crossed besides). It would push its item twice, and the other's be lost.
 */
static void who_was_taken_minds_no_later_stall(size_t variant) {
    (void)variant;
    for (size_t segment = 2; segment <= 4; segment += 2) {
        make(segment, 0);
        struct half_push early = begin(0);
        aptr_store_release(early.slot, early.item);
        for (size_t i = 1; i < segment; i++) {
            push(i);
        }
        for (size_t i = 0; i < segment; i++) {
            expect_item(i);
        }
        struct half_push later = begin(segment);
        CHECK(later.slot == early.slot);
        push(segment + 1);
        expect_item(segment + 1);
        unsigned state = segment == 2 ? GQ_ARRAY_ASYM_CROSSED : GQ_ARRAY_ASYM_SKIPPED;
        CHECK_EQ(state_of(&later), state);
        CHECK(!gq_array_asym_settle(array, early.position, early.slot));
        CHECK_EQ(state_of(&later), state);
        CHECK(end(&later));
        done();
    }
}

/* Filled, but too late: nobody may take what stands there, though the head has not gone on yet. */
static void a_skipped_item_is_not_taken(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    struct half_push late = begin(0);
    struct au64 *stall = gq_array_asym_stall(array, late.slot);
    uint64_t seen = gq_array_asym_accuse(array, stall);
    CHECK(au64_cas_acq_rel(stall, &seen, seen + 1));
    aptr_store_release(late.slot, late.item);
    push(1);
    expect_item(1);
    CHECK(gq_array_asym_settle(array, late.position, late.slot));
    done();
}

static void a_batch_keeps_its_order(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    struct half_push before = begin(0); /* makes the batch below find stalls */
    push(1);
    expect_item(1);
    struct sy_node *batch[ITEMS];
    size_t pushed = 0, got = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        batch[i] = &items[i];
    }
    CHECK_EQ(gq_array_asym_push_batch(queue, batch, ITEMS, &pushed), GQ_OK);
    CHECK_EQ(pushed, ITEMS);
    CHECK(end(&before));
    for (size_t next = 0; next < ITEMS; next += got) {
        CHECK_EQ(gq_array_asym_pop_batch(queue, batch, ITEMS, &got), GQ_OK);
        for (size_t i = 0; i < got; i++) {
            CHECK(batch[i] == &items[next + i]);
        }
    }
    done();
}

static void full_and_no_more(size_t variant) {
    (void)variant;
    static struct sy_node one;
    make(SEGMENT, 0);
    size_t n = 0, got, popped = 0;
    struct sy_node *out[ITEMS];
    while (gq_array_asym_push(queue, &one) == GQ_OK) {
        n++;
    }
    CHECK_EQ(n, GQ_ARRAY_ASYM_SLOTS);
    while (gq_array_asym_pop_batch(queue, out, ITEMS, &got) == GQ_OK) {
        popped += got;
    }
    CHECK_EQ(popped, n);
    push(1);
    expect_item(1);
    done();
}

#if defined(ASYM_MEMBARRIER)
/* Without its heavy fence a popper cannot know that the pusher has not come. */
static bool pop_without_a_fence(void *argument) {
    struct sy_node *node;
    size_t got;
    (void)argument;
    if (!array->registered || !refuse_call(__NR_membarrier, EPERM)) {
        return false;
    }
    struct half_push late = begin(0);
    CHECK_EQ(gq_array_asym_try_pop(array, &node, 1, &got, true), GQ_RETRY);
    CHECK_EQ(state_of(&late), GQ_ARRAY_ASYM_OVER);
    CHECK(!end(&late));
    expect_item(0);
    return true;
}

static void nobody_is_skipped_without_a_fence(size_t variant) {
    (void)variant;
    make(SEGMENT, 0);
    refuse_in_child(pop_without_a_fence, NULL);
    done();
}
#endif

/* ---- crowds ---- */

/* Both see that the last item is gone in the same moment: neither may skip a position that nobody claimed. */
static void find_nothing(size_t index, void *shared) {
    struct threads_rounds *rounds = shared;
    uint64_t meetings = 0;
    for (size_t i = 0; threads_round(rounds, &meetings, index, i); i++) {
        struct sy_node *node;
        size_t got;
        if (index == 0) {
            push(0);
        }
        threads_meet(rounds, &meetings);
        while (gq_array_asym_try_pop(array, &node, 1, &got, true) != GQ_EMPTY) {
            CHECK(au64_load_relaxed(&array->head) <= i + 1);
        }
        threads_meet(rounds, &meetings);
    }
}

static void what_nobody_claimed_is_not_skipped(size_t variant) {
    (void)variant;
    struct threads_rounds rounds = threads_rounds_of(2, 300000);
    make(0, 0);
    threads_run(2, find_nothing, &rounds);
    done();
}

struct crowd_item {
    struct sy_node node;
    size_t producer, sequence;
    unsigned taken; /* plain */
};

struct crowd {
    size_t producers, each;
    bool batches;
    struct crowd_item *items;
    struct au64 taken;
    struct au64 skipped;
};

static SY_THREAD_LOCAL uint64_t dawdling; /* a pusher's random numbers; 0: it does not */

/* Mostly goes on, sometimes gives the processor away, seldom for several rounds. */
static void atomics_step(void) {
    uint64_t dice = dawdling ? check_random(&dawdling) % 256 : 256;
    for (uint64_t i = 0; i < (dice == 0 ? 20 : dice < 8); i++) {
        sched_yield();
    }
}

static void push_slowly(struct crowd *crowd, struct crowd_item *from, size_t n) {
    size_t sent = 0;
    while (sent < n) {
        uint64_t position;
        struct aptr *slots;
        uint64_t claimed = gq_array_asym_claim(array, n - sent, &position, &slots);
        if (claimed == 0) {
            sched_yield(); /* who crossed a segment a round of the small ring ago has not retired it yet */
        }
        bool given_up = false;
        for (uint64_t i = 0; i < claimed; i++) {
            struct sy_node *item = given_up ? gq_array_asym_tombstone(array) : &from[sent].node;
            given_up = gq_array_asym_fill(array, position + i, &slots[i], item) || given_up;
            sent += !given_up;
        }
        au64_fetch_add_relaxed(&crowd->skipped, given_up);
    }
}

static void produce(struct crowd *crowd, size_t producer) {
    uint64_t random = check_seed() + producer;
    struct crowd_item *mine = crowd->items + producer * crowd->each;
    dawdling = check_random(&random);
    for (size_t i = 0; i < crowd->each;) {
        size_t n = crowd->batches ? 1 + check_random(&random) % 8 : 1;
        n = n < crowd->each - i ? n : crowd->each - i;
        for (size_t k = i; k < i + n; k++) {
            mine[k].producer = producer;
            mine[k].sequence = k + 1;
        }
        push_slowly(crowd, mine + i, n);
        i += n;
        /* Not more inside than there are slots. */
        while (gq_array_asym_length(queue) > GQ_ARRAY_ASYM_SLOTS / 4) {
            sched_yield();
        }
    }
}

static void consume(struct crowd *crowd) {
    size_t last[THREADS_MAX] = {0};
    while (au64_load_relaxed(&crowd->taken) < crowd->producers * crowd->each) {
        struct sy_node *out[8];
        size_t got = 0;
        if (gq_array_asym_pop_batch(queue, out, crowd->batches ? 8 : 1, &got) != GQ_OK) {
            sched_yield();
            continue;
        }
        for (size_t i = 0; i < got; i++) {
            struct crowd_item *item = (struct crowd_item *)(void *)out[i];
            CHECK_EQ(++item->taken, 1);
            CHECK(item->sequence > last[item->producer]);
            last[item->producer] = item->sequence;
        }
        au64_fetch_add_relaxed(&crowd->taken, got);
    }
}

static void crowd_member(size_t index, void *shared) {
    struct crowd *crowd = shared;
    if (index < crowd->producers) {
        produce(crowd, index);
    } else {
        consume(crowd);
    }
}

static void run_crowd(size_t segment, size_t producers, size_t consumers, bool batches) {
    struct crowd crowd = {.producers = producers, .each = threads_scaled(40000) / producers, .batches = batches};
    crowd.items = calloc(producers * crowd.each, sizeof *crowd.items);
    make(segment, 0);
    threads_run(producers + consumers, crowd_member, &crowd);
    for (size_t i = 0; i < producers * crowd.each; i++) {
        CHECK_EQ(crowd.items[i].taken, 1);
    }
    printf("     segment %zu, %zu:%zu: %" PRIu64 " pushes of %zu were skipped\n", segment, producers, consumers,
           au64_load_relaxed(&crowd.skipped), producers * crowd.each);
    done();
    free(crowd.items);
}

static void dawdling_crowds(size_t variant) {
    (void)variant;
    static const size_t segments[] = {2, 4, 64};
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        run_crowd(segments[i], 2, 2, false);
        run_crowd(segments[i], 2, 2, true);
        run_crowd(segments[i], 6, 2, true);
    }
}

static const struct check_test tests[] = {
    {"a_stalled_pusher_holds_nobody", a_stalled_pusher_holds_nobody},
    {"a_segment_waits_for_its_pushers", a_segment_waits_for_its_pushers},
    {"a_chase_goes_on", a_chase_goes_on},
    {"who_comes_in_time_is_not_skipped", who_comes_in_time_is_not_skipped},
    {"who_was_taken_minds_no_later_stall", who_was_taken_minds_no_later_stall},
    {"a_skipped_item_is_not_taken", a_skipped_item_is_not_taken},
    {"a_batch_keeps_its_order", a_batch_keeps_its_order},
    {"full_and_no_more", full_and_no_more},
#if defined(ASYM_MEMBARRIER)
    {"nobody_is_skipped_without_a_fence", nobody_is_skipped_without_a_fence},
#endif
    {"what_nobody_claimed_is_not_skipped", what_nobody_claimed_is_not_skipped},
    {"dawdling_crowds", dawdling_crowds},
};

static const struct check_suite suite = {
    .title = "unit_gq_array_asym",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
