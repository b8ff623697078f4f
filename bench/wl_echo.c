/* TCP over loopback, both ends on the runtime: connections that stay open, and clients that wait for each echo. */
#include <errno.h>
#include <string.h>

#include "bench/workload_loopback.h"

enum { CONNECTIONS = 64, ROUNDS = 50 };

static struct loopback connections[CONNECTIONS];
static uint64_t sent; /* bytes */

struct talk {
    int64_t result; /* the output: 0, -errno, or -EBADMSG: an echo differs from what was sent */
    struct loopback *connection;
    enum { TALK_NEXT, TALK_SENDING, TALK_RECEIVING } state;
    unsigned rounds; /* done */
    struct sy_send_all send;
    struct sy_recv recv;
    size_t received;
    unsigned char message[LOOPBACK_MESSAGE];
    unsigned char answer[LOOPBACK_MESSAGE];
};

static void talk_receive(struct talk *f) {
    sy_recv_init(&f->recv, &f->connection->near, f->answer + f->received, LOOPBACK_MESSAGE - f->received);
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
            loopback_fill(&f->connection->random, f->message);
            f->received = 0;
            sy_send_all_init(&f->send, &f->connection->near, f->message, LOOPBACK_MESSAGE);
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
            if (f->received < LOOPBACK_MESSAGE) {
                talk_receive(f);
            } else if (memcmp(f->answer, f->message, LOOPBACK_MESSAGE) != 0) {
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

static void echo_setup(struct workload_run *run) {
    loopback_open(run, connections, CONNECTIONS);
}

static bool echo_iterate(struct workload_run *run) {
    static struct sy_join talks[CONNECTIONS];
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        workload_spawn(run->runtime, &talk_type, &(struct talk){.connection = &connections[i]}, &talks[i]);
    }
    sent += (uint64_t)CONNECTIONS * ROUNDS * LOOPBACK_MESSAGE;
    bool ok = true;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        ok = loopback_join(run, "client", i, &talks[i]) == 0 && ok;
    }
    return ok;
}

static bool echo_finish(struct workload_run *run) {
    return loopback_close(run, connections, CONNECTIONS, sent);
}

const struct workload workload_echo = {
    .name = "echo",
    .summary = "TCP on loopback, both ends here: 64 connections, 50 round trips of 64 bytes on each",
    .check = "each byte came back as it was sent",
    .parts = WORKLOAD_QUEUE | WORKLOAD_DEQUE | WORKLOAD_REACTOR,
    .ops = CONNECTIONS * ROUNDS,
    .effort = WORKLOAD_CORE,
    .setup = echo_setup,
    .iterate = echo_iterate,
    .finish = echo_finish,
};
