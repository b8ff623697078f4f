/* Progress, and the table of what was exercised, with a verdict for each combination. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

static const char *const count_names[COUNTS] = {
    [COUNT_EPISODES] = "episodes",
    [COUNT_TASKS] = "tasks",
    [COUNT_POLLS] = "polls",
    [COUNT_STEALS] = "steals",
    [COUNT_STEAL_OPERATIONS] = "steal ops",
    [COUNT_OVERFLOWS] = "overflows",
    [COUNT_SPILLS] = "spills",
    [COUNT_OFFERS] = "offers",
    [COUNT_PARKS] = "parks",
    [COUNT_WAKES] = "wakes",
    [COUNT_MAIL] = "outside wakes",
    [COUNT_TIMERS] = "timers",
    [COUNT_IO] = "I/O ops",
    [COUNT_JOBS] = "jobs",
    [COUNT_ABORTS] = "aborts",
    [COUNT_GUESTS] = "guests",
    [COUNT_SHUTDOWNS] = "shutdowns",
};

/* ---- progress ---- */

void progress_show(uint64_t elapsed_ns, const struct options *options, uint64_t episodes, const char *name) {
    enum { WIDTH = 30, LINES = 10 };
    static uint64_t shown;
    uint64_t total_ns = options->seconds * UINT64_C(1000000000);
    uint64_t part = elapsed_ns < total_ns ? elapsed_ns : total_ns;
    if (isatty(STDERR_FILENO)) {
        unsigned filled = (unsigned)(part * WIDTH / total_ns);
        fprintf(stderr, "\r[%.*s%*s] %llu of %llu s, %llu episodes, %-60.60s", (int)filled,
                "##############################", (int)(WIDTH - filled), "",
                (unsigned long long)(elapsed_ns / 1000000000), (unsigned long long)options->seconds,
                (unsigned long long)episodes, name);
    } else if (part * LINES / total_ns >= shown + 1) {
        shown = part * LINES / total_ns;
        fprintf(stderr, "%llu of %llu s, %llu episodes\n", (unsigned long long)(elapsed_ns / 1000000000),
                (unsigned long long)options->seconds, (unsigned long long)episodes);
    }
}

void progress_end(void) {
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%*s\r", 120, "");
    }
}

/* ---- the table ---- */

/* A deque that grows does not overflow, nor does a queue spill that grows and finds memory; who withholds, offers. */
static bool applies(const struct combination *combination, enum count count) {
    return count == COUNT_OVERFLOWS ? combination->local_deque.bounded
           : count == COUNT_SPILLS  ? combination->global_queue.bounded
           : count == COUNT_OFFERS  ? combination->local_deque.withholds
                                    : true;
}

static void print_number(const struct combination *combination, enum count count, int width) {
    char text[24] = "n/a";
    if (applies(combination, count)) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)combination->counts[count]);
    }
    printf("  %*s", width, text);
}

static int column_width(const struct combination *combinations, size_t n, enum count count) {
    int width = (int)strlen(count_names[count]);
    for (size_t i = 0; i < n; i++) {
        int digits = snprintf(NULL, 0, "%llu", (unsigned long long)combinations[i].counts[count]);
        width = digits > width ? digits : width;
    }
    return width;
}

/* Prints what was missing; true if anything was. */
static bool print_verdict(const struct combination *combination) {
    bool missing = false;
    for (enum count count = 0; count < COUNTS; count++) {
        if (applies(combination, count) && combination->counts[count] == 0) {
            printf("%s%s", missing ? ", " : "  not tested: no ", count_names[count]);
            missing = true;
        }
    }
    printf("%s\n", missing ? "" : "  passed");
    return missing;
}

unsigned table_print(const struct combination *combinations, size_t n, bool one_episode) {
    unsigned not_tested = 0;
    int name_width = (int)strlen("combination");
    for (size_t i = 0; i < n; i++) {
        int length = (int)strlen(combinations[i].name);
        name_width = length > name_width ? length : name_width;
    }
    printf("%-*s", name_width, "combination");
    for (enum count count = 0; count < COUNTS; count++) {
        printf("  %*s", column_width(combinations, n, count), count_names[count]);
    }
    printf("  verdict\n");
    for (size_t i = 0; i < n; i++) {
        printf("%-*s", name_width, combinations[i].name);
        for (enum count count = 0; count < COUNTS; count++) {
            print_number(&combinations[i], count, column_width(combinations, n, count));
        }
        if (one_episode) {
            printf("  one episode\n");
        } else {
            not_tested += print_verdict(&combinations[i]);
        }
    }
    return not_tested;
}
