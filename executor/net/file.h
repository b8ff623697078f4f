/*
 * Regular files: open, and read and write at an offset, as futures. Any number of operations may be in flight on a file
 * at once. Memory is as in io.h, but an operation here may allocate.
 *
 * Where the reactor takes files (rx_ops.files) reading and writing go through it. Elsewhere, and for opening always,
 * they are jobs of the blocking pool: -EAGAIN where there is none (blocking_threads 0), -ESHUTDOWN while the runtime
 * ends.
 *
 * Drop cancels what has not begun and waits for what has: a disk's access cannot be called back, and the buffer is the
 * caller's again when drop returns. So it may hold its worker up for as long as the disk takes, or a network's file
 * server. Rejected: jobs with memory of their own, which need no wait, but copy every byte of every operation for the
 * sake of the few that are dropped. `result` is then -ECANCELED, or the outcome if it had begun.
 */
#ifndef STEALYARD_EXECUTOR_NET_FILE_H
#define STEALYARD_EXECUTOR_NET_FILE_H

#include <sys/types.h>

#include "executor/future.h"
#include "executor/task.h"
#include "reactor/reactor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A descriptor of the caller's makes one as well: {.runtime = …, .fd = …}. */
struct sy_file {
    struct sy_runtime *runtime; /* outlives the file */
    int fd;                     /* for fstat(2) and the like; -1 when closed */
};

/*
 * Closes the descriptor, at once: a local file system does not wait here for its disk. No operation may be in flight.
 * 0 or what close(2) says. Harmless the second time.
 */
int sy_file_close(struct sy_file *file);

/* open(2), with O_CLOEXEC. The path stays where it is, like a buffer. Not for FIFOs: opening one waits for a peer. */
struct sy_file_open {
    struct sy_runtime *runtime;
    const char *path;
    int flags;
    mode_t mode;
    struct sy_join job;
    int result;          /* 0 or -errno */
    struct sy_file file; /* the caller's to close if the result is 0 */
};

void sy_file_open_init(struct sy_file_open *f, struct sy_runtime *runtime, const char *path, int flags, mode_t mode);
enum sy_poll sy_file_open_poll(struct sy_file_open *f, struct sy_context *cx);
/* A file that was opened meanwhile is closed. */
void sy_file_open_drop(struct sy_file_open *f);
extern const struct sy_future_type sy_file_open_type;

/* What reading and writing share. Its fields are the library's. */
struct sy_file_io {
    struct sy_runtime *runtime;
    int fd;
    struct iovec vector; /* of those who have one piece */
    struct rx_at at;     /* its vectors: NULL until one piece begins */
    struct rx_op op;     /* the request; the operation itself where the reactor takes files */
    bool in_flight;      /* there */
    struct sy_join job;  /* elsewhere; empty unless under way */
};

/*
 * Reads at `offset`: fewer bytes than asked for only at the end of the file, 0 behind it, and never more than Linux
 * moves at once (2147479552). -EINVAL: a negative offset, no room at all (0 would mean the end), too many pieces;
 * -EBADF: the file is closed, or not open for this.
 */
struct sy_file_read_at {
    struct sy_file_io io;
    int64_t result; /* bytes or -errno */
};

void sy_file_read_at_init(struct sy_file_read_at *f, const struct sy_file *file, void *buffer, size_t length,
                          int64_t offset);
/* Into several pieces, at most IOV_MAX; the array stays where it is as long as they. */
void sy_file_read_at_init_vectors(struct sy_file_read_at *f, const struct sy_file *file, const struct iovec *vectors,
                                  size_t count, int64_t offset);
enum sy_poll sy_file_read_at_poll(struct sy_file_read_at *f, struct sy_context *cx);
void sy_file_read_at_drop(struct sy_file_read_at *f);
extern const struct sy_future_type sy_file_read_at_type;

/* Writes at `offset`: fewer bytes than asked for only when the disk is full or a limit is reached. Errors as above. */
struct sy_file_write_at {
    struct sy_file_io io;
    int64_t result; /* bytes or -errno */
};

void sy_file_write_at_init(struct sy_file_write_at *f, const struct sy_file *file, const void *data, size_t length,
                           int64_t offset);
void sy_file_write_at_init_vectors(struct sy_file_write_at *f, const struct sy_file *file, const struct iovec *vectors,
                                   size_t count, int64_t offset);
enum sy_poll sy_file_write_at_poll(struct sy_file_write_at *f, struct sy_context *cx);
void sy_file_write_at_drop(struct sy_file_write_at *f);
extern const struct sy_future_type sy_file_write_at_type;

#ifdef __cplusplus
}
#endif

#endif
