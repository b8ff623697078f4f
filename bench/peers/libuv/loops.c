/* See loops.h. */
#include "bench/peers/libuv/loops.h"

#include <stdlib.h>

void loops_check(int result, const char *what) {
    if (result < 0) {
        peer_die(what, -result); /* libuv's errors are negated errno here */
    }
}

/* ---- the loop's thread ---- */

static void close_handle(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (uv_handle_get_type(handle) == UV_TCP) {
        stream_free_when_closed(handle->data);
    } else {
        uv_close(handle, NULL);
    }
}

void loop_begin(struct loop *loop) {
    for (struct stream *stream = loop->clients; stream; stream = stream->next_client) {
        stream_begin(stream);
    }
}

void loop_close(struct loop *loop) {
    uv_walk(&loop->uv, close_handle, NULL); /* uv_run returns when the last has closed */
}

static void read_mail(uv_async_t *mail) {
    struct loop *loop = mail->data;
    mailbox_read(loop->mailbox, loop);
}

static void loop_main(void *argument) {
    struct loop *loop = argument;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

/* ---- other threads ---- */

struct loop *loop_start(struct mailbox *mailbox) {
    struct loop *loop = peer_need(calloc(1, sizeof *loop), "no memory for a loop");
    loop->mailbox = mailbox;
    loops_check(uv_loop_init(&loop->uv), "an event loop cannot be made");
    loops_check(uv_async_init(&loop->uv, &loop->mail, read_mail), "an event loop cannot be made");
    loop->mail.data = loop;
    loops_check(uv_thread_create(&loop->thread, loop_main, loop), "a thread cannot be started");
    return loop;
}

void loop_wake(struct loop *loop) {
    uv_async_send(&loop->mail);
}

uint64_t loop_join(struct loop *loop) {
    uv_thread_join(&loop->thread);
    uint64_t echoed = loop->echoed;
    loops_check(uv_loop_close(&loop->uv), "an event loop cannot be closed");
    free(loop);
    return echoed;
}
