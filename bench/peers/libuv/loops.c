/* See loops.h. */
#include "bench/peers/libuv/loops.h"

#include <stdlib.h>
#include <string.h>

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

static void read_mail(uv_async_t *mail) {
    struct loop *loop = mail->data;
    uv_mutex_lock(&loop->lock);
    struct letter *letters = loop->letters;
    size_t count = loop->letter_count;
    bool begin = loop->begin, stop = loop->stop;
    loop->letters = NULL;
    loop->letter_count = loop->letter_room = 0;
    loop->begin = false;
    uv_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < count; i++) {
        stream_open(loop, &letters[i]);
    }
    free(letters);
    for (struct stream *stream = begin ? loop->clients : NULL; stream; stream = stream->next_client) {
        stream_begin(stream);
    }
    if (stop) {
        uv_walk(&loop->uv, close_handle, NULL); /* uv_run returns when the last has closed */
    }
}

static void loop_main(void *argument) {
    struct loop *loop = argument;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

/* ---- other threads ---- */

static void loop_start(struct loop *loop) {
    loops_check(uv_loop_init(&loop->uv), "an event loop cannot be made");
    loops_check(uv_mutex_init(&loop->lock), "a lock cannot be made");
    loops_check(uv_async_init(&loop->uv, &loop->mail, read_mail), "an event loop cannot be made");
    loop->mail.data = loop;
    loops_check(uv_thread_create(&loop->thread, loop_main, loop), "a thread cannot be started");
}

void loops_start(struct loops *loops, unsigned count) {
    *loops =
        (struct loops){.all = peer_need(calloc(count, sizeof(struct loop)), "no memory for the loops"), .count = count};
    for (unsigned i = 0; i < count; i++) {
        loop_start(&loops->all[i]);
    }
}

void loops_hand(struct loops *loops, unsigned index, int fd, struct echo_client *client) {
    struct loop *loop = &loops->all[index % loops->count];
    uv_mutex_lock(&loop->lock);
    if (loop->letter_count == loop->letter_room) {
        loop->letter_room = loop->letter_room ? 2 * loop->letter_room : 64;
        loop->letters = peer_need(realloc(loop->letters, loop->letter_room * sizeof(struct letter)), "no memory");
    }
    loop->letters[loop->letter_count++] = (struct letter){.fd = fd, .client = client};
    uv_mutex_unlock(&loop->lock);
    uv_async_send(&loop->mail);
}

void loops_deal(struct loops *loops, int fd) {
    loops_hand(loops, loops->next, fd, NULL);
    loops->next = (loops->next + 1) % loops->count;
}

static void loop_tell(struct loop *loop, bool *what) {
    uv_mutex_lock(&loop->lock);
    *what = true;
    uv_mutex_unlock(&loop->lock);
    uv_async_send(&loop->mail);
}

void loops_begin(struct loops *loops) {
    for (unsigned i = 0; i < loops->count; i++) {
        loop_tell(&loops->all[i], &loops->all[i].begin);
    }
}

uint64_t loops_stop(struct loops *loops) {
    uint64_t echoed = 0;
    for (unsigned i = 0; i < loops->count; i++) {
        struct loop *loop = &loops->all[i];
        loop_tell(loop, &loop->stop);
        uv_thread_join(&loop->thread);
        echoed += loop->echoed;
        loops_check(uv_loop_close(&loop->uv), "an event loop cannot be closed");
        uv_mutex_destroy(&loop->lock);
    }
    free(loops->all);
    return echoed;
}
