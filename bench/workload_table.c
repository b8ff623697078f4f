/* The table of workloads, and what they share. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload.h"

#define WORKLOAD_ROW(name) &workload_##name,
const struct workload *const workload_table[] = {WORKLOAD_LIST(WORKLOAD_ROW) NULL};

sem_t workload_done;

bool workload_fail(struct workload_run *run, const char *format, ...) {
    if (!run->failure[0]) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(run->failure, sizeof run->failure, format, arguments);
        va_end(arguments);
    }
    return false;
}

bool workload_expect(struct workload_run *run, const char *what, uint64_t found, uint64_t wanted) {
    return found == wanted || workload_fail(run, "%s: %" PRIu64 ", not %" PRIu64, what, found, wanted);
}

void workload_die(const char *what, int error) {
    fprintf(stderr, "workload: %s: %s\n", what, strerror(-error));
    _Exit(EXIT_FAILURE);
}

void workload_wait(void) {
    while (sem_wait(&workload_done) != 0) {
        if (errno != EINTR) {
            workload_die("a semaphore cannot be waited for", -errno);
        }
    }
}
