/*
 * The one client that loads every echo server alike, ours and the peers': it measures how long a round trip takes and
 * how many a server makes in a second, and compares every byte. Prints one JSON object.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "bench/echo_load.h"

enum { EXIT_USAGE = 2, EXIT_SKIPPED = 77, SPARE_DESCRIPTORS = 16 };

static const char check[] = "each byte came back as it was sent, no connection was lost";

static struct echo_load_options options = {.window_ns = 1000000000, .seed = 1};
static uint64_t port, connections;

/* A flag with a whole number after it. */
struct flag {
    const char *name;
    const char *argument;
    const char *help;
    uint64_t least, most;
    uint64_t *value;
};

static const struct flag flags[] = {
    {"--port", "P", "the server's, on 127.0.0.1", 1, 65535, &port},
    {"--connections", "K", "how many, open all the time", 1, 1000000, &connections},
    {"--seed", "N", "of the messages (default 1)", 0, UINT64_MAX, &options.seed},
    {"--rate", "R", "open loop: R messages per second in all, latency from when they were due", 1, 10000000,
     &options.rate},
};
enum { FLAGS = sizeof flags / sizeof flags[0] };

__attribute__((noreturn, format(printf, 2, 3))) static void end(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("echo_load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

/* ---- the command line ---- */

static void print_help(void) {
    puts("usage: echo_load --port P|--unix PATH --connections K [flag]...\n"
         "Loads an echo server: each connection sends 64 random bytes, waits until they came back, and again. Prints "
         "one\n"
         "JSON object.\n");
    for (int i = 0; i < FLAGS; i++) {
        printf("  %s %-*s %s\n", flags[i].name, (int)(17 - strlen(flags[i].name)), flags[i].argument, flags[i].help);
    }
    puts("  --unix PATH        the server's, a Unix socket\n"
         "  --seconds S        how long to measure, after a warm-up of a tenth of it (default 1)\n"
         "  --help             this text\n\n"
         "Exit status: 0 ok, 1 the server failed or answered wrongly, 2 wrong usage, 77 too few descriptors here.");
}

static void set_seconds(const char *text) {
    char *rest;
    double seconds = strtod(text, &rest);
    if (text == rest || strspn(text, "0123456789.") < strlen(text) || seconds < 0.01 || seconds > 86400) {
        end(EXIT_USAGE, "--seconds wants a number from 0.01 to 86400, not \"%s\"", text);
    }
    options.window_ns = (uint64_t)llround(seconds * 1e9);
}

static void set_number(const struct flag *flag, const char *text) {
    char *rest;
    errno = 0;
    *flag->value = strtoull(text, &rest, 10);
    if (text[0] < '0' || text[0] > '9' || *rest || errno || *flag->value < flag->least || *flag->value > flag->most) {
        end(EXIT_USAGE, "%s wants a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", flag->name, flag->least,
            flag->most, text);
    }
}

static void set_path(const char *text) {
    size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (text[0] == '\0' || strlen(text) > most) {
        end(EXIT_USAGE, "--unix wants a path of 1 to %zu bytes, not \"%s\"", most, text);
    }
    options.path = text;
}

static void set(const char *name, const char *text) {
    if (strcmp(name, "--seconds") == 0) {
        set_seconds(text);
        return;
    }
    if (strcmp(name, "--unix") == 0) {
        set_path(text);
        return;
    }
    for (int i = 0; i < FLAGS; i++) {
        if (strcmp(flags[i].name, name) == 0) {
            set_number(&flags[i], text);
            return;
        }
    }
    end(EXIT_USAGE, "unknown flag \"%s\"; there are: --port, --connections, --unix, --seconds, --seed, --rate, --help",
        name);
}

static void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            exit(0);
        }
        set(argv[i], i + 1 < argc ? argv[i + 1] : "");
    }
    if ((port == 0 && !options.path) || connections == 0) {
        end(EXIT_USAGE, "%s is missing; see echo_load --help", connections == 0 ? "--connections" : "--port");
    }
    if (port != 0 && options.path) {
        end(EXIT_USAGE, "--port and --unix are two places; give one of them");
    }
    options.port = (uint16_t)port;
    options.connections = (uint32_t)connections;
}

/* ---- running ---- */

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    rlim_t need = connections + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        end(EXIT_FAILURE, "the limit on descriptors cannot be read: %s", strerror(errno));
    }
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < need) {
        end(EXIT_SKIPPED, "%" PRIu64 " connections need %llu descriptors; the hard limit here is %llu (ulimit -Hn)",
            connections, (unsigned long long)need, (unsigned long long)limit.rlim_max);
    }
    if (limit.rlim_cur < need) {
        limit.rlim_cur = need;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            end(EXIT_FAILURE, "the limit on descriptors cannot be raised to %llu: %s", (unsigned long long)need,
                strerror(errno));
        }
    }
}

/* The texts are ours and strerror's: nothing in them needs to be escaped. */
static void print_result(const struct echo_load_result *result) {
    double seconds = (double)options.window_ns * 1e-9;
    printf("{\"connections\":%u,\"seconds\":%.9g,\"seed\":%" PRIu64 ",", options.connections, seconds, options.seed);
    printf(options.rate ? "\"rate\":%" PRIu64 "," : "\"rate\":null,", options.rate);
    printf("\"messages\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"per_s\":%.1f,", result->messages, result->answered,
           (double)result->messages / seconds);
    fputs("\"latency_ns\":", stdout);
    latency_print_json(stdout, &result->latency);
    printf(",\"errors\":{\"connect\":%" PRIu64 ",\"reset\":%" PRIu64 ",\"mismatch\":%" PRIu64 ",\"unanswered\":%" PRIu64
           "},\"checked\":%s,\"check\":\"%s\"}\n",
           result->connect, result->reset, result->mismatch, result->unanswered, result->failure[0] ? "false" : "true",
           result->failure[0] ? result->failure : check);
}

int main(int argc, char **argv) {
    static struct echo_load_result result;
    parse(argc, argv);
    raise_descriptor_limit();
    int error = echo_load_run(&options, &result);
    if (error) {
        end(EXIT_FAILURE, "the load cannot be put on: %s", strerror(-error));
    }
    if (result.messages == 0 && !result.failure[0]) {
        strcpy(result.failure, "no message came back within the window");
    }
    print_result(&result);
    if (result.failure[0]) {
        end(EXIT_FAILURE, "%s", result.failure);
    }
    return 0;
}
