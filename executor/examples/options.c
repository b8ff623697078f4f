/* The command line of the examples. See options.h. */
#include "executor/examples/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What every program has; filled where the values go. */
struct common {
    uint64_t workers;
    struct option_row rows[6];
};

static const size_t common_count = sizeof((struct common *)NULL)->rows / sizeof(struct option_row);

static void common_init(struct common *common, struct sy_config *config) {
    *common = (struct common){.workers = config->workers};
    const struct option_row rows[] = {
        {.name = "--workers",
         .argument = "N",
         .help = "threads that run tasks (default: one for each processor)",
         .number = &common->workers,
         .least = 1,
         .most = SY_WORKERS_MAX},
        {.name = "--queue", .argument = "NAME", .help = "the global queue", .text = &config->global_queue},
        {.name = "--deque", .argument = "NAME", .help = "the workers' local deque", .text = &config->local_deque},
        {.name = "--reactor", .argument = "NAME", .help = "the reactor", .text = &config->reactor},
        {.name = "--reactor-fallback",
         .argument = "NAME",
         .help = "the reactor where that one does not work (default: none, an error)",
         .text = &config->reactor_fallback},
        {.name = "--timers", .argument = "NAME", .help = "the store of deadlines", .text = &config->timers},
    };
    memcpy(common->rows, rows, sizeof rows);
}

static const struct option_row *row_at(const struct program *program, const struct common *common, size_t i) {
    return i < program->option_count ? &program->options[i] : &common->rows[i - program->option_count];
}

static size_t row_count(const struct program *program) {
    return program->option_count + common_count;
}

static void print_help(const struct program *program, const struct common *common) {
    printf("usage: %s [OPTION…]%s\n%s\n\n", program->name, program->operands, program->summary);
    for (size_t i = 0; i < row_count(program); i++) {
        const struct option_row *row = row_at(program, common, i);
        printf("  %s %-*s  %s\n", row->name, (int)(23 - strlen(row->name)), row->argument, row->help);
    }
    printf("  %-24s  %s\n\nexit status: 0 done, 1 something failed, 2 wrong usage\n", "--help", "this text");
}

void program_wrong_usage(const struct program *program, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "; see %s --help\n", program->name);
    va_end(arguments);
    exit(2);
}

void program_fail(const struct program *program, const char *what, int error) {
    fprintf(stderr, "%s: %s: %s\n", program->name, what, strerror(-error));
    exit(1);
}

static void unknown_option(const struct program *program, const struct common *common, const char *option) {
    fprintf(stderr, "%s: unknown option \"%s\"; there are:", program->name, option);
    for (size_t i = 0; i < row_count(program); i++) {
        fprintf(stderr, " %s,", row_at(program, common, i)->name);
    }
    fprintf(stderr, " --help\n");
    exit(2);
}

static void set_value(const struct program *program, const struct option_row *row, const char *value) {
    if (row->text) {
        *row->text = value;
        return;
    }
    char *end;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (errno || value[0] < '0' || value[0] > '9' || *end != '\0' || number < row->least || number > row->most) {
        program_wrong_usage(program, "%s wants a number from %llu to %llu, not \"%s\"", row->name,
                            (unsigned long long)row->least, (unsigned long long)row->most, value);
    }
    *row->number = number;
}

/* Handles the option at argv[i], given as "--name value" or "--name=value"; returns the index of its last word. */
static int take_option(const struct program *program, const struct common *common, char **argv, int i) {
    size_t length = strcspn(argv[i], "=");
    for (size_t k = 0; k < row_count(program); k++) {
        const struct option_row *row = row_at(program, common, k);
        if (strlen(row->name) != length || strncmp(row->name, argv[i], length) != 0) {
            continue;
        }
        const char *value = argv[i][length] == '=' ? argv[i] + length + 1 : argv[++i];
        if (!value) {
            program_wrong_usage(program, "%s wants a value", row->name);
        }
        set_value(program, row, value);
        return i;
    }
    unknown_option(program, common, argv[i]);
    return i;
}

int options_parse(const struct program *program, struct sy_config *config, int argc, char **argv) {
    struct common common;
    sy_config_init(config);
    common_init(&common, config);
    int operands = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(program, &common);
            exit(0);
        } else if (argv[i][0] == '-') {
            i = take_option(program, &common, argv, i);
        } else if (program->operands[0] == '\0') {
            program_wrong_usage(program, "takes no operand, not \"%s\"", argv[i]);
        } else {
            argv[1 + operands++] = argv[i];
        }
    }
    config->workers = (unsigned)common.workers;
    char message[512];
    if (sy_config_check(config, message, sizeof message)) {
        program_wrong_usage(program, "%s", message);
    }
    return operands;
}

struct sy_runtime *options_start(const struct program *program, const struct sy_config *config) {
    struct sy_runtime *runtime;
    int error = sy_runtime_create(&runtime, config);
    if (error) {
        char why[1024];
        sy_config_explain(config, error, why, sizeof why);
        fprintf(stderr, "%s: cannot start the runtime: %s\n", program->name, why);
        exit(1);
    }
    return runtime;
}
