/* Visits of threads that are no workers: online only meanwhile, registered until the thread's end and no longer. */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/wait.h>

#include "executor/visit.h"
#include "queues/reclaim.h"
#include "support_alloc.h"
#include "support_probe.h"

static void run_thread(void *(*body)(void *argument), void *argument) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Hangs where a thread that is online, or gone, is still waited for; the watchdog tells. */
static void grace_period_passes(void) {
    CHECK(!reclaim_is_online());
    reclaim_wait_for_readers();
}

/* ---- without a key ---- */

static void *visit_without_a_key(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < 3; i++) {
        enum visit visit = visit_enter();
        CHECK_EQ(visit, VISIT_REGISTERED);
        CHECK(reclaim_is_online());
        visit_leave(visit);
        CHECK(!reclaim_is_online() && !reclaim_is_registered());
    }
    return NULL;
}

static void use_all_keys(void) {
    pthread_key_t key;
    while (pthread_key_create(&key, NULL) == 0) {
    }
    run_thread(visit_without_a_key, NULL);
    grace_period_passes();
}

/* In a child, and first of all tests: the key is made once in a process. */
static void no_key_left(size_t variant) {
    (void)variant;
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        use_all_keys();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* glibc asks for memory for the values of the keys from the 33rd on. */
static void *visit_without_memory(void *argument) {
    (void)argument;
    support_alloc_fail_after(0);
    enum visit visit = visit_enter();
    support_alloc_fail_after(UINT64_MAX);
    CHECK_EQ(visit, VISIT_REGISTERED);
    visit_leave(visit);
    CHECK(!reclaim_is_registered());
    CHECK_EQ(visit_enter(), VISIT_ONLINE); /* there is some now */
    visit_leave(VISIT_ONLINE);
    CHECK(reclaim_is_registered());
    return NULL;
}

static void no_memory_for_the_key(size_t variant) {
    (void)variant;
    if (!support_alloc_can_fail()) {
        check_skip("allocations cannot fail under a sanitizer");
        return;
    }
    run_thread(visit_without_memory, NULL);
    grace_period_passes();
}

/* ---- during and between visits ---- */

struct guest {
    struct reclaim *reclaim;
    struct reclaim_head head;
    struct au32 freed;
    struct support_counter left, may_end;
};

static void count_freed(struct reclaim_head *head) {
    struct guest *guest = (struct guest *)((char *)head - offsetof(struct guest, head));
    au32_store_release(&guest->freed, 1);
}

static void *visit_and_block(void *argument) {
    struct guest *guest = argument;
    for (unsigned i = 0; i < 3; i++) {
        enum visit visit = visit_enter();
        CHECK_EQ(visit, VISIT_ONLINE);
        CHECK(reclaim_is_online());
        if (i == 2) {
            reclaim_defer(guest->reclaim, &guest->head, count_freed);
            for (unsigned k = 0; k < 1000; k++) {
                CHECK_EQ(au32_load_acquire(&guest->freed), 0); /* what a visitor may read is not freed */
                sched_yield();
            }
        }
        visit_leave(visit);
        CHECK(!reclaim_is_online() && reclaim_is_registered());
    }
    support_counter_add(&guest->left, 1);
    support_counter_wait(&guest->may_end, 1);
    return NULL;
}

static void online_only_during_visits(size_t variant) {
    (void)variant;
    struct guest guest = {.left = SUPPORT_COUNTER_INIT, .may_end = SUPPORT_COUNTER_INIT};
    pthread_t thread;
    CHECK_EQ(reclaim_create(&guest.reclaim), 0);
    CHECK_EQ(pthread_create(&thread, NULL, visit_and_block, &guest), 0);
    support_counter_wait(&guest.left, 1);
    grace_period_passes(); /* although the thread blocks */
    support_counter_add(&guest.may_end, 1);
    pthread_join(thread, NULL);
    reclaim_destroy(guest.reclaim);
    CHECK_EQ(au32_load_acquire(&guest.freed), 1);
    grace_period_passes(); /* although the thread is gone */
}

/* Attached, like a worker or a user of a queue of its own, before, during and after visits. */
static void *attach_and_visit(void *argument) {
    bool *visit_first = argument;
    if (*visit_first) {
        visit_leave(visit_enter());
    }
    for (unsigned i = 0; i < 2; i++) {
        reclaim_attach();
        reclaim_attach();
        CHECK(reclaim_is_online());
        CHECK_EQ(visit_enter(), VISIT_NONE);
        visit_leave(VISIT_NONE);
        CHECK(reclaim_is_online());
        reclaim_offline(); /* as a worker that waits in the reactor */
        CHECK_EQ(visit_enter(), VISIT_ONLINE);
        visit_leave(VISIT_ONLINE);
        CHECK(!reclaim_is_online());
        reclaim_online();
        reclaim_detach();
        CHECK(reclaim_is_online());
        reclaim_detach();
        CHECK(!reclaim_is_online());
        CHECK_EQ(reclaim_is_registered(), *visit_first);
    }
    return NULL;
}

static void visits_nest_with_attachments(size_t variant) {
    (void)variant;
    bool visit_first = false;
    run_thread(attach_and_visit, &visit_first);
    visit_first = true;
    run_thread(attach_and_visit, &visit_first);
    grace_period_passes();
}

/* ---- another key's destructor visits after ours ---- */

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 2 }; /* its own books on the thread end with a destructor in a later one */
#else
enum { ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS };
#endif

static pthread_key_t late_key;

/* In every round: a value that is set again brings the next. */
static void visit_late(void *value) {
    unsigned *rounds = value;
    visit_leave(visit_enter());
    CHECK(!reclaim_is_online());
    if (++*rounds < ROUNDS) {
        pthread_setspecific(late_key, rounds);
    }
}

static void *end_with_late_visits(void *argument) {
    visit_leave(visit_enter());
    pthread_setspecific(late_key, argument);
    return NULL;
}

static void visits_after_the_end(size_t variant) {
    (void)variant;
    visit_leave(visit_enter()); /* our key is made before the other, so its destructor comes first in each round */
    CHECK_EQ(pthread_key_create(&late_key, visit_late), 0);
    for (unsigned i = 0; i < 3; i++) {
        unsigned rounds = 0;
        run_thread(end_with_late_visits, &rounds);
        CHECK_EQ(rounds, ROUNDS);
        grace_period_passes(); /* the registry keeps nobody who is gone: the next thread has the same stack */
    }
    pthread_key_delete(late_key);
}

static const struct check_test tests[] = {
    {"no_key_left", no_key_left},
    {"no_memory_for_the_key", no_memory_for_the_key},
    {"online_only_during_visits", online_only_during_visits},
    {"visits_nest_with_attachments", visits_nest_with_attachments},
    {"visits_after_the_end", visits_after_the_end},
};

int main(int argc, char **argv) {
    pthread_key_t others[32]; /* so that ours is not among those whose values need no memory */
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (pthread_key_create(&others[i], NULL) != 0) {
            return 1;
        }
    }
    check.timeout_s = 20;
    static const struct check_suite suite = {
        .title = "unit_visit", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
