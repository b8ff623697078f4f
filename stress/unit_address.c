/* Addresses: what is read and written, and what is refused with which words. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "executor/net/address.h"
#include "stress/check.h"

static void addresses_are_read_and_written(size_t variant) {
    (void)variant;
    static const char *const good[] = {"127.0.0.1:80",     "0.0.0.0:0",  "[::1]:65535", "[::]:0",
                                       "unix:/tmp/x.sock", "unix:@name", "unix:./@name"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct sy_address address;
        char text[SY_ADDRESS_TEXT_SIZE];
        CHECK_EQ(sy_address_parse(good[i], &address, NULL, 0), 0);
        sy_address_format(&address, text, sizeof text);
        CHECK_EQ(strcmp(text, good[i]), 0);
    }
}

static void wrong_addresses_are_explained(size_t variant) {
    (void)variant;
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"", "\"\" is no address; 127.0.0.1:80, [::1]:80 or unix:/path would be"},
        {"127.0.0.1", "\"127.0.0.1\" is no address; 127.0.0.1:80, [::1]:80 or unix:/path would be"},
        {"::1:80", "\"::1:80\" is no address; 127.0.0.1:80, [::1]:80 or unix:/path would be"},
        {"127.0.0.1:", "\"\" is no port; a number from 0 to 65535 would be"},
        {"127.0.0.1:65536", "\"65536\" is no port; a number from 0 to 65535 would be"},
        {"127.0.0.1:+80", "\"+80\" is no port; a number from 0 to 65535 would be"},
        {"localhost:80", "\"localhost\" is no IPv4 address; 127.0.0.1 would be"},
        {"127.1:80", "\"127.1\" is no IPv4 address; 127.0.0.1 would be"},
        {":80", "\"\" is no IPv4 address; 127.0.0.1 would be"},
        {"[::g]:80", "\"::g\" is no IPv6 address; ::1 would be"},
        {"unix:", "\"unix:\" wants a path after it, for example unix:/run/name.sock"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sy_address address;
        char message[200];
        CHECK_EQ(sy_address_parse(bad[i].text, &address, message, sizeof message), -EINVAL);
        if (strcmp(message, bad[i].reason) != 0) {
            check_fail(__FILE__, __LINE__, "\"%s\": %s", bad[i].text, message);
        }
    }
}

static void a_unix_path_that_is_too_long_is_refused(size_t variant) {
    (void)variant;
    struct sy_address address;
    char text[5 + sizeof address.local.sun_path + 1] = "unix:";
    memset(text + 5, 'x', sizeof text - 6);
    char message[300];
    CHECK_EQ(sy_address_parse(text, &address, message, sizeof message), -ENAMETOOLONG);
    CHECK_EQ(strncmp(message, "the path of a Unix socket has at most 107 bytes, this one has 108: ", 67), 0);
    text[sizeof text - 2] = '\0'; /* one byte less fits */
    CHECK_EQ(sy_address_parse(text, &address, NULL, 0), 0);
}

static void an_abstract_name_is_as_long_as_it_is(size_t variant) {
    (void)variant;
    struct sy_address address;
    CHECK_EQ(sy_address_parse("unix:@abc", &address, NULL, 0), 0);
    CHECK_EQ(address.length, offsetof(struct sockaddr_un, sun_path) + 4);
    CHECK_EQ(memcmp(address.local.sun_path, "\0abc", 4), 0);
    CHECK_EQ(sy_address_parse("unix:@", &address, NULL, 0), 0);
    CHECK_EQ(address.length, offsetof(struct sockaddr_un, sun_path)); /* the kernel's choice */
    char text[6 + sizeof address.local.sun_path + 1] = "unix:@", message[300];
    memset(text + 6, 'x', sizeof text - 7);
    CHECK_EQ(sy_address_parse(text, &address, message, sizeof message), -ENAMETOOLONG);
    CHECK_EQ(strncmp(message, "the abstract name of a Unix socket has at most 107 bytes, this one has 108: ", 76), 0);
    text[sizeof text - 2] = '\0'; /* one byte less fits */
    char got[SY_ADDRESS_TEXT_SIZE];
    CHECK_EQ(sy_address_parse(text, &address, NULL, 0), 0);
    CHECK_EQ(address.length, sizeof address.local);
    sy_address_format(&address, got, sizeof got);
    CHECK_EQ(strcmp(got, text), 0);
}

static void what_the_kernel_fills_to_the_last_byte_is_written_whole(size_t variant) {
    (void)variant;
    struct sy_address address = {.length = sizeof address.local};
    char got[SY_ADDRESS_TEXT_SIZE];
    address.local.sun_family = AF_UNIX;
    memset(address.local.sun_path, 'x', sizeof address.local.sun_path); /* no zero byte ends it */
    sy_address_format(&address, got, sizeof got);
    CHECK_EQ(strlen(got), 5 + sizeof address.local.sun_path);
    address.length = sizeof address.local.sun_family; /* a socket without an address */
    sy_address_format(&address, got, sizeof got);
    CHECK_EQ(strcmp(got, "unix:"), 0);
}

static const struct check_test tests[] = {
    {"addresses_are_read_and_written", addresses_are_read_and_written},
    {"wrong_addresses_are_explained", wrong_addresses_are_explained},
    {"a_unix_path_that_is_too_long_is_refused", a_unix_path_that_is_too_long_is_refused},
    {"an_abstract_name_is_as_long_as_it_is", an_abstract_name_is_as_long_as_it_is},
    {"what_the_kernel_fills_to_the_last_byte_is_written_whole",
     what_the_kernel_fills_to_the_last_byte_is_written_whole},
};

static const struct check_suite suite = {
    .title = "unit_address", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
