#include "bench/micro_print.h"

#include <stdio.h>

/* Names and the like are ours: letters, digits and "/:_ .", nothing that JSON would want escaped. */
static void print_string(const char *key, const char *value) {
    if (value) {
        printf("\"%s\": \"%s\"", key, value);
    } else {
        printf("\"%s\": null", key);
    }
    fputs(", ", stdout);
}

static void print_case(const struct micro_case *one) {
    printf("{");
    print_string("case", one->name);
    print_string("part", one->part);
    print_string("implementation", one->implementation);
    print_string("shape", one->shape);
    print_string("base", one->base);
    print_string("measures", one->measures);
    printf("\"core\": %s, \"peer\": %s, ", one->core ? "true" : "false", one->peer ? "true" : "false");
    if (one->axis) {
        printf("\"axis\": {\"axis\": \"%s\", \"x\": %u}}", one->axis, one->x);
    } else {
        printf("\"axis\": null}");
    }
}

void micro_print_cases(const struct micro_case *const *cases, size_t n, bool json) {
    for (size_t i = 0; i < n; i++) {
        if (json) {
            fputs(i == 0 ? "[" : ",\n ", stdout);
            print_case(cases[i]);
        } else {
            puts(cases[i]->name);
        }
    }
    if (json) {
        puts("]");
    }
}
