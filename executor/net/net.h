/* TCP and Unix stream sockets, and waiting for the readiness of any descriptor. */
#ifndef STEALYARD_EXECUTOR_NET_NET_H
#define STEALYARD_EXECUTOR_NET_NET_H

#endif
