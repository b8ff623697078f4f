/*
 * Messages and files, over every back end: vectors, datagrams and their addresses, and reading and writing at an offset
 * where the back end takes regular files.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>

#include "stress/support.h"
#include "stress/support_rx.h"

/* ---- streams ---- */

static void vectors_on(struct rig *rig, struct rig_link link) {
    char one[3], two[5], three[64];
    struct iovec in[] = {{one, sizeof one}, {NULL, 0}, {two, sizeof two}, {three, sizeof three}};
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}, {"hijklmnop", 9}};
    struct msghdr receive = {.msg_iov = in, .msg_iovlen = 4}, message = {.msg_iov = out, .msg_iovlen = 4};
    struct rx_op op;
    for (int round = 0; round < 10; round++) {
        rig_start(rig, &op, RX_RECV_MSG, link.source, &receive, 0);
        CHECK_EQ(send(link.peer, "0123456789", 10, 0), 10);
        CHECK_EQ(rig_finish(rig, &op), 10);
        CHECK(memcmp(one, "012", 3) == 0 && memcmp(two, "34567", 5) == 0 && memcmp(three, "89", 2) == 0);
        CHECK_EQ(rig_do(rig, RX_SEND_MSG, link.source, &message, 0), 16);
        CHECK_EQ(recv(link.peer, three, sizeof three, 0), 16);
        CHECK(memcmp(three, "abcdefghijklmnop", 16) == 0);
    }
    CHECK_EQ(shutdown(link.peer, SHUT_WR), 0);
    CHECK_EQ(rig_do(rig, RX_RECV_MSG, link.source, &receive, 0), 0);
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_WR), 0);
    CHECK_EQ(rig_do(rig, RX_SEND_MSG, link.source, &message, 0), -EPIPE);
}

static void vectors(size_t variant) {
    rig_over_families(variant, vectors_on);
}

/* A send that finds no room goes on when there is some; what it says was sent is what arrives. */
static void vectors_wait_for_room_on(struct rig *rig, struct rig_link link) {
    static char half[32768];
    struct iovec parts[] = {{half, sizeof half}, {half, sizeof half}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct rx_op op;
    int64_t sent = rig_fill(rx_source_fd(link.source)), received = 0;
    while (rig_begin(rig, &op, RX_SEND_MSG, link.source, &message, 0) == RX_DONE) {
        CHECK(op.result > 0);
        sent += op.result;
    }
    rig_flush(rig);
    while (received < sent) {
        ssize_t n = recv(link.peer, half, sizeof half, MSG_DONTWAIT);
        CHECK(n > 0 || errno == EAGAIN);
        received += n > 0 ? n : 0;
    }
    int64_t result = rig_finish(rig, &op);
    CHECK(result > 0);
    CHECK_EQ(shutdown(rx_source_fd(link.source), SHUT_WR), 0);
    CHECK_EQ(received + rig_read_to_end(rig, link.peer), sent + result);
}

static void vectors_wait_for_room(size_t variant) {
    rig_over_families(variant, vectors_wait_for_room_on);
}

/* ---- datagrams ---- */

struct datagrams {
    struct rig rig;
    struct rx_source *source; /* bound to `here` */
    int peer;                 /* bound to `there` */
    struct sockaddr_in here, there;
};

static int bound(struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(fd, (struct sockaddr *)address, size), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static void datagrams_open(struct datagrams *d, size_t variant) {
    rig_init(&d->rig, variant);
    d->source = rig_register(&d->rig, bound(&d->here));
    d->peer = bound(&d->there);
}

static void datagrams_close(struct datagrams *d) {
    rig_deregister_and_close(&d->rig, d->source);
    close(d->peer);
    rig_close(&d->rig);
}

static void tell(const struct datagrams *d, const void *data, size_t length) {
    CHECK_EQ(sendto(d->peer, data, length, 0, (const struct sockaddr *)&d->here, sizeof d->here), length);
}

/* The sender's address, a datagram without bytes, which is no end, and one that is too long for the buffer. */
static void datagrams_come_with_addresses(size_t variant) {
    static const struct {
        const char *data;
        size_t length;
        int flags;
    } sent[] = {{"abc", 3, 0}, {"", 0, 0}, {"0123456789", 10, MSG_TRUNC}, {"defg", 4, 0}};
    struct datagrams d;
    datagrams_open(&d, variant);
    for (size_t i = 0; i < 2 * sizeof sent / sizeof *sent; i++) {
        size_t k = i / 2;
        char bytes[4];
        struct sockaddr_storage from = {0};
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
        struct rx_op op;
        if (i % 2) { /* it waits, or it is there */
            rig_start(&d.rig, &op, RX_RECV_MSG, d.source, &message, 0);
            tell(&d, sent[k].data, sent[k].length);
        } else {
            tell(&d, sent[k].data, sent[k].length);
            rx_op_init(&op, RX_RECV_MSG, d.source, &message, 0);
        }
        size_t expected = sent[k].length < sizeof bytes ? sent[k].length : sizeof bytes;
        CHECK_EQ(rig_finish(&d.rig, &op), expected);
        CHECK(memcmp(bytes, sent[k].data, expected) == 0);
        CHECK_EQ(message.msg_flags & MSG_TRUNC, sent[k].flags);
        CHECK_EQ(message.msg_namelen, sizeof d.there);
        CHECK(memcmp(&from, &d.there, sizeof d.there) == 0);
    }
    datagrams_close(&d);
}

static void datagrams_go_where_they_shall(size_t variant) {
    struct datagrams d;
    datagrams_open(&d, variant);
    struct sockaddr_in other_address, from;
    int other = bound(&other_address);
    static char large[70000];
    for (size_t length = 0; length < 20; length++) {
        char bytes[64];
        socklen_t size = sizeof from;
        bool to_other = length % 2;
        struct iovec parts[] = {{large, length / 2}, {"0123456789", length - length / 2}};
        struct msghdr message = {.msg_name = to_other ? &other_address : &d.there,
                                 .msg_namelen = sizeof d.there,
                                 .msg_iov = parts,
                                 .msg_iovlen = 2};
        CHECK_EQ(rig_do(&d.rig, RX_SEND_MSG, d.source, &message, 0), length);
        CHECK_EQ(recvfrom(to_other ? other : d.peer, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size), length);
        CHECK(memcmp(bytes + length / 2, "0123456789", length - length / 2) == 0);
        CHECK_EQ(from.sin_port, d.here.sin_port);
    }
    struct iovec part = {large, sizeof large};
    struct msghdr message = {.msg_name = &d.there, .msg_namelen = sizeof d.there, .msg_iov = &part, .msg_iovlen = 1};
    CHECK_EQ(rig_do(&d.rig, RX_SEND_MSG, d.source, &message, 0), -EMSGSIZE);
    close(other);
    datagrams_close(&d);
}

/* A connected datagram socket learns that nobody is there, by an error alone; and goes on after it. */
static void datagrams_to_nobody(size_t variant) {
    struct datagrams d;
    datagrams_open(&d, variant);
    struct rx_op op;
    char bytes[8];
    CHECK_EQ(connect(rx_source_fd(d.source), (struct sockaddr *)&d.there, sizeof d.there), 0);
    close(d.peer);
    for (int round = 0; round < 3; round++) {
        rig_start(&d.rig, &op, RX_RECV, d.source, bytes, sizeof bytes);
        CHECK_EQ(rig_do(&d.rig, RX_SEND, d.source, "abc", 3), 3);
        CHECK_EQ(rig_finish(&d.rig, &op), -ECONNREFUSED);
    }
    d.peer = bound(&d.there);
    datagrams_close(&d);
}

/* A queue of datagrams that is full: the send waits for room. On Unix sockets, where none is thrown away. */
static void datagrams_wait_for_room(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct rx_source *source = rig_register(&rig, fds[0]);
    uint32_t next = 0, received = 0, value;
    struct iovec part = {&next, sizeof next};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct rx_op op;
    while (send(fds[0], &next, sizeof next, 0) == sizeof next) {
        next++;
    }
    CHECK_EQ(errno, EAGAIN);
    rig_start(&rig, &op, RX_SEND_MSG, source, &message, 0);
    CHECK(next > 0);
    while (recv(fds[1], &value, sizeof value, 0) == sizeof value) {
        CHECK_EQ(value, received++);
    }
    CHECK_EQ(rig_finish(&rig, &op), sizeof next);
    for (;;) { /* a completion back end may have sent it while the others were read */
        if (recv(fds[1], &value, sizeof value, 0) == sizeof value) {
            CHECK_EQ(value, received++);
        } else if (received == next + 1) {
            break;
        }
    }
    rig_deregister_and_close(&rig, source);
    close(fds[1]);
    rig_close(&rig);
}

struct numbers {
    int fd;
    uint32_t total;
};

static void *send_numbers(void *argument) {
    struct numbers *numbers = argument;
    for (uint32_t i = 0; i < numbers->total;) {
        if (send(numbers->fd, &i, sizeof i, MSG_DONTWAIT) == sizeof i) {
            i++;
        } else {
            CHECK_EQ(errno, EAGAIN);
            sched_yield();
        }
    }
    return NULL;
}

/* Receives that are cancelled while datagrams come: each datagram is received once. */
static void cancel_loses_no_datagram(size_t variant) {
    struct rig rig;
    struct rig_waiter waiter;
    struct rx_probe probe;
    pthread_t thread;
    int fds[2];
    rig_init(&rig, variant);
    rx_probe_init(&probe);
    struct sy_waker waker = rx_probe_waker(&probe);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    rig_waiter_start(&waiter, &rig);
    struct rx_source *source = rig_register(&rig, fds[0]);
    struct numbers numbers = {.fd = fds[1], .total = support_rounds(10000)};
    CHECK_EQ(pthread_create(&thread, NULL, send_numbers, &numbers), 0);
    uint64_t random = check_seed();
    for (uint32_t next = 0; next < numbers.total;) {
        uint32_t value = 0;
        struct iovec part = {&value, sizeof value};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        struct rx_op op;
        rx_op_init(&op, RX_RECV_MSG, source, &message, 0);
        bool done = rig.ops->poll(rig.rx, &op, &waker) == RX_DONE;
        if (!done && check_random(&random) % 2) {
            for (uint64_t spin = check_random(&random) % 256; spin > 0; spin--) {
                cpu_relax();
            }
            done = rig.ops->cancel(rig.rx, &op) == RX_DONE;
        }
        if (!done) {
            rig_finish_asleep(&rig, &op, &probe);
        }
        CHECK(op.result == sizeof value || op.result == -ECANCELED);
        if (op.result > 0) {
            CHECK_EQ(value, next++);
        }
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    rig_deregister_and_close(&rig, source);
    close(fds[1]);
    rig_waiter_stop(&waiter);
    rx_probe_close(&probe);
    rig_close(&rig);
}

/* A descriptor that was passed comes with the message. */
static void descriptors_come_along(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    unsigned before = support_fd_count();
    char bytes[8];
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } sent = {0}, got = {0};
    struct iovec part = {bytes, sizeof bytes}, word = {"fd", 2};
    struct msghdr receive = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = got.room, .msg_controllen = sizeof got.room};
    struct msghdr message = {
        .msg_iov = &word, .msg_iovlen = 1, .msg_control = sent.room, .msg_controllen = sizeof sent.room};
    sent.aligned =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(&sent.aligned), &link.peer, sizeof(int));
    struct rx_op op;
    rig_start(&rig, &op, RX_RECV_MSG, link.source, &receive, 0);
    CHECK_EQ(sendmsg(link.peer, &message, 0), 2);
    CHECK_EQ(rig_finish(&rig, &op), 2);
    struct cmsghdr *header = CMSG_FIRSTHDR(&receive);
    CHECK(header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)));
    int passed;
    memcpy(&passed, CMSG_DATA(header), sizeof passed);
    CHECK_EQ(support_fd_count(), before + 1);
    CHECK_EQ(send(passed, "twin", 4, 0), 4);
    CHECK_EQ(rig_do(&rig, RX_RECV, link.source, bytes, sizeof bytes), 4);
    close(passed);
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* ---- files ---- */

static bool takes_files(const struct rig *rig) {
    if (!rig->ops->files) {
        check_skip("%s takes no regular files, and says so", rig->ops->name);
    }
    return rig->ops->files;
}

static int open_file(int flags) {
    FILE *file = tmpfile();
    CHECK(file != NULL);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    int fd = open(path, flags | O_CLOEXEC);
    CHECK(fd >= 0);
    fclose(file);
    return fd;
}

static int64_t move_at(struct rig *rig, enum rx_kind kind, struct rx_source *source, const struct iovec *parts,
                       size_t count, int64_t offset) {
    struct rx_at at = {parts, offset};
    struct rx_op op;
    rx_op_init(&op, kind, source, NULL, count);
    op.at = &at;
    return rig_finish(rig, &op);
}

static void files_at_offsets(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (takes_files(&rig)) {
        static const int64_t far = INT64_C(5) << 30; /* a hole before it */
        int fd = open_file(O_RDWR);
        struct rx_source *source = rig_register(&rig, fd);
        char a[4] = "", b[16] = "";
        struct iovec out[] = {{"abc", 3}, {"defgh", 5}}, in[] = {{a, 2}, {b, sizeof b}};
        CHECK_EQ(move_at(&rig, RX_WRITE_AT, source, out, 2, 10), 8);
        CHECK_EQ(move_at(&rig, RX_WRITE_AT, source, out, 1, far), 3);
        CHECK_EQ(move_at(&rig, RX_READ_AT, source, in, 2, 11), 18);
        CHECK(memcmp(a, "bc", 2) == 0 && memcmp(b, "defgh\0", 6) == 0);
        CHECK_EQ(move_at(&rig, RX_READ_AT, source, in, 2, far + 1), 2); /* short at the end */
        CHECK(memcmp(a, "bc", 2) == 0);
        CHECK_EQ(move_at(&rig, RX_READ_AT, source, in, 2, far + 3), 0); /* and past it */
        CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0); /* the file's own position is nobody's business */
        struct stat was;
        CHECK_EQ(fstat(fd, &was), 0);
        CHECK_EQ(was.st_size, far + 3);
        rig.ops->close(rig.rx, source);
        while (rig_is_open(fd, &was)) {
            CHECK(rig.ops->wait(rig.rx, 100000) >= 0);
        }
    }
    rig_close(&rig);
}

static void files_say_what_is_wrong(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    if (takes_files(&rig)) {
        char bytes[8];
        struct iovec part = {bytes, sizeof bytes};
        struct rx_source *source = rig_register(&rig, open_file(O_RDONLY));
        CHECK_EQ(move_at(&rig, RX_WRITE_AT, source, &part, 1, 0), -EBADF);
        CHECK_EQ(move_at(&rig, RX_READ_AT, source, &part, 1, -1), -EINVAL);
        CHECK_EQ(move_at(&rig, RX_READ_AT, source, &part, 1, 0), 0);
        rig_deregister_and_close(&rig, source);
    }
    rig_close(&rig);
}

/* One file as several sources, operations on all of them at once, some cancelled: what is said to be written is. */
static void files_many_at_once(size_t variant) {
    enum { SOURCES = 8, SIZE = 4096 };
    struct rig rig;
    rig_init(&rig, variant);
    if (takes_files(&rig)) {
        static char written[SOURCES][SIZE], got[SIZE];
        int fd = open_file(O_RDWR);
        struct rx_source *sources[SOURCES];
        struct rx_op ops[SOURCES];
        struct iovec parts[SOURCES];
        struct rx_at places[SOURCES];
        CHECK_EQ(ftruncate(fd, (int64_t)SOURCES * SIZE), 0);
        for (int i = 0; i < SOURCES; i++) {
            sources[i] = rig_register(&rig, fd);
        }
        uint64_t random = check_seed();
        for (unsigned round = 0; round < support_rounds(200); round++) {
            bool pending[SOURCES];
            for (int i = 0; i < SOURCES; i++) {
                memset(written[i], (int)(round * SOURCES + (unsigned)i), SIZE);
                parts[i] = (struct iovec){written[i], SIZE};
                rx_op_init(&ops[i], RX_WRITE_AT, sources[i], NULL, 1);
                places[i] = (struct rx_at){&parts[i], (int64_t)i * SIZE};
                ops[i].at = &places[i];
                pending[i] = rig.ops->poll(rig.rx, &ops[i], &rig.waker) == RX_PENDING;
            }
            for (int i = 0; i < SOURCES; i++) {
                if (pending[i]) {
                    check_random(&random) % 4 ? rig_finish(&rig, &ops[i]) : rig_cancel(&rig, &ops[i]);
                }
                CHECK(ops[i].result == SIZE || ops[i].result == -ECANCELED);
                CHECK_EQ(pread(fd, got, SIZE, (int64_t)i * SIZE), SIZE);
                CHECK(ops[i].result < 0 || memcmp(got, written[i], SIZE) == 0);
            }
        }
        for (int i = 0; i < SOURCES; i++) {
            rig.ops->deregister(rig.rx, sources[i]);
        }
        close(fd);
    }
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"vectors", vectors},
        {"vectors_wait_for_room", vectors_wait_for_room},
        {"datagrams_come_with_addresses", datagrams_come_with_addresses},
        {"datagrams_go_where_they_shall", datagrams_go_where_they_shall},
        {"datagrams_to_nobody", datagrams_to_nobody},
        {"datagrams_wait_for_room", datagrams_wait_for_room},
        {"cancel_loses_no_datagram", cancel_loses_no_datagram},
        {"descriptors_come_along", descriptors_come_along},
        {"files_at_offsets", files_at_offsets},
        {"files_say_what_is_wrong", files_say_what_is_wrong},
        {"files_many_at_once", files_many_at_once},
    };
    return rx_run_suite("suite_rx_messages", tests, sizeof tests / sizeof tests[0], argc, argv);
}
