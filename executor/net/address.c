/* Addresses from text and to text. See address.h. */
#include "executor/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Where the reason of a refusal goes. */
struct message {
    char *text;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct message *message, int error, const char *format,
                                                        ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message->text, message->size, format, arguments);
    va_end(arguments);
    return error;
}

/* An abstract name: as long as it is, without a byte that ends it. */
static int parse_name(const char *name, struct sy_address *address, const struct message *message) {
    size_t length = strlen(name), most = sizeof address->local.sun_path - 1;
#if !defined(__linux__)
    return refuse(message, -EINVAL, "\"unix:@%s\": only Linux has abstract names; unix:/path would be right", name);
#endif
    if (length > most) {
        return refuse(message, -ENAMETOOLONG,
                      "the abstract name of a Unix socket has at most %zu bytes, this one has "
                      "%zu: %s",
                      most, length, name);
    }
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path + 1, name, length);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (length ? length + 1 : 0));
    return 0;
}

static int parse_path(const char *path, struct sy_address *address, const struct message *message) {
    size_t length = strlen(path), most = sizeof address->local.sun_path - 1;
    if (length == 0) {
        return refuse(message, -EINVAL, "\"unix:\" wants a path after it, for example unix:/run/name.sock");
    }
    if (length > most) {
        return refuse(message, -ENAMETOOLONG, "the path of a Unix socket has at most %zu bytes, this one has %zu: %s",
                      most, length, path);
    }
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, length + 1);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

/* A port: one to five digits, at most 65535. */
static int parse_port(const char *text, in_port_t *port) {
    uint32_t value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return -EINVAL;
    }
    for (; *text; text++) {
        value = value * 10 + (uint32_t)(*text - '0');
    }
    if (value > UINT16_MAX) {
        return -EINVAL;
    }
    *port = htons((uint16_t)value);
    return 0;
}

/* `host` without the brackets. 0 or -EINVAL. */
static int parse_host(const char *host, size_t length, bool brackets, in_port_t port, struct sy_address *address) {
    char text[INET6_ADDRSTRLEN];
    if (length >= sizeof text) {
        return -EINVAL;
    }
    memcpy(text, host, length);
    text[length] = '\0';
    if (brackets) {
        address->ipv6.sin6_family = AF_INET6;
        address->ipv6.sin6_port = port;
        address->length = sizeof address->ipv6;
        return inet_pton(AF_INET6, text, &address->ipv6.sin6_addr) == 1 ? 0 : -EINVAL;
    }
    address->ipv4.sin_family = AF_INET;
    address->ipv4.sin_port = port;
    address->length = sizeof address->ipv4;
    return inet_pton(AF_INET, text, &address->ipv4.sin_addr) == 1 ? 0 : -EINVAL;
}

int sy_address_parse(const char *text, struct sy_address *address, char *message, size_t size) {
    const struct message reason = {message, size};
    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:@", 6) == 0) {
        return parse_name(text + 6, address, &reason);
    }
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_path(text + 5, address, &reason);
    }
    const char *colon = strrchr(text, ':');
    bool brackets = colon && colon - text >= 2 && text[0] == '[' && colon[-1] == ']';
    in_port_t port;
    if (!colon || (!brackets && memchr(text, ':', (size_t)(colon - text)))) {
        return refuse(&reason, -EINVAL, "\"%s\" is no address; 127.0.0.1:80, [::1]:80 or unix:/path would be", text);
    }
    if (parse_port(colon + 1, &port)) {
        return refuse(&reason, -EINVAL, "\"%s\" is no port; a number from 0 to 65535 would be", colon + 1);
    }
    const char *host = text + brackets;
    size_t length = (size_t)(colon - text) - 2 * (size_t)brackets;
    if (parse_host(host, length, brackets, port, address)) {
        return refuse(&reason, -EINVAL, "\"%.*s\" is no %s address; %s would be", (int)length, host,
                      brackets ? "IPv6" : "IPv4", brackets ? "::1" : "127.0.0.1");
    }
    return 0;
}

static void format_local(const struct sy_address *address, char *text, size_t size) {
    const char *path = address->local.sun_path;
    size_t before = offsetof(struct sockaddr_un, sun_path);
    int length = address->length > before ? (int)(address->length - before) : 0;
    if (length > 0 && path[0] == '\0') {
        snprintf(text, size, "unix:@%.*s", length - 1, path + 1); /* to its first zero byte, if it has one */
    } else {
        snprintf(text, size, "unix:%.*s", length, path);
    }
}

void sy_address_format(const struct sy_address *address, char *text, size_t size) {
    char host[INET6_ADDRSTRLEN];
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->ipv4.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, (unsigned)ntohs(address->ipv4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->ipv6.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, (unsigned)ntohs(address->ipv6.sin6_port));
        break;
    default:
        format_local(address, text, size);
        break;
    }
}
