/* Opening a connection. See connect.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#endif

#include "executor/net/connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "executor/net/future_type.h"

static int begin(struct sy_connect *f) {
    int fd = socket(f->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = sy_socket_from_fd(&f->connection, f->runtime, fd);
    if (error) {
        close(fd);
        return error;
    }
    sy_io_init(&f->io, &f->connection, RX_CONNECT, NULL, f->address.length);
    f->io.op.address = &f->address.any;
    return 0;
}

void sy_connect_init(struct sy_connect *f, struct sy_runtime *runtime, const struct sy_address *address) {
    f->runtime = runtime;
    f->address = *address;
    f->connection = (struct sy_socket){.fd = -1};
    f->state = SY_CONNECT_NEW;
    f->result = -ECANCELED;
}

enum sy_poll sy_connect_poll(struct sy_connect *f, struct sy_context *cx) {
    int64_t connected;
    if (f->state == SY_CONNECT_NEW) {
        f->result = begin(f);
        f->state = f->result ? SY_CONNECT_DONE : SY_CONNECT_UNDER_WAY;
    }
    if (f->state == SY_CONNECT_UNDER_WAY) {
        if (sy_io_poll(&f->io, cx, &connected) == SY_PENDING) {
            return SY_PENDING;
        }
        f->state = SY_CONNECT_DONE;
        f->result = (int)connected;
        if (f->result) {
            sy_socket_close(&f->connection);
        }
    }
    return SY_READY;
}

void sy_connect_drop(struct sy_connect *f) {
    int64_t connected;
    if (f->state == SY_CONNECT_UNDER_WAY) {
        sy_io_drop(&f->io, &connected);
        sy_socket_close(&f->connection);
        f->state = SY_CONNECT_DONE;
        f->result = -ECANCELED;
    }
}

NET_FUTURE_TYPE(connect);
