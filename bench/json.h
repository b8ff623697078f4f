/* Texts in JSON. */
#ifndef STEALYARD_BENCH_JSON_H
#define STEALYARD_BENCH_JSON_H

#include <stdbool.h>
#include <stdio.h>

/* As a JSON string, or null. Bytes from 0x80 on are taken to be UTF-8. */
void json_print_string(FILE *out, const char *text);

/* "name":"text", */
void json_print_field(FILE *out, const char *name, const char *text);

static inline const char *json_bool(bool value) {
    return value ? "true" : "false";
}

#endif
