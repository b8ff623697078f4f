#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bench/json.h"
#include "bench/latency.h"
#include "bench/workload_json.h"

/* ---- the lists ---- */

static const struct {
    const char *title;
    enum sy_part_kind kind;
} kinds[] = {{"queues", SY_GLOBAL_QUEUE}, {"deques", SY_LOCAL_DEQUE}, {"reactors", SY_REACTOR}, {"timers", SY_TIMERS}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static bool works_here(enum sy_part_kind kind, const struct sy_part *part) {
    return sy_part_probe(kind, part->name) != -ENOTSUP;
}

void workload_print_list(void) {
    struct sy_part part;
    for (size_t k = 0; k < KINDS; k++) {
        printf("%s\n", kinds[k].title);
        for (unsigned i = 0; sy_part_at(kinds[k].kind, i, &part); i++) {
            const char *where = works_here(kinds[k].kind, &part) ? "" : " (not on this machine)";
            printf("  %-24s %s%s\n", part.name, part.summary, where);
        }
    }
    puts("workloads");
    for (size_t i = 0; workload_table[i]; i++) {
        printf("  %-24s %s\n", workload_table[i]->name, workload_table[i]->summary);
    }
}

static void print_part_json(enum sy_part_kind kind, const struct sy_part *part) {
    bool works = works_here(kind, part);
    char missing[256] = "";
    if (!works) {
        sy_part_explain(kind, part->name, missing, sizeof missing);
    }
    putchar('{');
    json_print_field(stdout, "name", part->name);
    json_print_field(stdout, "summary", part->summary);
    json_print_field(stdout, "source", part->source);
    json_print_field(stdout, "order", part->order);
    json_print_field(stdout, "progress", part->progress);
    json_print_field(stdout, "reclamation", part->reclamation);
    json_print_field(stdout, "cost", part->cost);
    json_print_field(stdout, "caveat", part->caveat);
    json_print_field(stdout, "missing", missing);
    printf("\"bounded\":%s,\"withholds\":%s,\"reclaims\":%s,\"allocates\":%s,\"aborts\":%s,\"works_here\":%s}",
           json_bool(part->bounded), json_bool(part->withholds), json_bool(part->reclaims), json_bool(part->allocates),
           json_bool(part->aborts), json_bool(works));
}

static const char *workload_measures(const struct workload *workload) {
    return workload->measures ? workload->measures : "duration";
}

static void print_workload_json(const struct workload *workload) {
    static const char *const efforts[] = {[WORKLOAD_CORE] = "core", [WORKLOAD_WIDE] = "wide", [WORKLOAD_LONG] = "long"};
    static const char *const names[] = {"\"queue\"", "\"deque\"", "\"reactor\""};
    const char *comma = "";
    putchar('{');
    json_print_field(stdout, "name", workload->name);
    json_print_field(stdout, "summary", workload->summary);
    json_print_field(stdout, "check", workload->check);
    json_print_field(stdout, "measures", workload_measures(workload));
    json_print_field(stdout, "effort", efforts[workload->effort]);
    printf("\"ops\":%" PRIu64 ",\"ops_per_worker\":%s,\"workers\":%u,\"parts\":[", workload->ops,
           json_bool(workload->ops_per_worker), workload->workers);
    for (unsigned i = 0; i < 3; i++) {
        if (workload->parts & 1U << i) {
            printf("%s%s", comma, names[i]);
            comma = ",";
        }
    }
    fputs("]}", stdout);
}

void workload_print_list_json(void) {
    struct sy_part part;
    putchar('{');
    for (size_t k = 0; k < KINDS; k++) {
        printf("\"%s\":[", kinds[k].title);
        for (unsigned i = 0; sy_part_at(kinds[k].kind, i, &part); i++) {
            fputs(i ? "," : "", stdout);
            print_part_json(kinds[k].kind, &part);
        }
        fputs("],", stdout);
    }
    fputs("\"workloads\":[", stdout);
    for (size_t i = 0; workload_table[i]; i++) {
        fputs(i ? "," : "", stdout);
        print_workload_json(workload_table[i]);
    }
    puts("]}");
}

/* ---- the result ---- */

static void print_samples(const struct workload_measured *measured) {
    fputs("\"samples_ns\":[", stdout);
    for (size_t i = 0; i < measured->iterations; i++) {
        printf("%s%" PRIu64, i ? "," : "", measured->samples_ns[i]);
    }
    fputs("],", stdout);
}

static void print_counters(const struct workload_counters *counters) {
    const char *name;
    uint64_t value;
    fputs("\"counters\":{", stdout);
    for (unsigned i = 0; (name = workload_counter_at(i, counters, &value)); i++) {
        printf("%s\"%s\":%" PRIu64, i ? "," : "", name, value);
    }
    putchar('}');
}

void workload_print_result(const struct workload_options *options, const struct workload_run *run,
                           const struct workload_measured *measured, bool checked, const char *check) {
    const struct sy_config *config = sy_runtime_config(run->runtime);
    const struct workload *workload = options->workload;
    putchar('{');
    fputs("\"peer\":null,", stdout);
    json_print_field(stdout, "workload", workload->name);
    json_print_field(stdout, "queue", config->global_queue);
    json_print_field(stdout, "deque", config->local_deque);
    json_print_field(stdout, "reactor", config->reactor);
    json_print_field(stdout, "timers", config->timers);
    printf("\"dynamic\":%s,\"workers\":%u,\"seed\":%" PRIu64 ",\"iterations\":%zu,\"ops_per_iteration\":%" PRIu64
           ",\"median_ns\":%.1f,",
           json_bool(config->dynamic_dispatch), config->workers, config->seed, measured->iterations,
           workload->ops * (workload->ops_per_worker ? config->workers : 1), measured->median_ns);
    fputs("\"latency_ns\":", stdout);
    latency_print_json(stdout, &run->latency);
    putchar(',');
    print_samples(measured);
    printf("\"checked\":%s,", json_bool(checked));
    json_print_field(stdout, "check", check);
    printf("\"peak_rss_kib\":%ld,\"cpu_ns\":%" PRIu64 ",", measured->peak_rss_kib, measured->cpu_ns);
    print_counters(&measured->counters);
    puts("}");
}
