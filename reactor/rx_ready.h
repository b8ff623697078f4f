/*
 * One direction of a source: whether it may be ready, and whose waker waits for it. The argument why no edge and no
 * waker is lost stands in rx_ready.c. The first part is the readiness back ends', the second that of a completion back
 * end, where "ready" means that the kernel has answered the request. Internal to reactor/.
 */
#ifndef STEALYARD_REACTOR_RX_READY_H
#define STEALYARD_REACTOR_RX_READY_H

#include "queues/atomics.h"
#include "reactor/reactor.h"

struct rx_ready {
    struct au64 word; /* see rx_ready.c */
};

/* Every direction is one of these two, which say where its wakers are. All zero, the first is generation 0, not ready,
 * nobody waiting. */
struct rx_ready_here {
    struct rx_ready ready;
    struct sy_waker slots[2];
};

/* The wakers' room is allocated when somebody waits for the first time, and kept: for a direction in which few do. */
struct rx_ready_apart {
    struct rx_ready ready;
    struct sy_waker *slots;
};

/* Of one that is all zero: begins its life. Of one in which nobody waits any more: ends it. */
void rx_ready_open_apart(struct rx_ready_apart *apart);
void rx_ready_free_apart(struct rx_ready_apart *apart);

/* Any thread. */
uint16_t rx_ready_generation(const struct rx_ready *ready);

/*
 * Makes the operation's call if the direction may be ready, or in any case if `unasked`; if that would block, or there
 * was no call, stores the waker. `attempt`: the call, rx_try or one that answers as it does and may be made again.
 * `drains`: a short count of RECV and SEND shows that there is no more, as it does for TCP. As rx_ops.poll, including
 * -EBUSY, and -ENOMEM where the wakers are apart.
 */
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

/* The same, but leaves it to the caller to wake `*waker_out`, whose vtable is NULL where nobody is to be woken. */
bool rx_ready_take_edge(struct rx_ready *ready, uint16_t generation, bool keep, struct sy_waker *waker_out);

/* Before a connection begins: a hang-up told so far was of the unconnected socket. */
void rx_ready_forget_hangup(struct rx_ready *ready);

/*
 * The source is being closed: an operation in flight is woken and ends with -ECANCELED, none begins. True: none is in
 * flight; otherwise the one that is gets `orphaned` set when it ends. One thread, once.
 */
bool rx_ready_shut(struct rx_ready *ready);

/* Not ready, and the next generation. No operation may be in flight. */
void rx_ready_close(struct rx_ready *ready);

/* ---- where the kernel carries the operation out ---- */

/* The first poll: the direction is the operation's, the waker is stored, and a request may be made. false: it is done,
 * with -EBUSY, -ECANCELED or -ENOMEM. */
bool rx_ready_begin(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker);

/* A later poll. true: op->result is the kernel's answer. false: the waker is stored; NULL: the one there stays. */
bool rx_ready_answered(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker);

/* The answer was no outcome and the waker is stored again, for another request. false: the operation is to end, as it
 * was given up or the source is being closed. */
bool rx_ready_again(struct rx_ready *ready, struct rx_op *op, const struct sy_waker *waker);

/* From now on the operation is to end with whatever comes. */
void rx_ready_give_up(struct rx_ready *ready);

/* The operation, answered, leaves the direction; sets op->orphaned where the source is being closed. */
void rx_ready_end(struct rx_ready *ready, struct rx_op *op);

/*
 * The kernel has answered and op->result is written. The waker that is to be woken; the operation may be gone. `more`:
 * the kernel said that there is more to receive; kept for rx_ready_has_more. One thread at a time.
 */
struct sy_waker rx_ready_answer(struct rx_ready *ready, bool more);
bool rx_ready_has_more(const struct rx_ready *ready);

/* An operation is in flight here. */
bool rx_ready_is_owned(const struct rx_ready *ready);

/* The source is being closed. True: no operation is in flight; otherwise the one that is gets `orphaned` set when it
 * ends. One thread, once. */
bool rx_ready_shut_silently(struct rx_ready *ready);
bool rx_ready_is_shut(const struct rx_ready *ready);

#endif
