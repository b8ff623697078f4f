/* See echo_load.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bench/echo_load.h"

enum {
    MESSAGE = 64,
    EVENTS = 256,   /* per wait: few enough that due messages are not kept waiting by answers */
    CONNECT_S = 10, /* limits, for safety only */
    GREET_S = 30,
    DRAIN_S = 5,              /* and the window's length once more */
    PER_SOURCE_ADDRESS = 5000 /* connections: so that ports do not run out */
};
#define NEVER UINT64_MAX
#define SECOND_NS UINT64_C(1000000000)

struct connection {
    int fd; /* -1: lost */
    bool sending;
    bool greeted;
    uint32_t index;
    uint32_t due;      /* open loop: messages whose time has come, not begun */
    uint32_t done;     /* bytes of the message sent, then received; MESSAGE: none is under way */
    uint64_t begun;    /* open loop: messages */
    uint64_t start_ns; /* of the message under way; in the open loop, when it was due */
    uint64_t random;
    unsigned char message[MESSAGE];
};

enum phase { GREET, WARM_UP, WINDOW, DRAIN, DONE };

struct load {
    const struct echo_load_options *options;
    struct echo_load_result *result;
    int epoll_fd;
    bool nanoseconds; /* the kernel has epoll_pwait2 */
    struct connection *connections;
    uint32_t greeted; /* connections that had an answer, or are lost before */
    uint32_t lost;
    uint64_t pending; /* messages begun or due, and not answered */

    enum phase phase;
    uint64_t phase_end_ns;
    uint64_t window_start_ns, window_end_ns; /* NEVER until they are known */
    uint64_t base_ns;                        /* open loop: when message 0 was due; NEVER until the warm-up */
    uint64_t released;                       /* open loop: messages whose time has come */
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- failures ---- */

__attribute__((format(printf, 3, 4))) static void fail(struct load *l, uint64_t *counter, const char *format, ...) {
    ++*counter;
    if (!l->result->failure[0]) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(l->result->failure, sizeof l->result->failure, format, arguments);
        va_end(arguments);
    }
}

/* With a reset: that leaves no TIME_WAIT behind, thousands of which would slow down whatever is measured next. */
static void connection_close(struct connection *c) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(c->fd);
    c->fd = -1;
}

static void connection_lose(struct load *l, struct connection *c) {
    l->pending -= c->due + (c->done < MESSAGE || c->sending);
    l->greeted += !c->greeted;
    l->lost++;
    connection_close(c);
}

static void connection_reset(struct load *l, struct connection *c, int error) {
    fail(l, &l->result->reset, "connection %u was ended by the server: %s", c->index,
         error ? strerror(error) : "end of stream");
    connection_lose(l, c);
}

/* ---- messages ---- */

/* xorshift64 */
static void fill(struct connection *c) {
    for (size_t i = 0; i < MESSAGE; i += sizeof c->random) {
        c->random ^= c->random << 13;
        c->random ^= c->random >> 7;
        c->random ^= c->random << 17;
        memcpy(c->message + i, &c->random, sizeof c->random);
    }
}

static void send_rest(struct load *l, struct connection *c) {
    ssize_t n = send(c->fd, c->message + c->done, MESSAGE - c->done, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN) {
            connection_reset(l, c, errno);
        }
        return;
    }
    c->done += (uint32_t)n;
    if (c->done == MESSAGE) {
        c->sending = false;
        c->done = 0;
    }
}

static void begin(struct load *l, struct connection *c, uint64_t start_ns) {
    c->start_ns = start_ns;
    c->sending = true;
    c->done = 0;
    fill(c);
    send_rest(l, c);
}

/* When message `number` of the open loop is due. */
static uint64_t due_ns(const struct load *l, uint64_t number) {
    uint64_t rate = l->options->rate;
    return l->base_ns + number / rate * SECOND_NS + number % rate * SECOND_NS / rate;
}

static void begin_due(struct load *l, struct connection *c) {
    c->due--;
    begin(l, c, due_ns(l, c->begun++ * l->options->connections + c->index));
}

static bool is_in_window(const struct load *l, uint64_t time_ns) {
    return l->window_start_ns <= time_ns && time_ns < l->window_end_ns;
}

static void answered(struct load *l, struct connection *c) {
    uint64_t now = now_ns();
    l->pending--;
    l->greeted += !c->greeted;
    c->greeted = true;
    l->result->answered++;
    l->result->messages += is_in_window(l, now);
    if (is_in_window(l, c->start_ns)) {
        latency_record(&l->result->latency, now - c->start_ns);
    }
    if (c->due > 0) {
        begin_due(l, c);
    } else if (l->options->rate == 0 && now < l->window_end_ns) {
        l->pending++;
        begin(l, c, now);
    }
}

/*
 * Takes what has come. One call does: it asks for one byte more than is missing, so it empties the socket or finds that
 * too much came; and what comes later is an edge of its own.
 */
static void receive(struct load *l, struct connection *c) {
    unsigned char answer[MESSAGE + 1];
    size_t missing = MESSAGE - c->done;
    ssize_t n = recv(c->fd, answer, missing + 1, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        connection_reset(l, c, n < 0 ? errno : 0);
    } else if ((size_t)n > missing || memcmp(answer, c->message + c->done, (size_t)n) != 0) {
        fail(l, &l->result->mismatch, "connection %u: %s", c->index,
             (size_t)n > missing ? "more bytes came back than were sent" : "other bytes came back than were sent");
        connection_lose(l, c);
    } else {
        c->done += (uint32_t)n;
        if (c->done == MESSAGE) {
            answered(l, c);
        }
    }
}

static void handle_event(struct load *l, struct connection *c) {
    if (c->fd >= 0 && c->sending) {
        send_rest(l, c);
    }
    if (c->fd >= 0 && !c->sending) {
        receive(l, c);
    }
}

/* ---- connecting ---- */

/* The address that the kernel may choose a port for, so that thousands of connections have enough of them. */
static int bind_source(int fd, uint32_t index) {
    struct sockaddr_in source = {.sin_family = AF_INET};
    int one = 1;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / PER_SOURCE_ADDRESS);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return bind(fd, (struct sockaddr *)&source, sizeof source);
}

static int connect_tcp(int fd, uint16_t port, uint32_t index) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind_source(fd, index) == 0 ? connect(fd, (struct sockaddr *)&server, sizeof server) : -1;
}

/* The path fits: who takes the options has looked. */
static int connect_unix(int fd, const char *path) {
    struct sockaddr_un server = {.sun_family = AF_UNIX};
    strncpy(server.sun_path, path, sizeof server.sun_path - 1);
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

static int connect_one(const struct echo_load_options *options, uint32_t index) {
    struct timeval limit = {.tv_sec = CONNECT_S};
    int fd = socket(options->path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* of connect; no longer once it is non-blocking */
    if ((options->path ? connect_unix(fd, options->path) : connect_tcp(fd, options->port, index)) == 0) {
        return fd;
    }
    int error = errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
    close(fd);
    return error;
}

/* Makes it non-blocking, and watches both directions once and for all. */
static int watch(const struct load *l, struct connection *c) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    bool ok = fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) == 0;
    return ok ? 0 : -errno;
}

/* Ends early if a connection cannot be made: then there is nothing to measure. */
static int connect_all(struct load *l) {
    const struct echo_load_options *options = l->options;
    for (uint32_t i = 0; i < options->connections; i++) {
        struct connection *c = &l->connections[i];
        int fd = connect_one(options, i);
        if (fd < 0) {
            fail(l, &l->result->connect, "connection %u of %u cannot be made: %s", i + 1, options->connections,
                 strerror(-fd));
            return 0;
        }
        c->fd = fd;
        int error = watch(l, c);
        if (error) {
            return error;
        }
    }
    return 0;
}

static void greet_all(struct load *l) {
    for (uint32_t i = 0; i < l->options->connections; i++) {
        l->pending++;
        begin(l, &l->connections[i], now_ns());
    }
}

/* ---- the course of time ---- */

/* Open loop: hands out the messages whose time has come. */
static void release_due(struct load *l, uint64_t now) {
    if (l->options->rate == 0 || l->base_ns == NEVER) {
        return;
    }
    for (uint64_t due; (due = due_ns(l, l->released)) <= now && due < l->window_end_ns; l->released++) {
        struct connection *c = &l->connections[l->released % l->options->connections];
        if (c->fd < 0) {
            continue;
        }
        l->pending++;
        c->due++;
        if (!c->sending && c->done == MESSAGE) {
            begin_due(l, c);
        }
    }
}

static void give_up(struct load *l, uint64_t count, const char *what) {
    fail(l, &l->result->unanswered, "%llu %s", (unsigned long long)count, what);
    l->result->unanswered = count;
    l->phase = DONE;
}

static void enter(struct load *l, enum phase phase, uint64_t end_ns) {
    l->phase = phase;
    l->phase_end_ns = end_ns;
}

/* From one phase to the next, when its time has come. */
static void advance(struct load *l, uint64_t now) {
    uint32_t connections = l->options->connections;
    uint64_t window_ns = l->options->window_ns;
    bool over = now >= l->phase_end_ns;
    if (l->lost == connections) {
        l->phase = DONE;
    } else if (l->phase == GREET && l->greeted == connections) {
        l->base_ns = now;
        enter(l, WARM_UP, now + window_ns / 10);
    } else if (l->phase == GREET && over) {
        give_up(l, connections - l->greeted, "connections had no answer to their first message");
    } else if (l->phase == WARM_UP && over) {
        l->window_start_ns = now;
        l->window_end_ns = now + window_ns;
        enter(l, WINDOW, l->window_end_ns);
    } else if (l->phase == WINDOW && over) {
        enter(l, DRAIN, now + window_ns + DRAIN_S * SECOND_NS);
    } else if (l->phase == DRAIN && over) {
        give_up(l, l->pending, "messages were not answered in time");
    }
    if (l->phase == DRAIN && l->pending == 0) {
        l->phase = DONE;
    }
}

static int wait_for_events(const struct load *l, struct epoll_event *events, uint64_t timeout_ns) {
    if (l->nanoseconds) {
        struct timespec limit = {.tv_sec = (time_t)(timeout_ns / SECOND_NS), .tv_nsec = (long)(timeout_ns % SECOND_NS)};
        return (int)syscall(SYS_epoll_pwait2, l->epoll_fd, events, EVENTS, &limit, NULL, (size_t)0);
    }
    /* Rounded down: the last millisecond is spent looking, so that no message is sent late. */
    return epoll_wait(l->epoll_fd, events, EVENTS, (int)(timeout_ns / 1000000));
}

static uint64_t time_left(const struct load *l, uint64_t now) {
    uint64_t next_ns = l->phase_end_ns;
    if (l->options->rate > 0 && l->base_ns != NEVER && l->phase != DRAIN) {
        uint64_t due = due_ns(l, l->released);
        next_ns = due < next_ns ? due : next_ns;
    }
    return next_ns > now ? next_ns - now : 0;
}

static int run_phases(struct load *l) {
    struct epoll_event events[EVENTS];
    while (l->phase != DONE) {
        uint64_t now = now_ns();
        int count = wait_for_events(l, events, time_left(l, now));
        if (count < 0 && errno != EINTR) {
            return -errno;
        }
        for (int i = 0; i < count; i++) {
            handle_event(l, events[i].data.ptr);
        }
        now = now_ns();
        advance(l, now);
        release_due(l, now);
    }
    return 0;
}

/* ---- the whole ---- */

/* A last look: nothing may have come behind the last answer, and the server may not have gone. */
static void close_all(struct load *l) {
    for (uint32_t i = 0; i < l->options->connections; i++) {
        struct connection *c = &l->connections[i];
        if (c->fd >= 0 && !l->result->failure[0]) {
            handle_event(l, c);
        }
        if (c->fd >= 0) {
            connection_close(c);
        }
    }
}

static int open_load(struct load *l) {
    struct timespec none = {.tv_sec = 0};
    struct epoll_event event;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->connections = calloc(l->options->connections, sizeof *l->connections);
    if (l->epoll_fd < 0 || !l->connections) {
        return -errno;
    }
    for (uint32_t i = 0; i < l->options->connections; i++) {
        /* Never 0, from which xorshift would not move. */
        uint64_t random = (l->options->seed ^ (i + 1)) * 0x9E3779B97F4A7C15 | 1;
        l->connections[i] = (struct connection){.fd = -1, .index = i, .done = MESSAGE, .random = random};
    }
    /* An older kernel says ENOSYS, a sandbox perhaps EPERM. */
    l->nanoseconds = syscall(SYS_epoll_pwait2, l->epoll_fd, &event, 1, &none, NULL, (size_t)0) >= 0;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* messages are sent when they are due, and not 50 us later */
    return 0;
}

int echo_load_run(const struct echo_load_options *options, struct echo_load_result *result) {
    struct load load = {.options = options,
                        .result = result,
                        .epoll_fd = -1,
                        .window_start_ns = NEVER,
                        .window_end_ns = NEVER,
                        .base_ns = NEVER};
    memset(result, 0, sizeof *result);
    int error = open_load(&load);
    error = error ? error : connect_all(&load);
    if (!error && result->connect == 0) {
        enter(&load, GREET, now_ns() + GREET_S * SECOND_NS);
        greet_all(&load);
        error = run_phases(&load);
    }
    if (load.connections) {
        close_all(&load);
    }
    free(load.connections);
    if (load.epoll_fd >= 0) {
        close(load.epoll_fd);
    }
    return error;
}
