/*
 * libcurl's multi interface on a runtime: libcurl says which descriptors and which time-out it waits for, and a task,
 * the driver, waits for them in libcurl's place, with sy_ready and sy_sleep.
 *
 * A multi handle is not thread-safe, so a lock guards it. Everything under the lock is short: libcurl never blocks in
 * these calls.
 */
#ifndef STEALYARD_EXAMPLES_FETCH_MULTI_H
#define STEALYARD_EXAMPLES_FETCH_MULTI_H

#include <curl/curl.h>

#include "executor/executor.h"

struct multi;

/* A transfer under way: the caller's memory, at a fixed address from multi_begin to multi_end. */
struct multi_transfer {
    CURL *easy;      /* configured by the caller; its CURLOPT_PRIVATE is ours */
    CURLcode result; /* valid when ready */
    struct sy_oneshot done;
    bool added; /* guarded by the multi's lock */
};

/* Starts the driver. 0 or -errno. */
int multi_create(struct multi **out, struct sy_runtime *runtime);

/* 0, or -ENOMEM and the like: then the transfer did not begin. */
int multi_begin(struct multi *multi, struct multi_transfer *transfer);
enum sy_poll multi_poll(struct multi_transfer *transfer, struct sy_context *cx);

/* Ends it, complete or not; the easy handle is the caller's again. Once, after a multi_begin that succeeded. */
void multi_end(struct multi *multi, struct multi_transfer *transfer);

/* After the runtime's shutdown, when every transfer has ended, and before the runtime is destroyed. */
void multi_destroy(struct multi *multi);

#endif
