/*
 * Fetches URLs all at once and prints what their JSON says, in the order in which they finish. A task for each URL, in
 * a join set; libcurl does the transfers (fetch_multi.h) and cJSON the parsing, on whichever worker runs the task.
 */
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/examples/fetch_multi.h"
#include "executor/examples/options.h"

#define BODY_MAX (16u << 20)
#define REDIRECTIONS_MAX 5L

static uint64_t timeout_ms = 10000;

static const struct option_row options[] = {
    {.name = "--timeout-ms",
     .argument = "N",
     .help = "how long one transfer may take (default 10000)",
     .number = &timeout_ms,
     .least = 1,
     .most = 86400000},
};

static const struct program program = {
    .name = "fetch",
    .operands = " URL…",
    .summary = "Fetches JSON from http and https URLs at once; prints the name or title that it has, or a summary.",
    .options = options,
    .option_count = 1,
};

/* ---- one URL ---- */

enum job_state { JOB_NEW, JOB_TRANSFER, JOB_DONE };

struct job {
    struct multi *multi;
    const char *url;
    enum job_state state;
    struct multi_transfer transfer;
    char *body;
    size_t length;
    char error[CURL_ERROR_SIZE];
    /* The output. */
    bool failed;
    char line[256]; /* what it says, or why it failed */
};

static size_t on_data(char *data, size_t one, size_t size, void *future) {
    struct job *f = future;
    (void)one;
    if (size > BODY_MAX - f->length) {
        snprintf(f->error, sizeof f->error, "the body is longer than %u bytes", BODY_MAX);
        return 0; /* ends the transfer */
    }
    char *body = realloc(f->body, f->length + size + 1);
    if (!body) {
        return 0;
    }
    memcpy(body + f->length, data, size);
    f->body = body;
    f->length += size;
    return size;
}

static void configure(CURL *easy, struct job *f) {
    curl_easy_setopt(easy, CURLOPT_URL, f->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTIONS_MAX);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "stealyard-fetch");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
}

/* Writes one line about what was parsed. */
static void summarise(const cJSON *json, char *line, size_t size) {
    static const char *const fields[] = {"name", "title"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(json, fields[i]));
        if (text) {
            snprintf(line, size, "%s %s", fields[i], text);
            cJSON_free(text);
            return;
        }
    }
    const char *kind = cJSON_IsObject(json) ? "an object" : cJSON_IsArray(json) ? "an array" : "a single value";
    snprintf(line, size, "%s, size %d", kind, cJSON_GetArraySize(json));
}

/* Judges the finished transfer: status, then body. Fills `line`; whether all is well. */
static bool judge(struct job *f) {
    CURL *easy = f->transfer.easy;
    long status = 0;
    if (f->transfer.result != CURLE_OK) {
        snprintf(f->line, sizeof f->line, "%s", f->error[0] ? f->error : curl_easy_strerror(f->transfer.result));
        return false;
    }
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400) {
        snprintf(f->line, sizeof f->line, "HTTP status %ld", status);
        return false;
    }
    const char *end = f->body;
    cJSON *json = f->body ? cJSON_ParseWithLengthOpts(f->body, f->length, &end, false) : NULL;
    if (!json) {
        snprintf(f->line, sizeof f->line, "bad JSON at byte %td of %zu", f->body ? end - f->body : 0, f->length);
        return false;
    }
    summarise(json, f->line, sizeof f->line);
    cJSON_Delete(json);
    return true;
}

static void job_release(struct job *f) {
    if (f->state == JOB_TRANSFER) {
        multi_end(f->multi, &f->transfer);
    }
    curl_easy_cleanup(f->transfer.easy);
    free(f->body);
    f->transfer.easy = NULL;
    f->body = NULL;
    f->state = JOB_DONE;
}

/* 0 or -errno. */
static int job_begin(struct job *f) {
    f->transfer.easy = curl_easy_init();
    if (!f->transfer.easy) {
        return -ENOMEM;
    }
    configure(f->transfer.easy, f);
    int error = multi_begin(f->multi, &f->transfer);
    f->state = error ? JOB_NEW : JOB_TRANSFER;
    return error;
}

static enum sy_poll job_poll(void *future, struct sy_context *cx) {
    struct job *f = future;
    if (f->state == JOB_NEW) {
        int error = job_begin(f);
        if (error) {
            snprintf(f->line, sizeof f->line, "%s", strerror(-error));
            f->failed = true;
            return SY_READY;
        }
    }
    if (multi_poll(&f->transfer, cx) == SY_PENDING) {
        return SY_PENDING;
    }
    f->failed = !judge(f);
    return SY_READY;
}

static void job_drop(void *future) {
    job_release(future);
}

static const struct sy_future_type job_type = {
    .name = "job",
    .size = sizeof(struct job),
    .poll = job_poll,
    .drop = job_drop,
};

/* ---- all of them ---- */

/* Takes the jobs' outcomes as they come and prints them. */
struct printer {
    struct sy_join_set *set;
    unsigned done, failed;
};

static void print_joined(struct printer *f, const struct sy_joined *joined) {
    const struct job *job = joined->outcome.future;
    bool failed = joined->outcome.cancelled || job->failed;
    f->done += !failed;
    f->failed += failed;
    printf("%s %s: %s\n", failed ? "FAIL" : "ok  ", (const char *)joined->tag,
           joined->outcome.cancelled ? "cancelled" : job->line);
    fflush(stdout);
}

static enum sy_poll printer_poll(void *future, struct sy_context *cx) {
    struct printer *f = future;
    struct sy_joined joined;
    while (sy_join_set_poll_next(f->set, cx, &joined) == SY_READY) {
        if (!joined.join.task) {
            return SY_READY;
        }
        print_joined(f, &joined);
        sy_join_drop(&joined.join);
    }
    return SY_PENDING;
}

static const struct sy_future_type printer_type = {
    .name = "printer",
    .size = sizeof(struct printer),
    .poll = printer_poll,
};

/* Runs a job for each URL to its end; returns the exit status. */
static int fetch_all(struct sy_runtime *runtime, struct multi *multi, char **urls, int count) {
    struct printer printer = {0};
    int error = sy_join_set_create(&printer.set, runtime);
    for (int i = 0; i < count && !error; i++) {
        struct job job = {.multi = multi, .url = urls[i]};
        error = sy_join_set_spawn(printer.set, &job_type, &job, urls[i]);
    }
    if (!error) {
        error = sy_block_on(runtime, &printer_type, &printer);
    }
    if (error) {
        program_fail(&program, "cannot run the transfers", error);
    }
    sy_join_set_destroy(printer.set);
    printf("%u ok, %u failed\n", printer.done, printer.failed);
    return printer.failed ? 1 : 0;
}

int main(int argc, char **argv) {
    struct sy_config config;
    int count = options_parse(&program, &config, argc, argv);
    if (count == 0) {
        program_wrong_usage(&program, "wants at least one URL");
    }
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct sy_runtime *runtime = options_start(&program, &config);
    struct multi *multi;
    int error = multi_create(&multi, runtime);
    if (error) {
        program_fail(&program, "cannot start libcurl", error);
    }
    int status = fetch_all(runtime, multi, argv + 1, count);
    sy_runtime_shutdown(runtime);
    multi_destroy(multi);
    sy_runtime_destroy(runtime);
    curl_global_cleanup();
    return status;
}
