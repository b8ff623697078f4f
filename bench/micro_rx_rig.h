/* The descriptors of a rig. */
#ifndef STEALYARD_BENCH_MICRO_RX_RIG_H
#define STEALYARD_BENCH_MICRO_RX_RIG_H

#include "bench/micro_rx.h"

enum rx_transport { RX_SOCKETPAIR, RX_PIPE, RX_TCP };

/*
 * Opens the two ends of a connection. False: rig->failure says why.
 */
bool rx_rig_connect(struct rx_rig *rig, enum rx_transport transport, struct rx_end ends[2]);
void rx_rig_disconnect(const struct rx_end *ends, size_t count);

/* How many descriptors this process may have, after raising the soft limit to the hard one. */
size_t rx_rig_descriptors(void);

#endif
