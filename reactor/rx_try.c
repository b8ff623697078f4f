/*
 * The system call of an operation, made without blocking. See rx_try.h.
 *
 * Three answers need care:
 *
 * - connect(2) on a Unix stream socket says EAGAIN when the listener's backlog is full. Nothing is under way then and
 *   no event will tell when there is room, so it is the outcome and not a reason to wait.
 * - SO_ERROR is 0 both for an established connection and for one still under way, and a wake may be spurious. So
 *   poll(2) is asked first: a socket that is connecting is not writable.
 * - An interrupted connect(2) goes on by itself; calling it again would only say EALREADY. So does a connection that an
 *   earlier, cancelled operation began.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, POLLRDHUP */
#endif

#include "reactor/rx_try.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "reactor/rx_connect.h"

/* macOS and the BSDs lack some of these: no event tells a peer's half-close then, sources get SO_NOSIGPIPE, and a
 * descriptor that is received stays open across exec. */
#ifndef POLLRDHUP
#define POLLRDHUP 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

/*
 * recv(2) and send(2) are cancellation points, for which the C library makes two read-modify-writes each as soon as
 * there is a second thread (glibc 2.36). These never block, so the system is called past it, but for sanitizers, which
 * watch the library's calls.
 */
#if defined(SYS_recvfrom) && defined(SYS_sendto) && !defined(SY_TSAN) && !defined(__SANITIZE_ADDRESS__)
static ssize_t receive(int fd, void *buffer, size_t length) {
    return syscall(SYS_recvfrom, fd, buffer, length, MSG_DONTWAIT, NULL, NULL);
}

static ssize_t transmit(int fd, const void *data, size_t length) {
    return syscall(SYS_sendto, fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}
#else
static ssize_t receive(int fd, void *buffer, size_t length) {
    return recv(fd, buffer, length, MSG_DONTWAIT);
}

static ssize_t transmit(int fd, const void *data, size_t length) {
    return send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
#endif

/* The events that hold now, 0 if none; or -errno. */
static int poll_now(int fd, short events) {
    struct pollfd entry = {.fd = fd, .events = events};
    int ready;
    do {
        ready = poll(&entry, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready < 0 ? -errno : entry.revents;
}

static int64_t connect_begin(int fd, const struct rx_op *op) {
    if (rx_connect(fd, op->address, (socklen_t)op->length) == 0) {
        return 0;
    }
    bool under_way = errno == EINPROGRESS || errno == EINTR || errno == EALREADY;
    return under_way ? -EINPROGRESS : -errno;
}

static int64_t connect_end(int fd) {
    int events = poll_now(fd, POLLOUT);
    if (events <= 0) {
        return events < 0 ? events : -EINPROGRESS;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)) {
        return -errno;
    }
    return -error;
}

static int accept_one(int fd) {
#ifdef SOCK_NONBLOCK
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int accepted = accept(fd, NULL, NULL);
    if (accepted >= 0 && (fcntl(accepted, F_SETFL, O_NONBLOCK) || fcntl(accepted, F_SETFD, FD_CLOEXEC))) {
        int error = errno;
        close(accepted);
        errno = error;
        return -1;
    }
    return accepted;
#endif
}

static int64_t call_once(const struct rx_op *op, int fd) {
    int64_t result = -1;
    switch (op->kind) {
    case RX_RECV:
        result = receive(fd, op->buffer, op->length);
        break;
    case RX_SEND:
        result = transmit(fd, op->data, op->length);
        break;
    case RX_READ:
        result = read(fd, op->buffer, op->length);
        break;
    case RX_WRITE:
        result = write(fd, op->data, op->length);
        break;
    case RX_RECV_MSG:
        result = recvmsg(fd, op->message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        break;
    case RX_SEND_MSG:
        result = sendmsg(fd, op->message, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case RX_ACCEPT:
        result = accept_one(fd);
        break;
    case RX_READ_AT:
    case RX_WRITE_AT: /* a regular file, which is never registered here */
    case RX_CONNECT:
    case RX_READY_IN:
    case RX_READY_OUT:
        return -EINVAL; /* not a plain call: see rx_try */
    }
    return result < 0 ? -errno : result;
}

static int64_t call_until_answered(const struct rx_op *op, int fd) {
    int64_t result;
    do {
        result = call_once(op, fd);
    } while (result == -EINTR);
    return result;
}

static enum rx_status done_unless(struct rx_op *op, int64_t result, bool would_block) {
    if (would_block) {
        return RX_PENDING;
    }
    op->result = result;
    return RX_DONE;
}

enum rx_status rx_try(struct rx_op *op) {
    int fd = op->source->fd;
    bool first = !op->tried;
    op->tried = true;
    int64_t result;
    switch (op->kind) {
    case RX_CONNECT:
        result = first ? connect_begin(fd, op) : connect_end(fd);
        return done_unless(op, result, result == -EINPROGRESS);
    case RX_READY_IN:
        result = poll_now(fd, POLLIN | POLLPRI | POLLRDHUP);
        return done_unless(op, result, result == 0);
    case RX_READY_OUT:
        result = poll_now(fd, POLLOUT);
        return done_unless(op, result, result == 0);
    default:
        result = call_until_answered(op, fd);
        return done_unless(op, result, result == -EAGAIN || result == -EWOULDBLOCK);
    }
}

int rx_source_fd(const struct rx_source *source) {
    return source->fd;
}
