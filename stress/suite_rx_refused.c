/*
 * io_uring refused, as containers' profiles and older kernels do, over every back end: one that needs it says so in one
 * line, runs its fallback if one is named and nothing otherwise; the programs that measure never run another in its
 * place; and one that does not need it takes no notice. System calls are refused by seccomp, in a process of its own.
 * ctest-timeout: 120
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <sys/mman.h>

#include "stress/net_fixture.h"
#include "stress/refuse.h"
#include "stress/support.h"

#define ROUNDS 20
#define TEXT_SIZE 4096
#define NOT_REFUSED 126 /* of a child that could not arrange the refusal */

static const struct {
    unsigned error;
    const char *told;
} refusals[] = {{EPERM, "forbids io_uring"},
                {EACCES, "forbids io_uring"},
                {ENOSYS, "has no io_uring"},
                {EINVAL, "lacks something"}};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

/* One of the four over one back end. */
struct refused {
    const struct rx_ops *ops;
    size_t variant;
    unsigned error;
    const char *told;
};

static bool refuse(const struct refused *r) {
    struct {
        unsigned char bytes[256];
    } parameters = {{0}};
    return refuse_call(SYS_io_uring_setup, r->error) && syscall(SYS_io_uring_setup, 1, &parameters) < 0 &&
           errno == (int)r->error;
}

/* Runs the body for each refusal, each in a process of its own. */
static void each_refusal(size_t variant, bool (*body)(void *refused)) {
#if SY_TSAN
    if (strcmp(reactor_of(variant)->name, "rx_kqueue") == 0) {
        check_skip("libkqueue starts a thread, which ThreadSanitizer forbids in a forked process");
        return;
    }
#endif
    for (unsigned i = 0; i < REFUSALS; i++) {
        struct refused refused = {reactor_of(variant), variant, refusals[i].error, refusals[i].told};
        check_note("%s", strerror((int)refused.error));
        refuse_in_child(body, &refused);
    }
}

static void expect_told(const struct refused *r, const char *line) {
    if (!strstr(line, r->ops->name) || !strstr(line, r->told) || strchr(line, '\n')) {
        check_fail(__FILE__, __LINE__, "%s: \"%s\"", strerror((int)r->error), line);
    }
}

/* A connection sends back what comes. */
static void check_that_it_runs(struct sy_runtime *runtime) {
    struct echo echo = {0};
    char byte = 'a';
    int peer = make_pair(runtime, &echo.socket);
    CHECK_EQ(sy_spawn(runtime, &echo_type, &echo, NULL), 0);
    write_fully(peer, &byte, 1);
    byte = 'b';
    ssize_t n;
    do {
        n = recv(peer, &byte, 1, 0);
    } while (n < 0 && errno == EINTR);
    CHECK_EQ(n, 1);
    CHECK_EQ(byte, 'a');
    close(peer);
}

/* ---- the library ---- */

static bool back_end_says_so(void *argument) {
    const struct refused *r = argument;
    if (!refuse(r)) {
        return false;
    }
    struct rx_config config = {.batch = 8, .slots = 2, .speculative = r->variant % 2};
    unsigned descriptors = support_fd_count();
    for (int i = 0; i < ROUNDS; i++) {
        struct rx *rx = NULL;
        int error = r->ops->create(&rx, &config);
        CHECK_EQ(error, r->ops->io_uring ? -ENOTSUP : 0);
        if (!error) {
            r->ops->destroy(rx);
        }
    }
    CHECK_EQ(support_fd_count(), descriptors);
    return true;
}

static bool runtime_is_not_created(void *argument) {
    const struct refused *r = argument;
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    char why[1024] = "";
    if (!refuse(r)) {
        return false;
    }
    configure(&config, r->variant, 2);
    sy_part_probe(SY_REACTOR, "rx_uv"); /* libuv keeps a pipe for the process, and explaining tries every reactor */
    unsigned descriptors = support_fd_count();
    int error = sy_runtime_create(&runtime, &config);
    CHECK_EQ(error, r->ops->io_uring ? -ENOTSUP : 0);
    if (error) {
        sy_config_explain(&config, error, why, sizeof why);
        expect_told(r, why);
        CHECK(strstr(why, "these do: rx_epoll") != NULL);
        CHECK(!runtime);
    } else {
        check_that_it_runs(runtime);
        sy_runtime_destroy(runtime);
    }
    CHECK_EQ(support_fd_count(), descriptors);
    return true;
}

/* From here to heard(), what goes to stderr is kept. */
static int listen_to_stderr(int *kept) {
    int file = memfd_create("stderr", MFD_CLOEXEC);
    CHECK(file >= 0);
    *kept = dup(STDERR_FILENO);
    CHECK_EQ(dup2(file, STDERR_FILENO), STDERR_FILENO);
    return file;
}

static void take_text(int file, char text[TEXT_SIZE]) {
    ssize_t n = pread(file, text, TEXT_SIZE - 1, 0);
    CHECK(n >= 0);
    text[n] = '\0';
    close(file);
}

static void heard(int file, int kept, char text[TEXT_SIZE]) {
    CHECK_EQ(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    take_text(file, text);
}

static bool fallback_runs(void *argument) {
    const struct refused *r = argument;
    const char *fallback = strcmp(r->ops->name, "rx_poll") ? "rx_poll" : "rx_epoll";
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    char said[TEXT_SIZE];
    int kept;
    if (!refuse(r)) {
        return false;
    }
    configure(&config, r->variant, 2);
    config.reactor_fallback = fallback;
    int file = listen_to_stderr(&kept);
    int error = sy_runtime_create(&runtime, &config);
    heard(file, kept, said);
    CHECK_EQ(error, 0);
    CHECK(strcmp(sy_runtime_config(runtime)->reactor, r->ops->io_uring ? fallback : r->ops->name) == 0);
    CHECK(strcmp(sy_runtime_config(runtime)->reactor_fallback, fallback) == 0);
    if (r->ops->io_uring) {
        char *end = strchr(said, '\n');
        CHECK(end && end[1] == '\0'); /* one line */
        *end = '\0';
        expect_told(r, said);
        CHECK(strstr(said, fallback) != NULL);
    } else {
        CHECK_EQ(said[0], '\0');
    }
    check_that_it_runs(runtime);
    sy_runtime_destroy(runtime);
    return true;
}

/* A fallback that is refused itself is none, and another is not looked for. */
static bool fallback_is_refused_too(void *argument) {
    const struct refused *r = argument;
    struct sy_config config;
    struct sy_runtime *runtime = NULL;
    char why[1024] = "";
    if (!refuse(r)) {
        return false;
    }
    configure(&config, r->variant, 2);
    for (size_t i = 0; i < rx_count && r->ops->io_uring; i++) {
        if (rx_all[i]->io_uring && !rx_all[i]->missing) {
            config.reactor_fallback = rx_all[i]->name;
            CHECK_EQ(sy_runtime_create(&runtime, &config), -ENOTSUP);
            sy_config_explain(&config, -ENOTSUP, why, sizeof why);
            expect_told(r, why);
            CHECK(strstr(why, "nor does its fallback") && strstr(why, rx_all[i]->name));
        }
    }
    return true;
}

static void case_17_ring_refused(size_t variant) {
    each_refusal(variant, back_end_says_so);
    each_refusal(variant, runtime_is_not_created);
}

static void case_17_ring_refused_fallback_named(size_t variant) {
    each_refusal(variant, fallback_runs);
    each_refusal(variant, fallback_is_refused_too);
}

/* ---- programs ---- */

struct outcome {
    int status;
    char out[TEXT_SIZE], err[TEXT_SIZE];
};

static void become(const char *path, char *const *arguments, int out, int err) {
    if (!refuse_call(SYS_io_uring_setup, EPERM)) {
        _exit(NOT_REFUSED);
    }
    if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO && dup2(err, STDERR_FILENO) == STDERR_FILENO) {
        execv(path, arguments);
    }
    _exit(1);
}

/* Runs a program of this build where io_uring is refused. false, after a check_skip: it cannot be done here. */
static bool run_refused(const char *program, char *const *arguments, struct outcome *outcome) {
    char path[4096];
    const char *build = getenv("STEALYARD_BUILD");
    snprintf(path, sizeof path, "%s/%s", build ? build : "", program);
    if (!build || access(path, X_OK)) {
        check_skip("%s: %s", build ? path : "STEALYARD_BUILD", build ? "is not built" : "is not set: run by ctest");
        return false;
    }
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), status;
    CHECK(out >= 0 && err >= 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        become(path, arguments, out, err);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    outcome->status = WEXITSTATUS(status);
    take_text(out, outcome->out);
    take_text(err, outcome->err);
    if (outcome->status == NOT_REFUSED) {
        check_skip("no system call filter allowed here (seccomp)");
    }
    return outcome->status != NOT_REFUSED;
}

static void expect_outcome(const struct rx_ops *ops, const struct outcome *o, int status) {
    if (o->status != status || !strstr(o->err, ops->name) || !strstr(o->err, "forbids io_uring")) {
        check_fail(__FILE__, __LINE__, "exit status %d, not %d, or not told why: \"%s\"", o->status, status, o->err);
    }
}

/* What a program does without a ring: with the status that says so, and no word but that. */
static void expect_refusal(const struct rx_ops *ops, const struct outcome *o, int status) {
    expect_outcome(ops, o, status);
    CHECK_EQ(o->out[0], '\0');
    CHECK(strchr(o->err, '\n') && strchr(o->err, '\n')[1] == '\0');
}

static void expect_success(const struct outcome *o) {
    if (o->status != 0 || o->err[0]) {
        check_fail(__FILE__, __LINE__, "exit status %d: \"%s\"", o->status, o->err);
    }
}

static void case_17_workload_never_falls_back(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    char *arguments[] = {"workload", "--workload", "fib", "--iterations", "1", "--reactor", (char *)ops->name, NULL};
    struct outcome outcome;
    if (run_refused("bench/workload", arguments, &outcome)) {
        ops->io_uring ? expect_refusal(ops, &outcome, 77) : expect_success(&outcome);
    }
}

static void case_17_stress_never_falls_back(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    char *arguments[] = {"stress", "--list", "--reactor", (char *)ops->name, NULL};
    struct outcome outcome;
    if (run_refused("stress/stress", arguments, &outcome)) {
        ops->io_uring ? expect_refusal(ops, &outcome, 77) : expect_success(&outcome);
    }
}

/* The library's benchmark lets other cases go on, and the exit status tells. */
static void case_17_micro_never_falls_back(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    char filter[100];
    snprintf(filter, sizeof filter, "--benchmark_filter=^reactor/pingpong/pipe/%s$", ops->name);
    char *arguments[] = {"micro", filter, "--benchmark_min_time=0.001", NULL};
    struct outcome outcome;
    if (run_refused("bench/micro", arguments, &outcome)) {
        CHECK_EQ(strstr(outcome.out, "items_per_second") != NULL, !ops->io_uring);
        if (ops->io_uring) {
            expect_outcome(ops, &outcome, 1);
        } else {
            CHECK_EQ(outcome.status, 0);
        }
    }
}

static void case_17_example_without_fallback(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    char *arguments[] = {"hello", "--reactor", (char *)ops->name, NULL};
    struct outcome outcome;
    if (run_refused("executor/examples/hello", arguments, &outcome)) {
        ops->io_uring ? expect_refusal(ops, &outcome, 1) : expect_success(&outcome);
    }
}

static void case_17_example_with_fallback(size_t variant) {
    const struct rx_ops *ops = reactor_of(variant);
    char *arguments[] = {"hello", "--reactor", (char *)ops->name, "--reactor-fallback", "rx_epoll", NULL};
    struct outcome outcome;
    if (run_refused("executor/examples/hello", arguments, &outcome)) {
        ops->io_uring ? expect_outcome(ops, &outcome, 0) : expect_success(&outcome);
        CHECK(strstr(outcome.out, "hello from a task") != NULL);
    }
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"case_17_ring_refused", case_17_ring_refused},
        {"case_17_ring_refused_fallback_named", case_17_ring_refused_fallback_named},
        {"case_17_workload_never_falls_back", case_17_workload_never_falls_back},
        {"case_17_stress_never_falls_back", case_17_stress_never_falls_back},
        {"case_17_micro_never_falls_back", case_17_micro_never_falls_back},
        {"case_17_example_without_fallback", case_17_example_without_fallback},
        {"case_17_example_with_fallback", case_17_example_with_fallback},
    };
    return run_suite("suite_rx_refused", tests, sizeof tests / sizeof tests[0], argc, argv);
}
