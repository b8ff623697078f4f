/* A server that sends back what it receives, over TCP or a Unix socket. Its connections are written with async.h. */
#include "executor/async.h"
#include "executor/examples/server.h"

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
    .name = "echo",
    .operands = "",
    .summary = "Sends back what it receives. SIGTERM or SIGINT ends it when its connections have finished.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

/* One connection. */
struct echo {
    struct server_connection connection;
    struct sy_async async;
    struct sy_recv recv;
    struct sy_send_all send;
    char buffer[4096];
};

static enum sy_poll echo_poll(void *future, struct sy_context *cx) {
    struct echo *f = future;
    struct sy_socket *socket = &f->connection.socket;
    sy_async_begin(&f->async);
    if (!server_join(&f->connection)) {
        sy_async_return(&f->async);
    }
    do {
        sy_recv_init(&f->recv, socket, f->buffer, sizeof f->buffer);
        sy_await(&f->async, sy_recv_poll(&f->recv, cx));
        if (f->recv.result <= 0) {
            break; /* the peer has sent its last, or is gone */
        }
        sy_send_all_init(&f->send, socket, f->buffer, (size_t)f->recv.result);
        sy_await(&f->async, sy_send_all_poll(&f->send, cx));
    } while (f->send.result >= 0 && !server_is_ending(f->connection.server));
    sy_async_end(&f->async);
}

/* Finds the two operations zero if they never began, and dropping is harmless then. */
static void echo_drop(void *future) {
    struct echo *f = future;
    sy_recv_drop(&f->recv);
    sy_send_all_drop(&f->send);
    server_leave(&f->connection);
}

static const struct sy_future_type echo_type = {
    .name = "echo",
    .size = sizeof(struct echo),
    .poll = echo_poll,
    .drop = echo_drop,
};

static int spawn(struct server *server, const struct sy_socket *socket) {
    struct echo echo = {.connection = {.server = server, .socket = *socket}};
    return sy_spawn(server->runtime, &echo_type, &echo, NULL);
}

int main(int argc, char **argv) {
    struct sy_config config;
    options_parse(&program, &config, argc, argv);
    struct server server = {.program = &program, .spawn = spawn};
    return server_run(&server, &config, address, port);
}
