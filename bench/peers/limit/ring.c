/* See ring.h. */
#include "bench/peers/limit/ring.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SUBMISSIONS = 4096, COMPLETIONS = 4 * SUBMISSIONS };

static int try_ring(struct io_uring *ring) {
    struct io_uring_params parameters = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                                  IORING_SETUP_CQSIZE,
                                         .cq_entries = COMPLETIONS};
    return io_uring_queue_init_params(SUBMISSIONS, ring, &parameters);
}

void limit_need_ring(void) {
    struct io_uring ring;
    int error = try_ring(&ring);
    if (error) {
        fprintf(stderr, "io_uring with DEFER_TASKRUN (Linux 6.1) is refused here: %s\n", strerror(-error));
        exit(PEER_SKIPPED);
    }
    io_uring_queue_exit(&ring);
}

void limit_open_ring(struct io_uring *ring) {
    int error = try_ring(ring);
    if (error) {
        peer_die("a ring cannot be made", -error);
    }
}

struct io_uring_sqe *limit_sqe(struct io_uring *ring) {
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(ring))) {
        int submitted = io_uring_submit(ring);
        if (submitted < 0 && submitted != -EINTR && submitted != -EBUSY) {
            peer_die("io_uring_submit", -submitted);
        }
    }
    return sqe;
}

void limit_begin(struct io_uring *ring, int signals, void *tag, int listener, void *accepted) {
    struct io_uring_sqe *sqe = limit_sqe(ring);
    io_uring_prep_poll_add(sqe, signals, POLLIN);
    io_uring_sqe_set_data(sqe, tag);
    sqe = limit_sqe(ring);
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, accepted);
}

void limit_run(struct io_uring *ring, bool (*take)(struct io_uring *ring, const struct io_uring_cqe *cqe)) {
    for (bool going = true; going;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        int error = io_uring_submit_and_wait(ring, 1);
        if (error < 0 && error != -EINTR) {
            peer_die("io_uring_submit_and_wait", -error);
        }
        io_uring_for_each_cqe(ring, head, cqe) {
            going = going && take(ring, cqe);
            count++;
        }
        io_uring_cq_advance(ring, count);
    }
}
