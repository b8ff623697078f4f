/*
 * One operation of the array queue, stopped before each of its accesses in turn, while others take what is inside, go
 * round in segments that are used again, and leave a pusher there that has stalled; then it goes on. Whatever it makes
 * of what it finds, each item must come out once.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP

#include "stress/gq_array_asym_halves.h"

enum { BATCH = 3, INSIDE_MAX = 3, SEGMENT_MAX = 4 };

enum stall { NONE, STALLED, SKIPPED };

/* What happens while the operation has stopped, and before it. */
struct shape {
    void (*operation)(void);
    size_t segment;
    bool suspected; /* when it begins: two segments' slots, by poppers that stalled there long ago */
    size_t before;  /* positions of its segment that were used */
    size_t inside;  /* items */
    bool taken;     /* when it has stopped: all of them, and its own as far as they are there */
    size_t round;   /* items that go in and out then */
    enum stall stall;
};

static const struct shape *shape;
static uint64_t left;         /* accesses before it stops; 0: it goes on */
static struct half_push half; /* of who stalled */
static uint64_t suspects;     /* the position of the first of those poppers */
static size_t used;           /* items */
static unsigned taken[ITEMS];

static void push_next(void) {
    push(used++);
}

/* How many; 0: it is empty. */
static size_t pop_some(size_t max) {
    struct sy_node *batch[BATCH];
    size_t got;
    enum gq_status status = gq_array_asym_pop_batch(queue, batch, max, &got);
    CHECK_EQ(status, got > 0 ? GQ_OK : GQ_EMPTY);
    for (size_t i = 0; i < got; i++) {
        CHECK_EQ(++taken[batch[i] - items], 1);
    }
    return got;
}

/* In batches, so that a stall behind the head may be passed and not looked at. */
static void drain(void) {
    while (pop_some(BATCH) > 0) {
    }
}

/* Items go in and out one by one. */
static void pass(size_t n) {
    for (size_t i = 0; i < n; i++) {
        push_next();
        pop_some(1);
    }
}

static void come_between(void) {
    if (shape->taken) {
        drain();
    }
    pass(shape->round);
    if (shape->stall != NONE) {
        half = begin(used++);
    }
    if (shape->stall == SKIPPED) {
        push_next();
        drain();
    }
}

static void atomics_step(void) {
    if (left > 0 && --left == 0) {
        come_between();
    }
}

static void push_batch(void) {
    struct sy_node *batch[BATCH];
    size_t pushed;
    for (size_t i = 0; i < BATCH; i++) {
        batch[i] = &items[used++];
    }
    CHECK_EQ(gq_array_asym_push_batch(queue, batch, BATCH, &pushed), GQ_OK);
}

static void pop_one(void) {
    pop_some(1);
}

static void pop_batch(void) {
    pop_some(BATCH);
}

/* All slots of two segments are used, and each keeps a popper that has come to its T1 there and no further. */
static void suspect(void) {
    size_t slots = 2 * shape->segment;
    suspects = au64_load_relaxed(&array->tail) >> 1;
    for (size_t i = 0; i < slots; i++) {
        push_next();
        CHECK(gq_array_asym_find(array, suspects + i) == array->slots + i);
    }
    drain();
    for (size_t i = 0; i < slots; i++) {
        gq_array_asym_accuse(array, gq_array_asym_stall(array, array->slots + i));
    }
}

static void end_suspicions(void) {
    for (size_t i = 0; i < 2 * shape->segment; i++) {
        gq_array_asym_skip(array, suspects + i, array->slots + i);
    }
}

/* From the start of a segment, for the queue has been in use. */
static void begin_shape(void) {
    used = 0;
    memset(taken, 0, sizeof taken);
    half = (struct half_push){.slot = NULL};
    while (gq_array_asym_index(array, au64_load_relaxed(&array->tail) >> 1) != 0) {
        pass(1);
    }
    CHECK_EQ(ids_taken(), 0);
    if (shape->suspected) {
        suspect();
    }
    pass(shape->before);
    for (size_t i = 0; i < shape->inside; i++) {
        push_next();
    }
}

static void end_shape(void) {
    if (half.slot && end(&half)) {
        CHECK_EQ(gq_array_asym_push(queue, half.item), GQ_OK);
    }
    drain();
    if (shape->suspected) {
        end_suspicions();
    }
    for (size_t i = 0; i < used; i++) {
        CHECK_EQ(taken[i], 1);
    }
    CHECK(ids_taken() <= 1);
    nothing_left();
}

/* Before the first access, the second, and so on, until the operation has no more of them; how many it has. */
static uint64_t stop_everywhere(const struct shape *tested) {
    shape = tested;
    for (uint64_t access = 1;; access++) {
        check_note("segment %zu, suspected %d, %zu before, %zu inside, taken %d, round %zu, stall %d, access %" PRIu64,
                   shape->segment, shape->suspected, shape->before, shape->inside, shape->taken, shape->round,
                   (int)shape->stall, access);
        begin_shape();
        left = access;
        shape->operation();
        bool stopped = left == 0;
        left = 0;
        end_shape();
        if (!stopped) {
            return access - 1;
        }
    }
}

/* Takes the lowest digit off `*i`, of which there are `n`. */
static size_t digit(size_t *i, size_t n) {
    size_t value = *i % n;
    *i /= n;
    return value;
}

static void stop(void (*operation)(void)) {
    uint64_t stops = 0;
    for (size_t segment = 2; segment <= SEGMENT_MAX; segment *= 2) {
        make(segment, 0);
        for (size_t i = 0, rest = 0; rest == 0; i++) {
            rest = i;
            struct shape next = {.operation = operation, .segment = segment};
            next.suspected = digit(&rest, 2);
            next.before = digit(&rest, segment);
            next.inside = digit(&rest, INSIDE_MAX + 1);
            next.taken = digit(&rest, 2);
            next.round = digit(&rest, 2 * segment + 1);
            next.stall = (enum stall)digit(&rest, SKIPPED + 1);
            stops += rest == 0 ? stop_everywhere(&next) : 0;
        }
        done();
    }
    printf("     stopped %" PRIu64 " times\n", stops);
}

static void a_push(size_t variant) {
    (void)variant;
    stop(push_next);
}

static void a_push_of_a_batch(size_t variant) {
    (void)variant;
    stop(push_batch);
}

static void a_pop(size_t variant) {
    (void)variant;
    stop(pop_one);
}

static void a_pop_of_a_batch(size_t variant) {
    (void)variant;
    stop(pop_batch);
}

static const struct check_test tests[] = {
    {"a_push", a_push},
    {"a_push_of_a_batch", a_push_of_a_batch},
    {"a_pop", a_pop},
    {"a_pop_of_a_batch", a_pop_of_a_batch},
};

static const struct check_suite suite = {
    .title = "unit_gq_array_asym_steps",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
