/*
 * What the reactor suites share. A variant is a back end with one policy of the speculative first try; a rig is a
 * reactor under test with a probe, the waker that counts. The helpers keep to the contract, so they serve completion
 * back ends as well.
 */
#ifndef STEALYARD_STRESS_SUPPORT_RX_H
#define STEALYARD_STRESS_SUPPORT_RX_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first #include"
#endif

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "queues/atomics.h"
#include "reactor/reactor.h"
#include "stress/check.h"

/* A waker that counts its wakes and its references; `woken` is posted once per wake. */
struct rx_probe {
    struct au32 wakes;
    struct ai64 references;
    sem_t woken;
    void (*hook)(struct rx_probe *probe); /* called at each wake, inside it; may be NULL */
};

struct rig {
    const struct rx_ops *ops;
    struct rx *rx;
    struct rx_probe probe;
    struct sy_waker waker; /* of the probe */
};

#ifdef CTEST_ENTRIES
#include "reactor/rx_list.h"

#define RX_COUNT(stem) +1
_Static_assert((0 RX_LIST(RX_COUNT)) == CTEST_ENTRIES, "rx_list.h: one entry a line, or some are no tests of CTest's");
#endif

/* Runs a suite's tests over the back ends. One that is not built, or refused here, is skipped, with the reason. */
int rx_run_suite(const char *title, const struct check_test *tests, size_t count, int argc, char **argv);

void rx_probe_init(struct rx_probe *probe);
struct sy_waker rx_probe_waker(struct rx_probe *probe);
uint32_t rx_probe_wakes(const struct rx_probe *probe);

/* Checks that every reference was given back. */
void rx_probe_close(struct rx_probe *probe);

/* The same while another thread may still be inside a wake: waits until it has given its reference back. */
void rx_probe_close_shared(struct rx_probe *probe);

/*
 * A rig must not move once its waker is made. Where the back end has slots the calling thread is attached to the only
 * one; a thread that waits in its place attaches itself meanwhile: rig_attach, rig_detach, which do nothing elsewhere.
 */
void rig_init(struct rig *rig, size_t variant);
void rig_init_batch(struct rig *rig, size_t variant, unsigned batch);
void rig_init_slots(struct rig *rig, size_t variant, unsigned batch, unsigned slots);
void rig_close(struct rig *rig);

void rig_attach(struct rig *rig);
void rig_detach(struct rig *rig);

/* Before the calling thread, which has polled, sleeps elsewhere than in wait. */
void rig_flush(struct rig *rig);

struct rx_source *rig_register(struct rig *rig, int fd);
void rig_deregister_and_close(struct rig *rig, struct rx_source *source);

/* Polls, and where it is pending waits for its wake and polls again. Returns the result. */
int64_t rig_finish(struct rig *rig, struct rx_op *op);

/* One operation from beginning to end. */
int64_t rig_do(struct rig *rig, enum rx_kind kind, struct rx_source *source, void *buffer, size_t length);

/* The first poll of an operation, with the rig's probe. */
enum rx_status rig_begin(struct rig *rig, struct rx_op *op, enum rx_kind kind, struct rx_source *source, void *buffer,
                         size_t length);

/* An operation that must not be done yet. */
void rig_start(struct rig *rig, struct rx_op *op, enum rx_kind kind, struct rx_source *source, void *buffer,
               size_t length);

/* The wait without limit until the probe was woken once more than `wakes` times. */
void rig_wait_for_wake(struct rig *rig, uint32_t wakes);

/* Takes whatever events are there, such as those of registration. */
void rig_settle(struct rig *rig);

int64_t rig_cancel(struct rig *rig, struct rx_op *op);

/*
 * A thread that waits all the time, from rig_waiter_start, which detaches the caller, to rig_waiter_stop, which
 * attaches it again. Or in a given slot, which nobody is attached to, from rig_waiter_start_in to rig_waiter_end.
 */
struct rig_waiter {
    struct rig *rig;
    unsigned slot;
    pthread_t thread;
    struct au32 stop;
    struct au64 waits; /* that have returned */
};

void rig_waiter_start(struct rig_waiter *waiter, struct rig *rig);
void rig_waiter_stop(struct rig_waiter *waiter);
void rig_waiter_start_in(struct rig_waiter *waiter, struct rig *rig, unsigned slot);
void rig_waiter_end(struct rig_waiter *waiter);

/* As rig_finish, beside a waiter: in between sleeps until the probe is woken. */
int64_t rig_finish_asleep(struct rig *rig, struct rx_op *op, struct rx_probe *probe);

/* Two connected sockets, of which the reactor knows the first. */
struct rig_link {
    struct rx_source *source;
    int peer;
};

struct rig_link rig_link(struct rig *rig, int family);
void rig_unlink(struct rig *rig, struct rig_link link);

/* Runs the test over a Unix and a TCP link, each with a fresh reactor. The second: the test closes the source. */
void rig_over_families(size_t variant, void (*test)(struct rig *rig, struct rig_link link));
void rig_over_families_closing(size_t variant, void (*test)(struct rig *rig, struct rig_link link));

void rig_socket_pair(int family, int out[2]); /* AF_UNIX, or a TCP connection over loopback with AF_INET */
int rig_tcp_listen(int backlog, struct sockaddr_in *address);
int rig_tcp_socket(void);

/* Fills a socket's buffers from outside the reactor; how many bytes went in. */
int64_t rig_fill(int fd);

/* Reads all that comes to a peer, in bytes, until its end or a reset, and waits in the reactor meanwhile. */
int64_t rig_read_to_end(struct rig *rig, int peer);

/* Whether the descriptor is open, and still the file that it was. */
bool rig_is_open(int fd, const struct stat *was);

/* Waits in the reactor until no more than `count` descriptors are open. */
void rig_wait_for_descriptors(struct rig *rig, unsigned count);

/* Raises the soft limit of descriptors; false: not allowed. */
bool rig_raise_descriptor_limit(rlim_t wanted);

#endif
