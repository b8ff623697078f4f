/* Sockets (TCP, UDP, Unix), pipes, files, and waiting for the readiness of any descriptor. */
#ifndef STEALYARD_EXECUTOR_NET_NET_H
#define STEALYARD_EXECUTOR_NET_NET_H

#include "executor/net/accept.h"
#include "executor/net/address.h"
#include "executor/net/connect.h"
#include "executor/net/datagram.h"
#include "executor/net/file.h"
#include "executor/net/io.h"
#include "executor/net/socket.h"
#include "executor/net/vectors.h"

#endif
