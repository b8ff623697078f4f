/* See micro_rx_rig.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2, accept4 */
#endif

#include "bench/micro_rx_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static bool connect_pipes(struct rx_end ends[2]) {
    int there[2], back[2];
    if (pipe2(there, O_NONBLOCK | O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(back, O_NONBLOCK | O_CLOEXEC) != 0) {
        close(there[0]);
        close(there[1]);
        return false;
    }
    ends[0] = (struct rx_end){.in = back[0], .out = there[1]};
    ends[1] = (struct rx_end){.in = there[0], .out = back[1]};
    return true;
}

static bool connect_socketpair(struct rx_end ends[2]) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
        return false;
    }
    ends[0] = (struct rx_end){.in = fds[0], .out = fds[0]};
    ends[1] = (struct rx_end){.in = fds[1], .out = fds[1]};
    return true;
}

/* Connects and accepts on loopback: the connection waits in the backlog, so nobody blocks. */
static bool connect_to(int listener, const struct sockaddr_in *address, struct rx_end ends[2]) {
    int on = 1;
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (near < 0) {
        return false;
    }
    int far = connect(near, (const struct sockaddr *)address, sizeof *address) == 0
                  ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
                  : -1;
    if (far < 0 || fcntl(near, F_SETFL, O_NONBLOCK) != 0) {
        close(near);
        return false;
    }
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ends[0] = (struct rx_end){.in = near, .out = near};
    ends[1] = (struct rx_end){.in = far, .out = far};
    return true;
}

static bool connect_tcp(struct rx_end ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        return false;
    }
    bool ok = bind(listener, (struct sockaddr *)&address, size) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &size) == 0 && listen(listener, 1) == 0 &&
              connect_to(listener, &address, ends);
    close(listener);
    return ok;
}

bool rx_rig_connect(struct rx_rig *rig, enum rx_transport transport, struct rx_end ends[2]) {
    bool ok = transport == RX_PIPE  ? connect_pipes(ends)
              : transport == RX_TCP ? connect_tcp(ends)
                                    : connect_socketpair(ends);
    if (!ok) {
        rig->failure = errno == EMFILE || errno == ENFILE ? "too few descriptors" : "a connection cannot be made";
    }
    return ok;
}

void rx_rig_disconnect(const struct rx_end *ends, size_t count) {
    for (size_t i = 0; i < count; i++) {
        close(ends[i].in);
        if (ends[i].out != ends[i].in) {
            close(ends[i].out);
        }
    }
}

size_t rx_rig_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_max;
}

void rx_rig_read(struct rx_rig *rig, size_t index) {
    unsigned char bytes[RX_READ_MOST];
    int fd = rig->ends[index].in;
    ssize_t n = rig->sockets ? recv(fd, bytes, sizeof bytes, 0) : read(fd, bytes, sizeof bytes);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        rig->failure = "a byte cannot be read";
    }
    for (ssize_t i = 0; i < n; i++) {
        rig->arrived(rig, index, bytes[i]);
    }
}

void rx_rig_write(struct rx_rig *rig, size_t index, unsigned char byte) {
    int fd = rig->ends[index].out;
    ssize_t n = rig->sockets ? send(fd, &byte, 1, MSG_NOSIGNAL) : write(fd, &byte, 1);
    if (n != 1) {
        rig->failure = "a byte cannot be written";
    }
}
