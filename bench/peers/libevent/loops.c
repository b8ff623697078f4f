/* See loops.h. */
#include "bench/peers/libevent/loops.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the loop's thread ---- */

void loop_begin(struct loop *loop) {
    for (struct stream *stream = loop->streams; stream; stream = stream->next) {
        if (stream->client) {
            stream_begin(stream);
        }
    }
}

void loop_close(struct loop *loop) {
    while (loop->streams) {
        stream_close(loop->streams);
    }
    event_base_loopbreak(loop->base);
}

static void read_mail(int fd, short what, void *argument) {
    struct loop *loop = argument;
    eventfd_t rings;
    (void)what;
    eventfd_read(fd, &rings);
    mailbox_read(loop->mailbox, loop);
}

static void *loop_main(void *argument) {
    struct loop *loop = argument;
    event_base_dispatch(loop->base);
    return NULL;
}

/* ---- other threads ---- */

static struct event_base *new_base(void) {
    struct event_config *config = peer_need(event_config_new(), "an event base cannot be made");
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = peer_need(event_base_new_with_config(config), "an event base cannot be made");
    event_config_free(config);
    return base;
}

struct loop *loop_start(struct mailbox *mailbox) {
    struct loop *loop = peer_need(calloc(1, sizeof *loop), "no memory for a loop");
    loop->mailbox = mailbox;
    loop->base = new_base();
    loop->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->mail_fd < 0) {
        peer_die("an eventfd cannot be made", errno);
    }
    loop->mail = peer_need(event_new(loop->base, loop->mail_fd, EV_READ | EV_PERSIST, read_mail, loop),
                           "an event cannot be made");
    if (event_add(loop->mail, NULL) != 0) {
        peer_die("an event cannot be added", errno);
    }
    int error = pthread_create(&loop->thread, NULL, loop_main, loop);
    if (error) {
        peer_die("a thread cannot be started", error);
    }
    return loop;
}

void loop_wake(struct loop *loop) {
    eventfd_write(loop->mail_fd, 1);
}

uint64_t loop_join(struct loop *loop) {
    pthread_join(loop->thread, NULL);
    uint64_t echoed = loop->echoed;
    event_free(loop->mail);
    event_base_free(loop->base);
    close(loop->mail_fd);
    free(loop);
    return echoed;
}
