/* A server's life. See server.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "executor/examples/server.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BACKLOG 4096
#define GRACE_NS UINT64_C(5000000000)

/* ---- connections ---- */

bool server_join(struct server_connection *connection) {
    struct server *server = connection->server;
    pthread_mutex_lock(&server->lock);
    connection->joined = !server->closed;
    if (connection->joined) {
        connection->next = server->first;
        if (server->first) {
            server->first->previous = connection;
        }
        server->first = connection;
    }
    pthread_mutex_unlock(&server->lock);
    return connection->joined;
}

static void unlink_connection(struct server *server, struct server_connection *connection) {
    if (connection->previous) {
        connection->previous->next = connection->next;
    } else {
        server->first = connection->next;
    }
    if (connection->next) {
        connection->next->previous = connection->previous;
    }
}

void server_leave(struct server_connection *connection) {
    struct server *server = connection->server;
    if (connection->joined) {
        struct sy_waker waker = {NULL, NULL};
        pthread_mutex_lock(&server->lock);
        unlink_connection(server, connection);
        if (!server->first) {
            waker = server->waker;
            server->waker = (struct sy_waker){NULL, NULL};
        }
        pthread_mutex_unlock(&server->lock);
        if (waker.vtable) {
            sy_waker_wake(waker);
        }
    }
    sy_socket_close(&connection->socket);
}

/* No connection joins from now on, and those that did see the end of their input after what has come already. */
static void server_close(struct server *server) {
    au32_store_relaxed(&server->ending, 1); /* a hint, see server_is_ending */
    pthread_mutex_lock(&server->lock);
    server->closed = true;
    for (struct server_connection *connection = server->first; connection; connection = connection->next) {
        sy_socket_shutdown(&connection->socket, SHUT_RD); /* fails if the peer is gone: then it ends by itself */
    }
    pthread_mutex_unlock(&server->lock);
}

/* Whether the last connection has left; if not, the waker is stored. */
static bool server_is_empty(struct server *server, struct sy_context *cx) {
    struct sy_waker old = {NULL, NULL};
    pthread_mutex_lock(&server->lock);
    bool empty = !server->first;
    if (!empty) {
        old = server->waker;
        server->waker = sy_waker_clone(&cx->waker);
    }
    pthread_mutex_unlock(&server->lock);
    sy_waker_drop(old);
    return empty;
}

/* ---- the task that accepts ---- */

struct acceptor {
    struct server *server;
    struct sy_socket signals;
    struct sy_ready signalled;
    struct sy_accept accept;
    struct sy_sleep grace;
    bool ending;
    int error; /* output: 0 after a signal, or -errno */
};

static void acceptor_take(struct acceptor *f) {
    struct server *server = f->server;
    int on = 1; /* answers are sent whole, so waiting for more to send only delays; no such option on Unix sockets */
    setsockopt(f->accept.connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int error = server->spawn(server, &f->accept.connection);
    if (error) {
        fprintf(stderr, "%s: refused a connection: %s\n", server->program->name, strerror(-error));
        sy_socket_close(&f->accept.connection);
    }
}

static void acceptor_begin_end(struct acceptor *f) {
    struct server *server = f->server;
    sy_accept_drop(&f->accept);
    sy_socket_close(&server->listener);
    server_close(server);
    sy_sleep_init_after(&f->grace, server->runtime, GRACE_NS);
    f->ending = true;
}

/* Whether a signal came since the last one. */
static bool acceptor_signalled(struct acceptor *f, struct sy_context *cx) {
    if (sy_ready_poll(&f->signalled, cx) == SY_PENDING) {
        return false;
    }
    struct signalfd_siginfo info;
    ssize_t length = read(f->signals.fd, &info, sizeof info);
    sy_ready_init(&f->signalled, &f->signals, SY_READABLE);
    return length == sizeof info;
}

static enum sy_poll acceptor_poll(void *future, struct sy_context *cx) {
    struct acceptor *f = future;
    while (acceptor_signalled(f, cx)) {
        if (f->ending) {
            return SY_READY; /* a second signal: at once */
        }
        acceptor_begin_end(f);
    }
    if (f->ending) {
        bool done = server_is_empty(f->server, cx) || sy_sleep_poll(&f->grace, cx) == SY_READY;
        return done ? SY_READY : SY_PENDING;
    }
    while (sy_accept_poll(&f->accept, cx) == SY_READY) {
        if (f->accept.result) {
            f->error = f->accept.result;
            return SY_READY;
        }
        acceptor_take(f);
        sy_accept_init(&f->accept, &f->server->listener);
    }
    return SY_PENDING;
}

static void acceptor_drop(void *future) {
    struct acceptor *f = future;
    sy_ready_drop(&f->signalled);
    sy_accept_drop(&f->accept);
    if (f->ending) {
        sy_sleep_drop(&f->grace);
    }
}

static const struct sy_future_type acceptor_type = {
    .name = "acceptor",
    .size = sizeof(struct acceptor),
    .poll = acceptor_poll,
    .drop = acceptor_drop,
};

/* ---- start and end ---- */

/* As many descriptors as the system lets us have. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* SIGTERM and SIGINT come through a descriptor. To be called before there are threads, which inherit the mask. */
static int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void resolve_address(struct server *server, const char *address, uint64_t port) {
    char text[SY_ADDRESS_TEXT_SIZE], message[256];
    if (!address) {
        snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)port);
        address = text;
    }
    if (sy_address_parse(address, &server->address, message, sizeof message)) {
        program_wrong_usage(server->program, "%s", message);
    }
}

static void start_listening(struct server *server) {
    char text[SY_ADDRESS_TEXT_SIZE];
    sy_address_format(&server->address, text, sizeof text);
    int error = sy_listen(&server->listener, server->runtime, &server->address, BACKLOG);
    if (!error) {
        error = sy_socket_local_address(&server->listener, &server->address);
    }
    if (error) {
        char what[SY_ADDRESS_TEXT_SIZE + 32];
        snprintf(what, sizeof what, "cannot listen on %s", text);
        program_fail(server->program, what, error);
    }
    sy_address_format(&server->address, text, sizeof text);
    printf("listening on %s\n", text);
    fflush(stdout);
}

/* Runs the acceptor as a task, so that accepting and serving share the workers, and returns its error. */
static int accept_until_signal(struct server *server, int signal_fd) {
    struct acceptor acceptor = {.server = server};
    struct sy_join join;
    struct sy_outcome outcome;
    int error = sy_socket_from_fd(&acceptor.signals, server->runtime, signal_fd);
    if (error) {
        return error;
    }
    sy_ready_init(&acceptor.signalled, &acceptor.signals, SY_READABLE);
    sy_accept_init(&acceptor.accept, &server->listener);
    error = sy_spawn(server->runtime, &acceptor_type, &acceptor, &join);
    if (!error) {
        error = sy_join_wait(&join, &outcome);
    }
    if (error) {
        return error;
    }
    error = ((const struct acceptor *)outcome.future)->error;
    sy_join_drop(&join);
    sy_socket_release(&acceptor.signals);
    return error;
}

int server_run(struct server *server, const struct sy_config *config, const char *address, uint64_t port) {
    resolve_address(server, address, port);
    raise_descriptor_limit();
    int signal_fd = open_signals();
    server->runtime = options_start(server->program, config);
    pthread_mutex_init(&server->lock, NULL);
    start_listening(server);
    int error = accept_until_signal(server, signal_fd);
    if (error) {
        program_fail(server->program, "cannot accept", error);
    }
    sy_runtime_shutdown(server->runtime); /* drops the connections that are left, which name the server */
    sy_waker_drop(server->waker);
    sy_runtime_destroy(server->runtime);
    if (server->address.any.sa_family == AF_UNIX) {
        unlink(server->address.local.sun_path);
    }
    close(signal_fd);
    return 0;
}
