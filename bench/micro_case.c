/* The cases that were added. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro_driver.h"

static struct micro_case **cases; /* each allocated alone: Google Benchmark keeps pointers to them */
static size_t case_count;

/* The shape without its second component. */
static void set_base(struct micro_case *one) {
    size_t first = one->axis ? strcspn(one->shape, "/") : strlen(one->shape);
    const char *second = one->shape + first;
    const char *rest = *second ? second + 1 + strcspn(second + 1, "/") : "";
    snprintf(one->base, sizeof one->base, "%s/%.*s%s", one->part, (int)first, one->shape, rest);
}

static void set_names(struct micro_case *one, const char *shape_format, va_list arguments) {
    const char *implementation = one->implementation ? one->implementation : "";
    int n = vsnprintf(one->shape, sizeof one->shape, shape_format, arguments);
    int m = snprintf(one->name, sizeof one->name, "%s/%.*s%s%s", one->part, (int)sizeof one->shape, one->shape,
                     *implementation ? "/" : "", implementation);
    if (n >= MICRO_NAME_MAX || m >= MICRO_NAME_MAX) {
        fprintf(stderr, "micro: the name is longer than MICRO_NAME_MAX: %s…\n", one->name);
        abort();
    }
    set_base(one);
}

void micro_add(const struct micro_case *one, const char *shape_format, ...) {
    va_list arguments;
    struct micro_case *copy = malloc(sizeof *copy);
    struct micro_case **more = realloc(cases, (case_count + 1) * sizeof *cases);
    if (!copy || !more) {
        fputs("micro: no memory\n", stderr);
        abort();
    }
    *copy = *one;
    va_start(arguments, shape_format);
    set_names(copy, shape_format, arguments);
    va_end(arguments);
    cases = more;
    cases[case_count++] = copy;
}

const struct micro_case *micro_case_at(size_t index) {
    return index < case_count ? cases[index] : NULL;
}

unsigned micro_next_rung(unsigned n, unsigned most) {
    unsigned processors = micro_processors();
    unsigned next = n < processors && processors < n * 2 ? processors : n * 2;
    if (n >= most) {
        return 0;
    }
    return next < most ? next : most;
}
