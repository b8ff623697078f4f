/*
 * Several pieces of memory in one operation, over the runtime, with every reactor: order, limits, what is sent in part.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <limits.h>

#include "stress/net_fixture.h"

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

static int64_t recv_vectors(struct sy_runtime *runtime, struct sy_socket *socket, const struct iovec *vectors,
                            size_t count) {
    struct sy_recv_vectors recv;
    sy_recv_vectors_init(&recv, socket, vectors, count);
    run(runtime, &sy_recv_vectors_type, &recv);
    return recv.result;
}

static int64_t send_vectors(struct sy_runtime *runtime, struct sy_socket *socket, const struct iovec *vectors,
                            size_t count) {
    struct sy_send_vectors send;
    sy_send_vectors_init(&send, socket, vectors, count);
    run(runtime, &sy_send_vectors_type, &send);
    return send.result;
}

static void pieces_over(struct sy_runtime *runtime, int (*pair)(struct sy_runtime *, struct sy_socket *)) {
    struct sy_socket ours;
    char one[3], two[5], three[64];
    const struct iovec in[] = {{one, sizeof one}, {NULL, 0}, {two, sizeof two}, {three, sizeof three}};
    const struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}, {"hij", 3}};
    int theirs = pair(runtime, &ours);
    for (int round = 0; round < 10; round++) {
        struct sy_recv_vectors receive;
        struct sy_join join;
        struct sy_outcome outcome;
        sy_recv_vectors_init(&receive, &ours, in, 4);
        CHECK_EQ(sy_spawn(runtime, &sy_recv_vectors_type, &receive, &join), 0);
        memset(&receive, 0xff, sizeof receive); /* it moved between init and poll */
        write_fully(theirs, "0123456789", 10);
        CHECK_EQ(sy_join_wait(&join, &outcome), 0);
        CHECK_EQ(((const struct sy_recv_vectors *)outcome.future)->result, 10);
        sy_join_drop(&join);
        CHECK(memcmp(one, "012", 3) == 0 && memcmp(two, "34567", 5) == 0 && memcmp(three, "89", 2) == 0);
        CHECK_EQ(send_vectors(runtime, &ours, out, 4), 10);
        CHECK_EQ(recv(theirs, three, 10, MSG_WAITALL), 10);
        CHECK(memcmp(three, "abcdefghij", 10) == 0);
    }
    CHECK_EQ(shutdown(theirs, SHUT_WR), 0);
    CHECK_EQ(recv_vectors(runtime, &ours, in, 4), 0);
    sy_socket_close(&ours);
    CHECK_EQ(recv_vectors(runtime, &ours, in, 4), -ECANCELED);
    CHECK_EQ(send_vectors(runtime, &ours, out, 4), -ECANCELED);
    close(theirs);
}

static void pieces_are_filled_and_sent_in_order(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    pieces_over(runtime, make_pair);
    pieces_over(runtime, make_tcp_pair);
    sy_runtime_destroy(runtime);
}

static void one_datagram_is_sent_from_pieces(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket a, b;
    struct sy_address at_a, at_b;
    const struct iovec out[] = {{"ab", 2}, {"cde", 3}};
    char one[1], two[16];
    const struct iovec in[] = {{one, 1}, {two, sizeof two}};
    CHECK_EQ(sy_address_parse("127.0.0.1:0", &at_a, NULL, 0), 0);
    at_b = at_a;
    CHECK_EQ(sy_datagram_bind(&a, runtime, &at_a, NULL), 0);
    CHECK_EQ(sy_datagram_bind(&b, runtime, &at_b, NULL), 0);
    CHECK_EQ(sy_socket_local_address(&b, &at_b), 0);
    CHECK_EQ(sy_datagram_connect(&a, &at_b), 0);
    CHECK_EQ(send_vectors(runtime, &a, out, 2), 5);
    CHECK_EQ(send_vectors(runtime, &a, out, 1), 2);
    CHECK_EQ(recv_vectors(runtime, &b, in, 2), 5);
    CHECK(one[0] == 'a' && memcmp(two, "bcde", 4) == 0);
    CHECK_EQ(recv_vectors(runtime, &b, in, 2), 2);
    sy_socket_close(&a);
    sy_socket_close(&b);
    sy_runtime_destroy(runtime);
}

static void wrong_counts_are_refused(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    static char byte;
    static struct iovec many[IOV_MAX + 1];
    const struct iovec empty[] = {{&byte, 0}, {NULL, 0}};
    for (size_t i = 0; i < IOV_MAX + 1; i++) {
        many[i] = (struct iovec){&byte, 1};
    }
    int theirs = make_pair(runtime, &ours);
    write_fully(theirs, "x", 1);
    CHECK_EQ(recv_vectors(runtime, &ours, many, IOV_MAX + 1), -EMSGSIZE);
    CHECK_EQ(recv_vectors(runtime, &ours, empty, 2), -EINVAL); /* 0 would mean the end */
    CHECK_EQ(recv_vectors(runtime, &ours, NULL, 0), -EINVAL);
    CHECK_EQ(recv_vectors(runtime, &ours, many, IOV_MAX), 1);
    CHECK_EQ(send_vectors(runtime, &ours, many, IOV_MAX + 1), -EMSGSIZE);
    CHECK_EQ(send_vectors(runtime, &ours, empty, 2), 0);
    CHECK_EQ(send_vectors(runtime, &ours, many, IOV_MAX), IOV_MAX);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

/* Pieces of 0 to 999 bytes that hold a stream. */
struct pieces {
    size_t count, bytes;
    unsigned char *data;
    struct iovec *vectors;
};

static void pieces_make(struct pieces *pieces, size_t count) {
    uint64_t random = check_seed();
    *pieces =
        (struct pieces){.count = count, .data = malloc(count * 1000), .vectors = calloc(count, sizeof(struct iovec))};
    CHECK(pieces->data && pieces->vectors);
    for (size_t i = 0; i < count; i++) {
        size_t length = check_random(&random) % 4 ? check_random(&random) % 1000 : 0;
        pieces->vectors[i] = (struct iovec){pieces->data + pieces->bytes, length};
        pieces->bytes += length;
    }
    for (size_t i = 0; i < pieces->bytes; i++) {
        pieces->data[i] = stream_byte(i);
    }
}

static void pieces_free(struct pieces *pieces) {
    free(pieces->data);
    free(pieces->vectors);
}

/* As many bytes of the stream, from the given one on. */
static void read_stream(int fd, size_t from, size_t length) {
    unsigned char got[4096];
    for (size_t done = 0; done < length;) {
        ssize_t n = recv(fd, got, sizeof got < length - done ? sizeof got : length - done, 0);
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            CHECK_EQ(got[i], stream_byte(from + done + (size_t)i));
        }
        done += (size_t)n;
    }
}

static void any_number_is_sent_over(struct sy_runtime *runtime, int (*pair)(struct sy_runtime *, struct sy_socket *)) {
    struct sy_socket ours;
    struct sy_send_all_vectors send;
    struct sy_join join;
    struct sy_outcome outcome;
    struct pieces pieces;
    int theirs = pair(runtime, &ours), room = 8192;
    CHECK_EQ(setsockopt(ours.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    pieces_make(&pieces, 3 * IOV_MAX + 7);
    sy_send_all_vectors_init(&send, &ours, pieces.vectors, pieces.count);
    CHECK_EQ(sy_spawn(runtime, &sy_send_all_vectors_type, &send, &join), 0);
    memset(&send, 0xff, sizeof send); /* it moved between init and poll */
    read_stream(theirs, 0, pieces.bytes);
    CHECK_EQ(sy_join_wait(&join, &outcome), 0);
    const struct sy_send_all_vectors *ended = outcome.future;
    CHECK_EQ(ended->result, pieces.bytes);
    CHECK_EQ(ended->sent, pieces.bytes);
    CHECK_EQ(ended->count, 0);
    sy_join_drop(&join);
    pieces_free(&pieces);
    sy_socket_close(&ours);
    char byte;
    CHECK_EQ(recv(theirs, &byte, 1, 0), 0); /* not one more */
    close(theirs);
}

static void any_number_of_pieces_is_sent(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    any_number_is_sent_over(runtime, make_pair);
    any_number_is_sent_over(runtime, make_tcp_pair);
    sy_runtime_destroy(runtime);
}

/* What is left after a drop, or after an error, can be sent by another: together they send everything once. */
static void a_dropped_send_tells_how_far_it_came(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct pieces pieces;
    struct hand hand;
    struct sy_send_all_vectors send;
    int theirs = make_pair(runtime, &ours);
    pieces_make(&pieces, 3000);
    hand_init(&hand, runtime);
    sy_send_all_vectors_init(&send, &ours, pieces.vectors, pieces.count);
    sy_send_all_vectors_drop(&send); /* never polled */
    CHECK_EQ(send.sent, 0);
    size_t done = 0;
    while (send.count > 0) {
        sy_send_all_vectors_init(&send, &ours, send.vectors, send.count);
        int polls = 0;
        while (hand_poll(&hand, &sy_send_all_vectors_type, &send) == SY_PENDING && polls++ < 3) {
        }
        sy_send_all_vectors_drop(&send);
        sy_send_all_vectors_drop(&send); /* harmless */
        read_stream(theirs, done, send.sent);
        done += send.sent;
    }
    CHECK_EQ(done, pieces.bytes);
    sy_send_all_vectors_init(&send, &ours, NULL, 0);
    run(runtime, &sy_send_all_vectors_type, &send);
    CHECK_EQ(send.result, 0);
    pieces_free(&pieces);
    sy_socket_close(&ours);
    close(theirs);
    sy_runtime_destroy(runtime);
}

static void an_error_ends_a_send_of_all(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct pieces pieces;
    struct sy_send_all_vectors send;
    int theirs = make_pair(runtime, &ours);
    pieces_make(&pieces, 10);
    close(theirs);
    sy_send_all_vectors_init(&send, &ours, pieces.vectors, pieces.count);
    run(runtime, &sy_send_all_vectors_type, &send);
    CHECK_EQ(send.result, -EPIPE);
    CHECK_EQ(send.sent, 0);
    pieces_free(&pieces);
    sy_socket_close(&ours);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"pieces_are_filled_and_sent_in_order", pieces_are_filled_and_sent_in_order},
    {"one_datagram_is_sent_from_pieces", one_datagram_is_sent_from_pieces},
    {"wrong_counts_are_refused", wrong_counts_are_refused},
    {"any_number_of_pieces_is_sent", any_number_of_pieces_is_sent},
    {"a_dropped_send_tells_how_far_it_came", a_dropped_send_tells_how_far_it_came},
    {"an_error_ends_a_send_of_all", an_error_ends_a_send_of_all},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_vectors", tests, sizeof tests / sizeof tests[0], argc, argv);
}
