/*
 * One word: WAKER (the receiver's waker is in place), SENT, TX_GONE, RX_GONE.
 *
 *   O1 send: fetch_or acq_rel SENT, after the value was stored: the receiver's acquire (O3) sees it; the acquire part
 *      sees the waker that O4 published
 *   O2 drop of the sender: fetch_or acq_rel TX_GONE
 *   O3 poll: load acquire
 *   O4 poll: cas acq_rel + WAKER; fails if the sender was first
 *   O5 poll, drop of the receiver: cas acq_rel - WAKER takes the waker back; fails if the sender was first, whose the
 *      waker is then
 */
#include "executor/sync/oneshot.h"

#include <errno.h>
#include <stdlib.h>

#define ONESHOT_WAKER 1u
#define ONESHOT_SENT 2u
#define ONESHOT_TX_GONE 4u
#define ONESHOT_RX_GONE 8u
#define ONESHOT_DECIDED (ONESHOT_SENT | ONESHOT_TX_GONE)

void sy_oneshot_init(struct sy_oneshot *channel) {
    au32_store_relaxed(&channel->state, 0);
    au32_store_relaxed(&channel->references, 0);
    channel->waker = (struct sy_waker){NULL, NULL};
    channel->value = NULL;
}

int sy_oneshot_create(struct sy_oneshot **out) {
    struct sy_oneshot *channel = malloc(sizeof *channel);
    if (!channel) {
        return -ENOMEM;
    }
    sy_oneshot_init(channel);
    au32_store_relaxed(&channel->references, 2);
    *out = channel;
    return 0;
}

/* acq_rel: the last side frees after what the other did. A side that finds itself alone needs no read-modify-write. */
static void release(struct sy_oneshot *channel) {
    if (au32_load_acquire(&channel->references) == 1 || au32_fetch_sub_acq_rel(&channel->references, 1) == 1) {
        free(channel);
    }
}

int sy_oneshot_send(struct sy_oneshot *channel, void *value) {
    channel->value = value;
    uint32_t before = au32_fetch_or_acq_rel(&channel->state, ONESHOT_SENT); /* O1 */
    if (before & ONESHOT_WAKER) {
        sy_waker_wake(channel->waker);
    }
    return before & ONESHOT_RX_GONE ? -EPIPE : 0;
}

void sy_oneshot_drop_sender(struct sy_oneshot *channel) {
    if (!(au32_load_relaxed(&channel->state) & ONESHOT_SENT)) { /* set by this side alone */
        uint32_t before = au32_fetch_or_acq_rel(&channel->state, ONESHOT_TX_GONE); /* O2 */
        if (before & ONESHOT_WAKER) {
            sy_waker_wake(channel->waker);
        }
    }
    release(channel);
}

/* O5. False: the sender decided first. */
static bool take_waker(struct sy_oneshot *channel, uint32_t state, uint32_t also) {
    while (!(state & ONESHOT_DECIDED)) {
        if (au32_cas_acq_rel(&channel->state, &state, (state & ~ONESHOT_WAKER) | also)) {
            sy_waker_drop(channel->waker);
            return true;
        }
    }
    return false;
}

static enum sy_poll decided(const struct sy_oneshot *channel, uint32_t state, enum sy_oneshot_result *result,
                            void **value) {
    *result = state & ONESHOT_SENT ? SY_ONESHOT_VALUE : SY_ONESHOT_CLOSED;
    *value = state & ONESHOT_SENT ? channel->value : NULL;
    return SY_READY;
}

enum sy_poll sy_oneshot_poll(struct sy_oneshot *channel, struct sy_context *cx, enum sy_oneshot_result *result,
                             void **value) {
    uint32_t state = au32_load_acquire(&channel->state); /* O3 */
    if (!(state & ONESHOT_DECIDED) && (state & ONESHOT_WAKER)) {
        if (sy_waker_will_wake(&channel->waker, &cx->waker)) {
            return SY_PENDING;
        }
        take_waker(channel, state, 0);
        state = au32_load_acquire(&channel->state); /* O3 */
    }
    if (!(state & ONESHOT_DECIDED)) {
        channel->waker = sy_waker_clone(&cx->waker);
        if (au32_cas_acq_rel(&channel->state, &state, state | ONESHOT_WAKER)) { /* O4 */
            return SY_PENDING;
        }
        sy_waker_drop(channel->waker);
    }
    return decided(channel, state, result, value);
}

void sy_oneshot_drop_receiver(struct sy_oneshot *channel) {
    uint32_t state = au32_load_acquire(&channel->state);
    if (!(state & ONESHOT_WAKER) || !take_waker(channel, state, ONESHOT_RX_GONE)) {
        au32_fetch_or_acq_rel(&channel->state, ONESHOT_RX_GONE);
    }
    release(channel);
}
