/* TCP over loopback, both ends on the runtime: connections that stay open, and clients that wait for each echo. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "bench/workload.h"

enum { CONNECTIONS = 64, ROUNDS = 50, MESSAGE = 64, BACKLOG = 128 };

static struct au64 echoed; /* bytes */
static uint64_t sent;      /* bytes */

/* ---- the far end: sends back what it receives, until the stream ends ---- */

struct server {
    struct sy_socket socket;
    enum { SERVER_NEW, SERVER_RECEIVING, SERVER_SENDING } state;
    struct sy_recv recv;
    struct sy_send_all send;
    unsigned char buffer[MESSAGE];
    int64_t result; /* 0 or -errno */
};

static void server_receive(struct server *f) {
    sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
    f->state = SERVER_RECEIVING;
}

static void server_send(struct server *f, size_t length) {
    sy_send_all_init(&f->send, &f->socket, f->buffer, length);
    f->state = SERVER_SENDING;
}

static enum sy_poll server_end(struct server *f, int64_t result) {
    f->result = result;
    return SY_READY;
}

static enum sy_poll server_poll(void *future, struct sy_context *cx) {
    struct server *f = future;
    for (;;) {
        switch (f->state) {
        case SERVER_NEW:
            server_receive(f);
            break;
        case SERVER_RECEIVING:
            if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->recv.result <= 0) {
                return server_end(f, f->recv.result);
            }
            server_send(f, (size_t)f->recv.result);
            break;
        case SERVER_SENDING:
            if (sy_send_all_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->send.result < 0) {
                return server_end(f, f->send.result);
            }
            au64_fetch_add_relaxed(&echoed, (uint64_t)f->send.result);
            server_receive(f);
            break;
        }
    }
}

static void server_drop(void *future) {
    struct server *f = future;
    if (f->state == SERVER_RECEIVING) {
        sy_recv_drop(&f->recv);
    } else if (f->state == SERVER_SENDING) {
        sy_send_all_drop(&f->send);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type server_type = {"server", sizeof(struct server), server_poll, server_drop};

/* ---- the near end: sends a message, compares what comes back, again and again ---- */

/* What lasts from one iteration to the next. */
struct client {
    struct sy_socket socket;
    uint64_t random; /* the generator that its messages come from */
};

struct talk {
    struct client *client;
    enum { TALK_NEXT, TALK_SENDING, TALK_RECEIVING } state;
    unsigned rounds; /* done */
    struct sy_send_all send;
    struct sy_recv recv;
    size_t received;
    unsigned char message[MESSAGE];
    unsigned char answer[MESSAGE];
    int64_t result; /* 0, -errno, or -EBADMSG: an echo differs from what was sent */
};

/* xorshift64 */
static void fill(struct client *client, unsigned char *message) {
    for (size_t i = 0; i < MESSAGE; i += sizeof client->random) {
        client->random ^= client->random << 13;
        client->random ^= client->random >> 7;
        client->random ^= client->random << 17;
        memcpy(message + i, &client->random, sizeof client->random);
    }
}

static void talk_receive(struct talk *f) {
    sy_recv_init(&f->recv, &f->client->socket, f->answer + f->received, MESSAGE - f->received);
    f->state = TALK_RECEIVING;
}

static enum sy_poll talk_end(struct talk *f, int64_t result) {
    f->result = result;
    return SY_READY;
}

static enum sy_poll talk_poll(void *future, struct sy_context *cx) {
    struct talk *f = future;
    for (;;) {
        switch (f->state) {
        case TALK_NEXT:
            if (f->rounds++ == ROUNDS) {
                return talk_end(f, 0);
            }
            fill(f->client, f->message);
            f->received = 0;
            sy_send_all_init(&f->send, &f->client->socket, f->message, MESSAGE);
            f->state = TALK_SENDING;
            break;
        case TALK_SENDING:
            if (sy_send_all_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->send.result < 0) {
                return talk_end(f, f->send.result);
            }
            talk_receive(f);
            break;
        case TALK_RECEIVING:
            if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->recv.result <= 0) {
                return talk_end(f, f->recv.result < 0 ? f->recv.result : -EPIPE);
            }
            f->received += (size_t)f->recv.result;
            if (f->received < MESSAGE) {
                talk_receive(f);
            } else if (memcmp(f->answer, f->message, MESSAGE) != 0) {
                return talk_end(f, -EBADMSG);
            } else {
                f->state = TALK_NEXT;
            }
            break;
        }
    }
}

static void talk_drop(void *future) {
    struct talk *f = future;
    if (f->state == TALK_RECEIVING) {
        sy_recv_drop(&f->recv);
    } else if (f->state == TALK_SENDING) {
        sy_send_all_drop(&f->send);
    }
}

static const struct sy_future_type talk_type = {"talk", sizeof(struct talk), talk_poll, talk_drop};

/* ---- the workload ---- */

static struct client clients[CONNECTIONS];
static struct sy_join servers[CONNECTIONS];

static void must(int error, const char *what) {
    if (error) {
        workload_die(what, error);
    }
}

static void set_no_delay(const struct sy_socket *socket) {
    int error = setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0 ? 0 : -errno;
    must(error, "TCP_NODELAY cannot be set");
}

static void open_connection(struct sy_runtime *runtime, const struct sy_socket *listener, struct client *client,
                            struct sy_join *server) {
    struct sy_address address;
    struct sy_connect connect;
    struct sy_accept accept;
    must(sy_socket_local_address(listener, &address), "the listener's address cannot be read");
    sy_connect_init(&connect, runtime, &address);
    must(sy_block_on(runtime, &sy_connect_type, &connect), "connect cannot be waited for");
    must(connect.result, "cannot connect on 127.0.0.1");
    sy_accept_init(&accept, listener);
    must(sy_block_on(runtime, &sy_accept_type, &accept), "accept cannot be waited for");
    must(accept.result, "cannot accept on 127.0.0.1");
    set_no_delay(&connect.connection);
    set_no_delay(&accept.connection);
    client->socket = connect.connection;
    workload_spawn(runtime, &server_type, &(struct server){.socket = accept.connection}, server);
}

static void echo_setup(struct workload_run *run) {
    struct sy_address address;
    struct sy_socket listener;
    must(sy_address_parse("127.0.0.1:0", &address, NULL, 0), "127.0.0.1:0 is no address");
    must(sy_listen(&listener, run->runtime, &address, BACKLOG), "cannot listen on 127.0.0.1");
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        /* Never 0, from which xorshift would not move. */
        clients[i].random = (run->seed ^ (i + 1)) * 0x9E3779B97F4A7C15 | 1;
        open_connection(run->runtime, &listener, &clients[i], &servers[i]);
    }
    sy_socket_close(&listener);
}

static bool echo_iterate(struct workload_run *run) {
    static struct sy_join talks[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        workload_spawn(run->runtime, &talk_type, &(struct talk){.client = &clients[i]}, &talks[i]);
    }
    sent += (uint64_t)CONNECTIONS * ROUNDS * MESSAGE;
    bool ok = true;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct sy_outcome outcome;
        sy_join_wait(&talks[i], &outcome);
        int64_t result = outcome.cancelled ? -ECANCELED : ((const struct talk *)outcome.future)->result;
        ok = (result == 0 || workload_fail(run, "client %d: %s", i, strerror((int)-result))) && ok;
        sy_join_drop(&talks[i]);
    }
    return ok;
}

static bool echo_finish(struct workload_run *run) {
    for (int i = 0; i < CONNECTIONS; i++) {
        sy_socket_close(&clients[i].socket);
    }
    bool ok = true;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct sy_outcome outcome;
        sy_join_wait(&servers[i], &outcome);
        int64_t result = outcome.cancelled ? -ECANCELED : ((const struct server *)outcome.future)->result;
        ok = (result == 0 || workload_fail(run, "server %d: %s", i, strerror((int)-result))) && ok;
        sy_join_drop(&servers[i]);
    }
    return workload_expect(run, "bytes echoed", au64_load_relaxed(&echoed), sent) && ok;
}

const struct workload workload_echo = {
    .name = "echo",
    .summary = "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
    .check = "each byte came back as it was sent",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE | WORKLOAD_REACTOR,
    .ops = CONNECTIONS * ROUNDS,
    .setup = echo_setup,
    .iterate = echo_iterate,
    .finish = echo_finish,
};
