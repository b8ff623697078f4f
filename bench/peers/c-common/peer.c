/* See peer.h. */
#include "bench/peers/c-common/peer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

enum request { REQUEST_WORKLOAD, REQUEST_SERVE, REQUEST_LIST };

struct options {
    enum request request;
    bool json;
    const struct peer_workload *workload;
    uint64_t workers, budget_ms, iterations, seed, port;
    const char *path; /* of a Unix socket to serve on instead of the port; NULL: none */
};

static const struct peer *peer; /* the process's */

bool peer_fail(struct peer_run *run, const char *format, ...) {
    if (!run->failure[0]) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(run->failure, sizeof run->failure, format, arguments);
        va_end(arguments);
    }
    return false;
}

void peer_die(const char *what, int error) {
    fprintf(stderr, "%s: %s: %s\n", peer->program, what, strerror(error));
    _Exit(EXIT_FAILURE);
}

void *peer_need(void *pointer, const char *what) {
    if (!pointer) {
        peer_die(what, ENOMEM);
    }
    return pointer;
}

/* ---- the command line ---- */

__attribute__((noreturn, format(printf, 1, 2))) static void wrong_usage(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", peer->program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_USAGE);
}

static const char *workload_names(void) {
    static char names[512] = "none";
    size_t length = 0;
    for (size_t i = 0; peer->workloads[i] && length < sizeof names; i++) {
        length +=
            (size_t)snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "", peer->workloads[i]->name);
    }
    return names;
}

static uint64_t online_processors(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > PEER_WORKERS_MAX ? PEER_WORKERS_MAX : (uint64_t)online;
}

static void print_help(void) {
    printf("usage: %s --workload NAME [flag]...\n"
           "       %s --serve echo [--workers N] [--port P|--unix PATH]\n"
           "Runs one workload on %s and prints one JSON object, or serves on 127.0.0.1 or a Unix socket until SIGTERM."
           "\n\n"
           "  --workload NAME    one of: %s\n"
           "  --serve NAME       one of: echo\n"
           "  --port P           where to serve; 0: any free port (default 0)\n"
           "  --unix PATH        or a Unix socket, whose path is free\n"
           "  --workers N        event loops, each with a thread (default: the online processors, %" PRIu64 ")\n"
           "  --budget-ms MS     how long to measure (default 300)\n"
           "  --iterations N     exactly so many and no warm-up, for counting instructions\n"
           "  --seed S           of the messages (default 1)\n"
           "  --list [--json]    the workloads\n"
           "  --help             this text\n\n"
           "Exit status: 0 ok, 1 a check failed, 2 wrong usage, %d the machine lacks what it needs.\n",
           peer->program, peer->program, peer->version, workload_names(), online_processors(), PEER_SKIPPED);
}

static uint64_t parse_number(const char *flag, const char *text, uint64_t least, uint64_t most) {
    char *rest;
    errno = 0;
    uint64_t value = strtoull(text, &rest, 10);
    if (text[0] < '0' || text[0] > '9' || *rest || errno || value < least || value > most) {
        wrong_usage("%s wants a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"", flag, least, most, text);
    }
    return value;
}

static const struct peer_workload *find_workload(const char *name) {
    for (size_t i = 0; peer->workloads[i]; i++) {
        if (strcmp(peer->workloads[i]->name, name) == 0) {
            return peer->workloads[i];
        }
    }
    wrong_usage("unknown workload \"%s\"; there are: %s", name, workload_names());
}

static void set(struct options *options, const char *flag, const char *value) {
    if (strcmp(flag, "--workload") == 0) {
        options->workload = find_workload(value);
    } else if (strcmp(flag, "--serve") == 0) {
        if (strcmp(value, "echo") != 0) {
            wrong_usage("cannot serve \"%s\"; there are: echo", value);
        }
        options->request = REQUEST_SERVE;
    } else if (strcmp(flag, "--port") == 0) {
        options->port = parse_number(flag, value, 0, 65535);
    } else if (strcmp(flag, "--unix") == 0) {
        if (!value[0]) {
            wrong_usage("--unix wants a path after it");
        }
        options->path = value;
    } else if (strcmp(flag, "--workers") == 0) {
        options->workers = parse_number(flag, value, 1, PEER_WORKERS_MAX);
    } else if (strcmp(flag, "--budget-ms") == 0) {
        options->budget_ms = parse_number(flag, value, 1, 3600000);
    } else if (strcmp(flag, "--iterations") == 0) {
        options->iterations = parse_number(flag, value, 1, 1000000000);
    } else if (strcmp(flag, "--seed") == 0) {
        options->seed = parse_number(flag, value, 0, UINT64_MAX);
    } else {
        wrong_usage("unknown flag \"%s\"; there are: --workload, --serve, --port, --unix, --workers, --budget-ms, "
                    "--iterations, "
                    "--seed, --list, --json, --help",
                    flag);
    }
}

static struct options parse(int argc, char **argv) {
    struct options options = {.workers = online_processors(), .budget_ms = 300, .seed = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            exit(0);
        } else if (strcmp(argv[i], "--list") == 0) {
            options.request = REQUEST_LIST;
        } else if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else {
            set(&options, argv[i], i + 1 < argc ? argv[i + 1] : "");
            i++;
        }
    }
    if (options.request == REQUEST_WORKLOAD && !options.workload) {
        wrong_usage("--workload or --serve is missing; workloads: %s", workload_names());
    }
    return options;
}

/* ---- what it prints: texts are ours and strerror's, nothing in them needs to be escaped ---- */

static void print_list(bool json) {
    if (json) {
        printf("{\"peer\":\"%s\",\"serves\":[\"echo\"],\"transports\":[\"tcp\",\"unix\"],\"workloads\":[",
               peer->version);
    }
    for (size_t i = 0; peer->workloads[i]; i++) {
        const struct peer_workload *workload = peer->workloads[i];
        if (json) {
            printf("%s{\"name\":\"%s\",\"summary\":\"%s\",\"ops\":%" PRIu64 "}", i ? "," : "", workload->name,
                   workload->summary, workload->ops);
        } else {
            printf("%-24s %s\n", workload->name, workload->summary);
        }
    }
    if (json) {
        puts("]}");
    }
}

static void print_result(const struct options *options, const struct peer_run *run,
                         const struct peer_measured *measured) {
    const struct peer_workload *workload = options->workload;
    bool checked = !run->failure[0];
    printf("{\"peer\":\"%s\",\"workload\":\"%s\",\"queue\":null,\"deque\":null,\"reactor\":null,\"workers\":%u,"
           "\"seed\":%" PRIu64 ",\"iterations\":%zu,\"ops_per_iteration\":%" PRIu64 ",\"median_ns\":%.1f,"
           "\"latency_ns\":null,\"samples_ns\":[",
           peer->version, workload->name, run->workers, run->seed, measured->iterations, workload->ops,
           measured->median_ns);
    for (size_t i = 0; i < measured->iterations; i++) {
        printf("%s%" PRIu64, i ? "," : "", measured->samples_ns[i]);
    }
    printf("],\"checked\":%s,\"check\":\"%s\",\"peak_rss_kib\":%ld,\"cpu_ns\":%" PRIu64 ",\"counters\":{}}\n",
           checked ? "true" : "false", checked ? workload->check : run->failure, measured->peak_rss_kib,
           measured->cpu_ns);
}

/* ---- what it does ---- */

static int run_workload(const struct options *options) {
    const struct peer_workload *workload = options->workload;
    struct peer_run run = {.workers = (unsigned)options->workers, .seed = options->seed};
    struct peer_measured measured;
    workload->setup(&run);
    peer_measure(workload, &run, options->budget_ms, options->iterations, &measured);
    workload->finish(&run);
    print_result(options, &run, &measured);
    free(measured.samples_ns);
    if (run.failure[0]) {
        fprintf(stderr, "%s: %s: %s\n", peer->program, workload->name, run.failure);
        return EXIT_FAILURE;
    }
    return 0;
}

static int serve(const struct options *options) {
    uint16_t port = (uint16_t)options->port;
    int listener = options->path ? peer_listen_unix(options->path) : peer_listen(&port);
    peer->serve_echo((unsigned)options->workers, listener);
    close(listener);
    if (options->path) {
        unlink(options->path);
    }
    return 0;
}

int peer_main(const struct peer *self, int argc, char **argv) {
    peer = self;
    struct options options = parse(argc, argv);
    signal(SIGPIPE, SIG_IGN); /* neither runtime asks the kernel to leave it out */
    if (peer->need && options.request != REQUEST_WORKLOAD) {
        peer->need();
    }
    if (options.request == REQUEST_LIST) {
        print_list(options.json);
        return 0;
    }
    return options.request == REQUEST_SERVE ? serve(&options) : run_workload(&options);
}
