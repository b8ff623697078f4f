/* See loops.h. */
#include "bench/peers/libevent/loops.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the loop's thread ---- */

static void begin_clients(struct loop *loop) {
    for (struct stream *stream = loop->streams; stream; stream = stream->next) {
        if (stream->client) {
            stream_begin(stream);
        }
    }
}

static void close_streams(struct loop *loop) {
    while (loop->streams) {
        stream_close(loop->streams);
    }
}

static void read_mail(int fd, short what, void *argument) {
    struct loop *loop = argument;
    eventfd_t rings;
    (void)what;
    eventfd_read(fd, &rings);
    pthread_mutex_lock(&loop->lock);
    struct letter *letters = loop->letters;
    size_t count = loop->letter_count;
    bool begin = loop->begin, stop = loop->stop;
    loop->letters = NULL;
    loop->letter_count = loop->letter_room = 0;
    loop->begin = false;
    pthread_mutex_unlock(&loop->lock);
    for (size_t i = 0; i < count; i++) {
        stream_open(loop, &letters[i]);
    }
    free(letters);
    if (begin) {
        begin_clients(loop);
    }
    if (stop) {
        close_streams(loop);
        event_base_loopbreak(loop->base);
    }
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

static void loop_start(struct loop *loop) {
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
    pthread_mutex_init(&loop->lock, NULL);
    int error = pthread_create(&loop->thread, NULL, loop_main, loop);
    if (error) {
        peer_die("a thread cannot be started", error);
    }
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
    pthread_mutex_lock(&loop->lock);
    if (loop->letter_count == loop->letter_room) {
        loop->letter_room = loop->letter_room ? 2 * loop->letter_room : 64;
        loop->letters = peer_need(realloc(loop->letters, loop->letter_room * sizeof(struct letter)), "no memory");
    }
    loop->letters[loop->letter_count++] = (struct letter){.fd = fd, .client = client};
    pthread_mutex_unlock(&loop->lock);
    eventfd_write(loop->mail_fd, 1);
}

void loops_deal(struct loops *loops, int fd) {
    loops_hand(loops, loops->next, fd, NULL);
    loops->next = (loops->next + 1) % loops->count;
}

static void loop_tell(struct loop *loop, bool *what) {
    pthread_mutex_lock(&loop->lock);
    *what = true;
    pthread_mutex_unlock(&loop->lock);
    eventfd_write(loop->mail_fd, 1);
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
        pthread_join(loop->thread, NULL);
        echoed += loop->echoed;
        event_free(loop->mail);
        event_base_free(loop->base);
        close(loop->mail_fd);
        pthread_mutex_destroy(&loop->lock);
    }
    free(loops->all);
    return echoed;
}
