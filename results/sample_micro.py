"""A sample of the micro-benchmarks: one case in one fresh process of Google Benchmark's, its JSON into the record."""
import json
import re

import plan
from process import SampleFailure, describe_exit, run_child

HANG_S = 120
LATENCIES = {"latency_count": "count", "latency_max": "max", "p50": "p50", "p90": "p90", "p99": "p99", "p99_9": "p99.9",
             "p99_99": "p99.99"}
UNITS_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
CHECK = "nothing lost, nothing doubled, no order broken"


def command(job):
    name = re.sub(r"([.+*?^$()\[\]{}|\\])", r"\\\1", job.case)
    seconds = plan.asked_s(job.workload, job.budget_ms)
    return [*job.command, f"--benchmark_filter=^{name}$", "--benchmark_format=json",
            f"--benchmark_min_time={seconds:g}"]


def only_benchmark(out):
    """The one entry of the JSON that Google Benchmark prints."""
    try:
        entry, = [one for one in json.loads(out)["benchmarks"] if one.get("run_type", "iteration") == "iteration"]
        if not entry.get("error_occurred"):
            entry["real_time_ns"] = float(entry["real_time"]) * UNITS_NS[entry.get("time_unit", "ns")]
    except (ValueError, KeyError, TypeError) as problem:
        raise SampleFailure(f"unusable output: {problem!r}") from None
    return entry


def measured(entry, measures):
    """The value that is compared: the time of an operation, or the percentile that the workload is about."""
    found = re.fullmatch(r"(p[\d.]+) latency", measures)
    return entry.get(found.group(1).replace(".", "_")) if found else entry["real_time_ns"]


def run_micro(job, record):
    out = run_child(command(job), HANG_S, record)
    try:
        entry = only_benchmark(out)
    except SampleFailure:
        if record["exit_code"] == 0:
            raise
        raise SampleFailure(describe_exit(record["exit_code"], record["stderr_tail"])) from None
    if entry.get("error_occurred"):
        raise SampleFailure(f"check failed: {entry.get('error_message')}")
    if record["exit_code"] != 0:
        raise SampleFailure(describe_exit(record["exit_code"], record["stderr_tail"]))
    value_ns = measured(entry, job.workload.measures)
    if not (value_ns and value_ns > 0):
        raise SampleFailure(f"unusable output: {job.workload.measures} is {value_ns}")
    failed = {name: entry.get(name) for name in ("empty", "full", "retry")}
    latency = {name: entry[key] for key, name in LATENCIES.items() if key in entry}
    record.update(value_ns=value_ns, iterations=int(entry["iterations"]), ops_per_iteration=1, checked=True,
                  check=CHECK, peak_rss_kib=entry.get("peak_rss_kib"), fairness=entry.get("fairness"),
                  failed_ops=failed if any(value is not None for value in failed.values()) else None,
                  latency_ns=latency or None,
                  counters={"stolen": entry["stolen"] * entry["iterations"]} if "stolen" in entry else {})
