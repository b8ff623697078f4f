/*
 * A small HTTP/1.1 server: GET and HEAD of "/" answer with a fixed text. Keep-alive, pipelining, limits on what a peer
 * may send and on the time it may take. The parser is http_parser; the connection is an explicit state machine:
 *
 *     RECEIVE → PARSE → SEND → PARSE (more was received) or RECEIVE, or after the last answer DRAIN
 *
 * Requests are parsed as they come, so a connection needs no room for a whole one: it has 512 bytes of input and room
 * for a few answers. Answers to pipelined requests are sent together, as many as fit.
 *
 * A peer has --idle-ms for each of: beginning a request, sending the rest of it, taking the answers. The timer is
 * not moved at every request; when it fires it looks whether the deadline has moved meanwhile.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* gmtime_r */
#endif

#include <http_parser.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "executor/examples/server.h"

#define BODY "Hello, world!"
#define HEADER_MAX 8192u        /* bytes of a request before its body */
#define REQUEST_BODY_MAX 65536u /* bytes of a body, which is read and ignored */
#define ANSWER_MAX 256          /* bytes of an answer at most */

static uint64_t port;
static uint64_t idle_ms = 10000;
static const char *address;

static const struct option_row options[] = {
    {.name = "--port",
     .argument = "N",
     .help = "listen on 127.0.0.1:N; 0: any free port (default 0)",
     .number = &port,
     .most = 65535},
    {.name = "--listen",
     .argument = "ADDRESS",
     .help = "listen on 0.0.0.0:80, [::1]:80, unix:/path …",
     .text = &address},
    {.name = "--idle-ms",
     .argument = "N",
     .help = "how long a peer may take (default 10000)",
     .number = &idle_ms,
     .least = 1,
     .most = 86400000},
};

static const struct program program = {
    .name = "httpd",
    .operands = "",
    .summary = "Serves a small text over HTTP/1.1. SIGTERM or SIGINT ends it when its connections have finished.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

enum state { START, RECEIVE, PARSE, SEND, DRAIN };

struct client {
    struct server_connection connection;
    enum state state;
    bool closing;         /* the answer that is under way is the last */
    uint64_t deadline_ns; /* the peer's */
    struct sy_sleep timer;
    struct sy_recv recv;
    struct sy_send_all send;

    http_parser parser;
    unsigned refusal; /* the status of a request that is over a limit, or 0 */
    uint32_t body_bytes;
    uint32_t target_bytes;
    bool target_is_root; /* so far: "/", or "/?" and more */

    size_t input_length, input_used, output_length;
    char input[512];
    char output[2 * ANSWER_MAX];
};

/* ---- answers ---- */

static const char *reason_of(unsigned status) {
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    default:
        return "Bad Request";
    }
}

/* The time as HTTP writes it; made anew once a second in each thread. */
static const char *date_now(void) {
    static SY_THREAD_LOCAL time_t made;
    static SY_THREAD_LOCAL char text[32];
    time_t now = time(NULL);
    if (now != made) {
        struct tm utc;
        gmtime_r(&now, &utc);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        made = now;
    }
    return text;
}

static const char *connection_header(const struct client *f) {
    if (f->closing) {
        return "Connection: close\r\n";
    }
    return f->parser.http_minor == 0 ? "Connection: keep-alive\r\n" : "";
}

static void append_answer(struct client *f, unsigned status) {
    char text[64];
    const char *body = status == 200 ? BODY : text;
    if (status != 200) {
        snprintf(text, sizeof text, "%u %s\n", status, reason_of(status));
    }
    int length = snprintf(f->output + f->output_length, ANSWER_MAX,
                          "HTTP/1.1 %u %s\r\nDate: %s\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s",
                          status, reason_of(status), date_now(), status == 405 ? "Allow: GET, HEAD\r\n" : "",
                          strlen(body), connection_header(f), f->parser.method == HTTP_HEAD ? "" : body);
    f->output_length += (size_t)length;
}

/* ---- what the parser tells ---- */

static void move_deadline(struct client *f) {
    f->deadline_ns = sy_now_ns() + idle_ms * 1000000;
}

static int on_begin(http_parser *parser) {
    struct client *f = parser->data;
    f->body_bytes = 0;
    f->target_bytes = 0;
    f->target_is_root = true;
    move_deadline(f);
    return 0;
}

static int on_target(http_parser *parser, const char *at, size_t length) {
    struct client *f = parser->data;
    for (size_t i = 0; i < length && f->target_bytes < 2; i++) {
        f->target_is_root &= at[i] == "/?"[f->target_bytes++];
    }
    return 0;
}

static int refuse_body(struct client *f) {
    f->refusal = 413;
    return -1;
}

static int on_headers(http_parser *parser) {
    struct client *f = parser->data;
    bool told = parser->flags & F_CONTENTLENGTH;
    return told && parser->content_length > REQUEST_BODY_MAX ? refuse_body(f) : 0;
}

static int on_body(http_parser *parser, const char *at, size_t length) {
    struct client *f = parser->data;
    (void)at;
    f->body_bytes += (uint32_t)length;
    return f->body_bytes > REQUEST_BODY_MAX ? refuse_body(f) : 0;
}

static int on_complete(http_parser *parser) {
    struct client *f = parser->data;
    unsigned status = 200;
    if (!f->target_is_root) {
        status = 404;
    } else if (parser->method != HTTP_GET && parser->method != HTTP_HEAD) {
        status = 405;
    }
    f->closing = !http_should_keep_alive(parser) || server_is_ending(f->connection.server);
    append_answer(f, status);
    if (f->closing || sizeof f->output - f->output_length < ANSWER_MAX) {
        http_parser_pause(parser, 1); /* what follows is parsed after the answers are sent, or never */
    }
    return 0;
}

static const http_parser_settings callbacks = {
    .on_message_begin = on_begin,
    .on_url = on_target,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* ---- the connection ---- */

static void refuse(struct client *f) {
    enum http_errno error = HTTP_PARSER_ERRNO(&f->parser);
    unsigned status = f->refusal ? f->refusal : error == HPE_HEADER_OVERFLOW ? 431 : 400;
    f->closing = true;
    f->parser.method = HTTP_GET; /* perhaps nothing was parsed; an answer with a body is right then */
    append_answer(f, status);
}

static enum state receive(struct client *f) {
    sy_recv_init(&f->recv, &f->connection.socket, f->input, sizeof f->input);
    return f->closing ? DRAIN : RECEIVE;
}

/* Parses until the answers fill the output, the input is used up, or the request is wrong. An offer of another protocol
 * stops the parser as well; it is ignored, as a server may, and parsing goes on behind it. */
static enum state parse(struct client *f) {
    f->input_used +=
        http_parser_execute(&f->parser, &callbacks, f->input + f->input_used, f->input_length - f->input_used);
    enum http_errno error = HTTP_PARSER_ERRNO(&f->parser);
    if (error == HPE_PAUSED) {
        http_parser_pause(&f->parser, 0);
    } else if (error != HPE_OK) {
        refuse(f);
    }
    if (f->output_length == 0) {
        return receive(f);
    }
    sy_send_all_init(&f->send, &f->connection.socket, f->output, f->output_length);
    f->output_length = 0;
    move_deadline(f);
    return SEND;
}

static enum state after_send(struct client *f) {
    move_deadline(f);
    if (f->closing) {
        /* Closing with input unread would reset the connection and could take the answer with it. */
        sy_socket_shutdown(&f->connection.socket, SHUT_WR);
        return receive(f);
    }
    return f->input_used < f->input_length ? PARSE : receive(f);
}

/* One step: false if the operation under way has to be waited for. `*done`: the connection has ended. */
static bool step(struct client *f, struct sy_context *cx, bool *done) {
    switch (f->state) {
    case START:
        move_deadline(f);
        sy_sleep_init(&f->timer, cx->runtime, f->deadline_ns);
        http_parser_init(&f->parser, HTTP_REQUEST);
        f->parser.data = f;
        f->state = receive(f);
        *done = !server_join(&f->connection);
        return true;
    case RECEIVE:
    case DRAIN:
        if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
            return false;
        }
        *done = f->recv.result <= 0;
        f->input_length = (size_t)f->recv.result;
        f->input_used = 0;
        f->state = f->state == DRAIN ? receive(f) : PARSE;
        return true;
    case PARSE:
        f->state = parse(f);
        return true;
    case SEND:
        if (sy_send_all_poll(&f->send, cx) == SY_PENDING) {
            return false;
        }
        *done = f->send.result < 0;
        f->state = after_send(f);
        return true;
    }
    return true;
}

/* Whether the peer's time is up; if not, a later poll is arranged. */
static bool is_late(struct client *f, struct sy_context *cx) {
    while (sy_sleep_poll(&f->timer, cx) == SY_READY) {
        if (sy_now_ns() >= f->deadline_ns) {
            return true;
        }
        sy_sleep_init(&f->timer, cx->runtime, f->deadline_ns);
    }
    return false;
}

static enum sy_poll client_poll(void *future, struct sy_context *cx) {
    struct client *f = future;
    bool done = false;
    while (step(f, cx, &done)) {
        if (done) {
            return SY_READY;
        }
    }
    return is_late(f, cx) ? SY_READY : SY_PENDING;
}

/* What never began is zero, and dropping it is harmless. */
static void client_drop(void *future) {
    struct client *f = future;
    sy_recv_drop(&f->recv);
    sy_send_all_drop(&f->send);
    if (f->state != START) {
        sy_sleep_drop(&f->timer);
    }
    server_leave(&f->connection);
}

static const struct sy_future_type client_type = {
    .name = "client",
    .size = sizeof(struct client),
    .poll = client_poll,
    .drop = client_drop,
};

static int spawn(struct server *server, const struct sy_socket *socket) {
    struct client client = {.connection = {.server = server, .socket = *socket}};
    return sy_spawn(server->runtime, &client_type, &client, NULL);
}

int main(int argc, char **argv) {
    struct sy_config config;
    options_parse(&program, &config, argc, argv);
    http_parser_set_max_header_size(HEADER_MAX);
    struct server server = {.program = &program, .spawn = spawn};
    return server_run(&server, &config, address, port);
}
