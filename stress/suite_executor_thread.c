/* A runtime's threads over every combination: their names, their processors, their indices, the seed. */
#define _GNU_SOURCE
#include <sched.h>

#include "support_probe.h"

static void seed_is_taken(size_t combo) {
    struct sy_config config;
    struct probe_log logs[32];
    struct sy_join joins[32];
    support_combo_config(combo, &config);
    config.seed = 12345;
    struct sy_runtime *runtime = support_runtime_start(&config);
    CHECK_EQ(sy_runtime_config(runtime)->seed, 12345);
    for (unsigned i = 0; i < 32; i++) {
        probe_log_init(&logs[i]);
        probe_spawn(runtime, &logs[i], PROBE_YIELDS, 5, &joins[i]);
    }
    for (unsigned i = 0; i < 32; i++) {
        CHECK(!probe_finish(&joins[i]));
    }
    sy_runtime_destroy(runtime);
}

/* ---- threads: their names, their processors, their indices ---- */

struct thread_facts {
    char name[16];
    int worker;
    int processors;
    struct support_counter *arrived;
    unsigned all;
};

/* Waits for the others, so that each worker runs exactly one of them. */
static void look_around(void *argument, struct sy_context *cx) {
    struct thread_facts *facts = argument;
    cpu_set_t set;
    CHECK_EQ(pthread_getname_np(pthread_self(), facts->name, sizeof facts->name), 0);
    CHECK_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    facts->processors = CPU_COUNT(&set);
    facts->worker = sy_runtime_current_worker(cx->runtime);
    support_counter_add(facts->arrived, 1);
    support_counter_wait(facts->arrived, facts->all);
}

static void threads_look_around(struct sy_runtime *runtime, struct thread_facts *facts) {
    struct support_counter arrived = SUPPORT_COUNTER_INIT;
    unsigned workers = sy_runtime_workers(runtime);
    struct sy_join joins[8];
    for (unsigned i = 0; i < workers; i++) {
        facts[i] = (struct thread_facts){.arrived = &arrived, .all = workers};
        struct probe_call call = {.run = look_around, .argument = &facts[i]};
        CHECK_EQ(sy_spawn(runtime, &probe_call_type, &call, &joins[i]), 0);
        support_counter_wait(&arrived, i + 1); /* in a batch, a deque might withhold the next one behind it */
    }
    for (unsigned i = 0; i < workers; i++) {
        struct sy_outcome outcome;
        CHECK_EQ(sy_join_wait(&joins[i], &outcome), 0);
        sy_join_drop(&joins[i]);
    }
}

static void threads_are_named_and_pinned(size_t combo) {
    cpu_set_t mine;
    CHECK_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (unsigned pin = 0; pin < 2; pin++) {
        struct sy_config config;
        struct thread_facts facts[8];
        unsigned seen = 0;
        support_combo_config(combo, &config);
        config.thread_name = pin ? "ninebytes" : NULL;
        config.pin = pin;
        struct sy_runtime *runtime = support_runtime_start(&config);
        threads_look_around(runtime, facts);
        for (unsigned i = 0; i < sy_runtime_workers(runtime); i++) {
            char expected[32];
            snprintf(expected, sizeof expected, "%s-%d", pin ? "ninebytes" : "sy", facts[i].worker);
            CHECK(strcmp(facts[i].name, expected) == 0);
            CHECK_EQ(facts[i].processors, pin ? 1 : CPU_COUNT(&mine));
            seen |= 1U << facts[i].worker;
        }
        CHECK_EQ(seen, (1U << sy_runtime_workers(runtime)) - 1);
        sy_runtime_destroy(runtime);
    }
}

static const struct check_test tests[] = {
    {"seed_is_taken", seed_is_taken},
    {"threads_are_named_and_pinned", threads_are_named_and_pinned},
};

PROBE_SUITE("suite_executor_thread", tests, 100)
