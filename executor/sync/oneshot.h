/*
 * A oneshot channel: one value (a pointer) from one sender to one receiver.
 *
 * The channel is memory of the caller's choosing, or allocated by sy_oneshot_create with one reference for each side.
 * | operation                | who                                       |
 * |--------------------------|-------------------------------------------|
 * | send, drop_sender        | the sender, one of them, once             |
 * | poll, drop_receiver      | the receiver; drop once                   |
 * Sender and receiver may be on different threads. What was written before the send is seen after the receive.
 */
#ifndef STEALYARD_EXECUTOR_SYNC_ONESHOT_H
#define STEALYARD_EXECUTOR_SYNC_ONESHOT_H

#include "executor/future.h"
#include "queues/atomics.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_oneshot {
    struct au32 state;
    struct au32 references; /* of sy_oneshot_create's memory */
    struct sy_waker waker;  /* the receiver's, guarded by `state` */
    void *value;
};

enum sy_oneshot_result { SY_ONESHOT_VALUE, SY_ONESHOT_CLOSED };

/*
 * For memory of the caller's, which must last until the receiver is ready and sy_oneshot_send has returned. Its sides
 * are not dropped, only sent and polled.
 */
void sy_oneshot_init(struct sy_oneshot *channel);
/* One allocation, freed when both sides are dropped. 0 or -ENOMEM. */
int sy_oneshot_create(struct sy_oneshot **out);

/* 0, or -EPIPE: the receiver is gone. Consumes nothing: drop_sender comes after. */
int sy_oneshot_send(struct sy_oneshot *channel, void *value);
void sy_oneshot_drop_sender(struct sy_oneshot *channel);

/* SY_READY: `*result` and, if it is SY_ONESHOT_VALUE, `*value`. */
enum sy_poll sy_oneshot_poll(struct sy_oneshot *channel, struct sy_context *cx, enum sy_oneshot_result *result,
                             void **value);
void sy_oneshot_drop_receiver(struct sy_oneshot *channel);

#ifdef __cplusplus
}
#endif

#endif
