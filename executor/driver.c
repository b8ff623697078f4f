#include "executor/driver.h"

#include <errno.h>
#include <time.h>

/* How long a worker rests after a wait that failed. */
#define FAILED_WAIT_NS INT64_C(1000000)

int driver_create(struct driver *driver, const char *reactor, const struct rx_config *config, const char *timers) {
    driver->ops = rx_find(reactor);
    if (!driver->ops) {
        return -EINVAL;
    }
    int error = timers_create(&driver->timers, timers);
    if (error) {
        return error;
    }
    error = driver->ops->create(&driver->rx, config);
    if (error) {
        timers_destroy(&driver->timers);
        return error;
    }
    au32_store_relaxed(&driver->lock, DRIVER_FREE);
    au32_store_relaxed(&driver->sentinel, 0);
    au32_store_relaxed(&driver->epoch, 0);
    au32_store_relaxed(&driver->sources, 0);
    return 0;
}

void driver_destroy(struct driver *driver) {
    timers_destroy(&driver->timers);
    driver->ops->destroy(driver->rx);
}

int driver_register(struct driver *driver, int fd, struct rx_source **out) {
    int error = driver->ops->register_fd(driver->rx, fd, out);
    if (!error) {
        /* relaxed: a hint to busy workers; one that misses it looks again after its next interval */
        au32_fetch_add_relaxed(&driver->sources, 1);
    }
    return error;
}

void driver_deregister(struct driver *driver, struct rx_source *source) {
    driver->ops->deregister(driver->rx, source);
    au32_fetch_sub_relaxed(&driver->sources, 1);
}

void driver_close(struct driver *driver, struct rx_source *source) {
    driver->ops->close(driver->rx, source);
    au32_fetch_sub_relaxed(&driver->sources, 1);
}

/*
 * What makes a wait fail (no memory in the kernel; for poll(2), more descriptors than RLIMIT_NOFILE came to allow) may
 * pass, so it is tried again, and timers go on. But it would fail again at once: the processor is left to others first,
 * and a wake is as late as that.
 */
static int wait_or_rest(struct driver *driver, int64_t timeout_ns) {
    int events = driver->ops->wait(driver->rx, timeout_ns);
    if (events < 0 && timeout_ns != 0) {
        int64_t rest_ns = timeout_ns < 0 || timeout_ns > FAILED_WAIT_NS ? FAILED_WAIT_NS : timeout_ns;
        nanosleep(&(struct timespec){.tv_nsec = rest_ns}, NULL);
    }
    return events;
}

static struct driver_events collect(struct driver *driver, int events) {
    return (struct driver_events){.events = events > 0 ? (unsigned)events : 0, .timers = timers_fire(&driver->timers)};
}

int driver_attach(struct driver *driver, unsigned slot) {
    return driver->ops->stealable ? 0 : driver->ops->attach(driver->rx, slot);
}

void driver_detach(struct driver *driver) {
    if (!driver->ops->stealable) {
        driver->ops->detach(driver->rx);
    }
}

struct driver_events driver_look(struct driver *driver, bool locked) {
    int events = 0;
    /* Where the kernel carries operations out, those of a socket that was the last to be closed still have to end. */
    if (driver->ops->completion || au32_load_relaxed(&driver->sources) > 0) {
        events = driver->ops->wait(driver->rx, 0);
    }
    return locked ? collect(driver, events) : (struct driver_events){.events = events > 0 ? (unsigned)events : 0};
}

struct driver_events driver_sleep(struct driver *driver, int64_t limit_ns) {
    int events = wait_or_rest(driver, limit_ns);
    return (struct driver_events){.events = events > 0 ? (unsigned)events : 0};
}

struct driver_events driver_block(struct driver *driver, unsigned slot) {
    int64_t timeout_ns = timers_begin_wait(&driver->timers, slot);
    int events = wait_or_rest(driver, timeout_ns);
    timers_end_wait(&driver->timers);
    return collect(driver, events);
}

void driver_wake(struct driver *driver, unsigned slot) {
    driver->ops->wake(driver->rx, driver->ops->stealable ? 0 : slot);
}
