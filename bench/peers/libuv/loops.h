/*
 * Event loops of libuv, each on a thread of its own, and a mailbox by which other threads hand it sockets: libuv's only
 * call that is allowed from another thread is uv_async_send, so a socket travels as a descriptor under a lock.
 */
#ifndef STEALYARD_BENCH_PEERS_LIBUV_LOOPS_H
#define STEALYARD_BENCH_PEERS_LIBUV_LOOPS_H

#include <uv.h>

#include "bench/peers/c-common/peer_echo.h"

struct loop;

/* A socket's end: a server's, or a client's. */
struct stream {
    uv_tcp_t tcp;
    struct loop *loop;
    struct echo_client *client; /* NULL: a server's */
    struct stream *next_client; /* of the same loop */
};

/* What a loop is handed. */
struct letter {
    int fd;
    struct echo_client *client; /* NULL: serve it */
};

struct loop {
    uv_loop_t uv;
    uv_async_t mail;
    uv_thread_t thread;
    uint64_t echoed; /* bytes that were sent back; others read it when the thread was joined */
    struct stream *clients;
    char buffer[64 * 1024]; /* of whichever stream is being read: it is empty again when its read callback returns */
    uv_mutex_t lock;        /* guards what follows */
    struct letter *letters;
    size_t letter_count, letter_room;
    bool begin, stop;
};

struct loops {
    struct loop *all;
    unsigned count;
    unsigned next; /* in turn */
};

void loops_start(struct loops *loops, unsigned count);

/* Hands over a connected socket: to each loop in turn (loops_deal), or to a certain one. One thread. */
void loops_deal(struct loops *loops, int fd);
void loops_hand(struct loops *loops, unsigned index, int fd, struct echo_client *client);

/* Every client begins an iteration. */
void loops_begin(struct loops *loops);

/* Closes every socket and joins the threads. Returns how many bytes they sent back. */
uint64_t loops_stop(struct loops *loops);

/* A call of libuv's that can only fail for lack of memory or descriptors: then the process ends. */
void loops_check(int result, const char *what);

/* stream.c: reads from now on; echoes, or lets its client talk. Takes the descriptor. */
void stream_open(struct loop *loop, const struct letter *letter);
void stream_begin(struct stream *stream);
void stream_free_when_closed(struct stream *stream);

#endif
