/* atomics.h: what each operation returns and leaves behind, that it is atomic, what the orders forbid, the counts. */
#define _GNU_SOURCE
#define SY_ATOMICS_COUNT
#include "queues/asym.h"
#include "queues/atomics.h"
#include "stress/check.h"
#include "stress/threads.h"

/* The same for each cell type; a macro, for the types differ. */
#define CELL_TEST(cell, type, a, b)                                                                                    \
    static void cell##_cells(size_t variant) {                                                                         \
        (void)variant;                                                                                                 \
        struct cell x;                                                                                                 \
        type expected = (a);                                                                                           \
        CHECK_EQ(sizeof x, sizeof(type));                                                                              \
        cell##_store_relaxed(&x, (a));                                                                                 \
        CHECK(cell##_load_relaxed(&x) == (a));                                                                         \
        cell##_store_release(&x, (b));                                                                                 \
        CHECK(cell##_load_acquire(&x) == (b));                                                                         \
        cell##_store_seq_cst(&x, (a));                                                                                 \
        CHECK(cell##_load_seq_cst(&x) == (a));                                                                         \
        CHECK(cell##_exchange_acq_rel(&x, (b)) == (a) && x.raw == (b));                                                \
        CHECK(!cell##_cas_acq_rel(&x, &expected, (a)) && expected == (b) && x.raw == (b));                             \
        CHECK(cell##_cas_acq_rel(&x, &expected, (a)) && expected == (b) && x.raw == (a));                              \
        expected = (a);                                                                                                \
        CHECK(cell##_cas_seq_cst(&x, &expected, (b)) && cell##_cas_relaxed(&x, &(type){(b)}, (a)));                    \
        CHECK(cell##_cas_acquire(&x, &(type){(a)}, (b)) && cell##_cas_release(&x, &(type){(b)}, (a)));                 \
        CHECK(cell##_exchange_relaxed(&x, (b)) == (a) && cell##_exchange_acquire(&x, (a)) == (b));                     \
        CHECK(cell##_exchange_release(&x, (b)) == (a) && cell##_exchange_seq_cst(&x, (a)) == (b) && x.raw == (a));     \
    }

#define FETCH_TEST(cell, type, order)                                                                                  \
    static void cell##_fetch_##order(void) {                                                                           \
        struct cell x = {12};                                                                                          \
        CHECK(cell##_fetch_add_##order(&x, 3) == 12 && x.raw == 15);                                                   \
        CHECK(cell##_fetch_sub_##order(&x, 5) == 15 && x.raw == 10);                                                   \
        CHECK(cell##_fetch_or_##order(&x, 5) == 10 && x.raw == 15);                                                    \
        CHECK(cell##_fetch_and_##order(&x, 6) == 15 && x.raw == 6);                                                    \
    }

#define FETCH_TESTS(cell, type)                                                                                        \
    FETCH_TEST(cell, type, relaxed)                                                                                    \
    FETCH_TEST(cell, type, acquire)                                                                                    \
    FETCH_TEST(cell, type, release)                                                                                    \
    FETCH_TEST(cell, type, acq_rel)                                                                                    \
    FETCH_TEST(cell, type, seq_cst)                                                                                    \
    static void cell##_fetch(size_t variant) {                                                                         \
        (void)variant;                                                                                                 \
        cell##_fetch_relaxed();                                                                                        \
        cell##_fetch_acquire();                                                                                        \
        cell##_fetch_release();                                                                                        \
        cell##_fetch_acq_rel();                                                                                        \
        cell##_fetch_seq_cst();                                                                                        \
    }

static char somewhere[2];

CELL_TEST(au32, uint32_t, UINT32_MAX, 7)
CELL_TEST(au64, uint64_t, UINT64_MAX - 1, UINT64_C(1) << 40)
CELL_TEST(ai64, int64_t, INT64_MIN, -1)
CELL_TEST(aptr, void *, (void *)&somewhere[0], (void *)&somewhere[1])
FETCH_TESTS(au32, uint32_t)
FETCH_TESTS(au64, uint64_t)
FETCH_TESTS(ai64, int64_t)

/* Read-modify-writes of many threads on the same cells: none is lost. */
struct counters {
    struct au32 narrow;
    struct au64 wide, swapped;
    struct ai64 negative;
    struct aptr turn; /* counts in units of a byte, from NULL */
    size_t each;
};

static void counters_member(size_t index, void *shared) {
    struct counters *c = shared;
    (void)index;
    for (size_t i = 0; i < c->each; i++) {
        au32_fetch_add_relaxed(&c->narrow, 3);
        au64_fetch_add_acq_rel(&c->wide, UINT64_C(1) << 20);
        ai64_fetch_sub_relaxed(&c->negative, 1);
        uint64_t old = au64_load_relaxed(&c->swapped);
        while (!au64_cas_relaxed(&c->swapped, &old, old + 1)) {
        }
        void *seen = aptr_load_relaxed(&c->turn);
        while (!aptr_cas_relaxed(&c->turn, &seen, (void *)((uintptr_t)seen + 1))) {
        }
    }
}

static void none_is_lost(size_t variant) {
    (void)variant;
    struct counters c = {.each = threads_scaled(200000)};
    threads_run(4, counters_member, &c);
    uint64_t n = 4 * c.each;
    CHECK_EQ(au32_load_relaxed(&c.narrow), (uint32_t)(3 * n));
    CHECK_EQ(au64_load_relaxed(&c.wide), n << 20);
    CHECK_EQ(ai64_load_relaxed(&c.negative), -(int64_t)n);
    CHECK_EQ(au64_load_relaxed(&c.swapped), n);
    CHECK_EQ((uintptr_t)aptr_load_relaxed(&c.turn), n);
}

/* Store buffering: two threads each store, pass a fence, and load the other's cell. Good fences forbid two 0s. */
struct buffering {
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 x[2 * SY_CACHE_LINE / sizeof(struct au32)]; /* a line each */
    struct threads_rounds rounds;
    uint32_t seen[2];
    void (*fence[2])(void);
    size_t both_zero;
};

static void buffering_member(size_t index, void *shared) {
    struct buffering *b = shared;
    struct au32 *mine = &b->x[index * (SY_CACHE_LINE / sizeof(struct au32))];
    struct au32 *other = &b->x[(1 - index) * (SY_CACHE_LINE / sizeof(struct au32))];
    uint64_t round = 0;
    for (size_t i = 0; threads_round(&b->rounds, &round, index, i); i++) {
        au32_store_relaxed(mine, 1);
        b->fence[index]();
        b->seen[index] = au32_load_relaxed(other);
        threads_meet(&b->rounds, &round);
        if (index == 0) {
            b->both_zero += b->seen[0] == 0 && b->seen[1] == 0;
        }
        threads_meet(&b->rounds, &round);
        au32_store_relaxed(mine, 0);
    }
}

static size_t count_both_zero(void (*one)(void), void (*other)(void), size_t repetitions) {
    struct buffering b = {.rounds = threads_rounds_of(2, threads_scaled(repetitions)), .fence = {one, other}};
    threads_run(2, buffering_member, &b);
    return b.both_zero;
}

static void no_fence(void) {}

static void full_fence(void) {
    fence_seq_cst();
}

static bool registered;

static void light_fence(void) {
    asym_light(registered);
}

static void heavy_fence(void) {
    asym_heavy(registered);
}

static void fence_orders_store_before_load(size_t variant) {
    (void)variant;
    CHECK_EQ(count_both_zero(full_fence, full_fence, 300000), 0);
    if (count_both_zero(no_fence, no_fence, 300000) == 0) {
        check_skip("never saw the effect without the fence either, so its absence says nothing");
    }
}

static void asymmetric_fences_order_each_other(size_t variant) {
    (void)variant;
    registered = asym_register();
    CHECK_EQ(count_both_zero(light_fence, heavy_fence, 100000), 0);
    if (!registered) {
        check_skip("the kernel refuses membarrier(2); both sides are full barriers, and they hold");
    } else if (count_both_zero(light_fence, full_fence, 300000) == 0) {
        check_skip("never saw the effect with a heavy fence of one thread only, so its absence says nothing");
    }
}

/* Message passing: plain data, then a release store; whoever sees it with acquire sees the data. */
struct message {
    SY_ALIGNAS(SY_CACHE_LINE) uint64_t data;
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 sent;
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 received;
    int64_t deadline_ns; /* on a busy machine it ends earlier */
};

#define MESSAGE_LAST UINT64_MAX

static void await(const struct au64 *cell, uint64_t before) {
    unsigned spins = 0;
    while (au64_load_acquire(cell) == before) {
        if (++spins % 256 == 0) {
            sched_yield();
        }
        cpu_relax();
    }
}

static void message_send(struct message *m) {
    for (uint64_t i = 1; i < threads_scaled(300000) && check_now_ns() < m->deadline_ns; i++) {
        m->data = i * 3;
        au64_store_release(&m->sent, i);
        await(&m->received, i - 1);
    }
    au64_store_release(&m->sent, MESSAGE_LAST);
}

static void message_receive(struct message *m) {
    for (uint64_t seen = 0;; au64_store_release(&m->received, seen)) {
        await(&m->sent, seen);
        seen = au64_load_relaxed(&m->sent);
        if (seen == MESSAGE_LAST) {
            return;
        }
        CHECK_EQ(m->data, seen * 3);
    }
}

static void message_member(size_t index, void *shared) {
    index == 0 ? message_send(shared) : message_receive(shared);
}

static void release_is_seen_by_acquire(size_t variant) {
    (void)variant;
    struct message m = {.deadline_ns = check_now_ns() + THREADS_ROUNDS_NS};
    threads_run(2, message_member, &m);
}

static void counts(size_t variant) {
    (void)variant;
    struct au64 x = {0};
    uint64_t expected = 0;
    atomics_counted = (struct atomics_count){{0}};
    au64_store_release(&x, 1);
    au64_store_relaxed(&x, 1);
    (void)au64_load_acquire(&x);
    (void)au64_load_relaxed(&x);
    (void)au64_load_seq_cst(&x);
    au64_fetch_add_relaxed(&x, 1);
    au64_exchange_acq_rel(&x, 1);
    au64_cas_seq_cst(&x, &expected, 1);
    au64_fetch_or_release(&x, 1);
    fence_seq_cst();
    CHECK_EQ(atomics_counted.of[ATOMICS_STORE], 2);
    CHECK_EQ(atomics_counted.of[ATOMICS_LOAD], 3);
    CHECK_EQ(atomics_counted.of[ATOMICS_RMW], 4);
    CHECK_EQ(atomics_counted.of[ATOMICS_FENCE], 1);
}

static const struct check_test tests[] = {
    {"au32_cells", au32_cells},
    {"au64_cells", au64_cells},
    {"ai64_cells", ai64_cells},
    {"aptr_cells", aptr_cells},
    {"au32_fetch", au32_fetch},
    {"au64_fetch", au64_fetch},
    {"ai64_fetch", ai64_fetch},
    {"none_is_lost", none_is_lost},
    {"fence_orders_store_before_load", fence_orders_store_before_load},
    {"asymmetric_fences_order_each_other", asymmetric_fences_order_each_other},
    {"release_is_seen_by_acquire", release_is_seen_by_acquire},
    {"counts", counts},
};

static const struct check_suite suite = {
    .title = "unit_atomics", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
