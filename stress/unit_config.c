/* The configuration: what is wrong is told in one line that says what would be right. */
#define _GNU_SOURCE
#include <sched.h>

#include "queues/gq.h"
#include "support_probe.h"

/* ---- wrong values ---- */

struct wrong {
    const char *what;
    void (*spoil)(struct sy_config *config);
    const char *named; /* what the line must name */
};

static void spoil_queue(struct sy_config *config) {
    config->global_queue = "gq_nonesuch";
}
static void spoil_deque(struct sy_config *config) {
    config->local_deque = "dq_nonesuch";
}
static void spoil_reactor(struct sy_config *config) {
    config->reactor = "";
}
static void spoil_workers(struct sy_config *config) {
    config->workers = SY_WORKERS_MAX + 1;
}
static void spoil_global_capacity(struct sy_config *config) {
    config->global_capacity = 0;
}
static void spoil_global_capacity_power(struct sy_config *config) {
    config->global_capacity = 3;
}
static void spoil_global_segment(struct sy_config *config) {
    config->global_segment = 1;
}
static void spoil_global_segment_power(struct sy_config *config) {
    config->global_segment = 48;
}
static void spoil_global_segment_big(struct sy_config *config) {
    config->global_segment = 2 * GQ_SEGMENT_MAX;
}
static void spoil_local_capacity(struct sy_config *config) {
    config->local_capacity = 0;
}
static void spoil_local_capacity_one(struct sy_config *config) {
    config->local_capacity = 1;
}
static void spoil_local_capacity_power(struct sy_config *config) {
    config->local_capacity = 48;
}
static void spoil_global_batch(struct sy_config *config) {
    config->global_batch = 0;
}
static void spoil_steal_batch(struct sy_config *config) {
    config->steal_batch = 0;
}
static void spoil_reactor_interval(struct sy_config *config) {
    config->reactor_interval = 0;
}
static void spoil_reactor_fallback(struct sy_config *config) {
    config->reactor_fallback = "rx_nonesuch";
}
static void spoil_reactor_batch(struct sy_config *config) {
    config->reactor_batch = 0;
}
static void spoil_budget(struct sy_config *config) {
    config->budget = 0;
}
static void spoil_thread_name(struct sy_config *config) {
    config->thread_name = "ten-bytes!";
}

static const struct wrong wrongs[] = {
    {"global queue", spoil_queue, "gq_nonesuch"},
    {"local deque", spoil_deque, "dq_nonesuch"},
    {"reactor", spoil_reactor, "reactor"},
    {"reactor fallback", spoil_reactor_fallback, "fall back on is called \"rx_nonesuch\"; there are: rx_epoll"},
    {"workers", spoil_workers, "1024"},
    {"global capacity 0", spoil_global_capacity, "global_capacity"},
    {"global capacity 3", spoil_global_capacity_power, "global_capacity"},
    {"global segment 1", spoil_global_segment, "global_segment"},
    {"global segment 48", spoil_global_segment_power, "65536"},
    {"global segment 131072", spoil_global_segment_big, "65536"},
    {"local capacity 0", spoil_local_capacity, "local_capacity"},
    {"local capacity 1", spoil_local_capacity_one, "local_capacity"},
    {"local capacity 48", spoil_local_capacity_power, "local_capacity"},
    {"global batch", spoil_global_batch, "global_batch"},
    {"steal batch", spoil_steal_batch, "steal_batch"},
    {"reactor interval", spoil_reactor_interval, "reactor_interval"},
    {"reactor batch", spoil_reactor_batch, "reactor_batch"},
    {"budget", spoil_budget, "budget"},
    {"thread name", spoil_thread_name, "thread_name"},
};
enum { WRONGS = sizeof wrongs / sizeof wrongs[0] };

static void wrong_values_are_told(size_t variant) {
    (void)variant;
    for (unsigned i = 0; i < WRONGS; i++) {
        struct sy_config config;
        struct sy_runtime *runtime = NULL;
        char line[512] = "";
        sy_config_init(&config);
        CHECK_EQ(sy_config_check(&config, line, sizeof line), 0);
        wrongs[i].spoil(&config);
        int error = sy_config_check(&config, line, sizeof line);
        if (error != -EINVAL || !strstr(line, wrongs[i].named) || strchr(line, '\n')) {
            check_fail(__FILE__, __LINE__, "%s: %d, \"%s\"", wrongs[i].what, error, line);
        }
        CHECK_EQ(sy_config_check(&config, NULL, 0), -EINVAL);
        CHECK_EQ(sy_runtime_create(&runtime, &config), -EINVAL);
        CHECK(runtime == NULL);
        char why[512] = "";
        sy_config_explain(&config, -EINVAL, why, sizeof why);
        CHECK(strcmp(why, line) == 0);
    }
}

/* A line that is too long is cut, and ended, where the caller says. */
static void message_is_cut_to_size(size_t variant) {
    (void)variant;
    struct sy_config config;
    char line[16];
    sy_config_init(&config);
    spoil_queue(&config);
    memset(line, 'x', sizeof line);
    CHECK_EQ(sy_config_check(&config, line, 8), -EINVAL);
    CHECK(strlen(line) <= 7);
    CHECK_EQ(line[8], 'x');
}

static void wrong_names_list_the_right_ones(size_t variant) {
    (void)variant;
    static const enum sy_part_kind kinds[] = {SY_GLOBAL_QUEUE, SY_LOCAL_DEQUE, SY_REACTOR, SY_TIMERS};
    for (unsigned k = 0; k < 4; k++) {
        struct sy_config config;
        struct sy_part part;
        char line[2048] = "";
        sy_config_init(&config);
        *(kinds[k] == SY_GLOBAL_QUEUE  ? &config.global_queue
          : kinds[k] == SY_LOCAL_DEQUE ? &config.local_deque
          : kinds[k] == SY_REACTOR     ? &config.reactor
                                       : &config.timers) = "nonesuch";
        CHECK_EQ(sy_config_check(&config, line, sizeof line), -EINVAL);
        unsigned parts = 0;
        for (; sy_part_at(kinds[k], parts, &part); parts++) {
            CHECK(strstr(line, part.name) != NULL);
            CHECK(part.summary && *part.summary && part.source && *part.source);
            CHECK(part.order && part.progress && part.reclamation && part.cost && part.caveat);
            CHECK(kinds[k] != SY_GLOBAL_QUEUE || *part.cost);
        }
        CHECK(parts >= 1);
        CHECK(!sy_part_at(kinds[k], parts + 1000, &part));
    }
}

/* Each part works here, or is told apart from one that does not exist, and then says why. */
static void parts_are_probed(size_t variant) {
    (void)variant;
    static const enum sy_part_kind kinds[] = {SY_GLOBAL_QUEUE, SY_LOCAL_DEQUE, SY_REACTOR, SY_TIMERS};
    for (unsigned k = 0; k < 4; k++) {
        struct sy_part part;
        for (unsigned i = 0; sy_part_at(kinds[k], i, &part); i++) {
            int error = sy_part_probe(kinds[k], part.name);
            char why[256] = "";
            sy_part_explain(kinds[k], part.name, why, sizeof why);
            CHECK(error == 0 || (error == -ENOTSUP && *why && !strchr(why, '\n')));
        }
        CHECK_EQ(sy_part_probe(kinds[k], "nonesuch"), -EINVAL);
    }
}

/* One line for each way in which a runtime cannot be had, which says what would be right. */
static void errors_are_explained(size_t variant) {
    (void)variant;
    static const struct {
        int error;
        const char *named;
    } errors[] = {{-ENOMEM, "fewer"}, {-EAGAIN, "ulimit -u"},    {-EMFILE, "ulimit -n"},   {-ENFILE, "ulimit -n"},
                  {-ENOTSUP, "list"}, {-EPERM, "not permitted"}, {-EINVAL, "in its range"}};
    struct sy_config config;
    sy_config_init(&config);
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        char why[512] = "";
        sy_config_explain(&config, errors[i].error, why, sizeof why);
        if (!strstr(why, errors[i].named) || strchr(why, '\n')) {
            check_fail(__FILE__, __LINE__, "%s: \"%s\"", strerror(-errors[i].error), why);
        }
    }
}

/* ---- what is filled in ---- */

static void defaults_are_filled_in(size_t variant) {
    (void)variant;
    struct sy_runtime *runtime;
    CHECK_EQ(sy_runtime_create(&runtime, NULL), 0);
    const struct sy_config *config = sy_runtime_config(runtime);
    CHECK(config->global_queue && config->local_deque && config->reactor && config->timers);
    CHECK_EQ(config->workers, sy_runtime_workers(runtime));
    cpu_set_t mine;
    CHECK_EQ(sched_getaffinity(0, sizeof mine, &mine), 0);
    CHECK_EQ(config->workers, CPU_COUNT(&mine));
    CHECK(config->searching_max >= 1);
    CHECK(config->thread_name != NULL);
    CHECK_EQ(sy_runtime_current_worker(runtime), -1);
    sy_runtime_destroy(runtime);
}

static const struct check_test tests[] = {
    {"wrong_values_are_told", wrong_values_are_told},
    {"message_is_cut_to_size", message_is_cut_to_size},
    {"wrong_names_list_the_right_ones", wrong_names_list_the_right_ones},
    {"parts_are_probed", parts_are_probed},
    {"errors_are_explained", errors_are_explained},
    {"defaults_are_filled_in", defaults_are_filled_in},
};

int main(int argc, char **argv) {
    static const struct check_suite suite = {
        .title = "unit_config", .tests = tests, .test_count = sizeof tests / sizeof tests[0]};
    return check_main(&suite, argc, argv);
}
