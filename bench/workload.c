/* Runs one workload on one combination of parts and prints one JSON object. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload_json.h"

enum { EXIT_CHECK_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_HERE = 77 };

/* True if everything was as it should be; prints the result in any case. */
static bool run_workload(const struct workload_options *options) {
    const struct workload *workload = options->workload;
    static struct workload_run run;
    run.workers = options->config.workers;
    run.seed = options->config.seed;
    struct workload_measured measured;
    int error = sy_runtime_create(&run.runtime, &options->config);
    if (error) {
        char why[1024];
        sy_config_explain(&options->config, error, why, sizeof why);
        fprintf(stderr, "workload: the runtime cannot start: %s\n", why);
        exit(error == -ENOTSUP ? EXIT_NOT_HERE : EXIT_CHECK_FAILED);
    }
    if (workload->setup) {
        workload->setup(&run);
    }
    workload_measure(workload, &run, options->budget_ms, options->iterations, &measured);
    if (workload->finish) {
        workload->finish(&run);
    }
    bool ok = run.failure[0] == '\0';
    workload_print_result(options, &run, &measured, ok, ok ? workload->check : run.failure);
    sy_runtime_destroy(run.runtime);
    free(measured.samples_ns);
    if (!ok) {
        fprintf(stderr, "workload: %s: %s\n", workload->name, run.failure);
    }
    return ok;
}

int main(int argc, char **argv) {
    struct workload_options options;
    int status = EXIT_SUCCESS;
    sem_init(&workload_done, 0, 0);
    if (!workload_parse(argc, argv, &options)) {
        return EXIT_USAGE;
    }
    switch (options.request) {
    case WORKLOAD_HELP:
        workload_print_help();
        break;
    case WORKLOAD_LIST:
        workload_print_list();
        break;
    case WORKLOAD_LIST_JSON:
        workload_print_list_json();
        break;
    case WORKLOAD_RUN:
        status = run_workload(&options) ? EXIT_SUCCESS : EXIT_CHECK_FAILED;
        break;
    }
    if (fflush(stdout) != 0) {
        fprintf(stderr, "workload: stdout cannot be written: %s\n", strerror(errno));
        return EXIT_CHECK_FAILED;
    }
    return status;
}
