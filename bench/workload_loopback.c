#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "bench/workload_loopback.h"
#include "bench/workload_tools.h"

enum { BACKLOG = 128, FAR_BUFFER = 4096 };

/* ---- the far end: sends back what it receives, until the stream ends ---- */

struct far_end {
    int64_t result; /* bytes echoed, or -errno */
    struct sy_socket socket;
    enum { FAR_NEW, FAR_RECEIVING, FAR_SENDING } state;
    struct sy_recv recv;
    struct sy_send_all send;
    unsigned char buffer[FAR_BUFFER];
};

static void far_receive(struct far_end *f) {
    sy_recv_init(&f->recv, &f->socket, f->buffer, sizeof f->buffer);
    f->state = FAR_RECEIVING;
}

static void far_send(struct far_end *f, size_t length) {
    sy_send_all_init(&f->send, &f->socket, f->buffer, length);
    f->state = FAR_SENDING;
}

static enum sy_poll far_fail(struct far_end *f, int64_t error) {
    f->result = error;
    return SY_READY;
}

static enum sy_poll far_poll(void *future, struct sy_context *cx) {
    struct far_end *f = future;
    for (;;) {
        switch (f->state) {
        case FAR_NEW:
            far_receive(f);
            break;
        case FAR_RECEIVING:
            if (sy_recv_poll(&f->recv, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->recv.result <= 0) {
                return f->recv.result == 0 ? SY_READY : far_fail(f, f->recv.result);
            }
            far_send(f, (size_t)f->recv.result);
            break;
        case FAR_SENDING:
            if (sy_send_all_poll(&f->send, cx) == SY_PENDING) {
                return SY_PENDING;
            }
            if (f->send.result < 0) {
                return far_fail(f, f->send.result);
            }
            f->result += f->send.result;
            far_receive(f);
            break;
        }
    }
}

static void far_drop(void *future) {
    struct far_end *f = future;
    if (f->state == FAR_RECEIVING) {
        sy_recv_drop(&f->recv);
    } else if (f->state == FAR_SENDING) {
        sy_send_all_drop(&f->send);
    }
    sy_socket_close(&f->socket);
}

static const struct sy_future_type far_type = {"far_end", sizeof(struct far_end), far_poll, far_drop};

/* ---- connections ---- */

void loopback_fill(uint64_t *random, unsigned char *message) {
    for (size_t i = 0; i < LOOPBACK_MESSAGE; i += sizeof *random) {
        workload_random_next(random);
        memcpy(message + i, random, sizeof *random);
    }
}

static void must(int error, const char *what) {
    if (error) {
        workload_die(what, error);
    }
}

static void set_no_delay(const struct sy_socket *socket) {
    int error = setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0 ? 0 : -errno;
    must(error, "TCP_NODELAY cannot be set");
}

static void open_one(struct sy_runtime *runtime, struct sy_socket *listener, struct loopback *connection) {
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
    connection->near = connect.connection;
    workload_spawn(runtime, &far_type, &(struct far_end){.socket = accept.connection}, &connection->far);
}

void loopback_open(const struct workload_run *run, struct loopback *connections, unsigned n) {
    struct sy_address address;
    struct sy_socket listener;
    must(sy_address_parse("127.0.0.1:0", &address, NULL, 0), "127.0.0.1:0 is no address");
    must(sy_listen(&listener, run->runtime, &address, BACKLOG), "cannot listen on 127.0.0.1");
    for (unsigned i = 0; i < n; i++) {
        connections[i].random = workload_random_start(run, i);
        open_one(run->runtime, &listener, &connections[i]);
    }
    sy_socket_close(&listener);
}

int64_t loopback_join(struct workload_run *run, const char *kind, unsigned i, struct sy_join *join) {
    struct sy_outcome outcome;
    sy_join_wait(join, &outcome);
    int64_t result = outcome.cancelled ? -ECANCELED : *(const int64_t *)outcome.future;
    sy_join_drop(join);
    if (result < 0) {
        workload_fail(run, "%s %u: %s", kind, i, strerror((int)-result));
    }
    return result;
}

bool loopback_close(struct workload_run *run, struct loopback *connections, unsigned n, uint64_t bytes) {
    uint64_t echoed = 0;
    for (unsigned i = 0; i < n; i++) {
        sy_socket_close(&connections[i].near);
    }
    for (unsigned i = 0; i < n; i++) {
        int64_t result = loopback_join(run, "far end", i, &connections[i].far);
        echoed += result > 0 ? (uint64_t)result : 0;
    }
    return workload_expect(run, "bytes echoed", echoed, bytes);
}
