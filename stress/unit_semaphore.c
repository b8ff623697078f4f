/* The semaphore: permits, order, cancelling and closing, alone against a model and between threads. */
#define _GNU_SOURCE
#include "support_wait.h"

enum { MANY = 100 }; /* more than are woken at once */

/* An acquire that is polled by hand. */
struct one {
    struct sy_acquire acquire;
    struct counted_waker waker;
};

static void one_init(struct one *one, struct sy_semaphore *semaphore, uint64_t permits) {
    one->waker = (struct counted_waker){0};
    sy_acquire_init(&one->acquire, semaphore, permits);
}

static enum sy_poll one_poll(struct one *one) {
    struct sy_context cx = counted_context(&one->waker);
    return sy_acquire_poll(&one->acquire, &cx);
}

static void one_wait(struct one *one, struct sy_semaphore *semaphore, uint64_t permits) {
    one_init(one, semaphore, permits);
    CHECK_EQ(one_poll(one), SY_PENDING);
    CHECK_EQ(one->waker.wakes.raw, 0);
    CHECK_EQ(one->waker.references.raw, 1);
}

/* It was woken, once, and is ready. */
static void one_expect(struct one *one, int result) {
    CHECK_EQ(one->waker.wakes.raw, 1);
    CHECK_EQ(one->waker.references.raw, 0);
    CHECK_EQ(one_poll(one), SY_READY);
    CHECK_EQ(one->acquire.result, result);
    sy_acquire_drop(&one->acquire); /* harmless */
}

static void permits_are_taken_and_given(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    struct one one;
    sy_semaphore_init(&semaphore, 3);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 2), 0);
    CHECK_EQ(sy_semaphore_available(&semaphore), 1);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 2), -EAGAIN);
    one_init(&one, &semaphore, 1);
    CHECK_EQ(one_poll(&one), SY_READY);
    CHECK_EQ(one.acquire.result, 0);
    CHECK_EQ(one.waker.references.raw, 0);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 0), 0);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    sy_semaphore_release(&semaphore, 5); /* more than there were */
    CHECK_EQ(sy_semaphore_available(&semaphore), 5);
    sy_semaphore_destroy(&semaphore);
}

static void nobody_overtakes(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    struct one three, one, none;
    sy_semaphore_init(&semaphore, 2);
    one_wait(&three, &semaphore, 3); /* has two of them */
    CHECK_EQ(sy_semaphore_available(&semaphore), 0);
    one_wait(&one, &semaphore, 1);
    one_init(&none, &semaphore, 0);
    CHECK_EQ(one_poll(&none), SY_READY);
    sy_semaphore_release(&semaphore, 1);
    CHECK_EQ(one.waker.wakes.raw, 0);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 1), -EAGAIN);
    one_expect(&three, 0);
    sy_semaphore_release(&semaphore, 3);
    one_expect(&one, 0);
    CHECK_EQ(sy_semaphore_available(&semaphore), 2);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 2), 0);
    sy_semaphore_destroy(&semaphore);
}

static void a_later_waker_replaces_the_first(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    struct one one;
    struct counted_waker other = {0};
    struct sy_context cx = counted_context(&other);
    sy_semaphore_init(&semaphore, 0);
    one_wait(&one, &semaphore, 1);
    CHECK_EQ(one_poll(&one), SY_PENDING);
    CHECK_EQ(one.waker.references.raw, 1);
    CHECK_EQ(sy_acquire_poll(&one.acquire, &cx), SY_PENDING);
    CHECK_EQ(one.waker.references.raw, 0);
    sy_semaphore_release(&semaphore, 1);
    CHECK_EQ(one.waker.wakes.raw, 0);
    CHECK_EQ(other.wakes.raw, 1);
    CHECK_EQ(other.references.raw, 0);
    CHECK_EQ(sy_acquire_poll(&one.acquire, &cx), SY_READY);
    sy_semaphore_destroy(&semaphore);
}

static void a_drop_gives_back_and_hands_on(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    struct one first, second, third;
    sy_semaphore_init(&semaphore, 2);
    one_wait(&first, &semaphore, 3);
    one_wait(&second, &semaphore, 1);
    one_wait(&third, &semaphore, 2);
    sy_acquire_drop(&first.acquire); /* had two: one for the second, one for the third, who wants two */
    CHECK_EQ(first.waker.references.raw, 0);
    CHECK_EQ(first.waker.wakes.raw, 0);
    CHECK_EQ(second.waker.wakes.raw, 1);
    CHECK_EQ(third.waker.wakes.raw, 0);
    sy_acquire_drop(&second.acquire); /* chosen and not told yet */
    CHECK_EQ(second.acquire.result, -ECANCELED);
    one_expect(&third, 0);
    sy_semaphore_release(&semaphore, 2);
    sy_acquire_drop(&second.acquire);
    CHECK_EQ(sy_semaphore_available(&semaphore), 2);
    one_init(&first, &semaphore, 1);
    sy_acquire_drop(&first.acquire); /* never polled */
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 2), 0);
    sy_semaphore_destroy(&semaphore);
}

static void one_release_ends_many_waits(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    static struct one all[MANY];
    sy_semaphore_init(&semaphore, 0);
    for (unsigned i = 0; i < MANY; i++) {
        one_wait(&all[i], &semaphore, 1 + i % 3);
    }
    sy_semaphore_release(&semaphore, MANY * 3);
    uint64_t taken = 0;
    for (unsigned i = 0; i < MANY; i++) {
        one_expect(&all[i], 0);
        taken += 1 + i % 3;
    }
    CHECK_EQ(sy_semaphore_available(&semaphore), MANY * 3 - taken);
    sy_semaphore_destroy(&semaphore);
}

static void closing_ends_all_waits(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    static struct one all[MANY];
    struct one late;
    sy_semaphore_init(&semaphore, 1);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 1), 0);
    sy_semaphore_release(&semaphore, 1);
    for (unsigned i = 0; i < MANY; i++) {
        one_wait(&all[i], &semaphore, 2); /* the first has the permit */
    }
    sy_semaphore_close(&semaphore);
    sy_acquire_drop(&all[0].acquire); /* not told yet: what it had is back already */
    for (unsigned i = 1; i < MANY; i++) {
        one_expect(&all[i], -EPIPE);
    }
    one_init(&late, &semaphore, 1);
    CHECK_EQ(one_poll(&late), SY_READY);
    CHECK_EQ(late.acquire.result, -EPIPE);
    CHECK_EQ(sy_semaphore_try_acquire(&semaphore, 1), -EPIPE);
    sy_semaphore_release(&semaphore, 1);
    CHECK_EQ(sy_semaphore_available(&semaphore), 2);
    sy_semaphore_close(&semaphore);
    sy_semaphore_destroy(&semaphore);
}

static void only_success_costs_budget(size_t variant) {
    (void)variant;
    struct sy_semaphore semaphore;
    struct one one;
    struct sy_context cx = counted_context(&one.waker);
    sy_semaphore_init(&semaphore, 1);
    one_init(&one, &semaphore, 2);
    CHECK_EQ(sy_acquire_poll(&one.acquire, &cx), SY_PENDING);
    CHECK_EQ(cx.budget, 128);
    sy_semaphore_release(&semaphore, 1);
    cx.budget = 0;
    CHECK_EQ(sy_acquire_poll(&one.acquire, &cx), SY_PENDING);
    CHECK_EQ(one.waker.wakes.raw, 2); /* by the release, and to come again with a new budget */
    cx.budget = 1;
    CHECK_EQ(sy_acquire_poll(&one.acquire, &cx), SY_READY);
    CHECK_EQ(cx.budget, 0);
    sy_semaphore_destroy(&semaphore);
}

/* ---- wakers that come back into the semaphore ---- */

static struct sy_semaphore reentered;

static void reenter(void *data) {
    counted_wake(data);
    sy_semaphore_close(&reentered);
}

static void wakers_are_called_without_the_lock(size_t variant) {
    (void)variant;
    static const struct sy_waker_vtable vtable = {counted_clone, reenter, counted_wake_by_ref, counted_drop};
    struct counted_waker waker = {0};
    struct sy_context cx = {.waker = {&vtable, &waker}, .budget = 128};
    struct sy_acquire acquires[2];
    sy_semaphore_init(&reentered, 0);
    for (unsigned i = 0; i < 2; i++) {
        sy_acquire_init(&acquires[i], &reentered, 1);
        CHECK_EQ(sy_acquire_poll(&acquires[i], &cx), SY_PENDING);
    }
    sy_semaphore_release(&reentered, 3);
    CHECK_EQ(waker.wakes.raw, 2);
    CHECK_EQ(waker.references.raw, 0);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(sy_acquire_poll(&acquires[i], &cx), SY_READY);
        CHECK_EQ(acquires[i].result, 0);
    }
    CHECK_EQ(sy_semaphore_try_acquire(&reentered, 1), -EPIPE);
    sy_semaphore_destroy(&reentered);
}

static void release_one(void *data) {
    counted_wake(data);
    sy_semaphore_release(&reentered, 1);
}

/* Permits that come while the closing wakes some of the waiting are not for the others. */
static void who_waits_at_the_close_gets_nothing_any_more(size_t variant) {
    (void)variant;
    static const struct sy_waker_vtable vtable = {counted_clone, release_one, counted_wake_by_ref, counted_drop};
    static struct sy_acquire acquires[MANY];
    struct counted_waker waker = {0};
    struct sy_context cx = {.waker = {&vtable, &waker}, .budget = 2 * MANY};
    sy_semaphore_init(&reentered, 1);
    for (unsigned i = 0; i < MANY; i++) {
        sy_acquire_init(&acquires[i], &reentered, 2); /* the first has the permit */
        CHECK_EQ(sy_acquire_poll(&acquires[i], &cx), SY_PENDING);
    }
    sy_semaphore_close(&reentered);
    CHECK_EQ(waker.wakes.raw, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_EQ(sy_acquire_poll(&acquires[i], &cx), SY_READY);
        CHECK_EQ(acquires[i].result, -EPIPE);
    }
    CHECK_EQ(sy_semaphore_available(&reentered), 1 + MANY);
    sy_semaphore_destroy(&reentered);
}

/* ---- random steps against a model ---- */

enum { WAITERS = 12 };

struct model {
    struct sy_semaphore semaphore;
    struct one ones[WAITERS];
    bool waits[WAITERS], granted[WAITERS]; /* granted: and not polled since */
    uint64_t wants[WAITERS];
    unsigned order[WAITERS], length; /* those who wait, oldest first */
    uint64_t free;                   /* those given to the oldest included */
};

static void model_leave(struct model *m, unsigned who) {
    unsigned at = 0;
    while (m->order[at] != who) {
        at++;
    }
    memmove(&m->order[at], &m->order[at + 1], (--m->length - at) * sizeof m->order[0]);
    m->waits[who] = false;
}

/* What the permits that are free come to. */
static void model_settle(struct model *m) {
    while (m->length > 0 && m->wants[m->order[0]] <= m->free) {
        unsigned who = m->order[0];
        m->free -= m->wants[who];
        model_leave(m, who);
        m->granted[who] = true;
    }
}

static void model_acquire(struct model *m, unsigned who, uint64_t wants) {
    one_init(&m->ones[who], &m->semaphore, wants);
    bool at_once = m->length == 0 && m->free >= wants;
    CHECK_EQ(one_poll(&m->ones[who]), at_once ? SY_READY : SY_PENDING);
    if (at_once) {
        m->free -= wants;
        return;
    }
    m->wants[who] = wants;
    m->waits[who] = true;
    m->order[m->length++] = who;
}

static void model_drop(struct model *m, unsigned who) {
    sy_acquire_drop(&m->ones[who].acquire);
    if (m->granted[who]) {
        m->free += m->wants[who];
        m->granted[who] = false;
    } else if (m->waits[who]) {
        model_leave(m, who);
    }
    model_settle(m);
}

static void model_check(struct model *m) {
    for (unsigned i = 0; i < WAITERS; i++) {
        CHECK_EQ(m->ones[i].waker.wakes.raw, m->granted[i]);
        CHECK_EQ(m->ones[i].waker.references.raw, m->waits[i]);
    }
    if (m->length == 0) {
        CHECK_EQ(sy_semaphore_available(&m->semaphore), m->free);
    }
}

static void model_step(struct model *m, uint64_t *random) {
    unsigned who = (unsigned)(check_random(random) % WAITERS);
    uint64_t n = 1 + check_random(random) % 3;
    switch (check_random(random) % 4) {
    case 0:
        sy_semaphore_release(&m->semaphore, n);
        m->free += n;
        model_settle(m);
        break;
    case 1:
        model_drop(m, who);
        m->ones[who].waker.wakes.raw = 0;
        break;
    default:
        if (m->granted[who]) {
            CHECK_EQ(one_poll(&m->ones[who]), SY_READY);
            CHECK_EQ(m->ones[who].acquire.result, 0);
            m->granted[who] = false;
            m->ones[who].waker.wakes.raw = 0;
        } else if (m->waits[who]) {
            CHECK_EQ(one_poll(&m->ones[who]), SY_PENDING);
        } else {
            model_acquire(m, who, n);
        }
    }
}

static void random_steps_agree_with_a_model(size_t variant) {
    (void)variant;
    static struct model m;
    uint64_t random = check_seed();
    memset(&m, 0, sizeof m);
    m.free = 2;
    sy_semaphore_init(&m.semaphore, m.free);
    for (unsigned i = 0; i < WAITERS; i++) {
        one_init(&m.ones[i], &m.semaphore, 1);
    }
    for (size_t step = 0; step < threads_scaled(200000); step++) {
        model_step(&m, &random);
        model_check(&m);
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        sy_acquire_drop(&m.ones[i].acquire);
    }
    sy_semaphore_destroy(&m.semaphore);
}

/* ---- threads ---- */

struct crowd {
    struct sy_semaphore semaphore;
    uint64_t permits;
    struct au64 held, turns, cancelled;
    uint64_t plain; /* guarded where there is one permit */
    struct counted_waker wakers[THREADS_MAX];
};

static void crowd_hold(struct crowd *crowd, uint64_t n, uint64_t *random) {
    uint64_t held = au64_fetch_add_relaxed(&crowd->held, n) + n;
    CHECK(held <= crowd->permits);
    if (crowd->permits == 1) {
        crowd->plain++;
    }
    wait_a_moment(random);
    au64_fetch_sub_relaxed(&crowd->held, n);
    au64_fetch_add_relaxed(&crowd->turns, 1);
    sy_semaphore_release(&crowd->semaphore, n);
}

static void crowd_member(size_t index, void *shared) {
    struct crowd *crowd = shared;
    uint64_t random = check_seed() + index;
    for (size_t i = 0; i < threads_scaled(8000); i++) {
        uint64_t n = 1 + check_random(&random) % crowd->permits;
        struct sy_acquire acquire;
        sy_acquire_init(&acquire, &crowd->semaphore, n);
        /* One in four is dropped instead of waiting, before its wake-up or after. */
        unsigned patience = check_random(&random) % 4 ? WAIT_FOREVER : 0;
        if (wait_poll(&sy_acquire_type, &acquire, &crowd->wakers[index], patience, &random) == SY_READY) {
            CHECK_EQ(acquire.result, 0);
            crowd_hold(crowd, n, &random);
        } else {
            au64_fetch_add_relaxed(&crowd->cancelled, 1);
        }
    }
}

static void crowd_run(uint64_t permits) {
    struct crowd crowd = {.permits = permits};
    size_t members = threads_oversubscribed();
    sy_semaphore_init(&crowd.semaphore, permits);
    threads_run(members, crowd_member, &crowd);
    uint64_t turns = au64_load_relaxed(&crowd.turns);
    CHECK_EQ(turns + au64_load_relaxed(&crowd.cancelled), members * threads_scaled(8000));
    CHECK_EQ(sy_semaphore_available(&crowd.semaphore), permits);
    CHECK(permits != 1 || crowd.plain == turns);
    for (size_t i = 0; i < members; i++) {
        CHECK_EQ(crowd.wakers[i].references.raw, 0);
    }
    CHECK_EQ(sy_semaphore_try_acquire(&crowd.semaphore, permits), 0); /* nobody is thought to wait */
    sy_semaphore_destroy(&crowd.semaphore);
}

static void threads_never_hold_more_than_there_are(size_t variant) {
    (void)variant;
    crowd_run(1);
    crowd_run(2);
    crowd_run(5);
}

static const struct check_test tests[] = {
    {"permits_are_taken_and_given", permits_are_taken_and_given},
    {"nobody_overtakes", nobody_overtakes},
    {"a_later_waker_replaces_the_first", a_later_waker_replaces_the_first},
    {"a_drop_gives_back_and_hands_on", a_drop_gives_back_and_hands_on},
    {"one_release_ends_many_waits", one_release_ends_many_waits},
    {"closing_ends_all_waits", closing_ends_all_waits},
    {"only_success_costs_budget", only_success_costs_budget},
    {"wakers_are_called_without_the_lock", wakers_are_called_without_the_lock},
    {"who_waits_at_the_close_gets_nothing_any_more", who_waits_at_the_close_gets_nothing_any_more},
    {"random_steps_agree_with_a_model", random_steps_agree_with_a_model},
    {"threads_never_hold_more_than_there_are", threads_never_hold_more_than_there_are},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_semaphore", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
