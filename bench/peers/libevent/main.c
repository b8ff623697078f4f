/*
 * libevent as a peer: N event bases with a thread each; connections are dealt out to them in turn and stay where they
 * are.
 *
 * What could be held against it
 * - The connection is a bufferevent, which is what libevent's book recommends and shows as its echo server. It costs
 *   for each message, beside reading and writing, an ioctl that asks how much there is and two epoll_ctl that switch
 *   writing on and off. Bare events with recv and send would be faster, and be what reactor/bench measures: its
 *   implementation libevent is built on bare events.
 * - libevent schedules nothing between bases. Connections are accepted by a base of its own on the main thread and
 *   handed to the workers through a list and a descriptor, as memcached does; the bases need no locks then. That thread
 *   sleeps once all connections are there, so it is no worker.
 * - In the workload echo both ends of a connection are on the same base, because both are dealt out in the same order;
 *   a message never crosses threads. A runtime that steals work has no such luck, but also no such imbalance.
 */
#include <errno.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>

#include "bench/peers/libevent/loops.h"

/* ---- the server ---- */

static void accepted(struct evconnlistener *listener, int fd, struct sockaddr *address, int length, void *loops) {
    (void)listener;
    (void)address;
    (void)length;
    loops_deal(loops, fd);
}

/* libevent would say so on stderr, and try again at once for ever. */
static void accept_failed(struct evconnlistener *listener, void *loops) {
    (void)listener;
    (void)loops;
    peer_die("cannot accept", errno);
}

static void end(int number, short what, void *base) {
    (void)number;
    (void)what;
    event_base_loopbreak(base);
}

static struct event *on_signal(struct event_base *base, int number) {
    struct event *event = peer_need(evsignal_new(base, number, end, base), "an event cannot be made");
    event_add(event, NULL);
    return event;
}

static void serve_echo(unsigned workers, int listening) {
    struct event_base *base = peer_need(event_base_new(), "an event base cannot be made");
    struct event *term = on_signal(base, SIGTERM), *interrupt = on_signal(base, SIGINT);
    struct loops loops;
    loops_start(&loops, workers);
    /* A backlog of 0: it listens already. */
    struct evconnlistener *listener = peer_need(
        evconnlistener_new(base, accepted, &loops, LEV_OPT_CLOSE_ON_EXEC, 0, listening), "a listener cannot be made");
    evconnlistener_set_error_cb(listener, accept_failed);
    peer_listening(listening);
    event_base_dispatch(base);
    evconnlistener_free(listener);
    event_free(term);
    event_free(interrupt);
    event_base_free(base);
    loops_stop(&loops);
}

static const struct peer_workload *const workloads[] = {&loops_echo, NULL};

int main(int argc, char **argv) {
    char version[64];
    snprintf(version, sizeof version, "libevent %s", event_get_version());
    struct peer peer = {
        .program = "libevent-peer", .version = version, .workloads = workloads, .serve_echo = serve_echo};
    return peer_main(&peer, argc, argv);
}
