/* Event loops of libuv. Its only call that is allowed from another thread is uv_async_send: that wakes a loop. */
#ifndef STEALYARD_BENCH_PEERS_LIBUV_LOOPS_H
#define STEALYARD_BENCH_PEERS_LIBUV_LOOPS_H

#include <uv.h>

#include "bench/peers/c-common/loops.h"

/* A socket's end: a server's, or a client's. */
struct stream {
    uv_tcp_t tcp;
    struct loop *loop;
    struct echo_client *client; /* NULL: a server's */
    struct stream *next_client; /* of the same loop */
};

struct loop {
    uv_loop_t uv;
    uv_async_t mail;
    uv_thread_t thread;
    struct mailbox *mailbox;
    uint64_t echoed; /* bytes that were sent back; others read it when the thread was joined */
    struct stream *clients;
    char buffer[64 * 1024]; /* of whichever stream is being read: it is empty again when its read callback returns */
};

/* A call of libuv's that can only fail for lack of memory or descriptors: then the process ends. */
void loops_check(int result, const char *what);

/* ---- stream.c, which has loop_open too ---- */

void stream_begin(struct stream *stream);
void stream_free_when_closed(struct stream *stream);

#endif
