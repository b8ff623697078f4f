/* Addresses of sockets, from text and to text. */
#ifndef STEALYARD_EXECUTOR_NET_ADDRESS_H
#define STEALYARD_EXECUTOR_NET_ADDRESS_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sy_address {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un local;
    };
    socklen_t length; /* of the member that is used, in bytes */
};

/*
 * Reads "127.0.0.1:80", "[::1]:80", "unix:/path" or, on Linux, "unix:@name": a name in the abstract space, which no
 * file stands for and which is free again when the socket is closed (a path that begins with @ is "unix:./@…"). Numbers
 * only: a host's name takes getaddrinfo(3), which blocks and so belongs in sy_spawn_blocking. Port 0, or "unix:@", lets
 * the kernel choose when binding. 0; -EINVAL; -ENAMETOOLONG for a path that does not fit. On failure `message` (cut to
 * `size` bytes; may be NULL with 0) says in one line what is wrong and what would be right.
 */
int sy_address_parse(const char *text, struct sy_address *address, char *message, size_t size);

/* Enough for every text that sy_address_format writes. */
#define SY_ADDRESS_TEXT_SIZE (sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof "unix:")

/* Writes what sy_address_parse reads; "unix:" for a Unix socket that has no address. */
void sy_address_format(const struct sy_address *address, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
