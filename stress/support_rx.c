/* See support_rx.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "stress/support_rx.h"

#include "stress/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>

static const char *rx_variant_name(size_t variant) {
    static char name[64];
    snprintf(name, sizeof name, "%s%s", rx_all[variant / 2]->name, variant % 2 ? "+try" : "");
    return name;
}

static bool rx_variant_runs(size_t variant) {
    const struct rx_ops *ops = rx_all[variant / 2];
    struct rx_config config = {.batch = 1, .slots = 1};
    struct rx *rx;
    int error = ops->create(&rx, &config);
    if (!error) {
        ops->destroy(rx);
        return true;
    }
    CHECK_EQ(error, -ENOTSUP);
    char why[256];
    rx_explain_refusal(ops, why, sizeof why);
    check_skip("%s: %s", ops->name, why);
    return false;
}

int rx_run_suite(const char *title, const struct check_test *tests, size_t count, int argc, char **argv) {
    const struct check_suite suite = {.title = title,
                                      .tests = tests,
                                      .test_count = count,
                                      .variant_count = 2 * rx_count,
                                      .variant_name = rx_variant_name,
                                      .variant_runs = rx_variant_runs};
    return check_main(&suite, argc, argv);
}

/* ---- probe ---- */

static void rx_probe_clone(void *data) {
    ai64_fetch_add_relaxed(&((struct rx_probe *)data)->references, 1);
}

static void rx_probe_drop(void *data) {
    int64_t before = ai64_fetch_sub_acq_rel(&((struct rx_probe *)data)->references, 1);
    CHECK(before > 0);
}

static void rx_probe_wake_by_ref(void *data) {
    struct rx_probe *probe = data;
    au32_fetch_add_release(&probe->wakes, 1);
    if (probe->hook) {
        probe->hook(probe);
    }
    CHECK(sem_post(&probe->woken) == 0);
}

static void rx_probe_wake(void *data) {
    rx_probe_wake_by_ref(data);
    rx_probe_drop(data);
}

static const struct sy_waker_vtable rx_probe_vtable = {
    .clone = rx_probe_clone, .wake = rx_probe_wake, .wake_by_ref = rx_probe_wake_by_ref, .drop = rx_probe_drop};

void rx_probe_init(struct rx_probe *probe) {
    *probe = (struct rx_probe){.hook = NULL};
    CHECK(sem_init(&probe->woken, 0, 0) == 0);
}

struct sy_waker rx_probe_waker(struct rx_probe *probe) {
    return (struct sy_waker){&rx_probe_vtable, probe};
}

uint32_t rx_probe_wakes(const struct rx_probe *probe) {
    return au32_load_acquire(&probe->wakes);
}

void rx_probe_close(struct rx_probe *probe) {
    CHECK_EQ(ai64_load_relaxed(&probe->references), 0);
    sem_destroy(&probe->woken);
}

void rx_probe_close_shared(struct rx_probe *probe) {
    while (ai64_load_acquire(&probe->references) > 0) {
        sched_yield();
    }
    rx_probe_close(probe);
}

/* ---- rig ---- */

void rig_init_slots(struct rig *rig, size_t variant, unsigned batch, unsigned slots) {
    struct rx_config config = {.batch = batch, .slots = slots, .speculative = variant % 2};
    rig->ops = rx_all[variant / 2];
    CHECK_EQ(rig->ops->create(&rig->rx, &config), 0);
    rx_probe_init(&rig->probe);
    rig->waker = rx_probe_waker(&rig->probe);
    rig_attach(rig);
}

void rig_attach(struct rig *rig) {
    if (rig->ops->attach) {
        CHECK_EQ(rig->ops->attach(rig->rx, 0), 0);
    }
}

void rig_detach(struct rig *rig) {
    if (rig->ops->detach) {
        rig->ops->detach(rig->rx);
    }
}

void rig_flush(struct rig *rig) {
    if (rig->ops->flush) {
        rig->ops->flush(rig->rx);
    }
}

void rig_init_batch(struct rig *rig, size_t variant, unsigned batch) {
    rig_init_slots(rig, variant, batch, 1);
}

void rig_init(struct rig *rig, size_t variant) {
    rig_init_batch(rig, variant, 64);
}

void rig_close(struct rig *rig) {
    rig_detach(rig);
    rig->ops->destroy(rig->rx);
    rx_probe_close(&rig->probe);
}

struct rx_source *rig_register(struct rig *rig, int fd) {
    struct rx_source *source = NULL;
    CHECK_EQ(rig->ops->register_fd(rig->rx, fd, &source), 0);
    CHECK_EQ(rx_source_fd(source), fd);
    return source;
}

void rig_deregister_and_close(struct rig *rig, struct rx_source *source) {
    int fd = rx_source_fd(source);
    rig->ops->deregister(rig->rx, source);
    CHECK_EQ(close(fd), 0);
}

void rig_wait_for_wake(struct rig *rig, uint32_t wakes) {
    while (rx_probe_wakes(&rig->probe) == wakes) {
        CHECK(rig->ops->wait(rig->rx, -1) >= 0);
    }
}

int64_t rig_finish(struct rig *rig, struct rx_op *op) {
    for (;;) {
        uint32_t wakes = rx_probe_wakes(&rig->probe);
        if (rig->ops->poll(rig->rx, op, &rig->waker) == RX_DONE) {
            return op->result;
        }
        rig_wait_for_wake(rig, wakes);
    }
}

int64_t rig_do(struct rig *rig, enum rx_kind kind, struct rx_source *source, void *buffer, size_t length) {
    struct rx_op op;
    rx_op_init(&op, kind, source, buffer, length);
    return rig_finish(rig, &op);
}

enum rx_status rig_begin(struct rig *rig, struct rx_op *op, enum rx_kind kind, struct rx_source *source, void *buffer,
                         size_t length) {
    rx_op_init(op, kind, source, buffer, length);
    return rig->ops->poll(rig->rx, op, &rig->waker);
}

void rig_settle(struct rig *rig) {
    while (rig->ops->wait(rig->rx, 0) > 0) {
    }
}

void rig_start(struct rig *rig, struct rx_op *op, enum rx_kind kind, struct rx_source *source, void *buffer,
               size_t length) {
    rig_settle(rig);
    CHECK_EQ(rig_begin(rig, op, kind, source, buffer, length), RX_PENDING);
    rig_settle(rig);
    CHECK_EQ(rig->ops->poll(rig->rx, op, &rig->waker), RX_PENDING);
}

int64_t rig_cancel(struct rig *rig, struct rx_op *op) {
    return rig->ops->cancel(rig->rx, op) == RX_DONE ? op->result : rig_finish(rig, op);
}

/* ---- a waiter ---- */

static void *rig_waiter_run(void *argument) {
    struct rig_waiter *waiter = argument;
    struct rig *rig = waiter->rig;
    if (rig->ops->attach) {
        CHECK_EQ(rig->ops->attach(rig->rx, waiter->slot), 0);
    }
    while (!au32_load_acquire(&waiter->stop)) {
        CHECK(rig->ops->wait(rig->rx, -1) >= 0);
        au64_fetch_add_relaxed(&waiter->waits, 1);
    }
    rig_detach(rig);
    return NULL;
}

void rig_waiter_start_in(struct rig_waiter *waiter, struct rig *rig, unsigned slot) {
    *waiter = (struct rig_waiter){.rig = rig, .slot = slot};
    CHECK_EQ(pthread_create(&waiter->thread, NULL, rig_waiter_run, waiter), 0);
}

void rig_waiter_end(struct rig_waiter *waiter) {
    au32_store_release(&waiter->stop, 1);
    waiter->rig->ops->wake(waiter->rig->rx, waiter->slot);
    CHECK_EQ(pthread_join(waiter->thread, NULL), 0);
}

void rig_waiter_start(struct rig_waiter *waiter, struct rig *rig) {
    rig_detach(rig);
    rig_waiter_start_in(waiter, rig, 0);
}

void rig_waiter_stop(struct rig_waiter *waiter) {
    rig_waiter_end(waiter);
    rig_attach(waiter->rig);
}

int64_t rig_finish_asleep(struct rig *rig, struct rx_op *op, struct rx_probe *probe) {
    struct sy_waker waker = rx_probe_waker(probe);
    while (rig->ops->poll(rig->rx, op, &waker) == RX_PENDING) {
        rig_flush(rig);
        while (sem_wait(&probe->woken)) {
            CHECK_EQ(errno, EINTR);
        }
    }
    return op->result;
}

/* ---- sockets ---- */

int rig_tcp_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

int rig_tcp_listen(int backlog, struct sockaddr_in *address) {
    int fd = rig_tcp_socket();
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *address;
    CHECK_EQ(bind(fd, (struct sockaddr *)address, size), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)address, &size), 0);
    CHECK_EQ(listen(fd, backlog), 0);
    return fd;
}

/* A blocking connect and accept, made non-blocking afterwards. */
static void tcp_pair(int out[2]) {
    struct sockaddr_in address;
    int listener = rig_tcp_listen(1, &address), one = 1;
    CHECK_EQ(fcntl(listener, F_SETFL, 0), 0);
    out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(out[0], (struct sockaddr *)&address, sizeof address), 0);
    out[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(out[1] >= 0);
    CHECK_EQ(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(setsockopt(out[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    }
    close(listener);
}

void rig_socket_pair(int family, int out[2]) {
    if (family == AF_UNIX) {
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out), 0);
    } else {
        tcp_pair(out);
    }
}

int64_t rig_fill(int fd) {
    static const char block[65536];
    int64_t sent = 0;
    for (;;) {
        ssize_t n = send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            CHECK_EQ(errno, EAGAIN);
            return sent;
        }
        sent += n;
    }
}

int64_t rig_read_to_end(struct rig *rig, int peer) {
    char bytes[65536];
    int64_t received = 0;
    for (;;) {
        ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            CHECK(rig->ops->wait(rig->rx, 100000) >= 0);
            continue;
        }
        CHECK(n >= 0 || errno == ECONNRESET);
        if (n <= 0) {
            return received;
        }
        received += n;
    }
}

bool rig_is_open(int fd, const struct stat *was) {
    struct stat now;
    return fstat(fd, &now) == 0 && now.st_dev == was->st_dev && now.st_ino == was->st_ino;
}

void rig_wait_for_descriptors(struct rig *rig, unsigned count) {
    while (support_fd_count() > count) {
        CHECK(rig->ops->wait(rig->rx, 100000) >= 0);
    }
}

bool rig_raise_descriptor_limit(rlim_t wanted) {
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        limit.rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max;
    }
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

struct rig_link rig_link(struct rig *rig, int family) {
    int fds[2];
    rig_socket_pair(family, fds);
    return (struct rig_link){rig_register(rig, fds[0]), fds[1]};
}

void rig_unlink(struct rig *rig, struct rig_link link) {
    rig_deregister_and_close(rig, link.source);
    close(link.peer);
}

static void over_families(size_t variant, void (*test)(struct rig *rig, struct rig_link link), bool closes) {
    static const int families[] = {AF_UNIX, AF_INET};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        struct rig rig;
        rig_init(&rig, variant);
        struct rig_link link = rig_link(&rig, families[i]);
        test(&rig, link);
        if (closes) {
            close(link.peer);
        } else {
            rig_unlink(&rig, link);
        }
        rig_close(&rig);
    }
}

void rig_over_families(size_t variant, void (*test)(struct rig *rig, struct rig_link link)) {
    over_families(variant, test, false);
}

void rig_over_families_closing(size_t variant, void (*test)(struct rig *rig, struct rig_link link)) {
    over_families(variant, test, true);
}
