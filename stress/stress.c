/*
 * The stress run: drives every combination of parts under the full runtime, in many short episodes whose plan is drawn
 * from a seed, and keeps books on every task (stress.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stress.h"

enum {
    COMBINATIONS_MAX = 4096,
    SECONDS_DEFAULT = 30,
    COMBINATIONS_A_SECOND = SUPPORT_SANITIZED ? 1 : 5, /* in that time each is exercised in all that is counted */
};

const char *const inject_names[INJECTS] = {"none", "lost-wake", "double-run", "idle"};

static struct combination combinations[COMBINATIONS_MAX];
static size_t combination_count;

/* ---- the command line ---- */

static void print_help(FILE *out) {
    fprintf(
        out,
        "usage: stress [flag]...\n"
        "Drives every combination of global queue, local deque and reactor under the full runtime, at random from\n"
        "a seed, and checks that each task runs and ends exactly once, sees what it must see and is never lost.\n"
        "  --seconds N      how long in all, shared out evenly (default 30, more for more than %u combinations)\n"
        "  --seed S         of everything that is drawn (default: from the clock; printed)\n"
        "  --queue NAME     only this global queue\n"
        "  --deque NAME     only this local deque\n"
        "  --reactor NAME   only this reactor\n"
        "  --dispatch HOW   static, dynamic or both (default; dynamic for the first combination only)\n"
        "  --episode K      only the K-th episode of the combination chosen: repeats a failure\n"
        "  --watchdog N     seconds without any progress that count as a hang (default 10)\n"
        "  --inject FAULT   commit a fault, to see that it is found: lost-wake, double-run, idle (nothing is\n"
        "                   exercised) or none (default)\n"
        "  --list           the combinations\n"
        "  --help           this text\n"
        "A combination in which something was never exercised is \"not tested\".\n"
        "Exit status: 0 all passed, 1 a check failed or a combination was not tested, 2 wrong usage, 77 a part does\n"
        "not work on this machine.\n",
        (unsigned)(SECONDS_DEFAULT * COMBINATIONS_A_SECOND));
}

__attribute__((noreturn, format(printf, 1, 2))) static void wrong_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("stress: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static uint64_t number(const char *flag, const char *text, uint64_t least, uint64_t most) {
    char *end = NULL;
    errno = 0;
    uint64_t value = text ? strtoull(text, &end, 0) : 0;
    if (!text || end == text || *end || errno || *text == '-' || value < least || value > most) {
        wrong_usage("%s wants a number from %llu to %llu, not \"%s\"", flag, (unsigned long long)least,
                    (unsigned long long)most, text ? text : "");
    }
    return value;
}

/* The name of a part, which must exist. */
static const char *part_name(const char *flag, enum sy_part_kind kind, const char *name) {
    static char names[1024];
    struct sy_part part;
    names[0] = '\0';
    for (unsigned i = 0; sy_part_at(kind, i, &part); i++) {
        if (name && strcmp(name, part.name) == 0) {
            if (sy_part_probe(kind, name) == -ENOTSUP) {
                char why[256];
                sy_part_explain(kind, name, why, sizeof why);
                fprintf(stderr, "stress: %s: %s does not work on this machine: %s; --list shows what does\n", flag,
                        name, why);
                exit(77);
            }
            return name;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", part.name);
    }
    wrong_usage("%s: \"%s\" is none; there are: %s", flag, name ? name : "", names);
}

static unsigned word(const char *flag, const char *text, const char *const *words, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (text && strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    fprintf(stderr, "stress: %s: \"%s\" is none; there are:", flag, text ? text : "");
    for (unsigned i = 0; i < n; i++) {
        fprintf(stderr, "%s %s", i ? "," : "", words[i]);
    }
    fputc('\n', stderr);
    exit(2);
}

/* Takes one flag and its value; false: there is no such flag. */
static bool take_flag(struct options *o, const char *flag, const char *value) {
    static const char *const ways[] = {"both", "static", "dynamic"};
    if (!strcmp(flag, "--seconds")) {
        o->seconds = number(flag, value, 1, 1000000);
    } else if (!strcmp(flag, "--seed")) {
        o->seed = number(flag, value, 0, UINT64_MAX);
    } else if (!strcmp(flag, "--queue")) {
        o->global_queue = part_name(flag, SY_GLOBAL_QUEUE, value);
    } else if (!strcmp(flag, "--deque")) {
        o->local_deque = part_name(flag, SY_LOCAL_DEQUE, value);
    } else if (!strcmp(flag, "--reactor")) {
        o->reactor = part_name(flag, SY_REACTOR, value);
    } else if (!strcmp(flag, "--dispatch")) {
        o->dispatch = word(flag, value, ways, 3);
    } else if (!strcmp(flag, "--episode")) {
        o->episode = (int64_t)number(flag, value, 0, INT64_MAX);
    } else if (!strcmp(flag, "--watchdog")) {
        o->watchdog_s = number(flag, value, 1, 86400);
    } else if (!strcmp(flag, "--inject")) {
        o->inject = (enum inject)word(flag, value, inject_names, INJECTS);
    } else {
        return false;
    }
    return true;
}

static struct options parse(int argc, char **argv, bool *list) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct options options = {.seconds = 0, /* by the combinations */
                              .seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                              .watchdog_s = 10,
                              .episode = -1};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) {
            print_help(stdout);
            exit(0);
        } else if (!strcmp(argv[i], "--list")) {
            *list = true;
        } else if (take_flag(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) {
            i++;
        } else {
            fprintf(stderr, "stress: unknown flag \"%s\"\n", argv[i]);
            print_help(stderr);
            exit(2);
        }
    }
    return options;
}

/* ---- the combinations ---- */

/* The `*index`-th part or the next one that works here; counts up. */
static bool next_part(enum sy_part_kind kind, unsigned *index, struct sy_part *part) {
    while (sy_part_at(kind, (*index)++, part)) {
        if (sy_part_probe(kind, part->name) != -ENOTSUP) {
            return true;
        }
    }
    return false;
}

static void combination_add(const struct sy_part *queue, const struct sy_part *deque, const struct sy_part *reactor,
                            bool dynamic, const struct options *o) {
    bool wanted = (!o->global_queue || !strcmp(o->global_queue, queue->name)) &&
                  (!o->local_deque || !strcmp(o->local_deque, deque->name)) &&
                  (!o->reactor || !strcmp(o->reactor, reactor->name)) &&
                  (o->dispatch == DISPATCH_BOTH || (o->dispatch == DISPATCH_DYNAMIC) == dynamic);
    if (!wanted) {
        return;
    }
    SUPPORT_REQUIRE(combination_count < COMBINATIONS_MAX);
    struct combination *c = &combinations[combination_count++];
    *c = (struct combination){.global_queue = *queue, .local_deque = *deque, .reactor = *reactor, .dynamic = dynamic};
    snprintf(c->name, sizeof c->name, "%s/%s/%s%s", queue->name, deque->name, reactor->name, dynamic ? " dynamic" : "");
}

static void combinations_fill(const struct options *o) {
    struct sy_part queue, deque, reactor;
    bool first = true;
    for (unsigned q = 0; next_part(SY_GLOBAL_QUEUE, &q, &queue);) {
        for (unsigned d = 0; next_part(SY_LOCAL_DEQUE, &d, &deque);) {
            for (unsigned r = 0; next_part(SY_REACTOR, &r, &reactor); first = false) {
                combination_add(&queue, &deque, &reactor, false, o);
                /* What it costs and whether it works is the same for all: once, unless it is asked for. */
                if (first || o->dispatch == DISPATCH_DYNAMIC) {
                    combination_add(&queue, &deque, &reactor, true, o);
                }
            }
        }
    }
}

/* ---- the run ---- */

/* Whoever has had the least time so far, but first some episodes each: one may happen to take the time of many. */
static bool is_before(const struct combination *a, const struct combination *b) {
    enum { FIRST = 4 };
    uint64_t first_a = a->next_episode < FIRST ? a->next_episode : FIRST;
    uint64_t first_b = b->next_episode < FIRST ? b->next_episode : FIRST;
    return first_a != first_b ? first_a < first_b : a->spent_ns < b->spent_ns;
}

static struct combination *next_combination(void) {
    struct combination *next = &combinations[0];
    for (size_t i = 1; i < combination_count; i++) {
        if (is_before(&combinations[i], next)) {
            next = &combinations[i];
        }
    }
    return next;
}

static uint64_t default_seconds(void) {
    uint64_t needed = (combination_count + COMBINATIONS_A_SECOND - 1) / COMBINATIONS_A_SECOND;
    return needed > SECONDS_DEFAULT ? needed : SECONDS_DEFAULT;
}

static void run_all(const struct options *options) {
    uint64_t start_ns = sy_now_ns(), now_ns = start_ns, episodes = 0;
    while (now_ns - start_ns < options->seconds * UINT64_C(1000000000)) {
        struct combination *combination = next_combination();
        progress_show(now_ns - start_ns, options, episodes, combination->name);
        episode_run(combination, options, combination->next_episode++);
        uint64_t then_ns = now_ns;
        now_ns = sy_now_ns();
        combination->spent_ns += now_ns - then_ns;
        episodes++;
    }
    progress_end();
}

static void run_one(const struct options *options) {
    if (combination_count != 1) {
        wrong_usage("--episode wants one combination: give --queue, --deque, --reactor and --dispatch");
    }
    episode_run(&combinations[0], options, (uint64_t)options->episode);
}

int main(int argc, char **argv) {
    bool list = false;
    struct options options = parse(argc, argv, &list);
    combinations_fill(&options);
    if (combination_count == 0) {
        wrong_usage("no combination is left; see --list");
    }
    if (list) {
        for (size_t i = 0; i < combination_count; i++) {
            printf("%s\n", combinations[i].name);
        }
        return 0;
    }
    if (options.seconds == 0) {
        options.seconds = default_seconds();
    }
    printf("stress --seed %llu: %zu combinations\n", (unsigned long long)options.seed, combination_count);
    fflush(stdout);
    watch_start(&options);
    options.episode >= 0 ? run_one(&options) : run_all(&options);
    unsigned not_tested = table_print(combinations, combination_count, options.episode >= 0);
    printf("%zu passed, 0 failed, %u not tested\n", combination_count - not_tested, not_tested);
    return not_tested ? 1 : 0;
}
