/*
 * Accepting a connection, as a future. Memory and drop are as in io.h; a connection that came before the drop is
 * closed.
 *
 * A connection that ended while it waited (-ECONNABORTED and other errors of the network that accept(2) passes on) is
 * skipped. When descriptors or memory run out, the operation pauses and tries again, 50 times a second, until there are
 * some: peers wait in the backlog meanwhile and no processor time is burnt. So a server's loop sees neither. One
 * connection for each try is lost where it was accepted and the reactor has no memory for it.
 */
#ifndef STEALYARD_EXECUTOR_NET_ACCEPT_H
#define STEALYARD_EXECUTOR_NET_ACCEPT_H

#include "executor/net/io.h"
#include "executor/timer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sy_accept {
    struct sy_io io;
    struct sy_sleep pause;
    bool pausing;
    int result;                  /* 0 or -errno */
    struct sy_socket connection; /* the caller's to close if the result is 0; non-blocking, close-on-exec */
};

void sy_accept_init(struct sy_accept *f, struct sy_socket *listener);
enum sy_poll sy_accept_poll(struct sy_accept *f, struct sy_context *cx);
void sy_accept_drop(struct sy_accept *f);
extern const struct sy_future_type sy_accept_type;

#ifdef __cplusplus
}
#endif

#endif
