/*
 * ctest-each: dq_list
 * ctest-label: queues
 * Operations that come to a stop before any one of their atomic accesses, while others run from beginning to end: all
 * in one thread, which calls the others from within (SY_ATOMICS_STEP). So whatever stalled threads can do to an owner
 * and to thieves is tried, at every access, and nobody may wait for who has stalled. Which orders of accesses only
 * hardware makes is not seen here.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP
#define DQ_SPLIT_ASYM_PATIENCE 3 /* looks of a thief whom nobody answers, each of which is a place to stop at */
#include "queues/reclaim.h"

/* Whether steps are taken from within: not by the helper of reclaim.h, and not with its lock held. */
static _Thread_local bool stepping;

static inline void steps_defer(struct reclaim *reclaim, struct reclaim_head *head,
                               void (*run)(struct reclaim_head *head)) {
    bool before = stepping;
    stepping = false;
    reclaim_defer(reclaim, head, run);
    stepping = before;
}

#define reclaim_defer steps_defer
#include "stress/dq_record.h"
#include "stress/threads.h"

#define DEPTH_MAX 4
#define ACCESSES_MAX 200000 /* of one script, which may copy arrays and look in vain a few times an operation */

/*
 * Scripts: who does what, in turn. Thread 0 is the owner, its letters are p: push, P: push more than a bounded deque
 * holds, o: pop, O: pop all, t: take some of the oldest, l: look whether it is empty; of thieves s: steal one, h: up to
 * half, into a deque of its own, a: one by one until there is no more. Who is busy, because it has stalled, is left
 * out.
 */
static const char *const stalled[] = {"1s", "1h", "0p", "0o", "0t", "0l"};
static const char *const meanwhile[] = {
    "0p",       "0P",     "0o",     "0O",       "0t",     "0o0p",   "0O0P",   "0o0o",   "0o0o0o",
    "0o0o0p0p", "2s",     "2h",     "2a",       "2s0p2s", "0p2a0p", "2a0P",   "2h0P0O", "2a0t",
    "0t0P",     "0P2a0P", "0P0t2a", "2a0P2a0P", "0o2h",   "0o0o2s", "0t3h2h",
};

#define STALLED (sizeof stalled / sizeof *stalled)
#define MEANWHILE (sizeof meanwhile / sizeof *meanwhile)

static struct {
    const char *script;      /* to run while the first one has stopped, */
    size_t stop;             /* before this access of it; if it has so many */
    uint64_t *random;        /* not NULL: any scripts, now and then, within one another */
    uint64_t one_in, budget; /* of `random`: how often, and how many scripts yet */
    size_t depth, accesses[DEPTH_MAX + 1];
    bool stopped, busy[RECORD_THREADS];
    uint64_t thieves_met, thieves_kept, slots_kept; /* while a thief had stalled */
} schedule;

static struct record record;

static void run_script(const char *script);

static void atomics_step(void) {
    if (!stepping) {
        return;
    }
    if (++schedule.accesses[schedule.depth] > ACCESSES_MAX) {
        check_fail(__FILE__, __LINE__, "somebody waits for an operation that has come to a stop");
    }
    if (schedule.random) {
        if (schedule.depth < DEPTH_MAX && schedule.budget > 0 && check_random(schedule.random) % schedule.one_in == 0) {
            schedule.budget--;
            run_script(meanwhile[check_random(schedule.random) % MEANWHILE]);
        }
    } else if (schedule.depth == 1 && schedule.accesses[1] == schedule.stop) {
        schedule.stopped = true;
        run_script(schedule.script);
    }
}

/* What is inside by what has returned. */
static size_t inside(const struct record *r) {
    size_t n = 0;
    for (size_t t = 0; t < RECORD_THREADS; t++) {
        for (size_t i = 0; i < r->logged[t]; i++) {
            enum history_kind kind = r->events[t][i].kind;
            n += kind == HISTORY_PUSH;
            n -= kind == HISTORY_POP || kind == HISTORY_STEAL;
        }
    }
    return n;
}

/* Pushes until there is no room; then makes room, and pushes once more. */
static void push_many(struct record *r) {
    size_t most = 2 * r->config->capacity + 3, n = 0;
    most = most < record_left(r) ? most : record_left(r);
    while (n < most && record_push(r) == DQ_OK) {
        n++;
    }
    if (n < most) {
        CHECK(r->ops->bounded);
        schedule.slots_kept += schedule.busy[1] && inside(r) + 2 * r->config->block < r->config->capacity;
        record_take_oldest(r, RECORD_BATCH);
        record_push(r);
    }
}

static void steal_all(struct record *r, size_t self) {
    size_t moved;
    enum dq_status status = DQ_OK;
    while (status == DQ_OK) {
        status = record_steal(r, self, false, 1, &moved);
    }
    schedule.thieves_met += schedule.busy[1];
    schedule.thieves_kept += schedule.busy[1] && status == DQ_RETRY;
}

static void run_letter(struct record *r, size_t self, char letter) {
    size_t moved;
    switch (letter) {
    case 'p':
        if (record_left(r) > 0) {
            record_push(r);
        }
        break;
    case 'P':
        push_many(r);
        break;
    case 'o':
        record_pop(r);
        break;
    case 'O':
        while (record_pop(r) == DQ_OK) {
        }
        break;
    case 't':
        record_take_oldest(r, RECORD_BATCH);
        break;
    case 'l':
        record_look(r);
        break;
    case 's':
        record_steal(r, self, false, 1, &moved);
        break;
    case 'h':
        record_steal(r, self, true, RECORD_BATCH, &moved);
        break;
    default:
        steal_all(r, self);
    }
}

static void run_script(const char *script) {
    schedule.accesses[++schedule.depth] = 0;
    for (; *script; script += 2) {
        size_t self = (size_t)(script[0] - '0');
        if (!schedule.busy[self]) {
            schedule.busy[self] = true;
            run_letter(&record, self, script[1]);
            schedule.busy[self] = false;
        }
    }
    schedule.depth--;
}

/* A deque whose oldest item is `turned` places further on than its first, with `fill` items. */
static void begin(const struct dq_ops *ops, const struct dq_config *config, struct item *items, size_t turned,
                  size_t fill) {
    record_begin(&record, ops, config, items);
    for (size_t i = 0; i < turned; i++) {
        CHECK_EQ(record_push(&record), DQ_OK);
        if (record_take_oldest(&record, 1) == 0) {
            CHECK_EQ(record_pop(&record), DQ_OK);
        }
    }
    for (size_t i = 0; i < fill && record_push(&record) == DQ_OK; i++) {
    }
}

/* Returns whether the first script was long enough to be stopped there. */
static bool run_stalled(const char *first, const char *then, size_t stop) {
    schedule.script = then;
    schedule.stop = stop;
    schedule.stopped = false;
    stepping = true;
    run_script(first);
    stepping = false;
    record_end(&record);
    reclaim_quiescent();
    return schedule.stopped;
}

static void run_stalled_everywhere(const struct dq_ops *ops, const struct dq_config *config, struct item *items,
                                   size_t turned, size_t fill) {
    for (size_t i = 0; i < STALLED; i++) {
        for (size_t k = 0; k < MEANWHILE; k++) {
            bool reached = true;
            for (size_t stop = 1; reached; stop++) {
                check_note("capacity %zu, block %zu, first %" PRIu64 ", turned by %zu, %zu inside, %s stopped before "
                           "access %zu for %s",
                           config->capacity, config->block, config->first, turned, fill, stalled[i], stop,
                           meanwhile[k]);
                begin(ops, config, items, turned, fill);
                reached = run_stalled(stalled[i], meanwhile[k], stop);
            }
        }
    }
}

static const struct dq_config shapes[] = {
    {.capacity = 2, .block = 2},
    {.capacity = 4, .block = 2, .first = UINT64_MAX - 2},
    {.capacity = 16, .block = 4, .first = UINT16_MAX - 6},
    {.capacity = 8, .block = 2, .first = UINT32_MAX - 5},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static void one_stalls(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct item *items = create_items(RECORD_VALUES);
    struct reclaim *reclaim = create_reclaim();
    schedule.thieves_met = schedule.thieves_kept = schedule.slots_kept = 0;
    reclaim_register_thread();
    for (size_t i = 0; i < SHAPES; i++) {
        struct dq_config config = shapes[i];
        config.reclaim = reclaim;
        for (size_t fill = 0; fill <= 6; fill++) {
            for (size_t turned = fill % threads_stride(); turned < 2 * config.block; turned += threads_stride()) {
                run_stalled_everywhere(ops, &config, items, turned, fill);
            }
        }
    }
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
    printf("     %s: of %" PRIu64 " thieves that met one that had stalled, %" PRIu64
           " were told to come again; %" PRIu64 " times the owner had no room for as many items as the capacity\n",
           ops->name, schedule.thieves_met, schedule.thieves_kept, schedule.slots_kept);
}

/* Within one another, up to four deep. */
static void several_stall(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    struct item *items = create_items(RECORD_VALUES);
    struct reclaim *reclaim = create_reclaim();
    uint64_t random = check_seed();
    schedule.random = &random;
    reclaim_register_thread();
    for (size_t i = 0; i < threads_scaled(40000); i++) {
        struct dq_config config = shapes[i % SHAPES];
        config.reclaim = reclaim;
        begin(ops, &config, items, check_random(&random) % 8, check_random(&random) % 8);
        schedule.budget = 8;
        schedule.one_in = 2 + check_random(&random) % 20;
        stepping = true;
        for (size_t k = 0; k < 3; k++) {
            run_script(meanwhile[check_random(&random) % MEANWHILE]);
        }
        stepping = false;
        record_end(&record);
        reclaim_quiescent();
    }
    schedule.random = NULL;
    reclaim_unregister_thread();
    reclaim_destroy(reclaim);
    free(items);
}

static bool variant_runs(size_t variant) {
    const struct dq_ops *ops = implementations[variant];
    if (starts_with(ops->progress, "blocking")) {
        check_skip("%s is blocking, as it says: who stalls with the lock held stalls all", ops->name);
        return false;
    }
    return true;
}

static const struct check_test tests[] = {
    {"one_stalls", one_stalls},
    {"several_stall", several_stall},
};

static const struct check_suite suite = {
    .title = "suite_dq_steps",
    .tests = tests,
    .test_count = sizeof tests / sizeof *tests,
    .variant_count = IMPLEMENTATIONS,
    .variant_name = variant_name,
    .variant_runs = variant_runs,
};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
