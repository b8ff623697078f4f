/* A connection: a bufferevent, as libevent's book writes its echo server. */
#include <event2/buffer.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/peers/libevent/loops.h"

void stream_close(struct stream *stream) {
    *stream->previous = stream->next;
    if (stream->next) {
        stream->next->previous = stream->previous;
    }
    bufferevent_free(stream->buffered);
    free(stream);
}

static void send_message(struct stream *stream) {
    bufferevent_write(stream->buffered, stream->client->message, ECHO_MESSAGE);
}

static void client_read(struct bufferevent *buffered, void *argument) {
    struct stream *stream = argument;
    unsigned char bytes[ECHO_MESSAGE + 1]; /* one more than is expected, so that too much is noticed */
    size_t length = bufferevent_read(buffered, bytes, sizeof bytes);
    if (echo_client_take(stream->client, bytes, length)) {
        send_message(stream);
    }
}

static void server_read(struct bufferevent *buffered, void *argument) {
    struct stream *stream = argument;
    struct evbuffer *input = bufferevent_get_input(buffered);
    stream->loop->echoed += evbuffer_get_length(input);
    bufferevent_write_buffer(buffered, input); /* moves the chunks, copies nothing */
}

static void ended(struct bufferevent *buffered, short what, void *argument) {
    struct stream *stream = argument;
    (void)buffered;
    if (stream->client) {
        echo_client_fail(stream->client,
                         what & BEV_EVENT_EOF ? "the server ended the connection" : "the connection failed");
    }
    stream_close(stream);
}

void loop_open(struct loop *loop, const struct letter *letter) {
    struct stream *stream = peer_need(calloc(1, sizeof *stream), "no memory for a connection");
    int on = 1;
    setsockopt(letter->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stream->loop = loop;
    stream->client = letter->client;
    stream->buffered = peer_need(bufferevent_socket_new(loop->base, letter->fd, BEV_OPT_CLOSE_ON_FREE),
                                 "a bufferevent cannot be made");
    stream->next = loop->streams;
    stream->previous = &loop->streams;
    if (stream->next) {
        stream->next->previous = &stream->next;
    }
    loop->streams = stream;
    bufferevent_setcb(stream->buffered, stream->client ? client_read : server_read, NULL, ended, stream);
    bufferevent_enable(stream->buffered, EV_READ); /* EV_WRITE is on from the start */
}

void stream_begin(struct stream *stream) {
    echo_client_begin(stream->client);
    send_message(stream);
}
