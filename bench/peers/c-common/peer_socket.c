/* Sockets on 127.0.0.1. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/peers/c-common/peer.h"

enum { BACKLOG = 4096 };

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* As many descriptors as the system lets us have. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int peer_listen(uint16_t *port) {
    struct sockaddr_in address = loopback(*port);
    socklen_t size = sizeof address;
    int on = 1;
    raise_descriptor_limit();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        char what[64];
        snprintf(what, sizeof what, "cannot listen on 127.0.0.1:%u", *port);
        peer_die(what, errno);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int peer_listen_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char what[sizeof address.sun_path + 32];
    snprintf(what, sizeof what, "cannot listen on unix:%s", path);
    if (strlen(path) >= sizeof address.sun_path) {
        peer_die(what, ENAMETOOLONG);
    }
    strcpy(address.sun_path, path);
    raise_descriptor_limit();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
        peer_die(what, errno);
    }
    return fd;
}

void peer_listening(int listener) {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un local;
    } address;
    socklen_t size = sizeof address;
    if (getsockname(listener, &address.any, &size) != 0) {
        peer_die("the listener's address cannot be read", errno);
    }
    if (address.any.sa_family == AF_UNIX) {
        printf("listening on unix:%s\n", address.local.sun_path);
    } else {
        printf("listening on 127.0.0.1:%u\n", ntohs(address.in.sin_port));
    }
    fflush(stdout);
}

/* The connect comes first and is there at once: a connection on loopback waits in the backlog. */
void peer_connected_pair(int listener, uint16_t port, int out[2]) {
    struct sockaddr_in address = loopback(port);
    int on = 1;
    out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (out[0] < 0 || connect(out[0], (struct sockaddr *)&address, sizeof address) != 0) {
        peer_die("cannot connect on 127.0.0.1", errno);
    }
    out[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (out[1] < 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) != 0) {
        peer_die("cannot accept on 127.0.0.1", errno);
    }
    setsockopt(out[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(out[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
