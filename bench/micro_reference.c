/* What the machine takes for the things that everything else is made of: the scale to read the other rows by. */
#include <stdlib.h>

#include "bench/micro_driver.h"
#include "bench/micro_list.h"

enum { ROUND = 1024 };

struct reference {
    SY_ALIGNAS(SY_CACHE_LINE) struct au64 counter; /* the line that all threads want */
    SY_ALIGNAS(SY_CACHE_LINE) void (*round)(struct au64 *counter, struct micro_thread *self);
    bool counts; /* each operation adds one to the counter */
};

static void empty_round(struct au64 *counter, struct micro_thread *self) {
    (void)counter;
    for (uint64_t i = 0; i < ROUND; i++) {
        __asm__ __volatile__("" : "+r"(i));
    }
    micro_count(&self->operations, ROUND);
}

static void fetch_add_round(struct au64 *counter, struct micro_thread *self) {
    for (unsigned i = 0; i < ROUND; i++) {
        au64_fetch_add_relaxed(counter, 1);
    }
    micro_count(&self->operations, ROUND);
}

static void cas_round(struct au64 *counter, struct micro_thread *self) {
    uint64_t failed = 0;
    for (unsigned i = 0; i < ROUND; i++) {
        uint64_t value = au64_load_relaxed(counter);
        while (!au64_cas_acq_rel(counter, &value, value + 1)) {
            failed++;
        }
    }
    micro_count(&self->retry, failed);
    micro_count(&self->operations, ROUND);
}

static void malloc_round(struct au64 *counter, struct micro_thread *self) {
    (void)counter;
    for (unsigned i = 0; i < ROUND; i++) {
        void *memory = malloc(128);
        __asm__ __volatile__("" : "+r"(memory)); /* or the compiler leaves out the pair */
        if (!memory) {
            self->failure = "no memory";
        }
        free(memory);
    }
    micro_count(&self->operations, ROUND);
}

static void clock_round(struct au64 *counter, struct micro_thread *self) {
    uint64_t last_ns = 0;
    (void)counter;
    for (unsigned i = 0; i < ROUND; i++) {
        uint64_t now_ns = micro_now_ns();
        if (now_ns < last_ns) {
            self->failure = "the clock went back";
        }
        last_ns = now_ns;
    }
    micro_count(&self->operations, ROUND);
}

static void round_alone(void *argument, struct micro_thread *self) {
    struct reference *reference = argument;
    reference->round(&reference->counter, self);
}

static void rounds_together(void *argument, struct micro_thread *self) {
    while (micro_goes_on(self)) {
        round_alone(argument, self);
    }
}

static void run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result,
                struct reference *reference) {
    unsigned threads = one->parameters.threads;
    struct micro_team team = {.threads = threads, .leaders = threads, .counts = {true, true}, .argument = reference};
    if (threads == 1) {
        micro_run_alone(round_alone, reference, extent, result);
    } else {
        team.body = rounds_together;
        micro_run_team(&team, extent, result);
    }
    if (!result->failure && reference->counts && au64_load_relaxed(&reference->counter) != result->all_operations) {
        result->failure = "the count is wrong";
    }
}

static void empty_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, &(struct reference){.round = empty_round});
}

static void fetch_add_run(const struct micro_case *one, const struct micro_extent *extent,
                          struct micro_result *result) {
    run(one, extent, result, &(struct reference){.round = fetch_add_round, .counts = true});
}

static void cas_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, &(struct reference){.round = cas_round, .counts = true});
}

static void malloc_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, &(struct reference){.round = malloc_round});
}

static void clock_run(const struct micro_case *one, const struct micro_extent *extent, struct micro_result *result) {
    run(one, extent, result, &(struct reference){.round = clock_round});
}

void micro_reference_add(void) {
    static const struct {
        const char *name;
        void (*run)(const struct micro_case *, const struct micro_extent *, struct micro_result *);
        bool scales;
        unsigned core; /* up to so many threads */
    } rows[] = {
        {"empty_loop", empty_run, false, 1},   {"clock", clock_run, false, 0},
        {"fetch_add", fetch_add_run, true, 2}, {"cas_loop", cas_run, true, 2},
        {"malloc_free", malloc_run, true, 1},
    };
    unsigned most = 2 * micro_processors() > 2 ? 2 * micro_processors() : 2;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned n = 1; n > 0; n = rows[i].scales ? micro_next_rung(n, most) : 0) {
            struct micro_case one = {.part = "reference", .measures = "duration", .run = rows[i].run, .x = n};
            one.core = n <= rows[i].core;
            one.axis = rows[i].scales ? "threads" : NULL;
            one.parameters.threads = n;
            micro_add(&one, "%s/%u", rows[i].name, n);
        }
    }
}
