/* Notifications: who is woken, what is kept, and that a dropped waiter passes its own on; alone and between threads. */
#define _GNU_SOURCE
#include "support_wait.h"

enum { MANY = 100 }; /* more than are woken at once */

/* A waiter that is polled by hand. */
struct one {
    struct sy_notified notified;
    struct counted_waker waker;
};

static void one_init(struct one *one, struct sy_notify *notify) {
    one->waker = (struct counted_waker){0};
    sy_notified_init(&one->notified, notify);
}

static enum sy_poll one_poll(struct one *one) {
    struct sy_context cx = counted_context(&one->waker);
    return sy_notified_poll(&one->notified, &cx);
}

static void one_wait(struct one *one, struct sy_notify *notify) {
    one_init(one, notify);
    CHECK_EQ(one_poll(one), SY_PENDING);
    CHECK_EQ(one->waker.wakes.raw, 0);
    CHECK_EQ(one->waker.references.raw, 1);
}

/* It was woken, once, and is ready. */
static void one_expect(struct one *one) {
    CHECK_EQ(one->waker.wakes.raw, 1);
    CHECK_EQ(one->waker.references.raw, 0);
    CHECK_EQ(one_poll(one), SY_READY);
    sy_notified_drop(&one->notified); /* harmless */
}

/* Whether there is a permit, which is taken. */
static bool permit(struct sy_notify *notify) {
    struct one one;
    one_init(&one, notify);
    bool there = one_poll(&one) == SY_READY;
    sy_notified_drop(&one.notified);
    CHECK_EQ(one.waker.references.raw, 0);
    return there;
}

static void notify_one_leaves_one_permit(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    sy_notify_init(&notify);
    CHECK(!permit(&notify));
    sy_notify_one(&notify);
    sy_notify_one(&notify);
    CHECK(permit(&notify));
    CHECK(!permit(&notify));
    sy_notify_destroy(&notify);
}

static void notify_one_wakes_the_oldest(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    static struct one all[MANY];
    sy_notify_init(&notify);
    for (unsigned i = 0; i < MANY; i++) {
        one_wait(&all[i], &notify);
    }
    for (unsigned i = 0; i < MANY; i++) {
        sy_notify_one(&notify);
        CHECK(i + 1 == MANY || all[i + 1].waker.wakes.raw == 0);
        one_expect(&all[i]);
    }
    CHECK(!permit(&notify));
    sy_notify_one(&notify); /* the flag of those who wait is gone */
    CHECK(permit(&notify));
    sy_notify_destroy(&notify);
}

static void notify_waiters_wakes_all_and_leaves_nothing(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    static struct one all[MANY];
    sy_notify_init(&notify);
    sy_notify_waiters(&notify);
    CHECK(!permit(&notify));
    for (unsigned i = 0; i < MANY; i++) {
        one_wait(&all[i], &notify);
    }
    sy_notify_waiters(&notify);
    for (unsigned i = 0; i < MANY; i++) {
        one_expect(&all[i]);
    }
    CHECK(!permit(&notify));
    sy_notify_destroy(&notify);
}

static void who_was_initialised_before_counts_as_waiting(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    struct one before, after;
    sy_notify_init(&notify);
    one_init(&before, &notify);
    sy_notify_waiters(&notify);
    one_init(&after, &notify);
    CHECK_EQ(one_poll(&before), SY_READY);
    CHECK_EQ(one_poll(&after), SY_PENDING);
    sy_notified_drop(&after.notified);
    /* A permit is not spent on one that is ready anyway. */
    one_init(&before, &notify);
    sy_notify_one(&notify);
    sy_notify_waiters(&notify);
    CHECK_EQ(one_poll(&before), SY_READY);
    CHECK(permit(&notify));
    sy_notify_destroy(&notify);
}

static void a_later_waker_replaces_the_first(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    struct one one;
    struct counted_waker other = {0};
    struct sy_context cx = counted_context(&other);
    sy_notify_init(&notify);
    one_wait(&one, &notify);
    CHECK_EQ(one_poll(&one), SY_PENDING);
    CHECK_EQ(sy_notified_poll(&one.notified, &cx), SY_PENDING);
    CHECK_EQ(one.waker.references.raw, 0);
    CHECK_EQ(cx.budget, 128); /* only success costs */
    sy_notify_one(&notify);
    CHECK_EQ(one.waker.wakes.raw, 0);
    CHECK_EQ(other.wakes.raw, 1);
    cx.budget = 0;
    CHECK_EQ(sy_notified_poll(&one.notified, &cx), SY_PENDING);
    CHECK_EQ(other.wakes.raw, 2); /* to come again with a new budget */
    cx.budget = 1;
    CHECK_EQ(sy_notified_poll(&one.notified, &cx), SY_READY);
    CHECK_EQ(cx.budget, 0);
    sy_notify_destroy(&notify);
}

static void a_dropped_waiter_passes_its_notification_on(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    struct one first, second, third;
    sy_notify_init(&notify);
    one_wait(&first, &notify);
    one_wait(&second, &notify);
    one_wait(&third, &notify);
    sy_notified_drop(&second.notified); /* not notified: nothing to pass on */
    CHECK_EQ(third.waker.wakes.raw, 0);
    CHECK_EQ(second.waker.references.raw, 0);
    sy_notify_one(&notify);
    CHECK_EQ(first.waker.wakes.raw, 1);
    sy_notified_drop(&first.notified);
    CHECK_EQ(third.waker.wakes.raw, 1);
    sy_notified_drop(&third.notified); /* to nobody: a permit */
    sy_notified_drop(&third.notified);
    CHECK(permit(&notify));
    CHECK(!permit(&notify));
    sy_notify_destroy(&notify);
}

static void a_dropped_waiter_passes_nothing_on_that_all_got(size_t variant) {
    (void)variant;
    struct sy_notify notify;
    struct one first, second;
    sy_notify_init(&notify);
    one_wait(&first, &notify);
    sy_notify_waiters(&notify);
    one_wait(&second, &notify);
    sy_notified_drop(&first.notified);
    CHECK_EQ(second.waker.wakes.raw, 0);
    sy_notified_drop(&second.notified);
    CHECK(!permit(&notify));
    sy_notify_destroy(&notify);
}

/* ---- wakers that come back ---- */

static struct sy_notify reentered;
static struct one *victim; /* dropped by the first waker that is called */

static void reenter(void *data) {
    counted_wake(data);
    sy_notify_waiters(&reentered);
    if (victim) {
        sy_notified_drop(&victim->notified);
        victim = NULL;
    }
}

/* Also: one that was taken from the list by notify_waiters and waits for its turn to be woken may be dropped. */
static void wakers_are_called_without_the_lock(size_t variant) {
    (void)variant;
    static const struct sy_waker_vtable vtable = {counted_clone, reenter, counted_wake_by_ref, counted_drop};
    static struct one all[MANY];
    sy_notify_init(&reentered);
    for (unsigned i = 0; i < MANY; i++) {
        one_init(&all[i], &reentered);
        struct sy_context cx = {.waker = {&vtable, &all[i].waker}, .budget = 128};
        CHECK_EQ(sy_notified_poll(&all[i].notified, &cx), SY_PENDING);
    }
    victim = &all[MANY - 1];
    sy_notify_waiters(&reentered);
    for (unsigned i = 0; i < MANY - 1; i++) {
        one_expect(&all[i]);
    }
    CHECK_EQ(all[MANY - 1].waker.wakes.raw, 0);
    CHECK_EQ(all[MANY - 1].waker.references.raw, 0);
    sy_notify_destroy(&reentered);
}

/* ---- threads ---- */

/*
 * notify_one as a lock of one permit: each turn takes the permit and puts it back, some who were chosen drop instead. A
 * notification that is lost stops everybody, one that is doubled lets two in at once.
 */
struct turns {
    struct sy_notify notify;
    struct au64 inside;
    uint64_t plain; /* guarded by the turn */
    struct au64 taken;
    struct counted_waker wakers[THREADS_MAX];
};

static void turns_member(size_t index, void *shared) {
    struct turns *turns = shared;
    uint64_t random = check_seed() + index;
    for (size_t i = 0; i < threads_scaled(5000); i++) {
        struct sy_notified notified;
        sy_notified_init(&notified, &turns->notify);
        unsigned patience = check_random(&random) % 4 ? WAIT_FOREVER : 0;
        if (wait_poll(&sy_notified_type, &notified, &turns->wakers[index], patience, &random) == SY_READY) {
            CHECK_EQ(au64_fetch_add_relaxed(&turns->inside, 1), 0);
            turns->plain++;
            wait_a_moment(&random);
            CHECK_EQ(au64_fetch_sub_relaxed(&turns->inside, 1), 1);
            au64_fetch_add_relaxed(&turns->taken, 1);
            sy_notify_one(&turns->notify);
        }
    }
}

static void notify_one_is_neither_lost_nor_doubled(size_t variant) {
    (void)variant;
    static struct turns turns;
    memset(&turns, 0, sizeof turns);
    sy_notify_init(&turns.notify);
    sy_notify_one(&turns.notify);
    threads_run(threads_oversubscribed(), turns_member, &turns);
    CHECK_EQ(turns.plain, turns.taken.raw);
    CHECK(permit(&turns.notify));
    CHECK(!permit(&turns.notify));
    for (size_t i = 0; i < THREADS_MAX; i++) {
        CHECK_EQ(turns.wakers[i].references.raw, 0);
    }
    sy_notify_destroy(&turns.notify);
}

/* The same where nobody waits: who finds no permit leaves at once. ThreadSanitizer sees if the permit does not order. */
static void impatient_member(size_t index, void *shared) {
    struct turns *turns = shared;
    uint64_t random = check_seed() + index;
    for (size_t taken = 0; taken < threads_scaled(5000);) {
        struct sy_notified notified;
        sy_notified_init(&notified, &turns->notify);
        if (wait_poll(&sy_notified_type, &notified, &turns->wakers[index], 0, &random) == SY_READY) {
            turns->plain++;
            taken++;
            sy_notify_one(&turns->notify);
            sched_yield();
        }
    }
}

static void a_permit_hands_over_what_was_done(size_t variant) {
    (void)variant;
    static struct turns turns;
    memset(&turns, 0, sizeof turns);
    sy_notify_init(&turns.notify);
    sy_notify_one(&turns.notify);
    threads_run(2, impatient_member, &turns);
    CHECK_EQ(turns.plain, 2 * threads_scaled(5000));
    CHECK(permit(&turns.notify));
    sy_notify_destroy(&turns.notify);
}

/*
 * A condition that is changed and told of with notify_waiters: whoever initialises, looks and then waits must see each
 * change. Some drop in between and try again.
 */
struct broadcast {
    struct sy_notify notify;
    struct au64 version; /* relaxed: the notification orders it */
    uint64_t versions;
    struct au64 seen; /* how many have seen the newest */
    size_t watchers;
    struct counted_waker wakers[THREADS_MAX];
};

static void broadcast_watch(struct broadcast *b, struct counted_waker *waker, uint64_t *random) {
    uint64_t known = 0;
    while (known < b->versions) {
        struct sy_notified notified;
        sy_notified_init(&notified, &b->notify);
        uint64_t version = au64_load_relaxed(&b->version);
        if (version > known) {
            sy_notified_drop(&notified);
            CHECK_EQ(version, known + 1); /* the teller waits for all */
            known = version;
            au64_fetch_add_relaxed(&b->seen, 1);
            continue;
        }
        unsigned patience = check_random(random) % 4 ? WAIT_FOREVER : 0;
        wait_poll(&sy_notified_type, &notified, waker, patience, random);
    }
}

static void broadcast_member(size_t index, void *shared) {
    struct broadcast *b = shared;
    uint64_t random = check_seed() + index;
    if (index > 0) {
        broadcast_watch(b, &b->wakers[index], &random);
        return;
    }
    for (uint64_t version = 1; version <= b->versions; version++) {
        au64_store_relaxed(&b->seen, 0);
        wait_a_moment(&random);
        au64_store_relaxed(&b->version, version);
        sy_notify_waiters(&b->notify);
        while (au64_load_relaxed(&b->seen) < b->watchers) {
            sched_yield(); /* bounded by the watchdog */
        }
    }
}

static void notify_waiters_reaches_everybody(size_t variant) {
    (void)variant;
    static struct broadcast b;
    memset(&b, 0, sizeof b);
    size_t threads = threads_oversubscribed();
    b.watchers = threads - 1;
    b.versions = threads_scaled(3000);
    sy_notify_init(&b.notify);
    threads_run(threads, broadcast_member, &b);
    CHECK(!permit(&b.notify));
    sy_notify_destroy(&b.notify);
}

static const struct check_test tests[] = {
    {"notify_one_leaves_one_permit", notify_one_leaves_one_permit},
    {"notify_one_wakes_the_oldest", notify_one_wakes_the_oldest},
    {"notify_waiters_wakes_all_and_leaves_nothing", notify_waiters_wakes_all_and_leaves_nothing},
    {"who_was_initialised_before_counts_as_waiting", who_was_initialised_before_counts_as_waiting},
    {"a_later_waker_replaces_the_first", a_later_waker_replaces_the_first},
    {"a_dropped_waiter_passes_its_notification_on", a_dropped_waiter_passes_its_notification_on},
    {"a_dropped_waiter_passes_nothing_on_that_all_got", a_dropped_waiter_passes_nothing_on_that_all_got},
    {"wakers_are_called_without_the_lock", wakers_are_called_without_the_lock},
    {"notify_one_is_neither_lost_nor_doubled", notify_one_is_neither_lost_nor_doubled},
    {"a_permit_hands_over_what_was_done", a_permit_hands_over_what_was_done},
    {"notify_waiters_reaches_everybody", notify_waiters_reaches_everybody},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_notify", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
