/* Who is parked and who searches: the word against a plain model, its limits, and that it never drifts. */
#define _GNU_SOURCE
#include "executor/idle.h"

#include <pthread.h>

#include "check.h"
#include "support.h"

static uint64_t parked(const struct idle *idle) {
    return au64_load_relaxed(&idle->word) >> 32;
}

static uint64_t searching(const struct idle *idle) {
    return (uint32_t)au64_load_relaxed(&idle->word);
}

static void claims_the_last_parked_first(size_t variant) {
    (void)variant;
    struct idle idle;
    CHECK_EQ(idle_create(&idle, 4, 2), 0);
    CHECK_EQ(idle_claim(&idle), IDLE_NOBODY); /* nobody is parked */
    idle_park(&idle, 0, false, false);
    idle_park(&idle, 1, false, false);
    idle_park(&idle, 2, false, true); /* who waits in the reactor goes last */
    idle_park(&idle, 3, false, false);
    static const uint32_t order[] = {3, 1, 0, 2};
    for (unsigned i = 0; i < 4; i++) {
        CHECK(idle_wants_wake(&idle));
        CHECK_EQ(idle_claim(&idle), order[i]);
        CHECK(!idle_wants_wake(&idle)); /* it searches: no further wake-up is needed */
        CHECK_EQ(idle_claim(&idle), IDLE_NOBODY);
        CHECK(idle_stop_searching(&idle));
    }
    CHECK_EQ(idle.word.raw, 0);
    idle_destroy(&idle);
}

static void searchers_are_limited(size_t variant) {
    (void)variant;
    struct idle idle;
    CHECK_EQ(idle_create(&idle, 4, 2), 0);
    CHECK(idle_start_searching(&idle));
    CHECK(idle_start_searching(&idle));
    CHECK(!idle_start_searching(&idle));
    CHECK(!idle_stop_searching(&idle)); /* not the last */
    CHECK(idle_start_searching(&idle));
    idle_park(&idle, 0, true, false); /* takes a token with it */
    CHECK_EQ(searching(&idle), 1);
    CHECK(idle_stop_searching(&idle));
    CHECK(idle_unpark(&idle, 0, true));
    CHECK(!idle_unpark(&idle, 0, true)); /* it is on the list no longer */
    CHECK_EQ(searching(&idle), 1);
    CHECK(idle_stop_searching(&idle));
    CHECK_EQ(idle.word.raw, 0);
    idle_destroy(&idle);
}

enum { WORKERS = 6 };

struct model {
    bool parked[WORKERS], searching[WORKERS];
};

static unsigned count(const bool *flags) {
    unsigned n = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        n += flags[i];
    }
    return n;
}

/* One random legal step of a random worker. */
static void step(struct idle *idle, struct model *model, uint64_t *random) {
    uint32_t w = (uint32_t)(check_random(random) % WORKERS);
    uint64_t choice = check_random(random) % 4;
    if (choice == 0) {
        uint32_t claimed = idle_claim(idle);
        bool wanted = count(model->parked) > 0 && count(model->searching) == 0;
        CHECK_EQ(claimed != IDLE_NOBODY, wanted);
        if (wanted) {
            CHECK(model->parked[claimed]);
            model->parked[claimed] = false;
            model->searching[claimed] = true;
        }
    } else if (model->parked[w]) {
        bool search = choice % 2;
        CHECK(idle_unpark(idle, w, search));
        model->parked[w] = false;
        model->searching[w] = search;
    } else if (choice == 1) {
        idle_park(idle, w, model->searching[w], check_random(random) % 2);
        model->parked[w] = true;
        model->searching[w] = false;
    } else if (model->searching[w]) {
        bool last = count(model->searching) == 1;
        CHECK_EQ(idle_stop_searching(idle), last);
        model->searching[w] = false;
    } else {
        bool room = count(model->searching) < 3;
        CHECK_EQ(idle_start_searching(idle), room);
        model->searching[w] = room;
    }
    CHECK_EQ(parked(idle), count(model->parked));
    CHECK_EQ(searching(idle), count(model->searching));
}

static void agrees_with_a_model(size_t variant) {
    (void)variant;
    struct idle idle;
    struct model model = {0};
    uint64_t random = check_seed();
    CHECK_EQ(idle_create(&idle, WORKERS, 3), 0);
    for (unsigned i = 0; i < support_rounds(200000); i++) {
        step(&idle, &model, &random);
    }
    idle_destroy(&idle);
}

/* ---- drift: the two packed counters after many races (what stopped the JDK's pool after weeks, JDK-8330017) ---- */

struct crowd {
    struct idle idle;
    struct au32 claimed[WORKERS]; /* this worker was taken off the list by a claim */
    unsigned rounds;
};

struct member {
    struct crowd *crowd;
    uint32_t index;
};

static void *member_thread(void *argument) {
    struct member *self = argument;
    struct idle *idle = &self->crowd->idle;
    for (unsigned i = 0; i < self->crowd->rounds; i++) {
        bool search = idle_start_searching(idle);
        idle_park(idle, self->index, search, i % 3 == 0);
        uint32_t other = idle_claim(idle);
        if (other != IDLE_NOBODY) {
            CHECK_EQ(au32_exchange_acq_rel(&self->crowd->claimed[other], 1), 0); /* nobody is claimed twice */
        }
        if (!idle_unpark(idle, self->index, true)) {
            while (!au32_exchange_acq_rel(&self->crowd->claimed[self->index], 0)) {
                sched_yield(); /* the claimer is about to say so */
            }
        }
        idle_stop_searching(idle);
    }
    return NULL;
}

static void never_drifts(size_t variant) {
    (void)variant;
    static struct crowd crowd;
    struct member members[WORKERS];
    pthread_t threads[WORKERS];
    crowd.rounds = support_rounds(30000);
    CHECK_EQ(idle_create(&crowd.idle, WORKERS, 3), 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        members[i] = (struct member){&crowd, i};
        CHECK_EQ(pthread_create(&threads[i], NULL, member_thread, &members[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ(crowd.idle.word.raw, 0);
    CHECK_EQ(crowd.idle.count, 0);
    idle_destroy(&crowd.idle);
}

static const struct check_test tests[] = {
    {"claims_the_last_parked_first", claims_the_last_parked_first},
    {"searchers_are_limited", searchers_are_limited},
    {"agrees_with_a_model", agrees_with_a_model},
    {"never_drifts", never_drifts},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_idle", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
