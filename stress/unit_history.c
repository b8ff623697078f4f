/* The judge of histories: right ones pass, and each kind of wrong one is told from the others. */
#define _GNU_SOURCE
#include "stress/check.h"
#include "stress/history.h"

#define EVENTS(...)                                                                                                    \
    (const struct history_event[]) {                                                                                   \
        __VA_ARGS__                                                                                                    \
    }
#define PUSH(value, from, to)                                                                                          \
    { HISTORY_PUSH, value, from, to }
#define POP(value, from, to)                                                                                           \
    { HISTORY_POP, value, from, to }
#define EMPTY(from, to)                                                                                                \
    { HISTORY_EMPTY, 0, from, to }
#define JUDGE(values, ...)                                                                                             \
    history_check_fifo(EVENTS(__VA_ARGS__), sizeof EVENTS(__VA_ARGS__) / sizeof *EVENTS(__VA_ARGS__), values)

static void expect(const char *verdict, const char *word) {
    CHECK(word ? verdict != NULL && strstr(verdict, word) != NULL : verdict == NULL);
}

static void right_ones(size_t variant) {
    (void)variant;
    expect(JUDGE(0, EMPTY(1, 2)), NULL);
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 3, 4), POP(0, 5, 6), POP(1, 7, 8), EMPTY(9, 10)), NULL);
    expect(JUDGE(2, PUSH(0, 1, 3), PUSH(1, 2, 4), POP(1, 5, 6), POP(0, 7, 8)), NULL); /* the pushes overlap */
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 7), POP(0, 6, 8)), NULL); /* the pops overlap */
    expect(JUDGE(1, PUSH(0, 1, 5), POP(0, 2, 3)), NULL);                              /* popped before push returned */
    expect(JUDGE(1, PUSH(0, 2, 4), EMPTY(1, 3)), NULL); /* empty before the push took effect */
    expect(JUDGE(2, PUSH(0, 1, 2), POP(0, 4, 6), EMPTY(3, 7), PUSH(1, 5, 8)), NULL); /* empty between the two */
}

static void out_of_nowhere(size_t variant) {
    (void)variant;
    expect(JUDGE(1, POP(0, 1, 2)), "never pushed");
    expect(JUDGE(1, PUSH(0, 1, 2), POP(7, 3, 4)), "never pushed");
    expect(JUDGE(1, POP(0, 1, 2), PUSH(0, 3, 4)), "never pushed");
}

static void popped_twice(size_t variant) {
    (void)variant;
    expect(JUDGE(1, PUSH(0, 1, 2), POP(0, 3, 4), POP(0, 5, 6)), "twice");
}

static void overtaken(size_t variant) {
    (void)variant;
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6), POP(0, 7, 8)), "overtook");
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6)), "overtook"); /* the first is lost */
}

static void not_empty(size_t variant) {
    (void)variant;
    expect(JUDGE(1, PUSH(0, 1, 2), EMPTY(3, 4), POP(0, 5, 6)), "empty");
    expect(JUDGE(1, PUSH(0, 1, 2), EMPTY(3, 4)), "empty");
    /* Never the same value throughout, but always one: 0 until 6, 1 from 5. */
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 4, 5), EMPTY(3, 8), POP(0, 6, 7), POP(1, 9, 10)), "empty");
}

static const struct check_test tests[] = {
    {"right_ones", right_ones}, {"out_of_nowhere", out_of_nowhere}, {"popped_twice", popped_twice},
    {"overtaken", overtaken},   {"not_empty", not_empty},
};

static const struct check_suite suite = {
    .title = "unit_history", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
