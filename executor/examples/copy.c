/*
 * Copies a file with several reads and writes at once: each lane is a task that takes every LANES-th block. The reactor
 * does them where it takes files (rx_uring), the blocking pool elsewhere.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/async.h"
#include "executor/examples/options.h"

#define LANES_MAX 256

static uint64_t lanes = 4, block_bytes = 65536;

static const struct option_row options[] = {
    {.name = "--lanes",
     .argument = "N",
     .help = "blocks on their way at once (default 4)",
     .number = &lanes,
     .least = 1,
     .most = LANES_MAX},
    {.name = "--block",
     .argument = "BYTES",
     .help = "of one read and one write (default 65536)",
     .number = &block_bytes,
     .least = 1,
     .most = 1 << 30},
};

static const struct program program = {
    .name = "copy",
    .operands = " FROM TO",
    .summary = "Copies a regular file. TO stands there whole or not at all.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

struct lane {
    const struct sy_file *from, *to;
    char *buffer;
    struct sy_async async;
    struct sy_file_read_at read;
    struct sy_file_write_at write;
    size_t block, done; /* bytes: of a block, and of this one that are copied */
    size_t written;     /* of the last read */
    int64_t offset;     /* of this block */
    int64_t step;       /* from this lane's block to its next */
    uint64_t copied;    /* output: bytes */
    int64_t error;      /* output: 0 or -errno */
};

static enum sy_poll lane_poll(void *future, struct sy_context *cx) {
    struct lane *f = future;
    sy_async_begin(&f->async);
    for (;;) {
        sy_file_read_at_init(&f->read, f->from, f->buffer, f->block - f->done, f->offset + (int64_t)f->done);
        sy_await(&f->async, sy_file_read_at_poll(&f->read, cx));
        if (f->read.result <= 0) {
            f->error = f->read.result;
            sy_async_return(&f->async); /* the end of the file is the end of every lane */
        }
        for (f->written = 0; f->written < (size_t)f->read.result; f->written += (size_t)f->write.result) {
            sy_file_write_at_init(&f->write, f->to, f->buffer + f->written, (size_t)f->read.result - f->written,
                                  f->offset + (int64_t)(f->done + f->written));
            sy_await(&f->async, sy_file_write_at_poll(&f->write, cx));
            if (f->write.result <= 0) {
                f->error = f->write.result ? f->write.result : -ENOSPC;
                sy_async_return(&f->async);
            }
        }
        f->copied += f->written;
        f->done += f->written;
        if (f->done == f->block) {
            f->done = 0;
            f->offset += f->step;
        }
    }
    sy_async_end(&f->async);
}

/* Finds the two operations zero if they never began, and dropping is harmless then. */
static void lane_drop(void *future) {
    struct lane *f = future;
    sy_file_read_at_drop(&f->read);
    sy_file_write_at_drop(&f->write);
    free(f->buffer);
    f->buffer = NULL;
}

static const struct sy_future_type lane_type = {
    .name = "lane",
    .size = sizeof(struct lane),
    .poll = lane_poll,
    .drop = lane_drop,
};

/* The file of TO while it is being written; given its name in the end, or taken away again. */
static char partial[4096];
static bool writing;

__attribute__((noreturn)) static void fail(const char *what, const char *path, int64_t error) {
    fprintf(stderr, "%s: cannot %s %s: %s\n", program.name, what, path, strerror((int)-error));
    if (writing) {
        unlink(partial);
    }
    exit(1);
}

static struct sy_file open_file(struct sy_runtime *runtime, const char *path, int flags, mode_t mode) {
    struct sy_file_open f;
    sy_file_open_init(&f, runtime, path, flags, mode);
    int error = sy_block_on(runtime, &sy_file_open_type, &f);
    if (error || f.result) {
        fail("open", path, error ? error : f.result);
    }
    return f.file;
}

static void start_lane(struct sy_runtime *runtime, struct lane lane, struct sy_join *join) {
    lane.buffer = malloc(lane.block);
    int error = lane.buffer ? sy_spawn(runtime, &lane_type, &lane, join) : -ENOMEM;
    if (error) {
        fail("start the copying of", partial, error);
    }
}

/* Bytes. */
static uint64_t copy_all(struct sy_runtime *runtime, const struct sy_file *from, const struct sy_file *to) {
    struct sy_join joins[LANES_MAX];
    struct sy_outcome outcome;
    uint64_t copied = 0;
    for (uint64_t i = 0; i < lanes; i++) {
        struct lane lane = {.from = from,
                            .to = to,
                            .block = block_bytes,
                            .offset = (int64_t)(i * block_bytes),
                            .step = (int64_t)(lanes * block_bytes)};
        start_lane(runtime, lane, &joins[i]);
    }
    for (uint64_t i = 0; i < lanes; i++) {
        int error = sy_join_wait(&joins[i], &outcome);
        const struct lane *ended = outcome.future;
        if (error || ended->error) {
            fail("copy to", partial, error ? error : ended->error);
        }
        copied += ended->copied;
        sy_join_drop(&joins[i]);
    }
    return copied;
}

int main(int argc, char **argv) {
    struct sy_config config;
    struct stat stat;
    if (options_parse(&program, &config, argc, argv) != 2) {
        program_wrong_usage(&program, "wants two names, the file's and the copy's");
    }
    const char *name = argv[1], *copy = argv[2];
    if ((size_t)snprintf(partial, sizeof partial, "%s.partial", copy) >= sizeof partial) {
        program_wrong_usage(&program, "a path has less than %zu bytes", sizeof partial - sizeof ".partial");
    }
    struct sy_runtime *runtime = options_start(&program, &config);
    struct sy_file from = open_file(runtime, name, O_RDONLY | O_NONBLOCK, 0); /* a FIFO's opening waits for nobody */
    if (fstat(from.fd, &stat) || !S_ISREG(stat.st_mode)) {
        fprintf(stderr, "%s: %s is no regular file\n", program.name, name);
        return 1;
    }
    struct sy_file to = open_file(runtime, partial, O_WRONLY | O_CREAT | O_TRUNC, stat.st_mode & 0777);
    writing = true;
    uint64_t copied = copy_all(runtime, &from, &to);
    sy_file_close(&from);
    int error = sy_file_close(&to);
    if (error || rename(partial, copy)) {
        fail("write", copy, error ? error : -errno);
    }
    printf("%" PRIu64 " bytes\n", copied);
    sy_runtime_destroy(runtime);
    return 0;
}
