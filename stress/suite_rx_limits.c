/*
 * The reactor at its limits, over every back end: time limits, interruptions, batches, and what runs out.
 * ctest-each: rx_list
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>

#include "stress/refuse.h"
#include "stress/support.h"
#include "stress/support_alloc.h"
#include "stress/support_rx.h"

/* ---- time ---- */

static void never_early(struct rig *rig, int rounds) {
    uint64_t random = check_seed();
    for (int i = 0; i < rounds; i++) {
        int64_t limit_ns = (int64_t)(1 + check_random(&random) % (i % 2 ? 3000000 : 100000));
        int64_t start_ns = check_now_ns();
        CHECK_EQ(rig->ops->wait(rig->rx, limit_ns), 0);
        CHECK(check_now_ns() - start_ns >= limit_ns);
    }
    CHECK_EQ(rig->ops->wait(rig->rx, 0), 0);
}

static void case_14_time_limits_round_up(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    never_early(&rig, 200);
    rig_close(&rig);
}

/* On a busy machine a wait may oversleep, even often; but not the shortest of twenty, nor by fifty times its limit. */
static void case_14_time_limits_are_kept(size_t variant) {
    struct rig rig;
    int64_t shortest_ns = INT64_MAX;
    rig_init(&rig, variant);
    for (int i = 0; i < 20; i++) {
        int64_t start_ns = check_now_ns();
        CHECK_EQ(rig.ops->wait(rig.rx, 1000000), 0);
        int64_t took_ns = check_now_ns() - start_ns;
        shortest_ns = took_ns < shortest_ns ? took_ns : shortest_ns;
    }
    CHECK(shortest_ns < 50000000);
    rig_close(&rig);
}

/* With epoll_pwait2 unknown to this process. */
static bool never_early_without_pwait2(void *variant) {
    if (!refuse_call(SYS_epoll_pwait2, ENOSYS) || syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, 0) >= 0 ||
        errno != ENOSYS) {
        return false;
    }
    struct rig rig;
    rig_init(&rig, *(size_t *)variant);
    never_early(&rig, 50);
    rig_close(&rig);
    return true;
}

static void time_limits_on_older_kernels(size_t variant) {
#if SY_TSAN
    if (strcmp(rx_all[variant / 2]->name, "rx_kqueue") == 0) {
        check_skip("libkqueue starts a thread, which ThreadSanitizer forbids in a forked process");
        return;
    }
#endif
    refuse_in_child(never_early_without_pwait2, &variant);
}

struct neighbour {
    struct rig *rig;
    struct au32 gone;
};

/* Begins to wait for pipes in which nothing ever comes, gives up, and tells the one that waits when it is done. */
static void *wait_in_vain(void *argument) {
    struct neighbour *neighbour = argument;
    struct rig *rig = neighbour->rig;
    struct rx_probe probe;
    rx_probe_init(&probe);
    struct sy_waker waker = rx_probe_waker(&probe);
    for (unsigned round = 0; round < support_rounds(300); round++) {
        struct rx_op op;
        char byte;
        int fds[2];
        CHECK_EQ(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        rx_op_init(&op, RX_READ, rig_register(rig, fds[0]), &byte, 1);
        CHECK_EQ(rig->ops->poll(rig->rx, &op, &waker), RX_PENDING);
        rig_flush(rig);
        if (rig->ops->cancel(rig->rx, &op) == RX_PENDING) {
            rig_finish_asleep(rig, &op, &probe);
        }
        rig_deregister_and_close(rig, op.source);
        close(fds[1]);
    }
    rx_probe_close_shared(&probe);
    au32_store_release(&neighbour->gone, 1);
    rig->ops->wake(rig->rx, 0);
    return NULL;
}

/* Who waits is made to look at what another thread wants, and goes on for the rest of the time. */
static void case_14_time_limits_beside_another_thread(size_t variant) {
    struct rig rig;
    struct neighbour neighbour = {&rig, {0}};
    pthread_t thread;
    if (!rx_all[variant / 2]->stealable) {
        check_skip("a slot's wait also ends when another thread leaves something for it to do");
        return;
    }
    rig_init(&rig, variant);
    CHECK_EQ(pthread_create(&thread, NULL, wait_in_vain, &neighbour), 0);
    for (;;) {
        int64_t start_ns = check_now_ns();
        int events = rig.ops->wait(rig.rx, 2000000);
        int64_t took_ns = check_now_ns() - start_ns;
        if (au32_load_acquire(&neighbour.gone)) {
            break;
        }
        CHECK(events > 0 || (events == 0 && took_ns >= 2000000));
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    rig_close(&rig);
}

/* A limit that is over before the kernel is asked, as its millisecond ends on the way there, ends the wait too. */
static void case_14_limits_at_the_end_of_a_millisecond(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int64_t round = 0; round < 400; round++) {
        int64_t before_ns = 100 * (round % 40);
        while (check_now_ns() % 1000000 < 1000000 - before_ns - 200) {
        }
        CHECK_EQ(rig.ops->wait(rig.rx, 1), 0);
    }
    rig_close(&rig);
}

static struct au32 alarms;

static void count_alarm(int signal_number) {
    (void)signal_number;
    au32_fetch_add_relaxed(&alarms, 1);
}

/* Signals all the time, none restarting a call: waits return early or in time, never with an error. */
static void case_14_interruptions(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_INET);
    struct sigaction action = {.sa_handler = count_alarm}, before;
    CHECK_EQ(sigaction(SIGALRM, &action, &before), 0);
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    uint32_t first = au32_load_relaxed(&alarms), interrupted = 0;
    for (int round = 0; round < 200 || interrupted < 20; round++) {
        struct rx_op op;
        char bytes[8];
        rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        uint32_t alarms_before = au32_load_relaxed(&alarms);
        int64_t start_ns = check_now_ns();
        CHECK_EQ(rig.ops->wait(rig.rx, 1000000), 0);
        bool early = check_now_ns() - start_ns < 1000000, alarmed = au32_load_relaxed(&alarms) != alarms_before;
        CHECK(!early || alarmed);
        interrupted += alarmed; /* libuv goes on for the rest of the time */
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_finish(&rig, &op), 3);
    }
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_EQ(sigaction(SIGALRM, &before, NULL), 0);
    CHECK(au32_load_relaxed(&alarms) > first);
    rig_unlink(&rig, link);
    rig_close(&rig);
}

static void wakes_before_a_wait(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i <= round; i++) {
            rig.ops->wake(rig.rx, 0);
        }
        CHECK_EQ(rig.ops->wait(rig.rx, -1), 0);
        int64_t start_ns = check_now_ns(); /* all of them were merged into that one */
        CHECK_EQ(rig.ops->wait(rig.rx, 100000), 0);
        CHECK(check_now_ns() - start_ns >= 100000);
    }
    rig_close(&rig);
}

/* Sends, or wakes, at some moment of the wait or before it. */
struct caller {
    struct rig *rig;
    int peer;
    bool wakes;
    uint64_t spins;
};

static void *call_soon(void *argument) {
    struct caller *caller = argument;
    for (uint64_t i = 0; i < caller->spins; i++) {
        cpu_relax();
    }
    if (caller->wakes) {
        caller->rig->ops->wake(caller->rig->rx, 0);
    } else {
        CHECK_EQ(send(caller->peer, "abc", 3, 0), 3);
    }
    return NULL;
}

/* A wait with a limit of minutes is over when something comes, as one without. */
static void limits_are_not_awaited(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    struct rig_link link = rig_link(&rig, AF_UNIX);
    uint64_t random = check_seed();
    for (unsigned round = 0; round < 40; round++) {
        struct caller caller = {&rig, link.peer, round % 2, check_random(&random) % 8192};
        struct rx_op op;
        char bytes[8];
        pthread_t thread;
        rig_start(&rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(pthread_create(&thread, NULL, call_soon, &caller), 0);
        int64_t start_ns = check_now_ns();
        CHECK(rig.ops->wait(rig.rx, INT64_C(100000000000)) >= 0);
        CHECK(check_now_ns() - start_ns < INT64_C(50000000000));
        CHECK_EQ(pthread_join(thread, NULL), 0);
        if (caller.wakes) {
            CHECK_EQ(rig_cancel(&rig, &op), -ECANCELED);
        } else {
            CHECK_EQ(rig_finish(&rig, &op), 3);
        }
    }
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* ---- what runs out ---- */

static void wrong_input(size_t variant) {
    const struct rx_ops *ops = rx_all[variant / 2];
    struct rx_config none = {.slots = 1}, huge = {.batch = UINT32_MAX, .slots = 1}, nowhere = {.batch = 16};
    struct rx *rx;
    CHECK_EQ(ops->create(&rx, &none), -EINVAL);
    CHECK_EQ(ops->create(&rx, &huge), -EINVAL);
    CHECK_EQ(ops->create(&rx, &nowhere), -EINVAL);
    CHECK(rx_find(ops->name) == ops);
    CHECK(rx_find("no such back end") == NULL);
    struct rig rig;
    rig_init(&rig, variant);
    struct rx_source *source;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    uint64_t allocations = support_alloc_count();
    for (int i = 0; i < 1000 && !rig.ops->files; i++) { /* a refused one leaves nothing behind */
        CHECK_EQ(rig.ops->register_fd(rig.rx, file, &source), -EPERM);
        allocations = i == 0 ? support_alloc_count() : allocations;
    }
    CHECK_EQ(support_alloc_count(), allocations);
    close(file);
    CHECK_EQ(rig.ops->register_fd(rig.rx, file, &source), -EBADF);
    struct rig_link link = rig_link(&rig, AF_UNIX); /* the memory of those refused is good for another */
    char byte;
    CHECK_EQ(send(link.peer, "x", 1, 0), 1);
    CHECK_EQ(rig_do(&rig, RX_RECV, link.source, &byte, 1), 1);
    rig_unlink(&rig, link);
    rig_close(&rig);
}

/* No program that the process starts gets a descriptor of a reactor. */
static void descriptors_are_not_inherited(size_t variant) {
    enum { SEEN = 1024 };
    bool was_open[SEEN];
    for (int fd = 0; fd < SEEN; fd++) {
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    }
    struct rig rig;
    rig_init(&rig, variant);
    unsigned own = 0;
    for (int fd = 0; fd < SEEN; fd++) {
        int flags = was_open[fd] ? -1 : fcntl(fd, F_GETFD);
        CHECK(flags < 0 || flags & FD_CLOEXEC);
        own += flags >= 0;
    }
    CHECK(own > 0);
    rig_close(&rig);
}

static void create_without_descriptors(size_t variant) {
    const struct rx_ops *ops = rx_all[variant / 2];
    if (SUPPORT_SANITIZED && strcmp(ops->name, "rx_kqueue") == 0) {
        check_skip("libkqueue 2.7 itself leaks where it gets no descriptor");
        return;
    }
    struct rx_config config = {.batch = 16, .slots = 1};
    struct rlimit limit, lower;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    unsigned before = support_fd_count(), refused = 0;
    for (rlim_t allowed = 0;; allowed++) {
        struct rx *rx;
        lower = (struct rlimit){.rlim_cur = allowed, .rlim_max = limit.rlim_max};
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
        int error = ops->create(&rx, &config);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (error == 0) {
            ops->destroy(rx);
            break;
        }
        CHECK_EQ(error, -EMFILE);
        CHECK_EQ(support_fd_count(), before);
        refused++;
    }
    CHECK(refused > 0);
    CHECK_EQ(support_fd_count(), before);
}

static void out_of_memory(size_t variant) {
    if (!support_alloc_can_fail()) {
        check_skip("the sanitizer's allocator cannot be made to fail");
        return;
    }
    const struct rx_ops *ops = rx_all[variant / 2];
    if (strcmp(ops->name, "rx_kqueue") == 0) {
        check_skip("libkqueue 2.7 itself leaks and aborts when memory runs out");
        return;
    }
    if (strcmp(ops->name, "rx_uv") == 0) {
        check_skip("libuv itself aborts when memory runs out");
        return;
    }
    struct rx_config config = {.batch = 16, .slots = 1};
    struct rx *rx = NULL;
    int error;
    int64_t live = support_alloc_live();
    for (uint64_t allowed = 0;; allowed++) {
        support_alloc_fail_after(allowed);
        error = ops->create(&rx, &config);
        support_alloc_fail_after(UINT64_MAX);
        if (error == 0) {
            break;
        }
        CHECK_EQ(error, -ENOMEM);
        CHECK_EQ(support_alloc_live(), live);
    }
    int fds[2];
    rig_socket_pair(AF_UNIX, fds);
    struct rx_source *source;
    support_alloc_fail_after(0);
    error = ops->register_fd(rx, fds[0], &source);
    support_alloc_fail_after(UINT64_MAX);
    CHECK(error == 0 || error == -ENOMEM);
    if (error) {
        CHECK_EQ(ops->register_fd(rx, fds[0], &source), 0);
    }
    ops->deregister(rx, source);
    ops->destroy(rx);
    close(fds[0]);
    close(fds[1]);
    CHECK_EQ(support_alloc_live(), live);
}

/* But for the first one in the direction out, where a waker has no room until then. */
static void operations_allocate_nothing_on(struct rig *rig, struct rig_link link) {
    char bytes[8];
    struct rx_op op;
    uint64_t before = support_alloc_count();
    CHECK_EQ(rig_do(rig, RX_READY_OUT, link.source, NULL, 0) != 0, 1);
    CHECK(support_alloc_count() <= before + 1);
    before = support_alloc_count();
    for (int i = 0; i < 100; i++) {
        rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
        CHECK_EQ(rig_finish(rig, &op), 3);
        CHECK_EQ(rig_do(rig, RX_READY_OUT, link.source, NULL, 0) != 0, 1);
        rig_start(rig, &op, RX_RECV, link.source, bytes, sizeof bytes);
        CHECK_EQ(rig_cancel(rig, &op), -ECANCELED);
        rig->ops->wake(rig->rx, 0);
        CHECK(rig->ops->wait(rig->rx, -1) >= 0);
    }
    CHECK_EQ(support_alloc_count(), before);
}

static void operations_allocate_nothing(size_t variant) {
    rig_over_families(variant, operations_allocate_nothing_on);
}

/* A send has to wait, and there is no memory for its waker. The source is as it was: the next one that has waits. */
static void a_send_without_memory_on(struct rig *rig, struct rig_link link) {
    char bytes[8];
    struct rx_op in, out;
    rig_start(rig, &in, RX_RECV, link.source, bytes, sizeof bytes);
    support_alloc_fail_after(0); /* where it need not wait, it need not have a waker, but in the kernel's hands */
    enum rx_status status = rig_begin(rig, &out, RX_SEND, link.source, "hello", 5);
    support_alloc_fail_after(UINT64_MAX);
    CHECK_EQ(status, RX_DONE);
    int64_t inside = out.result == 5 ? 5 : 0;
    CHECK(inside > 0 || (rig->ops->completion && out.result == -ENOMEM));
    inside += rig_fill(rx_source_fd(link.source));
    int64_t references = ai64_load_relaxed(&rig->probe.references);
    for (int i = 0; i < 2; i++) {
        support_alloc_fail_after(0);
        CHECK_EQ(rig_begin(rig, &out, RX_SEND, link.source, "hello", 5), RX_DONE);
        support_alloc_fail_after(UINT64_MAX);
        CHECK_EQ(out.result, -ENOMEM);
        CHECK_EQ(ai64_load_relaxed(&rig->probe.references), references);
    }
    rig_start(rig, &out, RX_SEND, link.source, "hello", 5);
    for (char piece[4096]; inside > 0;) {
        ssize_t n = recv(link.peer, piece, sizeof piece, 0);
        CHECK(n > 0);
        inside -= n;
    }
    CHECK_EQ(rig_finish(rig, &out), 5);
    CHECK_EQ(send(link.peer, "abc", 3, 0), 3);
    CHECK_EQ(rig_finish(rig, &in), 3);
}

static void a_send_without_memory(size_t variant) {
    if (!support_alloc_can_fail()) {
        check_skip("the sanitizer's allocator cannot be made to fail");
        return;
    }
    int64_t live = support_alloc_live();
    rig_over_families(variant, a_send_without_memory_on);
    CHECK_EQ(support_alloc_live(), live);
}

/* ---- batches ---- */

static void batch_is_bounded(size_t variant) {
    enum { LINKS = 64, BATCH = 4 };
    struct rig rig;
    rig_init_batch(&rig, variant, BATCH);
    struct rig_link links[LINKS];
    struct rx_op ops[LINKS];
    char bytes[LINKS][8];
    for (int i = 0; i < LINKS; i++) {
        links[i] = rig_link(&rig, AF_UNIX);
        rig_start(&rig, &ops[i], RX_RECV, links[i].source, bytes[i], sizeof bytes[i]);
    }
    uint32_t first = rx_probe_wakes(&rig.probe);
    for (int i = 0; i < LINKS; i++) {
        CHECK_EQ(send(links[i].peer, "abc", 3, 0), 3);
    }
    for (int seen = 0; seen < LINKS;) {
        int events = rig.ops->wait(rig.rx, -1);
        CHECK(events > 0 && events <= BATCH);
        seen += events;
        CHECK_EQ(rx_probe_wakes(&rig.probe) - first, seen);
    }
    for (int i = 0; i < LINKS; i++) {
        CHECK_EQ(rig_finish(&rig, &ops[i]), 3);
        rig_unlink(&rig, links[i]);
    }
    rig_close(&rig);
}

/* A thousand are ready at once, in both directions: more than one call of any library tells. None is forgotten. */
static void thousand_at_once(size_t variant) {
    enum { LINKS = 1000, NEEDED = 2 * LINKS + 100 };
    static struct rig_link links[LINKS];
    static struct rx_op ops[LINKS];
    static char bytes[LINKS][8];
    if (!rig_raise_descriptor_limit(NEEDED)) {
        check_skip("needs %d descriptors, more than this process may raise its limit to", NEEDED);
        return;
    }
    struct rig rig;
    rig_init(&rig, variant);
    for (int i = 0; i < LINKS; i++) {
        links[i] = rig_link(&rig, AF_UNIX);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LINKS; i++) {
            rig_start(&rig, &ops[i], RX_RECV, links[i].source, bytes[i], sizeof bytes[i]);
        }
        for (int i = 0; i < LINKS; i++) {
            CHECK_EQ(send(links[i].peer, "abc", 3, 0), 3);
        }
        for (int i = 0; i < LINKS; i++) {
            CHECK_EQ(rig_finish(&rig, &ops[i]), 3);
        }
    }
    for (int i = 0; i < LINKS; i++) {
        rig_unlink(&rig, links[i]);
    }
    rig_close(&rig);
}

/* A source comes and goes: deregistered or closed (ways 2, 3), without an operation or with one that waits (1, 3),
 * and perhaps (4) with an event under way. */
static void come_and_go(struct rig *rig, unsigned way) {
    struct rig_link link = rig_link(rig, AF_UNIX);
    struct rx_op op;
    char bytes[8];
    if (way & 1) {
        CHECK_EQ(rig_begin(rig, &op, RX_RECV, link.source, bytes, sizeof bytes), RX_PENDING);
        rig_settle(rig);
    }
    CHECK_EQ(send(link.peer, "abc", way & 4 ? 3 : 0, 0), way & 4 ? 3 : 0);
    if (way & 2) {
        rig->ops->close(rig->rx, link.source);
    }
    if (way & 1) {
        int64_t result = rig_cancel(rig, &op);
        CHECK(result == -ECANCELED || result == 3);
    }
    if (!(way & 2)) {
        rig_deregister_and_close(rig, link.source);
    }
    close(link.peer);
    rig_settle(rig);
}

/* However many sources come and go, there is no more memory in use than for as many as there are at a time. */
static void sources_memory_is_used_again(size_t variant) {
    struct rig rig;
    rig_init(&rig, variant);
    int64_t live = 0, bytes = 0;
    for (unsigned round = 0; round < 2400; round++) {
        if (round == 400) {
            live = support_alloc_live();
            bytes = support_alloc_bytes();
        }
        come_and_go(&rig, round % 8);
    }
    CHECK_EQ(support_alloc_live(), live);
    CHECK(!support_alloc_knows_bytes() || support_alloc_bytes() == bytes);
    rig_close(&rig);
}

int main(int argc, char **argv) {
    static const struct check_test tests[] = {
        {"case_14_time_limits_round_up", case_14_time_limits_round_up},
        {"case_14_time_limits_are_kept", case_14_time_limits_are_kept},
        {"case_14_time_limits_beside_another_thread", case_14_time_limits_beside_another_thread},
        {"time_limits_on_older_kernels", time_limits_on_older_kernels},
        {"case_14_limits_at_the_end_of_a_millisecond", case_14_limits_at_the_end_of_a_millisecond},
        {"case_14_interruptions", case_14_interruptions},
        {"wakes_before_a_wait", wakes_before_a_wait},
        {"limits_are_not_awaited", limits_are_not_awaited},
        {"wrong_input", wrong_input},
        {"descriptors_are_not_inherited", descriptors_are_not_inherited},
        {"create_without_descriptors", create_without_descriptors},
        {"out_of_memory", out_of_memory},
        {"sources_memory_is_used_again", sources_memory_is_used_again},
        {"operations_allocate_nothing", operations_allocate_nothing},
        {"a_send_without_memory", a_send_without_memory},
        {"batch_is_bounded", batch_is_bounded},
        {"thousand_at_once", thousand_at_once},
    };
    return rx_run_suite("suite_rx_limits", tests, sizeof tests / sizeof tests[0], argc, argv);
}
