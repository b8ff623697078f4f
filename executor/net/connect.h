/* Opening a connection, as a future. Memory and drop are as in io.h; a drop before it is ready closes the socket. */
#ifndef STEALYARD_EXECUTOR_NET_CONNECT_H
#define STEALYARD_EXECUTOR_NET_CONNECT_H

#include "executor/net/io.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sy_connect_state { SY_CONNECT_NEW, SY_CONNECT_UNDER_WAY, SY_CONNECT_DONE };

struct sy_connect {
    struct sy_io io;
    struct sy_runtime *runtime;
    struct sy_address address;
    enum sy_connect_state state;
    int result;                  /* 0 or -errno; -EAGAIN: the backlog of a Unix listener is full, try later */
    struct sy_socket connection; /* the caller's to close if the result is 0; non-blocking, close-on-exec */
};

void sy_connect_init(struct sy_connect *f, struct sy_runtime *runtime, const struct sy_address *address);
enum sy_poll sy_connect_poll(struct sy_connect *f, struct sy_context *cx);
void sy_connect_drop(struct sy_connect *f);
extern const struct sy_future_type sy_connect_type;

#ifdef __cplusplus
}
#endif

#endif
