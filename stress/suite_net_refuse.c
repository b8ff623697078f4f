/*
 * What is refused, with every reactor, and with which error: what cannot be opened, closed sockets, wrong arguments.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>

#include "stress/net_fixture.h"

/* ---- opening ---- */

static void a_refused_connection_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_address address;
    CHECK_EQ(sy_address_parse("127.0.0.1:0", &address, NULL, 0), 0);
    int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* holds the port, and does not listen there */
    CHECK_EQ(bind(bound, &address.any, address.length), 0);
    CHECK_EQ(getsockname(bound, &address.any, &address.length), 0);
    unsigned descriptors = count_descriptors();
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, &address);
    run(runtime, &sy_connect_type, &connect);
    CHECK_EQ(connect.result, -ECONNREFUSED);
    CHECK_EQ(connect.connection.fd, -1);
    await_descriptors(descriptors);
    close(bound);
    sy_runtime_destroy(runtime);
}

static int connect_to(struct sy_runtime *runtime, const struct sy_address *address) {
    struct sy_connect connect;
    sy_connect_init(&connect, runtime, address);
    run(runtime, &sy_connect_type, &connect);
    CHECK(connect.result < 0);
    return connect.result;
}

static void what_cannot_be_opened_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket first, second;
    struct sy_address address, nowhere, nothing = {.length = 0};
    listen_at_loopback(runtime, &first, &address);
    unsigned descriptors = count_descriptors();
    CHECK_EQ(sy_listen(&second, runtime, &address, 64), -EADDRINUSE);
    CHECK_EQ(sy_listen(&second, runtime, &address, -1), -EINVAL);
    CHECK_EQ(sy_listen_with(&second, runtime, &address, &(struct sy_bind_options){.backlog = INT32_MIN}), -EINVAL);
    CHECK_EQ(sy_listen(&second, runtime, &nothing, 0), -EAFNOSUPPORT);
    CHECK_EQ(sy_datagram_bind(&second, runtime, &nothing, NULL), -EAFNOSUPPORT);
    CHECK_EQ(connect_to(runtime, &nothing), -EAFNOSUPPORT);
    CHECK_EQ(sy_address_parse("unix:/no-such-directory/s", &nowhere, NULL, 0), 0);
    CHECK_EQ(sy_listen(&second, runtime, &nowhere, 0), -ENOENT);
    CHECK_EQ(sy_datagram_bind(&second, runtime, &nowhere, NULL), -ENOENT);
    CHECK_EQ(connect_to(runtime, &nowhere), -ENOENT);
    await_descriptors(descriptors);
    sy_socket_close(&first);
    sy_runtime_destroy(runtime);
}

static void what_cannot_be_waited_for_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket socket;
    FILE *file = tmpfile();
    CHECK(file);
    int error = sy_socket_from_fd(&socket, runtime, fileno(file));
    CHECK_EQ(error, reactor_of(variant)->files ? 0 : -EPERM);
    if (!error) {
        CHECK_EQ(sy_socket_release(&socket), 0);
    }
    CHECK_EQ(sy_socket_from_fd(&socket, runtime, 1 << 20), -EBADF);
    CHECK_EQ(sy_socket_from_fd(&socket, runtime, -1), -EBADF);
    fclose(file);
    sy_runtime_destroy(runtime);
}

/* ---- operations ---- */

static int64_t receive(struct sy_runtime *runtime, struct sy_socket *socket, void *buffer, size_t length) {
    struct sy_recv recv;
    sy_recv_init(&recv, socket, buffer, length);
    run(runtime, &sy_recv_type, &recv);
    return recv.result;
}

static int64_t send_once(struct sy_runtime *runtime, struct sy_socket *socket, const void *data, size_t length) {
    struct sy_send send;
    sy_send_init(&send, socket, data, length);
    run(runtime, &sy_send_type, &send);
    return send.result;
}

static int64_t read_once(struct sy_runtime *runtime, struct sy_socket *pipe, void *buffer, size_t length) {
    struct sy_read read;
    sy_read_init(&read, pipe, buffer, length);
    run(runtime, &sy_read_type, &read);
    return read.result;
}

static int64_t write_once(struct sy_runtime *runtime, struct sy_socket *pipe, const void *data, size_t length) {
    struct sy_write write;
    sy_write_init(&write, pipe, data, length);
    run(runtime, &sy_write_type, &write);
    return write.result;
}

static int accept_once(struct sy_runtime *runtime, struct sy_socket *listener) {
    struct sy_accept accept;
    sy_accept_init(&accept, listener);
    run(runtime, &sy_accept_type, &accept);
    return accept.result;
}

static int64_t wait_ready(struct sy_runtime *runtime, struct sy_socket *socket, enum sy_interest interest) {
    struct sy_ready ready;
    sy_ready_init(&ready, socket, interest);
    run(runtime, &sy_ready_type, &ready);
    return ready.result;
}

static void a_closed_socket_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    struct sy_address address;
    char byte;
    close(make_pair(runtime, &ours));
    sy_socket_close(&ours);
    CHECK_EQ(receive(runtime, &ours, &byte, 1), -ECANCELED);
    CHECK_EQ(send_once(runtime, &ours, "x", 1), -ECANCELED);
    CHECK_EQ(read_once(runtime, &ours, &byte, 1), -ECANCELED);
    CHECK_EQ(write_once(runtime, &ours, "x", 1), -ECANCELED);
    CHECK_EQ(accept_once(runtime, &ours), -ECANCELED);
    CHECK_EQ(wait_ready(runtime, &ours, SY_READABLE), -ECANCELED);
    CHECK_EQ(wait_ready(runtime, &ours, SY_WRITABLE), -ECANCELED);
    CHECK_EQ(sy_socket_local_address(&ours, &address), -EBADF);
    CHECK_EQ(sy_socket_shutdown(&ours, SHUT_WR), -EBADF);
    CHECK_EQ(sy_socket_set_no_delay(&ours, true), -EBADF);
    CHECK_EQ(sy_socket_set_keep_alive(&ours, NULL), -EBADF);
    CHECK_EQ(sy_socket_release(&ours), -EBADF);
    sy_runtime_destroy(runtime);
}

/* To receive nothing would look like the end of the stream; to send nothing is nothing. */
static void no_room_is_refused(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours, reader, writer;
    char bytes[4];
    int theirs = make_pair(runtime, &ours), fds[2];
    CHECK_EQ(receive(runtime, &ours, bytes, 0), -EINVAL);
    write_fully(theirs, "abc", 3);
    CHECK_EQ(receive(runtime, &ours, bytes, 0), -EINVAL);
    CHECK_EQ(receive(runtime, &ours, bytes, sizeof bytes), 3); /* nothing was lost by it */
    CHECK_EQ(send_once(runtime, &ours, bytes, 0), 0);
    struct sy_send_all all;
    sy_send_all_init(&all, &ours, bytes, 0);
    run(runtime, &sy_send_all_type, &all);
    CHECK_EQ(all.result, 0);
    close(theirs);
    sy_socket_close(&ours);

    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(sy_socket_from_fd(&reader, runtime, fds[0]), 0);
    CHECK_EQ(sy_socket_from_fd(&writer, runtime, fds[1]), 0);
    CHECK_EQ(write_once(runtime, &writer, "x", 0), 0);
    CHECK_EQ(write_once(runtime, &writer, "x", 1), 1);
    CHECK_EQ(read_once(runtime, &reader, bytes, 0), -EINVAL);
    CHECK_EQ(receive(runtime, &reader, bytes, 1), -ENOTSOCK);
    CHECK_EQ(read_once(runtime, &reader, bytes, 1), 1);
    CHECK_EQ(send_once(runtime, &writer, "x", 1), -ENOTSOCK);
    sy_socket_close(&reader);
    sy_socket_close(&writer);
    sy_runtime_destroy(runtime);
}

/* When the descriptor is ready; before that, reactors that tell readiness wait without having asked. */
static void the_wrong_kind_of_socket_is_told(size_t variant) {
    struct sy_runtime *runtime = start(variant);
    struct sy_socket listener, datagrams, pair;
    struct sy_address address;
    char byte;
    listen_at_loopback(runtime, &listener, &address);
    int peer = connect_plainly(&address);
    CHECK_EQ(receive(runtime, &listener, &byte, 1), -ENOTCONN);
    int theirs = make_pair(runtime, &pair);
    write_fully(theirs, "x", 1);
    CHECK_EQ(accept_once(runtime, &pair), -EINVAL);
    CHECK_EQ(sy_socket_shutdown(&pair, 77), -EINVAL);
    CHECK(sy_socket_set_no_delay(&pair, true) < 0);
    CHECK(sy_socket_set_keep_alive(&pair, &(struct sy_keep_alive){1, 1, 1}) < 0);
    CHECK_EQ(sy_address_parse("127.0.0.1:0", &address, NULL, 0), 0);
    CHECK_EQ(sy_datagram_bind(&datagrams, runtime, &address, NULL), 0);
    CHECK_EQ(send_once(runtime, &datagrams, "x", 1), -EDESTADDRREQ);
    CHECK_EQ(sy_socket_local_address(&datagrams, &address), 0);
    CHECK_EQ(sy_datagram_connect(&datagrams, &address), 0);
    CHECK_EQ(send_once(runtime, &datagrams, "x", 1), 1); /* to itself */
    CHECK_EQ(accept_once(runtime, &datagrams), -EOPNOTSUPP);
    close(theirs);
    close(peer);
    sy_socket_close(&pair);
    sy_socket_close(&datagrams);
    sy_socket_close(&listener);
    sy_runtime_destroy(runtime);
}

static void times_of_keep_alive_have_bounds(size_t variant) {
    static const struct sy_keep_alive wrong[] = {{0, 1, 1},     {1, 0, 1},     {1, 1, 0},  {-1, 1, 1},
                                                 {32768, 1, 1}, {1, 32768, 1}, {1, 1, 128}};
    struct sy_runtime *runtime = start(variant);
    struct sy_socket ours;
    int theirs = make_tcp_pair(runtime, &ours);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int on = -1;
        socklen_t size = sizeof on;
        CHECK_EQ(sy_socket_set_keep_alive(&ours, &wrong[i]), -EINVAL);
        CHECK_EQ(getsockopt(ours.fd, SOL_SOCKET, SO_KEEPALIVE, &on, &size), 0);
        CHECK_EQ(on, 0);
    }
    CHECK_EQ(sy_socket_set_keep_alive(&ours, &(struct sy_keep_alive){32767, 32767, 127}), 0);
    close(theirs);
    sy_socket_close(&ours);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"a_refused_connection_is_told", a_refused_connection_is_told},
    {"what_cannot_be_opened_is_told", what_cannot_be_opened_is_told},
    {"what_cannot_be_waited_for_is_told", what_cannot_be_waited_for_is_told},
    {"a_closed_socket_is_told", a_closed_socket_is_told},
    {"no_room_is_refused", no_room_is_refused},
    {"the_wrong_kind_of_socket_is_told", the_wrong_kind_of_socket_is_told},
    {"times_of_keep_alive_have_bounds", times_of_keep_alive_have_bounds},
};

int main(int argc, char **argv) {
    return run_suite("suite_net_refuse", tests, sizeof tests / sizeof tests[0], argc, argv);
}
