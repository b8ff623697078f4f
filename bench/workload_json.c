#include <inttypes.h>
#include <stdio.h>

#include "bench/workload_json.h"

/* As a JSON string. Bytes from 0x80 on are taken to be UTF-8. */
static void print_string(const char *text) {
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_field(const char *name, const char *text) {
    print_string(name);
    putchar(':');
    print_string(text);
    putchar(',');
}

static const char *bool_text(bool value) {
    return value ? "true" : "false";
}

/* ---- the lists ---- */

static const struct {
    const char *title;
    enum sy_part_kind kind;
} kinds[] = {{"queues", SY_GLOBAL_QUEUE}, {"deques", SY_LOCAL_DEQUE}, {"reactors", SY_REACTOR}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

void workload_print_list(void) {
    struct sy_part part;
    for (size_t k = 0; k < KINDS; k++) {
        printf("%s\n", kinds[k].title);
        for (unsigned i = 0; sy_part_at(kinds[k].kind, i, &part); i++) {
            printf("  %-24s %s\n", part.name, part.summary);
        }
    }
    puts("workloads");
    for (size_t i = 0; workload_table[i]; i++) {
        printf("  %-24s %s\n", workload_table[i]->name, workload_table[i]->summary);
    }
}

static void print_part_json(const struct sy_part *part) {
    putchar('{');
    print_field("name", part->name);
    print_field("summary", part->summary);
    print_field("source", part->source);
    print_field("order", part->order);
    print_field("progress", part->progress);
    print_field("reclamation", part->reclamation);
    printf("\"bounded\":%s}", bool_text(part->bounded));
}

static const char *workload_measures(const struct workload *workload) {
    return workload->measures ? workload->measures : "duration";
}

static void print_workload_json(const struct workload *workload) {
    static const char *const efforts[] = {
        [WORKLOAD_CORE] = "core", [WORKLOAD_WIDE] = "wide", [WORKLOAD_LONG] = "long"};
    static const char *const names[] = {"\"queue\"", "\"deque\"", "\"reactor\""};
    const char *comma = "";
    putchar('{');
    print_field("name", workload->name);
    print_field("summary", workload->summary);
    print_field("check", workload->check);
    print_field("measures", workload_measures(workload));
    print_field("effort", efforts[workload->effort]);
    printf("\"ops\":%" PRIu64 ",\"ops_per_worker\":%s,\"workers\":%u,\"parts\":[", workload->ops,
           bool_text(workload->ops_per_worker), workload->workers);
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
            print_part_json(&part);
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

static void print_latency(const struct latency *latency) {
    const char *name;
    double share;
    if (latency->count == 0) {
        fputs("\"latency_ns\":null,", stdout);
        return;
    }
    printf("\"latency_ns\":{\"count\":%" PRIu64 ",\"max\":%" PRIu64, latency->count, latency->max_ns);
    for (unsigned i = 0; (name = latency_percentile_at(i, &share)); i++) {
        printf(",\"%s\":%" PRIu64, name, latency_percentile(latency, share));
    }
    fputs("},", stdout);
}

void workload_print_result(const struct workload_options *options, const struct workload_run *run,
                           const struct workload_measured *measured, bool checked, const char *check) {
    const struct sy_config *config = sy_runtime_config(run->runtime);
    const struct workload *workload = options->workload;
    putchar('{');
    fputs("\"peer\":null,", stdout);
    print_field("workload", workload->name);
    print_field("queue", config->global_queue);
    print_field("deque", config->local_deque);
    print_field("reactor", config->reactor);
    printf("\"dynamic\":%s,\"workers\":%u,\"seed\":%" PRIu64 ",\"iterations\":%zu,\"ops_per_iteration\":%" PRIu64
           ",\"median_ns\":%.1f,",
           bool_text(config->dynamic_dispatch), config->workers, config->seed, measured->iterations,
           workload->ops * (workload->ops_per_worker ? config->workers : 1), measured->median_ns);
    print_latency(&run->latency);
    print_samples(measured);
    printf("\"checked\":%s,", bool_text(checked));
    print_field("check", check);
    printf("\"peak_rss_kib\":%ld,\"cpu_ns\":%" PRIu64 ",", measured->peak_rss_kib, measured->cpu_ns);
    print_counters(&measured->counters);
    puts("}");
}
