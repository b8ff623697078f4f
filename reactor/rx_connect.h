/*
 * connect(2), with its result and errno, for a descriptor that may be registered: all of ours is made here.
 *
 * ThreadSanitizer takes a connect(2) that succeeds for the making of the descriptor, and so any call that another
 * thread makes for it meanwhile, such as the reactor's epoll_ctl(2), for a race. The system minds neither. Under that
 * sanitizer it is called past the library.
 */
#ifndef STEALYARD_REACTOR_RX_CONNECT_H
#define STEALYARD_REACTOR_RX_CONNECT_H

#include "queues/atomics.h"

#include <sys/socket.h>
#ifdef SY_TSAN
#include <sys/syscall.h>
#include <unistd.h>
#endif

SY_INLINE int rx_connect(int fd, const struct sockaddr *address, socklen_t length) {
#if defined(SY_TSAN) && defined(SYS_connect)
    return (int)syscall(SYS_connect, fd, address, length);
#else
    return connect(fd, address, length);
#endif
}

#endif
