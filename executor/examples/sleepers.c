/* Three jobs that sleep at once: together they take as long as the longest, not as long as the sum. */
#include <inttypes.h>
#include <stdio.h>

#include "executor/async.h"
#include "executor/examples/options.h"

#define JOBS 3

static uint64_t unit_ms = 100;

static const struct option_row options[] = {
    {.name = "--unit-ms",
     .argument = "N",
     .help = "job k sleeps k times this long (default 100)",
     .number = &unit_ms,
     .least = 1,
     .most = 60000},
};

static const struct program program = {
    .name = "sleepers",
    .operands = "",
    .summary = "Three jobs sleep one, two and three units of time, all at once.",
    .options = options,
    .option_count = 1,
};

/* One job. */
struct sleeper {
    uint64_t duration_ns;
    struct sy_async async;
    struct sy_sleep sleep;
};

static enum sy_poll sleeper_poll(void *future, struct sy_context *cx) {
    struct sleeper *f = future;
    sy_async_begin(&f->async);
    sy_sleep_init_after(&f->sleep, cx->runtime, f->duration_ns);
    sy_await(&f->async, sy_sleep_poll(&f->sleep, cx));
    sy_async_end(&f->async);
}

static void sleeper_drop(void *future) {
    struct sleeper *f = future;
    if (f->async.line) { /* it began, so the sleep is initialised */
        sy_sleep_drop(&f->sleep);
    }
}

static const struct sy_future_type sleeper_type = {
    .name = "sleeper",
    .size = sizeof(struct sleeper),
    .poll = sleeper_poll,
    .drop = sleeper_drop,
};

static uint64_t ms_since(uint64_t start_ns) {
    return (sy_now_ns() - start_ns) / 1000000;
}

int main(int argc, char **argv) {
    struct sy_config config;
    options_parse(&program, &config, argc, argv);
    struct sy_runtime *runtime = options_start(&program, &config);

    uint64_t start_ns = sy_now_ns(), sum_ms = 0;
    struct sy_join joins[JOBS];
    for (unsigned i = 0; i < JOBS; i++) {
        struct sleeper job = {.duration_ns = (i + 1) * unit_ms * 1000000};
        int error = sy_spawn(runtime, &sleeper_type, &job, &joins[i]);
        if (error) {
            program_fail(&program, "spawn", error);
        }
        sum_ms += (i + 1) * unit_ms;
    }
    for (unsigned i = 0; i < JOBS; i++) {
        struct sy_outcome outcome;
        int error = sy_join_wait(&joins[i], &outcome);
        if (error) {
            program_fail(&program, "join", error);
        }
        sy_join_drop(&joins[i]);
        printf("job %u slept %" PRIu64 " ms; %" PRIu64 " ms have passed\n", i + 1, (i + 1) * unit_ms,
               ms_since(start_ns));
    }
    printf("together: %" PRIu64 " ms of sleep in %" PRIu64 " ms\n", sum_ms, ms_since(start_ns));
    sy_runtime_destroy(runtime);
    return 0;
}
