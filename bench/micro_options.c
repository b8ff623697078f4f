#include "bench/micro_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };
static const double seconds_default = 0.5, seconds_most = 3600;

static const char help[] =
    "usage: micro [flag]...   queues, deques and reactors by themselves, beside reference rows\n"
    "  --list-cases               print the cases' names; with --json everything about them\n"
    "  --benchmark_filter=REGEX   only the cases whose name matches, or with a leading - does not\n"
    "  --benchmark_min_time=S     how long a case is timed, in seconds (default 0.5)\n"
    "  --operations=N             instead: a case of one thread does N operations, or a few more\n"
    "Google Benchmark's other flags:\n"
    "  --benchmark_repetitions=N  --benchmark_format=console|json|csv  --benchmark_out=FILE\n"
    "  --benchmark_enable_random_interleaving=true  --benchmark_list_tests  --benchmark_counters_tabular=true\n"
    "exit status: 0 done, 1 a case failed its check, 2 wrong usage\n";

/* The value if `argument` is --name=value, else NULL. */
static const char *value_of(const char *argument, const char *name) {
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static uint64_t window_ns(const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || (*end && strcmp(end, "s") != 0) || !(seconds > 0) || seconds > seconds_most) {
        fprintf(stderr, "micro: --benchmark_min_time wants seconds, above 0 and up to 3600, not \"%s\"\n", text);
        exit(USAGE);
    }
    return (uint64_t)(seconds * 1e9) + 1;
}

static uint64_t operations(const char *text) {
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10);
    if (end == text || *end || errno || *text == '-' || n == 0) {
        fprintf(stderr, "micro: --operations wants a number of at least 1, not \"%s\"\n", text);
        exit(USAGE);
    }
    return n;
}

static bool is_true(const char *text) {
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "yes") == 0;
}

/* True: the argument was ours alone. */
static bool take(struct micro_options *options, const char *argument) {
    const char *value;
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        fputs(help, stdout);
        exit(0);
    } else if (strcmp(argument, "--list-cases") == 0) {
        options->list = options->list == MICRO_LIST_JSON ? MICRO_LIST_JSON : MICRO_LIST_NAMES;
    } else if (strcmp(argument, "--json") == 0) {
        options->list = MICRO_LIST_JSON;
    } else if (strcmp(argument, "--benchmark_list_tests") == 0) {
        options->list = MICRO_LIST_NAMES;
    } else if ((value = value_of(argument, "--benchmark_list_tests"))) {
        options->list = is_true(value) ? MICRO_LIST_NAMES : options->list;
    } else if ((value = value_of(argument, "--benchmark_filter"))) {
        options->filter = strcmp(value, "all") == 0 ? "." : value;
    } else if ((value = value_of(argument, "--benchmark_min_time"))) {
        options->extent.window_ns = window_ns(value);
    } else if ((value = value_of(argument, "--operations"))) {
        options->extent.operations = operations(value);
    } else {
        return false;
    }
    return true;
}

void micro_options_take(struct micro_options *options, int *argc, char **argv) {
    int kept = 1;
    bool out = false, other_format = false;
    *options = (struct micro_options){.filter = "."};
    options->extent.window_ns = (uint64_t)(seconds_default * 1e9);
    for (int i = 1; i < *argc; i++) {
        const char *format = value_of(argv[i], "--benchmark_out_format");
        out |= value_of(argv[i], "--benchmark_out") != NULL;
        other_format |= format && strcmp(format, "json") != 0;
        if (!take(options, argv[i])) {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    options->json_file = out && !other_format;
}
