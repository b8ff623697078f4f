/*
 * reclaim.h: nothing is freed too early, everything in the end, and nobody waits for a thread that holds nothing. And
 * what retire.h asks of it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>

static bool no_threads; /* pthread_create fails */

static inline int create_thread(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    return no_threads ? 11 /* EAGAIN */ : pthread_create(id, attributes, run, argument);
}

#define pthread_create create_thread
#include "queues/retire.h"
#undef pthread_create

#include "stress/check.h"
#include "stress/threads.h"

struct object {
    struct reclaim_head head; /* first, so a head is its object */
    uint64_t content;         /* plain */
    struct au64 *freed;
};

static struct object *create_object(uint64_t content, struct au64 *freed) {
    struct object *object = malloc(sizeof *object);
    CHECK(object != NULL);
    object->content = content;
    object->freed = freed;
    return object;
}

static void free_object(struct reclaim_head *head) {
    struct object *object = (struct object *)(void *)head;
    object->content = 0;
    au64_fetch_add_relaxed(object->freed, 1);
    free(object);
}

static struct reclaim *create(void) {
    struct reclaim *reclaim = NULL;
    CHECK_EQ(reclaim_create(&reclaim), 0);
    return reclaim;
}

/* Readers look at the current object; the writer (member 0) replaces it again and again. */
struct shelf {
    struct reclaim *reclaim;
    struct aptr current; /* struct object * */
    struct au64 freed;
    struct au32 over;
    size_t replacements;
};

static void shelf_write(struct shelf *shelf) {
    for (size_t i = 1; i <= shelf->replacements; i++) {
        struct object *old = aptr_exchange_acq_rel(&shelf->current, create_object(i + 1, &shelf->freed));
        reclaim_defer(shelf->reclaim, &old->head, free_object);
        if (i % 16 == 0) {
            sched_yield();
        }
    }
    au32_store_release(&shelf->over, 1);
}

static void shelf_read(struct shelf *shelf, size_t self) {
    uint64_t random = check_seed() + self, last = 0;
    reclaim_register_thread();
    while (!au32_load_acquire(&shelf->over)) {
        struct object *held = aptr_load_acquire(&shelf->current);
        for (uint64_t i = check_random(&random) % 64; i > 0; i--) {
            CHECK(held->content > 0 && held->content >= last);
        }
        last = held->content;
        if (check_random(&random) % 8 == 0) {
            reclaim_offline();
            sched_yield();
            reclaim_online();
        } else {
            reclaim_quiescent();
        }
    }
    reclaim_unregister_thread();
}

static void shelf_member(size_t index, void *shared) {
    index == 0 ? shelf_write(shared) : shelf_read(shared, index);
}

static void nothing_freed_under_readers(size_t variant) {
    (void)variant;
    struct shelf shelf = {.reclaim = create(), .replacements = threads_scaled(200000)};
    aptr_store_relaxed(&shelf.current, create_object(1, &shelf.freed));
    threads_run(4, shelf_member, &shelf);
    reclaim_destroy(shelf.reclaim);
    CHECK_EQ(au64_load_relaxed(&shelf.freed), shelf.replacements);
    free(aptr_load_relaxed(&shelf.current));
}

/* The callback finds that the one reader had let go. */
struct patience {
    struct reclaim *reclaim;
    struct reclaim_head head;
    struct au32 holds, deferred, let_go, ran;
};

static struct patience patience;

static void patience_run(struct reclaim_head *head) {
    CHECK(head == &patience.head);
    CHECK_EQ(au32_load_relaxed(&patience.let_go), 1);
    au32_store_release(&patience.ran, 1);
}

static void patience_member(size_t index, void *shared) {
    (void)shared;
    if (index == 0) {
        while (!au32_load_acquire(&patience.holds)) {
            sched_yield();
        }
        reclaim_defer(patience.reclaim, &patience.head, patience_run);
        au32_store_release(&patience.deferred, 1);
        return;
    }
    reclaim_register_thread();
    au32_store_release(&patience.holds, 1);
    while (!au32_load_acquire(&patience.deferred)) {
        sched_yield();
    }
    for (int i = 0; i < 100; i++) {
        sched_yield(); /* time for a helper that does not wait to give itself away */
    }
    au32_store_relaxed(&patience.let_go, 1);
    reclaim_quiescent();
    while (!au32_load_acquire(&patience.ran)) {
        reclaim_quiescent(); /* a grace period may begin after the first */
        sched_yield();
    }
    reclaim_unregister_thread();
}

static void waits_for_the_reader(size_t variant) {
    (void)variant;
    for (size_t i = 0; i < threads_scaled(200); i++) {
        patience = (struct patience){.reclaim = create()};
        threads_run(2, patience_member, NULL);
        reclaim_destroy(patience.reclaim);
    }
}

struct storm {
    struct reclaim *reclaim;
    struct au64 freed;
    size_t each;
};

static void storm_member(size_t index, void *shared) {
    struct storm *storm = shared;
    for (size_t i = 0; i < storm->each; i++) {
        reclaim_defer(storm->reclaim, &create_object(index + 1, &storm->freed)->head, free_object);
    }
}

static void destroy_frees_everything(size_t variant) {
    (void)variant;
    for (size_t i = 0; i < threads_scaled(200); i++) {
        struct storm storm = {.reclaim = create(), .each = i};
        threads_run(3, storm_member, &storm);
        reclaim_destroy(storm.reclaim);
        CHECK_EQ(au64_load_relaxed(&storm.freed), 3 * storm.each);
    }
}

static void destroy_by_an_online_thread(size_t variant) {
    (void)variant;
    struct storm storm = {.reclaim = create(), .each = 10};
    reclaim_register_thread();
    storm_member(0, &storm);
    reclaim_destroy(storm.reclaim);
    reclaim_quiescent(); /* still registered and online */
    reclaim_unregister_thread();
    CHECK_EQ(au64_load_relaxed(&storm.freed), 10);
}

/* Member 1 is offline and comes back only when member 0 has destroyed: nobody may wait for it. */
struct absence {
    struct au32 offline, destroyed;
    struct storm storm;
};

static void absence_member(size_t index, void *shared) {
    struct absence *absence = shared;
    if (index == 1) {
        reclaim_register_thread();
        reclaim_offline();
        au32_store_release(&absence->offline, 1);
        while (!au32_load_acquire(&absence->destroyed)) {
            sched_yield();
        }
        reclaim_online();
        reclaim_unregister_thread();
        return;
    }
    while (!au32_load_acquire(&absence->offline)) {
        sched_yield();
    }
    storm_member(0, &absence->storm);
    reclaim_destroy(absence->storm.reclaim);
    au32_store_release(&absence->destroyed, 1);
}

static void offline_threads_hold_nobody_up(size_t variant) {
    (void)variant;
    struct absence absence = {.storm = {.reclaim = create(), .each = 10}};
    threads_run(2, absence_member, &absence);
    CHECK_EQ(au64_load_relaxed(&absence.storm.freed), 10);
}

static void no_thread_for_the_helper(size_t variant) {
    (void)variant;
    for (size_t later = 0; later < 2; later++) {
        struct storm storm = {.reclaim = create(), .each = 10};
        no_threads = true;
        storm_member(0, &storm);
        CHECK_EQ(au64_load_relaxed(&storm.freed), 0);
        no_threads = false;
        if (later) {
            storm_member(0, &storm); /* now there is a helper, and it takes the waiting ones too */
        }
        reclaim_destroy(storm.reclaim);
        CHECK_EQ(au64_load_relaxed(&storm.freed), later ? 20 : 10);
    }
}

/* One deferral stands for all that is retired: where there was no thread for it, a later knock must find one. */
struct heap {
    struct retire retire; /* first, so a retire is its heap */
    struct au32 retired, released;
    uint32_t due;
};

static bool collect_heap(struct retire *retire) {
    struct heap *heap = (struct heap *)(void *)retire;
    heap->due = au32_load_relaxed(&heap->retired);
    return heap->due != au32_load_relaxed(&heap->released);
}

static void release_heap(struct retire *retire) {
    struct heap *heap = (struct heap *)(void *)retire;
    au32_store_release(&heap->released, heap->due);
}

static void retire_one(struct heap *heap) {
    au32_fetch_add_relaxed(&heap->retired, 1);
    retire_knock(&heap->retire);
}

static void no_thread_for_what_is_retired(size_t variant) {
    (void)variant;
    struct heap heap = {.due = 0};
    CHECK_EQ(retire_create(&heap.retire, collect_heap, release_heap), 0);
    no_threads = true;
    retire_one(&heap);
    retire_one(&heap);
    CHECK_EQ(au32_load_relaxed(&heap.released), 0);
    no_threads = false;
    retire_one(&heap);
    while (au32_load_acquire(&heap.released) < 3) { /* the watchdog bounds it */
        sched_yield();
    }
    retire_destroy(&heap.retire);
}

/* The callback waits for a second defer, which would wait for the callback if it ran under the lock. */
static struct au32 first_began, second_deferred;

static void wait_for_second(struct reclaim_head *head) {
    sigset_t blocked;
    (void)head;
    au32_store_release(&first_began, 1);
    while (!au32_load_acquire(&second_deferred)) {
        sched_yield();
    }
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    CHECK(sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGUSR1)); /* signals are for others */
}

static void do_nothing(struct reclaim_head *head) {
    (void)head;
}

static void callbacks_run_unlocked_and_undisturbed(size_t variant) {
    (void)variant;
    struct reclaim *reclaim = create();
    struct reclaim_head first, second;
    reclaim_defer(reclaim, &first, wait_for_second);
    while (!au32_load_acquire(&first_began)) { /* else destroy would run it, here; the watchdog bounds it */
        sched_yield();
    }
    reclaim_defer(reclaim, &second, do_nothing);
    au32_store_release(&second_deferred, 1);
    reclaim_destroy(reclaim);
}

static const struct check_test tests[] = {
    {"nothing_freed_under_readers", nothing_freed_under_readers},
    {"waits_for_the_reader", waits_for_the_reader},
    {"destroy_frees_everything", destroy_frees_everything},
    {"destroy_by_an_online_thread", destroy_by_an_online_thread},
    {"offline_threads_hold_nobody_up", offline_threads_hold_nobody_up},
    {"no_thread_for_the_helper", no_thread_for_the_helper},
    {"no_thread_for_what_is_retired", no_thread_for_what_is_retired},
    {"callbacks_run_unlocked_and_undisturbed", callbacks_run_unlocked_and_undisturbed},
};

static const struct check_suite suite = {
    .title = "unit_reclaim", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
