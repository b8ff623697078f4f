// Hands the cases to Google Benchmark, which brings the command line, the repetition and the JSON.
//
// "Time" is the driver's own (manual time): nanoseconds per successful operation, over all threads. "CPU" is the main
// thread's, which mostly waits for the driver's threads: ignore it. Each repetition of a case is one window of
// --benchmark_min_time, so the library's search for a number of iterations is not used. A case that fails its check
// ends the program with exit status 1.
//
// The library appends "/iterations:1/manual_time" to every name; names are plain here, in the filter and in the output.
#include <benchmark/benchmark.h>
#include <regex.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/micro_list.h"
#include "bench/micro_memory.h"
#include "bench/micro_options.h"
#include "bench/micro_print.h"

namespace {

constexpr int kCheckFailed = 1, kUsage = 2;

micro_options options;
bool any_failed = false;

// Passes everything on to another reporter, under plain names.
class PlainNames : public benchmark::BenchmarkReporter {
  public:
    explicit PlainNames(benchmark::BenchmarkReporter *inner) : inner_(inner) {}

    bool ReportContext(const Context &context) override {
        inner_->SetOutputStream(&GetOutputStream());
        inner_->SetErrorStream(&GetErrorStream());
        return inner_->ReportContext(context);
    }

    void ReportRuns(const std::vector<Run> &runs) override {
        std::vector<Run> plain = runs;
        for (Run &run : plain) {
            run.run_name.iterations.clear();
            run.run_name.time_type.clear();
        }
        inner_->ReportRuns(plain);
    }

    void Finalize() override {
        inner_->Finalize();
    }

  private:
    std::unique_ptr<benchmark::BenchmarkReporter> inner_;
};

void Report(benchmark::State &state, const micro_result &result) {
    const double operations = static_cast<double>(result.operations);
    auto per_operation = [&](const char *name, uint64_t count) {
        state.counters[name] = static_cast<double>(count) / operations;
    };
    per_operation("empty", result.empty);
    per_operation("full", result.full);
    per_operation("retry", result.retry);
    per_operation("stolen", result.stolen);
    per_operation("held", result.held);
    if (result.fairness >= 0) {
        state.counters["fairness"] = result.fairness;
    }
}

// The counting build's figures: of the whole run, for a thread's counts cannot be read from outside while it runs.
void ReportCounted(benchmark::State &state, const micro_result &result) {
#ifdef SY_ATOMICS_COUNT
    const double operations = static_cast<double>(result.all_operations);
    const micro_counted &counted = result.counted;
    state.counters["rmw"] = static_cast<double>(counted.atomics.of[ATOMICS_RMW]) / operations;
    state.counters["fences"] = static_cast<double>(counted.atomics.of[ATOMICS_FENCE]) / operations;
    state.counters["locks"] = static_cast<double>(counted.locks) / operations;
    state.counters["membarriers"] = static_cast<double>(counted.membarriers) / operations;
    state.counters["allocations"] = static_cast<double>(counted.allocations) / operations;
    state.counters["bytes"] = static_cast<double>(counted.allocated_bytes) / operations;
#else
    (void)state;
    (void)result;
#endif
}

void ReportLatency(benchmark::State &state, const latency &taken) {
    double share = 0;
    if (taken.count == 0) {
        return;
    }
    for (unsigned i = 0; const char *name = latency_percentile_at(i, &share); i++) {
        std::string counter = name;
        if (counter.find('.') != std::string::npos) {
            counter.replace(counter.find('.'), 1, "_");
        }
        state.counters[counter] = static_cast<double>(latency_percentile(&taken, share));
    }
    state.counters["latency_max"] = static_cast<double>(taken.max_ns);
    state.counters["latency_count"] = static_cast<double>(taken.count);
}

// The library wants the same number of iterations of every repetition: the first one's operations.
struct Registered {
    const micro_case *one;
    benchmark::IterationCount iterations;
};

void TellTime(benchmark::State &state, const micro_result &result, benchmark::IterationCount iterations) {
    const double share = static_cast<double>(iterations) / static_cast<double>(result.operations);
    while (state.KeepRunningBatch(iterations)) {
        state.SetIterationTime(result.seconds * share);
    }
    state.SetItemsProcessed(iterations);
}

void RunCase(benchmark::State &state, Registered *registered) {
    const micro_case *one = registered->one;
    auto taken = std::make_unique<latency>();
    micro_result result = {};
    result.latency = taken.get();
    const uint64_t before_kib = micro_memory_start();
    one->run(one, &options.extent, &result);
    if (result.failure == nullptr && result.operations == 0) {
        result.failure = "no operation succeeded in the window";
    }
    if (result.failure != nullptr) {
        fprintf(stderr, "micro: %s: %s\n", one->name, result.failure);
        state.SkipWithError(result.failure);
        any_failed = true;
        return;
    }
    const uint64_t peak_kib = micro_memory_peak();
    if (registered->iterations == 0) {
        registered->iterations = static_cast<benchmark::IterationCount>(result.operations);
    }
    TellTime(state, result, registered->iterations);
    if (one->order != nullptr && strcmp(one->order, "FIFO") != 0) {
        state.SetLabel(std::string("no FIFO: ") + one->order);
    }
    Report(state, result);
    ReportCounted(state, result);
    ReportLatency(state, *taken);
    state.counters["peak_rss_kib"] = static_cast<double>(peak_kib);
    state.counters["grown_kib"] = static_cast<double>(peak_kib > before_kib ? peak_kib - before_kib : 0);
}

// The cases that the filter lets through, as the library would choose them.
std::vector<const micro_case *> Chosen() {
    std::vector<const micro_case *> chosen;
    const char *pattern = options.filter;
    const bool others = *pattern == '-';
    regex_t regex;
    if (const int error = regcomp(&regex, pattern + others, REG_EXTENDED | REG_NOSUB)) {
        char why[200];
        regerror(error, &regex, why, sizeof why);
        fprintf(stderr, "micro: --benchmark_filter wants a regular expression, not \"%s\": %s\n", pattern, why);
        exit(kUsage);
    }
    for (size_t i = 0; const micro_case *one = micro_case_at(i); i++) {
        if ((regexec(&regex, one->name, 0, nullptr, 0) == 0) != others) {
            chosen.push_back(one);
        }
    }
    regfree(&regex);
    return chosen;
}

int Run(const std::vector<const micro_case *> &chosen) {
    std::vector<Registered> registered;
    for (const micro_case *one : chosen) {
        registered.push_back({one, 0});
    }
    for (Registered &one : registered) {
        benchmark::RegisterBenchmark(one.one->name, RunCase, &one)->UseManualTime()->Iterations(1);
    }
    PlainNames display(benchmark::CreateDefaultDisplayReporter());
    PlainNames file(new benchmark::JSONReporter);
    benchmark::RunSpecifiedBenchmarks(&display, options.json_file ? &file : nullptr, ".");
    benchmark::Shutdown();
    return any_failed ? kCheckFailed : 0;
}

} // namespace

int main(int argc, char **argv) {
    micro_options_take(&options, &argc, argv);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return kUsage;
    }
    benchmark::AddCustomContext("note", "library_build_type is that of Google Benchmark itself, not of this program");
#define ADD(part) part##_add();
    MICRO_LIST(ADD)
#undef ADD
    const auto chosen = Chosen();
    if (chosen.empty()) {
        fprintf(stderr, "micro: no case matches \"%s\"; --list-cases lists them\n", options.filter);
        return kUsage;
    }
    if (options.list != MICRO_LIST_NOTHING) {
        micro_print_cases(chosen.data(), chosen.size(), options.list == MICRO_LIST_JSON);
        return 0;
    }
    return Run(chosen);
}
