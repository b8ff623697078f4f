/*
 * The judge of histories: right ones pass, each kind of wrong one is told from the others, and of small random ones it
 * thinks what a search through every order finds.
 */
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

static void batches(size_t variant) {
    (void)variant;
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 1, 2), POP(0, 3, 4), POP(1, 5, 6)), NULL);
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 1, 2), POP(1, 3, 4), POP(0, 5, 6)), "overtook");
    expect(JUDGE(2, PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6), POP(0, 5, 6)), "overtook");
    /* Pushed as (0, 1) and (2, 3), popped as (1, 2) and (3, 0): no two of them are wrong. */
    expect(JUDGE(4, PUSH(0, 1, 3), PUSH(1, 1, 3), PUSH(2, 2, 4), PUSH(3, 2, 4), POP(1, 5, 7), POP(2, 5, 7),
                 POP(3, 6, 8), POP(0, 6, 8)),
           "overtook");
}

static void lines(size_t variant) {
    static const size_t of[] = {0, 0, 1};
    const struct history_event other[] = {PUSH(0, 1, 2), PUSH(2, 3, 4), POP(2, 5, 6), POP(0, 7, 8)};
    const struct history_event same[] = {PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6), POP(0, 7, 8)};
    const struct history_event turns[] = {PUSH(0, 1, 2), PUSH(2, 4, 5), EMPTY(3, 8), POP(0, 6, 7), POP(2, 9, 10)};
    const struct history_event full[] = {PUSH(0, 1, 2), EMPTY(3, 4), POP(0, 5, 6)};
    (void)variant;
    expect(history_check_lines(other, 4, 3, of), NULL);
    expect(history_check_lines(other, 4, 3, NULL), "overtook");
    expect(history_check_lines(same, 4, 3, of), "overtook");
    expect(history_check_lines(turns, 5, 3, of), NULL);
    expect(history_check_lines(turns, 5, 3, NULL), "empty");
    expect(history_check_lines(full, 3, 3, of), "empty");
}

/* ---- a search through every order, for small histories ---- */

#define SMALL_EVENTS 10
#define SMALL_VALUES 4

struct search {
    const struct history_event *events;
    size_t count;
    bool done[SMALL_EVENTS];
    size_t inside[SMALL_EVENTS]; /* the queue: [out, in) */
    size_t in, out;
};

/* Nothing that has not taken effect must do so before event `i`. */
static bool may_be_next(const struct search *s, size_t i) {
    for (size_t k = 0; k < s->count; k++) {
        bool is_batch = s->events[k].invoked == s->events[i].invoked && k < i;
        if (!s->done[k] && k != i && (is_batch || s->events[k].returned < s->events[i].invoked)) {
            return false;
        }
    }
    return true;
}

static bool has_an_order(struct search *s, size_t left) {
    bool found = left == 0;
    for (size_t i = 0; i < s->count && !found; i++) {
        const struct history_event *e = &s->events[i];
        bool is_empty = s->in == s->out;
        if (s->done[i] || !may_be_next(s, i) || (e->kind == HISTORY_EMPTY && !is_empty) ||
            (e->kind == HISTORY_POP && (is_empty || s->inside[s->out] != e->value))) {
            continue;
        }
        s->done[i] = true;
        if (e->kind == HISTORY_PUSH) {
            s->inside[s->in] = e->value;
        }
        s->in += e->kind == HISTORY_PUSH;
        s->out += e->kind == HISTORY_POP;
        found = has_an_order(s, left - 1);
        s->in -= e->kind == HISTORY_PUSH;
        s->out -= e->kind == HISTORY_POP;
        s->done[i] = false;
    }
    return found;
}

/* Operations of 1 or 2 values, at random moments: pushes of each value once, pops of some of them, looks. */
static size_t random_history(struct history_event *events, uint64_t *random) {
    size_t order[2][SMALL_VALUES], count = 0, operations = 0, values = 1 + check_random(random) % SMALL_VALUES;
    uint64_t moments[2 * SMALL_EVENTS];
    for (size_t i = 0; i < values; i++) {
        order[0][i] = order[1][i] = i;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t a = check_random(random) % values, b = check_random(random) % values, kept = order[1][a];
        order[1][a] = order[1][b];
        order[1][b] = kept;
    }
    for (size_t kind = HISTORY_PUSH; kind <= HISTORY_POP; kind++) {
        size_t n = kind == HISTORY_POP ? check_random(random) % (values + 1) : values;
        for (size_t i = 0; i < n; i++) {
            operations += i % 2 == 0 || check_random(random) % 2;
            events[count++] = (struct history_event){(enum history_kind)kind, order[kind][i], operations, 0};
        }
    }
    for (size_t looks = check_random(random) % 3; looks > 0; looks--) {
        events[count++] = (struct history_event){HISTORY_EMPTY, 0, ++operations, 0};
    }
    for (size_t i = 0; i < 2 * operations; i++) { /* a shuffle; each operation then has two of the moments */
        size_t at = check_random(random) % (i + 1);
        moments[i] = moments[at];
        moments[at] = i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t a = moments[2 * (events[i].invoked - 1)], b = moments[2 * (events[i].invoked - 1) + 1];
        events[i].invoked = a < b ? a : b;
        events[i].returned = a < b ? b : a;
    }
    return count;
}

static void agrees_with_a_search(size_t variant) {
    uint64_t random = check_seed();
    size_t right = 0, wrong = 0;
    (void)variant;
    for (size_t i = 0; i < 300000; i++) {
        struct history_event events[SMALL_EVENTS];
        struct search search = {.events = events};
        search.count = random_history(events, &random);
        const char *verdict = history_check_fifo(events, search.count, SMALL_VALUES);
        bool has_one = has_an_order(&search, search.count);
        for (size_t k = 0; has_one == (verdict != NULL) && k < search.count; k++) {
            printf("     kind %d, value %zu, %" PRIu64 " to %" PRIu64 "\n", (int)events[k].kind, events[k].value,
                   events[k].invoked, events[k].returned);
        }
        CHECK_EQ(has_one, verdict == NULL);
        right += has_one;
        wrong += !has_one;
    }
    CHECK(right > 10000 && wrong > 10000);
}

static const struct check_test tests[] = {
    {"right_ones", right_ones},
    {"out_of_nowhere", out_of_nowhere},
    {"popped_twice", popped_twice},
    {"overtaken", overtaken},
    {"not_empty", not_empty},
    {"batches", batches},
    {"lines", lines},
    {"agrees_with_a_search", agrees_with_a_search},
};

static const struct check_suite suite = {
    .title = "unit_history", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
