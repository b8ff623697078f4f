/*
 * Regular files. See file.h.
 *
 * A source takes one operation in each direction, a file any number: so each operation registers the descriptor for
 * itself, which costs no system call with the back ends that take files.
 *
 * A job refers to memory of its owner's, who may go away while it waits in the pool's queue. `state` decides between
 * the two, and lives in the job's own memory, which the join handle keeps:
 *
 * (1) job: CAS relaxed, QUEUED to RUNNING. Partner (2): the owner's drop waits for the end from now on.
 * (2) drop: CAS relaxed, QUEUED to ABANDONED. Partner (1): the job will touch nothing, whenever it runs.
 *
 * One of the two succeeds, which is all they say: sy_spawn_blocking hands the job over and sy_join_poll its result.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* preadv, O_CLOEXEC */
#endif

#include "executor/net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include "executor/block_on.h"
#include "executor/net/future_type.h"
#include "executor/runtime.h"

#ifndef IOV_MAX
#define IOV_MAX 1024 /* Linux: not told in strict modes of the C library */
#endif

/* ---- jobs ---- */

enum { JOB_QUEUED, JOB_RUNNING, JOB_ABANDONED };

struct file_job {
    struct au32 state;
    int64_t (*call)(const struct file_job *job); /* the system call: its result or -errno */
    int fd;                                      /* or the flags of an open */
    mode_t mode;
    const char *path;
    const struct iovec *vectors;
    int count;
    int64_t offset;
    int64_t result;
};

static int64_t call_open(const struct file_job *job) {
    return open(job->path, job->fd | O_CLOEXEC, job->mode);
}

static int64_t call_read(const struct file_job *job) {
    return preadv(job->fd, job->vectors, job->count, job->offset);
}

static int64_t call_write(const struct file_job *job) {
    return pwritev(job->fd, job->vectors, job->count, job->offset);
}

static enum sy_poll file_job_poll(void *future, struct sy_context *cx) {
    struct file_job *job = future;
    uint32_t expected = JOB_QUEUED;
    (void)cx;
    if (au32_cas_relaxed(&job->state, &expected, JOB_RUNNING)) { /* (1) */
        do {
            job->result = job->call(job);
        } while (job->result < 0 && errno == EINTR);
        job->result = job->result < 0 ? -errno : job->result;
    }
    return SY_READY;
}

static const struct sy_future_type file_job_type = {"sy_file_job", sizeof(struct file_job), file_job_poll, NULL};

/* SY_READY: the job has ended, its result is told and its memory given back. */
static enum sy_poll poll_job(struct sy_join *join, struct sy_context *cx, int64_t *result) {
    struct sy_outcome outcome;
    if (sy_join_poll(join, cx, &outcome) == SY_PENDING) {
        return SY_PENDING;
    }
    *result = outcome.cancelled ? -ECANCELED : ((const struct file_job *)outcome.future)->result;
    sy_join_drop(join);
    return SY_READY;
}

/* Sleeps until a job that is running has ended, on a worker too: its thread is of the pool and waits for nobody. */
static void wait_for_job(struct sy_runtime *runtime, struct sy_join *join, int64_t *result) {
    struct thread_waker *waker = thread_waker_current();
    driver_flush(&runtime->driver);
    if (!waker) { /* no memory */
        while (!sy_join_is_finished(join)) {
            sched_yield();
        }
    }
    struct sy_context cx = {.waker = {&thread_waker_vtable, waker}, .runtime = runtime};
    while (poll_job(join, &cx, result) == SY_PENDING) {
        event_wait(&waker->event, -1);
    }
}

static void drop_job(struct sy_runtime *runtime, struct sy_join *join, int64_t *result) {
    if (!join->task) {
        return;
    }
    struct file_job *job = sy_task_future(join->task);
    uint32_t expected = JOB_QUEUED;
    if (au32_cas_relaxed(&job->state, &expected, JOB_ABANDONED)) { /* (2) */
        sy_join_drop(join);
    } else {
        wait_for_job(runtime, join, result);
    }
}

/* ---- open, close ---- */

void sy_file_open_init(struct sy_file_open *f, struct sy_runtime *runtime, const char *path, int flags, mode_t mode) {
    *f = (struct sy_file_open){.runtime = runtime,
                               .path = path,
                               .flags = flags,
                               .mode = mode,
                               .result = -ECANCELED,
                               .file = {.runtime = runtime, .fd = -1}};
}

enum sy_poll sy_file_open_poll(struct sy_file_open *f, struct sy_context *cx) {
    if (!f->job.task) {
        struct file_job job = {.call = call_open, .fd = f->flags, .mode = f->mode, .path = f->path};
        f->result = sy_spawn_blocking(f->runtime, &file_job_type, &job, &f->job);
        if (f->result) {
            return SY_READY;
        }
        f->result = -ECANCELED;
    }
    int64_t opened;
    if (poll_job(&f->job, cx, &opened) == SY_PENDING) {
        return SY_PENDING;
    }
    f->file.fd = opened < 0 ? -1 : (int)opened;
    f->result = opened < 0 ? (int)opened : 0;
    return SY_READY;
}

void sy_file_open_drop(struct sy_file_open *f) {
    int64_t opened = -ECANCELED;
    drop_job(f->runtime, &f->job, &opened);
    if (opened >= 0) {
        close((int)opened);
    }
}

NET_FUTURE_TYPE(file_open);

int sy_file_close(struct sy_file *file) {
    int fd = file->fd;
    file->fd = -1;
    return fd >= 0 && close(fd) ? -errno : 0;
}

/* ---- what reading and writing share ---- */

static void io_init(struct sy_file_io *io, const struct sy_file *file, enum rx_kind kind, const struct iovec *vectors,
                    size_t count, int64_t offset) {
    io->runtime = file->runtime;
    io->fd = file->fd;
    io->vector = (struct iovec){.iov_base = NULL};
    io->in_flight = false;
    io->job.task = NULL;
    io->at = (struct rx_at){vectors, offset};
    rx_op_init(&io->op, kind, NULL, NULL, count);
}

/* Of one piece, which io_begin points to, as it does to io->at: the future may still move. */
static void io_init_one(struct sy_file_io *io, const struct sy_file *file, enum rx_kind kind, void *buffer,
                        size_t length, int64_t offset) {
    io_init(io, file, kind, NULL, 1, offset);
    io->vector = (struct iovec){.iov_base = buffer, .iov_len = length};
}

static bool is_empty(const struct iovec *vectors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (vectors[i].iov_len > 0) {
            return false;
        }
    }
    return true;
}

/* What the kernel might not refuse by itself: more pieces than an int counts, or a read whose 0 is not the end. */
static bool is_wrong(const struct rx_op *op, const struct iovec *vectors) {
    return op->length > IOV_MAX || (op->kind == RX_READ_AT && is_empty(vectors, op->length));
}

/* 0 if it is under way now, or -errno. */
static int io_begin(struct sy_file_io *io) {
    struct driver *driver = &io->runtime->driver;
    const struct iovec *vectors = io->at.vectors ? io->at.vectors : &io->vector;
    if (is_wrong(&io->op, vectors)) {
        return -EINVAL;
    }
    if (!driver->ops->files) {
        struct file_job job = {.call = io->op.kind == RX_READ_AT ? call_read : call_write,
                               .fd = io->fd,
                               .vectors = vectors,
                               .count = (int)io->op.length,
                               .offset = io->at.offset};
        return sy_spawn_blocking(io->runtime, &file_job_type, &job, &io->job);
    }
    struct rx_source *source;
    int error = driver_register(driver, io->fd, &source);
    if (!error) {
        io->op.source = source;
        io->at.vectors = vectors;
        io->op.at = &io->at;
        io->in_flight = true;
    }
    return error;
}

static enum sy_poll poll_native(struct sy_file_io *io, struct sy_context *cx, int64_t *result) {
    struct driver *driver = &io->runtime->driver;
    if (driver->ops->poll(driver->rx, &io->op, &cx->waker) == RX_PENDING) {
        return SY_PENDING;
    }
    io->in_flight = false;
    driver_deregister(driver, io->op.source);
    *result = io->op.result;
    return SY_READY;
}

static enum sy_poll io_poll(struct sy_file_io *io, struct sy_context *cx, int64_t *result) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    int error = io->in_flight || io->job.task ? 0 : io_begin(io);
    if (error) {
        *result = error;
        return SY_READY;
    }
    enum sy_poll poll = io->in_flight ? poll_native(io, cx, result) : poll_job(&io->job, cx, result);
    cx->budget += poll == SY_PENDING; /* only success costs */
    return poll;
}

static void io_drop(struct sy_file_io *io, int64_t *result) {
    if (io->in_flight) {
        struct driver *driver = &io->runtime->driver;
        while (driver->ops->cancel(driver->rx, &io->op) == RX_PENDING) {
            sched_yield(); /* as in io.c */
        }
        io->in_flight = false;
        driver_deregister(driver, io->op.source);
        *result = io->op.result;
    }
    drop_job(io->runtime, &io->job, result);
}

/* ---- read ---- */

void sy_file_read_at_init(struct sy_file_read_at *f, const struct sy_file *file, void *buffer, size_t length,
                          int64_t offset) {
    io_init_one(&f->io, file, RX_READ_AT, buffer, length, offset);
    f->result = -ECANCELED;
}

void sy_file_read_at_init_vectors(struct sy_file_read_at *f, const struct sy_file *file, const struct iovec *vectors,
                                  size_t count, int64_t offset) {
    io_init(&f->io, file, RX_READ_AT, vectors, count, offset);
    f->result = -ECANCELED;
}

enum sy_poll sy_file_read_at_poll(struct sy_file_read_at *f, struct sy_context *cx) {
    return io_poll(&f->io, cx, &f->result);
}

void sy_file_read_at_drop(struct sy_file_read_at *f) {
    io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(file_read_at);

/* ---- write ---- */

void sy_file_write_at_init(struct sy_file_write_at *f, const struct sy_file *file, const void *data, size_t length,
                           int64_t offset) {
    io_init_one(&f->io, file, RX_WRITE_AT, (void *)data, length, offset);
    f->result = -ECANCELED;
}

void sy_file_write_at_init_vectors(struct sy_file_write_at *f, const struct sy_file *file, const struct iovec *vectors,
                                   size_t count, int64_t offset) {
    io_init(&f->io, file, RX_WRITE_AT, vectors, count, offset);
    f->result = -ECANCELED;
}

enum sy_poll sy_file_write_at_poll(struct sy_file_write_at *f, struct sy_context *cx) {
    return io_poll(&f->io, cx, &f->result);
}

void sy_file_write_at_drop(struct sy_file_write_at *f) {
    io_drop(&f->io, &f->result);
}

NET_FUTURE_TYPE(file_write_at);
