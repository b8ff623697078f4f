/* See limit.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif

#include "bench/peers/limit/limit.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#ifdef __SANITIZE_ADDRESS__
/* Connections that are open at the end are known to the kernel alone, and end with the process. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void) {
    return 1;
}
#endif

int limit_signals(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    int fd = sigprocmask(SIG_BLOCK, &ends, NULL) == 0 ? signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC) : -1;
    if (fd < 0) {
        peer_die("signals cannot be waited for", errno);
    }
    return fd;
}

void limit_no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails if the peer has gone already: reading tells */
}

int limit_accept(int listener) {
    int fd;
    do {
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == ECONNABORTED || errno == EINTR));
    if (fd >= 0) {
        limit_no_delay(fd);
    }
    return fd;
}

int limit_main(const char *name, const char *what, void (*need)(void), void (*serve)(unsigned workers, int listener),
               int argc, char **argv) {
    static const struct peer_workload *const none[] = {NULL};
    char version[128];
    snprintf(version, sizeof version, "physical limit: one thread, %s", what);
    struct peer peer = {.program = name, .version = version, .workloads = none, .need = need, .serve_echo = serve};
    return peer_main(&peer, argc, argv);
}
