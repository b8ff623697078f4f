/* The histogram of latencies: percentiles against a sorted array, sums, and the ends of the range. */
#define _GNU_SOURCE
#include "bench/latency.c" /* a program's own file, in no library */
#include "stress/check.h"

enum { MANY = 20000 };

static const double shares[] = {0, 0.001, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The least value that the share of all do not exceed, exactly. */
static uint64_t exact(const uint64_t *sorted, size_t n, double share) {
    size_t wanted = (size_t)ceil(share * (double)n);
    return sorted[wanted > 0 ? wanted - 1 : 0];
}

/* Never below, and less than 0.8 % above. */
static void expect_near(uint64_t got, uint64_t value) {
    CHECK(got >= value);
    CHECK((double)(got - value) <= 0.008 * (double)value);
}

static void expect_sorted(const struct latency *latency, uint64_t *values, size_t n) {
    qsort(values, n, sizeof *values, compare);
    CHECK_EQ(latency->count, n);
    CHECK_EQ(latency->max_ns, values[n - 1]);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        expect_near(latency_percentile(latency, shares[i]), exact(values, n, shares[i]));
    }
    CHECK_EQ(latency_percentile(latency, 1), values[n - 1]);
}

/* Values of all sizes: as many of 2 bits as of 60. */
static void against_a_sorted_array(size_t variant) {
    static struct latency latency;
    static uint64_t values[MANY];
    uint64_t state = check_seed();
    (void)variant;
    for (size_t i = 0; i < MANY; i++) {
        uint64_t bits = check_random(&state) % 60;
        values[i] = check_random(&state) >> (63 - bits);
        latency_record(&latency, values[i]);
    }
    expect_sorted(&latency, values, MANY);
}

/* A body of some hundred nanoseconds with a long tail, as a queue has it. */
static void with_a_tail(size_t variant) {
    static struct latency latency;
    static uint64_t values[MANY];
    uint64_t state = check_seed() + 1;
    (void)variant;
    for (size_t i = 0; i < MANY; i++) {
        uint64_t tail = check_random(&state) % 100 == 0 ? check_random(&state) % 10000000 : 0;
        values[i] = 200 + check_random(&state) % 100 + tail;
        latency_record(&latency, values[i]);
    }
    expect_sorted(&latency, values, MANY);
}

static void every_small_value_is_exact(size_t variant) {
    static struct latency latency;
    (void)variant;
    for (uint64_t value = 0; value < 256; value++) {
        latency_record(&latency, value);
        CHECK_EQ(latency_percentile(&latency, 1), value);
    }
    CHECK_EQ(latency_percentile(&latency, 0.5), 127);
}

/* "At least that share": not the last value below it. */
static void a_share_between_two_values(size_t variant) {
    static struct latency latency;
    (void)variant;
    latency_record(&latency, 1);
    latency_record(&latency, 100);
    CHECK_EQ(latency_percentile(&latency, 0.5), 1);
    CHECK_EQ(latency_percentile(&latency, 0.51), 100);
}

static void an_empty_one(size_t variant) {
    static struct latency latency;
    (void)variant;
    CHECK_EQ(latency_percentile(&latency, 0.5), 0);
    CHECK_EQ(latency_percentile(&latency, 1), 0);
    latency_record(&latency, 0);
    CHECK_EQ(latency.count, 1);
    CHECK_EQ(latency_percentile(&latency, 0.99), 0);
}

static void the_largest_value(size_t variant) {
    static struct latency latency;
    (void)variant;
    latency_record(&latency, UINT64_MAX);
    CHECK_EQ(latency.count, 1);
    CHECK(latency.max_ns == UINT64_MAX && latency_percentile(&latency, 0.5) == UINT64_MAX);
    latency_record(&latency, 1);
    CHECK_EQ(latency_percentile(&latency, 0.5), 1);
    CHECK(latency_percentile(&latency, 1) == UINT64_MAX);
}

/* At a bucket's edge, of every size: the value before, on and after a power of two. */
static void edges_of_buckets(size_t variant) {
    (void)variant;
    for (unsigned bit = 1; bit < 64; bit++) {
        for (uint64_t value = (UINT64_C(1) << bit) - 1; value <= (UINT64_C(1) << bit) + 1; value++) {
            static struct latency latency;
            memset(&latency, 0, sizeof latency);
            latency_record(&latency, value);
            latency_record(&latency, UINT64_MAX); /* so that the bucket's end is not cut to the largest seen */
            expect_near(latency_percentile(&latency, 0.5), value);
        }
    }
}

static void adding_up(size_t variant) {
    static struct latency sum, parts[3];
    static uint64_t values[MANY];
    uint64_t state = check_seed() + 2;
    (void)variant;
    for (size_t i = 0; i < MANY; i++) {
        values[i] = check_random(&state) >> (40 + i % 3);
        latency_record(&parts[i % 3], values[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        latency_add(&sum, &parts[i]);
    }
    expect_sorted(&sum, values, MANY);
}

static void the_percentiles_of_a_report(size_t variant) {
    static const char *const names[] = {"p50", "p90", "p99", "p99.9", "p99.99"};
    double share = 0, last = 0;
    (void)variant;
    for (unsigned i = 0; i < 5; i++) {
        CHECK(strcmp(latency_percentile_at(i, &share), names[i]) == 0);
        CHECK(share > last && fabs(share * 100 - strtod(names[i] + 1, NULL)) < 1e-9);
        last = share;
    }
    CHECK(latency_percentile_at(5, &share) == NULL);
}

static void expect_printed(const struct latency *latency, const char *wanted) {
    char text[256] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    CHECK(out != NULL);
    latency_print_json(out, latency);
    fclose(out);
    CHECK(strcmp(text, wanted) == 0);
}

static void as_json(size_t variant) {
    static struct latency latency;
    (void)variant;
    expect_printed(&latency, "null");
    for (uint64_t ns = 1; ns <= 100; ns++) {
        latency_record(&latency, ns);
    }
    expect_printed(&latency,
                   "{\"count\":100,\"max\":100,\"p50\":50,\"p90\":90,\"p99\":99,\"p99.9\":100,\"p99.99\":100}");
}

static const struct check_test tests[] = {
    {"against_a_sorted_array", against_a_sorted_array},
    {"with_a_tail", with_a_tail},
    {"every_small_value_is_exact", every_small_value_is_exact},
    {"a_share_between_two_values", a_share_between_two_values},
    {"an_empty_one", an_empty_one},
    {"the_largest_value", the_largest_value},
    {"edges_of_buckets", edges_of_buckets},
    {"adding_up", adding_up},
    {"the_percentiles_of_a_report", the_percentiles_of_a_report},
    {"as_json", as_json},
};

static const struct check_suite suite = {
    .title = "unit_latency", .tests = tests, .test_count = sizeof tests / sizeof *tests};

int main(int argc, char **argv) {
    return check_main(&suite, argc, argv);
}
