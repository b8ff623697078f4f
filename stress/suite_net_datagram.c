/*
 * Datagrams over the runtime, with every reactor: UDP and Unix sockets, addresses, what is cut, and who gets what.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "stress/net_fixture.h"

static int bind_at(struct sy_runtime *runtime, const char *text, struct sy_socket *socket, struct sy_address *address) {
    CHECK_EQ(sy_address_parse(text, address, NULL, 0), 0);
    int error = sy_datagram_bind(socket, runtime, address, NULL);
    if (!error) {
        CHECK_EQ(sy_socket_local_address(socket, address), 0);
    }
    return error;
}

static bool same_address(const struct sy_address *a, const struct sy_address *b) {
    return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

static int64_t send_to(struct sy_runtime *runtime, struct sy_socket *socket, const void *data, size_t length,
                       const struct sy_address *to) {
    struct sy_send_to send;
    sy_send_to_init(&send, socket, data, length, to);
    run(runtime, &sy_send_to_type, &send);
    return send.result;
}

static int64_t recv_from(struct sy_runtime *runtime, struct sy_socket *socket, void *buffer, size_t length,
                         struct sy_recv_from *recv) {
    sy_recv_from_init(recv, socket, buffer, length);
    run(runtime, &sy_recv_from_type, recv);
    return recv->result;
}

/* From `a` to `b`, and an answer to where it came from; of every length, received before it comes and after. */
static void talk(struct sy_runtime *runtime, struct sy_socket *a, const struct sy_address *at_a, struct sy_socket *b,
                 const struct sy_address *at_b, size_t longest) {
    static unsigned char sent[70000], got[70000];
    const size_t lengths[] = {0, 1, 2, 100, 1472, 1473, 9000, longest};
    for (size_t i = 0; i < 2 * sizeof lengths / sizeof *lengths; i++) {
        size_t length = lengths[i / 2];
        struct sy_recv_from recv;
        struct sy_join join;
        struct sy_outcome outcome;
        memset(sent, (int)(i + 1), length);
        memset(got, 0, sizeof got);
        sy_recv_from_init(&recv, b, got, sizeof got);
        if (i % 2) {
            CHECK_EQ(sy_spawn(runtime, &sy_recv_from_type, &recv, &join), 0); /* it moves between init and poll */
            memset(&recv, 0xff, sizeof recv);
            CHECK_EQ(send_to(runtime, a, sent, length, at_b), length);
            CHECK_EQ(sy_join_wait(&join, &outcome), 0);
            recv = *(const struct sy_recv_from *)outcome.future;
            sy_join_drop(&join);
        } else {
            CHECK_EQ(send_to(runtime, a, sent, length, at_b), length);
            run(runtime, &sy_recv_from_type, &recv);
        }
        CHECK_EQ(recv.result, length);
        CHECK(!recv.truncated);
        CHECK(memcmp(sent, got, length) == 0);
        CHECK(same_address(&recv.from, at_a));
        CHECK_EQ(send_to(runtime, b, got, length, &recv.from), length);
        CHECK_EQ(recv_from(runtime, a, got, sizeof got, &recv), length);
        CHECK(same_address(&recv.from, at_b));
    }
}

static void udp_over(size_t variant, const char *text, size_t longest) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b;
    struct sy_address at_a, at_b;
    static const char too_long[65536];
    int error = bind_at(runtime, text, &a, &at_a);
    if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT) {
        check_skip("this machine has no %s", text);
    } else {
        CHECK_EQ(error, 0);
        CHECK_EQ(bind_at(runtime, text, &b, &at_b), 0);
        talk(runtime, &a, &at_a, &b, &at_b, longest);
        CHECK_EQ(send_to(runtime, &a, too_long, longest + 1, &at_b), -EMSGSIZE);
        sy_socket_close(&a);
        sy_socket_close(&b);
    }
    sy_runtime_destroy(runtime);
}

static void udp_datagrams_come_with_addresses(size_t variant) {
    udp_over(variant, "127.0.0.1:0", 65507);
}

static void udp_over_ipv6(size_t variant) {
    udp_over(variant, "[::1]:0", 65527);
}

static void what_is_cut_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b;
    struct sy_address at_a, at_b;
    struct sy_recv_from recv;
    char bytes[4];
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &a, &at_a), 0);
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &b, &at_b), 0);
    CHECK_EQ(send_to(runtime, &a, "0123456789", 10, &at_b), 10);
    CHECK_EQ(send_to(runtime, &a, "abcd", 4, &at_b), 4);
    CHECK_EQ(send_to(runtime, &a, "x", 1, &at_b), 1);
    CHECK_EQ(recv_from(runtime, &b, bytes, sizeof bytes, &recv), 4);
    CHECK(recv.truncated && memcmp(bytes, "0123", 4) == 0);
    CHECK_EQ(recv_from(runtime, &b, bytes, sizeof bytes, &recv), 4); /* the next one, not the rest */
    CHECK(!recv.truncated && memcmp(bytes, "abcd", 4) == 0);
    CHECK_EQ(recv_from(runtime, &b, NULL, 0, &recv), 0);
    CHECK(recv.truncated && same_address(&recv.from, &at_a));
    sy_recv_from_init(&recv, &b, bytes, sizeof bytes);
    sy_recv_from_drop(&recv);
    CHECK(!recv.truncated && recv.from.length == 0); /* nothing is left of the last one */
    sy_socket_close(&a);
    sy_socket_close(&b);
    sy_runtime_destroy(runtime);
}

static void connected_sockets_hear_one_peer(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b, c;
    struct sy_address at_a, at_b, at_c;
    struct sy_recv_from from;
    struct sy_send send;
    struct sy_recv recv;
    char bytes[16];
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &a, &at_a), 0);
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &b, &at_b), 0);
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &c, &at_c), 0);
    CHECK_EQ(send_to(runtime, &a, "?", 1, NULL), -EDESTADDRREQ);
    CHECK_EQ(sy_datagram_connect(&a, &at_b), 0);
    CHECK_EQ(send_to(runtime, &a, "hello", 5, NULL), 5);
    CHECK_EQ(recv_from(runtime, &b, bytes, sizeof bytes, &from), 5);
    CHECK_EQ(send_to(runtime, &c, "stranger", 8, &at_a), 8);
    CHECK_EQ(send_to(runtime, &b, "friend", 6, &at_a), 6);
    sy_recv_init(&recv, &a, bytes, sizeof bytes);
    run(runtime, &sy_recv_type, &recv);
    CHECK(recv.result == 6 && memcmp(bytes, "friend", 6) == 0);

    CHECK_EQ(sy_datagram_connect(&a, &at_c), 0); /* another peer from now on */
    sy_send_init(&send, &a, "you", 3);
    run(runtime, &sy_send_type, &send);
    CHECK_EQ(send.result, 3);
    CHECK_EQ(recv_from(runtime, &c, bytes, sizeof bytes, &from), 3);
    CHECK(same_address(&from.from, &at_a));

    sy_socket_close(&c); /* its descriptor may be closed a moment later */
    int64_t told;
    do {
        sy_recv_init(&recv, &a, bytes, sizeof bytes);
        told = send_to(runtime, &a, "gone?", 5, NULL); /* tells what the one before met */
        struct timed waiting = {.type = &sy_recv_type, .operation = &recv};
        run(runtime, &timed_type, &waiting);
        told = told < 0 ? told : recv.result;
    } while (told == -ECANCELED);
    CHECK_EQ(told, -ECONNREFUSED);
    sy_socket_close(&a);
    sy_socket_close(&b);
    CHECK_EQ(sy_datagram_connect(&a, &at_c), -EBADF);
    sy_runtime_destroy(runtime);
}

/* Connected anew while a reactor waits for it: what comes after that is received. */
static void connecting_disturbs_no_wait(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b;
    struct sy_address at_a, at_b;
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &a, &at_a), 0);
    CHECK_EQ(bind_at(runtime, "127.0.0.1:0", &b, &at_b), 0);
    for (unsigned i = 0; i < 100; i++) {
        struct sy_recv recv;
        struct sy_join join;
        struct sy_outcome outcome;
        char byte;
        sy_recv_init(&recv, &a, &byte, 1);
        CHECK_EQ(sy_spawn(runtime, &sy_recv_type, &recv, &join), 0);
        CHECK_EQ(sy_datagram_connect(&a, &at_b), 0);
        CHECK_EQ(sendto(b.fd, "x", 1, 0, &at_a.any, at_a.length), 1);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK_EQ(((const struct sy_recv *)outcome.future)->result, 1);
        sy_join_drop(&join);
    }
    sy_socket_close(&a);
    sy_socket_close(&b);
    sy_runtime_destroy(runtime);
}

/* Paths, abstract names, names that the kernel chooses, and no address at all. */
static void unix_datagrams_work(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b, again;
    struct sy_address at_a, at_b, other;
    char path[64], name[64], bytes[16];
    snprintf(path, sizeof path, "unix:/tmp/suite_net_datagram.%d.sock", (int)getpid());
    snprintf(name, sizeof name, "unix:@suite_net_datagram.%d", (int)getpid());
    unlink(path + 5);
    CHECK_EQ(bind_at(runtime, path, &a, &at_a), 0);
    CHECK_EQ(bind_at(runtime, name, &b, &at_b), 0);
    talk(runtime, &a, &at_a, &b, &at_b, 65536);
    CHECK_EQ(bind_at(runtime, path, &again, &other), -EADDRINUSE);
    sy_socket_close(&a);
    CHECK_EQ(bind_at(runtime, path, &again, &other), -EADDRINUSE); /* the file is left behind */
    CHECK_EQ(bind_at(runtime, "unix:@", &a, &at_a), 0);
    CHECK(at_a.length > sizeof at_a.local.sun_family + 1);
    talk(runtime, &a, &at_a, &b, &at_b, 65536);

    struct sy_recv_from recv;
    int nameless = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(sendto(nameless, "who", 3, 0, &at_b.any, at_b.length), 3);
    CHECK_EQ(recv_from(runtime, &b, bytes, sizeof bytes, &recv), 3);
    CHECK(recv.from.length == 0 && recv.from.any.sa_family == AF_UNSPEC);
    close(nameless);
    sy_socket_close(&a);
    sy_socket_close(&b);
    unlink(path + 5);
    sy_runtime_destroy(runtime);
}

/* A path that fills its field to the last byte, which the kernel tells as one byte longer than the field. */
static void the_longest_path_fits(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b;
    struct sy_address full = {.length = sizeof full.local}, at_b;
    char directory[] = "/tmp/suite_net_XXXXXX", bytes[16], text[SY_ADDRESS_TEXT_SIZE];
    struct sy_recv_from recv;
    CHECK(mkdtemp(directory));
    full.local.sun_family = AF_UNIX;
    memset(full.local.sun_path, 'x', sizeof full.local.sun_path);
    memcpy(full.local.sun_path, directory, strlen(directory));
    full.local.sun_path[strlen(directory)] = '/';
    CHECK_EQ(sy_datagram_bind(&a, runtime, &full, NULL), 0);
    CHECK_EQ(bind_at(runtime, "unix:@", &b, &at_b), 0);
    CHECK_EQ(send_to(runtime, &a, "far", 3, &at_b), 3);
    CHECK_EQ(recv_from(runtime, &b, bytes, sizeof bytes, &recv), 3);
    CHECK(same_address(&recv.from, &full));
    CHECK_EQ(send_to(runtime, &b, "back", 4, &recv.from), 4);
    CHECK_EQ(recv_from(runtime, &a, bytes, sizeof bytes, &recv), 4);
    CHECK_EQ(sy_socket_local_address(&a, &at_b), 0);
    CHECK(same_address(&at_b, &full));
    sy_address_format(&at_b, text, sizeof text);
    CHECK_EQ(strlen(text), 5 + sizeof full.local.sun_path);
    CHECK_EQ(unlink(text + 5), 0);
    CHECK_EQ(rmdir(directory), 0);
    sy_socket_close(&a);
    sy_socket_close(&b);
    sy_runtime_destroy(runtime);
}

/* The kernel chooses by both addresses: of 200 senders, neither gets less than 30 but once in 10^24 runs. */
static void sockets_on_one_port_share_what_comes(size_t variant) {
    enum { SENDERS = 200 };
    struct sy_runtime *runtime = start(variant);
    const struct sy_bind_options options = {.reuse_port = true};
    struct sy_socket ours[2], third;
    struct sy_address address;
    unsigned got[2] = {0, 0};
    CHECK_EQ(sy_address_parse("127.0.0.1:0", &address, NULL, 0), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(sy_datagram_bind(&ours[i], runtime, &address, &options), 0);
        CHECK_EQ(sy_socket_local_address(&ours[i], &address), 0); /* the second's is the first's */
    }
    CHECK_EQ(sy_datagram_bind(&third, runtime, &address, NULL), -EADDRINUSE); /* it does not say reuse_port */
    for (int i = 0; i < SENDERS; i++) {
        int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CHECK_EQ(sendto(sender, "x", 1, 0, &address.any, address.length), 1);
        close(sender);
    }
    for (int i = 0; i < 2; i++) {
        for (;;) {
            char byte;
            struct sy_recv_from recv;
            sy_recv_from_init(&recv, &ours[i], &byte, 1);
            struct timed waiting = {.type = &sy_recv_from_type, .operation = &recv};
            run(runtime, &timed_type, &waiting);
            if (recv.result == -ECANCELED) {
                break; /* no more came for a fifth of a second, and they were there before */
            }
            CHECK_EQ(recv.result, 1);
            got[i]++;
        }
        sy_socket_close(&ours[i]);
    }
    CHECK_EQ(got[0] + got[1], SENDERS);
    CHECK(got[0] > 30 && got[1] > 30);
    CHECK_EQ(sy_address_parse("unix:@suite_net", &address, NULL, 0), 0);
    CHECK_EQ(sy_datagram_bind(&third, runtime, &address, &options), -ENOTSUP);
    sy_runtime_destroy(runtime);
}

static unsigned receive_what_is_there(int fd) {
    unsigned count = 0;
    for (char byte; recv(fd, &byte, 1, MSG_DONTWAIT) == 1;) {
        count++;
    }
    return count;
}

/* On Unix sockets, where none is thrown away: a send waits for room; one that is dropped meanwhile was not sent. */
static void a_send_waits_for_room(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct sy_send_to send_one;
    struct hand hand;
    int fds[2];
    char byte = 0;
    hand_init(&hand, runtime);
    for (int dropped = 0; dropped < 2; dropped++) {
        unsigned sent = 0, got = 0;
        CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
        CHECK_EQ(sy_socket_from_fd(&ours, runtime, fds[0]), 0);
        while (send(fds[0], &byte, 1, MSG_DONTWAIT) == 1) {
            sent++;
        }
        sy_send_to_init(&send_one, &ours, "m", 1, NULL);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ(hand_poll(&hand, &sy_send_to_type, &send_one), SY_PENDING);
        }
        if (dropped) {
            sy_send_to_drop(&send_one);
            CHECK_EQ(send_one.result, -ECANCELED);
            sy_send_to_drop(&send_one); /* harmless */
        }
        got += receive_what_is_there(fds[1]); /* that one is free is no room yet: most have to be */
        if (!dropped) {
            hand_finish(&hand, &sy_send_to_type, &send_one);
            CHECK_EQ(send_one.result, 1);
            sent++;
        }
        got += receive_what_is_there(fds[1]);
        CHECK_EQ(got, sent);
        sy_socket_close(&ours);
        close(fds[1]);
    }
    sy_runtime_destroy(runtime);
}

/* ---- time-outs ---- */

/* Receives numbered datagrams, each time with a limit so short that it comes before, within and after the receive. */
struct counting {
    struct sy_socket *socket;
    struct sy_async async;
    struct sy_timeout timeout;
    struct sy_recv_from recv;
    struct au32 *cancelled;
    uint64_t random;
    uint32_t next, total, number;
    bool timing;
};

static enum sy_poll counting_wait(struct counting *f, struct sy_context *cx) {
    f->timing = sy_timeout_poll(&f->timeout, cx) == SY_PENDING;
    return f->timing ? SY_PENDING : SY_READY;
}

static enum sy_poll counting_poll(void *future, struct sy_context *cx) {
    struct counting *f = future;
    sy_async_begin(&f->async);
    while (f->next < f->total) {
        sy_recv_from_init(&f->recv, f->socket, &f->number, sizeof f->number);
        sy_timeout_init(&f->timeout, cx->runtime, check_random(&f->random) % 40000, &sy_recv_from_type, &f->recv);
        sy_await(&f->async, counting_wait(f, cx));
        if (f->recv.result >= 0) {
            CHECK_EQ(f->recv.result, sizeof f->number);
            CHECK_EQ(f->number, f->next);
            CHECK(!f->recv.truncated);
            CHECK(f->recv.from.any.sa_family == AF_UNIX && f->recv.from.length > sizeof(sa_family_t));
            f->next++;
        } else {
            CHECK_EQ(f->recv.result, -ECANCELED);
            CHECK(f->timeout.elapsed);
            au32_fetch_add_relaxed(f->cancelled, 1); /* only counts */
        }
    }
    sy_async_end(&f->async);
}

static void counting_drop(void *future) {
    struct counting *f = future;
    if (f->timing) {
        sy_timeout_drop(&f->timeout);
    }
}

static const struct sy_future_type counting_type = {"counting", sizeof(struct counting), counting_poll, counting_drop};

static void timeouts_at_random_lose_no_datagram(size_t variant) {
    enum { TOTAL = 2000 };
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct sy_address here, there = {.length = sizeof(sa_family_t)};
    struct sy_join join;
    struct sy_outcome outcome;
    struct au32 cancelled = {0};
    uint64_t random = check_seed() + 1;
    CHECK_EQ(bind_at(runtime, "unix:@", &ours, &here), 0);
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    there.any.sa_family = AF_UNIX;
    CHECK_EQ(bind(sender, &there.any, there.length), 0);
    struct counting counting = {
        .socket = &ours, .random = check_seed(), .total = TOTAL, .number = 0, .cancelled = &cancelled};
    CHECK_EQ(sy_spawn(runtime, &counting_type, &counting, &join), 0);
    for (uint32_t i = 0; i < TOTAL; i++) {
        CHECK_EQ(sendto(sender, &i, sizeof i, 0, &here.any, here.length), sizeof i); /* waits for room */
        uint32_t before = au32_load_relaxed(&cancelled);
        bool stops = i + 1 < TOTAL && check_random(&random) % 16 == 0;
        while (stops && au32_load_relaxed(&cancelled) == before) {
            sched_yield();
        }
    }
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    CHECK_EQ(((const struct counting *)outcome.future)->next, TOTAL);
    sy_join_drop(&join);
    sy_socket_close(&ours);
    close(sender);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"udp_datagrams_come_with_addresses", udp_datagrams_come_with_addresses},
    {"udp_over_ipv6", udp_over_ipv6},
    {"what_is_cut_is_told", what_is_cut_is_told},
    {"connected_sockets_hear_one_peer", connected_sockets_hear_one_peer},
    {"connecting_disturbs_no_wait", connecting_disturbs_no_wait},
    {"unix_datagrams_work", unix_datagrams_work},
    {"the_longest_path_fits", the_longest_path_fits},
    {"sockets_on_one_port_share_what_comes", sockets_on_one_port_share_what_comes},
    {"a_send_waits_for_room", a_send_waits_for_room},
    {"timeouts_at_random_lose_no_datagram", timeouts_at_random_lose_no_datagram},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_datagram", tests, sizeof tests / sizeof tests[0], argc, argv);
}
