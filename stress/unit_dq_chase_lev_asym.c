/*
 * ctest-label: queues The Chase-Lev deque with an asymmetric fence, taken apart: a theft is a look and a swap, with the
 * owner's operations in between; a thief that sees old bottoms, as a processor may show them; what operations cost; and
 * the kernel's refusal of the heavy fence.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_COUNT

#include "queues/dq_chase_lev_asym.h"
#include "stress/check.h"
#include "stress/threads.h"

#if defined(ASYM_MEMBARRIER)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#endif

enum { ITEMS = 64 };

static struct reclaim *reclaim;
static struct dq *deque;
static struct dq_chase_lev_half *ends;
static struct sy_node items[ITEMS];

static struct dq *make(void) {
    struct dq_config config = {.capacity = ITEMS, .reclaim = reclaim};
    struct dq *made = NULL;
    CHECK_EQ(dq_chase_lev_asym_create(&made, &config), 0);
    return made;
}

static void begin(void) {
    CHECK_EQ(reclaim_create(&reclaim), 0);
    reclaim_register_thread();
    deque = make();
    ends = &dq_chase_lev_asym_of(deque)->ends;
}

static void end(void) {
    dq_chase_lev_asym_destroy(deque);
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
}

static bool light(void) {
    return au32_load_relaxed(&dq_chase_lev_asym_of(deque)->fences) == DQ_CHASE_LEV_ASYM_LIGHT;
}

static void push(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        CHECK_EQ(dq_chase_lev_asym_push(deque, &items[i]), DQ_OK);
    }
}

static void expect_popped(size_t item) {
    struct sy_node *node;
    CHECK_EQ(dq_chase_lev_asym_pop(deque, &node), DQ_OK);
    CHECK_EQ(node - items, item);
}

static void expect_stolen(size_t item) {
    struct sy_node *node;
    size_t moved;
    CHECK_EQ(dq_chase_lev_asym_steal(deque, NULL, 1, &node, &moved), DQ_OK);
    CHECK_EQ(node - items, item);
}

static enum dq_status steal_status(void) {
    struct sy_node *node;
    size_t moved;
    return dq_chase_lev_asym_steal(deque, NULL, 1, &node, &moved);
}

/* ---- a thief between its look and its swap ---- */

struct half_theft {
    uint64_t word;
    int64_t inside;
};

static struct half_theft look(void) {
    struct half_theft theft;
    CHECK_EQ(dq_chase_lev_half_look(ends, dq_chase_lev_asym_fence, &theft.word, &theft.inside), DQ_OK);
    return theft;
}

/* Takes all that it may, into `into`, which has room. */
static enum dq_status swap(const struct half_theft *theft, struct dq *into, struct sy_node **out, int64_t *n) {
    *n = dq_chase_lev_half_share(theft->inside, SIZE_MAX);
    return dq_chase_lev_half_take(ends, theft->word, *n, &ends->ring, &dq_chase_lev_asym_of(into)->ends, out);
}

/* The owner comes down to n items, then to none, while a thief is stopped that has seen all. */
static void a_stopped_thief_takes_nothing_twice(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    for (size_t inside = 1; inside <= 32; inside++) {
        for (size_t left = 0; left <= inside; left++) {
            struct sy_node *out;
            int64_t n;
            push(0, inside);
            struct half_theft theft = look();
            for (size_t i = inside; i > left; i--) {
                expect_popped(i - 1);
            }
            bool reached = left < inside - inside / 2;
            CHECK_EQ(swap(&theft, into, &out, &n), reached ? DQ_RETRY : DQ_OK);
            CHECK(reached || out == &items[0]);
            CHECK_EQ(dq_chase_lev_asym_length(deque), reached ? left : left - (size_t)n);
            for (size_t i = left; i > (reached ? 0 : (size_t)n); i--) {
                expect_popped(i - 1);
            }
            CHECK_EQ(steal_status(), DQ_EMPTY);
            CHECK_EQ(dq_chase_lev_asym_pop(deque, &out), DQ_EMPTY); /* and renews the word */
            for (struct sy_node *node; dq_chase_lev_asym_pop(into, &node) == DQ_OK; n--) {
                CHECK_EQ(node - items, n - 1);
            }
            CHECK_EQ(n, reached ? dq_chase_lev_half_share(theft.inside, SIZE_MAX) : 1);
        }
    }
    dq_chase_lev_asym_destroy(into);
    end();
}

/*
 * A word that the owner wrote says nothing of the bottoms since: a thief without a fence may go by any of them. One
 * that a thief wrote is gone by behind a fence, which shows the bottom of now.
 */
struct old_bottoms {
    int64_t bottoms[256];
    size_t count;
    uint64_t word;   /* which they belong to */
    uint64_t inside; /* a bit for each item */
    size_t next;
};

static void note_bottom(struct old_bottoms *o) {
    uint64_t word = au64_load_relaxed(&ends->top);
    if (word != o->word || o->count == sizeof o->bottoms / sizeof *o->bottoms) {
        o->word = word;
        o->count = 0;
    }
    o->bottoms[o->count++] = ai64_load_relaxed(&ends->bottom);
}

static void came_out(struct old_bottoms *o, const struct sy_node *node) {
    uint64_t bit = UINT64_C(1) << (node - items);
    CHECK(o->inside & bit);
    o->inside &= ~bit;
}

static void owner_turn(struct old_bottoms *o, uint64_t *random) {
    struct sy_node *node, *taken[ITEMS];
    uint64_t dice = check_random(random) % 16;
    if (dice < 8 && dq_chase_lev_asym_length(deque) < ITEMS / 2) {
        while (o->inside >> o->next & 1) {
            o->next = (o->next + 1) % ITEMS;
        }
        push(o->next, o->next + 1);
        o->inside |= UINT64_C(1) << o->next;
    } else if (dice == 8) {
        size_t n = dq_chase_lev_asym_take_oldest(deque, taken, ITEMS);
        for (size_t i = 0; i < n; i++) {
            came_out(o, taken[i]);
        }
    } else if (dq_chase_lev_asym_pop(deque, &node) == DQ_OK) {
        came_out(o, node);
    }
    note_bottom(o);
}

static void thief_turn(struct old_bottoms *o, const struct half_theft *theft, struct dq *into) {
    struct sy_node *out;
    int64_t n;
    if (theft->inside <= 0 || swap(theft, into, &out, &n) != DQ_OK) {
        return;
    }
    came_out(o, out);
    while (dq_chase_lev_asym_pop(into, &out) == DQ_OK) {
        came_out(o, out);
    }
    note_bottom(o);
}

static void whatever_bottom_a_thief_sees(size_t variant) {
    (void)variant;
    begin();
    struct dq *into = make();
    struct old_bottoms o = {.word = UINT64_MAX};
    uint64_t random = check_seed();
    note_bottom(&o);
    for (size_t round = 0; round < 300000; round++) {
        size_t seen = o.count - 1;
        if (!(o.word & DQ_CHASE_LEV_HALF_STOLEN)) {
            seen = check_random(&random) % o.count;
        }
        struct half_theft theft = {.word = o.word};
        theft.inside = dq_chase_lev_half_distance(o.word, o.bottoms[seen]);
        for (uint64_t turns = check_random(&random) % 12; turns > 0; turns--) {
            owner_turn(&o, &random);
        }
        thief_turn(&o, &theft, into);
    }
    for (struct sy_node *node; dq_chase_lev_asym_pop(deque, &node) == DQ_OK;) {
        came_out(&o, node);
    }
    CHECK_EQ(o.inside, 0);
    dq_chase_lev_asym_destroy(into);
    end();
}

/* A look whose two loads lie 2^31 pushes apart must not take the deque for an empty one. */
static int64_t pushes_between;

static bool sleep_between(struct dq_chase_lev_half *victim) {
    ai64_store_relaxed(&victim->bottom, ai64_load_relaxed(&victim->bottom) + pushes_between);
    au64_store_relaxed(&victim->top, dq_chase_lev_half_advanced(au64_load_relaxed(&victim->top), pushes_between));
    return true;
}

static void who_slept_long_does_not_say_empty(size_t variant) {
    (void)variant;
    begin();
    push(0, 3);
    expect_stolen(0); /* so that the fence is made, which is where it sleeps */
    static const int64_t slept[] = {INT64_C(1) << 31, (INT64_C(1) << 32) - 2, INT64_C(3) << 30};
    for (size_t i = 0; i < sizeof slept / sizeof *slept; i++) {
        struct half_theft theft;
        pushes_between = slept[i];
        CHECK_EQ(dq_chase_lev_half_look(ends, sleep_between, &theft.word, &theft.inside), DQ_RETRY);
        au64_store_relaxed(&ends->top, au64_load_relaxed(&ends->top) | DQ_CHASE_LEV_HALF_STOLEN);
    }
    end();
}

/*
 * Two items; the owner pops the newer one for nothing if it has not seen the first theft, and the thief goes on to it if
 * it has not seen the pop. Only the heavy fence keeps both from having it.
 */
static void meet_at_the_second_item(size_t index, void *shared) {
    struct threads_rounds *rounds = shared;
    static size_t came_out_of[2];
    uint64_t meetings = 0, random = check_seed() + index;
    reclaim_register_thread();
    for (size_t i = 0; threads_round(rounds, &meetings, index, i); i++) {
        struct sy_node *node;
        if (index == 0) {
            push(0, 2);
        }
        threads_meet(rounds, &meetings);
        CHECK(dq_chase_lev_asym_length(deque) <=
              2); /* each has both lines then, and the other's stores take their time */
        for (uint64_t pauses = check_random(&random) % 64; pauses > 0; pauses--) {
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
        }
        came_out_of[index] = 0;
        if (index == 0) {
            came_out_of[0] = dq_chase_lev_asym_pop(deque, &node) == DQ_OK;
        } else {
            while (came_out_of[1] < 2 && steal_status() == DQ_OK) {
                came_out_of[1]++;
            }
        }
        threads_meet(rounds, &meetings);
        if (index == 0) {
            while (dq_chase_lev_asym_pop(deque, &node) == DQ_OK) {
                came_out_of[0]++;
            }
            CHECK_EQ(came_out_of[0] + came_out_of[1], 2);
        }
    }
    reclaim_unregister_thread();
}

static void no_item_is_had_by_both(size_t variant) {
    (void)variant;
    begin();
    reclaim_unregister_thread();
    struct threads_rounds rounds = threads_rounds_of(2, threads_scaled(200000));
    threads_run(2, meet_at_the_second_item, &rounds);
    reclaim_register_thread();
    end();
}

/* ---- what it costs ---- */

static void expect_cost(const struct atomics_count *before, uint64_t rmws, uint64_t fences) {
    CHECK_EQ(atomics_counted.of[ATOMICS_RMW] - before->of[ATOMICS_RMW], rmws);
    CHECK_EQ(atomics_counted.of[ATOMICS_FENCE] - before->of[ATOMICS_FENCE], fences);
}

static bool costs_can_be_told(void) {
    if (!light()) {
        check_skip("the kernel refuses membarrier(2)");
    }
    return light();
}

static void down_and_up_again(void) {
    struct atomics_count before = atomics_counted;
    push(0, ITEMS);
    for (size_t i = ITEMS; i > ITEMS / 2; i--) {
        expect_popped(i - 1);
    }
    expect_cost(&before, 0, 0);
    for (size_t i = ITEMS / 2; i > 0; i--) {
        expect_popped(i - 1);
    }
    expect_cost(&before, 6, 0); /* at 31, 15, 7, 3 and 1, and the last */
    before = atomics_counted;
    CHECK_EQ(steal_status(), DQ_EMPTY);
    expect_cost(&before, 0, 0);
}

static void thefts(void) {
    struct atomics_count before = atomics_counted;
    push(0, 16);
    expect_stolen(0);
    expect_cost(&before, 1, 0); /* by the owner's word */
    expect_stolen(1);
    expect_cost(&before, 2, 1); /* by a thief's */
    expect_popped(15);
    expect_cost(&before, 3, 1); /* renewed */
    expect_popped(14);
    expect_stolen(2);
    expect_cost(&before, 4, 1);
    for (size_t i = 3; i < 14; i++) {
        expect_stolen(i);
    }
    before = atomics_counted;
    CHECK_EQ(steal_status(), DQ_EMPTY); /* by a thief's word */
    expect_cost(&before, 0, 0);
}

/* What was seen of a deque that was longer counts no more once the owner has changed top, or it is empty. */
static void after_a_longer_one(void) {
    struct sy_node *node, *taken[ITEMS];
    push(0, 16);
    for (size_t i = 16; i > 8; i--) {
        expect_popped(i - 1);
    }
    struct atomics_count before = atomics_counted;
    CHECK_EQ(dq_chase_lev_asym_take_oldest(deque, taken, ITEMS), 4);
    expect_cost(&before, 1, 0);
    expect_popped(7);
    expect_popped(6);
    expect_cost(&before, 1, 0);
    for (size_t i = 4; i < 6; i++) {
        expect_stolen(i);
    }
    push(0, 16);
    CHECK_EQ(dq_chase_lev_asym_take_oldest(deque, taken, 1), 1);
    for (size_t i = 16; i > 9; i--) {
        expect_popped(i - 1);
    }
    for (size_t i = 1; i < 9; i++) {
        expect_stolen(i);
    }
    CHECK_EQ(dq_chase_lev_asym_pop(deque, &node), DQ_EMPTY);
    before = atomics_counted;
    push(0, 2);
    expect_popped(1);
    expect_cost(&before, 0, 0);
    expect_popped(0);
    expect_cost(&before, 1, 0);
}

static void costs_are_as_told(size_t variant) {
    (void)variant;
    begin();
    if (costs_can_be_told()) {
        down_and_up_again();
        thefts();
        CHECK_EQ(dq_chase_lev_asym_length(deque), 0);
        after_a_longer_one();
    }
    end();
}

/* ---- the kernel refuses ---- */

#if defined(ASYM_MEMBARRIER)
/* From here on this process is refused membarrier(2); false: it cannot be arranged. */
static bool refuse_membarrier(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* No thief goes by a word that needs the fence until the owner makes its own. */
static void refused_later(void) {
    push(0, 8);
    if (!light() || !refuse_membarrier()) {
        _exit(77);
    }
    expect_stolen(0); /* by the owner's word */
    CHECK_EQ(steal_status(), DQ_RETRY);
    CHECK_EQ(steal_status(), DQ_RETRY);
    struct atomics_count before = atomics_counted;
    expect_popped(7);
    expect_cost(&before, 1, 1);
    for (size_t i = 1; i < 4; i++) {
        expect_stolen(i);
    }
    before = atomics_counted;
    expect_popped(6);
    expect_popped(5);
    expect_cost(&before, 1, 2); /* the first of them renews the word */
    expect_stolen(4);
    CHECK_EQ(steal_status(), DQ_EMPTY);
}

static void refused_from_the_start(void) {
    if (!refuse_membarrier()) {
        _exit(77);
    }
    dq_chase_lev_asym_destroy(deque);
    deque = make();
    push(0, 8);
    for (size_t i = 0; i < 4; i++) {
        expect_stolen(i);
    }
    struct atomics_count before = atomics_counted;
    expect_popped(7);
    expect_cost(&before, 1, 1);
    expect_stolen(4);
    expect_stolen(5);
    expect_stolen(6);
}

/* In a process of its own: a filter cannot be taken off again. */
static void run_refused(void (*refused)(void)) {
    begin();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        refused();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
    if (WEXITSTATUS(status) == 77) {
        check_skip("membarrier(2) is refused already, or no filter can be set");
    }
    end();
}

static void a_fence_that_is_refused_later(size_t variant) {
    (void)variant;
    run_refused(refused_later);
}

static void a_fence_that_is_refused_from_the_start(size_t variant) {
    (void)variant;
    run_refused(refused_from_the_start);
}
#endif

static const struct check_test tests[] = {
    {"a_stopped_thief_takes_nothing_twice", a_stopped_thief_takes_nothing_twice},
    {"whatever_bottom_a_thief_sees", whatever_bottom_a_thief_sees},
    {"who_slept_long_does_not_say_empty", who_slept_long_does_not_say_empty},
    {"no_item_is_had_by_both", no_item_is_had_by_both},
    {"costs_are_as_told", costs_are_as_told},
#if defined(ASYM_MEMBARRIER)
    {"a_fence_that_is_refused_later", a_fence_that_is_refused_later},
    {"a_fence_that_is_refused_from_the_start", a_fence_that_is_refused_from_the_start},
#endif
};

static const struct check_suite suite = {
    .title = "unit_dq_chase_lev_asym",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
