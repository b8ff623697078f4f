/*
 * A server that sends each datagram back to where it came from, over UDP or a Unix socket. One future waits for two
 * things at once: a datagram, and a signal, which comes through a descriptor.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "executor/examples/options.h"

static const char *address = "127.0.0.1:0";

static const struct option_row options[] = {
    {.name = "--listen",
     .argument = "ADDRESS",
     .help = "127.0.0.1:7, [::1]:7, unix:/path … (default 127.0.0.1:0, any free port)",
     .text = &address},
};

static const struct program program = {
    .name = "datagrams",
    .operands = "",
    .summary = "Sends each datagram back to where it came from. SIGTERM or SIGINT ends it.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

static char buffer[1 << 18]; /* longer than any of UDP's, and than what Linux lets through a Unix socket at first */

struct answering {
    struct sy_socket *socket;
    struct sy_ready signalled;
    struct sy_recv_from receive;
    struct sy_send_to send;
    bool sending;
    uint64_t received, answered;
    int64_t error; /* output: 0 after a signal, or -errno */
};

/* What was cut is not what came, and who has no address cannot be answered. */
static bool answering_take(struct answering *f) {
    f->received++;
    if (f->receive.truncated || f->receive.from.length == 0) {
        return false;
    }
    sy_send_to_init(&f->send, f->socket, buffer, (size_t)f->receive.result, &f->receive.from);
    return true;
}

static enum sy_poll answering_poll(void *future, struct sy_context *cx) {
    struct answering *f = future;
    if (sy_ready_poll(&f->signalled, cx) == SY_READY) {
        if (f->sending) {
            sy_send_to_drop(&f->send);
            f->answered += f->send.result >= 0; /* it was sent, though nobody has asked yet */
        }
        f->error = f->signalled.result < 0 ? f->signalled.result : 0;
        return SY_READY;
    }
    for (;;) {
        if (!f->sending) {
            if (sy_recv_from_poll(&f->receive, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->receive.result < 0) {
                f->error = f->receive.result;
                return SY_READY;
            }
            f->sending = answering_take(f);
        }
        if (f->sending) {
            if (sy_send_to_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            f->answered += f->send.result >= 0; /* if it failed, that is the peer's doing: it is gone, say */
        }
        f->sending = false;
        sy_recv_from_init(&f->receive, f->socket, buffer, sizeof buffer);
    }
}

static void answering_drop(void *future) {
    struct answering *f = future;
    sy_ready_drop(&f->signalled);
    sy_recv_from_drop(&f->receive);
    sy_send_to_drop(&f->send);
}

static const struct sy_future_type answering_type = {
    .name = "answering",
    .size = sizeof(struct answering),
    .poll = answering_poll,
    .drop = answering_drop,
};

/* SIGTERM and SIGINT come through a descriptor. To be called before there are threads, which inherit the mask. */
static int open_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void open_socket(struct sy_runtime *runtime, struct sy_address *at, struct sy_socket *socket) {
    char text[SY_ADDRESS_TEXT_SIZE];
    int error = sy_datagram_bind(socket, runtime, at, NULL);
    if (!error) {
        error = sy_socket_local_address(socket, at);
    }
    sy_address_format(at, text, sizeof text);
    if (error) {
        char what[SY_ADDRESS_TEXT_SIZE + 32];
        snprintf(what, sizeof what, "cannot listen on %s", text);
        program_fail(&program, what, error);
    }
    printf("listening on %s\n", text);
    fflush(stdout);
}

/* Runs the future as a task, so that the workers attend the reactor, and tells what it came to. */
static void answer_until_signal(struct sy_runtime *runtime, struct sy_socket *socket, struct sy_socket *signals) {
    struct answering answering = {.socket = socket};
    struct sy_join join;
    struct sy_outcome outcome;
    sy_ready_init(&answering.signalled, signals, SY_READABLE);
    sy_recv_from_init(&answering.receive, socket, buffer, sizeof buffer);
    int error = sy_spawn(runtime, &answering_type, &answering, &join);
    if (!error) {
        error = sy_join_wait(&join, &outcome);
    }
    if (error) {
        program_fail(&program, "task", error);
    }
    const struct answering *ended = outcome.future;
    if (ended->error) {
        program_fail(&program, "cannot receive", (int)ended->error);
    }
    printf("answered %" PRIu64 " of %" PRIu64 " datagrams\n", ended->answered, ended->received);
    sy_join_drop(&join);
}

int main(int argc, char **argv) {
    struct sy_config config;
    struct sy_address at;
    struct sy_socket socket, signals;
    char message[256];
    options_parse(&program, &config, argc, argv);
    if (sy_address_parse(address, &at, message, sizeof message)) {
        program_wrong_usage(&program, "%s", message);
    }
    int signal_fd = open_signals();
    struct sy_runtime *runtime = options_start(&program, &config);
    int error = sy_socket_from_fd(&signals, runtime, signal_fd);
    if (error) {
        program_fail(&program, "cannot wait for signals", error);
    }
    open_socket(runtime, &at, &socket);
    answer_until_signal(runtime, &socket, &signals);
    sy_socket_close(&socket);
    sy_socket_close(&signals);
    sy_runtime_destroy(runtime);
    if (at.any.sa_family == AF_UNIX && at.local.sun_path[0] != '\0') {
        unlink(at.local.sun_path);
    }
    return 0;
}
