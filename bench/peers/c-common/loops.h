/*
 * Event loops, each on a thread of its own, and a mailbox for each by which other threads hand it sockets: neither
 * runtime lets a thread touch another one's loop, so a socket travels as a descriptor under a lock. What a loop is, and
 * how it is woken, is the peer's: it defines struct loop and the functions loop_….
 */
#ifndef STEALYARD_BENCH_PEERS_LOOPS_H
#define STEALYARD_BENCH_PEERS_LOOPS_H

#include <pthread.h>

#include "bench/peers/c-common/peer_echo.h"

struct loop;

/* What a loop is handed. */
struct letter {
    int fd;
    struct echo_client *client; /* NULL: serve it */
};

struct mailbox {
    struct loop *loop;    /* the other threads' */
    pthread_mutex_t lock; /* guards what follows */
    struct letter *letters;
    size_t count, room;
    bool begin, stop;
};

struct loops {
    struct mailbox *mailboxes; /* a loop each */
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

/* The workload echo on such loops (loops_echo.c). */
extern const struct peer_workload loops_echo;

/* ---- for the peer: the loop was woken; on its thread ---- */

void mailbox_read(struct mailbox *mailbox, struct loop *loop);

/* ---- by the peer, called on other threads ---- */

/* Starts a thread with a loop that calls mailbox_read whenever it was woken. */
struct loop *loop_start(struct mailbox *mailbox);
void loop_wake(struct loop *loop);

/* After loop_close. Joins the thread and frees the loop. Returns how many bytes it sent back. */
uint64_t loop_join(struct loop *loop);

/* ---- by the peer, called by mailbox_read ---- */

/* Reads from now on; echoes, or lets its client talk. Takes the descriptor. */
void loop_open(struct loop *loop, const struct letter *letter);

/* Each of its clients begins an iteration. */
void loop_begin(struct loop *loop);

/* Closes every socket and lets the thread end. */
void loop_close(struct loop *loop);

#endif
