/* The smallest program: one future that is awaited here, and the same as a task that a worker runs. */
#include <stdio.h>

#include "executor/examples/options.h"

static const struct program program = {
    .name = "hello",
    .operands = "",
    .summary = "Greets from the main thread, then from a task.",
};

/* The future: what it needs, what it says, and its output. */
struct greeting {
    const char *from;
    int length;
};

static enum sy_poll greeting_poll(void *future, struct sy_context *cx) {
    (void)cx; /* nothing to wait for, so the waker is not needed */
    struct greeting *f = future;
    f->length = printf("hello from %s\n", f->from);
    return SY_READY;
}

static const struct sy_future_type greeting_type = {
    .name = "greeting",
    .size = sizeof(struct greeting),
    .poll = greeting_poll,
};

int main(int argc, char **argv) {
    struct sy_config config;
    options_parse(&program, &config, argc, argv);
    struct sy_runtime *runtime = options_start(&program, &config);

    /* Run one here. */
    struct greeting here = {.from = "the main thread"};
    int error = sy_block_on(runtime, &greeting_type, &here);
    if (error) {
        program_fail(&program, "block_on", error);
    }

    /* Spawn a copy of another, and wait for its output. */
    struct greeting there = {.from = "a task"};
    struct sy_join join;
    error = sy_spawn(runtime, &greeting_type, &there, &join);
    if (error) {
        program_fail(&program, "spawn", error);
    }
    struct sy_outcome outcome;
    error = sy_join_wait(&join, &outcome);
    if (error) {
        program_fail(&program, "join", error);
    }
    int length = ((const struct greeting *)outcome.future)->length;
    sy_join_drop(&join);

    printf("the task wrote %d bytes\n", length);
    sy_runtime_destroy(runtime);
    return 0;
}
