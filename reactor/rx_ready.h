/*
 * One direction of a source, for the readiness back ends: whether it may be ready, and whose waker waits for it. The
 * argument why no edge and no waker is lost stands in rx_ready.c. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_READY_H
#define STEALYARD_REACTOR_RX_READY_H

#include "queues/atomics.h"
#include "reactor/reactor.h"

struct rx_ready {
    struct au64 word; /* see rx_ready.c */
    struct sy_waker slots[2];
};

/* All zero is generation 0, not ready, nobody waiting. Any thread. */
uint16_t rx_ready_generation(const struct rx_ready *ready);

/*
 * Makes the operation's call if the direction may be ready, or in any case if `unasked`; if that would block, or there
 * was no call, stores the waker. `drains`: a short count of RECV and SEND shows that there is no more, as it does for
 * TCP. As rx_ops.poll, including -EBUSY.
 */
enum rx_status rx_ready_poll(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker, bool unasked,
                             bool drains);

/* The same with another call than rx_try's: one that answers as rx_try does, and may be made again. */
typedef enum rx_status rx_attempt(struct rx_op *op);
enum rx_status rx_ready_poll_by(rx_attempt *attempt, struct rx_ready *ready, struct rx_op *op,
                                const struct sy_waker *waker, bool unasked, bool drains);

/* As rx_ops.cancel; always done at once. Both set op->orphaned where rx_ready_shut told that somebody is in flight. */
void rx_ready_cancel(struct rx_ready *ready, struct rx_op *op);

/*
 * The kernel told an edge: ready from now on, and the stored waker is woken. `keep`: end of stream, an error or urgent
 * data, after which a short count proves nothing. false: of another generation, nothing happened. Only the thread that
 * waits, and threads that wait one after the other.
 */
bool rx_ready_edge(struct rx_ready *ready, uint16_t generation, bool keep);

/* Before a connection begins: a hang-up told so far was of the unconnected socket. */
void rx_ready_forget_hangup(struct rx_ready *ready);

/*
 * The source is being closed: an operation in flight is woken and ends with -ECANCELED, none begins. True: none is in
 * flight; otherwise the one that is gets `orphaned` set when it ends. One thread, once.
 */
bool rx_ready_shut(struct rx_ready *ready);

/* Not ready, and the next generation. No operation may be in flight. */
void rx_ready_close(struct rx_ready *ready);

#endif
