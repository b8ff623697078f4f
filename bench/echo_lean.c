/*
 * The example echo for many connections of which most are idle: a connection holds no buffer while nothing comes. It
 * waits for readiness, receives into the stack of whoever runs it, and takes memory only for what is to be sent back.
 * That is a wait more for each message than `echo` has. For `./stealyard bench memory`: what is left per connection is
 * the runtime's own (the task's header, the socket, the operation, the reactor's source).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "executor/examples/server.h"

enum { BUFFER = 4096 };

static uint64_t port;
static const char *address;

static const struct option_row options[] = {
    {.name = "--port",
     .argument = "N",
     .help = "listen on 127.0.0.1:N; 0: any free port (default 0)",
     .number = &port,
     .most = 65535},
    {.name = "--listen", .argument = "ADDRESS", .help = "listen on 0.0.0.0:7, [::1]:7, unix:/path …", .text = &address},
};

static const struct program program = {
    .name = "echo_lean",
    .operands = "",
    .summary =
        "Sends back what it receives, without a buffer for a connection that is idle. SIGTERM or SIGINT ends it.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

/* What is being sent back. */
struct answer {
    struct sy_send_all send;
    char bytes[];
};

/* Not one of the server's list of connections, whose links would be a tenth of it: the runtime's end drops it. */
struct lean {
    struct sy_socket socket; /* owned */
    struct sy_ready ready;
    struct answer *answer; /* NULL: it waits to receive; &not_begun: nothing was done yet */
};

static struct answer not_begun;

static void wait_for_more(struct lean *f) {
    sy_ready_init(&f->ready, &f->socket, SY_READABLE);
}

/* Bytes, 0 at the end, -EAGAIN: nothing was there after all (or the poll's budget is spent), or -errno. */
static int64_t receive(struct lean *f, struct sy_context *cx, char *buffer) {
    struct sy_recv recv;
    sy_recv_init(&recv, &f->socket, buffer, BUFFER);
    if (sy_recv_poll(&recv, cx) == SY_PENDING) {
        sy_recv_drop(&recv); /* the buffer is not used after it */
        return recv.result == -ECANCELED ? -EAGAIN : recv.result;
    }
    return recv.result;
}

/* 0 or -ENOMEM. */
static int answer_begin(struct lean *f, const char *bytes, size_t length) {
    struct answer *answer = malloc(sizeof *answer + length);
    if (!answer) {
        return -ENOMEM;
    }
    memcpy(answer->bytes, bytes, length);
    sy_send_all_init(&answer->send, &f->socket, answer->bytes, length);
    f->answer = answer;
    return 0;
}

static int64_t answer_end(struct lean *f) {
    int64_t result = f->answer->send.result;
    free(f->answer);
    f->answer = NULL;
    return result;
}

/* False: the connection has ended. */
static bool take(struct lean *f, struct sy_context *cx) {
    char buffer[BUFFER];
    int64_t n = f->ready.result < 0 ? f->ready.result : receive(f, cx, buffer);
    if (n == -EAGAIN) {
        wait_for_more(f);
        return true;
    }
    return n > 0 && answer_begin(f, buffer, (size_t)n) == 0;
}

static enum sy_poll lean_poll(void *future, struct sy_context *cx) {
    struct lean *f = future;
    if (f->answer == &not_begun) {
        f->answer = NULL;
        wait_for_more(f);
    }
    for (;;) {
        if (f->answer) {
            if (sy_send_all_poll(&f->answer->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (answer_end(f) < 0) {
                return SY_READY;
            }
            wait_for_more(f);
        }
        if (sy_ready_poll(&f->ready, cx) == SY_PENDING) {
            return SY_PENDING;
        }
        if (!take(f, cx)) {
            return SY_READY;
        }
    }
}

static void lean_drop(void *future) {
    struct lean *f = future;
    sy_ready_drop(&f->ready);
    if (f->answer && f->answer != &not_begun) {
        sy_send_all_drop(&f->answer->send);
        free(f->answer);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type lean_type = {"lean", sizeof(struct lean), lean_poll, lean_drop};

static int spawn(struct server *server, const struct sy_socket *socket) {
    struct lean lean = {.socket = *socket, .answer = &not_begun};
    return sy_spawn(server->runtime, &lean_type, &lean, NULL);
}

int main(int argc, char **argv) {
    struct sy_config config;
    options_parse(&program, &config, argc, argv);
    struct server server = {.program = &program, .spawn = spawn};
    return server_run(&server, &config, address, port);
}
