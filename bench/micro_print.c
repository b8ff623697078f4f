#include "bench/micro_print.h"

#include <stdio.h>

#include "bench/json.h"

static void print_case(const struct micro_case *one) {
    printf("{");
    json_print_field(stdout, "case", one->name);
    json_print_field(stdout, "part", one->part);
    json_print_field(stdout, "implementation", one->implementation);
    json_print_field(stdout, "shape", one->shape);
    json_print_field(stdout, "base", one->base);
    json_print_field(stdout, "measures", one->measures);
    json_print_field(stdout, "order", one->order);
    printf("\"core\":%s,\"peer\":%s,\"axis\":", json_bool(one->core), json_bool(one->peer));
    if (one->axis) {
        putchar('{');
        json_print_field(stdout, "axis", one->axis);
        printf("\"x\":%u}}", one->x);
    } else {
        fputs("null}", stdout);
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
