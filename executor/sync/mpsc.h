/*
 * A channel from many senders to one receiver, bounded or not. Values are copied in and out; all have one size, chosen
 * at creation. (To pass pointers, choose sizeof(void *).)
 *
 * Each sender's values arrive in the order in which it sent them. sy_mpsc_create allocates the channel with one
 * reference for a sender and one for the receiver.
 * | operation                        | who                                                            |
 * |----------------------------------|----------------------------------------------------------------|
 * | clone_sender                     | whoever holds a sender's reference: one reference more         |
 * | try_send, the send future        | whoever holds a sender's reference, any number at once         |
 * | drop_sender                      | once for each sender's reference, after its sends ended        |
 * | try_recv, the recv future, close | the receiver: one thread at a time                             |
 * | drop_receiver                    | the receiver, once, after its recv ended                       |
 * What was written before a send is seen after its receive.
 *
 * Errors: -EPIPE, the other side is gone or the channel is closed; -EAGAIN, full or empty at the moment; -ENOMEM. A
 * send that fails has sent nothing.
 */
#ifndef STEALYARD_EXECUTOR_SYNC_MPSC_H
#define STEALYARD_EXECUTOR_SYNC_MPSC_H

#include "executor/future.h"
#include "executor/sync/waiter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_mpsc;

#define SY_MPSC_UNBOUNDED SIZE_MAX     /* as a capacity: a send never waits */
#define SY_MPSC_ELEMENT_MAX (1u << 16) /* bytes */

/*
 * `capacity` is the number of values that are sent and not yet received, at most: 1 or more. Memory is taken as they
 * come, not in advance. `drop`, which may be NULL, is given each value that was sent and not received when the receiver
 * goes. Of elements of 0 bytes only the number counts; their pointers may be NULL. 0; -EINVAL: a capacity of 0, or
 * elements larger than SY_MPSC_ELEMENT_MAX; -ENOMEM.
 */
int sy_mpsc_create(struct sy_mpsc **out, size_t element_size, size_t capacity, void (*drop)(void *value));

void sy_mpsc_clone_sender(struct sy_mpsc *channel);
/* After the last sender's, the receiver finds what was sent and then -EPIPE. */
void sy_mpsc_drop_sender(struct sy_mpsc *channel);
/*
 * Closes, drops what was not received, and gives the receiver's reference back. If there is something to drop with it
 * waits for sends that are in the middle of copying their value.
 */
void sy_mpsc_drop_receiver(struct sy_mpsc *channel);
/*
 * Sends fail from now on, those that wait too. What was sent can still be received; then comes -EPIPE. A recv that is
 * pending is woken.
 */
void sy_mpsc_close(struct sy_mpsc *channel);

/* 0; -EAGAIN: full, or others wait for room; -EPIPE; -ENOMEM. */
int sy_mpsc_try_send(struct sy_mpsc *channel, const void *value);
/* 0; -EAGAIN: nothing has arrived; -EPIPE: nothing is left and nothing will come. */
int sy_mpsc_try_recv(struct sy_mpsc *channel, void *value);

/*
 * Sends when there is room; those who wait for room get it in the order in which they came. The future is the caller's
 * memory and allocates nothing (the channel may); it and the value stay where they are from the first poll until it is
 * ready or dropped. Once ready it may be initialised anew.
 */
struct sy_mpsc_send {
    struct sy_waiter waiter; /* first */
    struct sy_mpsc *channel;
    const void *value;
    int result; /* 0; -EPIPE; -ENOMEM; -ECANCELED before it is ready */
};

void sy_mpsc_send_init(struct sy_mpsc_send *f, struct sy_mpsc *channel, const void *value);
/* A success takes one from the poll's budget. */
enum sy_poll sy_mpsc_send_poll(struct sy_mpsc_send *f, struct sy_context *cx);
/*
 * Cancels. `result` is then -ECANCELED (nothing was sent), or the outcome if that came first. Harmless before the first
 * poll, when ready, and the second time.
 */
void sy_mpsc_send_drop(struct sy_mpsc_send *f);
extern const struct sy_future_type sy_mpsc_send_type;

/*
 * Receives one value into `value`. It holds nothing between two polls, so a drop loses nothing; once ready it may be
 * polled again for the next value.
 */
struct sy_mpsc_recv {
    struct sy_mpsc *channel;
    void *value;
    int result; /* 0, or -EPIPE: nothing is left and nothing will come; other errors before it is ready */
};

void sy_mpsc_recv_init(struct sy_mpsc_recv *f, struct sy_mpsc *channel, void *value);
/* A success takes one from the poll's budget. */
enum sy_poll sy_mpsc_recv_poll(struct sy_mpsc_recv *f, struct sy_context *cx);
void sy_mpsc_recv_drop(struct sy_mpsc_recv *f);
extern const struct sy_future_type sy_mpsc_recv_type;

#ifdef __cplusplus
}
#endif

#endif
