/*
 * The test programs' small frame: checks, a table runner, reproducible random numbers and a watchdog.
 *
 *     static void push_then_pop(size_t variant) { CHECK_EQ(count(variant), 1); }
 *     static const struct check_test tests[] = {{"push_then_pop", push_then_pop}};
 *     static const struct check_suite suite = {.title = "suite_gq", .tests = tests, .test_count = 1, …};
 *     int main(int argc, char **argv) { return check_main(&suite, argc, argv); }
 *
 * A suite runs every test over every variant (the implementations of a list); a program without variants leaves
 * variant_count 0 and its tests get 0. A check that fails prints file, line and expression and ends the process with
 * exit status 1, from whichever thread it is called. A test that cannot run here says so with check_skip() and returns.
 *
 * Exit status: 0 all passed (some may be skipped), 1 a check failed or a test did not end, 2 wrong usage, 77 every test
 * was skipped.
 */
#ifndef STEALYARD_STRESS_CHECK_H
#define STEALYARD_STRESS_CHECK_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first #include"
#endif

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct check_test {
    const char *name;
    void (*run)(size_t variant);
};

struct check_suite {
    const char *title;
    const struct check_test *tests;
    size_t test_count;
    size_t variant_count;                        /* 0: the tests have no variants */
    const char *(*variant_name)(size_t variant); /* NULL without variants */
    bool (*variant_runs)(size_t variant);        /* false after a check_skip: not on this machine; NULL: all do */
};

struct check_state {
    const char *only;
    uint64_t seed;
    unsigned timeout_s; /* of one test */
    unsigned passed, skipped;
    bool skip; /* the running test called check_skip */
    char reason[200];
    char running[200];
    char note[200]; /* on what the running test is at work; told when it fails */
};

/* One for the whole program, whichever of its files checks. */
__attribute__((weak)) struct check_state check = {.timeout_s = 110}; /* less than CTest's own */

/* The seed of this run (--seed). Deterministic from it: everything a test draws from check_random. */
static inline uint64_t check_seed(void) {
    return check.seed;
}

/* One number of a stream (SplitMix64: Steele, Lea, Flood, OOPSLA 2014). `*state` starts as check_seed() + an offset. */
static inline uint64_t check_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline int64_t check_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int check_summary(unsigned failed) {
    printf("%u passed, %u failed, %u skipped\n", check.passed, failed, check.skipped);
    fflush(stdout);
    if (failed) {
        return 1;
    }
    return check.passed == 0 && check.skipped > 0 ? 77 : 0;
}

__attribute__((noreturn, format(printf, 3, 4))) static inline void check_fail(const char *file, int line,
                                                                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s%s", check.note[0] ? "\nwith " : "", check.note);
    fprintf(stderr, "\nFAIL %s (--only %s --seed %" PRIu64 ")\n", check.running, check.running, check.seed);
    va_end(arguments);
    check_summary(1);
    _exit(1);
}

static inline void check_equal(int64_t a, int64_t b, const char *text_a, const char *text_b, const char *file,
                               int line) {
    if (a != b) {
        check_fail(file, line, "CHECK_EQ(%s, %s): %" PRId64 " != %" PRId64, text_a, text_b, a, b);
    }
}

#define CHECK(condition) ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, "CHECK(%s)", #condition))
#define CHECK_EQ(a, b) check_equal((int64_t)(a), (int64_t)(b), #a, #b, __FILE__, __LINE__)

/* What the running test is at work on from now on, in words that follow "with". From one thread at a time. */
__attribute__((format(printf, 1, 2))) static inline void check_note(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check.note, sizeof check.note, format, arguments);
    va_end(arguments);
}

/* Marks the running test as skipped, with the reason; the test returns after it. Only from the test's own thread. */
__attribute__((format(printf, 1, 2))) static inline void check_skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check.reason, sizeof check.reason, format, arguments);
    va_end(arguments);
    check.skip = true;
}

#define CHECK_SIGNAL (SIGRTMAX - 8) /* qemu-user has the last ones for itself */

static inline void check_watchdog_fired(int signal_number) {
    (void)signal_number;
    const char *parts[] = {
        "FAIL ", check.running, ": did not end in time (--timeout)", check.note[0] ? ", with " : "", check.note, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0) {
            break;
        }
    }
    _exit(1);
}

/* A timer of its own kind and a real-time signal, so that tests are free to use setitimer and the usual signals. */
static inline timer_t check_watchdog_create(void) {
    struct sigaction action = {.sa_handler = check_watchdog_fired, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = CHECK_SIGNAL};
    timer_t timer;
    if (sigaction(CHECK_SIGNAL, &action, NULL) || timer_create(CLOCK_MONOTONIC, &event, &timer)) {
        perror("watchdog");
        exit(1);
    }
    return timer;
}

static inline void check_watchdog_set(timer_t timer, unsigned seconds) {
    struct itimerspec when = {.it_value.tv_sec = (time_t)seconds};
    timer_settime(timer, 0, &when, NULL);
}

static inline void check_name(const struct check_suite *suite, size_t variant, size_t test, char *out, size_t size) {
    if (suite->variant_count) {
        snprintf(out, size, "%s/%s", suite->variant_name(variant), suite->tests[test].name);
    } else {
        snprintf(out, size, "%s", suite->tests[test].name);
    }
}

/* Variants that are one thing under several policies are called thing and thing+policy: "thing" selects them all. */
static inline bool check_selects_variant(const char *only, const char *variant) {
    size_t length = strlen(only);
    return strncmp(only, variant, length) == 0 && (variant[length] == 0 || variant[length] == '+');
}

/* --only takes "variant/test", a test's name (over all variants) or a variant's (all its tests). */
static inline bool check_selected(const struct check_suite *suite, size_t variant, size_t test) {
    char name[sizeof check.running];
    check_name(suite, variant, test, name, sizeof name);
    return !check.only || !strcmp(check.only, name) || !strcmp(check.only, suite->tests[test].name) ||
           (suite->variant_count && check_selects_variant(check.only, suite->variant_name(variant)));
}

static inline void check_run_one(const struct check_suite *suite, size_t variant, size_t test, timer_t watchdog) {
    check.skip = false;
    check.note[0] = 0;
    check_name(suite, variant, test, check.running, sizeof check.running);
    int64_t start_ns = check_now_ns();
    check_watchdog_set(watchdog, check.timeout_s);
    if (!suite->variant_runs || suite->variant_runs(variant)) {
        suite->tests[test].run(variant);
    }
    check_watchdog_set(watchdog, 0);
    if (check.skip) {
        check.skipped++;
        printf("SKIP %s: %s\n", check.running, check.reason);
    } else {
        check.passed++;
        printf("ok   %s %.3f s\n", check.running, (double)(check_now_ns() - start_ns) / 1e9);
    }
    fflush(stdout);
}

static inline size_t check_variants(const struct check_suite *suite) {
    return suite->variant_count ? suite->variant_count : 1;
}

static inline void check_list(const struct check_suite *suite, FILE *out) {
    char name[sizeof check.running];
    for (size_t v = 0; v < check_variants(suite); v++) {
        for (size_t t = 0; t < suite->test_count; t++) {
            check_name(suite, v, t, name, sizeof name);
            fprintf(out, "%s\n", name);
        }
    }
}

static inline void check_help(const struct check_suite *suite, FILE *out) {
    fprintf(out,
            "usage: %s [--only NAME] [--seed N] [--timeout SECONDS] [--list] [--help]\n"
            "  --only NAME        run one test, one variant, or variant/test (see --list)\n"
            "  --seed N           the random numbers' seed (default: from the clock; printed)\n"
            "  --timeout SECONDS  end a test that takes longer (default %u)\n"
            "exit status: 0 passed, 1 a check failed, 2 wrong usage, 77 everything was skipped\n",
            suite->title, check.timeout_s);
}

static inline uint64_t check_number(const char *option, const char *text, uint64_t least, uint64_t most) {
    char *end = NULL;
    errno = 0;
    uint64_t value = text ? strtoull(text, &end, 0) : 0;
    if (!text || end == text || *end || errno || *text == '-' || value < least || value > most) {
        fprintf(stderr, "%s wants a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"\n", option, least, most,
                text ? text : "");
        exit(2);
    }
    return value;
}

static inline void check_arguments(const struct check_suite *suite, int argc, char **argv) {
    check.seed = (uint64_t)check_now_ns();
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (!strcmp(option, "--help")) {
            check_help(suite, stdout);
            exit(0);
        } else if (!strcmp(option, "--list")) {
            check_list(suite, stdout);
            exit(0);
        } else if (!strcmp(option, "--only") && argv[i + 1]) {
            check.only = argv[++i]; /* a wrong name is told when nothing was run */
        } else if (!strcmp(option, "--seed")) {
            check.seed = check_number(option, argv[++i], 0, UINT64_MAX);
        } else if (!strcmp(option, "--timeout")) {
            check.timeout_s = (unsigned)check_number(option, argv[++i], 1, 86400);
        } else {
            fprintf(stderr, "%s: unknown option or no value after it: \"%s\"\n", suite->title, option);
            check_help(suite, stderr);
            exit(2);
        }
    }
}

static inline int check_main(const struct check_suite *suite, int argc, char **argv) {
    check_arguments(suite, argc, argv);
    timer_t watchdog = check_watchdog_create();
    printf("%s --seed %" PRIu64 "\n", suite->title, check.seed);
    fflush(stdout);
    for (size_t v = 0; v < check_variants(suite); v++) {
        for (size_t t = 0; t < suite->test_count; t++) {
            if (check_selected(suite, v, t)) {
                check_run_one(suite, v, t, watchdog);
            }
        }
    }
    timer_delete(watchdog);
    if (check.passed + check.skipped == 0) {
        fprintf(stderr, "no test is called \"%s\"; there are:\n", check.only ? check.only : "");
        check_list(suite, stderr);
        return 2;
    }
    return check_summary(0);
}

#endif
