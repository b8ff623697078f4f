/*
 * A connection. What is sent goes out by uv_try_write at once, as a write callback would only say that it did; what the
 * kernel does not take is copied and left to uv_write.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/peers/libuv/loops.h"

struct rest {
    uv_write_t request;
    char bytes[];
};

static void free_stream(uv_handle_t *handle) {
    free(handle->data);
}

void stream_free_when_closed(struct stream *stream) {
    uv_handle_t *handle = (uv_handle_t *)&stream->tcp;
    if (!uv_is_closing(handle)) {
        uv_close(handle, free_stream);
    }
}

static void stream_fail(struct stream *stream, const char *failure) {
    if (stream->client) {
        echo_client_fail(stream->client, failure);
    }
    stream_free_when_closed(stream);
}

static void rest_written(uv_write_t *request, int status) {
    struct stream *stream = request->handle->data;
    if (status < 0 && status != UV_ECANCELED) {
        stream_fail(stream, uv_strerror(status));
    }
    free(request);
}

static void stream_send(struct stream *stream, const char *bytes, size_t length) {
    uv_stream_t *handle = (uv_stream_t *)&stream->tcp;
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length); /* libuv does not write to it */
    int sent = uv_try_write(handle, &buffer, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        stream_fail(stream, uv_strerror(sent));
        return;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    if (done < length) {
        struct rest *rest = peer_need(malloc(sizeof *rest + length - done), "no memory for what waits to be sent");
        memcpy(rest->bytes, bytes + done, length - done);
        buffer = uv_buf_init(rest->bytes, (unsigned)(length - done));
        loops_check(uv_write(&rest->request, handle, &buffer, 1, rest_written), "uv_write");
    }
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(stream->loop->buffer, sizeof stream->loop->buffer);
}

static void stream_read(uv_stream_t *handle, ssize_t length, const uv_buf_t *buffer) {
    struct stream *stream = handle->data;
    if (length < 0) {
        stream_fail(stream, uv_strerror((int)length));
    } else if (stream->client) {
        if (length > 0 && echo_client_take(stream->client, buffer->base, (size_t)length)) {
            stream_send(stream, (const char *)stream->client->message, ECHO_MESSAGE);
        }
    } else if (length > 0) {
        stream->loop->echoed += (uint64_t)length;
        stream_send(stream, buffer->base, (size_t)length);
    }
}

void loop_open(struct loop *loop, const struct letter *letter) {
    struct stream *stream = peer_need(calloc(1, sizeof *stream), "no memory for a connection");
    stream->loop = loop;
    stream->client = letter->client;
    stream->tcp.data = stream;
    loops_check(uv_tcp_init(&loop->uv, &stream->tcp), "uv_tcp_init");
    loops_check(uv_tcp_open(&stream->tcp, letter->fd), "uv_tcp_open");
    uv_tcp_nodelay(&stream->tcp, 1); /* fails if the peer has gone already: then reading tells */
    if (stream->client) {
        stream->next_client = loop->clients;
        loop->clients = stream;
    }
    int error = uv_read_start((uv_stream_t *)&stream->tcp, lend_buffer, stream_read);
    if (error) {
        stream_fail(stream, uv_strerror(error));
    }
}

void stream_begin(struct stream *stream) {
    echo_client_begin(stream->client);
    stream_send(stream, (const char *)stream->client->message, ECHO_MESSAGE);
}
