/* Event bases of libevent, woken by an eventfd that the base watches. A base is one thread's and takes no locks. */
#ifndef STEALYARD_BENCH_PEERS_LIBEVENT_LOOPS_H
#define STEALYARD_BENCH_PEERS_LIBEVENT_LOOPS_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <pthread.h>

#include "bench/peers/c-common/loops.h"

/* A socket's end: a server's, or a client's. */
struct stream {
    struct bufferevent *buffered;
    struct loop *loop;
    struct echo_client *client;      /* NULL: a server's */
    struct stream *next, **previous; /* all streams of the loop */
};

struct loop {
    struct event_base *base;
    struct event *mail;
    int mail_fd;
    pthread_t thread;
    struct mailbox *mailbox;
    uint64_t echoed; /* bytes that were sent back; others read it when the thread was joined */
    struct stream *streams;
};

/* ---- stream.c, which has loop_open too ---- */

void stream_begin(struct stream *stream);
void stream_close(struct stream *stream);

#endif
