/* The macros of async.h: where a future goes on, and how it ends. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "executor/async.h"
#include "stress/check.h"

/* Three rounds of two awaits, which are answered by the letters of `answers`: R(eady) or P(ending). */
struct walker {
    struct sy_async async;
    const char *answers;
    bool leave;
    int begun, asked, passed, rounds;
};

static enum sy_poll ask(struct walker *f) {
    CHECK(f->answers[f->asked]);
    return f->answers[f->asked++] == 'R' ? SY_READY : SY_PENDING;
}

static enum sy_poll walk(struct walker *f) {
    sy_async_begin(&f->async);
    f->begun++;
    for (f->rounds = 0; f->rounds < 3; f->rounds++) {
        sy_await(&f->async, ask(f));
        f->passed++;
        if (f->leave) {
            sy_async_return(&f->async);
        }
        sy_await(&f->async, ask(f));
    }
    sy_async_end(&f->async);
}

static void a_poll_asks_again_where_the_last_one_stopped(size_t variant) {
    (void)variant;
    struct walker f = {.answers = "PPRRRRRR"};
    CHECK_EQ(walk(&f), SY_PENDING);
    CHECK_EQ(walk(&f), SY_PENDING);
    CHECK_EQ(f.asked, 2);
    CHECK_EQ(f.passed, 0);
    CHECK_EQ(walk(&f), SY_READY);
    CHECK_EQ(f.begun, 1);
    CHECK_EQ(f.asked, 8);
    CHECK_EQ(f.passed, 3);
}

static void an_await_in_a_loop_keeps_its_place(size_t variant) {
    (void)variant;
    struct walker f = {.answers = "RP"
                                  "RRP"
                                  "RRP"
                                  "R"};
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(walk(&f), SY_PENDING); /* at the round's second await */
        CHECK_EQ(f.rounds, round);
        CHECK_EQ(f.passed, round + 1);
    }
    CHECK_EQ(walk(&f), SY_READY);
    CHECK_EQ(f.rounds, 3);
    CHECK_EQ(f.asked, 9);
    CHECK_EQ(f.begun, 1);
}

static void a_return_in_the_middle_ends_it(size_t variant) {
    (void)variant;
    struct walker f = {.answers = "PR", .leave = true};
    CHECK_EQ(walk(&f), SY_PENDING);
    CHECK_EQ(walk(&f), SY_READY);
    CHECK_EQ(f.passed, 1);
    CHECK_EQ(f.rounds, 0);
    CHECK_EQ(walk(&f), SY_READY); /* stays at its end */
    CHECK_EQ(f.begun, 1);
}

static const struct check_test tests[] = {
    {"a_poll_asks_again_where_the_last_one_stopped", a_poll_asks_again_where_the_last_one_stopped},
    {"an_await_in_a_loop_keeps_its_place", an_await_in_a_loop_keeps_its_place},
    {"a_return_in_the_middle_ends_it", a_return_in_the_middle_ends_it},
};

static const struct check_suite suite = {
    .title = "unit_async", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
