/*
 * The micro-benchmarks of whatever waits for descriptors: our reactors by the contract of reactor/reactor.h, and beside
 * them hand-written epoll, libevent and libuv by calls of their own. A rig is a number of ends of connections; an
 * engine watches each of them and tells of every byte that came.
 */
#ifndef STEALYARD_BENCH_MICRO_RX_H
#define STEALYARD_BENCH_MICRO_RX_H

#include "bench/micro_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Descriptors that an end reads from and writes to: the same one for a socket, two for pipes. Non-blocking. */
struct rx_end {
    int in;
    int out;
};

struct rx_rig {
    const struct rx_end *ends;
    size_t count;
    bool sockets; /* all are sockets */
    bool sends;   /* the engine's `send` will be used; if not, it has nothing to do with `out` */
    bool wakes;   /* the engine's `wake` will be used */
    void *argument;
    void (*arrived)(struct rx_rig *rig, size_t index, unsigned char byte);
    const char *failure; /* NULL: none so far */
};

struct rx_loop; /* an engine's own */

/*
 * Bytes that an engine asks for at once. A byte is sent alone and mostly comes alone; who asks for just one cannot tell
 * that it was the last, and has to ask again where events are edges.
 */
enum { RX_READ_MOST = 16 };

/* How long an engine waits for events at most: for safety only, as there is always one to come. */
#define RX_PATIENCE_NS INT64_C(2000000000)

/* All calls come from one thread, but for `wake`. */
struct rx_engine {
    const char *name;
    bool peer;
    const void *subject; /* what `open` may want to know */

    /* Watches every end from now on. NULL: rig->failure says why. */
    struct rx_loop *(*open)(const struct rx_engine *engine, struct rx_rig *rig);
    /* Waits for events and calls rig->arrived for each byte, with one read call for each descriptor that is ready. */
    void (*turn)(struct rx_loop *loop);
    /* Sends a byte from an end. */
    void (*send)(struct rx_loop *loop, size_t index, unsigned char byte);
    /* Lets a turn that waits, or the next one, return. Any thread. */
    void (*wake)(struct rx_loop *loop);
    /* By the thread that took the turns, if it is not the one that closes; NULL: there is nothing to be done. */
    void (*leave)(struct rx_loop *loop);
    void (*close)(struct rx_loop *loop);
};

/* Hand-written epoll. */
extern const struct rx_engine rx_engine_epoll_raw;

/* Adds the cases of an engine. */
void micro_rx_add_engine(const struct rx_engine *engine);

/* For those that read and write themselves: recv(2) or read(2) once, and rig->arrived; failures go to the rig. */
void rx_rig_read(struct rx_rig *rig, size_t index);
void rx_rig_write(struct rx_rig *rig, size_t index, unsigned char byte);

#ifdef __cplusplus
}
#endif

#endif
