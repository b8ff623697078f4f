/*
 * The driver: the reactor and the timers, and which worker waits for them.
 *
 * Any worker may take the lock with one CAS: a busy one for a look (DRIVER_LOOKING), a parking one to block
 * (DRIVER_BLOCKING). Nobody waits for the lock.
 *
 * Who attends the reactor. A worker that wakes up in the reactor with tasks to run leaves it, and its first task may be
 * a long one. Waking a parked worker each time to take over would cost a wake-up for each batch of events; not waking
 * one would leave input and output dead for as long as the task runs. So one of the parked workers, the sentinel,
 * sleeps with a time limit (handoff_ns): when it wakes and finds the reactor unattended, it takes over. While events
 * keep coming and are attended it costs one wake-up per handoff_ns, of itself; when the reactor was blocked in for the
 * whole time the sentinel goes to sleep without limit, so an idle runtime uses no processor time. The rule, kept by
 * park.h's `attend`: if a worker is parked then
 *   - somebody blocks in the reactor, or
 *   - there is a sentinel, or
 *   - some worker searches, which will park (and block in the reactor, or become the sentinel) or, finding work, calls
 *     `attend` itself.
 * `attend` is called by each worker that gives up one of these parts to run tasks; it wakes one more parked worker if
 * none of the three holds. D1: the one who leaves stores (lock or sentinel), runs a full barrier, and loads the other
 * two; so of two that leave at once, at least the second sees that nobody is left.
 *
 * A reactor that cannot be stolen has a slot for each worker. Then the lock is only the timers': each worker looks into
 * its own slot without it and sleeps there, and who holds it besides wakes in time for the earliest timer.
 *
 * Accesses: the lock is taken with acquire and given back with release, for the reactor's and nobody else's data; the
 * rest of the orders is in D1's barriers. `epoch` counts the waits that ended, relaxed: the sentinel compares it with
 * what it saw last, and a stale value costs one more turn.
 */
#ifndef STEALYARD_EXECUTOR_DRIVER_H
#define STEALYARD_EXECUTOR_DRIVER_H

#include "executor/timers.h"
#include "reactor/reactor.h"

enum { DRIVER_FREE, DRIVER_LOOKING, DRIVER_BLOCKING };

struct driver {
    const struct rx_ops *ops;
    struct rx *rx;
    struct au32 sources; /* registered descriptors: without any a look finds none, but for what was closed just now */
    SY_ALIGNAS(SY_CACHE_LINE) struct au32 lock;
    struct au32 sentinel; /* 0 or 1 */
    struct au32 epoch;
    struct timers timers;
};

/* `timers`: the store of deadlines, by name. 0, -errno. */
int driver_create(struct driver *driver, const char *reactor, const struct rx_config *config, const char *timers);
void driver_destroy(struct driver *driver);

/* Registers a descriptor for rx_ops->poll, and back. */
int driver_register(struct driver *driver, int fd, struct rx_source **out);
void driver_deregister(struct driver *driver, struct rx_source *source);

/* Deregisters and closes the descriptor; operations in flight end first (reactor.h). */
void driver_close(struct driver *driver, struct rx_source *source);

SY_INLINE bool driver_try_lock(struct driver *driver, uint32_t how) {
    uint32_t expected = DRIVER_FREE;
    return au32_load_relaxed(&driver->lock) == DRIVER_FREE && au32_cas_acquire(&driver->lock, &expected, how);
}

SY_INLINE void driver_unlock(struct driver *driver) {
    au32_fetch_add_relaxed(&driver->epoch, 1);
    au32_store_release(&driver->lock, DRIVER_FREE);
}

struct driver_events {
    unsigned events; /* of descriptors */
    unsigned timers;
};

/* Where the reactor has slots: the calling thread's is `slot` from now on, and no longer. Otherwise nothing.
 * 0, -errno. */
int driver_attach(struct driver *driver, unsigned slot);
void driver_detach(struct driver *driver);

/* Takes what is there. With the lock timers as well; without it only where the reactor has slots. */
struct driver_events driver_look(struct driver *driver, bool locked);

/* With the lock: sleeps until an event, a timer or driver_wake. */
struct driver_events driver_block(struct driver *driver, unsigned slot);

/* Without the lock, where the reactor has slots: sleeps until an event, driver_wake or the limit (negative: none). */
struct driver_events driver_sleep(struct driver *driver, int64_t limit_ns);

/* Interrupts the sleep in that slot, the current one or the next. Any thread. */
void driver_wake(struct driver *driver, unsigned slot);

/* Before a thread that may have polled operations sleeps elsewhere, or runs on without having looked. */
SY_INLINE void driver_flush(struct driver *driver) {
    if (driver->ops->flush) {
        driver->ops->flush(driver->rx);
    }
}

#endif
