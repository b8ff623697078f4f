/* A back end that is not built: rx_ops.missing says why. Internal to reactor/. */
#ifndef STEALYARD_REACTOR_RX_MISSING_H
#define STEALYARD_REACTOR_RX_MISSING_H

#include <errno.h>

#include "reactor/reactor.h"

/* Its rx_ops.create. */
static inline int rx_missing_create(struct rx **out, const struct rx_config *config) {
    (void)out;
    (void)config;
    return -ENOTSUP;
}

#endif
