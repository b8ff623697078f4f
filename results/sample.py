"""One sample: one fresh process (or one server under load), with the machine looked at before and after."""
import json
import os
import resource
import time
from datetime import datetime, timezone
from pathlib import Path

from process import SampleFailure, SampleSkipped, describe_exit, run_child
from sample_micro import run_micro
from sample_server import run_server

# Safety time-outs: far above what a sample takes, so that a hang becomes a failed check and not a stuck run.
HANG_S = 60
LONG_HANG_S = 7200
# More than this share of the machine's time taken by others marks a sample as disturbed.
STEAL_SHARE = 0.02
OTHERS_SHARE = 0.10
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def machine_state():
    """CPU seconds since boot (busy, stolen) and the load average; None where /proc does not tell."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        load = float(Path("/proc/loadavg").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return {"busy_s": None, "steal_s": None, "load": None}
    user, nice, system = fields[:3]
    return {"busy_s": (user + nice + system) / CLOCK_TICK, "steal_s": fields[7] / CLOCK_TICK, "load": load}


def children_cpu_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def disturbance(before, after, own_cpu_s, elapsed_s):
    """Why the sample is marked as disturbed, or None."""
    if before["steal_s"] is None or after["steal_s"] is None:
        return None
    capacity = elapsed_s * os.cpu_count()
    tick = 2 / CLOCK_TICK
    steal = after["steal_s"] - before["steal_s"]
    others = after["busy_s"] - before["busy_s"] - own_cpu_s
    if steal > max(STEAL_SHARE * capacity, tick):
        return f"{steal / capacity:.0%} of the processors' time was stolen by the hypervisor"
    if others > max(OTHERS_SHARE * capacity, tick):
        return f"other processes used {others / capacity:.0%} of the processors' time"
    return None


def run_workload(job, record):
    """Run one workload process and take its JSON into the record."""
    hang_s = LONG_HANG_S if job.workload.effort == "long" else HANG_S + 20 * job.budget_ms / 1000
    out = run_child(job.command, hang_s, record)
    code, err = record["exit_code"], record["stderr_tail"]
    try:
        found = json.loads(out)
        record.update({key: found[key] for key in ("checked", "check", "iterations", "ops_per_iteration",
                                                   "samples_ns", "peak_rss_kib", "cpu_ns", "counters")})
        record["latency_ns"] = found.get("latency_ns")
        median_ns = float(found["median_ns"])
    except (ValueError, KeyError, TypeError) as problem:
        # A missing result after a failed exit is the consequence, not the cause: name the exit.
        raise SampleFailure(describe_exit(code, err) if code else f"unusable output: {problem!r}") from None
    if code != 0:
        raise SampleFailure(describe_exit(code, err))
    if found["checked"] is not True:
        raise SampleFailure(f"check failed: {found['check']}")
    if not median_ns > 0:
        raise SampleFailure(f"unusable output: median_ns is {median_ns}")
    record["value_ns"] = median_ns


def runner_of(job):
    if job.case:
        return run_micro
    return run_server if job.load else run_workload


def take(sample_id, block, arm, job):
    """Take one sample; whatever goes wrong with it is in its record."""
    record = {"id": sample_id, "block": block, "arm": arm, "workload": job.workload.name,
              "start": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "command": job.shown(),
              "budget_ms": job.budget_ms, "workers": job.workload.workers, "exit_code": None, "stderr_tail": "",
              "checked": False, "check": "", "failure": None, "skipped": None, "value_ns": None, "iterations": 0,
              "ops_per_iteration": None, "samples_ns": [], "peak_rss_kib": None, "cpu_ns": None, "counters": {},
              "latency_ns": None, "failed_ops": None, "fairness": None, "http": None, "load": None}
    before, cpu, start = machine_state(), children_cpu_s(), time.monotonic()
    try:
        runner_of(job)(job, record)
    except SampleFailure as failure:
        record["failure"], record["checked"], record["value_ns"] = str(failure), False, None
    except SampleSkipped as reason:
        record["skipped"] = str(reason)
    elapsed, after = time.monotonic() - start, machine_state()
    record.update(elapsed_s=round(elapsed, 4), before=before, after=after,
                  disturbed=disturbance(before, after, children_cpu_s() - cpu, elapsed))
    return record
