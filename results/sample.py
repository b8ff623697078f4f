"""One sample: one fresh process (or one server under wrk), with the machine looked at before and after."""
import json
import os
import re
import resource
import select
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from common import without_local_paths
from plan import HTTP

STDERR_TAIL = 2000
HTTP_SECONDS = 1
HTTP_CONNECTIONS = 64
# Safety time-outs: far above what a sample takes, so that a hang becomes a failed check and not a stuck run.
HANG_S = 60
START_S = 10
STOP_S = 10
# More than this share of the machine's time taken by others marks a sample as disturbed.
STEAL_SHARE = 0.02
OTHERS_SHARE = 0.10
CLOCK_TICK = os.sysconf("SC_CLK_TCK")
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}


class SampleFailure(Exception):
    """The sample gave no result that may be used; the text says why."""


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


def kill_group(process):
    """End a child that we started, and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(command, timeout_s):
    """(exit code, stdout, stderr) of a child in its own session, so that ^C reaches us alone and we clean up."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        raise SampleFailure(f"still running after {timeout_s:.0f} s: ended") from None
    except BaseException:
        kill_group(process)
        raise
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def run_workload(command, budget_ms, record):
    """Run one workload process and take its JSON into the record."""
    code, out, err = run(command, HANG_S + 20 * budget_ms / 1000)
    record["exit_code"] = code
    record["stderr_tail"] = without_local_paths(err[-STDERR_TAIL:])
    try:
        found = json.loads(out)
        record.update({key: found[key] for key in ("checked", "check", "iterations", "ops_per_iteration",
                                                   "samples_ns", "peak_rss_kib", "cpu_ns", "counters")})
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
    return found


def describe_exit(code, err):
    last = err.strip().splitlines()[-1:] or ["nothing on stderr"]
    what = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return without_local_paths(f"{what}: {last[0][:300]}")


def parse_wrk(text):
    """Requests, latencies in ms and errors from wrk's report."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    count = re.search(r"^\s*(\d+) requests in ([\d.]+)(us|ms|s|m)", text, re.MULTILINE)
    if not rate or not count:
        raise SampleFailure("wrk printed no result")
    latency = {f"p{percent}": float(value) * UNITS_MS[unit] for percent, value, unit
               in re.findall(r"^\s*(\d+)%\s+([\d.]+)(us|ms|s|m|h)\s*$", text, re.MULTILINE)}
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    names = ("connect", "read", "write", "timeout")
    socket_errors = dict(zip(names, map(int, errors.groups()))) if errors else dict.fromkeys(names, 0)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"requests": int(count.group(1)), "requests_per_s": float(rate.group(1)), "latency_ms": latency,
            "socket_errors": socket_errors, "non_2xx": int(bad.group(1)) if bad else 0}


def read_port(process):
    """The port that httpd announces on its first line."""
    deadline, line = time.monotonic() + START_S, b""
    while b"\n" not in line:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        part = os.read(process.stdout.fileno(), 4096) if ready else b""
        if not part:
            raise SampleFailure("httpd ended before it listened" if ready else "httpd did not listen in time")
        line += part
    found = re.search(rb"listening on 127\.0\.0\.1:(\d+)", line)
    if not found:
        raise SampleFailure(f"httpd said {line!r} instead of where it listens")
    return int(found.group(1))


def run_http(command, record):
    """Start httpd, load it with wrk for a second, end it with SIGTERM."""
    with tempfile.TemporaryFile() as errors:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            load_server(server, record)
        finally:
            kill_group(server)
            server.stdout.close()
            record["exit_code"] = server.returncode
            errors.seek(0)
            record["stderr_tail"] = without_local_paths(errors.read().decode(errors="replace")[-STDERR_TAIL:])
    if server.returncode != 0:
        raise SampleFailure(f"httpd: {describe_exit(server.returncode, record['stderr_tail'])}")
    load = record["http"]
    if any(load["socket_errors"].values()) or load["non_2xx"] or not load["requests"]:
        raise SampleFailure(f"wrk: {load['requests']} requests, socket errors {load['socket_errors']},"
                            f" {load['non_2xx']} responses that are not 2xx or 3xx")
    record["value_ns"] = 1e9 / load["requests_per_s"]
    record["iterations"], record["ops_per_iteration"] = load["requests"], 1
    record["checked"] = True


def load_server(server, record):
    url = f"http://127.0.0.1:{read_port(server)}/"
    code, out, err = run(["wrk", "-t1", f"-c{HTTP_CONNECTIONS}", f"-d{HTTP_SECONDS}s", "--latency", url], HANG_S)
    if code != 0:
        raise SampleFailure(f"wrk: {describe_exit(code, err)}")
    record["http"] = parse_wrk(out)
    record["peak_rss_kib"] = peak_rss_kib(server.pid)
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise SampleFailure(f"httpd did not end within {STOP_S} s of SIGTERM") from None


def peak_rss_kib(pid):
    found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found.group(1)) if found else None


def take(sample_id, block, arm, workload, command, budget_ms):
    """Take one sample; whatever goes wrong with it is in its record."""
    record = {"id": sample_id, "block": block, "arm": arm, "workload": workload,
              "start": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
              "command": without_local_paths(" ".join(map(str, command))), "budget_ms": budget_ms,
              "exit_code": None, "stderr_tail": "", "checked": False, "failure": None, "value_ns": None,
              "check": "no socket error, every response 2xx or 3xx, clean end" if workload == HTTP else "",
              "iterations": 0, "ops_per_iteration": None, "samples_ns": [], "peak_rss_kib": None, "cpu_ns": None,
              "counters": {}, "http": None}
    before, cpu, start = machine_state(), children_cpu_s(), time.monotonic()
    found = {}
    try:
        if workload == HTTP:
            run_http(command, record)
        else:
            found = run_workload(command, budget_ms, record)
    except SampleFailure as failure:
        record["failure"], record["checked"], record["value_ns"] = str(failure), False, None
    elapsed, after = time.monotonic() - start, machine_state()
    record.update(elapsed_s=round(elapsed, 4), before=before, after=after,
                  disturbed=disturbance(before, after, children_cpu_s() - cpu, elapsed))
    return record, found.get("peer")
