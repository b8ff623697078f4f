/*
 * Event bases of libevent, each on a thread of its own, and a mailbox by which other threads hand it sockets: a lock, a
 * list and an eventfd that the base watches. So a base belongs to one thread and takes no locks of its own.
 */
#ifndef STEALYARD_BENCH_PEERS_LIBEVENT_LOOPS_H
#define STEALYARD_BENCH_PEERS_LIBEVENT_LOOPS_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <pthread.h>

#include "bench/peers/c-common/peer_echo.h"

struct loop;

/* A socket's end: a server's, or a client's. */
struct stream {
    struct bufferevent *buffered;
    struct loop *loop;
    struct echo_client *client;      /* NULL: a server's */
    struct stream *next, **previous; /* all streams of the loop */
};

/* What a loop is handed. */
struct letter {
    int fd;
    struct echo_client *client; /* NULL: serve it */
};

struct loop {
    struct event_base *base;
    struct event *mail;
    int mail_fd;
    pthread_t thread;
    uint64_t echoed; /* bytes that were sent back; others read it when the thread was joined */
    struct stream *streams;
    pthread_mutex_t lock; /* guards what follows */
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

/* stream.c: reads from now on; echoes, or lets its client talk. Takes the descriptor. */
void stream_open(struct loop *loop, const struct letter *letter);
void stream_begin(struct stream *stream);
void stream_close(struct stream *stream);

#endif
