/*
 * A shared io_uring. See rx_ring.h.
 *
 * Source: io_uring_setup(2), io_uring_enter(2); liburing for setting up and for filling in entries. Handing over and
 * waiting are made here, because liburing's assume one thread.
 *
 * The ring has none of the flags that bind it to a thread: any thread may enter it. Entries are filled under a mutex,
 * which is never held in the kernel but when the queue is full. To hand over is to publish the tail under the mutex and
 * to enter without it; several may enter at once, and the kernel, which serves one after the other, takes no entry
 * twice. Who enters second may find fewer than it wanted: flush looks whether its own were taken, and a wait, which the
 * kernel then does not begin, enters again.
 *
 * Kernel 5.19 or later: SUBMIT_ALL, so that an entry with wrong contents does not keep back those after it. Completions
 * that do not fit are kept by the kernel (NODROP) until somebody enters to fetch them, which wait does when the ring
 * says so.
 *
 * A wake is a request that does nothing (NOP): it completes in the call that hands it over, so no thread has to run for
 * it, and none that armed something can exit and take it along, as would a poll of an eventfd. It costs a system call
 * too, and hands over what else is filled.
 *
 * Progress: whoever fills waits for who fills. A wake is one exchange if one is under way; if the thread that made it
 * the first stalls before it entered the kernel, the wait lasts until it goes on or another completion comes.
 *
 * Accesses:
 *
 * (1) fill_end: store release of `filled`. Partner (2). The kernel orders a request before its completion, but the
 *     language and ThreadSanitizer do not know. All who store hold the mutex one after the other, so whoever reads any
 *     later value has everything in view that was written before any earlier entry was filled.
 * (2) take: load acquire of `filled`, after the completions were seen: it reads (1) of those requests, or a later one.
 * (3) wake: exchange acq_rel of `woken`, 1. Release: partner (4). Acquire: a wake that finds 1 has nothing to do.
 * (4) wait_for: exchange acquire, 0. What was done before any wake up to here is visible to the wait that returns,
 *     also before one that found 1: those exchanges are in one release sequence. A wake after it finds 0 and makes a
 *     request.
 *
 * The kernel's heads and tails are read and written by liburing's acquire loads and release stores.
 *
 * Rejected: an eventfd, see above; io_uring_submit under the mutex, where who fills would wait for the kernel to carry
 * out other threads' requests; a separate call to hand over before the wait, which costs one more for each batch.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "reactor/rx_ring.h"

#if SY_HAVE_LIBURING

#include <assert.h>
#include <errno.h>
#include <time.h>

#include "queues/hand_over.h"

#define ENTRIES 256      /* 64 bytes each; more is handed over in several calls */
#define COMPLETIONS 4096 /* 16 bytes each; more is kept by the kernel, at the price of an allocation each */
#define NEEDED_FEATURES (IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL | IORING_FEAT_CQE_SKIP)

/* ---- life ---- */

/* What the kernel's refusal means to rx_ops.create. */
static int refusal(int error) {
    /* EPERM: sysctl io_uring_disabled, or a sandbox; EACCES, ENOSYS: others; EINVAL: an older kernel, to new flags. */
    return error == -EPERM || error == -EACCES || error == -ENOSYS || error == -EINVAL ? -ENOTSUP : error;
}

/*
 * The memory of rings that were closed. The kernel gives it to whoever opens a ring next, at the same address, and its
 * lock on the address space orders what the one did before it unmapped and what the other does after it has mapped. But
 * liburing makes these calls by itself and not by the C library's functions, so ThreadSanitizer neither forgets what
 * was done there nor learns of that order, and is told it: each closer hands over before it unmaps, so all those whose
 * memory it may be have done so when a map returns. It is one thing for all rings, as one part of a ring may come to
 * lie where another part of another was.
 */
static char unmapped;

int rx_ring_map(struct io_uring *uring, unsigned entries, struct io_uring_params *params) {
    int error = io_uring_queue_init_params(entries, uring, params);
    hand_over_take(&unmapped);
    return refusal(error);
}

void rx_ring_unmap(struct io_uring *uring) {
    hand_over_give(&unmapped);
    io_uring_queue_exit(uring);
}

static int probe(struct io_uring *uring, const uint8_t *opcodes, size_t opcode_count) {
    union {
        struct io_uring_probe probe;
        unsigned char room[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)];
    } known = {.room = {0}};
    int error = io_uring_register_probe(uring, &known.probe, 256);
    for (size_t i = 0; i < opcode_count && !error; i++) {
        error = io_uring_opcode_supported(&known.probe, opcodes[i]) ? 0 : -ENOTSUP;
    }
    return refusal(error);
}

int rx_ring_open(struct rx_ring *ring, const uint8_t *opcodes, size_t opcode_count) {
    struct io_uring_params params = {.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS};
    int error = rx_ring_map(&ring->uring, ENTRIES, &params);
    if (error) {
        return error;
    }
    bool lacks = (ring->uring.features & NEEDED_FEATURES) != NEEDED_FEATURES;
    error = lacks ? -ENOTSUP : probe(&ring->uring, opcodes, opcode_count);
    if (error) {
        rx_ring_unmap(&ring->uring);
        return error;
    }
    for (unsigned i = 0; i < ring->uring.sq.ring_entries; i++) {
        ring->uring.sq.array[i] = i;
    }
    pthread_mutex_init(&ring->filling, NULL);
    au32_store_relaxed(&ring->filled, 0);
    au32_store_relaxed(&ring->woken, 0);
    return 0;
}

void rx_ring_close(struct rx_ring *ring) {
    rx_ring_unmap(&ring->uring);
    pthread_mutex_destroy(&ring->filling);
}

/* ---- filling and handing over ---- */

/* Entries that the kernel has not taken, of those up to `tail`. */
static unsigned untaken(const struct rx_ring *ring, unsigned tail) {
    int count = (int)(tail - io_uring_smp_load_acquire(ring->uring.sq.khead));
    return count > 0 ? (unsigned)count : 0;
}

/* Lets the kernel have what is filled; under the lock. The tail, up to which it is. */
static unsigned publish(struct rx_ring *ring) {
    unsigned tail = ring->uring.sq.sqe_tail;
    io_uring_smp_store_release(ring->uring.sq.ktail, tail);
    return tail;
}

static unsigned lock_and_publish(struct rx_ring *ring) {
    pthread_mutex_lock(&ring->filling);
    unsigned tail = publish(ring);
    pthread_mutex_unlock(&ring->filling);
    return tail;
}

/*
 * Returns when the kernel has taken all up to `tail`. While it has no memory for that it is asked again: a request that
 * was filled, a wake above all, must not be lost.
 */
static void hand_over(struct rx_ring *ring, unsigned tail) {
    unsigned count;
    while ((count = untaken(ring, tail)) > 0) {
        int result = io_uring_enter((unsigned)ring->uring.ring_fd, count, 0, 0, NULL);
        if (result < 0) {
            assert(result == -EAGAIN || result == -EBUSY || result == -EINTR || result == -ENOMEM);
            sched_yield();
        }
    }
}

void rx_ring_flush(struct rx_ring *ring) {
    hand_over(ring, lock_and_publish(ring));
}

struct io_uring_sqe *rx_ring_fill_begin(struct rx_ring *ring) {
    struct io_uring_sq *sq = &ring->uring.sq;
    pthread_mutex_lock(&ring->filling);
    if (untaken(ring, sq->sqe_tail) == sq->ring_entries) {
        hand_over(ring, publish(ring));
    }
    return &sq->sqes[sq->sqe_tail & sq->ring_mask];
}

void rx_ring_fill_end(struct rx_ring *ring) {
    au32_store_release(&ring->filled, ++ring->uring.sq.sqe_tail); /* (1) */
    pthread_mutex_unlock(&ring->filling);
}

/* ---- waiting ---- */

static bool has_event(const struct rx_ring *ring) {
    return io_uring_smp_load_acquire(ring->uring.cq.ktail) != io_uring_smp_load_acquire(ring->uring.cq.khead);
}

static int enter_and_wait(struct rx_ring *ring, unsigned count, bool block, const struct __kernel_timespec *limit) {
    struct io_uring_getevents_arg argument = {.sigmask_sz = _NSIG / 8, .ts = (uintptr_t)limit};
    return io_uring_enter2((unsigned)ring->uring.ring_fd, count, block, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                           (sigset_t *)&argument, sizeof argument);
}

int rx_ring_wait(struct rx_ring *ring, int64_t timeout_ns) {
    struct __kernel_timespec limit = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    for (;;) {
        unsigned count = untaken(ring, lock_and_publish(ring));
        bool block = timeout_ns != 0 && !has_event(ring);
        if (count == 0 && !block && !io_uring_cq_has_overflow(&ring->uring)) {
            return 0;
        }
        int result = enter_and_wait(ring, count, block, timeout_ns < 0 ? NULL : &limit);
        if (result < 0 || !block || (unsigned)result == count) {
            return result < 0 ? result : 0;
        }
    }
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool is_harmless(int error) {
    return error == 0 || error == -ETIME || error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

int rx_ring_wait_for(struct rx_ring *ring, int64_t timeout_ns, rx_ring_reap *reap, struct rx *rx) {
    int64_t begun_ns = timeout_ns > 0 ? now_ns() : 0, left_ns = timeout_ns;
    for (;;) {
        int error = rx_ring_wait(ring, left_ns);
        struct rx_ring_reaped got = reap(rx);
        if (got.woke) {
            au32_exchange_acquire(&ring->woken, 0); /* (4) */
        }
        if (got.events > 0 || got.woke || timeout_ns == 0 || error || (timeout_ns < 0 && got.taken == 0)) {
            return got.events > 0 || is_harmless(error) ? (int)got.events : error;
        }
        if (timeout_ns > 0) {
            left_ns = timeout_ns - (now_ns() - begun_ns);
            if (left_ns <= 0) {
                return 0;
            }
        }
    }
}

unsigned rx_ring_take(struct rx_ring *ring, struct rx_ring_event *out, unsigned most) {
    struct io_uring_cq *cq = &ring->uring.cq;
    unsigned head = io_uring_smp_load_acquire(cq->khead);
    unsigned count = io_uring_smp_load_acquire(cq->ktail) - head;
    count = count < most ? count : most;
    for (unsigned i = 0; i < count; i++) {
        const struct io_uring_cqe *cqe = &cq->cqes[(head + i) & cq->ring_mask];
        out[i] = (struct rx_ring_event){.data = cqe->user_data, .result = cqe->res, .flags = cqe->flags};
    }
    io_uring_smp_store_release(cq->khead, head + count);
    au32_load_acquire(&ring->filled); /* (2) */
    return count;
}

void rx_ring_pass_wake_on(struct rx_ring *ring) {
    struct io_uring_sqe *sqe = rx_ring_fill_begin(ring);
    io_uring_prep_nop(sqe);
    sqe->user_data = RX_RING_WAKE;
    rx_ring_fill_end(ring);
    rx_ring_flush(ring);
}

void rx_ring_wake(struct rx_ring *ring) {
    if (au32_exchange_acq_rel(&ring->woken, 1) == 0) { /* (3) */
        rx_ring_pass_wake_on(ring);
    }
}

#endif
