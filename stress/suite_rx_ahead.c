/*
 * What a back end read ahead of the operations: it is told when asked for, nothing more is read then, and each byte and
 * each connection comes once, in order, whoever waits meanwhile, or nobody.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "stress/support.h"
#include "stress/support_rx.h"

enum { STREAM = 300000, WINDOW = 3000, CONNECTIONS = 40 };

static bool reads_ahead(const struct rig *rig) {
    if (!rig->ops->reads_ahead) {
        check_skip("%s does not read ahead", rig->ops->name);
    }
    return rig->ops->reads_ahead;
}

static char stream_byte(size_t i) {
    return (char)(i * 131 + (i >> 8) * 7);
}

struct sender {
    int fd;
    struct au64 received; /* of which it is never more than a window ahead, so that it sends all the time */
};

static void *send_stream(void *argument) {
    struct sender *sender = argument;
    static char stream[STREAM];
    uint64_t random = check_seed() + 1;
    for (size_t i = 0; i < STREAM; i++) {
        stream[i] = stream_byte(i);
    }
    for (size_t sent = 0; sent < STREAM;) {
        while (sent > au64_load_relaxed(&sender->received) + WINDOW) {
            sched_yield();
        }
        size_t length = 1 + check_random(&random) % 900;
        ssize_t n = send(sender->fd, stream + sent, length < STREAM - sent ? length : STREAM - sent, 0);
        CHECK(n > 0); /* a window fits into the socket */
        sent += (size_t)n;
    }
    return NULL;
}

static void check_stream(const char *bytes, int64_t length, size_t *received) {
    for (int64_t i = 0; i < length; i++) {
        CHECK_EQ(bytes[i], stream_byte(*received + (size_t)i));
    }
    *received += (size_t)length;
}

/* An operation of at most `most` bytes, or one that is cancelled, so that something is asked for and nothing waits. */
static void receive_some(struct rig *rig, struct rx_source *source, size_t most, bool cancelled, size_t *received) {
    char bytes[500];
    struct rx_op op;
    int64_t result;
    if (cancelled && rig_begin(rig, &op, RX_RECV, source, bytes, most) == RX_PENDING) {
        result = rig_cancel(rig, &op);
    } else if (cancelled) {
        result = op.result;
    } else {
        result = rig_do(rig, RX_RECV, source, bytes, most);
    }
    CHECK(result > 0 || (cancelled && result == -ECANCELED));
    check_stream(bytes, result > 0 ? result : 0, received);
}

/* Who waits while unread is called: the caller now and then, another thread, or nobody. */
enum company { CALLER, ANOTHER, NOBODY };

static size_t unread_in_company(struct rig *rig, struct rx_source *source, enum company company, size_t *received) {
    struct rig_waiter waiter;
    if (company == ANOTHER) {
        rig_waiter_start(&waiter, rig);
    } else if (company == NOBODY) {
        rig_detach(rig);
    }
    if (received) {
        receive_some(rig, source, 1, true, received);
    }
    size_t unread = rig->ops->unread(rig->rx, source);
    for (int again = 0; again < 20; again++) {
        CHECK_EQ(rig->ops->unread(rig->rx, source), unread); /* it is not read on */
    }
    if (company == ANOTHER) {
        rig_waiter_stop(&waiter);
    } else if (company == NOBODY) {
        rig_attach(rig);
    }
    return unread;
}

/* By operations what was read ahead, and by plain calls what comes after it. */
static void receive_by_hand(struct rig *rig, struct rig_link link, size_t unread, size_t *received) {
    char bytes[500];
    size_t end = *received + unread;
    while (*received < end) {
        struct rx_op op;
        size_t most = end - *received < sizeof bytes ? end - *received : sizeof bytes;
        CHECK_EQ(rig_begin(rig, &op, RX_RECV, link.source, bytes, most), RX_DONE);
        CHECK(op.result > 0);
        check_stream(bytes, op.result, received);
    }
    for (int calls = 0; calls < 3; calls++) {
        ssize_t n = recv(rx_source_fd(link.source), bytes, sizeof bytes, 0);
        check_stream(bytes, n > 0 ? n : 0, received);
    }
}

static void send_more(int fd, size_t length, size_t *sent) {
    static char bytes[20000];
    for (size_t i = 0; i < length; i++) {
        bytes[i] = stream_byte((*sent)++);
    }
    CHECK_EQ(send(fd, bytes, length, 0), (ssize_t)length);
}

/* Until an operation finds nothing, and is cancelled. */
static void receive_what_is_there(struct rig *rig, struct rx_source *source, size_t *received) {
    char bytes[500];
    struct rx_op op;
    while (rig_begin(rig, &op, RX_RECV, source, bytes, sizeof bytes) == RX_DONE) {
        CHECK(op.result > 0);
        check_stream(bytes, op.result, received);
    }
    CHECK_EQ(rig_cancel(rig, &op), -ECANCELED);
}

/* One thread, one completion for a wait: what came before the call is there or in the socket, and stays there. */
static void what_comes_meanwhile_is_told(size_t variant) {
    struct rig rig;
    rig_init_batch(&rig, variant, 1);
    struct rig_link link = rig_link(&rig, AF_INET);
    size_t sent = 0, received = 0;
    for (int round = 0; reads_ahead(&rig) && round < 60; round++) {
        struct rx_op op;
        char byte;
        rig_start(&rig, &op, RX_RECV, link.source, &byte, 1);
        CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
        send_more(link.peer, (size_t)(round % 4) * 5000 + 5, &sent);
        for (int waits = round / 4 % 5; waits > 0; waits--) {
            CHECK(rig.ops->wait(rig.rx, 0) >= 0);
            receive_some(&rig, link.source, 1, false, &received);
        }
        if (round % 2) {
            receive_what_is_there(&rig, link.source, &received);
        }
        size_t unread = rig.ops->unread(rig.rx, link.source);
        send_more(link.peer, 100, &sent);
        rig_settle(&rig);
        CHECK_EQ(rig.ops->unread(rig.rx, link.source), unread);
        while (received < sent) {
            receive_by_hand(&rig, link, unread, &received);
            unread = 0;
        }
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

static void bytes_come_once(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    if (reads_ahead(&rig)) {
        struct sender sender = {.fd = link.peer};
        pthread_t thread;
        uint64_t random = check_seed();
        size_t received = 0;
        CHECK_EQ(pthread_create(&thread, NULL, send_stream, &sender), 0);
        while (received < STREAM) {
            bool cancelled = check_random(&random) % 4 == 0;
            receive_some(&rig, link.source, 1 + check_random(&random) % 500, cancelled, &received);
            size_t unread = unread_in_company(&rig, link.source, (enum company)(check_random(&random) % 3), &received);
            receive_by_hand(&rig, link, unread, &received);
            au64_store_relaxed(&sender.received, received);
        }
        CHECK_EQ(received, STREAM);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* ---- how far ahead ---- */

/* Asks for what will come, and waits for nothing. */
static void ask(struct rig *rig, struct rx_source *source, enum rx_kind kind) {
    struct rx_op op;
    char byte;
    rig_start(rig, &op, kind, source, &byte, 1);
    CHECK_EQ(rig_cancel(rig, &op), -ECANCELED);
}

/* Sends pieces one after the other, each of which the reactor may take before the next. */
static void send_pieces(struct rig *rig, int peer, int pieces) {
    for (int i = 0; i < pieces; i++) {
        CHECK_EQ(send(peer, "x", 1, 0), 1);
        rig_settle(rig);
    }
}

/* Pieces that nobody receives stay in the socket after some. */
static void it_is_not_without_end(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    if (reads_ahead(&rig)) {
        ask(&rig, link.source, RX_RECV);
        send_pieces(&rig, link.peer, 100);
        size_t unread = rig.ops->unread(rig.rx, link.source);
        CHECK(unread > 0 && unread < 30);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

static void check_it_reads_ahead(struct rig *rig, struct rig_link link) {
    char bytes[8];
    ask(rig, link.source, RX_RECV);
    send_pieces(rig, link.peer, 3);
    CHECK_EQ(rig->ops->unread(rig->rx, link.source), 3);
    CHECK_EQ(rig_do(rig, RX_RECV, link.source, bytes, sizeof bytes), 3);
}

/*
 * Of much at once the kernel may take what it has buffers for; once that was received, it takes no more of that peer
 * until a receive has found nothing.
 */
static void much_at_once_is_left_in_the_socket(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    if (reads_ahead(&rig)) {
        static char bytes[64 << 10];
        int64_t sent = 0, received = 0, more;
        ask(&rig, link.source, RX_RECV);
        for (int round = 0; round < 10; round++) {
            while ((more = rig_fill(link.peer)) > 0 && sent - received < 8 << 20) {
                sent += more;
                rig_settle(&rig);
            }
            while (sent - received > 2 * (int64_t)sizeof bytes) {
                received += rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes);
                CHECK(round == 0 || rig.ops->unread(rig.rx, link.source) == 0);
            }
        }
        while (received < sent) {
            received += rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes);
        }
        check_it_reads_ahead(&rig, link);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* What was used for bytes that were received serves again. */
static void it_goes_on(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    for (int round = 0; reads_ahead(&rig) && round < 500; round++) {
        check_it_reads_ahead(&rig, link);
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* So many connections with bytes that nobody receives that one more cannot be read ahead: it does well without. */
static void a_starved_source_sleeps_and_recovers(size_t variant) {
    enum { HOARDERS = 150, PIECES = 8 };
    struct rig rig;
    rig_init(&rig, variant);
    if (!reads_ahead(&rig)) {
        rig_close(&rig);
        return;
    }
    struct rig_link hoarders[HOARDERS], starved = rig_link(&rig, AF_INET);
    for (int i = 0; i < HOARDERS; i++) {
        hoarders[i] = rig_link(&rig, AF_INET);
        ask(&rig, hoarders[i].source, RX_RECV);
        send_pieces(&rig, hoarders[i].peer, PIECES);
    }
    struct rx_op op;
    char bytes[8];
    ask(&rig, starved.source, RX_RECV);
    send_pieces(&rig, starved.peer, 1);
    CHECK_EQ(rig_do(&rig, RX_RECV, starved.source, bytes, sizeof bytes), 1);
    rig_start(&rig, &op, RX_RECV, starved.source, bytes, sizeof bytes);
    for (int round = 0; round < 10; round++) {
        CHECK_EQ(rig.ops->wait(rig.rx, 0), 0);
        CHECK_EQ(rig.ops->poll(rig.rx, &op, &rig.waker), RX_PENDING);
    }
    send_pieces(&rig, starved.peer, 1);
    CHECK_EQ(rig_finish(&rig, &op), 1);
    for (int i = 0; i < HOARDERS; i++) {
        for (int64_t received = 0; received < PIECES;) {
            received += rig_do(&rig, RX_RECV, hoarders[i].source, bytes, sizeof bytes);
        }
        rig_unlink(&rig, hoarders[i]);
    }
    check_it_reads_ahead(&rig, starved);
    rig_unlink(&rig, starved);
    rig_close(&rig);
}

/* ---- connections ---- */

/* How many connections operations take, beginning with one that may find none yet. */
static unsigned accept_all(struct rig *rig, struct rx_source *listener, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t fd = rig_do(rig, RX_ACCEPT, listener, NULL, 0);
        CHECK(fd >= 0);
        close((int)fd);
    }
    return (unsigned)count;
}

static void connections_are_not_without_end(size_t variant) {
    enum { CLIENTS = 600, MOST = 400 };
    struct rig rig;
    rig_init(&rig, variant);
    if (!reads_ahead(&rig)) {
        rig_close(&rig);
        return;
    }
    struct sockaddr_in address;
    static int clients[CLIENTS];
    struct rx_source *listener = rig_register(&rig, rig_tcp_listen(16, &address));
    ask(&rig, listener, RX_ACCEPT);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = rig_tcp_socket();
        CHECK(connect(clients[i], (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
        rig_settle(&rig);
    }
    size_t unread = rig.ops->unread(rig.rx, listener);
    CHECK(unread > 16 && unread <= MOST);
    accept_all(&rig, listener, unread);
    for (int i = 0; i < CLIENTS; i++) {
        close(clients[i]);
    }
    rig_deregister_and_close(&rig, listener);
    rig_close(&rig);
}

static void connections_come_once(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (!reads_ahead(&rig)) {
        rig_close(&rig);
        return;
    }
    for (int round = 0; round < 6; round++) {
        struct sockaddr_in address;
        int fd = rig_tcp_listen(CONNECTIONS, &address), clients[CONNECTIONS];
        struct rx_source *listener = rig_register(&rig, fd);
        struct rx_op op;
        rig_start(&rig, &op, RX_ACCEPT, listener, NULL, 0);
        for (int i = 0; i < CONNECTIONS; i++) {
            clients[i] = rig_tcp_socket();
            CHECK(connect(clients[i], (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS);
        }
        int64_t first = rig_finish(&rig, &op);
        CHECK(first >= 0);
        close((int)first);
        unsigned accepted = 1;
        size_t unread = unread_in_company(&rig, listener, (enum company)(round % 3), NULL);
        accepted += accept_all(&rig, listener, unread);
        for (int connection; (connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; accepted++) {
            close(connection);
        }
        CHECK_EQ(accepted, CONNECTIONS);
        for (int i = 0; i < CONNECTIONS; i++) {
            close(clients[i]);
        }
        rig_deregister_and_close(&rig, listener);
    }
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"what_comes_meanwhile_is_told", what_comes_meanwhile_is_told},
        {"bytes_come_once", bytes_come_once},
        {"it_is_not_without_end", it_is_not_without_end},
        {"much_at_once_is_left_in_the_socket", much_at_once_is_left_in_the_socket},
        {"it_goes_on", it_goes_on},
        {"a_starved_source_sleeps_and_recovers", a_starved_source_sleeps_and_recovers},
        {"connections_come_once", connections_come_once},
        {"connections_are_not_without_end", connections_are_not_without_end},
    };
    return rx_run_suite("suite_rx_ahead", tests, sizeof tests / sizeof tests[0], argc, argv);
}
