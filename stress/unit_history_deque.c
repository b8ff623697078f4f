/*
 * The judge of histories of deques: right ones pass, wrong ones do not, and of small random ones it thinks what a
 * search through every order finds, that remembers nothing and moves real items.
 */
#define _GNU_SOURCE
#include "stress/check.h"
#include "stress/history_deque.h"

#define PUSH(value, from, to)                                                                                          \
    { HISTORY_PUSH, value, from, to }
#define POP(value, from, to)                                                                                           \
    { HISTORY_POP, value, from, to }
#define STEAL(value, from, to)                                                                                         \
    { HISTORY_STEAL, value, from, to }
#define EMPTY(from, to)                                                                                                \
    { HISTORY_EMPTY, 0, from, to }
#define THREAD(...)                                                                                                    \
    {                                                                                                                  \
        (const struct history_event[]){__VA_ARGS__},                                                                   \
            sizeof((const struct history_event[]){__VA_ARGS__}) / sizeof(struct history_event)                         \
    }
#define JUDGE(kind, ...)                                                                                               \
    history_check_deque((const struct history_thread[]){__VA_ARGS__},                                                  \
                        sizeof((const struct history_thread[]){__VA_ARGS__}) / sizeof(struct history_thread), 4, kind)

static const struct history_kind_of_deque lifo = {DQ_LIFO, false}, fifo = {DQ_FIFO, false}, keeps = {DQ_FIFO, true};

static void expect(const char *verdict, bool right) {
    CHECK_EQ(verdict == NULL, right);
}

static void by_the_owner_alone(size_t variant) {
    (void)variant;
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6), POP(0, 7, 8), EMPTY(9, 10))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(0, 5, 6), POP(1, 7, 8))), false);
    expect(JUDGE(fifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(0, 5, 6), POP(1, 7, 8))), true);
    expect(JUDGE(fifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), STEAL(0, 5, 6), POP(1, 7, 8))), true); /* take_oldest */
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), EMPTY(3, 4))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), POP(0, 3, 4), POP(0, 5, 6))), false);
    expect(JUDGE(lifo, THREAD(POP(0, 1, 2), PUSH(0, 3, 4))), false);
}

static void with_a_thief(size_t variant) {
    (void)variant;
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4)), THREAD(STEAL(0, 5, 6), STEAL(1, 7, 8))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4)), THREAD(STEAL(1, 5, 6))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 6)), THREAD(EMPTY(4, 5))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 2, 4)), THREAD(EMPTY(1, 3))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), POP(0, 4, 6)), THREAD(EMPTY(3, 5))), true); /* on its way */
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), POP(0, 5, 6)), THREAD(EMPTY(3, 4))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), EMPTY(4, 5)), THREAD(STEAL(0, 3, 6))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 6, 7)), THREAD(STEAL(0, 5, 8))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), POP(0, 3, 4)), THREAD(STEAL(0, 5, 6))), false);
}

/* Two thieves who each saw the other's item as the older one; and an owner who cannot have popped between. */
static void in_a_circle(size_t variant) {
    (void)variant;
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4)), THREAD(STEAL(1, 5, 6)), THREAD(STEAL(0, 7, 8))), false);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4)), THREAD(STEAL(1, 5, 7)), THREAD(STEAL(0, 6, 8))), true);
    expect(JUDGE(lifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(0, 9, 10)), THREAD(STEAL(1, 5, 6))), false);
    expect(JUDGE(fifo, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6)), THREAD(STEAL(0, 7, 8))), false);
}

static void behind_what_is_kept(size_t variant) {
    (void)variant;
    expect(JUDGE(keeps, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(0, 7, 8)), THREAD(STEAL(1, 5, 6))), true);
    expect(JUDGE(keeps, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4)), THREAD(STEAL(1, 5, 6), STEAL(0, 7, 8))), false);
    expect(JUDGE(keeps, THREAD(PUSH(0, 1, 2), PUSH(1, 3, 4), POP(1, 5, 6)), THREAD(STEAL(0, 7, 8))), false);
    expect(JUDGE(keeps, THREAD(PUSH(0, 1, 2)), THREAD(EMPTY(3, 4))), false);
    expect(JUDGE(keeps, THREAD(PUSH(0, 1, 2)), THREAD(STEAL(0, 3, 4), STEAL(0, 5, 6))), false);
}

/* ---- a search through every order, for small histories ---- */

#define THREADS 3
#define EVENTS_MAX 5 /* of each */
#define VALUES 4

struct small {
    struct history_event events[THREADS][EVENTS_MAX];
    size_t counts[THREADS], next[THREADS];
    struct history_kind_of_deque kind;
};

struct content {
    size_t items[VALUES], count; /* oldest first */
    size_t stolen;               /* 1 + the last value stolen; values go in in their order */
};

/* Can `e` take effect on `c`? Then it has. */
static bool takes_effect(const struct small *h, const struct history_event *e, struct content *c) {
    bool newest = e->kind == HISTORY_POP && h->kind.order == DQ_LIFO;
    size_t at = newest ? c->count - 1 : 0;
    if (e->kind == HISTORY_EMPTY) {
        return c->count == 0;
    }
    if (e->kind == HISTORY_PUSH) {
        c->items[c->count++] = e->value;
        return true;
    }
    while (e->kind == HISTORY_STEAL && h->kind.skips && at < c->count && c->items[at] < e->value) {
        at++;
    }
    if (at >= c->count || c->items[at] != e->value || (e->kind == HISTORY_STEAL && e->value < c->stolen)) {
        return false;
    }
    memmove(&c->items[at], &c->items[at + 1], (c->count - at - 1) * sizeof *c->items);
    c->count--;
    c->stolen = e->kind == HISTORY_STEAL ? e->value + 1 : c->stolen;
    return true;
}

static bool has_an_order(struct small *h, const struct content *before) {
    bool over = true, found = false;
    for (size_t t = 0; t < THREADS; t++) {
        over = over && h->next[t] == h->counts[t];
    }
    for (size_t t = 0; t < THREADS && !found; t++) {
        const struct history_event *e = &h->events[t][h->next[t]];
        struct content content = *before;
        bool may = h->next[t] < h->counts[t];
        for (size_t u = 0; may && u < THREADS; u++) {
            may = h->next[u] == h->counts[u] || h->events[u][h->next[u]].returned > e->invoked;
        }
        if (may && takes_effect(h, e, &content)) {
            h->next[t]++;
            found = has_an_order(h, &content);
            h->next[t]--;
        }
    }
    return over || found;
}

/* The owner pushes in order and takes in between, thieves take, all of them random values; at random moments. */
static void random_history(struct small *h, uint64_t *random) {
    uint64_t moment[THREADS] = {1, 2, 3};
    size_t pushed = 0;
    bool popped[VALUES] = {false};
    for (size_t t = 0; t < THREADS; t++) {
        h->counts[t] = t == 0 ? EVENTS_MAX : check_random(random) % 4;
        for (size_t i = 0; i < h->counts[t]; i++) {
            bool pushes = t == 0 && pushed < VALUES && check_random(random) % 4 > 0;
            size_t value = pushes ? pushed++ : check_random(random) % VALUES;
            enum history_kind kind = pushes ? HISTORY_PUSH : t == 0 ? HISTORY_POP : HISTORY_STEAL;
            if (!pushes && check_random(random) % (popped[value] ? 2 : 5) == 0) {
                kind = HISTORY_EMPTY;
            }
            popped[value] = popped[value] || (kind != HISTORY_PUSH && kind != HISTORY_EMPTY);
            moment[t] += THREADS * (check_random(random) % 4 + 1);
            h->events[t][i] = (struct history_event){kind, value, moment[t], 0};
            h->events[t][i].returned = moment[t] += THREADS * (check_random(random) % 6 + 1);
        }
    }
}

static void agrees_with_a_search(size_t variant) {
    static const struct history_kind_of_deque kinds[] = {{DQ_LIFO, false}, {DQ_FIFO, false}, {DQ_FIFO, true}};
    uint64_t random = check_seed();
    size_t right = 0, wrong = 0;
    (void)variant;
    for (size_t i = 0; i < 600000; i++) {
        struct small h = {.kind = kinds[i % 3]};
        struct history_thread threads[THREADS];
        struct content nothing = {.count = 0};
        random_history(&h, &random);
        for (size_t t = 0; t < THREADS; t++) {
            threads[t] = (struct history_thread){h.events[t], h.counts[t]};
        }
        bool has_one = has_an_order(&h, &nothing);
        const char *verdict = history_check_deque(threads, THREADS, VALUES, h.kind);
        CHECK_EQ(verdict == NULL, has_one);
        right += has_one;
        wrong += !has_one;
    }
    printf("     %zu right, %zu wrong\n", right, wrong);
    CHECK(right > 10000 && wrong > 10000);
}

static const struct check_test tests[] = {
    {"by_the_owner_alone", by_the_owner_alone},
    {"with_a_thief", with_a_thief},
    {"in_a_circle", in_a_circle},
    {"behind_what_is_kept", behind_what_is_kept},
    {"agrees_with_a_search", agrees_with_a_search},
};

static const struct check_suite suite = {
    .title = "unit_history_deque", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
