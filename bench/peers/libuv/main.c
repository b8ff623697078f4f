/*
 * libuv as a peer: N event loops with a thread each; connections are dealt out to them in turn and stay where they are.
 *
 * What could be held against it
 * - libuv schedules nothing between loops. Who writes a server of several threads with it deals connections out, as
 *   here, or shares the listening socket among the loops (its own multi-accept benchmark), which leaves the
 *   distribution to the kernel, and that is often far from even. Dealing out is the better case for it.
 * - Accepting has a loop of its own, on the main thread, by uv_poll and accept4: a handle that uv_accept made cannot
 *   move to another loop. That thread sleeps once all connections are there, so it is no worker.
 * - A stream reads into one buffer per loop (alloc_cb allows that) and writes with uv_try_write first, with no request
 *   and no copy. Many programs allocate for both; this is what its guide recommends to those who want to be fast.
 * - In the workload echo both ends of a connection are on the same loop, because both are dealt out in the same order;
 *   a message never crosses threads. A runtime that steals work has no such luck, but also no such imbalance.
 * - Debian's libuv 1.44 polls with epoll. Later releases can use io_uring for files, not for sockets.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4 */
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bench/peers/libuv/loops.h"

/* ---- the server ---- */

struct server {
    uv_loop_t uv;
    uv_poll_t listener;
    uv_signal_t signals[2];
    struct loops loops;
};

static void accept_all(uv_poll_t *handle, int status, int events) {
    struct server *server = handle->data;
    int listener;
    uv_os_fd_t fd;
    (void)status;
    (void)events;
    loops_check(uv_fileno((uv_handle_t *)handle, &listener), "uv_fileno");
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0 || errno == ECONNABORTED) {
        if (fd >= 0) {
            loops_deal(&server->loops, fd);
        }
    }
    if (errno != EAGAIN && errno != EINTR) {
        peer_die("cannot accept", errno);
    }
}

static void end(uv_signal_t *signal, int number) {
    struct server *server = signal->data;
    (void)number;
    uv_stop(&server->uv);
}

static void serve_echo(unsigned workers, int listener) {
    static struct server server;
    static const int numbers[] = {SIGTERM, SIGINT};
    loops_check(uv_loop_init(&server.uv), "an event loop cannot be made");
    loops_start(&server.loops, workers);
    for (int i = 0; i < 2; i++) {
        loops_check(uv_signal_init(&server.uv, &server.signals[i]), "uv_signal_init");
        server.signals[i].data = &server;
        loops_check(uv_signal_start(&server.signals[i], end, numbers[i]), "uv_signal_start");
    }
    loops_check(uv_poll_init(&server.uv, &server.listener, listener), "uv_poll_init");
    server.listener.data = &server;
    loops_check(uv_poll_start(&server.listener, UV_READABLE, accept_all), "uv_poll_start");
    peer_listening(listener);
    uv_run(&server.uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&server.listener, NULL);
    uv_close((uv_handle_t *)&server.signals[0], NULL);
    uv_close((uv_handle_t *)&server.signals[1], NULL);
    uv_run(&server.uv, UV_RUN_DEFAULT);
    uv_loop_close(&server.uv);
    loops_stop(&server.loops);
}

static const struct peer_workload *const workloads[] = {&loops_echo, NULL};

int main(int argc, char **argv) {
    char version[64];
    snprintf(version, sizeof version, "libuv %s", uv_version_string());
    struct peer peer = {.program = "libuv-peer", .version = version, .workloads = workloads, .serve_echo = serve_echo};
    return peer_main(&peer, argc, argv);
}
