/*
 * The stores of deadlines (executor/tm.h), each by itself against a plain sorted list, with a clock that the test sets:
 * nothing early, lost, twice or out of order, and `earliest` as exact as it says.
 */
#define _GNU_SOURCE
#include "executor/tm_list.h"

#include "check.h"
#include "support.h"
#include "support_alloc.h"

enum { SLEEPS = 700, BATCH_MOST = 64 };

#define TM_ENTRY(name) &name##_ops,
static const struct tm_ops *const stores[] = {TM_LIST(TM_ENTRY)};

static struct sy_sleep sleeps[SLEEPS];
static bool inside[SLEEPS];

static struct {
    const struct tm_ops *ops;
    struct tm_store *store;
    uint64_t now_ns;
    unsigned sorted[SLEEPS]; /* the numbers of those inside, by deadline */
    unsigned n;
} model;

static void begin(size_t variant, uint64_t now_ns) {
    model.ops = stores[variant];
    model.now_ns = now_ns;
    model.n = 0;
    memset(inside, 0, sizeof inside);
    CHECK_EQ(model.ops->create(&model.store), 0);
    CHECK_EQ(model.ops->earliest(model.store), TM_NEVER);
}

static void end(void) {
    CHECK_EQ(model.n, 0);
    CHECK_EQ(model.ops->earliest(model.store), TM_NEVER);
    model.ops->destroy(model.store);
}

static uint64_t model_earliest(void) {
    return model.n ? sleeps[model.sorted[0]].deadline_ns : TM_NEVER;
}

/* Where the first that is due after `deadline_ns` stands. */
static unsigned model_find(uint64_t deadline_ns) {
    unsigned low = 0, high = model.n;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sleeps[model.sorted[middle]].deadline_ns <= deadline_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void model_remove(unsigned which) {
    unsigned at = model_find(sleeps[which].deadline_ns) - 1;
    while (model.sorted[at] != which) {
        CHECK(at > 0 && sleeps[model.sorted[at - 1]].deadline_ns == sleeps[which].deadline_ns);
        at--;
    }
    model.n--;
    memmove(&model.sorted[at], &model.sorted[at + 1], (model.n - at) * sizeof model.sorted[0]);
    inside[which] = false;
}

static void insert(unsigned which, uint64_t deadline_ns) {
    unsigned at = model_find(deadline_ns);
    memmove(&model.sorted[at + 1], &model.sorted[at], (model.n - at) * sizeof model.sorted[0]);
    model.sorted[at] = which;
    model.n++;
    inside[which] = true;
    memset(&sleeps[which], 0xa5, sizeof sleeps[which]); /* a store relies on nothing but the deadline */
    sleeps[which].deadline_ns = deadline_ns;
    model.ops->insert(model.store, &sleeps[which], model.now_ns);
}

static void cancel(unsigned which) {
    model.ops->remove(model.store, &sleeps[which]);
    model_remove(which);
    memset(&sleeps[which], 0x5a, sizeof sleeps[which]); /* its memory is the caller's again */
}

/* One call; the sleeps that it gave are those that the model has first, up to their order among equals. */
static size_t take(size_t max) {
    struct sy_sleep *out[BATCH_MOST + 1] = {NULL};
    size_t n = model.ops->take_due(model.store, model.now_ns, out, max);
    CHECK(n <= max);
    CHECK(!out[n]);
    for (size_t i = 0; i < n; i++) {
        unsigned which = (unsigned)(out[i] - sleeps);
        CHECK(which < SLEEPS && inside[which]);
        CHECK(out[i]->deadline_ns <= model.now_ns);
        CHECK_EQ(out[i]->deadline_ns, model_earliest());
        model_remove(which);
    }
    return n;
}

static void check_earliest(void) {
    uint64_t said = model.ops->earliest(model.store), is = model_earliest();
    CHECK(said <= is);
    CHECK(said == is || model.n > TM_LOOK);
}

/* All that is due by now, in calls of any size. */
static void take_all_due(uint64_t *random) {
    unsigned calls = 0, most = 2 * model.n + 10;
    while (model.n > 0 && model.ops->earliest(model.store) <= model.now_ns) {
        take(1 + check_random(random) % BATCH_MOST);
        CHECK(++calls <= most); /* it gets on */
    }
    CHECK(model.n == 0 || model_earliest() > model.now_ns);
}

/* A duration of up to 2^bits ns, as often short as long. */
static uint64_t random_span(uint64_t *random, unsigned bits) {
    return check_random(random) >> (64 - 1 - check_random(random) % bits);
}

/* Now and then equal to another, in the past, or for ever. */
static uint64_t random_deadline(uint64_t *random, unsigned bits) {
    uint64_t span = random_span(random, bits);
    switch (check_random(random) % 16) {
    case 0:
        return UINT64_MAX;
    case 1:
        return span < model.now_ns ? model.now_ns - span : 0;
    case 2:
        return model.now_ns;
    case 3:
    case 4:
        return model.n ? sleeps[model.sorted[check_random(random) % model.n]].deadline_ns : span;
    default:
        return span < UINT64_MAX - model.now_ns ? model.now_ns + span : UINT64_MAX;
    }
}

static void random_step(uint64_t *random, unsigned bits, unsigned cancels) {
    unsigned which = (unsigned)(check_random(random) % SLEEPS);
    uint64_t span;
    if (!inside[which]) {
        insert(which, random_deadline(random, bits));
    } else if (check_random(random) % 8 < cancels) {
        cancel(which);
    }
    switch (check_random(random) % 16) {
    case 0: /* on to about when something is due */
        span = random_span(random, bits / 2 + 1);
        model.now_ns = span < UINT64_MAX - model.now_ns ? model.now_ns + span : UINT64_MAX;
        break;
    case 1: /* exactly to where the waiter is told to look */
        span = model.ops->earliest(model.store);
        model.now_ns = span > model.now_ns && span != TM_NEVER ? span : model.now_ns;
        break;
    case 2: /* another thread's clock was read a moment before */
        model.now_ns -= model.now_ns > 100000 ? check_random(random) % 100000 : 0;
        break;
    default:
        break;
    }
    if (check_random(random) % 4 == 0) {
        take(check_random(random) % BATCH_MOST + 1);
    } else if (check_random(random) % 64 == 0) {
        take_all_due(random);
    }
    check_earliest();
}

/* Millions of steps: short and long deadlines, few and many cancelled, the clock at places where digits carry. */
static void as_the_model(size_t variant) {
    static const uint64_t starts_ns[] = {0, (UINT64_C(1) << 40) - 1000, UINT64_C(1) << 52, (UINT64_C(1) << 58) - 70000,
                                         UINT64_MAX - (UINT64_C(1) << 30)};
    uint64_t random = check_seed();
    for (unsigned round = 0; round < support_rounds(150); round++) {
        unsigned bits = 12 + (unsigned)(check_random(&random) % 50), cancels = (unsigned)(check_random(&random) % 9);
        check_note("round %u, %u bits, %u of 8 cancelled", round, bits, cancels);
        begin(variant, starts_ns[round % 5] + check_random(&random) % 4096);
        for (unsigned step = 0; step < 20000; step++) {
            random_step(&random, bits, cancels);
        }
        for (unsigned i = 0; i < SLEEPS; i++) {
            if (inside[i] && check_random(&random) % 2) {
                cancel(i);
            }
        }
        model.now_ns = UINT64_MAX; /* a jump to the end of time */
        take_all_due(&random);
        end();
    }
}

/* One sleep for each bit of a deadline, the clock as far as it goes at once, in calls of one. */
static void a_jump_over_everything(size_t variant) {
    begin(variant, 1);
    for (unsigned i = 0; i < 64; i++) {
        insert(i, UINT64_C(1) << i);
    }
    insert(64, UINT64_MAX);
    model.now_ns = UINT64_MAX;
    for (unsigned i = 0; i < 65; i++) {
        CHECK_EQ(take(1), 1);
    }
    end();
}

/*
 * A waiter that sleeps until `earliest`: one sleep wakes it once, exactly when it is due; many wake it for nothing only
 * as often as there is something to be sorted, and each time the next one is later.
 */
static void a_waiter_wakes_in_time(size_t variant) {
    uint64_t random = check_seed();
    for (unsigned round = 0; round < support_rounds(400); round++) {
        unsigned n = round % 2 ? 1 + round % TM_LOOK : SLEEPS, in_vain = 0;
        begin(variant, check_random(&random) >> 20);
        for (unsigned i = 0; i < n; i++) {
            insert(i, model.now_ns + 1 + random_span(&random, 10 + round % 40));
        }
        while (model.n > 0) {
            uint64_t told = model.ops->earliest(model.store);
            CHECK(told > model.now_ns);
            CHECK(told <= model_earliest());
            model.now_ns = told;
            in_vain += take(BATCH_MOST) == 0;
            while (model.ops->earliest(model.store) <= model.now_ns) {
                take(BATCH_MOST);
            }
        }
        CHECK(in_vain <= (n > TM_LOOK ? 8 * n / TM_LOOK : 0));
        end();
    }
}

/* Whatever is inside: a store takes its memory when it is made. */
static void allocates_once(size_t variant) {
    int64_t live = support_alloc_live();
    begin(variant, 12345);
    uint64_t made = support_alloc_count(), random = check_seed();
    for (unsigned step = 0; step < 50000; step++) {
        random_step(&random, 40, 4);
    }
    model.now_ns = UINT64_MAX;
    take_all_due(&random);
    CHECK_EQ(support_alloc_count(), made);
    end();
    CHECK_EQ(support_alloc_live(), live);
}

static void says_that_there_is_no_memory(size_t variant) {
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot fail under a sanitizer");
        return;
    }
    struct tm_store *store;
    support_alloc_fail_after(0);
    int error = stores[variant]->create(&store);
    support_alloc_fail_after(UINT64_MAX);
    CHECK_EQ(error, -ENOMEM);
}

static const struct check_test tests[] = {
    {"as_the_model", as_the_model},
    {"a_jump_over_everything", a_jump_over_everything},
    {"a_waiter_wakes_in_time", a_waiter_wakes_in_time},
    {"allocates_once", allocates_once},
    {"says_that_there_is_no_memory", says_that_there_is_no_memory},
};

static const char *store_name(size_t variant) {
    return stores[variant]->name;
}

int main(int argc, char **argv) {
    static const struct check_suite suite = {.title = "unit_tm",
                                             .tests = tests,
                                             .test_count = sizeof tests / sizeof tests[0],
                                             .variant_count = sizeof stores / sizeof stores[0],
                                             .variant_name = store_name};
    return check_main(&suite, argc, argv);
}
