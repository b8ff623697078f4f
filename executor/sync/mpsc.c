/*
 * The queue is mpsc_queue.h's; here are those who wait for it.
 *
 * The receiver stores its waker in a slot (waker_slot.h) and then says in the queue which position it awaits; the
 * sender that publishes it wakes. A sender that finds the channel full waits in a list with its value, and the
 * receiver, having consumed one, puts the oldest waiter's value into the queue itself: so the order is that of coming,
 * a woken sender has nothing left to do, and a send is over or was never begun, whenever it is dropped.
 *
 *   M1 wait, under the lock: fetch_or relaxed of head, + WAITING, then a cas relaxed of tail, + WAITING, if there still
 *      is no room. In the one order of head's changes each consume (Q13) is before, and seen here, or after, and sees
 *      WAITING: then the receiver comes for the lock. The cas fails if the tail moved meanwhile
 *   M2 fill, under the lock: fetch_add seq_cst of tail, which is Q1: with WAITING nobody else moves it
 *   M3 the receiver finds the list empty, under the lock: fetch_and relaxed - WAITING, of both
 *   M4 close, under the lock: fetch_or relaxed of tail. Only the receiver closes, and reads nothing through it; a
 *      sender's claim finds it in the word that it changes
 *   M5 clone: fetch_add relaxed, from a reference that exists. drop: fetch_sub acq_rel: the last sender sees what the
 *      others did, and the last side frees after the other
 */
#include "executor/sync/mpsc.h"

#include <sched.h>

#include "executor/net/future_type.h"
#include "executor/sync/mpsc_queue.h"
#include "executor/sync/wait_list.h"
#include "executor/waker_slot.h"

enum { SENT = WAITER_ENDED, SEND_CLOSED, SEND_NO_MEMORY };

struct sy_mpsc {
    struct mpsc_queue queue;
    struct sy_waiter_link waiting; /* senders, oldest first; guarded by the queue's lock */
    void (*drop)(void *value);
    struct au64 senders;
    struct au32 sides;
    struct waker_slot receiver;
};

/* ---- life ---- */

int sy_mpsc_create(struct sy_mpsc **out, size_t element_size, size_t capacity, void (*drop)(void *value)) {
    if (capacity == 0 || element_size > SY_MPSC_ELEMENT_MAX) {
        return -EINVAL;
    }
    struct sy_mpsc *channel = aligned_alloc(SY_CACHE_LINE, sizeof *channel);
    if (!channel) {
        return -ENOMEM;
    }
    int error = mpsc_queue_init(&channel->queue, element_size, capacity < MPSC_UNLIMITED ? capacity : MPSC_UNLIMITED);
    if (error) {
        free(channel);
        return error;
    }
    wait_list_init(&channel->waiting);
    waker_slot_init(&channel->receiver);
    channel->drop = drop;
    au64_store_relaxed(&channel->senders, 1);
    au32_store_relaxed(&channel->sides, 2);
    *out = channel;
    return 0;
}

/* M5. One side fewer. */
static void release(struct sy_mpsc *channel) {
    if (au32_fetch_sub_acq_rel(&channel->sides, 1) == 1) {
        waker_slot_destroy(&channel->receiver);
        mpsc_queue_destroy(&channel->queue);
        free(channel);
    }
}

void sy_mpsc_clone_sender(struct sy_mpsc *channel) {
    au64_fetch_add_relaxed(&channel->senders, 1); /* M5 */
}

void sy_mpsc_drop_sender(struct sy_mpsc *channel) {
    if (au64_fetch_sub_acq_rel(&channel->senders, 1) > 1) { /* M5 */
        return;
    }
    if (mpsc_queue_end(&channel->queue)) {
        waker_slot_wake(&channel->receiver);
    }
    release(channel);
}

/* ---- senders that wait ---- */

/* Under the lock. */
static void clear_if_empty(struct sy_mpsc *channel) {
    if (wait_list_is_empty(&channel->waiting)) {
        au64_fetch_and_relaxed(&channel->queue.tail, ~MPSC_WAITING);      /* M3 */
        au64_fetch_and_relaxed(&channel->queue.head, ~MPSC_HEAD_WAITING); /* M3 */
    }
}

/* Under the lock, with senders waiting: sends on behalf of one. 0; -EAGAIN: there is no room; -ENOMEM. */
static int send_for(struct sy_mpsc *channel, const void *value) {
    struct mpsc_queue *q = &channel->queue;
    uint64_t position = au64_load_relaxed(&q->tail) / MPSC_TAIL;
    if (position >= mpsc_queue_limit(q)) {
        return -EAGAIN;
    }
    if (position + 1 >= au64_load_relaxed(&q->end)) {
        struct mpsc_block *block = mpsc_block_create(q);
        if (!block) {
            return -ENOMEM;
        }
        mpsc_queue_append(q, block);
    }
    au64_fetch_add_seq_cst(&q->tail, MPSC_TAIL); /* M2 */
    mpsc_queue_publish(q, position, value);      /* for the receiver, which is here */
    return 0;
}

/* Under the lock: for as many as there is room. False: the batch is full, there is more to do. */
static bool fill(struct sy_mpsc *channel, struct wake_batch *batch) {
    struct sy_mpsc_send *oldest;
    while ((oldest = (struct sy_mpsc_send *)wait_list_first(&channel->waiting))) {
        if (batch->n == WAKE_BATCH) {
            return false;
        }
        int error = send_for(channel, oldest->value);
        if (error == -EAGAIN) {
            return true;
        }
        waiter_end(&oldest->waiter, error ? SEND_NO_MEMORY : SENT, batch);
    }
    clear_if_empty(channel);
    return true;
}

/* Under the lock. False as above. */
static bool close_some(struct sy_mpsc *channel, struct wake_batch *batch) {
    au64_fetch_or_relaxed(&channel->queue.tail, MPSC_CLOSED); /* M4 */
    struct sy_waiter *oldest;
    while ((oldest = wait_list_first(&channel->waiting))) {
        if (batch->n == WAKE_BATCH) {
            return false;
        }
        waiter_end(oldest, SEND_CLOSED, batch);
    }
    clear_if_empty(channel);
    return true;
}

/* Ends the waits that `some` says. */
static void end_waits(struct sy_mpsc *channel, bool (*some)(struct sy_mpsc *channel, struct wake_batch *batch)) {
    struct wake_batch batch = {.n = 0};
    bool done;
    do {
        pthread_mutex_lock(&channel->queue.lock);
        done = some(channel, &batch);
        pthread_mutex_unlock(&channel->queue.lock);
        wake_batch_run(&batch);
    } while (!done);
}

/* ---- the receiver ---- */

static void consume(struct sy_mpsc *channel) {
    if (mpsc_queue_consume(&channel->queue)) {
        end_waits(channel, fill);
    }
}

/* As sy_mpsc_try_recv, which cannot be inlined where the library is shared. */
static inline int receive(struct sy_mpsc *channel, void *value) {
    int error;
    const void *slot = mpsc_queue_look(&channel->queue, &error);
    if (!slot) {
        return error;
    }
    mpsc_copy(value, slot, channel->queue.size);
    consume(channel);
    return 0;
}

int sy_mpsc_try_recv(struct sy_mpsc *channel, void *value) {
    return receive(channel, value);
}

/* A recv that was pending before is told: if nothing is left, no sender will publish what it awaits. */
void sy_mpsc_close(struct sy_mpsc *channel) {
    end_waits(channel, close_some);
    waker_slot_wake(&channel->receiver);
}

static void nothing(void *data) {
    (void)data;
}

/*
 * What is left is dropped here, values too that are claimed and not yet published: nobody else would. Their senders are
 * between two lines, with no allocation and no wait there, so waiting for them is like waiting for a lock.
 */
static void drop_values(struct sy_mpsc *channel) {
    int error = 0;
    while (error != -EPIPE) {
        void *slot = mpsc_queue_look(&channel->queue, &error);
        if (slot) {
            channel->drop(slot);
            mpsc_queue_consume(&channel->queue);
        } else if (error == -EAGAIN) {
            sched_yield();
        }
    }
}

void sy_mpsc_drop_receiver(struct sy_mpsc *channel) {
    static const struct sy_waker_vtable nobody = {nothing, nothing, nothing, nothing};
    end_waits(channel, close_some);
    if (channel->drop) {
        drop_values(channel);
    }
    waker_slot_register(&channel->receiver, &(struct sy_waker){&nobody, NULL}); /* gives the receiver's waker back */
    release(channel);
}

void sy_mpsc_recv_init(struct sy_mpsc_recv *f, struct sy_mpsc *channel, void *value) {
    f->channel = channel;
    f->value = value;
    f->result = -ECANCELED;
}

enum sy_poll sy_mpsc_recv_poll(struct sy_mpsc_recv *f, struct sy_context *cx) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    f->result = receive(f->channel, f->value);
    if (f->result == -EAGAIN) {
        waker_slot_register(&f->channel->receiver, &cx->waker);
        if (mpsc_queue_await(&f->channel->queue)) {
            cx->budget++; /* only success costs */
            return SY_PENDING;
        }
        f->result = receive(f->channel, f->value);
    }
    return SY_READY;
}

void sy_mpsc_recv_drop(struct sy_mpsc_recv *f) {
    (void)f;
}

NET_FUTURE_TYPE(mpsc_recv);

/* ---- senders ---- */

/* As sy_mpsc_try_send; see above. */
static inline int send_now(struct sy_mpsc *channel, const void *value) {
    uint64_t position;
    int error = mpsc_queue_claim(&channel->queue, &position);
    if (error) {
        return error;
    }
    if (mpsc_queue_publish(&channel->queue, position, value)) {
        waker_slot_wake(&channel->receiver);
    }
    return 0;
}

int sy_mpsc_try_send(struct sy_mpsc *channel, const void *value) {
    return send_now(channel, value);
}

void sy_mpsc_send_init(struct sy_mpsc_send *f, struct sy_mpsc *channel, const void *value) {
    waiter_init(&f->waiter);
    f->channel = channel;
    f->value = value;
    f->result = -ECANCELED;
}

/* Under the lock, having found the channel full. -EAGAIN: senders wait, and WAITING says so; 0: it is not full. */
static int must_wait(struct mpsc_queue *q) {
    uint64_t tail = au64_load_relaxed(&q->tail);
    for (;;) {
        if (tail & MPSC_CLOSED) {
            return -EPIPE;
        }
        if (tail & MPSC_WAITING) {
            return -EAGAIN;
        }
        uint64_t head = au64_fetch_or_relaxed(&q->head, MPSC_HEAD_WAITING) / MPSC_HEAD; /* M1 */
        if (tail / MPSC_TAIL < head + q->capacity) {
            au64_fetch_and_relaxed(&q->head, ~MPSC_HEAD_WAITING); /* M3 */
            return 0;
        }
        if (au64_cas_relaxed(&q->tail, &tail, tail | MPSC_WAITING)) { /* M1 */
            return -EAGAIN;
        }
    }
}

static enum sy_poll ready(struct sy_mpsc_send *f, int result) {
    waiter_rest(&f->waiter);
    f->result = result;
    return SY_READY;
}

static enum sy_poll begin(struct sy_mpsc_send *f, struct sy_context *cx) {
    struct sy_mpsc *channel = f->channel;
    int error;
    while ((error = send_now(channel, f->value)) == -EAGAIN) {
        pthread_mutex_lock(&channel->queue.lock);
        error = must_wait(&channel->queue);
        if (error == -EAGAIN) {
            waiter_wait(&f->waiter, &channel->waiting, &cx->waker);
        }
        pthread_mutex_unlock(&channel->queue.lock);
        if (error) {
            break;
        }
    }
    return error == -EAGAIN ? SY_PENDING : ready(f, error);
}

static int outcome(uint32_t state) {
    return state == SENT ? 0 : state == SEND_CLOSED ? -EPIPE : -ENOMEM;
}

static enum sy_poll advance(struct sy_mpsc_send *f, struct sy_context *cx) {
    uint32_t state = waiter_look(&f->waiter);
    if (state == WAITER_IDLE) {
        return begin(f, cx);
    }
    if (state == WAITER_WAITING) {
        if (waiter_renew(&f->waiter, &f->channel->queue.lock, &cx->waker)) {
            return SY_PENDING;
        }
        state = waiter_look(&f->waiter);
    }
    return ready(f, outcome(state));
}

enum sy_poll sy_mpsc_send_poll(struct sy_mpsc_send *f, struct sy_context *cx) {
    if (!sy_context_budget(cx)) {
        return SY_PENDING;
    }
    enum sy_poll answer = advance(f, cx);
    cx->budget += answer == SY_PENDING; /* only success costs */
    return answer;
}

void sy_mpsc_send_drop(struct sy_mpsc_send *f) {
    if (waiter_look(&f->waiter) == WAITER_IDLE) {
        return;
    }
    struct sy_mpsc *channel = f->channel;
    struct sy_waker waker = {NULL, NULL};
    pthread_mutex_lock(&channel->queue.lock);
    uint32_t state = waiter_look(&f->waiter);
    if (state == WAITER_WAITING) {
        waker = waiter_leave(&f->waiter); /* the last, too, leaves WAITING to the receiver, who makes the next room */
    }
    pthread_mutex_unlock(&channel->queue.lock);
    sy_waker_drop(waker);
    waiter_rest(&f->waiter);
    f->result = state == WAITER_WAITING ? -ECANCELED : outcome(state);
}

NET_FUTURE_TYPE(mpsc_send);
