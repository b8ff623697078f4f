/*
 * Optional: futures written as straight-line code, in the style of protothreads (Dunkels, Schmidt, Voigt, Ali, SenSys
 * 2006). The explicit state machine stays the canonical form; these four macros write its switch.
 *
 *     struct echo { struct sy_async async; struct sy_recv recv; … };
 *
 *     static enum sy_poll echo_poll(void *future, struct sy_context *cx) {
 *         struct echo *f = future;
 *         sy_async_begin(&f->async);
 *         for (;;) {
 *             sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
 *             sy_await(&f->async, sy_recv_poll(&f->recv, cx));
 *             …
 *         }
 *         sy_async_end(&f->async);
 *     }
 *
 * A poll goes on at the await where the last one stopped. Hence the limits:
 * - local variables do not survive an await: what does belongs in the future;
 * - no switch around an await (the macros are one), and no two awaits on one line;
 * - no declaration between begin and end whose scope holds an await, if it is initialised or of variable length;
 * - leave by sy_async_return or by reaching sy_async_end, not by `return`.
 * The future's drop still has to give back what the operation under way holds, whichever it is.
 */
#ifndef STEALYARD_EXECUTOR_ASYNC_H
#define STEALYARD_EXECUTOR_ASYNC_H

#include "executor/future.h"

/* Where a future stopped. Zero-initialised: at the beginning. */
struct sy_async {
    int line; /* 0: the beginning; -1: the end */
};

#define sy_async_begin(async)                                                                                          \
    switch ((async)->line) {                                                                                           \
    case 0:

/* Polls `expression` now and at every poll of this future from now on, until it is SY_READY. */
#define sy_await(async, expression)                                                                                    \
    do {                                                                                                               \
        (async)->line = __LINE__;                                                                                      \
        __attribute__((fallthrough));                                                                                  \
    case __LINE__:                                                                                                     \
        if ((expression) == SY_PENDING) {                                                                              \
            return SY_PENDING;                                                                                         \
        }                                                                                                              \
    } while (0)

#define sy_async_return(async)                                                                                         \
    do {                                                                                                               \
        (async)->line = -1;                                                                                            \
        return SY_READY;                                                                                               \
    } while (0)

#define sy_async_end(async)                                                                                            \
    }                                                                                                                  \
    sy_async_return(async)

#endif
