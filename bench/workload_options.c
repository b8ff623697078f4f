#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/workload_options.h"

enum { BUDGET_MS = 300, BUDGET_MS_MAX = 3600000, ITERATIONS_MAX = 1000000000, SEED = 1 };

/* The fields of struct sy_config that --set reaches. */
struct knob {
    const char *name;
    size_t offset;
    enum { KNOB_BOOL, KNOB_UNSIGNED, KNOB_SIZE, KNOB_U64 } type;
};

static const struct knob knobs[] = {
    {"global_capacity", offsetof(struct sy_config, global_capacity), KNOB_SIZE},
    {"global_segment", offsetof(struct sy_config, global_segment), KNOB_SIZE},
    {"local_capacity", offsetof(struct sy_config, local_capacity), KNOB_SIZE},
    {"global_interval", offsetof(struct sy_config, global_interval), KNOB_UNSIGNED},
    {"global_batch", offsetof(struct sy_config, global_batch), KNOB_UNSIGNED},
    {"steal_batch", offsetof(struct sy_config, steal_batch), KNOB_UNSIGNED},
    {"lifo_cap", offsetof(struct sy_config, lifo_cap), KNOB_UNSIGNED},
    {"reactor_interval", offsetof(struct sy_config, reactor_interval), KNOB_UNSIGNED},
    {"reactor_batch", offsetof(struct sy_config, reactor_batch), KNOB_UNSIGNED},
    {"searching_max", offsetof(struct sy_config, searching_max), KNOB_UNSIGNED},
    {"spin_ns", offsetof(struct sy_config, spin_ns), KNOB_U64},
    {"handoff_ns", offsetof(struct sy_config, handoff_ns), KNOB_U64},
    {"budget", offsetof(struct sy_config, budget), KNOB_UNSIGNED},
    {"speculative_io", offsetof(struct sy_config, speculative_io), KNOB_BOOL},
    {"pin", offsetof(struct sy_config, pin), KNOB_BOOL},
};
enum { KNOBS = sizeof knobs / sizeof knobs[0] };

__attribute__((format(printf, 1, 2))) static bool refuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("workload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static void print_workloads(FILE *out) {
    for (size_t i = 0; workload_table[i]; i++) {
        fprintf(out, "%s%s", i ? ", " : "", workload_table[i]->name);
    }
}

static void print_knobs(FILE *out) {
    for (size_t i = 0; i < KNOBS; i++) {
        fprintf(out, "%s%s", i ? ", " : "", knobs[i].name);
    }
}

static bool parse_number(const char *flag, const char *text, uint64_t least, uint64_t most, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || *value < least || *value > most) {
        return refuse("%s wants a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", flag, least, most, text);
    }
    return true;
}

static bool parse_workload(const char *name, const struct workload **found) {
    for (size_t i = 0; workload_table[i]; i++) {
        if (strcmp(workload_table[i]->name, name) == 0) {
            *found = workload_table[i];
            return true;
        }
    }
    fprintf(stderr, "workload: unknown workload \"%s\"; there are: ", name);
    print_workloads(stderr);
    fputc('\n', stderr);
    return false;
}

static void knob_store(const struct knob *knob, struct sy_config *config, uint64_t value) {
    char *field = (char *)config + knob->offset;
    switch (knob->type) {
    case KNOB_BOOL:
        *(bool *)field = value != 0;
        break;
    case KNOB_UNSIGNED:
        *(unsigned *)(void *)field = (unsigned)value;
        break;
    case KNOB_SIZE:
        *(size_t *)(void *)field = (size_t)value;
        break;
    case KNOB_U64:
        *(uint64_t *)(void *)field = value;
        break;
    }
}

static uint64_t knob_max(const struct knob *knob) {
    static const uint64_t max[] = {
        [KNOB_BOOL] = 1, [KNOB_UNSIGNED] = UINT32_MAX, [KNOB_SIZE] = SIZE_MAX, [KNOB_U64] = UINT64_MAX};
    return max[knob->type];
}

/* "key=value" */
static bool parse_knob(const char *text, struct sy_config *config) {
    const char *equals = strchr(text, '=');
    if (!equals) {
        return refuse("--set wants KEY=VALUE, not \"%s\"", text);
    }
    size_t length = (size_t)(equals - text);
    for (size_t i = 0; i < KNOBS; i++) {
        if (strlen(knobs[i].name) == length && memcmp(knobs[i].name, text, length) == 0) {
            uint64_t value;
            if (!parse_number(knobs[i].name, equals + 1, 0, knob_max(&knobs[i]), &value)) {
                return false;
            }
            knob_store(&knobs[i], config, value);
            return true;
        }
    }
    fprintf(stderr, "workload: --set knows no \"%.*s\"; there are: ", (int)length, text);
    print_knobs(stderr);
    fputc('\n', stderr);
    return false;
}

/* A flag that has a value after it. `known` is set to false if there is no such flag. */
static bool parse_valued(const char *flag, const char *value, struct workload_options *options, bool *known) {
    struct sy_config *config = &options->config;
    uint64_t number;
    if (strcmp(flag, "--workload") == 0) {
        return parse_workload(value, &options->workload);
    }
    if (strcmp(flag, "--queue") == 0) {
        config->global_queue = value;
    } else if (strcmp(flag, "--deque") == 0) {
        config->local_deque = value;
    } else if (strcmp(flag, "--reactor") == 0) {
        config->reactor = value;
    } else if (strcmp(flag, "--timers") == 0) {
        config->timers = value;
    } else if (strcmp(flag, "--set") == 0) {
        return parse_knob(value, config);
    } else if (strcmp(flag, "--workers") == 0) {
        bool ok = parse_number(flag, value, 1, SY_WORKERS_MAX, &number);
        config->workers = (unsigned)number;
        return ok;
    } else if (strcmp(flag, "--seed") == 0) {
        return parse_number(flag, value, 0, UINT64_MAX, &config->seed);
    } else if (strcmp(flag, "--budget-ms") == 0) {
        return parse_number(flag, value, 1, BUDGET_MS_MAX, &options->budget_ms);
    } else if (strcmp(flag, "--iterations") == 0) {
        return parse_number(flag, value, 1, ITERATIONS_MAX, &options->iterations);
    } else {
        *known = false;
    }
    return true;
}

static bool parse_flags(int argc, char **argv, struct workload_options *options) {
    bool list = false, json = false;
    for (int i = 1; i < argc; i++) {
        bool known = true;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options->request = WORKLOAD_HELP;
            return true;
        } else if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--dynamic") == 0) {
            options->config.dynamic_dispatch = true;
        } else if (!parse_valued(argv[i], i + 1 < argc ? argv[i + 1] : "", options, &known)) {
            return false;
        } else if (!known) {
            return refuse(
                "unknown flag \"%s\"; there are: --workload, --workers, --budget-ms, --iterations, --seed, --queue, "
                "--deque, --reactor, --timers, --dynamic, --set, --list, --json, --help",
                argv[i]);
        } else if (++i == argc) {
            return refuse("%s wants a value after it", argv[i - 1]);
        }
    }
    options->request = !list ? WORKLOAD_RUN : json ? WORKLOAD_LIST_JSON : WORKLOAD_LIST;
    return true;
}

bool workload_parse(int argc, char **argv, struct workload_options *options) {
    char message[512];
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    memset(options, 0, sizeof *options);
    sy_config_init(&options->config);
    options->config.workers = online < 1 ? 1 : online > SY_WORKERS_MAX ? SY_WORKERS_MAX : (unsigned)online;
    options->config.seed = SEED;
    options->budget_ms = BUDGET_MS;
    if (!parse_flags(argc, argv, options)) {
        return false;
    }
    if (options->request != WORKLOAD_RUN) {
        return true;
    }
    if (!options->workload) {
        fputs("workload: --workload is missing; there are: ", stderr);
        print_workloads(stderr);
        fputc('\n', stderr);
        return false;
    }
    if (options->workload->workers) {
        options->config.workers = options->workload->workers;
    }
    return sy_config_check(&options->config, message, sizeof message) == 0 || refuse("%s", message);
}

void workload_print_help(void) {
    fputs("usage: workload --workload NAME [flag]...\n"
          "Runs one workload and prints one JSON object.\n\n"
          "  --workload NAME    one of: ",
          stdout);
    print_workloads(stdout);
    printf("\n"
           "  --workers N        worker threads (default: the online processors)\n"
           "  --budget-ms MS     how long to measure (default %d)\n"
           "  --iterations N     exactly so many and no warm-up, for counting instructions\n"
           "  --seed S           of the order in which victims are tried, and of message contents (default %d)\n"
           "  --queue NAME       the global queue\n"
           "  --deque NAME       the workers' deque\n"
           "  --reactor NAME     the reactor\n"
           "  --timers NAME      the store of deadlines\n"
           "  --dynamic          call them through their tables at run time\n"
           "  --set KEY=VALUE    another policy than the default, as often as wanted: ",
           BUDGET_MS, SEED);
    print_knobs(stdout);
    fputs("\n"
          "  --list [--json]    the workloads and the parts\n"
          "  --help             this text\n\n"
          "A part that does not work here is never replaced by another.\n"
          "Exit status: 0 ok, 1 a check failed, 2 wrong usage, 77 a part does not work here.\n",
          stdout);
}
