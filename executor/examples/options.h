/*
 * The command line of the examples: every program understands --workers, --queue, --deque, --reactor,
 * --reactor-fallback, --timers and --help, and lists the right ones when it is given a wrong one.
 */
#ifndef STEALYARD_EXAMPLES_OPTIONS_H
#define STEALYARD_EXAMPLES_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "executor/executor.h"

/* An option with a value: a number if `number` is set, a text if `text` is. */
struct option_row {
    const char *name;     /* with its dashes */
    const char *argument; /* what --help calls the value */
    const char *help;
    uint64_t *number; /* takes the value, which lies within least and most */
    uint64_t least, most;
    const char **text;
};

struct program {
    const char *name;
    const char *operands; /* as --help shows them: " URL…"; "" if there are none */
    const char *summary;
    const struct option_row *options; /* its own */
    size_t option_count;
};

/*
 * Reads the command line into `config` (which it initialises) and the program's own options. Operands may stand
 * anywhere; they are moved to argv[1…] and counted. --help is printed to stdout and ends the process with 0; whatever
 * is wrong (options, values, parts' names, operands where there are none) is told in a line on stderr, and it ends with
 * 2.
 */
int options_parse(const struct program *program, struct sy_config *config, int argc, char **argv);

/* Starts the runtime, or says why not and ends the process with 1. */
struct sy_runtime *options_start(const struct program *program, const struct sy_config *config);

/* Says "NAME: what: the error's text" and ends the process with 1. `error` is -errno. */
__attribute__((noreturn)) void program_fail(const struct program *program, const char *what, int error);

/* Says a line and ends the process with 2. */
__attribute__((noreturn, format(printf, 2, 3))) void program_wrong_usage(const struct program *program,
                                                                         const char *format, ...);

#endif
