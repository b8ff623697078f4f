// Hands the C cases to Google Benchmark, which brings the command line, the repetition and the JSON.
//
// "Time" is the driver's own (manual time): nanoseconds per successful operation, over all threads. "CPU" is the main
// thread's, which mostly waits for the driver's threads: ignore it. Failed operations stand in counters of their own,
// each per successful operation.
#include <benchmark/benchmark.h>

#include "bench/micro_driver.h"

namespace {

bool any_failed = false;

void RunCase(benchmark::State &state, const micro_case *one) {
    micro_result sum = {};
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(one->operations))) {
        micro_result result = {};
        one->run(&one->parameters, &result);
        if (result.failure != nullptr) {
            state.SkipWithError(result.failure);
            any_failed = true;
            return;
        }
        state.SetIterationTime(result.seconds);
        sum.operations += result.operations;
        sum.empty += result.empty;
        sum.full += result.full;
        sum.retry += result.retry;
        sum.stolen += result.stolen;
    }
    const double operations = static_cast<double>(sum.operations);
    state.SetItemsProcessed(static_cast<int64_t>(sum.operations));
    state.counters["empty"] = static_cast<double>(sum.empty) / operations;
    state.counters["full"] = static_cast<double>(sum.full) / operations;
    state.counters["retry"] = static_cast<double>(sum.retry) / operations;
    state.counters["stolen"] = static_cast<double>(sum.stolen) / operations;
}

void Register(const micro_case *cases) {
    for (; cases->name != nullptr; cases++) {
        benchmark::RegisterBenchmark(cases->name, RunCase, cases)->UseManualTime();
    }
}

}  // namespace

int main(int argc, char **argv) {
    constexpr int kCheckFailed = 1, kUsage = 2;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return kUsage;
    }
    benchmark::AddCustomContext("note", "library_build_type is that of Google Benchmark itself, not of this program");
    Register(micro_reference_cases);
    Register(micro_gq_cases);
    Register(micro_dq_cases);
    if (benchmark::RunSpecifiedBenchmarks() == 0) {
        return kUsage;  // the library has said that nothing matches the filter
    }
    benchmark::Shutdown();
    return any_failed ? kCheckFailed : 0;
}
