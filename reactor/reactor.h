/*
 * The reactor's contract: operations on file descriptors that complete later, and one place to wait for them.
 *
 * It is operation level, so that readiness back ends (epoll, kqueue, poll) and completion back ends (io_uring) are
 * honest peers: a caller asks for "receive into this buffer", not for "tell me when it is readable". A readiness back
 * end runs the system call itself when the descriptor is ready, in the thread that polls the operation, so a task's
 * input and output runs on the worker that runs the task and not on whoever waits.
 *
 * An operation (struct rx_op) is the caller's memory, at a fixed address from its first poll until it is terminal:
 *
 *     rx_op_init(&op, kind, source, …)
 *     ops->poll(rx, &op, &waker)     → RX_DONE: op.result holds the outcome (>= 0, or -errno); the op is terminal
 *                                    → RX_PENDING: the waker is stored (a later poll may bring another) and is woken,
 *                                      perhaps spuriously, when polling again is worth while
 *     ops->cancel(rx, &op)           → RX_DONE: terminal; result is -ECANCELED, or the outcome if that came first
 *                                    → RX_PENDING: the waker is woken when it has become terminal (a completion
 *                                      back end)
 *
 *     ops->flush(rx)                 what polls have left with the back end goes to the kernel
 *
 * Exactly one terminal answer is given per operation. A cancel loses no data, no descriptor and no buffer: if bytes
 * were already moved, the result says so. An op that was never polled needs no cancel. An op that returned RX_DONE may
 * be initialised and used again. A cancel that is pending makes progress when it is called again, without anybody in
 * wait.
 *
 * A descriptor is registered once, as a source, before its first operation, and deregistered or closed after its last;
 * the source does not own the descriptor until it is closed. At most one operation per direction (in: receive, accept,
 * read, ready-in; out: send, connect, write, ready-out) may be in flight on a source; a second gets -EBUSY. Operations
 * allocate nothing, but for 32 bytes when one in out is first kept waiting (or where the kernel carries it out, first
 * begins), which the source's place then keeps: connections that only wait to receive do without. Where there is no
 * memory that operation ends with -ENOMEM, if it has to wait, and the source goes on.
 *
 * close may be called with operations in flight. Each of them ends: its waker is woken and its next poll or cancel is
 * terminal, with the outcome if that came first and -ECANCELED otherwise. The descriptor is closed when the last of
 * them is terminal and the kernel uses it no more; so its number is not used again before, and the peer sees the end of
 * the stream then. shutdown(2) never waits: callers make it themselves, and operations in flight end by it.
 *
 * Timers are not the back end's: they are the same for all of them (executor/timers.h) and reach it as wait's time-out.
 *
 * A back end that can be stolen has one place to wait, and any thread may wait there. One that cannot has a place, a
 * slot, for each worker: a thread attaches to a slot, waits there and nowhere else, and detaches before another may
 * attach. Its sources live in some slot, and are told only while a thread is attached there and waits now and then; its
 * operations are polled and cancelled by any thread all the same.
 *
 * | operation            | who, how many threads at once                                                            |
 * |----------------------|------------------------------------------------------------------------------------------|
 * | create, destroy      | one; destroy after the last operation has ended and every source is deregistered         |
 * | register, deregister | any thread; deregister of one source: one thread, with no operation in flight on it      |
 * | unread               | any thread; one for one source, with no operation in flight on it                        |
 * | close                | any thread; one for one source, while no operation on it is polled for the first time    |
 * | poll, cancel         | any thread, but one at a time for one operation; in and out of a source are independent   |
 * | flush                | any thread: one that has polled, before it sleeps elsewhere than in wait                 |
 * | attach, detach       | one thread at a time for a slot, one slot at a time for a thread                         |
 * | wait                 | one thread at a time (the executor's lock sees to that), not always the same one; where  |
 * |                      | there are slots, each attached thread, at the same time as others                        |
 * | wake                 | any thread, any number; wakes before, during or after a wait's start are never lost and  |
 * |                      | are merged until that wait returns                                                       |
 */
#ifndef STEALYARD_REACTOR_REACTOR_H
#define STEALYARD_REACTOR_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "reactor/waker.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rx;        /* a reactor */
struct rx_source; /* a registered descriptor */

enum rx_status { RX_DONE, RX_PENDING };

enum rx_kind {
    RX_RECV,      /* recv(2) into buffer, at most length bytes; 0 = end of stream */
    RX_SEND,      /* send(2) with MSG_NOSIGNAL; the result may be short */
    RX_READ,      /* read(2), for pipes and the like */
    RX_WRITE,     /* write(2); a pipe without reader raises SIGPIPE: the program ignores it, or gets the signal */
    RX_RECV_MSG,  /* recvmsg(2) into `message`: vectors, and a datagram's sender; updates it as the call does */
    RX_SEND_MSG,  /* sendmsg(2) of `message`, with MSG_NOSIGNAL: vectors, and a datagram's receiver */
    RX_READ_AT,   /* preadv(2) into the vectors of `at`, at its offset; only where the back end has `files` */
    RX_WRITE_AT,  /* pwritev(2), likewise */
    RX_ACCEPT,    /* accept4(2), non-blocking and close-on-exec; the result is the new descriptor */
    RX_CONNECT,   /* connect(2) to address; result 0. -EAGAIN: the backlog of a Unix socket's listener is full */
    RX_READY_IN,  /* readable, end of file or error, as poll(2) would say now; the result is its revents */
    RX_READY_OUT, /* writable or error */
};

/* Where READ_AT and WRITE_AT move bytes from and to; the caller's, and there until the operation has ended. */
struct rx_at {
    const struct iovec *vectors;
    int64_t offset; /* in the file, in bytes from its beginning */
};

/* The caller's, embedded wherever it likes. Fields are set by rx_op_init and read-only to the caller afterwards. */
struct rx_op {
    enum rx_kind kind;
    bool armed;               /* the back end's: a waker is stored or a request is under way */
    bool tried;               /* the back end's: the system call was made at least once */
    bool orphaned;            /* the back end's: its source was closed while it was in flight, and it is terminal now */
    struct rx_source *source; /* outlives the operation */
    union {
        void *buffer;                   /* RECV, READ */
        const void *data;               /* SEND, WRITE */
        const struct sockaddr *address; /* CONNECT */
        struct msghdr *message;         /* RECV_MSG, SEND_MSG */
        const struct rx_at *at;         /* READ_AT, WRITE_AT */
    };
    size_t length;  /* of buffer, data or address in bytes; of at's vectors: how many, at most IOV_MAX */
    int64_t result; /* valid once terminal */
};

/* Whether the operation uses the source's in direction (the others use out). */
static inline bool rx_kind_is_in(enum rx_kind kind) {
    switch (kind) {
    case RX_RECV:
    case RX_RECV_MSG:
    case RX_READ:
    case RX_READ_AT:
    case RX_ACCEPT:
    case RX_READY_IN:
        return true;
    default:
        return false;
    }
}

struct rx_config {
    unsigned batch;   /* events taken per wait, at least 1 */
    unsigned slots;   /* threads that wait, at least 1; a back end that can be stolen has one place for all */
    bool speculative; /* try the system call before asking the kernel for events: one policy for all back ends */
};

struct rx_ops {
    const char *name;     /* the file's stem */
    const char *summary;  /* one line */
    const char *source;   /* manual page, paper */
    const char *cost;     /* system calls for a receive that waits, a send, and a wait; memory per source, by kind */
    const char *caveat;   /* known limits of it or of what it builds on; NULL: none */
    const char *missing;  /* not built: what lacks, and how to get it; create says -ENOTSUP. NULL: built */
    const char *io_uring; /* the first Linux whose io_uring has what it needs: "5.19"; NULL: it uses none */
    bool completion;      /* a completion back end; otherwise readiness */
    bool stealable;       /* any worker may wait */
    bool files;           /* takes regular files, each any number of times, and READ_AT and WRITE_AT */
    bool reads_ahead;     /* data may wait in the back end's buffers: who receives by it must not read(2) besides */

    /* -EINVAL: batch or slots; -ENOTSUP: not built, or refused by this kernel or container; -ENOMEM, -EMFILE. */
    int (*create)(struct rx **out, const struct rx_config *config);
    void (*destroy)(struct rx *rx);

    /*
     * The descriptor must be non-blocking, unless it is a regular file. -EPERM: this kind of file cannot be waited for
     * (a regular file without `files`); -EEXIST: it is registered already, where the kernel tells; -EBADF, -ENOMEM.
     */
    int (*register_fd)(struct rx *rx, int fd, struct rx_source **out);
    void (*deregister)(struct rx *rx, struct rx_source *source);
    void (*close)(struct rx *rx, struct rx_source *source);

    /*
     * NULL without `reads_ahead`. With no operation in flight: ends reading ahead, until an operation is polled again
     * that finds nothing read, and returns how many bytes (or connections) still wait for an operation to take them; an
     * error that was read ahead counts as one.
     */
    size_t (*unread)(struct rx *rx, struct rx_source *source);

    enum rx_status (*poll)(struct rx *rx, struct rx_op *op, const struct sy_waker *waker);
    enum rx_status (*cancel)(struct rx *rx, struct rx_op *op);

    /* NULL: nothing is ever left. */
    void (*flush)(struct rx *rx);

    /* NULL where the back end can be stolen. attach: 0, -ENOMEM, -EMFILE and the like. */
    int (*attach)(struct rx *rx, unsigned slot);
    void (*detach)(struct rx *rx);

    /*
     * Waits for events and wakes the operations concerned. timeout_ns: 0 = look only, negative = no limit; rounded up
     * to what the kernel takes. Returns the number of events (a wake is none), or -errno; -EINTR is handled inside by
     * returning early with 0.
     */
    int (*wait)(struct rx *rx, int64_t timeout_ns);
    void (*wake)(struct rx *rx, unsigned slot); /* slot 0 where the back end can be stolen */
};

/* The descriptor that a source was registered with. */
int rx_source_fd(const struct rx_source *source);

/* In half a line why ops->create says -ENOTSUP here, and what would be right; cut to `size` bytes. */
void rx_explain_refusal(const struct rx_ops *ops, char *out, size_t size);

/* The back ends (rx_list.h), those with `missing` among them, and the one called `name`, or NULL. */
extern const struct rx_ops *const rx_all[];
extern const size_t rx_count;
const struct rx_ops *rx_find(const char *name);

static inline void rx_op_init(struct rx_op *op, enum rx_kind kind, struct rx_source *source, void *buffer,
                              size_t length) {
    op->kind = kind;
    op->armed = false;
    op->tried = false;
    op->orphaned = false;
    op->source = source;
    op->buffer = buffer;
    op->length = length;
    op->result = 0;
}

#ifdef __cplusplus
}
#endif

#endif
