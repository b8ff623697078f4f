/*
 * See rx_bell.h. Both ends never block: a full pipe is readable already, and an empty one silent.
 *
 * Source: eventfd(2), pipe(2). With RX_PORTABLE defined Linux gets what other systems get, to be tested there.
 */
#include "reactor/rx_bell.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__linux__) && !defined(RX_PORTABLE)

#include <sys/eventfd.h>

int rx_bell_open(struct rx_bell *bell) {
    bell->in = bell->out = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return bell->in < 0 ? -errno : 0;
}

#else

#include <fcntl.h>

int rx_bell_open(struct rx_bell *bell) {
    int ends[2];
    if (pipe(ends)) {
        return -errno;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    }
    *bell = (struct rx_bell){.in = ends[0], .out = ends[1]};
    return 0;
}

#endif

void rx_bell_close(struct rx_bell *bell) {
    close(bell->in);
    if (bell->out != bell->in) {
        close(bell->out);
    }
}

void rx_bell_ring(const struct rx_bell *bell) {
    uint64_t one = 1; /* as an eventfd wants it; a pipe does not mind */
    ssize_t written;
    do {
        written = write(bell->out, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
}

void rx_bell_silence(const struct rx_bell *bell) {
    uint64_t rings[8];
    while (read(bell->in, rings, sizeof rings) == sizeof rings) { /* more in a pipe, never in an eventfd */
    }
}
