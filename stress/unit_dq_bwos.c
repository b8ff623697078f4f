/*
 * ctest-label: queues
 * Block-based work stealing where a theft is interrupted: before each of its accesses in turn, the owner and another
 * thief do something, up to several rounds of the ring. And what the owner's path costs inside a block.
 */
#define _GNU_SOURCE
#define SY_ATOMICS_STEP
#define SY_ATOMICS_COUNT
#include "queues/dq_bwos.h"
#include "queues/dq_bwos_fifo.h"

#include "stress/check.h"

enum { ITEMS = 256, SCRIPT_MAX = 128, RANDOM_SCRIPTS = 3000 };

static const struct dq_ops *const flavours[] = {&dq_bwos_ops, &dq_bwos_fifo_ops};
static const uint64_t firsts[] = {0, (uint64_t)0 - 7, ((uint64_t)1 << 53) - 4}; /* positions and numbers wrap */

/* One interrupted theft. The script's letters: u pushes, o pops, t takes the oldest, s steals one, as another thief. */
static struct scene {
    const struct dq_ops *ops;
    struct dq *deque, *thief;
    const char *script;
    unsigned until; /* accesses until the script runs */
    bool armed, was_empty;
    size_t pushed, inside;
    bool taken[ITEMS];
} scene;
static struct sy_node items[ITEMS];

static void took(const struct sy_node *node) {
    size_t index = (size_t)(node - items);
    CHECK(index < scene.pushed && !scene.taken[index]);
    scene.taken[index] = true;
}

static void count_inside(size_t left, size_t came) {
    scene.inside = scene.inside - left + came;
    scene.was_empty = scene.was_empty || scene.inside == 0;
}

static void act(char letter) {
    struct sy_node *node;
    size_t moved = 0;
    if (letter == 'u' && scene.pushed < ITEMS) {
        moved = scene.ops->push(scene.deque, &items[scene.pushed]) == DQ_OK;
        scene.pushed += moved;
        count_inside(0, moved);
        return;
    }
    if (letter == 'o') {
        moved = scene.ops->pop(scene.deque, &node) == DQ_OK;
    } else if (letter == 't') {
        moved = scene.ops->take_oldest(scene.deque, &node, 1);
    } else if (letter == 's') {
        scene.ops->steal(scene.deque, NULL, 1, &node, &moved);
    }
    if (moved > 0) {
        took(node);
        count_inside(1, 0);
    }
}

static void atomics_step(void) {
    if (!scene.armed || scene.until-- > 0) {
        return;
    }
    scene.armed = false;
    for (const char *letter = scene.script; *letter; letter++) {
        act(*letter);
    }
}

/* Of a LIFO deque nothing that is left may be older than what was stolen. */
static void check_stolen(const struct sy_node *node, size_t moved) {
    struct sy_node *other;
    size_t last = (size_t)(node - items);
    took(node);
    for (size_t i = 1; i < moved; i++) {
        size_t one = scene.ops->take_oldest(scene.thief, &other, 1);
        CHECK_EQ(one, 1);
        CHECK(other > &items[last]);
        took(other);
        last = (size_t)(other - items);
    }
    for (size_t i = 0; i < last && scene.ops->order == DQ_LIFO; i++) {
        CHECK(scene.taken[i]);
    }
}

static struct dq *make(const struct dq_ops *ops, size_t capacity, uint64_t first) {
    static char never_used; /* the deque does not reclaim */
    struct dq_config config = {
        .capacity = capacity, .block = 2, .reclaim = (struct reclaim *)(void *)&never_used, .first = first};
    struct dq *made = NULL;
    CHECK_EQ(ops->create(&made, &config), 0);
    return made;
}

/* Returns whether the script has run: a theft has only so many accesses. */
static bool play(const struct dq_ops *ops, size_t capacity, uint64_t first, size_t prefilled, const char *script,
                 unsigned until, size_t max) {
    struct sy_node *node;
    size_t moved;
    check_note("%s, capacity %zu, first %" PRIu64 ", %zu items, \"%s\" before access %u, max %zu", ops->name, capacity,
               first, prefilled, script, until, max);
    scene = (struct scene){.ops = ops, .script = script, .until = until};
    scene.deque = make(ops, capacity, first);
    scene.thief = make(ops, 8, first);
    for (size_t i = 0; i < prefilled; i++) {
        act('u');
    }
    scene.was_empty = scene.inside == 0;
    scene.armed = true;
    enum dq_status status = ops->steal(scene.deque, scene.thief, max, &node, &moved);
    bool ran = !scene.armed;
    scene.armed = false;
    CHECK_EQ(status == DQ_OK, moved > 0);
    CHECK(status != DQ_EMPTY || scene.was_empty);
    CHECK(status != DQ_RETRY || ran || scene.inside > 0);
    if (status == DQ_OK) {
        check_stolen(node, moved);
        scene.inside -= moved;
    }
    CHECK_EQ(ops->length(scene.deque), scene.inside);
    while (ops->pop(scene.deque, &node) == DQ_OK) {
        took(node);
    }
    CHECK(ops->is_empty(scene.deque) && ops->is_empty(scene.thief));
    for (size_t i = 0; i < scene.pushed; i++) {
        CHECK(scene.taken[i]);
    }
    ops->destroy(scene.deque);
    ops->destroy(scene.thief);
    return ran;
}

static void play_everywhere(size_t capacity, size_t prefilled, const char *script, size_t max) {
    for (size_t i = 0; i < 2 * (sizeof firsts / sizeof *firsts); i++) {
        for (unsigned until = 0; play(flavours[i % 2], capacity, firsts[i / 2], prefilled, script, until, max);
             until++) {
        }
    }
}

/* The oldest block is taken by the owner or another thief and used again, once to several times round. */
static void ring_comes_round(size_t variant) {
    static const char *const parts[] = {"tu", "su", "tuou", "uo"};
    (void)variant;
    for (size_t capacity = 2; capacity <= 8; capacity *= 2) {
        for (size_t prefilled = 1; prefilled <= capacity; prefilled++) {
            for (size_t part = 0; part < 8; part++) {
                char script[SCRIPT_MAX + 1] = "o"; /* of a FIFO deque it makes the owner hold a block meanwhile */
                for (size_t n = part & 1; n + 4 < 5 * capacity;) {
                    strcpy(script + n, parts[part / 2]);
                    n += strlen(parts[part / 2]);
                    play_everywhere(capacity, prefilled, script, 1 + n % 3);
                }
            }
        }
    }
}

static void random_scripts(size_t variant) {
    uint64_t random = check_seed();
    (void)variant;
    for (size_t i = 0; i < RANDOM_SCRIPTS; i++) {
        char script[SCRIPT_MAX + 1] = "";
        size_t capacity = (size_t)2 << check_random(&random) % 3, length = 1 + check_random(&random) % 24;
        for (size_t k = 0; k < length; k++) {
            script[k] = "uuuotsuo"[check_random(&random) % 8];
        }
        play_everywhere(capacity, check_random(&random) % (capacity + 1), script, 1 + check_random(&random) % 4);
    }
}

/* Held items stay what they are while the ring comes round to them, which only thieves can bring about. */
static void held_items_are_kept(size_t variant) {
    (void)variant;
    for (size_t rounds = 0; rounds < 40; rounds++) {
        scene = (struct scene){.ops = &dq_bwos_fifo_ops};
        scene.deque = make(scene.ops, 8, 0);
        for (const char *letter = "uuuo"; *letter; letter++) {
            act(*letter); /* item 1 is held */
        }
        for (size_t i = 0; i < rounds; i++) {
            act('u');
            act('s');
            act('s');
        }
        CHECK(!scene.taken[1]);
        act('o');
        CHECK(scene.taken[1]);
        scene.ops->destroy(scene.deque);
    }
}

/* Neither a read-modify-write nor a fence inside a block. */
static void owner_pays_nothing(size_t variant) {
    (void)variant;
    for (size_t i = 0; i < 2; i++) {
        scene = (struct scene){.ops = flavours[i]};
        scene.deque = make(scene.ops, 8, 0);
        struct atomics_count before = atomics_counted;
        for (const char *letter = "uouuoo"; *letter && i == 0; letter++) {
            act(*letter);
        }
        for (const char *letter = "uuoo"; *letter && i == 1; letter++) {
            act(*letter);
        }
        CHECK_EQ(scene.inside, 0);
        CHECK_EQ(atomics_counted.of[ATOMICS_RMW], before.of[ATOMICS_RMW]);
        CHECK_EQ(atomics_counted.of[ATOMICS_FENCE], before.of[ATOMICS_FENCE]);
        scene.ops->destroy(scene.deque);
    }
}

static const struct check_test tests[] = {
    {"ring_comes_round", ring_comes_round},
    {"random_scripts", random_scripts},
    {"held_items_are_kept", held_items_are_kept},
    {"owner_pays_nothing", owner_pays_nothing},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_dq_bwos", .tests = tests, .test_count = sizeof tests / sizeof *tests};
    return check_main(&suite, argc, argv);
}
